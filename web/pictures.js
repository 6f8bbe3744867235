// Pictures of recordings. They are fetched by script, as a browser's own requests carry no key.

import { request } from "./api.js";

/** Time from one live picture to the next, ms. */
const EVERY = 3_000;

/** Shows what is fetched in `image` if it `isWanted` then; returns whether there was a picture. */
async function load(image, path, isWanted = () => true) {
  const picture = await request(path)
    .then((response) => response.blob())
    .catch(() => null);
  if (!picture || !isWanted()) return false;
  const address = URL.createObjectURL(picture);
  const before = image.src;
  image.src = address;
  await image.decode().catch(() => {});
  if (before.startsWith("blob:")) URL.revokeObjectURL(before);
  return true;
}

const onScreen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) target.onScreen?.(isIntersecting);
});

// The frames of pictures are watched: they are in view before there is a picture.

/** Shows a picture that does not change once it comes into view; `onLoad` is told that it is there. */
export function still(image, path, onLoad) {
  const frame = image.parentElement;
  frame.onScreen = async (isIntersecting) => {
    if (!isIntersecting) return;
    onScreen.unobserve(frame);
    if (await load(image, path)) onLoad();
  };
  onScreen.observe(frame);
}

/**
 * Shows a new picture every few seconds while it is in view, for as long as it is in the document.
 *
 * @param onChange told whether there is a picture
 * @returns what stops it
 */
export function moving(image, path, onChange) {
  let visible = false;
  let loading = false;
  let stopped = false;
  const next = async () => {
    if (!visible || loading || document.hidden) return;
    loading = true;
    const isThere = await load(image, path, () => !stopped);
    loading = false;
    if (!stopped) onChange(isThere);
  };
  const frame = image.parentElement;
  frame.onScreen = (isIntersecting) => {
    visible = isIntersecting;
    next();
  };
  onScreen.observe(frame);
  const stop = () => {
    stopped = true;
    clearInterval(timer);
    onScreen.unobserve(frame);
    if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
    image.removeAttribute("src");
  };
  const timer = setInterval(() => (frame.isConnected ? next() : stop()), EVERY);
  return stop;
}
