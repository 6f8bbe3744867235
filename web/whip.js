// A WHIP client (RFC 9725): one session, from its offer to its end.

import { request } from "./api.js";

/** How long to wait for this machine's own candidates before offering without the rest, ms. */
const GATHERING = 1_000;
/** How long a connection may take to come about, ms. */
const CONNECTING = 15_000;
/** How long a connection that stalls may take to recover, ms. */
const RECOVERING = 12_000;
/** Time between two looks at a connection that stalls, ms. */
const LOOK = 2_000;

/** What the recorder can show; others would be sent in vain. Repair formats come along. */
const VIDEO_FORMATS = /\/(vp8|h264|rtx|red|ulpfec|flexfec-03)$/i;

/**
 * What Chromium assumes of a network at first, kbit/s. Its own assumption of 300 makes it send a
 * small picture for the first 20 s; what is too much for a network it notices within a second.
 */
const START_BITRATE = 1_500;

/** The connection could not be made, or is gone; publishing again can help. */
export class ConnectionLost extends Error {}

/** A session. Make it, {@link WhipSession#open} it, wait for its end, and close it in any case. */
export class WhipSession {
  #endpoint;
  #token;
  #connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  #resource = null;
  #entityTag = null;
  #closed = false;
  #changed = new EventTarget();

  /**
   * @param endpoint the address to post to
   * @param token sent as Authorization: Bearer
   * @param videoBitrate the most bits per second of the picture
   */
  constructor(endpoint, token, stream, { videoBitrate }) {
    this.#endpoint = endpoint;
    this.#token = token;
    const changed = () => this.#changed.dispatchEvent(new Event("change"));
    this.#connection.addEventListener("connectionstatechange", changed);
    for (const track of stream.getTracks()) this.#add(track, stream, videoBitrate);
  }

  /** For getStats. */
  get connection() {
    return this.#connection;
  }

  #add(track, stream, videoBitrate) {
    const encoding = track.kind === "video" ? { maxBitrate: videoBitrate } : {};
    const transceiver = this.#connection.addTransceiver(track, {
      direction: "sendonly",
      streams: [stream],
      sendEncodings: [encoding],
    });
    if (track.kind !== "video" || !transceiver.setCodecPreferences) return;
    const able = RTCRtpSender.getCapabilities?.("video")?.codecs ?? [];
    const wanted = able.filter((codec) => VIDEO_FORMATS.test(codec.mimeType));
    if (wanted.length > 0) transceiver.setCodecPreferences(wanted);
  }

  /**
   * Offers, and returns when media can flow.
   *
   * @throws ApiError the server refuses, or does not answer
   * @throws ConnectionLost no way to it was found
   */
  async open() {
    await this.#connection.setLocalDescription();
    await this.#gathered();
    const response = await request(this.#endpoint, {
      method: "POST",
      authorization: this.#token,
      headers: { "Content-Type": "application/sdp" },
      body: this.#connection.localDescription.sdp,
    });
    const location = response.headers.get("Location");
    this.#resource = location && new URL(location, response.url).href;
    this.#entityTag = response.headers.get("ETag");
    const answer = await response.text();
    if (this.#closed) {
      // Closed while the server was answering: it would wait for media in vain.
      await this.#delete();
      return;
    }
    await this.#connection.setRemoteDescription({ type: "answer", sdp: withStartBitrate(answer) });
    this.#watchTransport();
    await this.#connected();
  }

  /** Settles when all candidates of this machine are known, or it has taken long enough. */
  #gathered() {
    const connection = this.#connection;
    return new Promise((done) => {
      if (connection.iceGatheringState === "complete") return done();
      connection.addEventListener("icegatheringstatechange", () => {
        if (connection.iceGatheringState === "complete") done();
      });
      setTimeout(done, GATHERING);
    });
  }

  /** A server that says good-bye ends DTLS, which no state of the connection tells everywhere. */
  #watchTransport() {
    const transport = this.#connection.getSenders()[0]?.transport;
    transport?.addEventListener("statechange", () => {
      this.#changed.dispatchEvent(new Event("change"));
    });
  }

  get #state() {
    if (this.#closed) return "closed";
    const transport = this.#connection.getSenders()[0]?.transport;
    if (transport?.state === "closed" || transport?.state === "failed") return "failed";
    return this.#connection.connectionState;
  }

  #connected() {
    return this.#until(CONNECTING, (state) => {
      if (state === "failed") {
        throw new ConnectionLost(
          "No way to the server was found for media: its UDP and TCP ports for rooms must be open.",
        );
      }
      return state === "connected" || state === "closed";
    }).catch((error) => {
      if (error !== TIMED_OUT) throw error;
      throw new ConnectionLost("Media did not reach the server in time.");
    });
  }

  /** Settles, with the reason, when the connection is lost for good; null when it was closed. */
  async lost() {
    let stalledSince = null;
    for (;;) {
      const state = this.#state;
      if (state === "closed") return null;
      if (state === "failed") return "The connection was lost.";
      if (state === "connected") {
        stalledSince = null;
      } else {
        stalledSince ??= performance.now();
        if (performance.now() - stalledSince > RECOVERING) return "The connection was lost.";
        if (await this.#isUnknown()) return "The server has ended this session.";
      }
      await this.#until(stalledSince === null ? null : LOOK, (now) => now !== state).catch(
        (error) => {
          if (error !== TIMED_OUT) throw error;
        },
      );
    }
  }

  /**
   * Asks the server whether it knows the session, by trickling that there are no more candidates.
   * While it does not answer nothing is known: media may go on without it.
   */
  async #isUnknown() {
    if (!this.#resource) return false;
    const sdp = this.#connection.localDescription.sdp;
    const line = (name) => sdp.match(new RegExp(`^a=${name}:.*$`, "m"))?.[0].trim();
    const media = sdp.match(/^m=.*$/m)?.[0].trim();
    const fragment = [line("ice-ufrag"), line("ice-pwd"), media, line("mid"), "a=end-of-candidates"];
    const headers = { "Content-Type": "application/trickle-ice-sdpfrag" };
    if (this.#entityTag) headers["If-Match"] = this.#entityTag;
    try {
      await request(this.#resource, {
        method: "PATCH",
        authorization: this.#token,
        headers,
        body: `${fragment.filter(Boolean).join("\r\n")}\r\n`,
        signal: AbortSignal.timeout(LOOK),
      });
      return false;
    } catch (error) {
      return error.status === 404 || error.status === 410;
    }
  }

  /** Ends the session here and at the server. May be called more than once. */
  async close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#changed.dispatchEvent(new Event("change"));
    this.#connection.close();
    await this.#delete();
  }

  async #delete() {
    const resource = this.#resource;
    this.#resource = null;
    if (!resource) return;
    // A page that is left may still say good-bye. An unknown session is gone already.
    const options = { method: "DELETE", authorization: this.#token, keepalive: true };
    await request(resource, options).catch(() => {});
  }

  /** Settles when `holds` is true of the state; throws what it throws, and when time is up. */
  #until(milliseconds, holds) {
    return new Promise((done, fail) => {
      const finish = (settle, value) => {
        this.#changed.removeEventListener("change", look);
        clearTimeout(timer);
        settle(value);
      };
      const look = () => {
        try {
          if (holds(this.#state)) finish(done);
        } catch (error) {
          finish(fail, error);
        }
      };
      const timer =
        milliseconds === null ? 0 : setTimeout(() => finish(fail, TIMED_OUT), milliseconds);
      this.#changed.addEventListener("change", look);
      look();
    });
  }
}

const TIMED_OUT = new Error("timed out");

/** An answer in which each video format says at which rate to begin; other browsers ignore that. */
function withStartBitrate(sdp) {
  const parameter = `x-google-start-bitrate=${START_BITRATE}`;
  const formats = [...sdp.matchAll(/^a=rtpmap:(\d+) (?:VP8|H264)\/90000/gim)];
  return formats.reduce((text, [line, format]) => {
    const known = `a=fmtp:${format} `;
    return text.includes(known)
      ? text.replace(known, `${known}${parameter};`)
      : text.replace(line, `${line}\r\n${known}${parameter}`);
  }, sdp);
}
