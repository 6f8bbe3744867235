// Rooms and their live recordings, a card for each.

import { post } from "./api.js";
import { element, reconcile, say, show } from "./elements.js";
import { bytes, duration, listing } from "./format.js";
import { moving } from "./pictures.js";
import { showStory } from "./stories.js";
import { TRACKS, warnings } from "./warnings.js";

/** States of a recording that takes in media. */
const LIVE = ["starting", "active", "paused", "interrupted"];

/** Those of them in which it can be told to pause or to go on. */
const PAUSABLE = ["active", "paused"];

/** What a recording does that takes in nothing. */
const STATES = { paused: "Paused", interrupted: "Interrupted" };

/** What rooms of elsewhere are tagged with, by where they live. */
const ORIGINS = { livekit: "LiveKit", agora: "Agora" };

/** Whether a recording takes in media. */
export const isLive = (recording) => LIVE.includes(recording.state);

/**
 * Rooms of this server and rooms of elsewhere that are recorded, by name.
 *
 * @param rooms of `GET /v1/rooms`
 * @param sessions of `GET /status`
 */
export function joined(rooms, sessions) {
  const all = new Map();
  const entry = (source, name) => {
    const identity = `${source}:${name}`;
    if (!all.has(identity)) all.set(identity, { identity, source, name, participants: [] });
    return all.get(identity);
  };
  for (const room of rooms) {
    entry(room.source ?? "whip", room.name).participants = room.participants ?? [];
  }
  for (const session of sessions.filter(isLive)) {
    const room = entry(session.source ?? "livekit", session.roomName);
    room.recording = session;
    if (room.participants.length === 0) room.participants = session.capture?.participants ?? [];
  }
  return [...all.values()].sort((one, other) => one.name.localeCompare(other.name));
}

/** Lets the lengths of live recordings go on between two looks at the server. */
export function tickRooms(list) {
  for (const child of list.children) child.tick();
}

/** Shows rooms in a list; `refresh` is called when something was started or stopped. */
export function showRooms(list, rooms, refresh) {
  reconcile(
    list,
    rooms,
    (room) => room.identity,
    (room) => card(room, refresh),
    (child, room) => child.update(room),
  );
}

function card(first, refresh) {
  let room = first;
  const title = element("h3", {}, room.name);
  const origin = element("span", { className: "tag" }, ORIGINS[room.source] ?? "");
  const live = element("p", { className: "live" });
  const preview = livePicture(room.name);
  const faults = element("ul", { className: "faults", ariaLabel: `Warnings: ${room.name}` });
  const people = element("ul", { className: "people" });
  const nobody = element("p", { className: "quiet" }, "Nobody is in it.");
  const facts = element("p", { className: "quiet facts" });
  const past = element("div", { className: "story" });
  const problem = element("p", { className: "notice bad", role: "alert", hidden: true });
  const button = element("button", { type: "button" });
  const pause = element("button", { type: "button" });
  const child = element(
    "li",
    { className: "card" },
    preview.node,
    element("div", { className: "head" }, title, origin, live),
    faults,
    people,
    nobody,
    facts,
    past,
    element("div", { className: "actions" }, button, pause),
    problem,
  );
  let busy = null;

  const showButtons = () => {
    const state = room.recording?.state;
    const texts = [
      [button, state ? "Stop recording" : "Start recording"],
      [pause, state === "paused" ? "Resume" : "Pause"],
    ];
    for (const [one, text] of texts) {
      say(one, busy?.button === one ? busy.text : text);
      // One that is disabled would lose the focus.
      one.setAttribute("aria-disabled", String(Boolean(busy)));
      one.setAttribute("aria-label", `${one.textContent}: ${room.name}`);
    }
    button.className = state ? "" : "primary";
    if (!busy) show(pause, PAUSABLE.includes(state));
  };
  const ask = async (asked, path, text) => {
    if (busy) return;
    busy = { button: asked, text };
    show(problem, false);
    showButtons();
    try {
      await post(`/recordings/${path}`, { roomName: room.name, source: room.source });
    } catch (error) {
      say(problem, error.message);
      show(problem, true);
    }
    await refresh();
    busy = null;
    if (asked === pause && !PAUSABLE.includes(room.recording?.state)) button.focus();
    showButtons();
  };
  button.addEventListener("click", () =>
    room.recording ? ask(button, "stop", "Stopping …") : ask(button, "start", "Starting …"),
  );
  pause.addEventListener("click", () =>
    room.recording?.state === "paused"
      ? ask(pause, "resume", "Resuming …")
      : ask(pause, "pause", "Pausing …"),
  );

  let began = null;
  child.tick = () => {
    if (!room.recording) return;
    const { state, durationMs } = room.recording;
    const length = state === "paused" ? (durationMs ?? 0) : Date.now() - began;
    say(live, liveText(state, length));
  };
  child.update = (next) => {
    room = next;
    const { recording } = room;
    child.classList.toggle("recorded", Boolean(recording));
    show(origin, room.source in ORIGINS);
    show(live, Boolean(recording));
    live.dataset.state = recording?.state ?? "";
    began = Date.now() - (recording?.durationMs ?? 0);
    child.tick();
    preview.show(recording);
    showFaults(faults, recording ? warnings(recording) : []);
    showPeople(people, room.participants, levels(recording));
    show(nobody, room.participants.length === 0);
    say(facts, recording ? factsText(recording) : "");
    show(facts, Boolean(facts.textContent));
    showStory(past, recording);
    showButtons();
  };
  return child;
}

function liveText(state, milliseconds) {
  if (state === "starting") return "Starting";
  return `${STATES[state] ?? "Recording"}, ${duration(milliseconds / 1_000)}`;
}

/** Whether a recording has a picture. */
const hasPicture = ({ output }) => output?.format !== "wav" && !output?.audioOnly;

/** What the file of a live recording looks like just now. */
function livePicture(name) {
  const image = element("img", { alt: `The recording of ${name} a moment ago`, hidden: true });
  const text = element("figcaption", {}, "The picture comes in a moment");
  const node = element("figure", { className: "preview", hidden: true }, image, text);
  let shown = null;
  let stop = null;
  return {
    node,
    show(recording) {
      const id = recording && hasPicture(recording) ? recording.id : null;
      if (id === shown) return;
      shown = id;
      stop?.();
      stop = null;
      show(image, false);
      show(text, true);
      show(node, Boolean(id));
      if (!id) return;
      stop = moving(image, `/v1/recordings/${id}/preview`, (isThere) => {
        show(image, isThere);
        show(text, !isThere);
      });
    },
  };
}

function showFaults(list, texts) {
  const make = (text) => element("li", { className: "notice" }, text);
  // The figures in a text change, its place does not.
  const items = texts.map((text, index) => ({ text, index }));
  reconcile(list, items, ({ index }) => String(index), ({ text }) => make(text), (child, { text }) => say(child, text));
  show(list, texts.length > 0);
}

/** What a recording costs, and how it is. */
function factsText({ capture, render, processes = [], output }) {
  const cores = processes.reduce((sum, process) => sum + process.cpuCores, 0);
  const memory = processes.reduce((sum, process) => sum + process.memoryBytes, 0);
  const kind = output?.format === "wav" ? "WAV" : output?.audioOnly ? "sound only" : "";
  return [
    kind,
    render ? `${bytes(render.bytes)} so far` : "",
    processes.length > 0 ? `${cores.toFixed(2)} cores` : "",
    processes.length > 0 ? bytes(memory) : "",
    render?.lagMs > 0 ? `file ${(render.lagMs / 1_000).toFixed(1)} s behind` : "",
    capture?.reconnects > 0 ? `reconnected ${capture.reconnects} ×` : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

/** How loud each track, and each participant without tracks, is, from 0 to 100. */
function levels(recording) {
  const found = new Map();
  for (const track of recording?.render?.tracks ?? []) {
    if (track.level != null) found.set(track.id, track.level);
  }
  for (const one of recording?.capture?.participants ?? []) {
    const heard = (one.tracks ?? []).map((track) => found.get(track.id)).filter((it) => it != null);
    const level = one.level ?? (heard.length > 0 ? Math.max(...heard) : null);
    if (level != null) found.set(one.identity, level);
  }
  return found;
}

function showPeople(list, participants, known) {
  reconcile(
    list,
    participants,
    (one) => one.identity || one.id,
    (one) => person(one),
    (child, one) => {
      const name = one.name || one.identity;
      say(child.querySelector("b"), name);
      say(child.querySelector("span"), listing((one.tracks ?? []).map(trackText)));
      const meter = child.querySelector(".level");
      const level = known.get(one.identity);
      show(meter, level != null);
      meter.setAttribute("aria-label", `Level of ${name}`);
      meter.setAttribute("aria-valuenow", String(level ?? 0));
      meter.firstElementChild.style.clipPath = `inset(0 ${100 - (level ?? 0)}% 0 0)`;
    },
  );
}

function person() {
  const meter = element("div", { className: "level", role: "meter", hidden: true }, element("span"));
  meter.setAttribute("aria-valuemin", "0");
  meter.setAttribute("aria-valuemax", "100");
  const words = element("p", {}, element("b"), " ", element("span", { className: "quiet" }));
  return element("li", {}, words, meter);
}

function trackText({ source, kind, width, height, muted }) {
  const size = width && height ? ` ${width}\u00a0×\u00a0${height}` : "";
  return `${TRACKS[source] ?? kind ?? "track"}${size}${muted ? " (muted)" : ""}`;
}
