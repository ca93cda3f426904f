// One picture, large, with its facts and tags, and what can be asked about it.

import { $, button, el, icon, refill } from "./dom.js";
import { get, post, thumbnail } from "./api.js";
import { questionsAbout } from "./questions.js";
import { language, t, errorMessage } from "./words.js";

const SHOWN = 5;
let everyday; // a promise of names for everyday things

// A date without a time is a day in local time, not midnight in Greenwich.
const taken = when =>
  when.length > 10
    ? new Date(when).toLocaleString(language, { dateStyle: "long", timeStyle: "short" })
    : new Date(`${when}T00:00`).toLocaleDateString(language, { dateStyle: "long" });

export class Detail {
  // ids(): the pictures that are shown, to step through; facts(id); like(id): searches for similar pictures; canWrite();
  // place(latitude, longitude): the library's place there, or none; go(place): shows its pictures;
  // named(name): shows the pictures that have a name; tagged(); closed(id).
  constructor(callbacks) {
    Object.assign(this, callbacks);
    this.dialog = $("#detail");
    this.dialog.addEventListener("close", () => {
      this.stop();
      this.closed(this.id);
    });
    this.dialog.addEventListener("click", event => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.dialog.addEventListener("keydown", event => {
      if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
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

  // Ends everything that was asked about the picture.
  stop() {
    this.request?.abort();
    for (const question of this.questions ?? []) question.stop();
  }

  async open(id) {
    this.stop();
    const { signal } = (this.request = new AbortController());
    this.id = id;
    const ids = this.ids(),
      index = ids.indexOf(id),
      facts = this.facts(id) ?? {};
    const image = el("img", {
      class: "large",
      alt: facts.name ?? "",
      src: thumbnail(id, 320),
      // On a narrow screen the view is as high as the picture needs.
      onload: () => this.dialog.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight),
      onerror: () => image.replaceWith(el("p", { text: t("notShown") })),
    });
    const sharp = new Image();
    sharp.onload = () => {
      if (this.id === id) image.src = sharp.src;
    };
    sharp.src = `/v1/items/${id}/image`;
    const panel = el("div", { class: "facts" }),
      labels = el("div", { class: "labels" });
    const walk = [
      ["left", "previous", -1, index > 0],
      ["right", "next", 1, index >= 0 && index < ids.length - 1],
    ].map(([name, word, by, exists]) =>
      icon(name, t(word), () => this.step(by), { disabled: !exists, class: `icon walk ${name}` }),
    );
    const focused = this.dialog.contains(document.activeElement) ? document.activeElement.className : "";
    this.dialog.replaceChildren(
      el("div", { class: "view" }, image, ...walk),
      el(
        "aside",
        {},
        icon("close", t("close"), () => this.dialog.close(), { class: "icon shut" }),
        panel,
        this.ask(id, image),
        labels,
      ),
    );
    if (!this.dialog.open) this.dialog.showModal();
    const again =
      focused && [...this.dialog.querySelectorAll("button")].find(each => each.className === focused && !each.disabled);
    (again || this.dialog.querySelector(".shut")).focus();
    const { score, relevance, ...rest } = facts; // they belong to the search that is shown, if this picture is among its hits
    const match = index < 0 ? {} : { score, relevance };
    this.show(panel, { ...rest, ...match });
    try {
      const item = await get(`/v1/items/${id}`, { signal });
      image.alt = item.name;
      this.show(panel, Object.assign(facts, item, match));
      await this.label(labels, id, signal);
    } catch (fault) {
      if (fault.name !== "AbortError") panel.append(el("p", { class: "note", role: "alert", text: errorMessage(fault) }));
    }
  }

  show(place, item) {
    this.item = item;
    const rows = [
      [t("file"), item.name && fullName(item)],
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
    ]);
  }

  // What can be asked about a picture. Words that were typed for the one before stay.
  ask(id, image) {
    const typed = this.questions?.[0].input.value ?? "";
    const names = {
      canWrite: this.canWrite(),
      tag: tags => this.retag(id, tags),
      has: tag => Boolean(this.item?.tags?.includes(tag)),
      search: name => this.named(name),
    };
    const { questions, place } = questionsAbout({ id }, image, names);
    this.questions = questions;
    questions[0].input.value = typed;
    return place;
  }

  // The position; a link where it is one of the library's places.
  where({ latitude, longitude }) {
    if (latitude === undefined || latitude === null) return "";
    const spot = `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`,
      place = this.place(latitude, longitude);
    return place ? button(place.title, () => this.go(place), { class: "link place", title: spot }) : spot;
  }

  tags(item) {
    const change = async tags => {
      try {
        $("input", await this.retag(item.id, tags))?.focus();
      } catch (fault) {
        place.append(el("p", { class: "note", text: errorMessage(fault) }));
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
    const input = tagInput();
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

  // Adds and removes tags, and shows those that the picture has by then.
  async retag(id, tags) {
    await post("/v1/tags", { ids: [id], ...tags });
    this.tagged();
    const item = await get(`/v1/items/${id}`);
    Object.assign(this.facts(id) ?? {}, item);
    const shown = this.tags(item);
    if (this.id !== id) return shown;
    this.item = item;
    this.dialog.querySelector(".tags").replaceWith(shown);
    return shown;
  }

  // The most likely of some two hundred everyday things.
  async label(place, id, signal) {
    everyday ??= get("/ui/labels.json");
    const names = (await everyday).map(label => label[language]);
    const {
      score,
      results: [result],
    } = await post("/v1/classify", { images: [{ id }], labels: names, templates: ["{}"] }, { signal });
    const best = mostLikely(result.scores).slice(0, SHOWN);
    const list = bars(best),
      [where] = this.questions;
    for (const row of list.children) {
      const { label } = row.dataset;
      row
        .querySelector(".name")
        .replaceChildren(button(label, () => where.look(label), { class: "link", title: t("whereThis", label) }));
    }
    place.replaceChildren(
      el("h3", { text: t("labels") }),
      el("p", { class: "quiet", text: t("labelsWhy") }),
      list,
      el("p", { class: "note", text: score === "sigmoid" ? t("independent") : "" }),
    );
  }
}

export const mostLikely = scores => scores.toSorted((a, b) => b.probability - a.probability);

export const tagInput = () => el("input", { "aria-label": t("addTag"), placeholder: t("addTag"), maxLength: 100 });

// Bars of probabilities. before: a list whose rows are reused, so that they move.
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

// A file with its folder, as people read it.
export const fullName = file => [file.folder, file.name].filter(Boolean).join(" / ");

export const size = bytes => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
