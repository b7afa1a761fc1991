// Copyright 2026 The instructvla_ros authors
// SPDX-License-Identifier: Apache-2.0

// The live pictures, each with the planned path drawn in where the camera's place is known.

const SVG = "http://www.w3.org/2000/svg";
const OLD = 0.5; // s: a picture older than this is not the present

export class Cameras {
  constructor(box, buttons, link) {
    this.box = box;
    this.buttons = buttons;
    this.link = link;
    this.rows = [];
    this.views = new Map();
    this.chosen = null; // names, once somebody has chosen
    document.addEventListener("visibilitychange", () => this.watch());
    setInterval(() => this.age(), 250);
  }

  get shown() {
    if (this.chosen) return this.rows.map((row) => row.name).filter((name) => this.chosen.has(name));
    return this.rows.filter((row) => row.in_use).map((row) => row.name);
  }

  // A page that nobody sees needs no pictures.
  watch() {
    const wanted = document.hidden ? [] : this.shown;
    const key = wanted.join();
    if (key !== this.watched) {
      this.watched = key;
      this.link.watch(wanted);
    }
  }

  update(rows) {
    const before = this.rows.map((row) => row.name).join();
    this.rows = rows;
    if (rows.map((row) => row.name).join() !== before) this.build();
    for (const button of this.buttons.children) {
      button.setAttribute("aria-pressed", this.shown.includes(button.dataset.camera));
    }
    for (const row of rows) {
      const view = this.views.get(row.name);
      view.figure.hidden = !this.shown.includes(row.name);
      view.problem.textContent = row.problem ? `path not drawn: ${row.problem}` : "";
      drawPath(view, row.problem ? [] : row.path);
    }
    this.box.classList.toggle("two", this.shown.length > 1);
    this.watch();
  }

  build() {
    this.views.clear();
    this.box.replaceChildren();
    this.buttons.replaceChildren();
    for (const row of this.rows) {
      const view = makeView(row);
      this.views.set(row.name, view);
      this.box.append(view.figure);
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.camera = row.name;
      button.textContent = row.label;
      button.addEventListener("click", () => this.toggle(row.name));
      this.buttons.append(button);
    }
    this.buttons.hidden = this.rows.length < 2;
  }

  toggle(name) {
    this.chosen = new Set(this.shown);
    if (!this.chosen.delete(name)) this.chosen.add(name);
    this.update(this.rows);
  }

  async draw(index, number, age, jpeg) {
    const row = this.rows[index];
    if (!row) return;
    const view = this.views.get(row.name);
    const takenAt = performance.now() - 1000 * age;
    try {
      const picture = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
      if (view.canvas.width !== picture.width || view.canvas.height !== picture.height) {
        view.canvas.width = picture.width;
        view.canvas.height = picture.height;
        view.svg.setAttribute("viewBox", `0 0 ${picture.width} ${picture.height}`);
      }
      view.canvas.getContext("2d").drawImage(picture, 0, 0);
      picture.close();
      view.takenAt = takenAt;
    } finally {
      this.link.seenFrame(row.name, number); // only now, so that a slow page is sent less
    }
  }

  age() {
    const now = performance.now();
    for (const [name, view] of this.views) {
      const age = view.takenAt === null ? null : Math.max(0, now - view.takenAt) / 1000;
      const old = age === null || age > OLD || !this.link.up;
      view.age.textContent = age === null ? "no picture yet" : `${age < 10 ? age.toFixed(1) : age.toFixed(0)} s old`;
      view.age.classList.toggle("old", old);
      view.nothing.hidden = !old;
      view.nothing.textContent = age === null ? "no picture yet" : `this picture is ${age.toFixed(1)} s old`;
      const row = this.rows.find((each) => each.name === name);
      view.canvas.setAttribute("aria-label", `${row.label}, ${view.age.textContent}`);
    }
  }
}

function makeView(row) {
  const figure = document.createElement("figure");
  const picture = document.createElement("div");
  picture.className = "picture";
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", row.label);
  canvas.width = 480;
  canvas.height = 360;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 480 360");
  svg.setAttribute("aria-hidden", "true");
  const nothing = document.createElement("p");
  nothing.className = "nothing";
  picture.append(canvas, svg, nothing);
  const caption = document.createElement("figcaption");
  const label = document.createElement("span");
  label.textContent = row.label;
  const problem = document.createElement("span");
  const age = document.createElement("span");
  caption.append(label, problem, age);
  figure.append(picture, caption);
  figure.dataset.camera = row.name;
  return { figure, canvas, svg, nothing, problem, age, takenAt: null };
}

// Points are shares of width and height, each with the gripper's opening there.
function drawPath(view, path) {
  const { svg, canvas } = view;
  svg.replaceChildren();
  if (!path.length) return;
  const points = path.map(([u, v]) => [u * canvas.width, v * canvas.height]);
  const radius = canvas.width / 80;
  if (points.length > 1) {
    const text = points.map((point) => point.map((value) => value.toFixed(1)).join()).join(" ");
    for (const layer of ["under", "over"]) {
      const line = document.createElementNS(SVG, "polyline");
      line.setAttribute("points", text);
      line.setAttribute("class", `path-line ${layer}`);
      svg.append(line);
    }
    mark(svg, points[points.length - 1], radius, "end");
  }
  for (let index = 1; index < path.length; index += 1) {
    const [before, after] = [path[index - 1][2], path[index][2]];
    if (before >= 0.5 && after < 0.5) mark(svg, points[index], radius, "close");
    if (before < 0.5 && after >= 0.5) mark(svg, points[index], radius, "open");
  }
  mark(svg, points[0], radius * 0.8, "here");
}

function mark(svg, [x, y], radius, kind) {
  const circle = document.createElementNS(SVG, "circle");
  circle.setAttribute("cx", x.toFixed(1));
  circle.setAttribute("cy", y.toFixed(1));
  circle.setAttribute("r", radius.toFixed(1));
  circle.setAttribute("class", `path-mark ${kind}`);
  svg.append(circle);
}
