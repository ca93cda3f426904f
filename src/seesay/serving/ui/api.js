// Calls to the server, and whether it is there.

export const events = new EventTarget();
let gone = false;

export class ApiError extends Error {
  constructor(status, { message = "", type, code } = {}) {
    super(message);
    Object.assign(this, { status, type, code });
  }
}

const pause = ms => new Promise(done => setTimeout(done, ms));

// blob: the answer is a file.
export async function call(method, path, body, { signal, blob = false } = {}) {
  for (let attempt = 0; ; attempt++) {
    let answer,
      said = null;
    try {
      const headers = body === undefined ? {} : { "Content-Type": "application/json" };
      answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
      if (answer.headers.get("Content-Type")?.startsWith("application/json")) said = await answer.json();
      else if (blob && answer.ok) said = await answer.blob();
    } catch (fault) {
      if (fault.name === "AbortError") throw fault;
      lost();
      throw new ApiError(0);
    }
    if (answer.status === 429 && attempt < 3) {
      await pause(1000 * Number(answer.headers.get("Retry-After") || 1));
      if (signal?.aborted) throw new DOMException("", "AbortError");
      continue;
    }
    if (answer.status === 401 && path !== "/v1/session") events.dispatchEvent(new Event("key"));
    if (answer.status === 204) return null;
    if (!answer.ok) throw new ApiError(answer.status, said?.error ?? { message: answer.statusText });
    if (said && answer.status === 202) said.accepted = true;
    return said;
  }
}

export const get = (path, options) => call("GET", path, undefined, options);
export const post = (path, body, options) => call("POST", path, body, options);

export const thumbnail = (id, px) => `/v1/items/${id}/thumbnail?px=${px}`;
// The smallest of the sizes that a server makes that is sharp at so many pixels of this screen.
export const sharp = px => [160, 320, 640].find(size => size >= px * (window.devicePixelRatio || 1) * 0.9) ?? 640;

// Asks until the server answers again.
async function lost() {
  if (gone) return;
  gone = true;
  events.dispatchEvent(new Event("gone"));
  for (;;) {
    await pause(2000);
    if (
      await fetch("/v1/session").then(
        answer => answer.ok,
        () => false,
      )
    )
      break;
  }
  gone = false;
  events.dispatchEvent(new Event("back"));
}
