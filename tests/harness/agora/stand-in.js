// Stands in for Agora's SDK where its cloud cannot be reached: as much of its API as our page uses,
// over real WebRTC from the publishers of the test (publisher.js) and a signalling server on this
// machine, whose address is in STAND_IN.address.

(() => {
  const address = STAND_IN.address;

  function failure(code, message) {
    return Object.assign(new Error(message), { name: "AgoraRTCError", code });
  }

  class Emitter {
    listeners = new Map();

    on(event, listener) {
      this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
    }

    emit(event, ...fields) {
      this.listeners.get(event)?.forEach((listener) => listener(...fields));
    }
  }

  // A speaker's sound, through one media track after the other.
  class RemoteTrack extends Emitter {
    constructor(track) {
      super();
      this.track = track;
    }

    getMediaStreamTrack() {
      return this.track;
    }

    // The event comes first.
    replace(track) {
      this.emit("track-updated", track);
      this.track = track;
    }
  }

  class Client extends Emitter {
    constructor({ mode, codec, role }) {
      if (mode !== "live" || codec !== "vp8" || role !== "audience") {
        throw failure("INVALID_PARAMS", "a recorder listens in live mode, as audience");
      }
      super();
      this.remoteUsers = [];
      this.connections = new Map();
      this.state = "DISCONNECTED";
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
          delete user.audioTrack;
          this.drop(event.uid);
          return this.emit("user-unpublished", user, "audio");
        case "offer":
          return this.answer(event);
        case "state":
          if (event.state === "DISCONNECTED") this.events.close();
          return this.become(event.state, event.reason);
        case "uid-taken":
          this.events.close();
          return this.become(
            "DISCONNECTED",
            parameters.IGNORE_UID_CHECK ? "UID_CONFLICT" : "UID_BANNED",
          );
        case "renew-session":
          return this.renewSession();
        case "refuse-subscriptions":
          this.refusals = event.count;
          return;
        case "raise":
          return this.emit(event.name);
      }
    }

    drop(uid) {
      this.connections.get(uid)?.connection.close();
      this.connections.delete(uid);
    }

    async subscribe(user, kind) {
      if (kind !== "audio") throw failure("INVALID_PARAMS", kind);
      if (this.refusals > 0) {
        this.refusals -= 1;
        throw failure("INVALID_OPERATION", "Cannot subscribe remote user");
      }
      user.audioTrack = new RemoteTrack(await this.receive(user));
      return user.audioTrack;
    }

    // Who was heard is heard again, without having published again.
    async renewSession() {
      this.become("RECONNECTING", "INTERRUPTED");
      const users = this.remoteUsers.filter(({ uid }) => this.connections.has(uid));
      users.forEach(({ uid }) => this.drop(uid));
      this.become("CONNECTED");
      for (const user of users) user.audioTrack.replace(await this.receive(user));
    }

    receive(user) {
      return new Promise((resolve) => {
        const connection = new RTCPeerConnection();
        connection.ontrack = ({ track, receiver }) => {
          this.connections.get(user.uid).receiver = receiver;
          resolve(track);
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
      }, parameters.AUDIO_VOLUME_INDICATION_INTERVAL);
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

  const parameters = {
    ENABLE_EVENT_REPORT: true,
    UPLOAD_LOG: true,
    AUDIO_VOLUME_INDICATION_INTERVAL: 2000,
    IGNORE_UID_CHECK: false,
  };

  globalThis.AgoraRTC = {
    VERSION: "4.24.8",
    setLogLevel() {},
    setParameter(name, value) {
      if (name in parameters) parameters[name] = value;
    },
    getParameter: (name) => parameters[name],
    createClient: (config) => new Client(config),
  };
})();
