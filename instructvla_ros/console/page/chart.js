// Copyright 2026 The instructvla_ros authors
// SPDX-License-Identifier: Apache-2.0

// Speed and opening of the gripper: what was asked, allowed and measured, and what the chunk still holds.

const PAST = 10; // s
const FUTURE = 3; // s
const KEPT = 200;
const NUMBER = 0, TIME = 1, ASKED = 2, ALLOWED = 3, MEASURED = 4, OPENING_ASKED = 5, OPENING = 6; // see Board.chart

export class Chart {
  constructor(canvas) {
    this.canvas = canvas;
    this.samples = [];
    this.ahead = { times: [], speeds: [], openings: [] };
    this.top = 0.1; // m/s
    this.pending = false;
    new ResizeObserver(() => this.plan()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.plan());
  }

  // A new connection: its past comes whole.
  restart(samples) {
    this.samples = samples;
    this.plan();
  }

  add(samples, ahead) {
    const newest = this.samples.length ? this.samples[this.samples.length - 1][NUMBER] : 0;
    this.samples.push(...samples.filter((sample) => sample[NUMBER] > newest));
    this.samples.splice(0, Math.max(0, this.samples.length - KEPT));
    this.ahead = ahead;
    this.plan();
  }

  plan() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      this.draw();
    });
  }

  draw() {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const font = parseFloat(style.fontSize) * 0.72;
    context.font = `${font}px system-ui, sans-serif`;
    const left = font * 3.6, right = width - 6, gap = font * 1.6;
    const speed = { top: font * 1.5, bottom: height * 0.66 - gap };
    const opening = { top: height * 0.66 + font * 0.6, bottom: height - font * 1.6 };
    const now = this.samples.length ? this.samples[this.samples.length - 1][TIME] : 0;
    const x = (time) => left + ((time - now + PAST) / (PAST + FUTURE)) * (right - left);

    const seen = [...this.samples.flatMap((s) => [s[ASKED], s[ALLOWED], s[MEASURED]]), ...this.ahead.speeds];
    const highest = Math.max(0.05, ...seen.filter((value) => value !== null));
    this.top = highest > this.top || highest < this.top * 0.5 ? Math.ceil(highest * 24) / 20 : this.top;
    const ySpeed = (value) => speed.bottom - (Math.min(value, this.top) / this.top) * (speed.bottom - speed.top);
    const yOpening = (value) => opening.bottom - value * (opening.bottom - opening.top);

    context.fillStyle = colour("shade");
    context.fillRect(x(now), 0, right - x(now), height - font * 1.4);
    context.strokeStyle = colour("line");
    context.fillStyle = colour("quiet");
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const [y, text] of [
      [ySpeed(0), "0"], [ySpeed(this.top), `${Math.round(this.top * 1000)}`],
      [yOpening(0), "closed"], [yOpening(1), "open"],
    ]) {
      context.beginPath();
      context.moveTo(left, y);
      context.lineTo(right, y);
      context.stroke();
      context.fillText(text, left - 4, y);
    }
    context.textAlign = "left";
    context.fillText("speed of the gripper [mm/s]", left, font * 0.6);
    context.fillText("opening of the gripper", left, opening.top - font * 0.9);
    context.textAlign = "center";
    for (let second = -PAST; second <= FUTURE; second += 2) {
      context.fillText(second === 0 ? "now" : `${second > 0 ? "+" : ""}${second} s`, x(now + second), height - font * 0.6);
    }

    const line = (points, y, { name, width: stroke, dash = [], step = false }) => {
      context.strokeStyle = colour(name);
      context.lineWidth = stroke;
      context.setLineDash(dash);
      context.beginPath();
      let pen = null;
      for (const [time, value] of points) {
        if (value === null || time < now - PAST) {
          pen = null;
          continue;
        }
        if (pen === null) context.moveTo(x(time), y(value));
        else {
          if (step) context.lineTo(x(time), y(pen));
          context.lineTo(x(time), y(value));
        }
        pen = value;
      }
      context.stroke();
      context.setLineDash([]);
    };
    const past = (column) => this.samples.map((sample) => [sample[TIME], sample[column]]);
    context.save();
    context.beginPath();
    context.rect(left, 0, right - left, height);
    context.clip();
    line(past(ASKED), ySpeed, { name: "asked", width: 2, dash: [5, 4] });
    line(past(ALLOWED), ySpeed, { name: "allowed", width: 3 });
    line(past(MEASURED), ySpeed, { name: "measured", width: 1.5 });
    line(past(OPENING_ASKED), yOpening, { name: "asked", width: 2, dash: [5, 4] });
    line(past(OPENING), yOpening, { name: "measured", width: 1.5 });
    const { times, speeds, openings } = this.ahead;
    const steps = speeds.map((value, index) => [[now + times[index], value], [now + times[index + 1], value]]).flat();
    line(steps, ySpeed, { name: "asked", width: 2, dash: [5, 4] });
    line(times.map((time, index) => [now + time, openings[index]]), yOpening, { name: "asked", width: 2, dash: [5, 4], step: true });
    context.restore();
    context.strokeStyle = colour("quiet");
    context.beginPath();
    context.moveTo(x(now), 0);
    context.lineTo(x(now), height - font * 1.4);
    context.stroke();
  }
}
