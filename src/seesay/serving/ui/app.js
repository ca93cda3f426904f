// The page: its parts, its views by address, its keys.

import { $, el, sheet } from "./dom.js";
import { ApiError, events, get, post } from "./api.js";
import { Chart } from "./map.js";
import { Detail } from "./detail.js";
import { Duplicates } from "./duplicates.js";
import { Filters } from "./filters.js";
import { Menu, colours } from "./menu.js";
import { Photos } from "./photos.js";
import { Playground } from "./playground.js";
import { Query } from "./query.js";
import { Selection } from "./selection.js";
import { imagesIn, listen, picture } from "./pictures.js";
import { t, errorMessage, translate } from "./words.js";

let view = "photos",
  library = {};
const scrolled = {}; // view -> its last scroll position

const query = new Query(() => photos.changed());
const filters = new Filters(() => photos.changed({ now: true }));
const leave = then => {
  $("#detail").close();
  location.hash = "";
  query.clear();
  then();
  photos.grid.awaited = true;
};
const detail = new Detail({
  ids: () => (view === "photos" ? photos.ids : []),
  facts: id => photos.facts(id),
  canWrite: () => library.can_write,
  like: id => leave(() => query.add({ kind: "like", value: id })),
  place: (latitude, longitude) => filters.placeAt(latitude, longitude),
  go: place =>
    leave(() => {
      filters.clear();
      filters.change("place", place.box);
    }),
  named: name => leave(() => query.setName(name)),
  tagged: () => menu.watch(),
  closed: id => {
    if (view === "photos" && photos.ids.includes(id)) photos.grid.focus(photos.ids.indexOf(id));
  },
});
const photos = new Photos({ query, filters, address, open: id => detail.open(id) });
const selection = (photos.selection = new Selection({
  facts: id => photos.facts(id),
  all: () => photos.ids,
  changed: ids => photos.grid.mark(ids),
  tagged: () => menu.watch(),
  left: () => photos.grid.focus(photos.grid.active),
}));
const chart = new Chart($("#map"), { open: id => detail.open(id), empty: () => library.pictures === 0 });
const duplicates = new Duplicates($("#duplicates"), { open: id => detail.open(id) });
const playground = new Playground($("#try"), {
  offered: async () => (photos.ids.length ? photos.ids : (await post("/v1/browse", {}).catch(() => ({ ids: [] }))).ids),
  take: files => take(files),
  canWrite: () => library.can_write,
  named: name => leave(() => query.setName(name)),
});
const menu = new Menu({
  languageChanged: () => {
    query.draw();
    filters.draw();
    selection.draw();
    photos.run();
    if (view === "map") chart.show();
    if (view === "duplicates" && duplicates.groups) duplicates.draw();
    if (view === "try") {
      playground.labels = playground.texts = null;
      playground.draw();
    }
  },
  updated: (summary, more) => {
    library = summary;
    filters.update(summary);
    selection.canWrite = summary.can_write;
    if (!more) return;
    if (query.empty) photos.run({ keep: true });
    if (view !== "photos") route();
  },
});

// Puts query and filters into the address, with one step of the history for a while of typing.
function address() {
  const parameters = new URLSearchParams({ ...query.toAddress(), ...filters.toAddress() }).toString();
  const hash = parameters ? `#/?${parameters}` : "#/";
  if (location.hash === hash || (hash === "#/" && !location.hash)) return;
  const typing = Date.now() - (address.last ?? 0) < 2000;
  address.last = Date.now();
  history[typing ? "replaceState" : "pushState"](null, "", hash);
}

function route() {
  const [path, search] = location.hash.replace(/^#/, "").split("?");
  const target = { "/map": "map", "/try": "try", "/duplicates": "duplicates" }[path] ?? "photos",
    moved = target !== view;
  if (moved) scrolled[view] = scrollY;
  view = target;
  if (moved && !menu.place.hidden) menu.toggle(false);
  // A step back closes the dialogs over a view.
  if (moved) for (const open of document.querySelectorAll("#detail[open], #filters[open], #sheet[open]")) open.close();
  for (const name of ["photos", "map", "try", "duplicates"]) $(`#${name}`).hidden = name !== view;
  for (const link of document.querySelectorAll("nav a"))
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  document.body.dataset.view = view;
  if (moved) requestAnimationFrame(() => scrollTo({ top: scrolled[view] ?? 0 }));
  if (view === "map") chart.show();
  else chart.hide();
  if (view === "duplicates") duplicates.show();
  else duplicates.hide();
  if (view === "try") playground.show();
  else playground.hide();
  if (view !== "photos") return;
  const parameters = new URLSearchParams(search ?? "");
  const lost = query.restore(parameters);
  filters.restore(parameters);
  if (moved) photos.grid.layout();
  photos.run().then(() => {
    if (lost) banner(t("lost"), 6000);
  });
}

async function take(files) {
  const trying = view === "try",
    bad = [];
  let full = false;
  if (files.length && view === "map") location.hash = "#/";
  for (const file of files) {
    if ((full = !trying && query.full)) break;
    try {
      const { name, uri } = await picture(file);
      if (trying) playground.add(uri);
      else full = !query.add({ kind: "photo", value: name, uri });
    } catch {
      bad.push(file.name);
    }
  }
  if (bad.length || full)
    banner([bad.length && t("unreadable", bad), full && t("mostPictures")].filter(Boolean).join(" "), 6000);
}

function banner(text, ms = 0, kind = "") {
  const place = $("#banner");
  place.textContent = text;
  place.className = kind;
  place.hidden = !text;
  clearTimeout(banner.waiting);
  if (ms)
    banner.waiting = setTimeout(() => {
      place.hidden = true;
    }, ms);
}

function showKeys() {
  sheet(
    t("keys"),
    t("close"),
    el(
      "dl",
      { class: "keys" },
      t("keyList").map(([key, what]) => [el("dt", {}, el("kbd", { text: key })), el("dd", { text: what })]),
    ),
  );
}

function signIn() {
  const dialog = $("#sign-in");
  if (dialog.open) return;
  const key = el("input", {
    type: "password",
    autocomplete: "current-password",
    required: true,
    "aria-label": t("key"),
    placeholder: t("key"),
  });
  const note = el("p", { class: "note", role: "alert" });
  const form = el(
    "form",
    {
      onsubmit: async event => {
        event.preventDefault();
        try {
          await post("/v1/session", { key: key.value });
          dialog.close();
          start();
        } catch (fault) {
          note.textContent = fault instanceof ApiError && fault.status === 401 ? t("wrongKey") : errorMessage(fault);
        }
      },
    },
    el("h2", { text: t("signIn") }),
    el("p", { text: t("keyWhy") }),
    key,
    note,
    el("button", { class: "primary", text: t("enter") }),
  );
  dialog.replaceChildren(form);
  dialog.oncancel = event => event.preventDefault();
  dialog.showModal();
}

addEventListener("keydown", event => {
  if (event.isComposing) return;
  const typing = event.target.matches("input:not([type=checkbox]), textarea, select"),
    modal = document.querySelector("dialog[open]");
  if (event.key === "Escape" && !modal && view === "photos") {
    if (selection.ids.size) selection.clear();
    else if (event.target === query.input && query.input.value) {
      query.input.value = "";
      query.changed();
    } else if (!query.empty) query.clear();
  }
  if (typing || modal || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    if (view !== "photos") location.hash = "#/";
    query.input.focus();
    query.input.select();
  } else if (event.key === "?") showKeys();
  else if (event.key === "m" && view === "photos" && event.target.matches(".open"))
    query.add({ kind: "like", value: photos.ids[photos.grid.active] });
});

$("#search").addEventListener("submit", event => {
  event.preventDefault();
  photos.grid.awaited = matchMedia("(hover: none)").matches; // moves the focus, which closes an on-screen keyboard
  photos.changed({ now: true, forced: true });
});
$("#words").addEventListener("keydown", event => {
  if (event.key === "ArrowDown" && !event.isComposing && photos.ids.length) {
    event.preventDefault();
    photos.grid.focus(photos.grid.active);
  }
});
$("#words").addEventListener("paste", event => {
  if (imagesIn(event.clipboardData).length) event.preventDefault();
});
$("#add-picture").onclick = () => $("#picture-file").click();
$("#picture-file").onchange = event => {
  take([...event.target.files]);
  event.target.value = "";
};
$("#open-filters").onclick = () =>
  filters.open({ searching: !query.empty, inWords: Boolean(query.text) && !query.chips.length });
$(".skip").onclick = event => {
  event.preventDefault();
  $("#main").focus(); // not by the link: an address after # is a view
};
listen($("#drop"), take);
new ResizeObserver(([{ target }]) =>
  document.documentElement.style.setProperty("--banner", `${target.offsetHeight}px`),
).observe($("#banner"));
addEventListener("hashchange", route);
addEventListener("popstate", () => {
  if (view === "photos") route();
});
events.addEventListener("gone", () => banner(t("gone"), 0, "bad"));
events.addEventListener("back", () => {
  banner(t("back"), 3000, "good");
  menu.watch();
  route();
  if ($("#detail").open) detail.open(detail.id);
});
events.addEventListener("key", signIn);

async function start() {
  const session = await get("/v1/session").catch(() => null);
  if (session?.key_required && !session.signed_in) {
    signIn();
    return;
  }
  menu.signedIn = Boolean(session?.key_required);
  await menu.watch();
  if (query.text && !location.hash) address(); // typed before this ran
  route();
}

colours();
translate(document);
start();
