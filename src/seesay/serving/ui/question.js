// What the questions about a picture share: one request at a time, and a place where its answer is told.

import { el } from "./dom.js";
import { errorMessage } from "./words.js";

export const waiting = text => el("p", { class: "quiet working", text });
export const faultLine = fault => el("p", { class: "note", text: errorMessage(fault) });

export class Question {
  says = el("div", { class: "says", role: "status" });

  // Ends what is under way.
  stop() {
    this.request?.abort();
  }

  // A request's signal; the one before ends. text: what is told meanwhile.
  begin(text) {
    this.stop();
    this.request = new AbortController();
    this.says.replaceChildren(waiting(text));
    return this.request.signal;
  }

  // work(signal) returns the elements that tell the answer.
  async run(text, work) {
    const signal = this.begin(text);
    try {
      this.says.replaceChildren(...(await work(signal)));
    } catch (fault) {
      if (fault.name !== "AbortError") this.says.replaceChildren(faultLine(fault));
    }
  }
}
