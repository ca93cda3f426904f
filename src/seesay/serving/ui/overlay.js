// A heat map and boxes over a picture. They lie in a frame of the picture's shape, which the style sheet fits into the view as
// the picture is fitted, so that neither bars at its sides nor the size of the window matter.

import { el } from "./dom.js";

// From cold to hot, as `seesay explain` draws it: lightness rises with heat, so that it can be read without colours.
const SCALE = [
  [13, 8, 135],
  [126, 3, 168],
  [204, 71, 120],
  [248, 149, 64],
  [240, 249, 33],
];
const FAINTEST = 0.35,
  STRONGEST = 0.75; // opacity of the coldest and of the hottest part

export class Overlay {
  // image: an <img> that is shown whole in its parent, which is a CSS container of its size.
  constructor(image) {
    this.image = image;
    this.canvas = el("canvas", { class: "heat", "aria-hidden": "true", hidden: true });
    this.boxes = el("div", { class: "boxes", "aria-hidden": "true", hidden: true });
    this.frame = el("div", { class: "frame" }, this.canvas, this.boxes);
    image.addEventListener("load", () => this.fit());
    image.after(this.frame);
    this.fit();
  }

  // The shape of the picture as the browser turned it.
  fit() {
    const { naturalWidth: width, naturalHeight: height } = this.image;
    if (width && height) this.frame.style.setProperty("--ratio", width / height);
  }

  // rows: numbers, from the top; the least is coldest, the greatest hottest.
  drawHeat(rows) {
    const values = rows.flat(),
      low = values.reduce((a, b) => Math.min(a, b), Infinity),
      span = values.reduce((a, b) => Math.max(a, b), -Infinity) - low || 1;
    this.canvas.width = rows[0].length;
    this.canvas.height = rows.length;
    const pen = this.canvas.getContext("2d"),
      pixels = pen.createImageData(this.canvas.width, this.canvas.height);
    values.forEach((value, at) => pixels.data.set(colour((value - low) / span), 4 * at));
    pen.putImageData(pixels, 0, 0);
  }

  // found: {label, score, box: x0 y0 x1 y1}, the best first; width, height: of the picture in the pixels of the boxes.
  drawBoxes(found, { width, height }) {
    this.boxes.replaceChildren(
      ...found.toReversed().map(({ score, box: [x0, y0, x1, y1] }) => {
        const box = el("div", { class: y0 < 0.1 * height ? "box under" : "box" }, el("span", { text: percent(score) }));
        Object.assign(box.style, {
          left: `${(100 * x0) / width}%`,
          top: `${(100 * y0) / height}%`,
          width: `${(100 * (x1 - x0)) / width}%`,
          height: `${(100 * (y1 - y0)) / height}%`,
        });
        return box;
      }),
    );
  }

  // Marks the box at this place of the list, none for undefined.
  mark(index) {
    [...this.boxes.children].toReversed().forEach((box, at) => box.classList.toggle("marked", at === index));
  }

  show({ heat, boxes }) {
    this.canvas.hidden = !heat;
    this.boxes.hidden = !boxes;
  }
}

function colour(share) {
  const at = Math.min(share * (SCALE.length - 1), SCALE.length - 1.001),
    step = Math.floor(at),
    channels = SCALE[step].map((value, each) => value + (SCALE[step + 1][each] - value) * (at - step));
  return [...channels, 255 * (FAINTEST + (STRONGEST - FAINTEST) * share)];
}

export const percent = share => `${Math.round(100 * share)}\u00a0%`;
