// Pictures that the library holds more than once: people choose which stay, and delete the rest elsewhere.

import { button, copy, el, save } from "./dom.js";
import { get, pause, thumbnail } from "./api.js";
import { t, errorMessage } from "./words.js";
import { fullName, size } from "./detail.js";

const PAGE = 60; // groups shown at once

export class Duplicates {
  // open(id)
  constructor(place, { open }) {
    Object.assign(this, { place, open });
    this.choices = new Map(); // a file's key -> whether it stays, where a person chose
    this.shown = PAGE;
  }

  async show() {
    this.closed = false;
    if (!this.groups)
      this.place.replaceChildren(
        el("div", { class: "wait" }, el("span", { class: "spinner" }), el("p", { role: "status", text: t("comparing") })),
      );
    try {
      for (;;) {
        const answer = await get("/v1/duplicates");
        if (this.closed) return;
        if (!answer.accepted) {
          const same = JSON.stringify(answer.groups) === JSON.stringify(this.groups);
          this.groups = answer.groups;
          if (!same) this.draw();
          if (!answer.looking) return;
        }
        await pause(700);
        if (this.closed) return;
      }
    } catch (fault) {
      if (fault.status === 0 && this.groups) return;
      this.groups = null;
      this.place.replaceChildren(
        el("p", { class: "wait", role: "status", text: fault.status === 404 ? t("emptyTitle") : errorMessage(fault) }),
      );
    }
  }

  hide() {
    this.closed = true;
  }

  stays(file, at) {
    return this.choices.get(key(file)) ?? at === 0;
  }

  // The files that do not stay.
  get rest() {
    return this.groups.flatMap(group => group.files.filter((file, at) => !this.stays(file, at)));
  }

  draw() {
    if (!this.groups.length) {
      this.place.replaceChildren(
        el("div", { class: "wait" }, el("h2", { text: t("noDuplicates") }), el("p", { text: t("noDuplicatesWhy") })),
      );
      return;
    }
    const more =
      this.groups.length > this.shown
        ? button(
            t("showMore"),
            () => {
              this.shown += PAGE;
              this.draw();
            },
            { class: "primary further" },
          )
        : "";
    this.sum = el("p", { class: "sum", role: "status" });
    this.note = el("p", { class: "quiet", role: "status" });
    const paths = () => this.rest.map(shownPath);
    this.take = [
      button(
        t("copyPaths"),
        async () => {
          const list = paths();
          this.note.textContent = (await copy(list.join("\n"))) ? t("copiedPaths", list.length) : t("notCopied");
        },
        { class: "primary" },
      ),
      button(t("exportList"), () => save("duplicates.txt", new Blob([`${paths().join("\n")}\n`], { type: "text/plain" }))),
    ];
    this.place.replaceChildren(
      el("h1", { text: t("duplicates") }),
      el("p", { class: "quiet", text: t("duplicatesWhy") }),
      el("div", { class: "bar-of-ways" }, this.sum, ...this.take, this.note),
      el(
        "ol",
        { class: "groups" },
        this.groups.slice(0, this.shown).map(group => this.group(group)),
      ),
      more,
    );
    this.count();
  }

  count() {
    const rest = this.rest;
    this.sum.textContent = t("beside", rest.length, size(rest.reduce((sum, file) => sum + file.bytes, 0)));
    this.note.textContent = "";
    for (const each of this.take) each.disabled = !rest.length;
  }

  group(group) {
    const place = el("li", { class: "group" }),
      { files } = group;
    const redraw = () => {
      place.replaceChildren(...files.map((file, at) => this.card(file, at, files, redraw)));
    };
    redraw();
    return place;
  }

  card(file, at, files, redraw) {
    const stays = this.stays(file, at),
      only = stays && files.filter((other, index) => this.stays(other, index)).length === 1; // one always stays
    const change = choices => {
      for (const [each, kept] of choices) this.choices.set(key(each), kept);
      redraw();
      this.count();
      [...this.place.querySelectorAll(".copy input")].find(each => each.dataset.key === key(file))?.focus();
    };
    const name = fullName(file);
    const toggle = event => {
      if (!only) return change([[file, event.target.checked]]);
      event.target.checked = true;
      this.note.textContent = t("oneStays");
    };
    const box = el("input", {
      type: "checkbox",
      checked: stays,
      "aria-disabled": only && "true",
      "data-key": key(file),
      "aria-label": `${t("keep")}: ${name}`,
      onchange: toggle,
    });
    const alone = only
      ? ""
      : button(t("onlyThis"), () => change(files.map(each => [each, each === file])), {
          class: "link",
          "aria-label": `${t("onlyThis")}: ${name}`,
        });
    const facts = [
      `${file.width} × ${file.height}`,
      size(file.bytes),
      file.taken_at?.slice(0, 10),
      at && t(file.identical ? "sameBytes" : "alike"),
    ].filter(Boolean);
    const image = el("img", { loading: "lazy", alt: name, src: thumbnail(file.id, 320) });
    return el(
      "figure",
      { class: stays ? "copy stays" : "copy" },
      el("button", { type: "button", class: "look", "aria-label": t("open", name), onclick: () => this.open(file.id) }, image),
      el(
        "figcaption",
        {},
        el(
          "div",
          { class: "choice" },
          el("label", { class: "check" }, box, el("span", { text: t(stays ? "keep" : "notKept") })),
          alone,
        ),
        el("strong", { text: file.name, title: shownPath(file) }),
        el("span", { class: "quiet", text: file.folder }),
        el(
          "span",
          { class: "quiet" },
          facts.map((fact, index) => [index ? " · " : "", el("span", { class: "fact", text: fact })]),
        ),
      ),
    );
  }
}

const key = file => `${file.folder}/${file.name}`;
const shownPath = file => file.path ?? [file.folder, file.name].filter(Boolean).join("/");
