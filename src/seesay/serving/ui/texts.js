// The texts of the library that a search found, best first. Pressing one shows the pictures that fit it.

import { button, el } from "./dom.js";
import { t } from "./words.js";

export class Texts {
  // chosen(text): one was pressed; further(): fetches more.
  constructor(place, { chosen, further }) {
    Object.assign(this, { place, chosen });
    this.list = el("ol");
    this.more = button("", further);
    place.append(this.list, this.more);
    this.show([]);
  }

  get count() {
    return this.list.children.length;
  }

  show(hits, { added = false, more = false } = {}) {
    const rows = hits.map(hit => this.row(hit));
    if (added) this.list.append(...rows);
    else this.list.replaceChildren(...rows);
    if (added && rows.length && document.activeElement === this.more) rows[0].firstChild.focus();
    this.place.hidden = !this.count;
    this.more.hidden = !more;
    this.more.textContent = t("showMore");
  }

  row({ text, folder, name, line, score }) {
    const where = `${folder ? `${folder}/` : ""}${name}:${line}`;
    return el(
      "li",
      {},
      button(text, () => this.chosen(text), { title: t("picturesFor") }),
      el("small", { text: `${where} · ${score.toFixed(3)}` }),
    );
  }
}
