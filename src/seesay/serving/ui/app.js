// The page: its parts put together, its views by address, its keys.

import { $, button, el } from "./dom.js";
import { ApiError, events, get, post } from "./api.js";
import { Chart } from "./map.js";
import { Detail } from "./detail.js";
import { Filters } from "./filters.js";
import { Menu, colours } from "./menu.js";
import { Photos } from "./photos.js";
import { Playground } from "./playground.js";
import { Query } from "./query.js";
import { Selection } from "./selection.js";
import { imagesIn, listen, picture } from "./pictures.js";
import { t, translate } from "./words.js";

let view = "photos", library = {};

const query = new Query(() => photos.changed());
const filters = new Filters(() => photos.changed({ now: true }));
const detail = new Detail({
  ids: () => view === "photos" ? photos.ids : [], facts: id => photos.facts(id), canWrite: () => library.can_write,
  like: id => { $("#detail").close(); location.hash = ""; query.clear(); query.add({ kind: "like", value: id }); scrollTo({ top: 0 }); },
  tagged: () => menu.watch(), closed: index => { if (view === "photos" && index >= 0 && index < photos.ids.length) photos.grid.focus(index); },
});
const photos = new Photos({ query, filters, address, open: (id, index) => detail.open(id, index) });
const selection = photos.selection = new Selection({ facts: id => photos.facts(id), all: () => photos.ids, changed: ids => photos.grid.mark(ids), tagged: () => menu.watch() });
const chart = new Chart($("#map"), id => detail.open(id));
const playground = new Playground($("#try"), async () => photos.ids.length ? photos.ids : (await post("/v1/browse", {}).catch(() => ({ ids: [] }))).ids);
const menu = new Menu({
  spoke: () => { query.draw(); filters.draw(); selection.draw(); photos.run({ keep: true }); if (view === "map") chart.show(); if (view === "try") { playground.labels = playground.texts = null; playground.draw(); } },
  news: (told, more) => { library = told; filters.learn(told); selection.canWrite = told.can_write; if (more && query.empty) photos.run({ keep: true }); },
});

// What is asked goes into the address, without a step back for every letter.
function address() {
  const kept = new URLSearchParams({ ...query.kept(), ...filters.kept() }).toString();
  const hash = kept ? `#/?${kept}` : "#/";
  if (location.hash === hash || (hash === "#/" && !location.hash)) return;
  const typing = Date.now() - (address.last ?? 0) < 2000;
  address.last = Date.now();
  history[typing ? "replaceState" : "pushState"](null, "", hash);
}

function route() {
  const [path, said] = location.hash.replace(/^#/, "").split("?");
  const wanted = { "/map": "map", "/try": "try" }[path] ?? "photos", moved = wanted !== view;
  view = wanted;
  for (const name of ["photos", "map", "try"]) $(`#${name}`).hidden = name !== view;
  for (const link of document.querySelectorAll("nav a")) link.toggleAttribute("aria-current", link.dataset.view === view);
  document.body.dataset.view = view;
  if (view === "map") chart.show(); else chart.hide();
  if (view === "try") playground.show();
  if (view !== "photos") return;
  const kept = new URLSearchParams(said ?? "");
  const lost = query.restore(kept);
  filters.restore(kept);
  if (moved) photos.grid.layout();
  photos.run().then(() => { if (lost) banner(t("lost"), 6000); });
}

async function take(files) {
  if (!files.length) return;
  if (view === "try") { playground.take(files); return; }
  if (view !== "photos") location.hash = "#/";
  for (const file of files.slice(0, 8)) {
    try {
      const { name, uri } = await picture(file);
      query.add({ kind: "photo", value: name, uri });
    } catch { banner(t("unreadable", file.name), 6000); }
  }
}

function banner(text, ms = 0, kind = "") {
  const place = $("#banner");
  place.textContent = text;
  place.className = kind;
  place.hidden = !text;
  clearTimeout(banner.waiting);
  if (ms) banner.waiting = setTimeout(() => { place.hidden = true; }, ms);
}

function showKeys() {
  const dialog = $("#keys");
  dialog.replaceChildren(el("div", { class: "head" }, el("h2", { text: t("keys") }), button(t("close"), () => dialog.close())),
    el("dl", { class: "keys" }, t("keyList").map(([key, what]) => [el("dt", {}, el("kbd", { text: key })), el("dd", { text: what })])));
  dialog.showModal();
}

function signIn() {
  const dialog = $("#sign-in");
  if (dialog.open) return;
  const key = el("input", { type: "password", autocomplete: "current-password", required: true, "aria-label": t("key"), placeholder: t("key") });
  const note = el("p", { class: "note", role: "alert" });
  const form = el("form", { onsubmit: async event => {
    event.preventDefault();
    try { await post("/v1/session", { key: key.value }); dialog.close(); start(); } catch (fault) { note.textContent = fault instanceof ApiError && fault.status === 401 ? t("wrongKey") : fault.message || t("gone"); }
  } }, el("h2", { text: t("signIn") }), el("p", { text: t("keyWhy") }), key, note, el("button", { class: "primary", text: t("enter") }));
  dialog.replaceChildren(form);
  dialog.oncancel = event => event.preventDefault();
  dialog.showModal();
}

addEventListener("keydown", event => {
  const typing = event.target.matches("input:not([type=checkbox]), textarea, select"), modal = document.querySelector("dialog[open]");
  if (event.key === "Escape" && !modal && view === "photos") {
    if (selection.ids.size) selection.clear();
    else if (event.target === query.input && query.input.value) { query.input.value = ""; query.changed(); }
    else if (!query.empty) query.clear();
  }
  if (typing || modal || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") { event.preventDefault(); if (view !== "photos") location.hash = "#/"; query.input.focus(); query.input.select(); }
  else if (event.key === "?") showKeys();
  else if (event.key === "m" && view === "photos" && event.target.matches(".open")) query.add({ kind: "like", value: photos.ids[photos.grid.active] });
});

$("#search").addEventListener("submit", event => { event.preventDefault(); photos.changed({ now: true }); if (photos.ids.length) query.input.blur(); });
$("#words").addEventListener("keydown", event => { if (event.key === "ArrowDown" && photos.ids.length) { event.preventDefault(); photos.grid.focus(photos.grid.active); } });
$("#words").addEventListener("paste", event => { if (imagesIn(event.clipboardData).length) event.preventDefault(); });
$("#add-picture").onclick = () => $("#picture-file").click();
$("#picture-file").onchange = event => { take([...event.target.files]); event.target.value = ""; };
$("#open-filters").onclick = () => filters.open(!query.empty);
listen($("#drop"), take);
addEventListener("hashchange", route);
addEventListener("popstate", () => { if (view === "photos") route(); });
events.addEventListener("gone", () => banner(t("gone"), 0, "bad"));
events.addEventListener("back", () => { banner(t("back"), 3000, "good"); menu.watch(); route(); });
events.addEventListener("key", signIn);

async function start() {
  const session = await get("/v1/session").catch(() => null);
  if (session?.key_required && !session.signed_in) { signIn(); return; }
  menu.signedIn = Boolean(session?.key_required);
  await menu.watch();
  if (query.text && !location.hash) address(); // typed before this ran
  route();
}

colours();
translate(document);
start();
