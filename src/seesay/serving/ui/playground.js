// Zero-shot classification of one picture with a person's own labels, and a matrix of pictures and texts.

import { button, debounce, el, icon } from "./dom.js";
import { post, thumbnail } from "./api.js";
import { bars, mostLikely } from "./detail.js";
import { questionsAbout } from "./questions.js";
import { t, errorMessage } from "./words.js";

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
  // offered(): ids of the library's pictures; take(files): reads and adds them; canWrite(); named(name): shows the pictures that
  // have a name.
  constructor(place, callbacks) {
    Object.assign(this, { place, questions: [] }, callbacks);
    this.images = []; // {item: as it is sent, src: as it is shown, small: in the table}; the first is classified
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

  hide() {
    for (const question of this.questions) question.stop();
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
    this.hide();
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
    this.how = el("p", { class: "note" });
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
    const image =
      first &&
      el("img", {
        class: "large",
        src: first.src,
        alt: t("picture"),
        onerror: () => {
          image.parentNode.className = "subject none";
          image.remove();
        },
      });
    const subject = el("div", { class: first ? "view subject" : "subject none" }, image);
    this.place.replaceChildren(
      el("h1", { text: t("tryTitle") }),
      el("p", { text: t("tryWhy") }),
      el(
        "div",
        { class: "columns" },
        el(
          "div",
          {},
          subject,
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
        el("div", {}, el("label", { class: "over", text: t("yourLabels") }), this.labels, this.note, this.list, this.how),
      ),
      ...(first ? [this.ask(first.item, image)] : []),
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

  // What else can be asked about the picture.
  ask(item, image) {
    const names = { canWrite: this.canWrite(), search: name => this.named(name) };
    const { questions, place } = questionsAbout(item, image, names);
    this.questions = questions;
    return place;
  }

  choose(image) {
    this.images = [image, ...this.images.filter(other => other.src !== image.src)].slice(0, 8);
    this.draw();
  }

  async request(path, body, then) {
    this[path]?.abort();
    const { signal } = (this[path] = new AbortController());
    try {
      then(await post(path, body, { signal }));
      this.note.textContent = "";
    } catch (fault) {
      if (fault.name !== "AbortError") this.note.textContent = errorMessage(fault);
    }
  }

  classifyNow() {
    const labels = lines(this.labels);
    if (!this.images.length) return;
    if (labels.length < 2) {
      this.note.textContent = t("addLine");
      return;
    }
    this.request("/v1/classify", { images: [this.images[0].item], labels }, ({ score, results: [result] }) => {
      if (result.error) return (this.note.textContent = result.error.message);
      bars(mostLikely(result.scores), this.list);
      this.how.textContent = score === "sigmoid" ? t("independent") : "";
    });
  }

  compareNow() {
    const texts = lines(this.texts),
      images = this.images;
    if (!images.length || !texts.length) {
      this.table.replaceChildren();
      return;
    }
    this.request("/v1/similarity", { a: images.map(image => image.item), b: texts }, ({ similarity }) =>
      this.matrix(images, texts, similarity),
    );
  }

  // A table of cosines, coloured from the smallest to the largest.
  matrix(images, texts, cosines) {
    const numbers = cosines.flat().filter(value => value !== null),
      low = Math.min(...numbers),
      span = Math.max(...numbers) - low || 1;
    const cell = value => {
      const td = el("td", { text: value === null ? "–" : value.toFixed(2).replace(/^-(?=[0.]+$)/, "") });
      if (value !== null) {
        td.style.background = `color-mix(in oklab, var(--heat) ${Math.round((100 * (value - low)) / span)}%, var(--paper))`;
      }
      return td;
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
