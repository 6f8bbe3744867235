// Keeps a stream published, whatever happens to server and network.

import { ApiError, post } from "./api.js";
import { ConnectionLost, WhipSession } from "./whip.js";

/** Pauses before the first, second, … new attempt, s. */
const PAUSES = [0, 1, 2, 4, 8, 15];
/** A connection that lasted so long was a good one, s: the next pause is the first again. */
const LASTING = 20;
/** So many good connections that end soon mean that somebody else takes the place, again and again. */
const CONTESTED = 2;

const SCREEN = "screen";
const BITRATES = { camera: 2_500_000, screen: 3_000_000 };

/**
 * Publishes until it is stopped. `onState` is told where it stands:
 * - `{kind: "connecting"}`
 * - `{kind: "live", since, connection}`: Unix ms, RTCPeerConnection
 * - `{kind: "waiting", reason, until}`: Unix ms of the next attempt
 * - `{kind: "refused", error}`: no use to go on
 * - `{kind: "stopped"}`
 */
export class Publisher {
  #wish;
  #stream;
  #onState;
  #session = null;
  #stopped = false;
  #wake = () => {};

  /** @param wish `{room, name, media}`, the last one `camera` or `screen` */
  constructor(wish, stream, onState) {
    this.#wish = wish;
    this.#stream = stream;
    this.#onState = onState;
  }

  /** Runs until it is stopped or refused. */
  async run() {
    // A network that is there again need not be waited for.
    const hurry = () => this.#wake();
    window.addEventListener("online", hurry);
    let attempts = 0;
    let shortLived = 0;
    while (!this.#stopped) {
      const { seconds, reason, error } = await this.#attempt();
      if (this.#stopped) break;
      if (error && !(error instanceof ConnectionLost) && !error.passes) {
        this.#tell({ kind: "refused", error });
        break;
      }
      if (seconds > LASTING) [attempts, shortLived] = [0, 0];
      else if (seconds > 0) shortLived += 1;
      const pause = Math.max(pauseAfter(attempts), Math.min(error?.retryAfter ?? 0, 60));
      attempts += 1;
      const contested = shortLived > CONTESTED ? " Does somebody else use the same name?" : "";
      await this.#wait(pause, `${reason}${contested}`);
    }
    window.removeEventListener("online", hurry);
    if (this.#stopped) this.#tell({ kind: "stopped" });
  }

  /** Publishes once; tells for how long it was live, and why it is no more. */
  async #attempt() {
    this.#tell({ kind: "connecting" });
    let since = null;
    const session = await this.#prepare().catch((error) => error);
    if (session instanceof Error) return { seconds: 0, reason: session.message, error: session };
    try {
      await session.open();
      if (this.#stopped) return { seconds: 0 };
      since = Date.now();
      this.#tell({ kind: "live", since, connection: session.connection });
      const reason = await session.lost();
      return { seconds: (Date.now() - since) / 1_000, reason };
    } catch (error) {
      return { seconds: 0, reason: error.message, error: known(error) };
    } finally {
      session.close();
      if (this.#session === session) this.#session = null;
    }
  }

  async #prepare() {
    const { room, name, media } = this.#wish;
    const { token } = await post("/token", {
      roomName: room,
      participantName: name,
      source: "whip",
    });
    const query = media === SCREEN ? "?media=screen" : "";
    const endpoint = `/whip/${encodeURIComponent(room)}${query}`;
    const videoBitrate = BITRATES[media] ?? BITRATES.camera;
    this.#session = new WhipSession(endpoint, token, this.#stream, { videoBitrate });
    if (this.#stopped) await this.#session.close();
    return this.#session;
  }

  #wait(seconds, reason) {
    if (seconds === 0) return Promise.resolve();
    this.#tell({ kind: "waiting", reason, until: Date.now() + seconds * 1_000 });
    return new Promise((done) => {
      const timer = setTimeout(done, seconds * 1_000);
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
    });
  }

  #tell(state) {
    this.#onState(state);
  }

  /** Tries again at once if it is waiting. */
  hurry() {
    this.#wake();
  }

  /** Ends it, and says good-bye to the server. */
  stop() {
    this.#stopped = true;
    this.#session?.close();
    this.#wake();
  }
}

/** Grows, and differs from page to page, so that not all come back in the same moment. */
function pauseAfter(attempts) {
  const pause = PAUSES[Math.min(attempts, PAUSES.length - 1)];
  return pause * (0.8 + 0.4 * Math.random());
}

/** What the browser itself throws would be the same next time. */
const known = (error) =>
  error instanceof ApiError || error instanceof ConnectionLost
    ? error
    : new ApiError(-1, `The browser cannot publish: ${error.message}`);
