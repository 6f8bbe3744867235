// Listens to one channel of Agora as one of its audience: everything that is heard goes to the host
// as samples, who speaks and how loud as events. What the host says comes as data; nothing of it
// is ever run.

const SAMPLE_RATE = 16000;
const LEVELS_EVERY_MS = 500;
const SUBSCRIBE_PAUSE_MS = 500;
// So many failures in a row are worth telling.
const FAILURES_TO_TELL = 4;

const sender = new Worker("sender.js");
const sdk = globalThis.AgoraRTC;
let mixer = null;
let context = null;
let client = null;
// By user id: the element and the node that hear a speaker.
const heard = new Map();
// The SDK's tracks whose changes are listened to.
const followed = new WeakSet();

function tell(event, fields) {
  sender.postMessage({ event: JSON.stringify({ event, ...fields }) });
}

function reasonOf(error) {
  const code = error?.code ? `${error.code}: ` : "";
  return `${code}${error?.message ?? error}`.slice(0, 500);
}

function problem(what, error) {
  tell("problem", { text: `${what}: ${reasonOf(error)}` });
}

// All sound goes through the mixer to the default output, which is muted: without an output the
// browser does not run it steadily.
async function startMixer() {
  context = new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: "playback" });
  await context.audioWorklet.addModule("mixer.js");
  mixer = new AudioWorkletNode(context, "mixer", {
    channelCount: 1,
    channelCountMode: "explicit",
    channelInterpretation: "speakers",
    outputChannelCount: [1],
  });
  mixer.connect(context.destination);
  const { port1, port2 } = new MessageChannel();
  mixer.port.postMessage(port1, [port1]);
  sender.postMessage({ mixer: port2 }, [port2]);
  await context.resume();
}

function hear(uid, track) {
  forget(uid);
  const stream = new MediaStream([track]);
  // A remote track that no element plays gives silence.
  const element = new Audio();
  element.srcObject = stream;
  element.muted = true;
  element.play().catch((error) => problem("a speaker cannot be played", error));
  const node = context.createMediaStreamSource(stream);
  node.connect(mixer);
  heard.set(uid, { element, node });
  tell("speaker_sound", { uid: String(uid), on: true });
}

// When the SDK has replaced its peer connection, a speaker comes by another media track, without
// being published again. `getMediaStreamTrack` gives it only after the event.
function follow(uid, audioTrack) {
  hear(uid, audioTrack.getMediaStreamTrack());
  if (followed.has(audioTrack)) return;
  followed.add(audioTrack);
  audioTrack.on("track-updated", (track) => {
    // One that is not published any more may still be replaced.
    if (track && heard.has(uid)) hear(uid, track);
  });
}

function forget(uid) {
  const known = heard.get(uid);
  if (!known) return;
  heard.delete(uid);
  known.node.disconnect();
  known.element.srcObject = null;
  tell("speaker_sound", { uid: String(uid), on: false });
}

// While the SDK replaces its peer connection it refuses, and does not try again by itself.
async function subscribe(user) {
  let failures = 0;
  while (user.hasAudio && client.remoteUsers.includes(user)) {
    try {
      await client.subscribe(user, "audio");
      if (user.audioTrack) follow(user.uid, user.audioTrack);
      return;
    } catch (error) {
      failures += 1;
      if (failures === FAILURES_TO_TELL) problem(`speaker ${user.uid} cannot be heard`, error);
      await new Promise((resolve) => setTimeout(resolve, SUBSCRIBE_PAUSE_MS));
    }
  }
}

function listen() {
  client.on("user-joined", (user) => tell("speaker_joined", { uid: String(user.uid) }));
  client.on("user-left", (user) => {
    forget(user.uid);
    tell("speaker_left", { uid: String(user.uid) });
  });
  client.on("user-published", (user, kind) => kind === "audio" && subscribe(user));
  client.on("user-unpublished", (user, kind) => kind === "audio" && forget(user.uid));
  client.on("volume-indicator", (volumes) => {
    const levels = volumes.map(({ uid, level }) => ({
      uid: String(uid),
      level: Math.max(0, Math.min(100, Math.round(level))),
    }));
    tell("levels", { levels });
  });
  client.on("connection-state-change", (state, _, reason) =>
    tell("connection", { state, reason: reason ?? "" }),
  );
  for (const event of ["token-privilege-will-expire", "token-privilege-did-expire"]) {
    client.on(event, () => tell("token_wanted"));
  }
}

// No reports to Agora, where that can be said. Without IGNORE_UID_CHECK the SDK calls it a ban when
// somebody else joins under our user id.
function configure() {
  const wanted = {
    ENABLE_EVENT_REPORT: false,
    UPLOAD_LOG: false,
    AUDIO_VOLUME_INDICATION_INTERVAL: LEVELS_EVERY_MS,
    IGNORE_UID_CHECK: true,
  };
  for (const [name, value] of Object.entries(wanted)) {
    try {
      sdk.setParameter(name, value);
      // One that it does not know is passed over in silence.
      if (sdk.getParameter(name) !== value) throw new Error("it is unknown");
    } catch (error) {
      problem(`Agora's SDK does not take ${name}`, error);
    }
  }
  sdk.setLogLevel(4);
}

async function join({ appId, channel, token, uid, timeoutMs }) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(late), timeoutMs);
  });
  try {
    // Whoever speaks at once is to be heard from the beginning.
    await mixing;
    configure();
    client = sdk.createClient({ mode: "live", codec: "vp8", role: "audience" });
    listen();
    client.enableAudioVolumeIndicator();
    await Promise.race([client.join(appId, channel, token, uid), late]);
    tell("joined");
  } catch (error) {
    const timedOut = error === late;
    tell("join_failed", { timedOut, reason: timedOut ? "no answer" : reasonOf(error) });
    client?.leave().catch(() => {});
  } finally {
    clearTimeout(timer);
  }
}

async function leave() {
  try {
    await client?.leave();
  } finally {
    tell("left");
  }
}

const orders = {
  join,
  leave,
  ping: () => tell("pong"),
  renew_token: ({ token }) => client.renewToken(token),
};

async function obey(order) {
  try {
    await orders[order.order]?.(order);
  } catch (error) {
    problem(order.order, error);
  }
}

sender.onmessage = ({ data }) => {
  if (data.order) obey(JSON.parse(data.order));
  else if (sdk) tell("ready", { version: sdk.VERSION ?? "" });
  else tell("problem", { text: "Agora's SDK did not load" });
};
addEventListener("error", ({ message }) => problem("the page failed", message));
addEventListener("unhandledrejection", ({ reason }) => problem("the page failed", reason));

const mixing = startMixer();
mixing.catch((error) => problem("sound cannot be taken", error));
