// A picture described as a prompt for an image generator.

import { button, copy, el } from "./dom.js";
import { pause, post } from "./api.js";
import { Question, waiting } from "./question.js";
import { language, t } from "./words.js";

const LANGUAGES = { en: "English", zh: "中文" };
const PREPARING_MS = 3000,
  MOST_TIMES = 6; // that it is asked again while the server reads its phrases for the first time

export class Prompt extends Question {
  // item: the picture as requests name it.
  constructor(item) {
    super();
    this.item = item;
    const codes = Object.keys(LANGUAGES).toSorted((a, b) => (b === language) - (a === language)); // the page's first
    this.buttons = codes.map(code =>
      button(LANGUAGES[code], () => this.ask(code), { class: "toggle", lang: code, "aria-pressed": "false" }),
    );
    this.place = el(
      "section",
      { class: "prompt" },
      el("h3", { text: t("asPrompt") }),
      el("p", { class: "switches", role: "group", "aria-label": t("asPrompt") }, this.buttons),
      this.says,
    );
  }

  ask(code) {
    for (const each of this.buttons) each.setAttribute("aria-pressed", String(each.lang === code));
    return this.run(t("describing"), async signal => this.told(await this.written(code, signal)));
  }

  async written(code, signal) {
    for (let time = 1; ; time++) {
      try {
        return await post("/v1/prompt", { image: this.item, language: code }, { signal });
      } catch (fault) {
        if (fault.code !== "too_late" || time === MOST_TIMES) throw fault;
        this.says.replaceChildren(waiting(t("preparing")));
        await pause(PREPARING_MS);
        signal.throwIfAborted();
      }
    }
  }

  told({ prompt, phrases, cosine, language: code }) {
    const note = el("span", { class: "quiet", role: "status" });
    return [
      el("p", { class: "written", lang: code, text: prompt }),
      el(
        "p",
        { class: "switches" },
        button(t("copyPrompt"), async () => {
          note.textContent = t((await copy(prompt)) ? "copied" : "copyYourself");
        }),
        note,
      ),
      el(
        "ul",
        { class: "phrases", "aria-label": t("phrases") },
        phrases.map(each =>
          el("li", { class: "chip set", lang: code }, el("span", {}, each.text, el("small", { text: each.cosine.toFixed(2) }))),
        ),
      ),
      el("p", { class: "quiet", text: t("promptFits", cosine) }),
    ];
  }
}
