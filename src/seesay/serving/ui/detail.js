// One picture, large, with all that is known of it.

import { $, button, el, icon, refill } from "./dom.js";
import { get, post, thumbnail } from "./api.js";
import { language, t, told } from "./words.js";

const SHOWN = 5;
let everyday; // their names

// A day alone is a day here, not midnight of Greenwich.
const taken = when =>
  when.length > 10
    ? new Date(when).toLocaleString(language, { dateStyle: "long", timeStyle: "short" })
    : new Date(`${when}T00:00`).toLocaleDateString(language, { dateStyle: "long" });

export class Detail {
  // ids(): those that are shown, to walk through; facts(id); like(id): search for what looks like it; canWrite(); place(latitude, longitude): of the library, or none; go(place); tagged(); closed(id)
  constructor(given) {
    Object.assign(this, given);
    this.dialog = $("#detail");
    this.dialog.addEventListener("close", () => {
      this.request?.abort();
      this.closed(this.id);
    });
    this.dialog.addEventListener("click", event => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.dialog.addEventListener("keydown", event => {
      if (event.target.matches("input")) return;
      if (event.key === "ArrowLeft") this.step(-1);
      else if (event.key === "ArrowRight") this.step(1);
      else if (event.key === "m") this.like(this.id);
    });
  }

  step(by) {
    const ids = this.ids(),
      index = ids.indexOf(this.id) + by;
    if (ids.includes(this.id) && index >= 0 && index < ids.length) this.open(ids[index]);
  }

  async open(id) {
    this.request?.abort();
    const { signal } = (this.request = new AbortController());
    this.id = id;
    const ids = this.ids(),
      index = ids.indexOf(id),
      known = this.facts(id) ?? {};
    const image = el("img", {
      class: "large",
      alt: known.name ?? "",
      src: thumbnail(id, 320),
      onerror: () => image.replaceWith(el("p", { text: t("notShown") })),
    });
    const sharp = new Image();
    sharp.onload = () => {
      if (this.id === id) image.src = sharp.src;
    };
    sharp.src = `/v1/items/${id}/image`;
    const facts = el("div", { class: "facts" });
    const walk = [
      ["left", "previous", -1, index > 0],
      ["right", "next", 1, index >= 0 && index < ids.length - 1],
    ].map(([name, word, by, there]) =>
      icon(name, t(word), () => this.step(by), { disabled: !there, class: `icon walk ${name}` }),
    );
    const focused = this.dialog.contains(document.activeElement) ? document.activeElement.className : "";
    this.dialog.replaceChildren(
      el("div", { class: "view" }, image, ...walk),
      el(
        "aside",
        {},
        icon("close", t("close"), () => this.dialog.close(), { class: "icon shut" }),
        facts,
      ),
    );
    if (!this.dialog.open) this.dialog.showModal();
    const again =
      focused && [...this.dialog.querySelectorAll("button")].find(each => each.className === focused && !each.disabled);
    (again || this.dialog.querySelector(".shut")).focus();
    const { score, relevance, ...rest } = known; // of the search that is shown, if it is shown
    const match = index < 0 ? {} : { score, relevance };
    this.tell(facts, { ...rest, ...match });
    try {
      const item = await get(`/v1/items/${id}`, { signal });
      image.alt = item.name;
      this.tell(facts, Object.assign(known, item, match));
      await this.label(facts, id, signal);
    } catch (fault) {
      if (fault.name !== "AbortError") facts.append(el("p", { class: "note", role: "alert", text: told(fault) }));
    }
  }

  tell(place, item) {
    const rows = [
      [t("file"), item.name && [item.folder, item.name].filter(Boolean).join(" / ")],
      [t("date"), item.taken_at && taken(item.taken_at)],
      [t("camera"), item.camera],
      [t("size"), item.width && `${item.width} × ${item.height}${item.bytes ? `, ${size(item.bytes)}` : ""}`],
      [t("position"), this.where(item)],
      [
        t("copies"),
        item.copies &&
          (item.files ?? [])
            .slice(1)
            .map(file => `${file.folder} / ${file.name}`)
            .join("; "),
      ],
      [
        t("match"),
        item.score !== undefined &&
          (item.relevance === undefined
            ? item.score.toFixed(3)
            : `${Math.round(100 * item.relevance)} % (${item.score.toFixed(3)})`),
      ],
    ].filter(([, value]) => value);
    const actions = el(
      "p",
      { class: "actions" },
      button(t("moreLikeThis"), () => this.like(this.id), { class: "primary" }),
      el("a", { class: "button", href: `/v1/items/${this.id}/file`, download: item.name ?? "", text: t("download") }),
    );
    refill(place, [
      el("h2", { text: item.name ?? "" }),
      item.available === false ? el("p", { class: "note", text: t("notThere") }) : null,
      actions,
      el(
        "dl",
        {},
        rows.map(([name, value]) => [
          el("dt", { text: name }),
          value instanceof Element ? el("dd", {}, value) : el("dd", { text: value }),
        ]),
      ),
      this.tags(item),
      el("div", { class: "labels" }),
    ]);
  }

  // A place of the library leads to its pictures.
  where({ latitude, longitude }) {
    if (latitude === undefined || latitude === null) return "";
    const spot = `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`,
      place = this.place(latitude, longitude);
    return place ? button(place.called, () => this.go(place), { class: "link place", title: spot }) : spot;
  }

  tags(item) {
    const change = async said => {
      try {
        await post("/v1/tags", { ids: [item.id], ...said });
        this.tagged();
        const now = this.tags(Object.assign(item, await get(`/v1/items/${item.id}`)));
        place.replaceWith(now);
        $("input", now).focus();
      } catch (fault) {
        place.append(el("p", { class: "note", text: told(fault) }));
      }
    };
    const chips = (item.tags ?? []).map(tag =>
      el(
        "li",
        { class: "chip set" },
        el("span", { text: tag }),
        this.canWrite() ? icon("close", t("removeTag", tag), () => change({ remove: [tag] })) : null,
      ),
    );
    const input = el("input", { "aria-label": t("addTag"), placeholder: t("addTag"), maxLength: 100 });
    const form = el(
      "form",
      {
        onsubmit: event => {
          event.preventDefault();
          if (input.value.trim()) change({ add: [input.value.trim()] });
        },
      },
      input,
    );
    const place = el(
      "div",
      { class: "tags" },
      el("h3", { text: t("tags") }),
      el("ul", {}, chips),
      this.canWrite() ? form : null,
    );
    return place;
  }

  // The likeliest of some two hundred everyday things.
  async label(place, id, signal) {
    everyday ??= get("/ui/labels.json");
    const names = (await everyday).map(label => label[language]);
    const {
      results: [result],
    } = await post("/v1/classify", { images: [{ id }], labels: names, templates: ["{}"] }, { signal });
    const best = [...result.scores].sort((a, b) => b.probability - a.probability).slice(0, SHOWN);
    place.querySelector(".labels").replaceChildren(el("h3", { text: t("labels") }), bars(best));
  }
}

// Bars of shares; the same rows are moved where there were some before.
export function bars(scores, before) {
  const list = before ?? el("ul", { class: "bars" });
  const rows = new Map([...list.children].map(row => [row.dataset.label, row]));
  list.replaceChildren(
    ...scores.map(({ label, probability }) => {
      const row =
        rows.get(label) ??
        el(
          "li",
          { "data-label": label },
          el("span", { class: "name", text: label }),
          el("span", { class: "bar" }, el("span")),
          el("span", { class: "share" }),
        );
      row.querySelector(".bar span").style.width = `${100 * probability}%`;
      row.querySelector(".share").textContent = `${(100 * probability).toFixed(probability < 0.1 ? 1 : 0)} %`;
      return row;
    }),
  );
  return list;
}

export const size = bytes => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
