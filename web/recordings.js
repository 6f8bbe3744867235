// Recordings that are finished, being finished, or failed: an entry for each.

import { request } from "./api.js";
import { element, reconcile, say, show } from "./elements.js";
import { bytes, duration, moment, sentence } from "./format.js";
import { still } from "./pictures.js";
import { address, player, save } from "./player.js";
import { showStory } from "./stories.js";

/** States in which there is a file. */
const FILES = ["complete", "limit_reached", "uploading"];

/** Whether there is a file: of a failed one, too, if it was delivered. */
const hasFile = ({ state, isDelivered }) => FILES.includes(state) || isDelivered;

/** What is told of the others. */
const STATES = {
  ending: "Being finished …",
  uploading: "Being stored …",
  aborted: "Stopped before anything was recorded",
  failed: "Failed",
};

/** Why a recording ended, where nobody asked for it. */
const REASONS = {
  room_ended: "The room ended.",
  room_empty: "Nobody was in the room any more.",
  max_duration: "It reached its greatest length.",
  source_lost: "The media server was gone.",
  removed: "The recorder was removed from the room.",
  identity_taken: "Somebody joined under the recorder's user id.",
  server_lost: "The server was gone.",
  log_failed: "It could not be written any more.",
  capture_lost: "The recording process died.",
};

/** A recording of `GET /recordings` or `GET /v1/recordings` in one shape: times ms, length s. */
export function normal(recording) {
  const own = "state" in recording;
  const names = (recording.files ?? []).map((file) => file.name ?? file);
  return {
    id: recording.id,
    name: recording.name,
    room: recording.roomName,
    state: own ? recording.state : (recording.status ?? "complete"),
    startedAt: own ? (recording.startedAtMs ?? recording.createdAtMs) : recording.startedAt,
    seconds: own ? recording.durationMs && recording.durationMs / 1_000 : recording.duration,
    size: own ? recording.sizeBytes : recording.size,
    // Of what others are told, the player finds out by itself.
    isSound: recording.name.endsWith(".wav") || Boolean(own && recording.output?.audioOnly),
    isDelivered: own ? Boolean(recording.completedAtMs) : true,
    reason: REASONS[recording.endReason] ?? "",
    // What delays an upload is told with the upload.
    error: own && recording.state === "uploading" ? "" : (recording.error ?? recording.upload?.trouble ?? ""),
    poster: names.find((name) => name.endsWith(".jpg")) ?? null,
    past: own ? recording : null,
  };
}

/**
 * Shows recordings in a list.
 *
 * @param confirm asks whether to delete one
 * @param refresh called when one was deleted
 */
export function showRecordings(list, recordings, { confirm, refresh }) {
  reconcile(
    list,
    recordings,
    // A file that comes makes another entry of it.
    (recording) => `${recording.id || recording.name} ${hasFile(recording)}`,
    (recording) => entry(recording, { confirm, refresh }),
    (child, recording) => child.update(recording),
  );
}

function entry(recording, actions) {
  const facts = element("p", { className: "quiet" });
  const why = element("p", { className: "quiet" });
  const past = element("div", { className: "story" });
  const file = element("p", { className: "quiet file" }, recording.name);
  const about = element(
    "div",
    { className: "about" },
    element("div", { className: "head" }, element("h3", {}, recording.room), facts),
    why,
    past,
    hasFile(recording) ? file : null,
  );
  const child = element("li", { className: "card", tabIndex: -1 }, poster(recording), about);
  if (hasFile(recording)) child.append(...controls(recording, actions, child));
  child.update = ({ state, startedAt, seconds, size, reason, error, past: told }) => {
    const words = [moment(startedAt), duration(seconds), bytes(size), STATES[state]];
    say(facts, words.filter(Boolean).join(" · "));
    say(why, [reason, sentence(error)].filter(Boolean).join(" "));
    why.classList.toggle("bad", state === "failed");
    show(why, Boolean(why.textContent));
    showStory(past, told);
  };
  return child;
}

/** The recording's picture, or what stands for it. */
function poster({ isSound, poster: name }) {
  const frame = element("div", { className: "poster" });
  frame.dataset.kind = isSound ? "sound" : "picture";
  if (name) {
    const image = element("img", { alt: "" });
    frame.append(image);
    still(image, address(name), () => frame.classList.add("loaded"));
  }
  return frame;
}

function controls(recording, { confirm, refresh }, card) {
  const { name } = recording;
  const about = (text) => ({ type: "button", ariaLabel: `${text} ${name}` });
  const play = element("button", { ...about("Play"), className: "primary" }, "Play");
  const link = element("a", { href: address(name), download: name, className: "button" }, "Download");
  const remove = element("button", about("Delete"), "Delete");
  const progress = element("p", { className: "quiet", role: "status" });
  const problem = element("p", { className: "notice bad", role: "alert", hidden: true });
  const stage = element("div", { className: "stage" });
  link.setAttribute("aria-label", `Download ${name}`);
  play.setAttribute("aria-expanded", "false");
  let open = null;

  const complain = (text) => {
    say(problem, text);
    show(problem, Boolean(text));
  };
  const label = (text) => {
    say(play, text);
    play.setAttribute("aria-label", `${text} ${name}`);
    play.setAttribute("aria-expanded", String(Boolean(open)));
  };
  const close = () => {
    open?.close();
    open = null;
    label("Play");
  };
  play.addEventListener("click", () => {
    if (open) return close();
    open = player(recording);
    stage.append(open.node);
    label("Close");
  });
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    complain("");
    try {
      await save(recording, (text) => say(progress, text));
    } catch (error) {
      say(progress, "");
      complain(error.message);
    }
  });
  remove.addEventListener("click", async () => {
    if (!(await confirm(recording))) return;
    complain("");
    remove.disabled = true;
    const next = card.nextElementSibling ?? card.previousElementSibling;
    try {
      await request(address(name), { method: "DELETE" });
      close();
      await refresh();
      // What is gone would take the focus with it.
      if (!card.isConnected) (next ?? document.querySelector("h1")).focus();
    } catch (error) {
      complain(error.message);
      remove.disabled = false;
      remove.focus();
    }
  });
  return [element("div", { className: "actions" }, play, link, remove), progress, problem, stage];
}
