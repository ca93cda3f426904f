// The library as a map: similar pictures close together, groups with names. Drawn on a canvas, moved by hand, wheel or keys.

import { button, debounce, el, icon } from "./dom.js";
import { get, pause, thumbnail } from "./api.js";
import { language, t, errorMessage } from "./words.js";

const MOST_ZOOM = 40;

export class Chart {
  // open(id); empty(): true if the library holds no picture.
  constructor(place, callbacks) {
    Object.assign(this, { place }, callbacks);
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
  }

  async show() {
    this.closed = false;
    const bar = el("progress", { max: 1, "aria-label": t("working") });
    if (!this.map)
      this.place.replaceChildren(
        el("div", { class: "wait" }, el("span", { class: "spinner" }), el("p", { role: "status", text: t("working") }), bar),
      );
    try {
      let map;
      while ((map = await get(`/v1/map?language=${language}`)).accepted) {
        await this.drawn(bar);
        if (this.closed) return;
      }
      const sheet = new Image();
      // By its chart: after a change the tiles are in other positions.
      sheet.src = `/v1/map/sheet?language=${language}&chart=${map.chart ?? Date.now()}`;
      await sheet.decode();
      for (const group of map.groups) group.name = group.name.replace(/,\s*/g, t("comma"));
      Object.assign(this, { map, sheet });
      this.draw();
    } catch (fault) {
      if (fault.status === 0 && this.map) return;
      this.map = null;
      const few = this.empty()
        ? "emptyTitle"
        : fault.code === "missing_extra"
          ? "mapExtra"
          : /at least \d+ pictures/.test(fault.message) && "fewForMap";
      this.place.replaceChildren(el("p", { class: "wait", role: "status", text: few ? t(few) : errorMessage(fault) }));
    }
  }

  hide() {
    this.closed = true;
  }

  // Waits until nothing is being drawn, or the view is left; updates the bar.
  async drawn(bar) {
    for (;;) {
      await pause(400);
      if (this.closed) return;
      const { drawing, share } = await get(`/v1/map/progress?language=${language}`);
      if (!drawing) return;
      bar.value = share;
    }
  }

  draw() {
    this.canvas = el("canvas", { tabIndex: 0, "aria-label": t("mapKeys"), role: "application" });
    this.pen = this.canvas.getContext("2d");
    this.card = el(
      "figure",
      { class: "card", hidden: true },
      el("img", { alt: "" }),
      el("figcaption", { "aria-live": "polite" }),
    );
    const find = el("input", {
      type: "search",
      placeholder: t("find"),
      "aria-label": t("find"),
      oninput: debounce(() => {
        this.term = find.value.trim().toLowerCase();
        this.redraw();
      }, 100),
    });
    const tools = el(
      "div",
      { class: "tools" },
      find,
      icon("plus", t("nearer"), () => this.zoom(1.5)),
      icon("minus", t("farther"), () => this.zoom(1 / 1.5)),
      button(t("everything"), () => {
        this.view = { x: 0.5, y: 0.5, zoom: 1 };
        this.redraw();
      }),
    );
    const left = this.map.left_out ? el("p", { class: "left-out", text: t("leftOut", this.map.left_out) }) : null;
    this.place.replaceChildren(this.canvas, tools, this.card, left ?? "");
    this.over = this.left = -1;
    this.term = "";
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    this.resize();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1,
      { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width) return;
    Object.assign(this, { width, height });
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.redraw();
  }

  redraw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  across(x) {
    return this.width / 2 + (x - this.view.x) * (this.width - 60) * this.view.zoom;
  }
  down(y) {
    return this.height / 2 + (y - this.view.y) * (this.height - 90) * this.view.zoom;
  }
  // The size of a picture. It grows more slowly than the distances, so that zooming in separates them.
  get side() {
    return Math.min(
      200,
      Math.max(10, 0.6 * Math.sqrt((this.width * this.height) / this.map.spots.length)) * this.view.zoom ** 0.7,
    );
  }

  paint() {
    const { pen, map, side } = this,
      style = getComputedStyle(this.canvas),
      paper = getComputedStyle(document.body).backgroundColor;
    pen.clearRect(0, 0, this.width, this.height);
    map.spots.forEach((spot, at) => {
      const x = this.across(spot.x),
        y = this.down(spot.y);
      if (at === this.over || x < -side || y < -side || x > this.width + side || y > this.height + side) return;
      const matches =
        !this.term || `${spot.name} ${spot.date} ${map.groups[spot.group]?.name ?? ""}`.toLowerCase().includes(this.term);
      pen.globalAlpha = matches ? 1 : 0.12;
      this.tile(spot, at, x, y, side);
    });
    pen.globalAlpha = 1;
    if (this.over >= 0) {
      const spot = map.spots[this.over],
        x = this.across(spot.x),
        y = this.down(spot.y),
        px = Math.max(side * 1.5, 72);
      if (this.canvas.matches(":focus-visible")) {
        const w = ((spot.width || 6) * px) / map.side + 14,
          h = ((spot.height || 6) * px) / map.side + 14;
        pen.fillStyle = style.outlineColor;
        pen.fillRect(x - w / 2, y - h / 2, w, h);
      }
      this.tile(spot, this.over, x, y, px);
    }
    const placed = [];
    pen.font = `600 14px ${style.fontFamily}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const group of map.groups) {
      const half = pen.measureText(group.name).width / 2 + 8,
        middle = this.across(group.x),
        y = this.down(group.y);
      if (middle < -half || middle > this.width + half) continue;
      const x = Math.min(Math.max(middle, half + 4), this.width - half - 4); // whole, if near the edge
      if (placed.some(other => Math.abs(other.x - x) < other.half + half && Math.abs(other.y - y) < 26)) continue;
      placed.push({ x, y, half });
      pen.globalAlpha = 0.88;
      pen.fillStyle = paper;
      pen.beginPath();
      pen.roundRect(x - half, y - 12, 2 * half, 24, 12);
      pen.fill();
      pen.globalAlpha = 1;
      pen.fillStyle = style.color;
      pen.fillText(group.name, x, y + 1);
    }
  }

  tile(spot, at, x, y, px) {
    const { pen, map } = this,
      scale = px / map.side,
      w = spot.width * scale,
      h = spot.height * scale;
    if (spot.group >= 0) {
      pen.fillStyle = `hsl(${(spot.group * 137.5) % 360} 60% 50%)`;
      const edge = Math.min(3, 1 + px / 40);
      pen.fillRect(x - w / 2 - edge, y - h / 2 - edge, w + 2 * edge, h + 2 * edge);
    }
    if (!w) {
      pen.fillStyle = "#888";
      pen.fillRect(x - 3, y - 3, 6, 6);
      return;
    }
    pen.drawImage(
      this.sheet,
      (at % map.columns) * map.side,
      Math.floor(at / map.columns) * map.side,
      spot.width,
      spot.height,
      x - w / 2,
      y - h / 2,
      w,
      h,
    );
  }

  zoom(by, x = this.width / 2, y = this.height / 2) {
    const { view } = this,
      before = view.zoom;
    view.zoom = Math.min(MOST_ZOOM, Math.max(1, before * by));
    const share = 1 / before - 1 / view.zoom;
    view.x += ((x - this.width / 2) / (this.width - 60)) * share;
    view.y += ((y - this.height / 2) / (this.height - 90)) * share;
    this.bound();
  }

  bound() {
    this.view.x = Math.min(1, Math.max(0, this.view.x));
    this.view.y = Math.min(1, Math.max(0, this.view.y));
    this.redraw();
  }

  at(x, y) {
    const half = this.side / 2;
    for (let i = this.map.spots.length - 1; i >= 0; i--) {
      const spot = this.map.spots[i];
      if (Math.abs(this.across(spot.x) - x) < half && Math.abs(this.down(spot.y) - y) < half) return i;
    }
    return -1;
  }

  // The picture nearest to a point of the screen; with a direction, the nearest one in that quarter.
  nearest(x, y, [right, below] = [0, 0]) {
    let best = -1,
      least = Infinity;
    this.map.spots.forEach((spot, at) => {
      const dx = this.across(spot.x) - x,
        dy = this.down(spot.y) - y,
        ahead = dx * right + dy * below,
        aside = Math.abs(dx * below) + Math.abs(dy * right);
      if ((right || below) && (at === this.over || ahead <= 0 || aside > ahead)) return;
      const far = dx * dx + dy * dy;
      if (far < least) {
        best = at;
        least = far;
      }
    });
    return best;
  }

  // Moves to the next picture in a direction; the map follows if that one is out of sight.
  walk(way) {
    const from = this.map.spots[this.over],
      next = from ? this.nearest(this.across(from.x), this.down(from.y), way) : this.nearest(this.width / 2, this.height / 2);
    if (next < 0) return;
    const { x, y } = this.map.spots[next],
      inside = (at, length) => at > 60 && at < length - 60;
    if (!inside(this.across(x), this.width) || !inside(this.down(y), this.height)) Object.assign(this.view, { x, y });
    this.hover(next);
  }

  hover(index) {
    if (index === this.over) return;
    this.over = index;
    this.card.hidden = index < 0;
    this.canvas.classList.toggle("over", index >= 0);
    if (index >= 0) {
      const spot = this.map.spots[index];
      this.card.querySelector("img").src = thumbnail(spot.id, 320);
      this.card.querySelector("figcaption").textContent = [spot.name, spot.date].filter(Boolean).join(" · ");
    }
    this.redraw();
  }

  listen() {
    const { canvas } = this,
      fingers = new Map();
    let moved = 0,
      spread = 0;
    canvas.addEventListener("pointerdown", event => {
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
      moved = 0;
      spread = 0;
    });
    canvas.addEventListener("pointermove", event => {
      const before = fingers.get(event.pointerId);
      if (!before) {
        this.hover(this.at(event.offsetX, event.offsetY));
        return;
      }
      fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
      if (fingers.size === 2) {
        const [[ax, ay], [bx, by]] = fingers.values(),
          now = Math.hypot(ax - bx, ay - by);
        if (spread) this.zoom(now / spread, (ax + bx) / 2, (ay + by) / 2);
        spread = now;
        moved = 99;
        return;
      }
      const dx = event.offsetX - before[0],
        dy = event.offsetY - before[1];
      moved += Math.abs(dx) + Math.abs(dy);
      this.view.x -= dx / (this.width - 60) / this.view.zoom;
      this.view.y -= dy / (this.height - 90) / this.view.zoom;
      this.bound();
    });
    canvas.addEventListener("pointerup", event => {
      fingers.delete(event.pointerId);
      const index = this.at(event.offsetX, event.offsetY);
      if (moved < 6 && index >= 0) this.open(this.map.spots[index].id);
    });
    canvas.addEventListener("pointercancel", event => fingers.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => this.hover(-1));
    canvas.addEventListener(
      "wheel",
      event => {
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
      },
      { passive: false },
    );
    canvas.addEventListener("focus", () => {
      if (canvas.matches(":focus-visible") && this.over < 0)
        if (this.left >= 0) this.hover(this.left);
        else this.walk();
    });
    canvas.addEventListener("blur", () => {
      this.left = this.over;
      this.hover(-1);
    });
    canvas.addEventListener("keydown", event => {
      const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key in ways) {
        event.preventDefault();
        this.walk(ways[event.key]);
      } else if (event.key === "Enter" && this.over >= 0) {
        event.preventDefault();
        this.open(this.map.spots[this.over].id);
      } // else it would press what gets the focus
      else if (event.key === "+" || event.key === "=") this.zoom(1.5);
      else if (event.key === "-") this.zoom(1 / 1.5);
      else if (event.key === "0") {
        this.view = { x: 0.5, y: 0.5, zoom: 1 };
        this.redraw();
      }
    });
  }
}
