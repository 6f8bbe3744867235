// The first page: rooms, what is recorded, what is being stored, what was recorded.
//
// ?room= fills in the room to be recorded.

import { ApiError, get, key, post } from "./api.js";
import { byId, element, keyForm, say, show } from "./elements.js";
import { isLive, joined, showRooms, tickRooms } from "./rooms.js";
import { normal, showRecordings } from "./recordings.js";
import { showUploads, tickUploads, worthShowing } from "./uploads.js";

/** Time from one look at the server to the next, ms. */
const PERIOD = 2_000;
/** Recordings in the list at first, and how many more at each wish; the most of one answer. */
const PAGE = 20;
const MOST = 500;

const start = byId("start");
let limit = PAGE;
let seenAt = null;
/** What `GET /v1/info` tells, once it does. */
let info = null;
/** Whether nothing can be shown without a key that was not entered yet. */
let locked = false;

/** What is answered for paths that no key opens. */
const CLOSED = new ApiError(
  403,
  "Rooms and live recordings are shown only where an operator key is configured (auth.operator_key).",
  { code: "no_operator_key" },
);

const askForKey = keyForm(byId("key"), key, () => refresh());

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
  const closed = info?.operators === "closed";
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
  if (!rooms.error || !status.error) {
    const joint = joined(rooms.value?.rooms ?? [], status.value?.sessions ?? []);
    showRooms(byId("rooms"), joint, refresh);
    show(byId("no-rooms"), joint.length === 0);
    const live = joint.filter((room) => room.recording).length;
    document.title = live > 0 ? `● ${live} recording · Tapedeck` : "Tapedeck";
  }
  if (!uploads.error) {
    const shown = worthShowing(uploads.value.uploads);
    showUploads(byId("uploads"), shown, refresh);
    show(byId("more-uploads"), shown.length > 0 && Boolean(uploads.value.nextCursor));
    show(byId("on-their-way"), shown.length > 0);
  }
  if (!finished.error) {
    const recordings = finished.value.recordings.map(normal).filter((one) => !isLive(one));
    showRecordings(byId("recordings"), recordings, { confirm, refresh });
    show(byId("no-recordings"), recordings.length === 0);
    show(byId("more"), Boolean(finished.value.nextCursor) && limit < MOST);
  }
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
  const text = unreachable ? `The server does not answer.${since}` : (other?.message ?? "");
  byId("trouble").classList.toggle("bad", other !== CLOSED);
  say(byId("trouble"), text);
  show(byId("trouble"), Boolean(text));
}

/** Asks whether a recording may be deleted. */
function confirm(recording) {
  const dialog = byId("confirm");
  say(byId("confirm-what"), `${recording.name} cannot be brought back.`);
  dialog.returnValue = "keep";
  dialog.showModal();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "delete"), {
      once: true,
    });
  });
}

async function startByName(event) {
  event.preventDefault();
  const room = start.room.value.trim();
  const problem = byId("start-problem");
  const button = start.querySelector("button");
  const wish = { roomName: room };
  if (!byId("source-choice").hidden) wish.source = start.source.value;
  button.disabled = true;
  show(problem, false);
  say(byId("started"), "Starting …");
  try {
    await post("/recordings/start", wish);
    say(byId("started"), `${room} is being recorded.`);
    start.reset();
  } catch (error) {
    say(byId("started"), "");
    const publish = element("a", { href: `/publish?room=${encodeURIComponent(room)}` });
    publish.append("Publish to it");
    problem.replaceChildren(error.message, ...(error.status === 404 ? [" ", publish] : []));
    show(problem, true);
    if (error.needsKey) askForKey(error.message);
  }
  button.disabled = false;
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
}

start.addEventListener("submit", startByName);
start.room.value = new URLSearchParams(location.search).get("room") ?? "";
say(byId("whip-address"), `${location.origin}/whip/ROOM`);
byId("more").addEventListener("click", () => {
  limit = Math.min(MOST, limit + PAGE);
  refresh();
});
document.addEventListener("visibilitychange", () => document.hidden || refresh());
setInterval(() => document.hidden || looking || locked || refresh(), PERIOD);
setInterval(() => {
  tickRooms(byId("rooms"));
  tickUploads(byId("uploads"));
}, 500);
refresh();
