// Speaks with the host, on a thread of its own: what keeps the page busy does not hold up sound.

const HEADER = 24;
// What the host does not take: half a minute of sound.
const MOST_UNSENT = 1 << 20;

const url = new URL("socket", location.href);
url.protocol = "ws:";
const socket = new WebSocket(url);
socket.binaryType = "arraybuffer";
let sequence = 0;

function send(message) {
  if (socket.readyState !== WebSocket.OPEN) return;
  if (socket.bufferedAmount > MOST_UNSENT) socket.close();
  else socket.send(message);
}

function sendSound({ first, wall, samples }) {
  const message = new ArrayBuffer(HEADER + samples.byteLength);
  const view = new DataView(message);
  view.setUint32(0, sequence, true);
  view.setUint32(4, samples.byteLength / 2, true);
  view.setFloat64(8, first, true);
  view.setFloat64(16, wall, true);
  new Uint8Array(message, HEADER).set(new Uint8Array(samples));
  sequence = (sequence + 1) >>> 0;
  send(message);
}

socket.onopen = () => postMessage({ opened: true });
socket.onmessage = ({ data }) => postMessage({ order: data });

onmessage = ({ data }) => {
  if (data.mixer) data.mixer.onmessage = ({ data: piece }) => sendSound(piece);
  else send(data.event);
};
