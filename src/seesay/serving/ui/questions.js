// All that can be asked about a picture, one below the other.

import { el } from "./dom.js";
import { Names } from "./names.js";
import { Prompt } from "./prompt.js";
import { Where } from "./where.js";

// item: the picture as requests name it; image: its <img>; names: what Names needs to know. Returns the questions, and their place.
export function questionsAbout(item, image, names) {
  const questions = [new Where(item, image), new Prompt(item), new Names(item, names)];
  return {
    questions,
    place: el(
      "div",
      { class: "questions" },
      questions.map(question => question.place),
    ),
  };
}
