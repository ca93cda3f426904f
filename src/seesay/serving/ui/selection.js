// Pictures that are chosen together, and what can be done with them.

import { $, button, el, icon, save } from "./dom.js";
import { get, post } from "./api.js";
import { t } from "./words.js";

const MOST_ZIPPED = 1000;

export class Selection {
  // facts(id): what the page knows of a picture; all(): every id shown; changed(ids); tagged()
  constructor({ facts, all, changed, tagged }) {
    Object.assign(this, { facts, all, changed, tagged });
    this.ids = new Set();
    this.bar = $("#selection");
    this.canWrite = false;
    this.last = 0;
  }

  toggle(ids, index, range) {
    const [low, high] = range ? [Math.min(this.last, index), Math.max(this.last, index)] : [index, index];
    const on = range || !this.ids.has(ids[index]);
    for (let i = low; i <= high; i++) if (on) this.ids.add(ids[i]); else this.ids.delete(ids[i]);
    this.last = index;
    this.draw();
  }

  clear() { this.ids.clear(); this.draw(); }

  draw(note = "") {
    this.changed(this.ids);
    this.bar.hidden = !this.ids.size;
    document.body.classList.toggle("selecting", this.ids.size > 0);
    if (!this.ids.size) return;
    const many = this.ids.size > MOST_ZIPPED;
    // A form, so that the browser takes the answer straight to the disk.
    const zip = el("form", { method: "post", action: "/v1/export" }, el("input", { type: "hidden", name: "ids", value: [...this.ids].join(",") }),
      el("button", { text: t("exportZip"), disabled: many, title: many ? t("mostZip") : "" }));
    this.bar.replaceChildren(
      el("strong", { text: t("selected", this.ids.size), role: "status" }), el("span", { class: "note", text: note, role: "status" }),
      button(t("selectAll"), () => { for (const id of this.all()) this.ids.add(id); this.draw(); }), zip,
      button(t("exportList"), () => this.list()), button(t("copyNames"), () => this.copy()),
      this.canWrite ? button(t("tagThem"), () => this.tag()) : null, icon("close", t("clear"), () => this.clear()));
  }

  // What is not known of pictures that were never opened is asked for.
  async rows() {
    const rows = [];
    for (const id of this.ids) rows.push(this.facts(id) ?? await get(`/v1/items/${id}`).catch(() => ({ id })));
    return rows;
  }

  async list() {
    const rows = await this.rows(), names = ["id", "folder", "name", "width", "height", "taken_at", "camera", "latitude", "longitude", "tags", "score"];
    const cell = value => { const text = Array.isArray(value) ? value.join(" ") : String(value ?? ""); return /[",\n]/.test(text) || /^[=+\-@]/.test(text) && isNaN(text) ? `"${/^[=+\-@]/.test(text) ? "'" : ""}${text.replaceAll('"', '""')}"` : text; };
    save("pictures.csv", "\ufeff" + [names, ...rows.map(row => names.map(name => row[name]))].map(row => row.map(cell).join(",")).join("\r\n") + "\r\n", "text/csv");
  }

  async copy() {
    const rows = await this.rows();
    await navigator.clipboard.writeText(rows.map(row => row.folder ? `${row.folder}/${row.name}` : row.name).join("\n")).catch(() => {});
    this.draw(t("copied"));
  }

  tag() {
    const input = el("input", { "aria-label": t("addTag"), placeholder: t("addTag"), maxLength: 100 });
    const form = el("form", { class: "tagging", onsubmit: async event => {
      event.preventDefault();
      const tag = input.value.trim();
      if (!tag) return this.draw();
      try {
        await post("/v1/tags", { ids: [...this.ids], add: [tag] });
        this.draw(t("tagged", this.ids.size));
        this.tagged();
      } catch (fault) { this.draw(fault.message || t("failed")); }
    } }, input, el("button", { text: t("addTag") }));
    this.bar.append(form);
    input.focus();
  }
}
