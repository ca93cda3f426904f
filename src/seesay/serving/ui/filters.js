// The filters: a form in a dialog, and those that are set as chips that can be removed.

import { $, button, el, icon, refill } from "./dom.js";
import { t } from "./words.js";

const SIZES = [500, 1000, 2000, 3000],
  EDGES = [90, 180, 90, 180];
const isText = value => typeof value === "string" && value.trim() !== "",
  isDay = value => isText(value) && /^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$/.test(value),
  isOneOf =
    (...options) =>
    value =>
      options.includes(value);
const SEPARATORS = /[\s_\-.,()[\]+]+/g,
  isName = value => isText(value) && value.replace(SEPARATORS, "") !== ""; // the library ignores them in names
const isBox = value =>
  Array.isArray(value) &&
  value.length === 4 &&
  value.every((side, at) => Number.isFinite(side) && Math.abs(side) <= EDGES[at]) &&
  value[0] <= value[2];
// Checks values before they are sent: an address can hold anything.
const VALID = new Map(
  Object.entries({
    folder: isText,
    after: isDay,
    before: isDay,
    camera: isText,
    orientation: isOneOf("landscape", "portrait", "square"),
    min_px: value => Number.isInteger(value) && value > 0,
    tags: value => Array.isArray(value) && value.length > 0 && value.every(isText),
    names: value => Array.isArray(value) && value.length > 0 && value.every(isName),
    place: isBox,
    min_score: value => Math.abs(value) <= 1,
    sort: isOneOf("score", "newest", "oldest", "name"),
    kind: isOneOf("text"),
    likely: isOneOf(true),
  }),
);

// The name of a place for people.
const placeTitle = place => place.name ?? t("here", place.latitude, place.longitude);

export class Filters {
  // changed(): other pictures pass the filters now.
  constructor(changed) {
    this.changed = changed;
    this.dialog = $("#filters");
    this.set = {}; // in the server's form, with `sort`, `kind` and `likely`
    this.library = null; // the library's summary, from which values are chosen
    this.dialog.addEventListener("click", event => {
      if (event.target === this.dialog) this.dialog.close();
    });
  }

  // Takes a new summary of the library, and redraws a dialog that was opened before the first one.
  update(library) {
    const first = !this.library,
      before = this.placeName(this.set.place);
    this.library = library;
    if (this.placeName(this.set.place) !== before) this.draw(); // the place has a name now
    if (first && this.dialog.open) this.open(this.context);
  }

  // As the server takes them, without `sort`, `kind` and `likely`.
  get request() {
    const { sort, kind, likely, ...filters } = this.set;
    return filters;
  }

  get any() {
    return Object.keys(this.request).length > 0;
  }

  get texts() {
    return this.set.kind === "text";
  }

  // The parameters of the page's address.
  toAddress() {
    return Object.keys(this.set).length ? { f: JSON.stringify(this.set) } : {};
  }

  restore(parameters) {
    let values = {};
    try {
      values = JSON.parse(parameters.get("f") ?? "{}") ?? {};
    } catch {
      /* none */
    }
    this.set = Object.fromEntries(Object.entries(values).filter(([name, value]) => VALID.get(name)?.(value)));
    this.draw();
  }

  clear() {
    this.set = {};
    this.draw();
    this.changed();
  }

  change(name, value) {
    if (value === "" || value === null || value === undefined || (Array.isArray(value) && !value.length)) delete this.set[name];
    else this.set[name] = value;
    this.draw();
    this.changed();
  }

  // A filter as its chip shows it.
  describe(name, value) {
    const words = {
      folder: value,
      after: `${t("from")} ${value}`,
      before: `${t("until")} ${value}`,
      camera: value,
      orientation: t(value),
      min_px: `≥ ${value} px`,
      tags: `# ${value}`,
      names: `${t("fileName")} ${value}`,
      likely: t("onlyLikely"),
      sort: t(value),
      kind: t("texts"),
      min_score: `≥ ${value}`,
      place: this.placeName(value),
    };
    return words[name] ?? `${name} ${value}`;
  }

  // The name of the library's place with this box, or else the sides of the box.
  placeName(box) {
    if (!Array.isArray(box)) return "";
    const match = this.library?.places.find(each => String(each.box) === String(box));
    return match ? placeTitle(match) : `${t("place")} ${box.join(t("comma"))}`;
  }

  // The library's place around a point, with its title; none if there is none.
  placeAt(latitude, longitude) {
    const place = this.library?.places.find(
      ({ box: [south, west, north, east] }) => south <= latitude && latitude <= north && west <= longitude && longitude <= east,
    );
    return place && { ...place, title: placeTitle(place) };
  }

  draw() {
    const chips = Object.entries(this.set).map(([name, value]) => {
      const shown = this.describe(name, value);
      return el(
        "span",
        { class: "chip set" },
        el("span", { text: shown }),
        icon("close", `${t("remove")}: ${shown}`, () => this.change(name, null)),
      );
    });
    if (chips.length > 1) chips.push(button(t("clear"), () => this.clear(), { class: "link" }));
    refill($("#active"), chips, $("#words"));
    $("#open-filters").classList.toggle("on", chips.length > 0);
  }

  // searching: there is a query; inWords: it is words alone, so that hits are likely or not.
  open(context) {
    const { searching, inWords } = (this.context = context);
    const choose = (name, first, options, apply = value => this.change(name, value)) =>
      el(
        "select",
        { name, onchange: event => apply(event.target.value) },
        el("option", { value: "", text: first }),
        options.map(([value, title]) =>
          el("option", { value, text: title, selected: String(this.current(name)) === String(value) }),
        ),
      );
    const field = (label, control) => el("label", { class: "row" }, el("span", { text: label }), control);
    const dateInput = name =>
      el("input", {
        type: "date",
        name,
        value: /^\d{4}-\d\d-\d\d$/.test(this.set[name] ?? "") ? this.set[name] : "",
        onchange: event => this.change(name, event.target.value),
      });
    const { folders, cameras, tags, places } = this.library ?? { folders: [], cameras: [], tags: [], places: [] };
    const indent = folder => "\u2003".repeat(folder.split("/").length - 1) + folder.split("/").pop();
    const tag = choose(
      "tag",
      t("anyTag"),
      tags.map(each => [each.tag, `${each.tag} (${each.pictures})`]),
      value => this.change("tags", value ? [value] : null),
    );
    const orders = searching ? ["score", "newest", "oldest"] : ["newest", "oldest", "name"];
    const order = el(
      "select",
      { name: "sort", onchange: event => this.change("sort", event.target.value === orders[0] ? null : event.target.value) },
      orders.map(each => el("option", { value: each, text: t(each), selected: each === (this.set.sort ?? orders[0]) })),
    );
    const ownBox = this.set.place && !places.some(each => String(each.box) === String(this.set.place));
    const anywhere = choose(
      "place",
      t("anyPlace"),
      [
        ...(ownBox ? [[String(this.set.place), t("box")]] : []),
        ...places.map(each => [String(each.box), `${placeTitle(each)} (${each.pictures})`]),
      ],
      value => {
        this.change("place", value ? value.split(",").map(Number) : null);
        box.value = (this.set.place ?? []).join(", ");
      },
    );
    const box = el("input", {
      name: "box",
      placeholder: "47.2, 8.3, 47.5, 8.8",
      "aria-describedby": "place-why",
      value: (this.set.place ?? []).join(", "),
      onchange: event => this.place(event.target),
    });
    this.dialog.replaceChildren(
      el(
        "form",
        { method: "dialog", onsubmit: () => {} },
        el(
          "div",
          { class: "head" },
          el("h2", { text: t("filters") }),
          icon("close", t("close"), () => this.dialog.close()),
        ),
        this.library?.texts || this.texts ? field(t("kind"), choose("kind", t("photos"), [["text", t("texts")]])) : null,
        inWords
          ? el(
              "label",
              { class: "check" },
              el("input", {
                type: "checkbox",
                name: "likely",
                checked: Boolean(this.set.likely),
                onchange: event => this.change("likely", event.target.checked || null),
              }),
              el("span", { text: t("onlyLikely") }),
            )
          : null,
        field(
          t("folder"),
          choose(
            "folder",
            t("anyFolder"),
            folders.map(each => [each.folder, `${indent(each.folder)} (${each.pictures})`]),
          ),
        ),
        field(
          t("fileName"),
          el("input", {
            name: "names",
            placeholder: t("fileNameHint"),
            value: (this.set.names ?? []).join(" "),
            onchange: event => this.change("names", isName(event.target.value) ? [event.target.value.trim()] : null),
          }),
        ),
        field(t("from"), dateInput("after")),
        field(t("until"), dateInput("before")),
        cameras.length
          ? field(
              t("camera"),
              choose(
                "camera",
                t("anyCamera"),
                cameras.map(each => [each.camera, `${each.camera} (${each.pictures})`]),
              ),
            )
          : null,
        field(
          t("shape"),
          choose(
            "orientation",
            t("anyShape"),
            ["landscape", "portrait", "square"].map(each => [each, t(each)]),
          ),
        ),
        field(
          t("minimum"),
          choose(
            "min_px",
            t("anySize"),
            SIZES.map(each => [each, `${each} px`]),
            value => this.change("min_px", value ? Number(value) : null),
          ),
        ),
        places.length ? field(t("place"), anywhere) : null,
        tags.length ? field(t("tag"), tag) : null,
        field(t("order"), order),
        el(
          "details",
          { open: Boolean(ownBox) },
          el("summary", { text: t("more") }),
          field(t("box"), box),
          el("p", { id: "place-why", text: t("placeWhy") }),
        ),
        el(
          "div",
          { class: "foot" },
          button(t("reset"), () => {
            this.clear();
            this.open(context);
          }),
          el("button", { class: "primary", text: t("apply") }),
        ),
      ),
    );
    if (this.dialog.open) $("button", this.dialog).focus();
    else this.dialog.showModal();
  }

  current(name) {
    return name === "tag" ? this.set.tags?.[0] : this.set[name];
  }

  place(input) {
    const typed = input.value.trim(),
      sides = typed.split(/[,，、]/).map(side => (side.trim() ? Number(side) : NaN)),
      valid = isBox(sides);
    input.setCustomValidity(valid || !typed ? "" : t("placeWhy"));
    input.reportValidity();
    if (valid || !typed) this.change("place", valid ? sides : null);
  }
}
