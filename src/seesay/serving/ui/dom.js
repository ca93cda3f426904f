// Elements built by expressions. Data becomes text, never markup.

export const $ = (selector, root = document) => root.querySelector(selector);

export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.startsWith("aria") && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

// Replaces the children of `place`. If a control there had the focus, the one at the same position gets it.
export function refill(place, children, otherwise) {
  const controls = () => [...place.querySelectorAll("button, input, select, a")].filter(each => !each.disabled),
    at = controls().indexOf(document.activeElement);
  place.replaceChildren(...children.filter(child => child !== null));
  if (at >= 0) (controls()[at] ?? controls().at(-1) ?? otherwise)?.focus({ preventScroll: true });
}

export const button = (text, onclick, properties = {}) => el("button", { type: "button", text, onclick, ...properties });

const PATHS = {
  close: "M6 6l12 12M18 6 6 18",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  download: "M12 4v11m0 0-4-4m4 4 4-4M5 20h14",
  check: "M5 12.5 10 17l9-10",
};

// A button with an icon; `label` is its accessible name and tooltip.
export function icon(name, label, onclick, properties = {}) {
  const control = button("", onclick, { class: "icon", "aria-label": label, title: label, ...properties });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  control.append(svg);
  return control;
}

// Opens a dialog with a title and content to read.
export function sheet(title, close, content) {
  const dialog = $("#sheet");
  dialog.setAttribute("aria-label", title);
  dialog.replaceChildren(
    el(
      "div",
      { class: "head" },
      el("h2", { text: title }),
      button(close, () => dialog.close()),
    ),
    content,
  );
  dialog.showModal();
}

// `work`, called once, `ms` after the last of several calls.
export function debounce(work, ms) {
  let waiting;
  return (...values) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => work(...values), ms);
  };
}

// Saves a Blob as a download.
export function save(name, blob) {
  const url = URL.createObjectURL(blob);
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// Copies to the clipboard; false where the browser refuses. Over plain HTTP only execCommand works.
export async function copy(text) {
  if (
    await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    )
  )
    return true;
  const focused = document.activeElement,
    area = el("textarea", { value: text, class: "unseen", "aria-hidden": "true" });
  (document.querySelector("dialog[open]") ?? document.body).append(area); // beside a modal dialog nothing can be selected
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return copied;
}
