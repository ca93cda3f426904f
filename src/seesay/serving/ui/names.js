// Who or what a picture shows, among the names that the server was taught; teaching it one, and forgetting one.

import { button, el } from "./dom.js";
import { ApiError, call, get, post } from "./api.js";
import { Question } from "./question.js";
import { t } from "./words.js";

let lists = 0; // of names, each with an id of its own

export class Names extends Question {
  // item: the picture as requests name it; canWrite: whether the server may store names; tag(tags): adds tags to the picture and
  // removes others, none where it is not the library's; has(tag): whether the picture has it; search(name): shows the pictures that have a name.
  constructor(item, { canWrite, tag, has, search }) {
    super();
    Object.assign(this, { item, canWrite, tag, has, search });
    this.known = el("datalist", { id: `names-${++lists}` });
    this.input = el("input", {
      "aria-label": t("teachName"),
      placeholder: t("teachName"),
      maxLength: 100,
      list: this.known.id,
      onfocus: () => this.offer(),
    });
    this.place = el(
      "section",
      { class: "names" },
      el("h3", { text: t("whoIs") }),
      el(
        "p",
        { class: "switches" },
        button(t("identify"), () => this.run(signal => this.identify(signal))),
      ),
      canWrite
        ? el(
            "form",
            {
              class: "ask",
              onsubmit: event => {
                event.preventDefault();
                const name = this.input.value.trim();
                if (name) this.run(signal => this.teach(name, signal));
                else {
                  this.stop();
                  this.says.replaceChildren(el("p", { class: "note", text: t("typeName") }));
                  this.input.focus();
                }
              },
            },
            this.input,
            el("button", { text: t("teach") }),
            this.known,
          )
        : null,
      this.says,
    );
  }

  // work(signal) returns the elements that tell the answer.
  run(work) {
    if (this.says.contains(document.activeElement)) this.place.querySelector("button").focus(); // what had the focus goes
    return super.run(t("comparingNames"), work);
  }

  // The names that there are, to be chosen from.
  async offer() {
    const { names } = await get("/v1/names").catch(() => ({ names: [] }));
    this.known.replaceChildren(...names.map(({ name }) => el("option", { value: name })));
  }

  async identify(signal) {
    const counts = new Map((await get("/v1/names", { signal })).names.map(({ name, pictures }) => [name, pictures]));
    if (!counts.size) return [el("p", { text: t(this.canWrite ? "noNames" : "noNamesHere") })];
    const {
      threshold,
      results: [{ name, candidates, error }],
    } = await post("/v1/identify", { images: [this.item] }, { signal });
    if (error) throw new ApiError(undefined, error);
    return [
      el("p", {}, el("strong", { text: name === null ? t("noneFits") : t("probably", name) })),
      ...(name !== null && this.canWrite && this.tag && !this.has(name) ? [this.tagging(name)] : []),
      el(
        "ul",
        { class: "bars candidates", "aria-label": t("candidates") },
        candidates.map(each => this.candidate(each, threshold, counts.get(each.name))),
      ),
      el("p", { class: "quiet", text: t("threshold", threshold) }),
    ];
  }

  candidate({ name, score }, threshold, count) {
    const bar = el("span", { class: "bar" }, el("span"), el("i"));
    bar.firstChild.style.width = `${100 * Math.max(0, Math.min(1, score))}%`;
    bar.lastChild.style.left = `${100 * threshold}%`;
    return el(
      "li",
      { class: score < threshold ? "unlikely" : "" },
      el("span", { class: "name" }, this.link(name, name), this.canWrite && count ? this.forgetting(name, count) : null),
      el("span", { class: "share", text: score.toFixed(2) }),
      bar,
    );
  }

  // Leads to the pictures that have a name.
  link(name, text) {
    return button(text, () => this.search(name), { class: "link", title: t("picturesNamed", name) });
  }

  // A button that tags the picture with its name, by which it is found.
  tagging(name) {
    const note = el("span", { class: "quiet", role: "status" });
    const control = button(t("tagSo", name), () =>
      this.tag({ add: [name] }).then(
        () => (note.textContent = t("tagged", 1)),
        fault => note.replaceWith(faultLine(fault)),
      ),
    );
    return el("p", { class: "switches" }, control, note);
  }

  // A button that forgets a name when it is pressed a second time.
  forgetting(name, count, after) {
    let sure = false;
    const label = () => {
      control.textContent = t(sure ? "forgetSure" : "forget", name, count);
      control.classList.toggle("sure", sure);
    };
    const control = button("", () => {
      if (sure) this.run(signal => this.forget(name, signal, after));
      else {
        sure = true;
        label();
      }
    });
    control.classList.add("forget");
    control.addEventListener("blur", () => {
      sure = false;
      label();
    });
    label();
    return control;
  }

  async teach(name, signal) {
    const learned = await post("/v1/names", { name, images: [this.item] }, { signal });
    this.input.value = "";
    const said = [el("p", { text: t(learned.added ? "learned" : "hasIt", learned.name, learned.pictures) })];
    let tagged = false;
    try {
      await this.tag?.({ add: [learned.name] });
      tagged = Boolean(this.tag);
    } catch (fault) {
      said.push(faultLine(fault));
    }
    // Without a tag it is not found by its name: only the server knows it.
    if (tagged) said.push(el("p", {}, this.link(learned.name, t("picturesNamed", learned.name))));
    const after = tagged && learned.new ? () => this.tag({ remove: [learned.name] }) : undefined;
    said.push(el("p", {}, this.forgetting(learned.name, learned.pictures, after)));
    return said;
  }

  // after(): undoes what teaching did beside.
  async forget(name, signal, after) {
    const { pictures } = await call("DELETE", `/v1/names/${encodeURIComponent(name)}`, undefined, { signal });
    const said = [el("p", { text: t("forgotten", name, pictures) })];
    await after?.().catch(fault => said.push(faultLine(fault)));
    return said;
  }
}
