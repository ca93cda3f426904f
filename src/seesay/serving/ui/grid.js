// A justified grid of any number of pictures; only those near the window are in the document.
//
// Rows are laid out in typed arrays, so that 100,000 pictures take some milliseconds. What scrolls past quickly is never loaded.

import { el } from "./dom.js";
import { sharp, thumbnail } from "./api.js";
import { t } from "./words.js";

const GAP = 4;
const HEADING_PX = 44;
const BESIDE_PX = 28; // between groups in one row
const TITLE_PX = 150; // the least width of a group
const SETTLED_MS = 70; // without scrolling, before thumbnails are loaded
const rowHeight = width => (width < 560 ? 118 : width < 1100 ? 170 : 210);

export class Grid {
  // open(index); toggle(index, range, from); near(): the end of the list comes into view.
  constructor(place, { open, toggle, near }) {
    Object.assign(this, { place, open, toggle, near });
    this.items = { ids: [], aspects: new Float32Array(0), groups: null, name: () => "" };
    this.cells = new Map();
    this.headings = new Map(); // by the index of the picture below
    this.active = 0;
    this.selected = new Set();
    place.setAttribute("role", "group"); // no list: it has headings
    place.tabIndex = -1;
    this.canvas = el("div", { class: "sheet" });
    place.append(this.canvas);
    addEventListener("scroll", () => this.scheduled(), { passive: true });
    new ResizeObserver(() => {
      if (place.clientWidth && place.clientWidth !== this.width) this.layout();
    }).observe(place);
    place.addEventListener("keydown", event => this.key(event));
  }

  // items: ids; aspects (width over height); groups: a heading per picture, or null; beside(heading): short groups with this
  // heading may share a row; name(index); mark(index): a note on the picture, or nothing.
  // keep: most pictures stay, though perhaps at other positions. The focus stays in the grid if it is there, or `awaited`.
  show(items, { keep = false } = {}) {
    const focused = this.awaited || this.place.contains(document.activeElement),
      before = this.items.ids[this.active];
    this.items = items;
    this.active = keep ? Math.max(0, items.ids.indexOf(before)) : 0;
    for (const [index, cell] of this.cells)
      if (!keep || cell.dataset.id !== items.ids[index]) {
        this.drop(cell);
        this.cells.delete(index);
      }
    this.layout();
    this.place.setAttribute("aria-label", t("count", items.ids.length));
    this.awaited = false;
    if (!focused) return;
    if (!items.ids.length) this.place.focus();
    else if (!this.place.contains(document.activeElement) || !keep) this.focus(this.active);
  }

  clear() {
    for (const cell of this.cells.values()) this.drop(cell);
    for (const title of this.headings.values()) title.remove();
    this.cells.clear();
    this.headings.clear();
  }

  layout() {
    const width = (this.width = this.place.clientWidth),
      { aspects, groups, beside } = this.items,
      n = aspects.length;
    if (!width) return;
    const tall = rowHeight(width);
    this.x = new Float32Array(n);
    this.w = new Float32Array(n);
    this.row = new Int32Array(n);
    const tops = [],
      heights = [],
      starts = [],
      titles = new Map();
    let top = 0,
      at = 0;
    while (at < n) {
      const first = at,
        begins = Boolean(groups?.[at]) && groups[at] !== groups[at - 1],
        heading = top;
      if (begins) {
        titles.set(at, { top: heading, left: 0, text: groups[at] });
        top += HEADING_PX;
      }
      let end = at,
        sum = 0,
        x = 0;
      do {
        sum += aspects[end++];
      } while (end < n && sum * tall + GAP * (end - at) < width && !(groups && groups[end] !== groups[end - 1]));
      const full = sum * tall + GAP * (end - at) >= width;
      const height = full ? Math.min((width - GAP * (end - at - 1)) / sum, 1.6 * tall) : tall;
      const put = (from, to) => {
        for (let i = from; i < to; i++) {
          this.x[i] = x;
          this.w[i] = Math.min(aspects[i] * height, width);
          this.row[i] = tops.length;
          x += this.w[i] + GAP;
        }
      };
      put(at, end);
      // Short months share a row, each below its heading.
      while (begins && !full && end < n && beside?.(groups[end - 1]) && beside(groups[end])) {
        const left = Math.max(x, titles.get(at).left + TITLE_PX) + BESIDE_PX;
        let next = end,
          wide = 0;
        while (next < n && groups[next] === groups[end] && left + wide < width) wide += aspects[next++] * height + GAP;
        if (left + Math.max(wide, TITLE_PX) > width || (next < n && groups[next] === groups[end])) break;
        titles.set(end, { top: heading, left, text: groups[end] });
        x = left;
        put(end, next);
        at = end;
        end = next;
      }
      tops.push(top);
      heights.push(height);
      starts.push(first);
      top += height + GAP;
      at = end;
    }
    this.tops = Float64Array.from(tops);
    this.heights = Float32Array.from(heights);
    this.starts = Int32Array.from([...starts, n]);
    this.titles = titles;
    this.canvas.style.height = `${top}px`;
    for (const title of this.headings.values()) title.remove();
    this.headings.clear();
    for (const [index, cell] of this.cells)
      if (index >= n) {
        this.drop(cell);
        this.cells.delete(index);
      } else this.put(cell, index);
    this.render();
  }

  scheduled() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.render();
    });
  }

  // The first row that ends below y.
  rowAt(y) {
    let low = 0,
      high = this.tops.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tops[middle] + this.heights[middle] < y) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  render() {
    if (!this.tops?.length || !this.place.clientWidth) {
      this.clear();
      return;
    }
    const begin = -this.canvas.getBoundingClientRect().top,
      screen = innerHeight;
    const first = this.rowAt(begin - 0.6 * screen),
      last = this.rowAt(begin + 1.6 * screen);
    const low = this.starts[first],
      high = this.starts[last + 1];
    for (const [index, cell] of this.cells)
      if ((index < low || index >= high) && !cell.contains(document.activeElement)) {
        this.drop(cell);
        this.cells.delete(index);
      }
    for (const [index, title] of this.headings)
      if (index < low || index >= high) {
        title.remove();
        this.headings.delete(index);
      }
    let next = [...this.cells].find(([index]) => index >= high)?.[1] ?? null; // the one with the focus
    for (let index = high; --index >= low;) {
      // in the document's order they are read aloud
      if (!this.cells.has(index)) this.cells.set(index, this.canvas.insertBefore(this.make(index), next));
      next = this.cells.get(index);
      if (!this.titles.has(index)) continue;
      if (!this.headings.has(index)) this.headings.set(index, this.canvas.insertBefore(this.title(index, next), next));
      next = this.headings.get(index);
    }
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.load(), SETTLED_MS);
    if (this.canvas.offsetHeight - begin < 3 * screen) this.near?.();
  }

  // The heading over a picture, which also describes it to screen readers.
  title(index, cell) {
    const { top, left, text } = this.titles.get(index),
      title = el("h2", { id: `from-${index}`, text, title: text });
    title.style.top = `${top + HEADING_PX - GAP}px`; // where it ends
    title.style.left = `${left}px`;
    cell.querySelector(".open").setAttribute("aria-describedby", title.id);
    return title;
  }

  make(index) {
    const id = this.items.ids[index],
      name = this.items.name(index),
      mark = this.items.mark?.(index);
    const image = el("img", { alt: name, decoding: "async", draggable: false });
    const open = el(
      "button",
      {
        type: "button",
        class: "open",
        tabIndex: index === this.active ? 0 : -1,
        "aria-label": [t("open", name), mark].filter(Boolean).join(t("comma")),
        onclick: event => this.press(event, index),
        onfocus: () => this.activate(index),
      },
      image,
    );
    open.addEventListener("contextmenu", event => {
      if (event.pointerType === "touch") {
        event.preventDefault();
        this.toggle(index, false);
      }
    }); // a long press
    const box = el("input", {
      type: "checkbox",
      tabIndex: -1,
      checked: this.selected.has(id),
      "aria-label": t("select", name),
    });
    box.addEventListener("click", event => this.toggle(index, event.shiftKey));
    const cell = el(
      "div",
      { class: "cell", "data-id": id },
      open,
      mark && el("span", { class: "mark", "aria-hidden": "true", text: mark }),
      el("label", { class: "pick" }, box),
    );
    image.addEventListener("load", () => image.classList.add("there"));
    image.addEventListener("error", () => {
      if (image.getAttribute("src")) {
        cell.classList.add("missing");
        cell.dataset.name = name;
      }
    });
    cell.classList.toggle("selected", this.selected.has(id));
    this.put(cell, index);
    return cell;
  }

  // Opens the picture; with a modifier key, or when some are selected, it toggles its selection instead.
  press(event, index) {
    if (event.shiftKey || event.ctrlKey || event.metaKey || this.selected.size) this.toggle(index, event.shiftKey);
    else this.open(index);
  }

  put(cell, index) {
    const row = this.row[index];
    cell.style.transform = `translate(${this.x[index]}px, ${this.tops[row]}px)`;
    cell.style.width = `${this.w[index]}px`;
    cell.style.height = `${this.heights[row]}px`;
  }

  drop(cell) {
    const image = cell.querySelector("img");
    if (!image.classList.contains("there")) image.removeAttribute("src"); // cancels the request
    cell.remove();
  }

  load() {
    for (const [index, cell] of this.cells) {
      const image = cell.querySelector("img");
      if (!image.hasAttribute("src"))
        image.src = thumbnail(this.items.ids[index], sharp(Math.max(this.w[index], this.heights[this.row[index]])));
    }
  }

  activate(index) {
    const before = this.cells.get(this.active)?.querySelector(".open");
    if (before) before.tabIndex = -1;
    this.active = index;
    const now = this.cells.get(index)?.querySelector(".open");
    if (now) now.tabIndex = 0;
  }

  focus(index) {
    if (!this.row?.length) return;
    const row = this.row[index],
      begin = this.canvas.getBoundingClientRect().top + scrollY,
      top = begin + this.tops[row];
    if (top - 140 < scrollY || top + this.heights[row] > scrollY + innerHeight)
      scrollTo({ top: Math.max(0, top - innerHeight / 3) });
    this.render();
    this.activate(index);
    this.cells.get(index)?.querySelector(".open").focus({ preventScroll: true });
  }

  // The picture in the row `step` further whose centre is nearest.
  beyond(index, step) {
    const row = this.row[index] + step;
    if (row < 0 || row >= this.tops.length) return index;
    const middle = this.x[index] + this.w[index] / 2;
    let best = this.starts[row];
    for (let i = best; i < this.starts[row + 1]; i++)
      if (Math.abs(this.x[i] + this.w[i] / 2 - middle) < Math.abs(this.x[best] + this.w[best] / 2 - middle)) best = i;
    return best;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.items.ids.length) return;
    const last = this.items.ids.length - 1,
      at = this.active;
    const page = () => Math.max(1, Math.floor(innerHeight / this.heights[this.row[at]]) - 1);
    const far = step => {
      let to = at;
      for (let i = page(); i--;) to = this.beyond(to, step);
      return to;
    };
    const moves = {
      ArrowRight: () => Math.min(last, at + 1),
      ArrowLeft: () => Math.max(0, at - 1),
      ArrowDown: () => this.beyond(at, 1),
      ArrowUp: () => this.beyond(at, -1),
      Home: () => 0,
      End: () => last,
      PageDown: () => far(1),
      PageUp: () => far(-1),
    };
    if (event.key in moves) {
      event.preventDefault();
      const to = moves[event.key]();
      if (event.shiftKey) this.toggle(to, true, at);
      this.focus(to);
    } else if (event.key === " " || event.key === "x") {
      event.preventDefault();
      this.toggle(at, event.shiftKey);
    }
  }

  // Marks the selected pictures.
  mark(selected) {
    this.selected = selected;
    this.place.classList.toggle("selecting", selected.size > 0);
    for (const [index, cell] of this.cells) {
      const chosen = selected.has(this.items.ids[index]);
      cell.classList.toggle("selected", chosen);
      cell.querySelector("input").checked = chosen;
    }
  }
}
