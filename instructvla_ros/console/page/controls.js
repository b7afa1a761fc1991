// Copyright 2026 The instructvla_ros authors
// SPDX-License-Identifier: Apache-2.0

// Everything that can be done. The stop works for whoever may use it; the rest for the operator.

import { byId, setText } from "./panels.js";

const HOLD = 1000; // ms that the reset must be held
const OBEYED_WITHIN = 700; // ms from the stop to a filter that says so
const SPEED_PAUSE = 150; // ms between two settings while the slider moves
const LATCHED = ["stopping", "stopped", "fault"];

export class Controls {
  constructor(link, alarm) {
    this.link = link;
    this.alarm = alarm;
    this.rights = { may: "look", operates: false, free: true };
    this.safety = null;
    this.operator = null;
    this.askedToStop = null;
    this.takingOver = -Infinity; // when taking over was asked for first
    this.speedTimer = 0;
    this.connectStop();
    this.connectReset();
    this.connectForms();
    this.connectControl();
    this.connectSpeed();
    this.connectHeard();
  }

  get mayStop() {
    return this.link.up && this.rights.may !== "look"; // also where no filter is heard: it may hear us
  }

  get mayOperate() {
    return this.link.up && this.rights.may === "operate" && (this.rights.operates || this.rights.free);
  }

  async say(promise, quiet = false) {
    const answer = await promise;
    if (!answer.success || !quiet) {
      const said = byId("said");
      setText(said, answer.message);
      said.classList.toggle("failed", !answer.success);
    }
    return answer;
  }

  // ---- stop

  connectStop() {
    byId("stop").addEventListener("pointerdown", (event) => {
      if (event.button === 0) this.stop();
    });
    byId("stop").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.repeat) this.stop();
    });
    // before anything else on the page gets the key; the space bar would press whatever has the focus
    window.addEventListener("keydown", (event) => {
      const typing = isTyping(event.target) || event.isComposing;
      if ((event.key === "Escape" && !event.isComposing) || (event.key === " " && !typing)) {
        event.preventDefault();
        event.stopImmediatePropagation();
        if (!event.repeat) this.stop();
      }
    }, true);
    window.addEventListener("keyup", (event) => {
      if (event.key === " " && !isTyping(event.target)) event.preventDefault();
    }, true);
  }

  async stop() {
    if (!this.link.up) {
      this.alarm("Not connected: nothing was sent. Use the emergency stop at the robot.");
      return;
    }
    const at = performance.now();
    this.askedToStop = at;
    const timer = setTimeout(() => {
      if (this.askedToStop === at && !(this.safety && LATCHED.includes(this.safety.state))) {
        this.alarm("The robot has not confirmed the stop. Use the emergency stop at the robot.");
      }
    }, OBEYED_WITHIN);
    const answer = await this.say(this.link.request({ do: "stop" }));
    if (!answer.success) {
      clearTimeout(timer);
      this.alarm(`Not stopped: ${answer.message}`);
    }
  }

  // ---- reset: held, not clicked

  connectReset() {
    const button = byId("reset");
    let timer = 0;
    const press = () => {
      if (timer || button.disabled) return;
      button.classList.add("held");
      timer = setTimeout(() => {
        release();
        this.say(this.link.request({ do: "reset" }));
      }, HOLD);
    };
    const release = () => {
      clearTimeout(timer);
      timer = 0;
      button.classList.remove("held");
    };
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      button.setPointerCapture(event.pointerId);
      press();
    });
    button.addEventListener("pointermove", (event) => {
      const box = button.getBoundingClientRect();
      const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
      if (!inside) release();
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) button.addEventListener(name, release);
    button.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        press();
      }
    });
    button.addEventListener("keyup", (event) => {
      if (event.key === "Enter") release();
    });
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    window.addEventListener("blur", release);
  }

  // ---- words

  connectForms() {
    byId("instruct").addEventListener("submit", async (event) => {
      event.preventDefault();
      const text = byId("text").value.trim();
      if (!text) return;
      const answer = await this.say(this.link.request({ do: "instruct", text }));
      if (answer.success && byId("text").value.trim() === text) byId("text").value = "";
    });
    byId("clear").addEventListener("click", () => this.say(this.link.request({ do: "instruct", text: "" })));
    byId("ask").addEventListener("submit", async (event) => {
      event.preventDefault();
      const text = byId("question").value.trim();
      if (!text) return;
      byId("question").value = "";
      await this.say(this.link.request({ do: "ask", text }), true);
    });
  }

  // ---- who operates

  connectControl() {
    byId("take").addEventListener("click", () => {
      const over = !this.rights.free;
      if (over && performance.now() - this.takingOver > 4000) {
        this.takingOver = performance.now(); // taking it from somebody wants a second press
        this.show();
        setTimeout(() => this.show(), 4100);
        return;
      }
      this.takingOver = -Infinity;
      this.say(this.link.request({ do: "take", over }));
    });
    byId("hand-over").addEventListener("click", () => this.say(this.link.request({ do: "hand_over" })));
    byId("token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const token = byId("token").value.trim();
      byId("token").value = "";
      this.onToken(token);
    });
  }

  // ---- speed

  connectSpeed() {
    const slider = byId("speed");
    const send = async () => {
      this.speedTimer = 0;
      this.sentSpeedAt = performance.now();
      await this.say(this.link.request({ do: "speed", share: Number(slider.value) / 100 }), true);
    };
    slider.addEventListener("input", () => {
      setText(byId("speed-value"), `${slider.value} %`);
      if (!this.speedTimer) this.speedTimer = setTimeout(send, SPEED_PAUSE);
    });
  }

  showSpeed(share) {
    const box = byId("speed-box"), slider = byId("speed");
    box.hidden = share === null;
    slider.disabled = !this.mayOperate;
    const mine = this.speedTimer || performance.now() - (this.sentSpeedAt || -1e9) < 600 || slider.matches(":active");
    if (share === null || mine) return;
    const percent = Math.round(100 * share);
    if (Number(slider.value) !== percent) slider.value = percent;
    setText(byId("speed-value"), `${percent} %`);
  }

  // ---- what the voice bridge heard

  connectHeard() {
    for (const [id, action] of [["heard-yes", "confirm_heard"], ["heard-no", "cancel_heard"]]) {
      byId(id).addEventListener("click", () => this.say(this.link.request({ do: "act", action })));
    }
  }

  showHeard(heard) {
    byId("heard-box").hidden = heard === null;
    byId("heard-answer").hidden = heard === null || !heard.asks;
    setText(byId("heard"), heard === null ? "" : `Heard: "${heard.text}". ${heard.reason}`);
  }

  // ---- what the page offers now

  update(state) {
    this.safety = state.safety;
    this.operator = state.operator;
    const box = byId("record-box");
    box.hidden = !state.actions.length && !state.recorder;
    setText(byId("recorder"), state.recorder);
    const key = JSON.stringify(state.actions);
    if (byId("actions").dataset.key !== key) {
      byId("actions").dataset.key = key;
      byId("actions").replaceChildren(...state.actions.map(({ name, label }) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = label;
        button.addEventListener("click", () => this.say(this.link.request({ do: "act", action: name })));
        return button;
      }));
    }
    this.showSpeed(state.speed_scale);
    this.showHeard(state.heard);
    this.show();
  }

  show() {
    const { rights, link } = this;
    const latched = Boolean(this.safety && LATCHED.includes(this.safety.state));
    const stop = byId("stop");
    stop.disabled = !this.mayStop;
    setText(byId("stop-word"), this.mayStop ? (latched ? "STOPPED" : "STOP") : link.up && rights.may === "look" ? "You may only look" : "Stop cannot reach the robot");
    const keys = !this.safety ? "no safety filter is heard" : matchMedia("(pointer: coarse)").matches ? "" : "Esc or Space";
    setText(byId("stop-keys"), this.mayStop ? keys : "use the emergency stop at the robot");
    if (latched) this.askedToStop = null;

    byId("reset-box").hidden = !(latched && rights.may === "operate");
    byId("reset").disabled = !this.mayOperate;
    for (const id of ["text", "question", "clear"]) byId(id).disabled = !this.mayOperate || (id === "clear" && byId("current").textContent === "nothing");
    for (const button of document.querySelectorAll("#instruct button, #ask button, #actions button, #heard-answer button")) button.disabled = !this.mayOperate;

    const confirming = performance.now() - this.takingOver <= 4000;
    const take = byId("take");
    take.hidden = rights.may !== "operate" || rights.operates;
    setText(take, rights.free ? "Take control" : confirming ? "Press again to take over" : "Take over control");
    byId("hand-over").hidden = !rights.operates;
    byId("token-form").hidden = !link.up || rights.may === "operate";
    let who = "nobody operates";
    if (rights.operates) who = "you operate";
    else if (this.operator) who = `${this.operator} operates`;
    if (rights.may !== "operate") who += rights.token_wrong ? "; the token is wrong" : "; you look on";
    setText(byId("control"), who);
  }
}

function isTyping(element) {
  const kinds = ["text", "password", "search", "number"];
  return element instanceof HTMLTextAreaElement || (element instanceof HTMLInputElement && kinds.includes(element.type));
}
