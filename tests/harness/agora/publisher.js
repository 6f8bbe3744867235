// Speaks in a channel of the stand-in: a steady tone for each who listens.

const fields = new URLSearchParams(location.search);
const context = new AudioContext();
const connections = new Map();
const oscillator = new OscillatorNode(context, { frequency: Number(fields.get("frequency")) });
const volume = new GainNode(context, { gain: Number(fields.get("level")) });
const output = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
oscillator.connect(volume).connect(output);
// Without a sound at the context's own output Chromium moves it to another clock after 30 s, which
// costs some 20 ms.
oscillator.connect(new GainNode(context, { gain: 1e-5 })).connect(context.destination);
oscillator.start();

function signal(to, message) {
  const body = JSON.stringify({ to, message });
  return fetch("/signal", { method: "POST", body });
}

// Libwebrtc sends speech at a low bit rate by default, and stops in silence.
function inFullQuality(sdp) {
  return sdp.replace(/(a=fmtp:111 [^\r]*)/, "$1;maxaveragebitrate=128000;usedtx=0");
}

async function offer(listener) {
  connections.get(listener)?.close();
  const connection = new RTCPeerConnection();
  connections.set(listener, connection);
  connection.addTrack(output.stream.getAudioTracks()[0], output.stream);
  await connection.setLocalDescription();
  await STAND_IN.gathered(connection);
  const { sdp } = connection.localDescription;
  const session = STAND_IN.session;
  signal(listener, { type: "offer", uid: Number(fields.get("uid")), session, sdp });
}

const query = new URLSearchParams({ ...Object.fromEntries(fields), role: "host" });
new WebSocket(`ws://${location.host}/events?${query}`).onmessage = ({ data }) => {
  const event = JSON.parse(data);
  if (event.type === "joined") STAND_IN.session = event.session;
  else if (event.type === "subscribe") offer(event.session);
  else if (event.type === "answer") {
    const answer = { type: "answer", sdp: inFullQuality(event.sdp) };
    connections.get(event.session).setRemoteDescription(answer);
  }
};
