// Where something is in a picture: a heat map and boxes for what a person types.

import { button, el } from "./dom.js";
import { ApiError, post } from "./api.js";
import { Overlay, percent } from "./overlay.js";
import { Question, faultLine, waiting } from "./question.js";
import { t } from "./words.js";

export class Where extends Question {
  // item: the picture as requests name it; image: its <img>, to draw over.
  constructor(item, image) {
    super();
    Object.assign(this, { item, overlay: new Overlay(image), has: {} });
    this.input = el("input", {
      "aria-label": t("whereIs"),
      placeholder: t("whereHint"),
      maxLength: 400,
      enterKeyHint: "search",
    });
    this.wipe = button(t("clear"), () => this.clear(), { hidden: true });
    this.shown = { heat: true, boxes: true };
    this.toggles = Object.keys(this.shown).map(name =>
      button(t(name === "heat" ? "heatMap" : "boxes"), () => this.toggle(name), { class: "toggle", hidden: true }),
    );
    this.place = el(
      "section",
      { class: "where" },
      el("h3", { text: t("whereIs") }),
      el(
        "form",
        {
          class: "ask",
          onsubmit: event => {
            event.preventDefault();
            this.ask(this.input.value.trim());
          },
        },
        this.input,
        el("button", { text: t("look") }),
      ),
      el("p", { class: "switches" }, this.toggles, this.wipe),
      this.says,
    );
  }

  clear() {
    this.stop();
    this.wipe.hidden = true;
    this.forgetFound();
    this.says.replaceChildren();
    this.input.value = "";
    this.input.focus();
  }

  forgetFound() {
    this.has = {};
    this.draw();
  }

  // Asks for words that are not typed.
  look(text) {
    this.input.value = text;
    this.place.scrollIntoView({ block: "nearest" });
    return this.ask(text);
  }

  async ask(text) {
    if (!text) {
      this.clear();
      this.says.replaceChildren(el("p", { class: "note", text: t("typeWhere") }));
      return;
    }
    const signal = this.begin(t("looking", text));
    this.forgetFound();
    this.wipe.hidden = false;
    const lines = [];
    // One after the other: each is as much work as a hundred searches.
    for (const look of [this.explain, this.detect]) {
      try {
        lines.push(...(await look.call(this, text, signal)));
      } catch (fault) {
        if (fault.name === "AbortError") return;
        const line = this.faultLine(fault, look);
        if (!lines.some(each => each.textContent === line.textContent)) lines.push(line);
        if (fault.status === 0) break;
      }
      this.overlay.image.scrollIntoView({ block: "nearest" });
      this.says.replaceChildren(...lines, ...(look === this.explain ? [waiting(t("boxing"))] : []));
      this.draw();
    }
    this.says.replaceChildren(...lines);
  }

  // A fault in words. What a person types can only be refused for its length.
  faultLine(fault, look) {
    if (fault.code === "unsupported" && look === this.explain) return el("p", { class: "quiet", text: t("noHeat") });
    return fault.code === "invalid_request" ? el("p", { class: "note", text: t("tooLong") }) : faultLine(fault);
  }

  // The heat map; returns what it says.
  async explain(text, signal) {
    const { score, heat } = await post("/v1/explain", { image: this.item, text }, { signal });
    this.overlay.drawHeat(heat);
    this.has.heat = true;
    const hottest = heat.flat().reduce((best, value, at, all) => (value > all[best] ? at : best), 0),
      columns = heat[0].length;
    return [
      el(
        "p",
        { class: "scale" },
        el("span", { text: t("cold") }),
        el("span", { class: "ramp" }),
        el("span", { text: t("hot") }),
      ),
      el("p", {
        class: "quiet",
        text: t("fits", spot((hottest % columns) / columns, Math.floor(hottest / columns) / heat.length), score),
      }),
    ];
  }

  async detect(text, signal) {
    const {
      results: [result],
    } = await post("/v1/detect", { images: [this.item], labels: [text] }, { signal });
    if (result.error) throw new ApiError(undefined, result.error);
    const { boxes } = result;
    if (!boxes.length) return [el("p", { text: t("noBox", text) })];
    this.overlay.drawBoxes(boxes, result);
    this.has.boxes = true;
    return [
      el("p", { text: t("boxed", text, boxes.length) }),
      this.list(boxes, result),
      el("p", { class: "quiet", text: t("rough") }),
    ];
  }

  // What the boxes say, for those who do not see them; pointing at a line or reaching it marks its box.
  list(boxes, { width, height }) {
    const line = ({ score, box: [x0, y0, x1, y1] }, at) => {
      const mark = () => this.overlay.mark(at),
        unmark = () => this.overlay.mark();
      return el(
        "li",
        {
          tabIndex: 0,
          onmouseenter: mark,
          onmouseleave: unmark,
          onfocus: mark,
          onblur: unmark,
          title: `${[x0, y0, x1, y1].map(Math.round).join(", ")}`,
        },
        el("strong", { text: percent(score) }),
        ` ${spot((x0 + x1) / 2 / width, (y0 + y1) / 2 / height)}`,
      );
    };
    return el("ol", { class: "places" }, boxes.map(line));
  }

  toggle(name) {
    this.shown[name] = !this.shown[name];
    this.draw();
  }

  draw() {
    const { has = {}, shown } = this;
    this.toggles.forEach((each, at) => {
      const name = Object.keys(shown)[at];
      each.hidden = !has[name];
      each.setAttribute("aria-pressed", String(shown[name]));
    });
    this.overlay.show({ heat: has.heat && shown.heat, boxes: has.boxes && shown.boxes });
  }
}

// Where a point lies, in words; x and y from 0 to 1.
const third = share => Math.min(2, Math.floor(3 * share));
const spot = (x, y) => t("spots")[third(y)][third(x)];
