// The first page: rooms, what is recorded, what is being stored, what was recorded.
//
// ?room= fills in the room to be recorded.

import { ApiError, get, key, post } from "./api.js";
import { byId, element, keyForm, say, show } from "./elements.js";
import { follow } from "./live.js";
import { showOverview } from "./overview.js";
import { isLive, joined, showRooms, tickRooms } from "./rooms.js";
import { normal, showRecordings } from "./recordings.js";
import { showUploads, tickUploads, worthShowing } from "./uploads.js";

/** Time from one look at the server to the next while it does not tell by itself, ms. */
const PERIOD = 2_000;
/** Recordings in the list at first, and how many more at each wish; the most of one answer. */
const PAGE = 20;
const MOST = 500;

/** What is recorded of a room, by the choice of the form. */
const FORMATS = {
  video: {},
  sound: { audioOnly: true },
  wav: { format: "wav" },
  speakers: { format: "wav", perSpeaker: true },
};

const start = byId("start");
let limit = PAGE;
let seenAt = null;
/** What `GET /v1/info` tells, once it does. */
let info = null;
/** Whether nothing can be shown without a key that was not entered yet. */
let locked = false;
/** Whether the server tells by itself what changes. */
let told = false;
/** The newest of each that the server told: status, rooms, uploads, finished, disk. */
const known = {};

/** What is answered for paths that no key opens. */
const CLOSED = new ApiError(
  403,
  "Rooms and live recordings are shown only where an operator key is configured (auth.operator_key).",
  { code: "no_operator_key" },
);

const askForKey = keyForm(byId("key"), key, () => {
  refresh();
  connect();
});

/** A part of the page's knowledge: `{value}` or `{error}`. */
const part = (promise) =>
  promise.then(
    (value) => ({ value }),
    (error) => ({ error }),
  );

let looking = null;

/** Looks at the server once more, after the look that is under way. */
function refresh() {
  const before = looking;
  const mine = (before ?? Promise.resolve()).then(look).finally(() => {
    if (looking === mine) looking = null;
  });
  looking = mine;
  return mine;
}

async function look() {
  if (!info) await learn();
  const closed = info?.operators === "closed" && !key.get();
  const operators = (path) => (closed ? Promise.resolve({ error: CLOSED }) : part(get(path)));
  const [rooms, status, all, uploads] = await Promise.all([
    operators("/v1/rooms"),
    operators("/status"),
    operators(`/v1/recordings?limit=${limit}`),
    operators(`/v1/uploads?limit=${PAGE}`),
  ]);
  // Who may not see everything may see what is finished.
  const finished = all.error && all.error.status !== 0 ? await part(get("/recordings")) : all;
  showTrouble([rooms, status, all, finished]);
  for (const [name, { value }] of Object.entries({ rooms, status, uploads, finished })) {
    if (value) known[name] = value;
  }
  paint();
}

/** What the server tells by itself: a topic and what is true of it now. */
function hear(topic, value) {
  seenAt = Date.now();
  if (topic === "recordings") {
    if (limit > PAGE) return void refresh();
    known.finished = value;
  } else if (topic === "trouble") {
    tell(value.messages.map((message) => `This cannot be told now: ${message}`).join(" "));
  } else {
    known[topic] = value;
  }
  paint();
}

let painting = false;

/** Shows what is known, once for all that came at the same time. */
function paint() {
  if (painting) return;
  painting = true;
  queueMicrotask(() => {
    painting = false;
    showKnown();
  });
}

function showKnown() {
  const { rooms, status, uploads, finished } = known;
  showOverview(known);
  if (rooms || status) {
    const joint = joined(rooms?.rooms ?? [], status?.sessions ?? []);
    showRooms(byId("rooms"), joint, refresh);
    show(byId("no-rooms"), joint.length === 0);
    suggest(joint.filter((room) => !room.recording));
    const live = joint.filter((room) => room.recording).length;
    document.title = live > 0 ? `● ${live} recording · Tapedeck` : "Tapedeck";
  }
  if (uploads) {
    const shown = worthShowing(uploads.uploads);
    showUploads(byId("uploads"), shown, refresh);
    show(byId("more-uploads"), shown.length > 0 && Boolean(uploads.nextCursor));
    show(byId("on-their-way"), shown.length > 0);
  }
  if (finished) {
    const recordings = finished.recordings.map(normal).filter((one) => !isLive(one));
    showRecordings(byId("recordings"), recordings, { confirm, refresh });
    show(byId("no-recordings"), recordings.length === 0);
    show(byId("more"), Boolean(finished.nextCursor) && limit < MOST);
  }
}

/** Rooms that can be chosen to be recorded. */
function suggest(rooms) {
  const list = byId("known-rooms");
  const names = rooms.map((room) => room.name).join("\n");
  if (list.dataset.names === names) return;
  list.dataset.names = names;
  list.replaceChildren(...rooms.map((room) => element("option", { value: room.name })));
}

function showTrouble([rooms, status, all, finished]) {
  const errors = [rooms, status, all, finished].map((one) => one.error).filter(Boolean);
  const unreachable = errors.find((error) => error.status === 0);
  if (!unreachable) seenAt = Date.now();
  const barred = errors.find((error) => error.needsKey);
  locked = Boolean(barred && finished.error);
  if (locked) {
    askForKey(barred.withKey ? barred.message : "This server needs a key.");
  } else {
    askForKey(barred ? "Rooms and live recordings are shown to holders of the operator key." : "");
  }
  const other = errors.find((error) => !error.needsKey);
  const since = seenAt ? ` What you see is from ${new Date(seenAt).toLocaleTimeString()}.` : "";
  byId("trouble").classList.toggle("bad", other !== CLOSED);
  tell(unreachable ? `The server does not answer.${since}` : (other?.message ?? ""));
  showConnection({ unreachable, closed: other === CLOSED });
}

function tell(text) {
  say(byId("trouble"), text);
  show(byId("trouble"), Boolean(text));
}

/** Whether what is shown is true just now. */
function showConnection({ unreachable = false, closed = false } = {}) {
  const shown = byId("connection").firstElementChild;
  const [kind, text] = told
    ? ["live", "Live"]
    : unreachable
      ? ["connecting", "Not connected"]
      : closed || locked
        ? ["idle", "Limited view"]
        : ["connecting", "Connecting"];
  shown.dataset.kind = kind;
  say(shown, text);
}

/** Who waits for the answer of the dialog. */
let answered = () => {};

/** Asks whether a recording may be deleted. */
function confirm(recording) {
  const dialog = byId("confirm");
  answered(false);
  say(byId("confirm-what"), `${recording.name} cannot be brought back.`);
  dialog.returnValue = "keep";
  dialog.showModal();
  return new Promise((resolve) => (answered = resolve));
}

byId("confirm").addEventListener("close", ({ target }) => {
  // It may have been opened again before this was told.
  if (!target.open) answered(target.returnValue === "delete");
});

async function startByName(event) {
  event.preventDefault();
  const room = start.room.value.trim();
  const problem = byId("start-problem");
  const button = start.querySelector("button");
  if (button.ariaDisabled === "true") return;
  const wish = { roomName: room };
  if (!byId("source-choice").hidden) wish.source = start.source.value;
  if (!byId("format-choice").hidden) Object.assign(wish, FORMATS[start.format.value]);
  // One that is disabled would lose the focus.
  button.ariaDisabled = "true";
  show(problem, false);
  say(byId("started"), "Starting …");
  try {
    await post("/recordings/start", wish);
    say(byId("started"), `${room} is being recorded.`);
    start.room.value = "";
  } catch (error) {
    say(byId("started"), "");
    const publish = element("a", { href: `/publish?room=${encodeURIComponent(room)}` });
    publish.append("Publish to it");
    problem.replaceChildren(error.message, ...(error.status === 404 ? [" ", publish] : []));
    show(problem, true);
    if (error.needsKey) askForKey(error.message);
  }
  button.ariaDisabled = "false";
  await refresh();
}

/** What the server can do decides what is offered. */
async function learn() {
  info = (await part(get("/v1/info"))).value ?? null;
  const sources = info?.sources ?? [];
  show(byId("source-choice"), sources.length > 1);
  for (const choice of start.source.options) {
    choice.hidden = choice.disabled = !sources.includes(choice.value);
  }
  if (info?.defaultSource) start.source.value = info.defaultSource;
  offerFormats();
}

/** Of channels of Agora there is one kind of file. */
function offerFormats() {
  show(byId("format-choice"), start.source.value !== "agora");
}

start.addEventListener("submit", startByName);
start.source.addEventListener("change", offerFormats);
start.room.value = new URLSearchParams(location.search).get("room") ?? "";
say(byId("whip-address"), `${location.origin}/whip/ROOM`);
byId("more").addEventListener("click", () => {
  limit = Math.min(MOST, limit + PAGE);
  refresh();
});
const connect = follow(hear, (state) => {
  if (state === told) return;
  told = state;
  // What was in the way before is over; or a look tells what is.
  if (told) tell("");
  else if (!document.hidden) refresh();
  showConnection();
});
document.addEventListener("visibilitychange", () => document.hidden || refresh());
setInterval(() => told || document.hidden || looking || locked || refresh(), PERIOD);
setInterval(() => {
  tickRooms(byId("rooms"));
  tickUploads(byId("uploads"));
}, 500);
refresh();
