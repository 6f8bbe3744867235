// All sound of a channel in pieces of 50 ms: 16 bits, one channel, at the context's rate. Runs on
// the browser's audio thread; the pieces go straight to the thread that sends them.

const PIECE = 800;
// What several people say at once may be louder than full scale.
const CEILING = 0.98;
// Back to full volume within about 0.2 s.
const RELEASE_PER_BLOCK = 1.04;
// What goes to the muted output. After 30 s of nothing but zeros Chromium moves the context from
// that output to a timer (media/base/silent_sink_suspender.h), and some 20 ms are lost on the way.
const HUM = 1e-6;

class Mixer extends AudioWorkletProcessor {
  constructor() {
    super();
    this.out = null;
    this.port.onmessage = ({ data }) => {
      this.out = data;
    };
    this.piece = new Int16Array(PIECE);
    this.filled = 0;
    // Number of the piece's first sample on the context's clock.
    this.first = 0;
    this.wall = 0;
    this.next = -1;
    this.gain = 1;
  }

  process(inputs, outputs) {
    outputs[0][0]?.fill(HUM);
    if (!this.out) return true;
    const block = inputs[0][0];
    const length = block ? block.length : 128;
    // The clock jumps when the browser was late: what it skipped is not made up for.
    if (currentFrame !== this.next && this.filled > 0) this.flush();
    this.next = currentFrame + length;
    const [from, to] = this.limit(block);
    for (let index = 0; index < length; index++) {
      if (this.filled === 0) {
        this.first = currentFrame + index;
        this.wall = Date.now();
      }
      const gain = from + ((to - from) * index) / length;
      const sample = block ? block[index] * gain : 0;
      this.piece[this.filled++] = Math.round(Math.max(-1, Math.min(1, sample)) * 32767);
      if (this.filled === PIECE) this.flush();
    }
    return true;
  }

  // The volume at the beginning and the end of a block.
  limit(block) {
    let peak = 0;
    if (block) for (const sample of block) peak = Math.max(peak, Math.abs(sample));
    const from = this.gain;
    const most = peak * from > CEILING ? CEILING / peak : 1;
    this.gain = Math.min(most, from * RELEASE_PER_BLOCK, 1);
    // Down at once: a sample over full scale is heard, a step of the volume hardly.
    return [Math.min(from, this.gain), this.gain];
  }

  flush() {
    const samples = this.piece.slice(0, this.filled).buffer;
    this.out.postMessage({ first: this.first, wall: this.wall, samples }, [samples]);
    this.filled = 0;
  }
}

registerProcessor("mixer", Mixer);
