// The view of pictures: all of them, or the hits of a search.

import { $, button, debounce, el } from "./dom.js";
import { post } from "./api.js";
import { Grid } from "./grid.js";
import { Texts } from "./texts.js";
import { language, t, errorMessage } from "./words.js";

const PAGE = 120;
const TYPING_MS = 200;
const QUOTED = 40; // letters of the query in a heading
// The server's messages on a malformed query -> the page's.
const FAULTS = [
  [/quotation mark has no end/, "openQuote"],
  [/^a name has no weight/, "nameWeight"],
  [/weight|one number/, "oddWeight"],
  [/^expected|like:/, "oddPart"],
];
const UNTAGGED = /no picture is tagged (['"])(.*?)\1(?:; did you mean (['"])(.*)\3\?)?/;

export class Photos {
  // query, filters; address(): updates the page's address; open(id, index). `selection` is set later.
  constructor({ query, filters, address, open }) {
    Object.assign(this, { query, filters, address });
    this.hits = new Map(); // id -> the facts of a search's hit
    this.ids = [];
    this.grid = new Grid($("#grid"), {
      open: index => open(this.ids[index], index),
      toggle: (index, range, from) => this.selection.toggle(this.ids, index, range, from),
      near: () => this.filters.texts || this.further(),
    });
    this.texts = new Texts($("#texts"), { chosen: text => this.showPicturesFor(text), further: () => this.further() });
    this.soon = debounce(() => this.run(), TYPING_MS);
    this.status = $("#status");
    this.empty = $("#empty");
  }

  facts(id) {
    return this.hits.get(id);
  }

  // Updates the address and the pictures after a change of the query or the filters.
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
      filters: this.filters.request,
      ...(kind ? { kind } : { ...(dated && { sort }), ...(likely && { likely }) }),
      ...more,
    };
  }

  // Runs the query. While it is half typed the last hits stay, unless forced.
  async run({ keep = false, forced = false } = {}) {
    if (this.query.unfinished && !forced && this.request) return;
    this.request?.abort();
    const { signal } = (this.request = new AbortController());
    this.requested = JSON.stringify([this.query.toString(), this.filters.set]);
    this.cursor = null;
    const late = setTimeout(() => {
      this.status.textContent = t("searching");
    }, 400);
    try {
      await (this.filters.texts
        ? this.searchTexts(signal)
        : this.query.empty
          ? this.browse(signal, keep)
          : this.search(signal));
    } catch (fault) {
      if (fault.name !== "AbortError" && fault.status !== 0) this.fail(fault);
    } finally {
      clearTimeout(late);
    }
  }

  // Searches texts instead of pictures.
  async searchTexts(signal) {
    const { results, next, nothing } = this.query.empty
      ? { results: [], nothing: { reason: "ask" } }
      : await post("/v1/search", this.body(), { signal });
    this.renew();
    this.clear();
    this.showTexts(results, next, false);
    this.report(this.status.textContent, nothing?.reason === "library" ? "texts" : nothing?.reason);
  }

  showTexts(results, next, added) {
    this.cursor = next ?? null;
    this.texts.show(results, { added, more: Boolean(next) });
    this.status.textContent = t("countedTexts", this.texts.count, Boolean(next));
  }

  // Searches for the pictures that fit a text.
  showPicturesFor(text) {
    delete this.filters.set.kind;
    this.filters.draw();
    this.query.setWords(text);
    this.changed({ now: true });
  }

  async browse(signal, keep) {
    const { sort } = this.filters.set,
      order = sort === "score" ? undefined : sort;
    const { min_score: _, ...filters } = this.filters.request;
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
        name: index => names?.[index] || this.hits.get(ids[index])?.name || dates[index] || `${t("picture")} ${index + 1}`,
      },
      { keep },
    );
    this.report(t("count", ids.length), ids.length ? null : this.filters.any ? "filters" : "library");
  }

  async search(signal) {
    const { results, next, nothing } = await post("/v1/search", this.body(), { signal });
    const same = results.length === this.ids.length && results.every((hit, at) => hit.id === this.ids[at]);
    this.renew(same); // as when the page begins
    this.take(results, next, { same });
    this.report(this.status.textContent, nothing?.reason === "filters" && !this.filters.any ? "names" : nothing?.reason);
  }

  // Before other pictures are shown: forgets the scores of the last search, and scrolls to the top for another query.
  renew(keep = false) {
    for (const facts of this.hits.values()) for (const name of ["score", "relevance", "likely", "named"]) delete facts[name];
    this.texts.show([]);
    if (!keep) this.selection.last = null;
    if (this.shown && this.shown !== this.requested) scrollTo({ top: 0 });
    this.shown = this.requested;
  }

  // Shows hits: the likely ones first, then a heading and the less likely ones.
  // more: they follow those that are shown; same: they are those that are shown, so the focus stays where it is.
  take(results, next, { more = false, same = false } = {}) {
    for (const hit of results) this.hits.set(hit.id, hit);
    this.ids = more ? [...this.ids, ...results.map(hit => hit.id)] : results.map(hit => hit.id);
    this.cursor = next ?? null;
    const hits = this.ids.map(id => this.hits.get(id)),
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
      { keep: more || same },
    );
    this.status.textContent =
      hits[0]?.likely === undefined ? t("count", hits.length, Boolean(next)) : t("likely", likely, from < 0 && Boolean(next));
  }

  // The query's words for a heading.
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
        this.showTexts(results, next, true);
        return;
      }
      this.take(results, next, { more: true });
    } catch (fault) {
      if (fault.name !== "AbortError") this.cursor = null;
    } finally {
      this.fetching = false;
    }
  }

  // Shows the status; or, for a reason, why there is nothing.
  report(status, empty) {
    this.status.textContent = empty ? "" : status;
    this.empty.hidden = !empty;
    const explanations = {
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
      filters: () => [el("h2", { text: t("nothing") }), el("p", { text: t("nothingFiltered") }), this.clearFiltersButton()],
      library: () => [
        el("h2", { text: t("emptyTitle") }),
        el("p", { text: t("emptyWhy") }),
        el("pre", { text: t("emptyHow") }),
      ],
    }[empty];
    if (explanations) this.empty.replaceChildren(...explanations());
  }

  clearFiltersButton() {
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
      this.report("", "library");
      return;
    }
    this.status.textContent = "";
    this.empty.hidden = false;
    const untagged = UNTAGGED.exec(fault.message);
    if (untagged) {
      this.empty.replaceChildren(
        el("h2", { text: t("nothing") }),
        el("p", { text: t("untagged", untagged[2], untagged[4]) }),
        this.clearFiltersButton(),
      );
      return;
    }
    const [why, ...place] = fault.message.split("\n"),
      name = place.length ? FAULTS.find(([pattern]) => pattern.test(why))?.[1] : /leave no time/.test(why) && "noTime";
    this.empty.replaceChildren(
      el("h2", { text: t(place.length ? "faulty" : "failed") }),
      el("p", { text: name ? t(name) : place.length ? why : errorMessage(fault) }),
      place.length && !this.query.chips.length ? el("pre", { text: place.join("\n").replace(/^ {4}/gm, "") }) : "",
    );
  }
}

// The month of each day, as a heading; unknown days share one.
function months(days) {
  const month = new Intl.DateTimeFormat(language, { year: "numeric", month: "long", timeZone: "UTC" }),
    headings = new Map([["", t("undated")]]);
  return days.map(day => {
    const key = day.slice(0, 7);
    if (!headings.has(key)) headings.set(key, month.format(new Date(`${key}-01T00:00:00Z`)));
    return headings.get(key);
  });
}

const aspects = (widths, heights) =>
  Float32Array.from(widths, (width, at) => (width && heights[at] ? Math.min(4, Math.max(0.4, width / heights[at])) : 1));
