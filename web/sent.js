// What is sent, from the browser's own figures.

import { bitRate } from "./format.js";

/** Why the browser sends less than it was given. */
const LIMITS = {
  cpu: "by this computer, which is busy",
  bandwidth: "by what the network seems to carry",
};

/** Reads figures of a connection; call {@link Sent#read} once a second. */
export class Sent {
  #connection;
  #before = null;

  constructor(connection) {
    this.#connection = connection;
  }

  /** Lines of a table: `[name, text]`. */
  async read() {
    const reports = [...(await this.#connection.getStats()).values()];
    const outbound = (kind) => reports.find((one) => one.type === "outbound-rtp" && one.kind === kind);
    const [video, audio] = [outbound("video"), outbound("audio")];
    const codec = (one) => reports.find((other) => other.id === one?.codecId)?.mimeType.split("/")[1];
    const lines = [];
    if (video) {
      const size = video.frameWidth ? `${video.frameWidth} × ${video.frameHeight}` : "no picture yet";
      const rate = video.frameWidth ? `${Math.round(video.framesPerSecond ?? 0)} frames/s` : "";
      lines.push(["Picture", words([size, rate, codec(video)])]);
    }
    lines.push(["Sound", audio ? (codec(audio) ?? "").replace("opus", "Opus") : "none"]);
    const rate = this.#rate((video?.bytesSent ?? 0) + (audio?.bytesSent ?? 0));
    if (rate !== null) lines.push(["Sent", bitRate(rate)]);
    const loss = lost(reports);
    if (loss !== null) lines.push(["Lost on the way", loss]);
    const way = path(reports);
    if (way) lines.push(["Way", way]);
    const limit = LIMITS[video?.qualityLimitationReason];
    if (limit) lines.push(["Limited", limit]);
    return lines;
  }

  #rate(bytes) {
    const now = performance.now();
    const before = this.#before;
    this.#before = { now, bytes };
    return before && ((bytes - before.bytes) * 8_000) / (now - before.now);
  }
}

/** Packets that the server missed, of those sent to it lately, as it tells itself. */
function lost(reports) {
  const parts = reports.filter((one) => one.type === "remote-inbound-rtp");
  if (parts.length === 0) return null;
  const worst = Math.max(...parts.map((one) => one.fractionLost ?? 0));
  return `${(worst * 100).toFixed(worst > 0 && worst < 0.1 ? 1 : 0)} %`;
}

/** Over which protocol, and how long there and back. */
function path(reports) {
  const named = (id) => reports.find((one) => one.id === id);
  const transport = reports.find((one) => one.type === "transport");
  const pair =
    named(transport?.selectedCandidatePairId) ??
    reports.find((one) => one.type === "candidate-pair" && one.nominated);
  if (!pair) return "";
  const protocol = named(pair.localCandidateId)?.protocol?.toUpperCase();
  const time = pair.currentRoundTripTime;
  return words([protocol, time == null ? "" : `${Math.round(time * 1_000)} ms there and back`]);
}

const words = (parts) => parts.filter(Boolean).join(", ");
