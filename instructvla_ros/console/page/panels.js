// Copyright 2026 The instructvla_ros authors
// SPDX-License-Identifier: Apache-2.0

// Everything that is only shown. Text goes in as text, never as markup: much of it comes from elsewhere.

const WORDS = {
  inactive: "Waiting", holding: "Holding", moving: "Moving", stopping: "Stopping", stopped: "Stopped", fault: "Fault",
};

export const byId = (id) => document.getElementById(id);

// A screen reader says what changes: so nothing is set that is so already.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function showState(state) {
  const { safety } = state;
  byId("state").dataset.state = safety ? safety.state : "none";
  const dry = safety && safety.reason.startsWith("dry run") ? " (dry run)" : "";
  setText(byId("state-word"), safety ? `${WORDS[safety.state] || safety.state}${dry}` : "No safety filter");
  const limit = safety && safety.limits.find((each) => each.acting && each.limit !== "gripper_speed");
  const reason = safety ? safety.reason : "nothing is heard of it: nothing here can stop the arm";
  setText(byId("state-reason"), limit ? `${reason}; ${plain(limit.limit)} acts` : reason);
  setText(byId("robot"), state.robot);
  setText(byId("current"), state.instruction || "nothing");
  byId("clear").disabled = !state.instruction;
  setText(byId("ahead"), `Planned ${state.ahead.words}`.replace("Planned nothing", "Nothing"));
  const others = state.viewers > 1 ? `, ${state.viewers} viewers` : "";
  setText(byId("connection"), `connected${others}${state.stop_on_disconnect ? "; a lost connection stops the arm" : ""}`);
}

export function showLimits(safety) {
  const rows = safety ? safety.limits.slice(0, 6) : [];
  fill(byId("limits"), rows.length ? rows : [null], (limit) => {
    const item = document.createElement("li");
    if (limit === null) {
      item.textContent = safety ? "no limit has acted lately" : "no status of the safety filter";
      return item;
    }
    item.className = limit.acting ? "acting" : "";
    const name = document.createElement("strong");
    name.textContent = limit.subject ? `${plain(limit.limit)}: ${limit.subject}` : plain(limit.limit);
    const numbers = limit.asked === null || limit.allowed === null ? ""
      : `${short(limit.asked)} asked, ${[short(limit.allowed), limit.unit].filter(Boolean).join(" ")} allowed. `;
    const when = limit.acting ? `acts now${limit.duration > 0.3 ? `, for ${limit.duration.toFixed(1)} s` : ""}` : `${limit.ago.toFixed(0)} s ago`;
    item.append(name, `${numbers}${when}`);
    item.title = limit.message;
    return item;
  });
}

export function showFlow(state) {
  fill(byId("inputs"), state.inputs, (input) => {
    const age = input.age ?? input.policy_age;
    const old = age !== null && input.oldest !== null && age > input.oldest;
    return row(input.label, [
      [age === null ? "none" : seconds(age), age === null ? "none" : old ? "bad" : ""],
      [input.rate ? `${input.rate.toFixed(1)} Hz` : input.name.endsWith("image") ? "not shown" : "none", input.rate ? "" : "none"],
    ]);
  });
  const { policy } = state;
  const figures = policy ? [["a chunk", policy.inference], ["words", policy.reasoning]] : [];
  fill(byId("inference"), figures, ([name, values]) => row(name, [
    [values ? `${values[0].toFixed(0)} ms` : "none", values ? "" : "none"],
    [values ? `${values[1].toFixed(0)} ms` : "none", values ? "" : "none"],
  ]));
  const rate = policy && policy.rate !== null ? `, ${policy.rate.toFixed(1)} chunks a second` : "";
  setText(byId("policy"), policy ? `The policy: ${policy.summary}${rate}` : "The policy is not heard");
}

export function showWords(state) {
  const { reasoning } = state;
  const element = byId("reasoning");
  setText(element, reasoning ? reasoning.text : "nothing yet");
  element.classList.toggle("streaming", Boolean(reasoning && !reasoning.final));
  // read out when it is complete, not word by word
  if (reasoning && reasoning.final) setText(byId("reasoning-said"), `The model says: ${reasoning.text}`);
  fill(byId("history"), [...state.instructions].reverse(), (exchange) => entry(exchange.at, exchange.text, exchange.answer));
  fill(byId("news"), [...state.news].reverse(), (line) => {
    const item = entry(line.at, line.text, "");
    item.classList.add(line.level || "plain");
    return item;
  });
  fill(byId("answers"), [...state.questions].reverse(), (exchange) => {
    const pair = document.createElement("div");
    const question = document.createElement("dt");
    question.textContent = exchange.text;
    const answer = document.createElement("dd");
    answer.textContent = exchange.pending ? "..." : exchange.answer || "(no words)";
    answer.className = exchange.success || exchange.pending ? "" : "failed";
    pair.append(question, answer);
    return pair;
  });
}

// Rebuilds a list only where what it shows has changed, so that nobody loses their place in it.
function fill(element, values, make) {
  const key = JSON.stringify(values);
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  element.replaceChildren(...values.map(make));
}

function row(name, cells) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  line.append(head);
  for (const [text, kind] of cells) {
    const cell = document.createElement("td");
    cell.textContent = text;
    if (kind) cell.className = kind;
    line.append(cell);
  }
  return line;
}

function entry(at, text, answer) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  const when = new Date(1000 * at);
  time.dateTime = when.toISOString();
  time.textContent = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  item.append(time, text);
  if (answer) {
    const said = document.createElement("span");
    said.className = "answer";
    said.textContent = answer;
    item.append(said);
  }
  return item;
}

const plain = (name) => name.replaceAll("_", " ");
const TRIFLE = 1e-4; // what a ramp leaves before its last step is shown as 0, not as 0.0000059
const short = (value) => String(Math.abs(value) < TRIFLE ? 0 : Number(value.toPrecision(2)));
const seconds = (value) => (value < 1 ? `${Math.max(0, value * 1000).toFixed(0)} ms` : `${value.toFixed(1)} s`);
