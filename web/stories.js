// Shows what happened to a recording.

import { element, reconcile, say, show } from "./elements.js";
import { story } from "./story.js";

/** Lines that are shown at once; more are behind a summary. */
const OPEN = 2;

/** Shows the story of `recording` in `place`. */
export function showStory(place, recording) {
  const { summary, lines, isBad } = recording ? story(recording) : { summary: "", lines: [] };
  show(place, lines.length > 0);
  if (lines.length === 0) return;
  if (!place.firstElementChild) {
    place.append(element("ul"), element("details", {}, element("summary"), element("ul")));
  }
  const [open, details] = place.children;
  place.classList.toggle("bad", Boolean(isBad));
  const isLong = lines.length > OPEN;
  show(open, !isLong);
  show(details, isLong);
  const [heading, list] = details.children;
  say(heading, summary || lines[0]);
  const items = lines.map((text, index) => ({ text, index }));
  reconcile(
    isLong ? list : open,
    items,
    ({ index }) => String(index),
    () => element("li"),
    (child, { text }) => say(child, text),
  );
}
