// The selected pictures: exported, listed, copied, tagged.

import { $, button, copy, el, icon, refill, save } from "./dom.js";
import { get, post } from "./api.js";
import { tagInput } from "./detail.js";
import { t, errorMessage } from "./words.js";

const MOST_ZIPPED = 1000;
const ONE_BY_ONE = 200; // with more unknown pictures, pages of the whole library are fetched instead
const AT_ONCE = 6; // requests
const PAGE = 1000;
const TAGGED_AT_ONCE = 2000;

export class Selection {
  // facts(id): of a picture, as far as known; all(): every id that is shown; changed(ids); tagged(); left(): takes the focus.
  constructor(callbacks) {
    Object.assign(this, callbacks);
    this.ids = new Set();
    this.bar = $("#selection");
    this.canWrite = false;
    this.last = null; // the id at which a range begins
  }

  // range: selects everything from the last one to this, or from the index `from` if there is no last one.
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

  // Runs work that may take a while: it can be stopped, and its result (or error) is shown.
  async work(work) {
    const { signal } = (this.working = new AbortController());
    const pressed = document.activeElement.textContent,
      focus = text => {
        if (this.bar.contains(document.activeElement))
          [...this.bar.querySelectorAll("button")].find(each => each.textContent === text)?.focus();
      };
    let note = "";
    this.draw(t("fetching"));
    focus(t("stop"));
    try {
      note = (await work(signal)) ?? "";
    } catch (fault) {
      if (fault.name !== "AbortError") note = errorMessage(fault);
    }
    this.working = null;
    this.draw(note);
    focus(pressed);
  }

  // The facts of the selected pictures. Unknown ones are fetched: a few one by one, many a page of the library at a time.
  async rows(signal) {
    const ids = [...this.ids],
      rows = new Map(ids.map(id => [id, this.facts(id)])),
      unknown = () => ids.filter(id => !rows.get(id));
    const put = (id, facts) => {
      rows.set(id, facts);
      this.note.textContent = t("fetched", ids.length - --remaining, ids.length);
    };
    let missing = unknown(),
      remaining = missing.length,
      cursor;
    if (remaining > ONE_BY_ONE)
      do {
        const { results, next } = await post("/v1/search", { n: PAGE, ...(cursor && { cursor }) }, { signal });
        for (const facts of results) if (rows.has(facts.id) && !rows.get(facts.id)) put(facts.id, facts);
        cursor = next;
      } while (cursor && remaining);
    missing = unknown();
    const fetchMissing = async () => {
      for (let id; (id = missing.pop());)
        put(
          id,
          await get(`/v1/items/${id}`, { signal }).catch(fault => {
            if ([404, 410].includes(fault.status)) return { id };
            throw fault;
          }),
        );
    };
    await Promise.all(Array.from({ length: AT_ONCE }, fetchMissing));
    return ids.map(id => rows.get(id));
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
    const input = tagInput();
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
            this.draw(errorMessage(fault));
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
