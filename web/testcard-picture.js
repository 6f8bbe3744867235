// What the test picture looks like. Apart from the flash it is of moderate brightness, and nothing
// at its lower edge is bright, so that flash and name label can be found again in a recording.

/** Size of the picture, pixels, and its rate, frames per second. */
export const SIZE = { width: 1280, height: 720 };
export const FRAME_RATE = 30;
/** Frames of a flash: one of them reaches the recording even from a computer that is busy. */
const FLASH = 3;
/** A flash that would come later than this after its second is left out, ms. */
const TOO_LATE = 200;

const FONT = '"DejaVu Sans", system-ui, sans-serif';
const TEXT = "#b2b2b2";

/** A function that tells of each next frame, by its time in Unix ms, whether it is white. */
export function flashes() {
  let second = null;
  let left = 0;
  return (now) => {
    const current = Math.floor(now / 1_000);
    if (current !== second) left = now % 1_000 < TOO_LATE ? FLASH : 0;
    second = current;
    left -= 1;
    return left >= 0;
  };
}

/**
 * Draws the picture of a moment.
 *
 * @param context of a canvas of {@link SIZE}
 * @param now Unix ms
 * @param look `{name, hue}`, the hue in degrees
 * @param white whether it flashes
 */
export function drawTestCard(context, now, { name, hue }, white) {
  const { width, height } = SIZE;
  if (white) {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    return;
  }
  context.fillStyle = `hsl(${hue} 45% 22%)`;
  context.fillRect(0, 0, width, height);
  drawBars(context, hue);
  drawWanderer(context, now, hue);
  drawDial(context, now, hue);
  drawTexts(context, now, name);
}

function drawBars(context, hue) {
  const width = SIZE.width / 8;
  for (let bar = 0; bar < 8; bar += 1) {
    context.fillStyle = `hsl(${hue + bar * 45} 45% ${24 + 3 * (bar % 4)}%)`;
    context.fillRect(bar * width, 0, width, 120);
  }
}

/** A square that crosses the picture in four seconds. */
function drawWanderer(context, now, hue) {
  const side = 150;
  const left = ((now % 4_000) / 4_000) * (SIZE.width + side) - side;
  context.fillStyle = `hsl(${hue + 150} 40% 40%)`;
  context.fillRect(left, 540, side, side);
}

/** A dial whose hand goes round once a second. */
function drawDial(context, now, hue) {
  const [x, y, radius] = [260, 330, 150];
  const angle = ((now % 1_000) / 1_000) * 2 * Math.PI - Math.PI / 2;
  context.fillStyle = `hsl(${hue} 40% 34%)`;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
  context.fillStyle = `hsl(${hue + 40} 45% 50%)`;
  context.beginPath();
  context.moveTo(x, y);
  context.arc(x, y, radius, -Math.PI / 2, angle);
  context.fill();
}

function drawTexts(context, now, name) {
  const clock = new Date(now);
  const two = (number) => String(number).padStart(2, "0");
  const time = [clock.getHours(), clock.getMinutes(), clock.getSeconds()].map(two).join(":");
  const tenth = Math.floor(clock.getMilliseconds() / 100);
  context.fillStyle = TEXT;
  context.font = `600 110px ${FONT}`;
  context.fillText(`${time}.${tenth}`, 470, 350);
  context.font = `44px ${FONT}`;
  context.fillText(name, 474, 430, SIZE.width - 520);
}
