// Copyright 2026 The instructvla_ros authors
// SPDX-License-Identifier: Apache-2.0

// Puts the page together.

import { Cameras } from "./cameras.js";
import { Chart } from "./chart.js";
import { Controls } from "./controls.js";
import { Link } from "./link.js";
import { byId, setText, showFlow, showLimits, showState, showWords } from "./panels.js";

const ALARM_FOR = 8000; // ms

let alarmTimer = 0;

function alarm(text, stays = false) {
  const element = byId("alarm");
  clearTimeout(alarmTimer);
  element.hidden = !text;
  setText(element, text);
  if (text && !stays) alarmTimer = setTimeout(() => alarm(""), ALARM_FOR);
}

const link = new Link({
  state(state) {
    showState(state);
    showLimits(state.safety);
    showFlow(state);
    showWords(state);
    cameras.update(state.cameras);
    chart.add(state.samples, state.ahead);
    controls.update(state);
  },
  frame(camera, number, age, jpeg) {
    cameras.draw(camera, number, age, jpeg).catch((error) => console.error(error));
  },
  rights(rights) {
    controls.rights = rights;
    controls.show();
  },
  chart(samples) {
    chart.restart(samples);
  },
  found() {
    document.body.classList.remove("lost", "waiting");
    alarm("");
  },
  lost: showLost,
});

function showLost() {
  if (!document.body.classList.contains("lost")) {
    document.body.classList.add("lost");
    alarm("No connection to the robot. Use the emergency stop at the robot.", true);
  }
  const since = Math.max(0, (performance.now() - link.lostAt) / 1000);
  byId("state").dataset.state = "lost";
  setText(byId("state-word"), "Connection lost");
  setText(byId("state-reason"), `${since.toFixed(0)} s ago; what you see is old. Use the emergency stop at the robot.`);
  setText(byId("connection"), "not connected, trying again ...");
  controls.show();
}

const cameras = new Cameras(byId("cameras"), byId("camera-buttons"), link);
const chart = new Chart(byId("chart"));
const controls = new Controls(link, alarm);
setInterval(() => {
  if (!link.up) showLost();
}, 500);

// The token comes behind the #, which no browser sends to a server; it leaves the address bar at once.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem("console token", given);
  history.replaceState(null, "", location.pathname);
}
controls.onToken = (token) => {
  sessionStorage.setItem("console token", token);
  link.reopen(token);
};
link.token = sessionStorage.getItem("console token") || "";
link.open();
