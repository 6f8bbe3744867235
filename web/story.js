// What happened to a recording, in words: gaps, pauses, processes that were started again.

import { count, duration, seconds, timeOfDay } from "./format.js";

/** Why something is missing. */
const GAPS = {
  capture_restarted: "the recording process was started again",
  capture_lost: "the recording process was lost",
  connection_lost: "the connection to the room was lost",
  packets_lost: "packets were lost on the way",
  key_frame_awaited: "a picture was waited for after a pause",
  disk_slow: "the disk was too slow",
  stalled: "the server's machine stood still",
};

/** What is started again. */
const PROCESSES = { capture: "recording process", render: "process that makes the file" };

/** Gaps that are told one by one. */
const MOST = 20;

/**
 * When a moment of recording time was, Unix ms: pauses before it are no recording time.
 *
 * @param recording with `startedAtMs` and `pauses`
 */
export function wallTime({ startedAtMs, pauses = [] }, recordingMs) {
  const before = pauses.filter((pause) => pause.atMs <= recordingMs && pause.toMs);
  return before.reduce((sum, pause) => sum + pause.toMs - pause.fromMs, startedAtMs + recordingMs);
}

/**
 * What there is to tell of a recording of `GET /v1/recordings` or `/status`: a line of words for all
 * of it, and a line for each gap and pause. Nothing where all went well.
 */
export function story(recording) {
  const gaps = recording.gaps ?? [];
  const pauses = (recording.pauses ?? []).filter((pause) => pause.toMs);
  const lines = [
    ...gaps.map((gap) => [gap.fromMs, gapText(recording, gap)]),
    ...pauses.map((pause) => [pause.atMs, pauseText(pause)]),
  ];
  lines.sort((one, other) => one[0] - other[0]);
  const missing = gaps.reduce((sum, gap) => sum + gap.toMs - gap.fromMs, 0);
  const summary = [
    gaps.length > 0 ? `${count(gaps.length, "gap", "gaps")}, ${seconds(missing)} missing` : "",
    pauses.length > 0 ? count(pauses.length, "pause", "pauses") : "",
  ];
  const texts = lines.slice(0, MOST).map(([, text]) => text);
  if (lines.length > MOST) texts.push(`and ${lines.length - MOST} more`);
  return {
    summary: summary.filter(Boolean).join(" · "),
    lines: [...texts, ...restartTexts(recording)],
    isBad: gaps.length > 0,
  };
}

function gapText(recording, gap) {
  const at = recording.startedAtMs
    ? `from ${timeOfDay(wallTime(recording, gap.fromMs))} on`
    : `at ${duration(gap.fromMs / 1_000)}`;
  const why = GAPS[gap.reason] ?? gap.reason.replaceAll("_", " ");
  return `${seconds(gap.toMs - gap.fromMs)} missing ${at}: ${why}`;
}

function pauseText({ fromMs, toMs }) {
  return `Paused from ${timeOfDay(fromMs)} to ${timeOfDay(toMs)}`;
}

function restartTexts({ restarts }) {
  return Object.entries(PROCESSES)
    .filter(([role]) => restarts?.[role] > 0)
    .map(([role, name]) => {
      const { last } = restarts;
      const why = last?.role === role ? `, last at ${timeOfDay(last.atMs)}: ${last.reason}` : "";
      return `The ${name} was started again ${count(restarts[role], "time", "times")}${why}`;
    });
}
