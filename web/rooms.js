// Rooms and their live recordings, a card for each.

import { post } from "./api.js";
import { element, reconcile, say, show } from "./elements.js";
import { duration, listing } from "./format.js";

/** States of a recording that takes in media. */
const LIVE = ["starting", "active", "paused", "interrupted"];

/** Those of them in which it can be told to pause or to go on. */
const PAUSABLE = ["active", "paused"];

/** What a recording does that takes in nothing. */
const STATES = { paused: "Paused", interrupted: "Interrupted" };

/** What a track is called, by its source. */
const TRACKS = {
  camera: "camera",
  microphone: "microphone",
  screen_share: "screen",
  screen_share_audio: "sound of the screen",
};

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
  const people = element("ul", { className: "people" });
  const nobody = element("p", { className: "quiet" }, "Nobody is in it.");
  const problem = element("p", { className: "notice bad", role: "alert", hidden: true });
  const button = element("button", { type: "button" });
  const pause = element("button", { type: "button" });
  const child = element(
    "li",
    { className: "card" },
    element("div", { className: "head" }, title, origin, live),
    people,
    nobody,
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
      one.disabled = Boolean(busy);
      one.setAttribute("aria-label", `${one.textContent}: ${room.name}`);
    }
    button.className = state ? "" : "primary";
    show(pause, PAUSABLE.includes(state));
  };
  const ask = async (asked, path, text) => {
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
    show(origin, room.source in ORIGINS);
    show(live, Boolean(room.recording));
    began = Date.now() - (room.recording?.durationMs ?? 0);
    child.tick();
    showPeople(people, room.participants);
    show(nobody, room.participants.length === 0);
    showButtons();
  };
  return child;
}

function liveText(state, milliseconds) {
  if (state === "starting") return "Starting";
  return `${STATES[state] ?? "Recording"}, ${duration(milliseconds / 1_000)}`;
}

function showPeople(list, participants) {
  reconcile(
    list,
    participants,
    (one) => one.identity || one.id,
    () => element("li", {}, element("b"), " ", element("span", { className: "quiet" })),
    (child, one) => {
      say(child.querySelector("b"), one.name || one.identity);
      say(child.querySelector("span"), listing((one.tracks ?? []).map(trackText)));
    },
  );
}

function trackText({ source, kind, width, height, muted }) {
  const size = width && height ? ` ${width} × ${height}` : "";
  return `${TRACKS[source] ?? kind ?? "track"}${size}${muted ? " (muted)" : ""}`;
}
