// Fetching and playing a recording.

import { get, key, request } from "./api.js";
import { element, say } from "./elements.js";
import { bytes } from "./format.js";

/** A file so large is not fetched whole without being asked for, bytes. */
const LARGE = 200e6;

/** The address of a recording's file. */
export const address = (name) => `/recordings/${encodeURIComponent(name)}`;

/**
 * Where the browser can fetch a file by itself, which sends no key: its own address, or a link that
 * is signed for some hours. None where only a key opens it.
 */
async function source({ id, name }) {
  if (!key.get()) return address(name);
  const link = id ? await get(`/v1/recordings/${encodeURIComponent(id)}/link`).catch(() => null) : null;
  if (link) return link.url;
  const answer = await fetch(address(name), { method: "HEAD" }).catch(() => null);
  return answer?.ok ? address(name) : null;
}

/** Fetches a file whole, with the key. `tell` is told bytes so far. */
async function fetched(recording, signal, tell) {
  const response = await request(address(recording.name), { signal });
  const reader = response.body.getReader();
  const parts = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    tell(length);
  }
  return URL.createObjectURL(new Blob(parts, { type: recording.name.endsWith(".wav") ? "audio/wav" : "video/mp4" }));
}

/**
 * A player that begins by itself.
 *
 * @returns `{node, close}`
 */
export function player(recording) {
  const text = element("p", { role: "status", hidden: true });
  const ask = element("button", { type: "button", hidden: true }, "Fetch and play");
  const video = element(recording.isSound ? "audio" : "video", { controls: true, preload: "metadata", playsInline: true });
  video.setAttribute("aria-label", recording.name);
  const node = element("div", { className: "player" }, video, text, ask);
  const closing = new AbortController();
  let blob = null;

  const play = (source) => {
    video.src = source;
    // Where the browser plays nothing unasked, the controls are there.
    video.play().catch(() => {});
  };
  video.addEventListener("error", () => {
    tell(`The file cannot be played: ${video.error?.message || "the browser does not say why"}`);
  });
  // A file without a picture needs no room for one.
  video.addEventListener("loadedmetadata", () => {
    video.classList.toggle("sound", !recording.isSound && !video.videoWidth);
  });
  const tell = (words) => {
    say(text, words);
    text.hidden = !words;
  };
  const fetchAll = async () => {
    ask.hidden = true;
    try {
      blob = await fetched(recording, closing.signal, (length) => {
        tell(`Fetching: ${bytes(length)} of ${bytes(recording.size)}`);
      });
      tell("");
      play(blob);
    } catch (error) {
      if (!closing.signal.aborted) tell(error.message);
    }
  };
  ask.addEventListener("click", fetchAll);
  source(recording).then((found) => {
    if (closing.signal.aborted) return;
    if (found) play(found);
    else if (recording.size < LARGE) fetchAll();
    else {
      ask.hidden = false;
      tell(
        `With a key the browser must fetch all of a file before it plays; this one has ${bytes(recording.size)}.`,
      );
    }
  });
  return {
    node,
    close() {
      closing.abort();
      video.pause();
      video.removeAttribute("src");
      video.load();
      node.remove();
      if (blob) URL.revokeObjectURL(blob);
    },
  };
}

/** Saves a file as a download. `tell` is told words about its progress. */
export async function save(recording, tell) {
  const found = await source(recording);
  const link = element("a", { href: found ?? "", download: recording.name });
  if (!found) {
    link.href = await fetched(recording, null, (length) => {
      tell(`Fetching: ${bytes(length)} of ${bytes(recording.size)}`);
    });
    // The browser has its copy by then.
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
  tell("");
  link.click();
}
