// The query: words as typed, and pictures as chips, each with a sign and a weight.

import { $, el, icon, refill } from "./dom.js";
import { thumbnail } from "./api.js";
import { t } from "./words.js";

const SIGNS = /[-+−–＋－*＊×:："“”„「」『』«»‘’＂]/; // of the grammar: words with one of them are quoted
const WEIGHTS = [0.25, 0.5, 1, 2, 4];
const MOST_PICTURES = 16; // that the server accepts
const QUOTES = [`""`, "＂＂", "“”", "„“”", "「」", "『』", "«»", "»«", "‘’"],
  STRAIGHT = `"[^"]*|＂[^＂]*`; // of the others, one without an end is a letter
const BEGIN = String.raw`(?:^[-+−–]?|(?<=\s)[-+−–]|[＋－])\s*(?:[\d.]+\s*[*＊×]\s*)?`,
  OPEN = QUOTES.map(([open, ...end]) => `(?:name[:：])?${open}[^${end.join("")}]*`);
const QUOTED = new RegExp(`(${BEGIN})(?:${QUOTES.map(([, ...end], at) => `${OPEN[at]}[${end.join("")}]`).join("|")})`, "gi");
const UNFINISHED = new RegExp(String.raw`${BEGIN}(?:(?:name[:：])?(?:${STRAIGHT})|name[:：]|like[:：][0-9a-f]{0,11})?$`, "i");

export class Query {
  // changed(): the query is another one now.
  constructor(changed) {
    this.changed = changed;
    this.input = $("#words");
    this.list = $("#chips");
    this.chips = []; // {kind: "photo" or "like", value, uri (of a photo), sign: 1 or -1, weight}
    this.input.addEventListener("input", event => {
      if (!event.isComposing) changed();
    });
    this.input.addEventListener("compositionend", () => changed());
  }

  get text() {
    return this.input.value.trim();
  }
  get empty() {
    return !this.text && !this.chips.length;
  }

  // True while more must follow: it ends in a sign or within quotation marks.
  get unfinished() {
    return Boolean(this.text) && UNFINISHED.test(this.text.replace(QUOTED, "$1x"));
  }

  // In the server's grammar.
  toString() {
    const parts = this.chips.map(({ kind, value, sign, weight }) => [
      sign,
      `${weight === 1 ? "" : `${weight}*`}${kind}:${value}`,
    ]);
    let query = this.text;
    for (const [sign, part] of parts)
      query = query ? `${query} ${sign < 0 ? "-" : "+"} ${part}` : sign < 0 ? `- ${part}` : part;
    return query;
  }

  get pictures() {
    return Object.fromEntries(this.chips.filter(chip => chip.kind === "photo").map(chip => [chip.value, chip.uri]));
  }

  get full() {
    return this.chips.filter(chip => chip.kind === "photo").length >= MOST_PICTURES;
  }

  // Returns false if there are too many pictures already.
  add(chip) {
    if (chip.kind === "photo" && this.full) return false;
    if (chip.kind === "like" && this.chips.some(other => other.value === chip.value)) return true;
    this.chips.push({ sign: 1, weight: 1, ...chip });
    this.draw();
    this.changed();
    return true;
  }

  clear() {
    this.chips = [];
    this.input.value = "";
    this.draw();
    this.changed();
  }

  // Replaces the query by words.
  setWords(words) {
    this.chips = [];
    this.input.value = SIGNS.test(words) ? `"${words.replaceAll('"', "")}"` : words;
    this.draw();
  }

  // Replaces the query by a name: of files, folders or tags.
  setName(name) {
    this.chips = [];
    this.input.value = `name:"${name.replaceAll('"', "")}"`;
    this.draw();
    this.changed();
  }

  // The parameters of the page's address: words, and the library's own pictures.
  toAddress() {
    const like = this.chips
      .filter(chip => chip.kind === "like")
      .map(({ value, sign, weight }) => `${sign < 0 ? "-" : ""}${weight}*${value}`)
      .join(",");
    return {
      ...(this.text && { q: this.text }),
      ...(like && { like }),
      ...(this.chips.some(chip => chip.kind === "photo") && { photo: "1" }),
    };
  }

  // Reads them again. Returns true if pictures that were sent along are lost.
  restore(parameters) {
    if (parameters.get("q") !== this.text) this.input.value = parameters.get("q") ?? "";
    const photos = parameters.has("photo") ? this.chips.filter(chip => chip.kind === "photo") : [];
    const like = (parameters.get("like") ?? "")
      .split(",")
      .map(part => /^(-?)([\d.]+)\*([0-9a-f]{12})$/.exec(part))
      .filter(Boolean)
      .map(([, minus, weight, value]) => ({ kind: "like", value, sign: minus ? -1 : 1, weight: Number(weight) }));
    this.chips = [...photos, ...like];
    this.draw();
    return parameters.has("photo") && !photos.length; // something was lost
  }

  draw() {
    refill(
      this.list,
      this.chips.map(chip => this.chip(chip)),
      this.input,
    );
  }

  chip(chip) {
    const update = () => {
      this.draw();
      this.changed();
    };
    const sign = icon(
      chip.sign < 0 ? "minus" : "plus",
      `${t("toggleSign")}: ${t(chip.sign < 0 ? "without" : "including")}`,
      () => {
        chip.sign = -chip.sign;
        update();
      },
    );
    const weight = el(
      "select",
      {
        "aria-label": t("weight"),
        title: t("weight"),
        onchange: event => {
          chip.weight = Number(event.target.value);
          update();
        },
      },
      WEIGHTS.map(value => el("option", { value, text: `×${value}`, selected: value === chip.weight })),
    );
    const remove = icon("close", t("remove"), () => {
      this.chips = this.chips.filter(other => other !== chip);
      update();
      this.input.focus();
    });
    const image = el("img", {
      src: chip.uri ?? thumbnail(chip.value, 160),
      alt: t(chip.kind === "like" ? "likeThis" : "picture"),
      height: 32,
    });
    return el("li", { class: chip.sign < 0 ? "chip minus" : "chip" }, sign, image, weight, remove);
  }
}
