// Zero-shot classification of one picture with a person's own labels, and a matrix of pictures and texts.

import { button, debounce, el, icon } from "./dom.js";
import { post, thumbnail } from "./api.js";
import { bars } from "./detail.js";
import { t, told } from "./words.js";

const OFFERED = 8;
const lines = area =>
  [
    ...new Set(
      area.value
        .split("\n")
        .map(line => line.trim())
        .filter(Boolean),
    ),
  ].slice(0, 60);

export class Playground {
  // offered(): ids of some of the library's pictures; take(files): reads them, and adds them
  constructor(place, offered, take) {
    Object.assign(this, { place, offered, take });
    this.images = []; // {item: what is sent, src: what is shown}; the first is classified
    this.classify = debounce(() => this.classifyNow(), 250);
    this.compare = debounce(() => this.compareNow(), 250);
  }

  async show() {
    if (!this.ids?.length) {
      const all = await this.offered(),
        step = Math.max(1, all.length / OFFERED);
      this.ids = Array.from({ length: Math.min(OFFERED, all.length) }, (_, at) => all[Math.floor(at * step)]);
    }
    if (!this.images.length) this.images = this.ids.slice(0, 4).map(id => this.ofLibrary(id));
    this.draw();
  }

  ofLibrary(id) {
    return { item: { id }, src: thumbnail(id, 640), small: thumbnail(id, 160) };
  }

  add(uri) {
    this.choose({ item: { image: uri }, src: uri, small: uri });
  }

  draw() {
    const file = el("input", {
      type: "file",
      accept: "image/*",
      multiple: true,
      hidden: true,
      onchange: () => this.take([...file.files]),
    });
    const [first] = this.images,
      labels = this.labels?.value ?? t("defaultLabels"),
      texts = this.texts?.value ?? t("defaultTexts");
    this.labels = el("textarea", {
      rows: 8,
      value: labels,
      "aria-label": t("yourLabels"),
      spellcheck: false,
      oninput: () => this.classify(),
    });
    this.texts = el("textarea", {
      rows: 5,
      value: texts,
      "aria-label": t("yourTexts"),
      spellcheck: false,
      oninput: () => this.compare(),
    });
    this.list = el("ul", { class: "bars", "aria-live": "polite" });
    this.note = el("p", { class: "note", role: "status" });
    this.table = el("div", { class: "scroll" });
    const others = (this.ids ?? []).map(id =>
      button("", () => this.choose(this.ofLibrary(id)), { class: "small", "aria-label": t("choose") }),
    );
    others.forEach((each, at) =>
      each.append(
        el("img", {
          src: thumbnail(this.ids[at], 160),
          alt: "",
          onerror: () => {
            each.hidden = true;
          },
        }),
      ),
    );
    this.place.replaceChildren(
      el("h1", { text: t("tryTitle") }),
      el("p", { text: t("tryWhy") }),
      el(
        "div",
        { class: "columns" },
        el(
          "div",
          {},
          first
            ? el("img", {
                class: "subject",
                src: first.src,
                alt: t("picture"),
                onerror: event => {
                  event.target.className = "subject none";
                  event.target.removeAttribute("src");
                },
              })
            : el("div", { class: "subject none" }),
          el(
            "p",
            {},
            button(t("choose"), () => file.click(), { class: "primary" }),
            " ",
            t("orDrop"),
          ),
          others.length ? el("p", { text: t("ofLibrary") }) : null,
          el("div", { class: "offered" }, others),
          file,
        ),
        el("div", {}, el("label", { class: "over", text: t("yourLabels") }), this.labels, this.note, this.list),
      ),
      el("h2", { text: t("matrixTitle") }),
      el("p", { text: t("matrixWhy") }),
      el(
        "div",
        { class: "columns wide" },
        el(
          "div",
          {},
          el("label", { class: "over", text: t("yourTexts") }),
          this.texts,
          button(t("addPictures"), () => file.click()),
        ),
        this.table,
      ),
    );
    this.classifyNow();
    this.compareNow();
  }

  choose(image) {
    this.images = [image, ...this.images.filter(other => other.src !== image.src)].slice(0, 8);
    this.draw();
  }

  async ask(path, body, then) {
    this[path]?.abort();
    const { signal } = (this[path] = new AbortController());
    try {
      then(await post(path, body, { signal }));
      this.note.textContent = "";
    } catch (fault) {
      if (fault.name !== "AbortError") this.note.textContent = told(fault);
    }
  }

  classifyNow() {
    const labels = lines(this.labels);
    if (!this.images.length) return;
    if (labels.length < 2) {
      this.note.textContent = t("addLine");
      return;
    }
    this.ask("/v1/classify", { images: [this.images[0].item], labels }, ({ results: [result] }) => {
      if (result.error) this.note.textContent = result.error.message;
      else
        bars(
          [...result.scores].sort((a, b) => b.probability - a.probability),
          this.list,
        );
    });
  }

  compareNow() {
    const texts = lines(this.texts),
      images = this.images;
    if (!images.length || !texts.length) {
      this.table.replaceChildren();
      return;
    }
    this.ask("/v1/similarity", { a: images.map(image => image.item), b: texts }, ({ similarity }) =>
      this.matrix(images, texts, similarity),
    );
  }

  // Coloured from the least to the largest of its cosines.
  matrix(images, texts, cosines) {
    const known = cosines.flat().filter(value => value !== null),
      low = Math.min(...known),
      span = Math.max(...known) - low || 1;
    const cell = value => {
      const made = el("td", { text: value === null ? "–" : value.toFixed(2).replace(/^-(?=[0.]+$)/, "") });
      if (value !== null) {
        made.style.background = `color-mix(in oklab, var(--heat) ${Math.round((100 * (value - low)) / span)}%, var(--paper))`;
      }
      return made;
    };
    const head = images.map((image, at) =>
      el(
        "th",
        { scope: "col" },
        el("img", { src: image.small, alt: `${t("picture")} ${at + 1}` }),
        images.length > 1
          ? icon("close", `${t("remove")} ${at + 1}`, () => {
              this.images = this.images.filter(other => other !== image);
              this.draw();
            })
          : null,
      ),
    );
    const rows = texts.map((text, row) =>
      el(
        "tr",
        {},
        el("th", { scope: "row", text }),
        images.map((_, column) => cell(cosines[column][row])),
      ),
    );
    this.table.replaceChildren(
      el("table", { class: "matrix" }, el("thead", {}, el("tr", {}, el("td"), head)), el("tbody", {}, rows)),
    );
  }
}
