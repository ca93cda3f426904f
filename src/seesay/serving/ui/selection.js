// Pictures that are chosen together, and what can be done with them.

import { $, button, copy, el, icon, refill, save } from "./dom.js";
import { get, post } from "./api.js";
import { t, told } from "./words.js";

const MOST_ZIPPED = 1000,
  ASKED = 200,
  AT_ONCE = 6,
  PAGE = 1000,
  TAGGED_AT_ONCE = 2000;

export class Selection {
  // facts(id): what the page knows of a picture; all(): every id shown; changed(ids); tagged(); left(): the focus goes elsewhere
  constructor(given) {
    Object.assign(this, given);
    this.ids = new Set();
    this.bar = $("#selection");
    this.canWrite = false;
    this.last = null; // the picture from which a range goes
  }

  // range: from the last one, or else from the index `from`.
  toggle(ids, index, range, from = index) {
    const last = ids.indexOf(this.last),
      other = !range ? index : last < 0 ? from : last,
      [low, high] = [Math.min(other, index), Math.max(other, index)];
    const on = range || !this.ids.has(ids[index]);
    for (let i = low; i <= high; i++)
      if (on) this.ids.add(ids[i]);
      else this.ids.delete(ids[i]);
    this.last = ids[index];
    this.draw();
  }

  clear() {
    const focused = this.bar.contains(document.activeElement);
    this.working?.abort();
    this.ids.clear();
    this.draw();
    if (focused) this.left();
  }

  draw(note = "") {
    this.changed(this.ids);
    this.bar.hidden = !this.ids.size;
    document.body.classList.toggle("selecting", this.ids.size > 0);
    if (!this.ids.size) return;
    const many = this.ids.size > MOST_ZIPPED;
    this.note = el("span", { class: "note", text: note, role: "status" });
    const ways = this.working
      ? [button(t("stop"), () => this.working.abort())]
      : [
          button(t("selectAll"), () => {
            for (const id of this.all()) this.ids.add(id);
            this.draw();
          }),
          button(t("exportZip"), () => this.zip(), { disabled: many, title: many ? t("mostZip") : "" }),
          button(t("exportList"), () => this.list()),
          button(t("copyNames"), () => this.copy()),
          this.canWrite ? button(t("tagThem"), () => this.tag()) : null,
        ];
    refill(this.bar, [
      el("strong", { text: t("selected", this.ids.size), role: "status" }),
      this.note,
      ...ways,
      icon("close", t("clear"), () => this.clear()),
    ]);
  }

  // What may take a while: it can be stopped, and ends with a word on how it went.
  async work(work) {
    const { signal } = (this.working = new AbortController());
    const pressed = document.activeElement.textContent,
      focus = text => {
        if (this.bar.contains(document.activeElement))
          [...this.bar.querySelectorAll("button")].find(each => each.textContent === text)?.focus();
      };
    let said = "";
    this.draw(t("fetching"));
    focus(t("stop"));
    try {
      said = (await work(signal)) ?? "";
    } catch (fault) {
      if (fault.name !== "AbortError") said = told(fault);
    }
    this.working = null;
    this.draw(said);
    focus(pressed);
  }

  // What is known of the pictures that are selected. The rest is asked for: some one by one, many a page of the library at a time.
  async rows(signal) {
    const ids = [...this.ids],
      found = new Map(ids.map(id => [id, this.facts(id)])),
      unknown = () => ids.filter(id => !found.get(id));
    const learn = (id, facts) => {
      found.set(id, facts);
      this.note.textContent = t("fetched", ids.length - --left, ids.length);
    };
    let missing = unknown(),
      left = missing.length,
      cursor;
    if (left > ASKED)
      do {
        const { results, next } = await post("/v1/search", { n: PAGE, ...(cursor && { cursor }) }, { signal });
        for (const facts of results) if (found.has(facts.id) && !found.get(facts.id)) learn(facts.id, facts);
        cursor = next;
      } while (cursor && left);
    missing = unknown();
    const ask = async () => {
      for (let id; (id = missing.pop());)
        learn(
          id,
          await get(`/v1/items/${id}`, { signal }).catch(fault => {
            if ([404, 410].includes(fault.status)) return { id };
            throw fault;
          }),
        );
    };
    await Promise.all(Array.from({ length: AT_ONCE }, ask));
    return ids.map(id => found.get(id));
  }

  zip() {
    return this.work(async signal =>
      save("pictures.zip", await post("/v1/export", { ids: [...this.ids] }, { signal, blob: true })),
    );
  }

  list() {
    return this.work(async signal => {
      const rows = await this.rows(signal),
        names = ["id", "folder", "name", "width", "height", "taken_at", "camera", "latitude", "longitude", "tags", "score"];
      const cell = value => {
        const text = Array.isArray(value) ? value.join(" ") : String(value ?? "");
        return /[",\n]/.test(text) || (/^[=+\-@]/.test(text) && isNaN(text))
          ? `"${/^[=+\-@]/.test(text) ? "'" : ""}${text.replaceAll('"', '""')}"`
          : text;
      };
      save(
        "pictures.csv",
        new Blob(
          [
            "\ufeff" +
              [names, ...rows.map(row => names.map(name => row[name]))].map(row => row.map(cell).join(",")).join("\r\n") +
              "\r\n",
          ],
          { type: "text/csv" },
        ),
      );
    });
  }

  copy() {
    return this.work(async signal => {
      const rows = await this.rows(signal);
      return t(
        (await copy(rows.map(row => (row.folder ? `${row.folder}/${row.name}` : (row.name ?? row.id))).join("\n")))
          ? "copied"
          : "notCopied",
      );
    });
  }

  tag() {
    const input = el("input", { "aria-label": t("addTag"), placeholder: t("addTag"), maxLength: 100 });
    const form = el(
      "form",
      {
        class: "tagging",
        onsubmit: async event => {
          event.preventDefault();
          const tag = input.value.trim();
          if (!tag) return this.draw();
          try {
            const ids = [...this.ids];
            for (let at = 0; at < ids.length; at += TAGGED_AT_ONCE)
              await post("/v1/tags", { ids: ids.slice(at, at + TAGGED_AT_ONCE), add: [tag] });
            for (const facts of [...this.ids].map(this.facts))
              if (facts) facts.tags = [...new Set([...(facts.tags ?? []), tag])];
            this.draw(t("tagged", this.ids.size));
            this.tagged();
          } catch (fault) {
            this.draw(told(fault));
          }
        },
        onkeydown: event => {
          if (event.key === "Escape") {
            event.stopPropagation();
            this.draw();
          }
        },
      },
      input,
      el("button", { text: t("addTag") }),
    );
    this.bar.append(form);
    input.focus();
  }
}
