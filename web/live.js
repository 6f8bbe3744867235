// What changes at the server, told as it changes: server-sent events, read by fetch, since a browser's
// own EventSource cannot send a key.

import { ApiError, request } from "./api.js";

/** How long the server says nothing before it is taken for gone, ms: it says something every 15 s. */
const SILENCE = 40_000;

/** How long to wait before connecting again unless the server says otherwise, ms. */
const RETRY = 2_000;

/** How long a page that nobody sees stays connected, ms: browsers allow a server six connections. */
const UNSEEN = 20_000;

/** How long to wait where streams are not possible at all, ms. */
const SELDOM = 60_000;

/**
 * Follows `GET /v1/events` for as long as somebody sees the page.
 *
 * @param onEvent called with the topic and its data
 * @param onState called with whether events come
 * @returns what makes it connect at once, with another key for instance
 */
export function follow(onEvent, onState) {
  let retry = RETRY;
  let current = null;
  let wake = () => {};

  const connect = async () => {
    const closing = new AbortController();
    current = closing;
    let timer = 0;
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => closing.abort(), SILENCE);
    };
    try {
      alive();
      const response = await request("/v1/events", { signal: closing.signal });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return retry;
        alive();
        text += value;
        const blocks = text.split("\n\n");
        text = blocks.pop();
        for (const block of blocks) {
          const { event, data, wait } = fields(block);
          if (wait) retry = wait;
          if (!event) continue;
          onState(true);
          onEvent(event, JSON.parse(data));
        }
      }
    } catch (error) {
      if (!(error instanceof ApiError)) return retry;
      return error.passes ? Math.max(retry, error.retryAfter * 1_000) : SELDOM;
    } finally {
      clearTimeout(timer);
      onState(false);
    }
  };

  let unseen = 0;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(unseen);
    if (document.hidden) unseen = setTimeout(() => current?.abort(), UNSEEN);
    else wake();
  });
  const run = async () => {
    for (;;) {
      while (document.hidden) await new Promise((resolve) => (wake = resolve));
      const wait = await connect();
      await new Promise((resolve) => {
        wake = resolve;
        setTimeout(resolve, wait);
      });
    }
  };
  run();
  return () => {
    current?.abort();
    wake();
  };
}

/** The fields of one event; comments are passed over. */
function fields(block) {
  const found = { event: "", data: "", wait: 0 };
  for (const line of block.split("\n")) {
    const at = line.indexOf(": ");
    const [name, value] = [line.slice(0, at), line.slice(at + 2)];
    if (name === "event") found.event = value;
    if (name === "data") found.data += value;
    if (name === "retry") found.wait = Number(value);
  }
  return found;
}
