// The page that publishes to a room.
//
// ?room=, ?name= and ?source=camera|screen|test fill the form in, ?start=1 publishes at once;
// ?pitch= (Hz) is for the test picture.

import { key } from "./api.js";
import { DeviceError, devicesAllowed, devicesToChoose, openCamera, openScreen } from "./devices.js";
import { byId, element, keyForm, say, show } from "./elements.js";
import { duration } from "./format.js";
import { watchLevel } from "./level.js";
import { Publisher } from "./publisher.js";
import { Sent } from "./sent.js";
import { PITCHES, TestCard, pitchOf } from "./testcard.js";

const REMEMBERED = "tapedeck.publish";

const form = byId("wish");
const preview = byId("preview");
const query = new URLSearchParams(location.search);

/** Whether there is a choice of cameras or microphones. */
let choice = false;
/** What is being published, or null: `{publisher, source, stop}`. */
let running = null;
/** Where the publisher stands, as it says itself. */
let state = { kind: "idle" };
/** Reads the figures of the present connection. */
let sent = null;

/** A name for somebody who has not said it; names tell participants apart. */
const anybody = () => `Guest ${Math.floor(1_000 + 9_000 * Math.random())}`;

function fillIn() {
  let remembered = {};
  try {
    remembered = JSON.parse(localStorage.getItem(REMEMBERED)) ?? {};
  } catch {
    // What cannot be read is as good as nothing.
  }
  form.room.value = query.get("room") ?? remembered.room ?? "studio";
  form.name.value = query.get("name") ?? remembered.name ?? anybody();
  const fallback = devicesAllowed() ? (remembered.source ?? "camera") : "test";
  form.source.value = query.get("source") ?? fallback;
  if (!form.source.value) form.source.value = fallback;
  const pitches = new Set(PITCHES);
  const asked = Number(query.get("pitch"));
  if (asked >= 50 && asked <= 8_000) pitches.add(asked);
  byId("pitch").append(
    ...[...pitches].sort((a, b) => a - b).map((hertz) => new Option(`${hertz} Hz`, hertz)),
  );
  if (pitches.has(asked)) byId("pitch").value = asked;
}

function remember({ room, name, source }) {
  try {
    localStorage.setItem(REMEMBERED, JSON.stringify({ room, name, source }));
  } catch {
    // A browser that keeps nothing asks again.
  }
}

function showChoices() {
  const source = form.source.value;
  const busy = running !== null;
  show(byId("microphone-choice"), source === "screen" && devicesAllowed());
  show(byId("device-choice"), source === "camera" && choice);
  show(byId("pitch-choice"), source === "test");
  const barred = source !== "test" && !devicesAllowed();
  show(byId("insecure"), barred);
  byId("start").disabled = barred;
  swap(byId("start"), byId("stop"), busy);
  for (const field of form.querySelectorAll("input, select")) field.disabled = busy;
}

/** Offers devices as soon as the browser names them. */
async function offerDevices() {
  const { cameras, microphones } = await devicesToChoose();
  const offer = (list, devices) => {
    const before = list.value;
    list.replaceChildren(...devices.map(({ id, label }) => new Option(label, id)));
    if (devices.some(({ id }) => id === before)) list.value = before;
  };
  offer(byId("camera"), cameras);
  offer(byId("microphone-device"), microphones);
  choice = cameras.length > 1 || microphones.length > 1;
  showChoices();
}

/** Shows one of two buttons; the focus goes along. */
function swap(start, stop, busy) {
  const focused = [start, stop].includes(document.activeElement);
  show(start, !busy);
  show(stop, busy);
  if (focused) (busy ? stop : start).focus();
}

function explainTunnel() {
  const port = location.port || "80";
  // Only root may listen on the ports below 1024.
  const own = Number(port) < 1_024 ? "6080" : port;
  const { hostname, pathname, search } = location;
  say(byId("tunnel"), `ssh -L ${own}:localhost:${port} ${hostname}`);
  const address = `http://localhost:${own}${pathname}`;
  byId("tunnelled").href = `${address}${search}`;
  say(byId("tunnelled"), address);
}

function complain(text) {
  say(byId("problem"), text);
  show(byId("problem"), Boolean(text));
}

const askForKey = keyForm(byId("key"), key, () => begin());

/** The stream of the chosen source: `{stream, note, stop}`. */
async function open(wish) {
  if (wish.source === "test") {
    const card = new TestCard({ name: wish.name, pitch: wish.pitch || pitchOf(wish.name) });
    const hint = card.needsToBeSeen ? "Keep this tab in sight, or the picture stands still." : "";
    return { stream: card.stream, note: hint, stop: () => card.stop(), silent: () => card.silent };
  }
  const microphone = byId("microphone").checked;
  const chosen = { camera: byId("camera").value, microphone: byId("microphone-device").value };
  const { stream, note } =
    wish.source === "screen" ? await openScreen({ microphone }) : await openCamera(chosen);
  offerDevices();
  const stop = () => stream.getTracks().forEach((track) => track.stop());
  return { stream, note, stop, silent: () => false };
}

async function begin() {
  if (running || !form.reportValidity()) return;
  const wish = {
    room: form.room.value.trim(),
    name: form.name.value.trim(),
    source: form.source.value,
    pitch: Number(byId("pitch").value),
  };
  if (wish.source !== "test" && !devicesAllowed()) {
    showChoices();
    return;
  }
  remember(wish);
  complain("");
  askForKey("");
  running = { stop: () => {} };
  showChoices();
  setState("connecting", "Opening …");
  let source;
  try {
    source = await open(wish);
  } catch (error) {
    ended(error instanceof DeviceError ? error.message : `The browser says: ${error.message}`);
    return;
  }
  const media = wish.source === "screen" ? "screen" : "camera";
  const publisher = new Publisher({ ...wish, media }, source.stream, (next) => {
    // One that was stopped has no more say.
    if (running?.publisher === publisher) showState(next);
  });
  const stopLevel = watchLevel(source.stream, byId("level"));
  running = {
    publisher,
    source,
    stop() {
      publisher.stop();
      stopLevel();
      source.stop();
    },
  };
  showStream(source, wish);
  document.querySelector(".stage").scrollIntoView({ block: "nearest" });
  publisher.run();
}

function showStream({ stream, note }, { room, source }) {
  preview.srcObject = stream;
  show(preview, stream.getVideoTracks().length > 0);
  say(byId("nothing"), "Only sound is published.");
  show(byId("nothing"), preview.hidden);
  say(byId("note"), note);
  byId("record").href = `/?room=${encodeURIComponent(room)}`;
  for (const track of stream.getTracks()) {
    track.addEventListener("ended", () => {
      if (!stream.getTracks().every((other) => other.readyState === "ended")) {
        if (track.kind !== "video") return;
      }
      end(
        source === "screen"
          ? "Sharing of the screen was ended."
          : "The device is gone. Connect it again, then publish.",
      );
    });
  }
}

/** Ends it with a reason that the user did not choose, or with none. */
function end(reason = "") {
  if (!running) return;
  running.stop();
  ended(reason);
}

function ended(reason) {
  running = null;
  state = { kind: "idle" };
  preview.srcObject = null;
  show(preview, false);
  show(byId("nothing"), true);
  say(byId("nothing"), "The preview appears here.");
  say(byId("note"), "");
  show(byId("next"), false);
  byId("sent").replaceChildren();
  complain(reason);
  setState("idle", "Not publishing");
  showChoices();
}

function setState(kind, text) {
  byId("state").dataset.kind = kind;
  say(byId("state"), text);
  say(byId("elapsed"), "");
}

function showState(next) {
  state = next;
  sent = next.kind === "live" ? new Sent(next.connection) : null;
  if (next.kind !== "live") byId("sent").replaceChildren();
  STATES[next.kind]?.(next);
}

const STATES = {
  connecting: () => setState("connecting", "Connecting …"),
  live: ({ since }) => {
    const time = new Date(since).toLocaleTimeString();
    setState("live", `Live since ${time}`);
    show(byId("next"), true);
  },
  waiting: ({ reason }) => setState("waiting", `${reason} Trying again.`),
  refused: ({ error }) => {
    running?.stop();
    ended(error.needsKey ? "" : error.message);
    if (error.needsKey) {
      askForKey(error.withKey ? error.message : "This server needs a key to publish.");
    }
  },
};

async function tick() {
  if (state.kind === "live") {
    say(byId("elapsed"), duration((Date.now() - state.since) / 1_000));
    const current = sent;
    const lines = await current.read();
    // It may have ended meanwhile.
    if (current === sent) showLines(lines);
  } else if (state.kind === "waiting") {
    const seconds = Math.max(0, Math.ceil((state.until - Date.now()) / 1_000));
    say(byId("elapsed"), `in ${seconds} s`);
  }
  if (running?.source) {
    const note = running.source.silent()
      ? "The browser makes no sound before you click or press a key on this page."
      : running.source.note;
    say(byId("note"), note);
  }
}

function showLines(lines) {
  const list = byId("sent");
  const names = [...list.querySelectorAll("dt")].map((one) => one.textContent);
  if (names.join() !== lines.map(([name]) => name).join()) {
    const pair = ([name]) => element("div", {}, element("dt", {}, name), element("dd"));
    list.replaceChildren(...lines.map(pair));
  }
  [...list.querySelectorAll("dd")].forEach((one, index) => say(one, lines[index][1]));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
});
form.addEventListener("change", showChoices);
byId("stop").addEventListener("click", () => end());
window.addEventListener("pagehide", () => end());
window.addEventListener("beforeunload", (event) => {
  if (running) event.preventDefault();
});

fillIn();
explainTunnel();
showChoices();
offerDevices();
navigator.mediaDevices?.addEventListener("devicechange", offerDevices);
setInterval(tick, 500);
if (query.get("start") === "1") begin();
