// What is wrong with a live recording, in words that say what to do.

import { count, duration, sentence } from "./format.js";

/** Over how long lost packets are counted, ms, and how many are worth a word. */
const LOSS_WINDOW = 10_000;
const LOSS = 10;

/** From when on a file that falls behind is worth a word, ms. */
const LAG = 10_000;

/** How long nothing may be heard, or seen, of a track before it is worth a word, ms. */
const SILENT = 30_000;
const BLACK = 10_000;

/** What a track is called, by its source. */
export const TRACKS = {
  camera: "camera",
  microphone: "microphone",
  screen_share: "screen",
  screen_share_audio: "sound of the screen",
};

/** Packets that each track had lost at the last looks: `[time, count]`, by the track's id. */
const losses = new Map();

/** Lost packets of a track in the last seconds. */
function lately({ id, packetsLost = 0 }, now) {
  const known = (losses.get(id) ?? []).filter(([at]) => now - at <= LOSS_WINDOW);
  known.push([now, packetsLost]);
  losses.set(id, known);
  return packetsLost - known[0][1];
}

/**
 * Texts about a session of `GET /status`, the gravest first.
 *
 * @param now Unix ms of this machine
 */
export function warnings(session, now = Date.now()) {
  const { capture, render } = session;
  const found = [];
  if (capture?.state === "reconnecting") {
    found.push("The connection to the room is lost. It is tried again; what is missing is told as a gap.");
  }
  if (session.state === "interrupted") {
    found.push("The recording process is being started again; what is missing is told as a gap.");
  }
  const lag = render?.lagMs ?? 0;
  if (lag > LAG) {
    found.push(
      `The file is ${duration(lag / 1_000)} behind: the machine has too little CPU for all its recordings. Nothing is lost, it catches up.`,
    );
  }
  const rendered = new Map((render?.tracks ?? []).map((track) => [track.id, track]));
  for (const participant of capture?.participants ?? []) {
    const who = participant.name || participant.identity;
    for (const track of participant.tracks ?? []) {
      const what = `${who}, ${TRACKS[track.source] ?? track.kind}`;
      const lost = lately(track, now);
      if (lost >= LOSS) {
        found.push(`${what}: ${count(lost, "packet", "packets")} lost in the last ${LOSS_WINDOW / 1_000} s. The network between is overloaded.`);
      }
      const { silentMs = 0, blackMs = 0 } = rendered.get(track.id) ?? {};
      if (!track.muted && silentMs > SILENT) {
        found.push(`${what}: silent for ${duration(silentMs / 1_000)} though not muted. Is the right microphone chosen?`);
      }
      if (!track.muted && blackMs > BLACK) {
        found.push(`${what}: black for ${duration(blackMs / 1_000)}. Is the lens covered?`);
      }
    }
  }
  const told = [...(render?.warnings ?? []), ...(session.warnings ?? [])];
  return [...new Set([...found, ...told.map((warning) => sentence(warning.message))])];
}
