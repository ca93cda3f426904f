// Calls to the server, and events on whether it can be reached: `gone`, `back`, and `key` where it requires one.

export const events = new EventTarget();
let unreachable = false;

export class ApiError extends Error {
  constructor(status, { message = "", type, code } = {}) {
    super(message);
    Object.assign(this, { status, type, code });
  }
}

export const pause = ms => new Promise(done => setTimeout(done, ms));

// Returns the answer's JSON (`accepted` is true for a 202), or a Blob if `blob` is set. A busy server is asked again, three times.
// Throws ApiError, with status 0 if there was no answer.
export async function call(method, path, body, { signal, blob = false } = {}) {
  for (let attempt = 0; ; attempt++) {
    let answer,
      content = null;
    try {
      const headers = body === undefined ? {} : { "Content-Type": "application/json" };
      answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
      if (answer.headers.get("Content-Type")?.startsWith("application/json")) content = await answer.json();
      else if (blob && answer.ok) content = await answer.blob();
    } catch (fault) {
      if (fault.name === "AbortError") throw fault;
      waitForServer();
      throw new ApiError(0);
    }
    if (answer.status === 429 && attempt < 3) {
      await pause(1000 * Number(answer.headers.get("Retry-After") || 1));
      if (signal?.aborted) throw new DOMException("", "AbortError");
      continue;
    }
    if (answer.status === 401 && path !== "/v1/session") events.dispatchEvent(new Event("key"));
    if (answer.status === 204) return null;
    if (!answer.ok) throw new ApiError(answer.status, content?.error ?? { message: answer.statusText });
    if (content && answer.status === 202) content.accepted = true;
    return content;
  }
}

export const get = (path, options) => call("GET", path, undefined, options);
export const post = (path, body, options) => call("POST", path, body, options);

export const thumbnail = (id, px) => `/v1/items/${id}/thumbnail?px=${px}`;
// The smallest thumbnail size that is sharp at so many CSS pixels of this screen.
export const sharp = px => [160, 320, 640].find(size => size >= px * (window.devicePixelRatio || 1) * 0.9) ?? 640;

// Asks until the server answers again.
async function waitForServer() {
  if (unreachable) return;
  unreachable = true;
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
  unreachable = false;
  events.dispatchEvent(new Event("back"));
}
