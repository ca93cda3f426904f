// The view of pictures: all of them, or those that are searched for.

import { $, button, debounce, el } from "./dom.js";
import { post } from "./api.js";
import { Grid } from "./grid.js";
import { Texts } from "./texts.js";
import { language, t, told } from "./words.js";

const PAGE = 120,
  TYPING_MS = 200,
  QUOTED = 40; // letters of what is searched for in a heading
// What a server says of a query that it cannot read, in the page's words.
const FAULTS = [
  [/quotation mark has no end/, "openQuote"],
  [/^a name has no weight/, "nameWeight"],
  [/weight|one number/, "oddWeight"],
  [/^expected|like:/, "oddPart"],
];
const UNTAGGED = /no picture is tagged (['"])(.*?)\1(?:; did you mean (['"])(.*)\3\?)?/;

export class Photos {
  // query, filters: what is asked; address(): what is asked changed; open(id, index); selection
  constructor({ query, filters, address, open }) {
    Object.assign(this, { query, filters, address });
    this.known = new Map(); // id -> what a search told of it
    this.ids = [];
    this.grid = new Grid($("#grid"), {
      open: index => open(this.ids[index], index),
      toggle: (index, range, from) => this.selection.toggle(this.ids, index, range, from),
      near: () => this.filters.texts || this.further(),
    });
    this.texts = new Texts($("#texts"), { chosen: text => this.pictured(text), further: () => this.further() });
    this.soon = debounce(() => this.run(), TYPING_MS);
    this.status = $("#status");
    this.empty = $("#empty");
  }

  facts(id) {
    return this.known.get(id);
  }

  // Something that is asked changed: the address follows, and the pictures.
  changed({ now = false, forced = false } = {}) {
    if (forced || !this.query.unfinished) this.address();
    return now ? this.run({ forced }) : this.soon();
  }

  body(more = {}) {
    const { sort, kind, likely } = this.filters.set,
      dated = ["newest", "oldest"].includes(sort);
    return {
      query: this.query.toString(),
      pictures: this.query.pictures,
      n: PAGE,
      filters: this.filters.asked,
      ...(kind ? { kind } : { ...(dated && { sort }), ...(likely && { likely }) }),
      ...more,
    };
  }

  // Of a query that is half typed the last hits stay, unless it is forced.
  async run({ keep = false, forced = false } = {}) {
    if (this.query.unfinished && !forced && this.request) return;
    this.request?.abort();
    const { signal } = (this.request = new AbortController());
    this.asked = JSON.stringify([this.query.toString(), this.filters.set]);
    this.cursor = null;
    const late = setTimeout(() => {
      this.status.textContent = t("searching");
    }, 400);
    try {
      await (this.filters.texts ? this.read(signal) : this.query.empty ? this.browse(signal, keep) : this.search(signal));
    } catch (fault) {
      if (fault.name !== "AbortError" && fault.status !== 0) this.fail(fault);
    } finally {
      clearTimeout(late);
    }
  }

  // Texts instead of pictures.
  async read(signal) {
    const { results, next, nothing } = this.query.empty
      ? { results: [], nothing: { reason: "ask" } }
      : await post("/v1/search", this.body(), { signal });
    this.renew();
    this.clear();
    this.listed(results, next, false);
    this.tell(this.status.textContent, nothing?.reason === "library" ? "texts" : nothing?.reason);
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
    const { sort } = this.filters.set,
      order = sort === "score" ? undefined : sort;
    const { min_score: _, ...filters } = this.filters.asked;
    const { ids, widths, heights, dates, names } = await post(
      "/v1/browse",
      { filters, ...(order && { sort: order }) },
      { signal },
    );
    this.ids = ids;
    this.renew(keep);
    const dated = order !== "name" && dates.some(Boolean);
    this.grid.show(
      {
        ids,
        aspects: aspects(widths, heights),
        groups: dated ? months(dates) : null,
        beside: () => true,
        name: index => names?.[index] || this.known.get(ids[index])?.name || dates[index] || `${t("picture")} ${index + 1}`,
      },
      { keep },
    );
    this.tell(t("count", ids.length), ids.length ? null : this.filters.any ? "filters" : "library");
  }

  async search(signal) {
    const { results, next, nothing } = await post("/v1/search", this.body(), { signal });
    this.renew(results.length === this.ids.length && results.every((hit, at) => hit.id === this.ids[at])); // asked again, as when the page begins
    this.take(results, next);
    this.tell(this.status.textContent, nothing?.reason === "filters" && !this.filters.any ? "names" : nothing?.reason);
  }

  // What is shown is exchanged: a score belongs to its search, and what is asked anew begins at the top.
  renew(keep = false) {
    for (const facts of this.known.values()) for (const name of ["score", "relevance", "likely", "named"]) delete facts[name];
    this.texts.show([]);
    if (!keep) this.selection.last = null;
    if (this.shown && this.shown !== this.asked) scrollTo({ top: 0 });
    this.shown = this.asked;
  }

  // Below the likely ones, or where there are none instead of them, come those that are less likely.
  take(results, next, more = false) {
    for (const hit of results) this.known.set(hit.id, hit);
    this.ids = more ? [...this.ids, ...results.map(hit => hit.id)] : results.map(hit => hit.id);
    this.cursor = next ?? null;
    const hits = this.ids.map(id => this.known.get(id)),
      from = hits.findIndex(hit => hit.likely === false),
      likely = from < 0 ? hits.length : from;
    const heading = likely ? t("lessLikely") : t("nearest", this.words),
      dated = ["newest", "oldest"].includes(this.filters.set.sort) && hits.some(hit => hit.taken_at);
    const when = dated ? months(hits.slice(0, likely).map(hit => hit.taken_at ?? "")) : [],
      groups = from < 0 && !dated ? null : hits.map((_, at) => (at < likely ? (when[at] ?? "") : heading));
    this.grid.show(
      {
        ids: this.ids,
        aspects: aspects(
          hits.map(hit => hit.width),
          hits.map(hit => hit.height),
        ),
        groups,
        beside: text => text !== heading,
        name: index => hits[index].name,
        mark: index => hits[index].named && t("byName"),
      },
      { keep: more },
    );
    this.status.textContent =
      hits[0]?.likely === undefined ? t("count", hits.length, Boolean(next)) : t("likely", likely, from < 0 && Boolean(next));
  }

  // What is searched for, as a heading says it.
  get words() {
    const words = this.query.text.replace(/^"([^"]*)"$/, "$1");
    return words.length > QUOTED ? `${words.slice(0, QUOTED).trim()}…` : words;
  }

  async further() {
    if (!this.cursor || this.fetching) return;
    this.fetching = true;
    const { signal } = this.request,
      cursor = this.cursor;
    try {
      const { results, next } = await post("/v1/search", this.body({ cursor }), { signal });
      if (this.filters.texts) {
        this.listed(results, next, true);
        return;
      }
      this.take(results, next, true);
    } catch (fault) {
      if (fault.name !== "AbortError") this.cursor = null;
    } finally {
      this.fetching = false;
    }
  }

  tell(status, empty) {
    this.status.textContent = empty ? "" : status;
    this.empty.hidden = !empty;
    const way = {
      likely: () => [
        el("h2", { text: t("nothing") }),
        el("p", { text: t("noneLikely", this.words) }),
        button(
          t("showNearest"),
          () => {
            this.grid.awaited = true;
            this.filters.change("likely", null);
          },
          { class: "primary" },
        ),
      ],
      ask: () => [el("p", { text: t("askTexts") })],
      texts: () => [el("h2", { text: t("nothing") }), el("p", { text: t("noTexts") })],
      names: () => [el("h2", { text: t("nothing") }), el("p", { text: t("nothingNamed") })],
      filters: () => [el("h2", { text: t("nothing") }), el("p", { text: t("nothingFiltered") }), this.unfiltered()],
      library: () => [
        el("h2", { text: t("emptyTitle") }),
        el("p", { text: t("emptyWhy") }),
        el("pre", { text: t("emptyHow") }),
      ],
    }[empty];
    if (way) this.empty.replaceChildren(...way());
  }

  unfiltered() {
    return button(t("clearFilters"), () => {
      this.grid.awaited = true;
      this.filters.clear();
    });
  }

  clear() {
    this.ids = [];
    this.grid.show({ ids: [], aspects: new Float32Array(0), groups: null, name: () => "" });
  }

  fail(fault) {
    this.renew();
    this.clear();
    if (fault.status === 404) {
      this.tell("", "library");
      return;
    }
    this.status.textContent = "";
    this.empty.hidden = false;
    const untagged = UNTAGGED.exec(fault.message);
    if (untagged) {
      this.empty.replaceChildren(
        el("h2", { text: t("nothing") }),
        el("p", { text: t("untagged", untagged[2], untagged[4]) }),
        this.unfiltered(),
      );
      return;
    }
    const [why, ...place] = fault.message.split("\n"),
      own = place.length ? FAULTS.find(([said]) => said.test(why))?.[1] : /leave no time/.test(why) && "noTime";
    this.empty.replaceChildren(
      el("h2", { text: t(place.length ? "faulty" : "failed") }),
      el("p", { text: own ? t(own) : place.length ? why : told(fault) }),
      place.length && !this.query.chips.length ? el("pre", { text: place.join("\n").replace(/^ {4}/gm, "") }) : "",
    );
  }
}

// The month of each day, as a heading; days that are not known are one group.
function months(days) {
  const month = new Intl.DateTimeFormat(language, { year: "numeric", month: "long", timeZone: "UTC" }),
    named = new Map([["", t("undated")]]);
  return days.map(day => {
    const key = day.slice(0, 7);
    if (!named.has(key)) named.set(key, month.format(new Date(`${key}-01T00:00:00Z`)));
    return named.get(key);
  });
}

const aspects = (widths, heights) =>
  Float32Array.from(widths, (width, at) => (width && heights[at] ? Math.min(4, Math.max(0.4, width / heights[at])) : 1));
