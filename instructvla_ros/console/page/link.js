// Copyright 2026 The instructvla_ros authors
// SPDX-License-Identifier: Apache-2.0

// The connection to the console: says hello, acknowledges what comes, notices when nothing does, and tries again.

const SILENCE = 1000; // ms without a state: the connection counts as lost
const RETRY = 1000; // ms
const ANSWER_TIMEOUT = 70000; // ms: an answer of the model takes up to a minute
const FRAME_HEADER = 9; // bytes: camera, number, age; see outbox.py

export class Link {
  constructor(handlers) {
    this.handlers = handlers; // state, frame, rights, chart, lost, found
    this.token = "";
    this.session = session();
    this.socket = null;
    this.cameras = [];
    this.waiting = new Map();
    this.nextNumber = 1;
    this.heardAt = 0;
    this.up = false;
    this.lostAt = performance.now();
    setInterval(() => this.look(), 200);
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/socket`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.openedAt = performance.now();
    socket.onopen = () => {
      this.post({ do: "hello", token: this.token, session: this.session });
      this.post({ do: "cameras", cameras: this.cameras });
    };
    socket.onmessage = (event) => {
      if (socket === this.socket) this.take(event.data);
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.lose();
      setTimeout(() => {
        if (socket === this.socket) this.open();
      }, RETRY);
    };
  }

  // A page that shows another token is another viewer.
  reopen(token) {
    this.token = token;
    const before = this.socket;
    this.socket = null;
    if (before) before.close();
    this.open();
  }

  look() {
    const now = performance.now();
    if (this.up && now - this.heardAt > SILENCE) this.lose();
    const hung = this.socket && now - Math.max(this.openedAt, this.heardAt) > 5 * SILENCE;
    if (hung && !this.up) this.reopen(this.token);
  }

  lose() {
    if (this.up) this.lostAt = performance.now();
    this.up = false;
    for (const { resolve, timer } of this.waiting.values()) {
      clearTimeout(timer);
      resolve({ success: false, message: "the connection was lost: it is not known what came of this" });
    }
    this.waiting.clear();
    this.handlers.lost();
  }

  take(data) {
    if (typeof data !== "string") {
      const view = new DataView(data);
      this.handlers.frame(view.getUint8(0), view.getUint32(1, true), view.getFloat32(5, true), data.slice(FRAME_HEADER));
      return;
    }
    const message = JSON.parse(data);
    if (message.state) {
      this.post({ do: "seen", state: message.state.number });
      this.heardAt = performance.now();
      if (!this.up) {
        this.up = true;
        this.handlers.found();
      }
      this.handlers.state(message.state);
    } else if (message.answer) {
      const waiting = this.waiting.get(message.answer.number);
      if (waiting) {
        clearTimeout(waiting.timer);
        this.waiting.delete(message.answer.number);
        waiting.resolve(message.answer);
      }
    } else if (message.you) {
      this.handlers.rights(message.you);
    } else if (message.chart) {
      this.handlers.chart(message.chart);
    }
  }

  seenFrame(camera, frame) {
    this.post({ do: "seen_frame", camera, frame });
  }

  watch(cameras) {
    this.cameras = cameras;
    this.post({ do: "cameras", cameras });
  }

  post(message) {
    if (this.socket && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  // Ask for something; the answer says whether it was done and why not.
  request(message) {
    if (!this.up) return Promise.resolve({ success: false, message: "there is no connection: nothing was sent" });
    const number = this.nextNumber++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.waiting.delete(number);
        resolve({ success: false, message: "no answer came" });
      }, ANSWER_TIMEOUT);
      this.waiting.set(number, { resolve, timer });
      this.post({ ...message, number });
    });
  }
}

// Known again after the page is loaded anew, in this tab alone.
function session() {
  let id = sessionStorage.getItem("console session");
  if (!id) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem("console session", id);
  }
  return id;
}
