// The page's language, and its messages in it.

import { ZH } from "./chinese.js";
import { EN } from "./english.js";

const NARROW = matchMedia("(max-width: 560px)"); // where the long hint would be cut off
NARROW.addEventListener("change", () => translate(document));

export const ALL = { en: EN, zh: ZH };
const stored = localStorage.getItem("language");
export let language =
  stored in ALL
    ? stored
    : (navigator.languages ?? [navigator.language]).some(tag => /^zh/i.test(tag)) && !/^en/i.test(navigator.language)
      ? "zh"
      : "en";

// A message in the page's language, such as t("count", 3).
export function t(name, ...values) {
  const message = ALL[language][name];
  return typeof message === "function" ? message(...values) : message;
}

// An error for people, by its code or type where the page has words for it.
export function errorMessage(fault) {
  const own = t("faults");
  return fault.status === 0 ? t("gone") : (own[fault.code] ?? own[fault.type] ?? (fault.message || t("failed")));
}

// The library's message on an unreadable file, in the page's language where the page has words for it.
export function reason(message) {
  const [pattern, translation] = t("reasons").find(([each]) => each.test(message)) ?? [];
  return translation ? translation.replace(/\$(\d)/g, (_, group) => pattern.exec(message)[group]) : message;
}

export function setLanguage(code) {
  language = code;
  localStorage.setItem("language", code);
  translate(document);
}

// Fills elements with data-t (text), data-t-label (accessible name) and data-t-hint (placeholder).
export function translate(root) {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const each of root.querySelectorAll("[data-t]")) each.textContent = t(each.dataset.t);
  for (const each of root.querySelectorAll("[data-t-label]")) {
    each.setAttribute("aria-label", t(each.dataset.tLabel));
    if (each.tagName === "BUTTON") each.title = t(each.dataset.tLabel);
  }
  for (const each of root.querySelectorAll("[data-t-hint]"))
    each.placeholder = t(NARROW.matches ? `${each.dataset.tHint}Short` : each.dataset.tHint);
}
