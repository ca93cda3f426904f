// The menu: language, colours, indexing and its progress.

import { $, button, el, refill, sheet } from "./dom.js";
import { call, get, post } from "./api.js";
import { fullName } from "./detail.js";
import { language, reason, setLanguage, t, errorMessage } from "./words.js";

const BUSY_MS = 1000,
  IDLE_MS = 20000;

// Applies the colour scheme, after storing another one if it is given.
export function colours(choice) {
  if (choice) localStorage.setItem("theme", choice);
  const theme = localStorage.getItem("theme") ?? "system";
  document.documentElement.dataset.theme = theme;
  $("meta[name=color-scheme]").content = theme === "system" ? "light dark" : theme;
  return theme;
}

export class Menu {
  // languageChanged(); updated(library, more): the library's summary, and whether its pictures have changed.
  constructor({ languageChanged, updated }) {
    Object.assign(this, { languageChanged, updated });
    this.button = $("#menu-button");
    this.place = $("#menu");
    this.bar = $("#indexing");
    this.button.onclick = () => this.toggle();
    addEventListener("click", event => {
      if (!this.place.hidden && !event.target.closest(".menu")) this.toggle(false);
    });
    this.place.addEventListener("keydown", event => {
      if (event.key === "Escape") {
        event.stopPropagation();
        this.toggle(false);
        this.button.focus();
      }
    });
    this.note = "";
  }

  toggle(open = this.place.hidden) {
    this.place.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (open) {
      this.draw();
      this.place.querySelector("button, select").focus();
    }
  }

  draw() {
    const library = this.library ?? {},
      choice = (label, options, now, chosen) =>
        el(
          "label",
          { class: "row" },
          el("span", { text: label }),
          el(
            "select",
            { onchange: event => chosen(event.target.value) },
            options.map(([value, text]) => el("option", { value, text, selected: value === now })),
          ),
        );
    refill(this.place, [
      choice(
        t("language"),
        [
          ["en", "English"],
          ["zh", "中文"],
        ],
        language,
        code => {
          setLanguage(code);
          this.languageChanged();
          this.draw();
        },
      ),
      choice(
        t("theme"),
        ["system", "light", "dark"].map(each => [each, t(each)]),
        colours(),
        chosen => colours(chosen),
      ),
      library.pictures
        ? el("a", { class: "button", href: "#/duplicates", onclick: () => this.toggle(false), text: t("duplicates") })
        : "",
      library.can_write && library.pictures ? button(t("lookForNew"), () => this.index()) : "",
      library.failed ? button(t("failures", library.failed), () => this.failures()) : "",
      el("a", { class: "button", href: "/docs", target: "_blank", rel: "noopener", text: t("forPrograms") }),
      this.passed ? button(t("passedOver", this.passed), () => this.skipped()) : "",
      this.signedIn
        ? button(t("signOut"), async () => {
            await call("DELETE", "/v1/session");
            location.reload();
          })
        : "",
      this.note ? el("p", { class: "note", role: "status", text: this.note }) : "",
    ]);
  }

  get passed() {
    return (this.library?.skipped ?? []).reduce((sum, each) => sum + each.files, 0);
  }

  async index() {
    try {
      await post("/v1/index", {});
      this.watch();
    } catch (fault) {
      this.note = errorMessage(fault);
      this.draw();
    }
  }

  async failures() {
    const { failures } = await get("/v1/failures");
    sheet(
      t("failures", failures.length),
      t("close"),
      el(
        "ul",
        { class: "failures" },
        failures.slice(0, 500).map(each => el("li", {}, el("strong", { text: fullName(each) }), ` ${reason(each.reason)}`)),
      ),
    );
  }

  // Files that look like pictures or videos and are not read, by kind, with advice.
  skipped() {
    const translated = t("kinds");
    sheet(
      t("passedOver", this.passed),
      t("close"),
      el(
        "ul",
        { class: "failures" },
        this.library.skipped.map(each => {
          const [kind, advice] = translated[each.kind] ?? [each.kind, each.advice];
          return el("li", {}, el("strong", { text: `${each.files} × ${kind}` }), ` ${advice}`);
        }),
      ),
    );
  }

  // Polls the library's summary, more often while it is indexing.
  async watch() {
    clearTimeout(this.waiting);
    let busy = false;
    try {
      const library = await get("/v1/library"),
        before = this.library;
      busy = library.indexing.running;
      this.library = library;
      this.progress(library.indexing, before?.indexing);
      this.updated(library, before !== undefined && before.pictures !== library.pictures);
      if (!this.place.hidden && JSON.stringify({ ...before, indexing: 0 }) !== JSON.stringify({ ...library, indexing: 0 }))
        this.draw();
    } catch {
      /* the banner says so */
    }
    this.waiting = setTimeout(() => this.watch(), busy ? BUSY_MS : IDLE_MS);
  }

  progress(now, before) {
    this.bar.hidden = !now.running;
    const [line, text] = this.bar.children;
    if (now.total) {
      line.max = now.total;
      line.value = now.done;
    } else line.removeAttribute("value");
    text.textContent = t("indexing", now.done, now.total);
    if (before?.running && !now.running && now.last) {
      this.note = now.last.error
        ? `${t("indexFailed")} ${errorMessage({ code: now.last.code, message: now.last.error })}`
        : t("indexed", now.last.added, now.last.removed);
      if (!this.place.hidden) this.draw();
    }
  }
}
