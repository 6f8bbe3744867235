// A test picture with sound, for which no device is needed: a clock, a moving square and a name.
// With every second the whole picture flashes and a beep sounds, so that a recording shows whether
// sound and picture belong together.

import { FRAME_RATE, SIZE, drawTestCard, flashes } from "./testcard-picture.js";

/** Length of a beep, its loudness, and how long it takes to be there, s. */
const BEEP = 0.06;
const LOUDNESS = 0.35;
const FADE = 0.002;

/** Pitches that can be told apart, Hz. */
export const PITCHES = [440, 620, 800, 980, 1160, 1340];

/** A number that is the same for the same name. */
function number(name) {
  let sum = 7;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return sum;
}

/** The pitch that belongs to a name. */
export const pitchOf = (name) => PITCHES[number(name) % PITCHES.length];

/** A running test picture. */
export class TestCard {
  #worker = new Worker("/web/testcard-worker.js", { type: "module" });
  #context = new AudioContext();
  #sound = this.#context.createMediaStreamDestination();
  #pitch;
  #difference = null;
  /** The stream to publish. */
  stream;
  /** Whether the picture stands still while the page is hidden: the browser has no other way. */
  needsToBeSeen;

  constructor({ name, pitch }) {
    this.#pitch = pitch;
    // Between beeps there is silence to send: without any source Chromium's clock of sent sound
    // stands still.
    const silence = new ConstantSourceNode(this.#context, { offset: 0 });
    silence.connect(this.#sound);
    silence.start();
    const look = { name, hue: number(name) % 360 };
    this.needsToBeSeen = !("MediaStreamTrackGenerator" in window);
    const picture = this.needsToBeSeen ? this.#paintHere(look) : this.#paintThere(look);
    this.stream = new MediaStream([picture, ...this.#sound.stream.getAudioTracks()]);
    this.#resumeWhenAllowed();
  }

  /** Whether the browser still waits for a click before it makes sounds. */
  get silent() {
    return this.#context.state === "suspended";
  }

  #paintThere(look) {
    const generator = new MediaStreamTrackGenerator({ kind: "video" });
    const { writable } = generator;
    this.#worker.onmessage = ({ data }) => this.#beep(data.second);
    this.#worker.postMessage({ look, writable }, [writable]);
    return generator;
  }

  #paintHere(look) {
    const canvas = Object.assign(document.createElement("canvas"), SIZE);
    const context = canvas.getContext("2d", { alpha: false });
    const isWhite = flashes();
    // A canvas that nothing was drawn on has no frames.
    drawTestCard(context, 500, look, false);
    this.#worker.onmessage = ({ data }) => {
      if (data.second) this.#beep(data.second);
      else drawTestCard(context, data.time, look, isWhite(data.time));
    };
    this.#worker.postMessage({ look });
    return canvas.captureStream(FRAME_RATE).getVideoTracks()[0];
  }

  /** Sounds at a moment, Unix ms. */
  #beep(second) {
    const context = this.#context;
    if (context.state !== "running") return;
    const at = second / 1_000 + this.#soundClock();
    const oscillator = new OscillatorNode(context, { frequency: this.#pitch });
    const envelope = new GainNode(context, { gain: 0 });
    envelope.gain.setValueAtTime(0, at);
    envelope.gain.linearRampToValueAtTime(LOUDNESS, at + FADE);
    envelope.gain.setValueAtTime(LOUDNESS, at + BEEP - FADE);
    envelope.gain.linearRampToValueAtTime(0, at + BEEP);
    oscillator.connect(envelope).connect(this.#sound);
    oscillator.start(at);
    oscillator.stop(at + BEEP);
  }

  /**
   * What to add to seconds of the wall clock to get the time of the sound. The sound's clock is
   * read in steps, so it is smoothed; it jumps when the sound was interrupted.
   */
  #soundClock() {
    const wall = (performance.timeOrigin + performance.now()) / 1_000;
    const read = this.#context.currentTime - wall;
    const jumped = this.#difference === null || Math.abs(read - this.#difference) > 0.05;
    this.#difference = jumped ? read : this.#difference + (read - this.#difference) / 8;
    return this.#difference;
  }

  /** Browsers let a page sound only after a click or a key. */
  #resumeWhenAllowed() {
    const context = this.#context;
    const resume = () => {
      if (context.state === "suspended") context.resume().catch(() => {});
    };
    resume();
    for (const event of ["pointerdown", "keydown"]) {
      document.addEventListener(event, resume);
      context.addEventListener("statechange", () => {
        if (context.state !== "suspended") document.removeEventListener(event, resume);
      });
    }
  }

  /** Ends it. */
  stop() {
    this.#worker.terminate();
    for (const track of this.stream.getTracks()) track.stop();
    this.#context.close();
  }
}
