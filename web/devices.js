// Camera, microphone and screen, and what to do when the browser does not give them.

/** Nothing can be taken from a device; the message says why and what to do. */
export class DeviceError extends Error {}

/** Whether the browser gives cameras and screens to this page at all: only on https or localhost. */
export const devicesAllowed = () => Boolean(navigator.mediaDevices?.getUserMedia);

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const SCREEN = { frameRate: { ideal: 30, max: 30 } };

/** What went wrong with camera and microphone, by the name of the browser's error. */
const CAMERA_FAULTS = {
  NotAllowedError: (error) =>
    /system/i.test(error.message)
      ? "The operating system keeps camera and microphone from the browser. Allow them in its privacy settings, then try again."
      : "The browser was not allowed to use camera and microphone. Allow both at the symbol beside the address, then try again.",
  NotFoundError: () =>
    "No camera and no microphone were found. Connect one and try again, or publish the test picture.",
  NotReadableError: () =>
    "Camera or microphone cannot be opened; most often another program uses them. Close it and try again.",
  OverconstrainedError: () => "The chosen camera or microphone is gone. Choose another one.",
  AbortError: () => "Camera or microphone stopped while being opened. Try again.",
  SecurityError: () => "The browser's settings forbid cameras and microphones on this page.",
};

/**
 * What can be chosen from: `{cameras, microphones}`, each `{id, label}`. Browsers name devices only
 * to pages that were allowed to use them.
 */
export async function devicesToChoose() {
  const all = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  const named = (kind) =>
    all
      .filter((device) => device.kind === kind && device.label)
      .map(({ deviceId, label }) => ({ id: deviceId, label }));
  return { cameras: named("videoinput"), microphones: named("audioinput") };
}

/**
 * Camera and microphone; only one of them if there is no other.
 *
 * @param chosen ids of devices; where one is empty, the browser chooses
 * @returns `{stream, note}`: the note says what is missing
 * @throws DeviceError
 */
export async function openCamera(chosen) {
  const take = (constraints) => navigator.mediaDevices.getUserMedia(constraints);
  const video = { ...CAMERA, ...device(chosen.camera) };
  const audio = chosen.microphone ? device(chosen.microphone) : true;
  try {
    return { stream: await take({ video, audio }), note: "" };
  } catch (error) {
    if (error.name !== "NotFoundError") throw cameraFault(error);
  }
  const one = [
    [{ video }, "No microphone was found: there is no sound."],
    [{ audio }, "No camera was found: there is only sound."],
  ];
  let last;
  for (const [constraints, note] of one) {
    try {
      return { stream: await take(constraints), note };
    } catch (error) {
      last = error;
      if (error.name !== "NotFoundError") break;
    }
  }
  throw cameraFault(last);
}

/**
 * A screen, window or tab with its sound, if it has any, and the microphone if wished.
 *
 * @returns `{stream, note}`: the note says what is missing
 * @throws DeviceError
 */
export async function openScreen({ microphone }) {
  if (!navigator.mediaDevices.getDisplayMedia) {
    throw new DeviceError("This browser cannot share a screen. Browsers on computers can.");
  }
  let screen;
  try {
    screen = await navigator.mediaDevices.getDisplayMedia({ video: SCREEN, audio: true });
  } catch (error) {
    throw screenFault(error);
  }
  for (const track of screen.getVideoTracks()) track.contentHint = "detail";
  if (!microphone) {
    const silent = screen.getAudioTracks().length === 0;
    return { stream: screen, note: silent ? "What you share has no sound." : "" };
  }
  try {
    const voice = await navigator.mediaDevices.getUserMedia({ audio: true });
    return { stream: mixed(screen, voice), note: "" };
  } catch (error) {
    return { stream: screen, note: `There is no microphone. ${cameraFault(error).message}` };
  }
}

const device = (id) => (id ? { deviceId: { exact: id } } : {});

/** The picture of one stream with the sound of both. */
function mixed(screen, voice) {
  if (screen.getAudioTracks().length === 0) {
    return new MediaStream([...screen.getVideoTracks(), ...voice.getAudioTracks()]);
  }
  const context = new AudioContext();
  const destination = context.createMediaStreamDestination();
  for (const stream of [screen, voice]) {
    context.createMediaStreamSource(stream).connect(destination);
  }
  const [sound] = destination.stream.getAudioTracks();
  const stopSound = sound.stop.bind(sound);
  // Whoever stops the mix is done with what it is made of.
  sound.stop = () => {
    stopSound();
    for (const track of [...screen.getAudioTracks(), ...voice.getTracks()]) track.stop();
    context.close();
  };
  return new MediaStream([...screen.getVideoTracks(), sound]);
}

function cameraFault(error) {
  const explain = CAMERA_FAULTS[error.name];
  return new DeviceError(explain ? explain(error) : `Camera and microphone: ${error.message}`);
}

function screenFault(error) {
  return new DeviceError(
    error.name === "NotAllowedError"
      ? "Nothing was shared. Choose a screen, window or tab in the browser's dialog; on macOS the system settings must allow the browser to record the screen."
      : `The screen cannot be shared: ${error.message}`,
  );
}
