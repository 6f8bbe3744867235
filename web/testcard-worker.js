// The test picture's clock, and where possible its painter. A worker goes on at full speed while
// the page is hidden, a page does not.

import { FRAME_RATE, SIZE, drawTestCard, flashes } from "./testcard-picture.js";

const FRAME = 1_000 / FRAME_RATE;
/** How long before a whole second the page is told of it, ms: time to schedule its beep. */
const AHEAD = 300;

let look;
let paint;
let announced = 0;

/** Unix ms, on the same clock as in the page, which steps never go back on. */
const now = () => performance.timeOrigin + performance.now();

onmessage = ({ data }) => {
  look = data.look;
  paint = data.writable ? painter(data.writable.getWriter()) : ask;
  tick();
};

function tick() {
  const time = now();
  const second = Math.ceil((time + 1) / 1_000) * 1_000;
  if (second - time <= AHEAD && second !== announced) {
    announced = second;
    postMessage({ second });
  }
  paint(time);
  // Frames begin at whole parts of a second, so that the flash begins with the second.
  const next = (Math.floor(time / FRAME + 0.1) + 1) * FRAME;
  setTimeout(tick, Math.max(1, next - now()));
}

/** Paints here. A frame that nobody takes is left out. */
function painter(writer) {
  const canvas = new OffscreenCanvas(SIZE.width, SIZE.height);
  const context = canvas.getContext("2d", { alpha: false, desynchronized: true });
  const isWhite = flashes();
  return (time) => {
    if (writer.desiredSize <= 0) return;
    drawTestCard(context, time, look, isWhite(time));
    const frame = new VideoFrame(canvas, { timestamp: Math.round(performance.now() * 1_000) });
    writer.write(frame).catch(() => close());
  };
}

/** Lets the page paint. */
function ask(time) {
  postMessage({ time });
}
