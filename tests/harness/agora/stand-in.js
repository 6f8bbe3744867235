// Stands in for Agora's SDK where its cloud cannot be reached: as much of its API as our page uses,
// over real WebRTC from the publishers of the test (publisher.js) and a signalling server on this
// machine, whose address is in STAND_IN.address.

(() => {
  const address = STAND_IN.address;

  function failure(code, message) {
    return Object.assign(new Error(message), { name: "AgoraRTCError", code });
  }

  class Client {
    constructor({ mode, codec, role }) {
      if (mode !== "live" || codec !== "vp8" || role !== "audience") {
        throw failure("INVALID_PARAMS", "a recorder listens in live mode, as audience");
      }
      this.listeners = new Map();
      this.remoteUsers = [];
      this.connections = new Map();
      this.state = "DISCONNECTED";
    }

    on(event, listener) {
      this.listeners.set(event, listener);
    }

    emit(event, ...fields) {
      this.listeners.get(event)?.(...fields);
    }

    become(state, reason) {
      const before = this.state;
      this.state = state;
      this.emit("connection-state-change", state, before, reason);
    }

    join(appId, channel, token, uid) {
      if (!/^[0-9a-f]{32}$/i.test(appId)) throw failure("INVALID_PARAMS", "invalid app id");
      const fields = { appId, channel, token: token ?? "", uid, role: "audience" };
      this.query = new URLSearchParams(fields);
      this.become("CONNECTING");
      return new Promise((resolve, reject) => {
        this.events = new WebSocket(`${address}/events?${this.query}`.replace("http", "ws"));
        this.events.onmessage = ({ data }) => {
          const event = JSON.parse(data);
          if (event.type === "joined") {
            this.session = event.session;
            this.become("CONNECTED");
            resolve(uid);
          } else if (event.type === "refused") {
            this.events.close();
            this.become("DISCONNECTED");
            reject(failure(event.code, event.message));
          } else {
            this.obey(event);
          }
        };
      });
    }

    obey(event) {
      const user = this.remoteUsers.find(({ uid }) => uid === event.uid);
      switch (event.type) {
        case "user-joined":
          this.remoteUsers.push({ uid: event.uid, session: event.session, hasAudio: false });
          return this.emit("user-joined", this.remoteUsers.at(-1));
        case "user-left":
          this.remoteUsers = this.remoteUsers.filter((known) => known !== user);
          this.drop(event.uid);
          return user && this.emit("user-left", user, "Quit");
        case "published":
          user.hasAudio = true;
          return this.emit("user-published", user, "audio");
        case "unpublished":
          user.hasAudio = false;
          this.drop(event.uid);
          return this.emit("user-unpublished", user, "audio");
        case "offer":
          return this.answer(event);
        case "state":
          if (event.state === "DISCONNECTED") this.events.close();
          return this.become(event.state, event.reason);
        case "raise":
          return this.emit(event.name);
      }
    }

    drop(uid) {
      this.connections.get(uid)?.connection.close();
      this.connections.delete(uid);
    }

    subscribe(user, kind) {
      if (kind !== "audio") throw failure("INVALID_PARAMS", kind);
      return new Promise((resolve) => {
        const connection = new RTCPeerConnection();
        connection.ontrack = ({ track, receiver }) => {
          user.audioTrack = { getMediaStreamTrack: () => track };
          this.connections.get(user.uid).receiver = receiver;
          resolve(user.audioTrack);
        };
        this.connections.set(user.uid, { connection });
        this.signal(user.session, { type: "subscribe", session: this.session });
      });
    }

    async answer({ uid, session, sdp }) {
      const { connection } = this.connections.get(uid);
      await connection.setRemoteDescription({ type: "offer", sdp });
      await connection.setLocalDescription();
      await STAND_IN.gathered(connection);
      const answer = { type: "answer", session: this.session, sdp: connection.localDescription.sdp };
      this.signal(session, answer);
    }

    signal(to, message) {
      const body = JSON.stringify({ to, message });
      return fetch(`${address}/signal`, { method: "POST", body });
    }

    enableAudioVolumeIndicator() {
      setInterval(() => {
        const volumes = [...this.connections].map(([uid, { receiver }]) => {
          const level = receiver?.getSynchronizationSources()[0]?.audioLevel ?? 0;
          return { uid, level: level * 100 };
        });
        this.emit("volume-indicator", volumes);
      }, STAND_IN.levelsEvery ?? 2000);
    }

    async renewToken(token) {
      const body = JSON.stringify({ session: this.session, token });
      await fetch(`${address}/renew`, { method: "POST", body });
    }

    async leave() {
      this.events?.close();
      [...this.connections.keys()].forEach((uid) => this.drop(uid));
      this.become("DISCONNECTED", "LEAVE");
    }
  }

  globalThis.AgoraRTC = {
    VERSION: "4.24.8",
    setLogLevel() {},
    setParameter(name, value) {
      if (name === "AUDIO_VOLUME_INDICATION_INTERVAL") STAND_IN.levelsEvery = value;
    },
    createClient: (config) => new Client(config),
  };
})();
