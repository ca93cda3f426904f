// The view of pictures: all of them, or those that are searched for.

import { $, button, debounce, el } from "./dom.js";
import { post } from "./api.js";
import { Grid } from "./grid.js";
import { Texts } from "./texts.js";
import { language, t, told } from "./words.js";

const PAGE = 120, NEAREST = 12, TYPING_MS = 200;
// What a server says of a query that it cannot read, in the page's words.
const FAULTS = [[/quotation mark has no end/, "openQuote"], [/weight|one number/, "oddWeight"], [/^expected|like:/, "oddPart"]];

export class Photos {
  // query, filters: what is asked; address(): what is asked changed; open(id, index); selection
  constructor({ query, filters, address, open }) {
    Object.assign(this, { query, filters, address });
    this.known = new Map(); // id -> what a search told of it
    this.ids = [];
    this.everything = false;
    this.grid = new Grid($("#grid"), { open: index => open(this.ids[index], index), toggle: (index, range, from) => this.selection.toggle(this.ids, index, range, from), near: () => this.filters.texts || this.further() });
    this.texts = new Texts($("#texts"), { chosen: text => this.pictured(text), further: () => this.further() });
    this.soon = debounce(() => this.run(), TYPING_MS);
    this.status = $("#status");
    this.empty = $("#empty");
  }

  facts(id) { return this.known.get(id); }

  // Something that is asked changed: the address follows, and the pictures.
  changed({ now = false, forced = false } = {}) {
    this.everything = false;
    if (forced || !this.query.unfinished) this.address();
    return now ? this.run({ forced }) : this.soon();
  }

  body(more = {}) {
    const { sort, kind, ...rest } = this.filters.set, dated = ["newest", "oldest"].includes(sort) && !this.everything && !kind;
    return { query: this.query.toString(), pictures: this.query.pictures, n: PAGE, relevant: !this.everything, filters: rest, ...(dated && { sort }), ...(kind && { kind }), ...more };
  }

  // Of a query that is half typed the last hits stay, unless it is forced.
  async run({ keep = false, forced = false } = {}) {
    if (this.query.unfinished && !forced && this.request) return;
    this.request?.abort();
    const { signal } = this.request = new AbortController();
    this.cursor = null;
    const late = setTimeout(() => { this.status.textContent = t("searching"); }, 400);
    try {
      await (this.filters.texts ? this.read(signal) : this.query.empty ? this.browse(signal, keep) : this.search(signal));
    } catch (fault) {
      if (fault.name !== "AbortError" && fault.status !== 0) this.fail(fault);
    } finally { clearTimeout(late); }
  }

  // Texts instead of pictures.
  async read(signal) {
    const { results, next, nothing } = this.query.empty ? { results: [], nothing: { reason: "ask" } } : await post("/v1/search", this.body(), { signal });
    this.renew();
    this.clear();
    this.listed(results, next, false);
    this.tell(this.status.textContent, { library: "texts" }[nothing?.reason] ?? nothing?.reason);
  }

  listed(results, next, added) {
    this.cursor = next ?? null;
    this.texts.show(results, { added, more: Boolean(next) });
    this.status.textContent = t("countedTexts", this.texts.count, Boolean(next));
  }

  // The pictures that fit a text.
  pictured(text) {
    delete this.filters.set.kind;
    this.filters.draw();
    this.query.say(text);
    this.changed({ now: true });
  }

  async browse(signal, keep) {
    const { sort } = this.filters.set, order = sort === "score" ? undefined : sort;
    const { min_score: _, ...filters } = this.filters.asked;
    const { ids, widths, heights, dates, names } = await post("/v1/browse", { filters, ...(order && { sort: order }) }, { signal });
    this.ids = ids;
    this.renew(keep);
    const month = new Intl.DateTimeFormat(language, { year: "numeric", month: "long", timeZone: "UTC" }), named = new Map();
    const name = day => { const key = day.slice(0, 7); if (!named.has(key)) named.set(key, key ? month.format(new Date(`${key}-01T00:00:00Z`)) : t("undated")); return named.get(key); };
    const dated = order !== "name" && dates.some(Boolean);
    this.grid.show({ ids, aspects: aspects(widths, heights), groups: dated ? dates.map(name) : null, name: index => names?.[index] || this.known.get(ids[index])?.name || (dates[index] || `${t("picture")} ${index + 1}`) }, { keep });
    this.tell(t("count", ids.length), ids.length ? null : this.filters.any ? "filters" : "library");
  }

  async search(signal) {
    const { results, next, nothing } = await post("/v1/search", this.body(), { signal });
    const near = nothing?.reason === "words" ? (await post("/v1/search", this.body({ relevant: false, n: NEAREST, sort: "score" }), { signal })).results : [];
    const shown = near.length ? near : results;
    this.renew(shown.length === this.ids.length && shown.every((hit, at) => hit.id === this.ids[at])); // asked again, as when the page begins
    this.take(shown, next, false, near.length ? t("nearest") : null);
    this.tell(near.length ? t("nothing") : t("counted", results.length, Boolean(next)), near.length ? null : nothing?.reason);
    this.end(!near.length);
  }

  // A score belongs to its search.
  renew(keep = false) {
    for (const facts of this.known.values()) { delete facts.score; delete facts.relevance; }
    this.texts.show([]);
    if (!keep) this.selection.last = null;
  }

  take(results, next, more, heading = null) {
    for (const hit of results) this.known.set(hit.id, hit);
    this.ids = more ? [...this.ids, ...results.map(hit => hit.id)] : results.map(hit => hit.id);
    this.cursor = next ?? null;
    const hits = this.ids.map(id => this.known.get(id));
    this.grid.show({ ids: this.ids, aspects: aspects(hits.map(hit => hit.width), hits.map(hit => hit.height)), groups: heading && hits.map(() => heading), name: index => hits[index].name }, { keep: more });
  }

  async further() {
    if (!this.cursor || this.fetching) return;
    this.fetching = true;
    const { signal } = this.request, cursor = this.cursor;
    try {
      const { results, next } = await post("/v1/search", this.body({ cursor }), { signal });
      if (this.filters.texts) { this.listed(results, next, true); return; }
      this.take(results, next, true);
      this.status.textContent = t("counted", this.ids.length, Boolean(next));
      this.end();
    } catch (fault) {
      if (fault.name !== "AbortError") this.cursor = null;
    } finally { this.fetching = false; }
  }

  // Behind the last hit: why there are no more, and a way to see them all the same.
  end(found = true) {
    const cut = this.ids.length > 0 && !this.cursor && !this.everything && /[^\s]/.test(this.query.text) && !this.query.chips.length;
    if (!cut && found) return;
    this.empty.hidden = false;
    this.empty.className = "ended";
    this.empty.replaceChildren(found ? el("p", { text: t("ended") }) : "", button(t("showAll"), () => this.showAll()));
  }

  showAll() { this.everything = this.grid.awaited = true; this.run(); }

  tell(status, empty) {
    this.status.textContent = empty ? "" : status;
    this.empty.hidden = !empty;
    this.empty.className = "";
    const way = {
      words: () => [el("h2", { text: t("nothing") }), el("p", { text: t("nothingWhy") }), button(t("showAll"), () => this.showAll(), { class: "primary" })],
      ask: () => [el("p", { text: t("askTexts") })],
      texts: () => [el("h2", { text: t("nothing") }), el("p", { text: t("noTexts") })],
      filters: () => [el("h2", { text: t("nothing") }), el("p", { text: t("nothingFiltered") }), button(t("clearFilters"), () => { this.grid.awaited = true; this.filters.clear(); })],
      library: () => [el("h2", { text: t("emptyTitle") }), el("p", { text: t("emptyWhy") }), el("pre", { text: t("emptyHow") })],
    }[empty];
    if (way) this.empty.replaceChildren(...way());
  }

  clear() {
    this.ids = [];
    this.grid.show({ ids: [], aspects: new Float32Array(0), groups: null, name: () => "" });
  }

  fail(fault) {
    this.renew();
    this.clear();
    if (fault.status === 404) { this.tell("", "library"); return; }
    this.status.textContent = "";
    this.empty.hidden = false;
    this.empty.className = "";
    const [why, ...place] = fault.message.split("\n"), own = place.length ? FAULTS.find(([said]) => said.test(why))?.[1] : /leave no time/.test(why) && "noTime";
    this.empty.replaceChildren(el("h2", { text: t(place.length ? "faulty" : "failed") }), el("p", { text: own ? t(own) : place.length ? why : told(fault) }),
      place.length && !this.query.chips.length ? el("pre", { text: place.join("\n").replace(/^ {4}/gm, "") }) : "");
  }
}

const aspects = (widths, heights) => Float32Array.from(widths, (width, at) => width && heights[at] ? Math.min(4, Math.max(0.4, width / heights[at])) : 1);
