// Recordings on their way into their stores: an entry for each.

import { post } from "./api.js";
import { element, reconcile, say, show } from "./elements.js";
import { bytes, count, duration, sentence } from "./format.js";

/** What an upload does. */
const STATES = {
  queued: "Waits for its turn",
  uploading: "Being sent",
  waiting: "Failed, is tried again",
  blocked: "Blocked: somebody has to change something",
};

/** States in which a try can be asked for. */
const IDLE = ["waiting", "blocked"];

/** How long an upload takes before it is shown, unless it is in trouble, ms: most are over by then. */
const LONG = 3_000;

/** When uploads were seen first, by id, on this machine's clock. */
let firstSeen = new Map();

/** Those of the uploads of `GET /v1/uploads` that deserve a look. */
export function worthShowing(uploads, now = Date.now()) {
  firstSeen = new Map(uploads.map(({ id }) => [id, firstSeen.get(id) ?? now]));
  return uploads.filter(({ id, attempts }) => attempts > 0 || now - firstSeen.get(id) >= LONG);
}

/** Shows uploads in a list; `refresh` is called when a try was asked for. */
export function showUploads(list, uploads, refresh) {
  reconcile(
    list,
    uploads,
    (upload) => upload.id,
    (upload) => entry(upload, refresh),
    (child, upload) => child.update(upload),
  );
}

/** Lets the time until the next try go on between two looks at the server. */
export function tickUploads(list) {
  for (const child of list.children) child.tick();
}

function entry(first, refresh) {
  let upload = first;
  const facts = element("p", { className: "quiet" });
  const bar = element("progress", { max: 1, ariaLabel: `Sent of ${first.recording}` });
  const amount = element("span", { className: "quiet amount" });
  const next = element("span", { className: "quiet" });
  const trouble = element("p", { className: "notice" });
  const problem = element("p", { className: "notice bad", role: "alert", hidden: true });
  const retry = element("button", { type: "button" }, "Try now");
  retry.setAttribute("aria-label", `Try now: ${first.recording}`);
  const about = element(
    "div",
    { className: "about" },
    element("div", { className: "head" }, element("h3", {}, first.roomName), facts),
    element("p", { className: "quiet file" }, `${first.recording} to ${first.store}`),
    element("div", { className: "sent-so-far" }, bar, amount, next),
  );
  const actions = element("div", { className: "actions" }, retry);
  const child = element("li", { className: "card" }, about, actions, trouble, problem);

  retry.addEventListener("click", async () => {
    retry.disabled = true;
    show(problem, false);
    try {
      await post(`/v1/uploads/${encodeURIComponent(upload.id)}/retry`, {});
    } catch (error) {
      // It may have gone on by itself since the last look.
      if (error.code !== "not_waiting") {
        say(problem, error.message);
        show(problem, true);
      }
    }
    await refresh();
    retry.disabled = false;
    // One that is gone takes the focus with it.
    if (actions.hidden && document.activeElement === document.body) child.focus();
  });

  child.tabIndex = -1;
  child.tick = () => {
    const left = upload.nextTryMs - Date.now();
    const waits = IDLE.includes(upload.state) && upload.nextTryMs != null;
    say(next, waits ? `Next try ${left > 500 ? `in ${duration(left / 1_000)}` : "now"}` : "");
  };
  child.update = (now) => {
    upload = now;
    const { state, attempts, sentBytes, totalBytes, lastError } = upload;
    const tries = attempts > 0 ? `${count(attempts, "try", "tries")} failed` : "";
    say(facts, [STATES[state] ?? state, tries].filter(Boolean).join(" · "));
    bar.value = totalBytes > 0 ? sentBytes / totalBytes : 0;
    say(amount, `${bytes(sentBytes)} of ${bytes(totalBytes)}`);
    say(trouble, sentence(lastError ?? ""));
    trouble.classList.toggle("bad", state === "blocked");
    show(trouble, Boolean(lastError));
    show(actions, IDLE.includes(state));
    child.tick();
  };
  return child;
}
