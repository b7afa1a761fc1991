#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What share of tasks a trained model does through the whole ROS graph: every node a process, the safety filter on.

    python bench/tabletop_graph.py RUN [--episodes 20] [--verbs pick_up] [--cells atomic] [--direct] [--json FILE]
    python bench/tabletop_graph.py --expert     # what arm, filter and clock leave possible: the scripted expert acts

The graph is that of the demo: simulated arm at the clock's speed, policy, safety filter. Each episode lays a scene that
training never saw, sends an instruction, and judges by the simulator's truth at 20 Hz. Scenes and words are those of
bench/tabletop.py, but for seeds whose first scene has no room for the task. The time for a task is that of
bench/tabletop.py and begins with the first action chunk, as there: no time is counted while the model speaks.

Latency: from the stamp of the picture to the arrival of the action chunk made from it, each chunk once.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import JointState, MultiDOFJointState  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from tqdm import tqdm  # noqa: E402

from bench.support.domains import own_domain  # noqa: E402
from bench.support.hardware import hardware  # noqa: E402
from bench.support.live_graph import Graph  # noqa: E402
from instructvla_ros.msg import ActionChunk as ActionChunkMessage  # noqa: E402
from instructvla_ros.msg import Reasoning, SafetyStatus  # noqa: E402
from instructvla_ros.nodes import messages, qos  # noqa: E402
from instructvla_ros.nodes.scene_reset import SceneReset  # noqa: E402
from instructvla_ros.nodes.table_truth import state_from_message  # noqa: E402
from instructvla_ros.robot.action_chunk import ActionChunk  # noqa: E402
from instructvla_ros.safety import SafetyState  # noqa: E402
from instructvla_ros.sim.arm_model import BASE_LINK  # noqa: E402
from instructvla_ros.sim.episode import REST_TIME  # noqa: E402
from instructvla_ros.sim.execution import GRIPPER  # noqa: E402
from instructvla_ros.sim.expert import CONTROL_PERIOD  # noqa: E402
from instructvla_ros.sim.expert_chunk import expert_chunk  # noqa: E402
from instructvla_ros.sim.randomisation import Scene  # noqa: E402
from instructvla_ros.sim.splits import SPLITS, Split  # noqa: E402
from instructvla_ros.sim.task_sampling import numbered_scene, sample_task  # noqa: E402
from instructvla_ros.sim.tasks import VERBS, TableState, Task, succeeded  # noqa: E402
from instructvla_ros.training.evaluate import CELLS, command_for, interval  # noqa: E402
from instructvla_ros.training.language.commands import ABSENT  # noqa: E402
from instructvla_ros.training.language.facts import Facts, Thing  # noqa: E402

TRIES = 40  # scenes looked at for one in which the phrase is possible; as in bench/tabletop.py
RESETS = 3  # a reset is refused while the arm still brakes from a fault
EXPERT_STEPS = 8  # of a chunk
WARM_UP = 5  # chunks whose latency is not counted
EVERYTHING = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


@dataclass(frozen=True)
class Attempt:
    """What came of one episode.

    Attributes:
        cell: kind of phrase.
        verb: of the task.
        seed: of the scene.
        text: the instruction.
        reasoning: what the model said first; empty for nothing.
        success: whether the task was done in time; where nothing can be done, whether the arm rested.
        faults: how often the safety filter went into its fault state.
    """

    cell: str
    verb: str
    seed: int
    text: str
    reasoning: str
    success: bool
    faults: int


@dataclass
class Judged:
    """An episode under way.

    Attributes:
        task: what is asked.
        scene: what lies on the table.
        start: the truth when it was asked.
        done: whether it was done at any time.
        rested: whether the arm has rested all the time.
    """

    task: Task
    scene: Scene
    start: TableState
    done: bool = False
    rested: bool = True

    def see(self, now: TableState) -> None:
        """Take in the truth."""
        if set(now.objects) == set(self.start.objects):
            good = succeeded(self.task, self.start, now, self.scene.things)
            self.done = self.done or good
            self.rested = self.rested and good


@dataclass
class Setting:
    """A scene, what is to be done in it, and the words for it."""

    seed: int
    scene: Scene
    task: Task
    text: str


def setting(split: Split, cell: str, verb: str, index: int) -> Setting:
    """The scene and the words of an episode.

    Raises:
        RuntimeError: no scene nearby lets the task be said so.
    """
    for shift in range(TRIES):
        seed = split.seed((index * TRIES + shift) * len(VERBS) + list(VERBS).index(verb))
        scene, task = sample_task(seed, split, verb)
        first = numbered_scene(seed)
        if list(first.things) != list(scene.things) or not np.array_equal(first.layout, scene.layout):
            continue  # the first scene has no room for it
        things = zip(scene.objects, scene.layout, strict=True)
        facts = Facts(tuple(Thing(t.color, t.shape, (float(x), float(y), t.resting_height)) for t, (x, y, _) in things))
        command = command_for(cell, facts, task, Random(seed))
        if command is not None:
            task = Task(verb, command.absent, task.reference) if cell == ABSENT else task
            return Setting(seed, scene, task, command.text)
    raise RuntimeError(f"no scene for {cell} {verb}, number {index}")


@dataclass
class Watched:
    """What comes over the topics."""

    state: TableState | None = None
    opening: float = 1.0
    judged: Judged | None = None
    words: str = ""
    instruction: str = ""
    chunks: int = 0
    faults: int = 0
    safety: SafetyState = SafetyState.INACTIVE
    latencies: list[float] = field(default_factory=list)
    inference_times: list[float] = field(default_factory=list)


class Expert:
    """The scripted expert in the policy's place: chunks from the truth at 5 Hz.

    Args:
        graph: whose probe publishes them.
    """

    def __init__(self, graph: Graph) -> None:
        self._publisher = graph.node.create_publisher(ActionChunkMessage, "action_chunk", qos.LEASED_COMMAND)
        self._last = -float("inf")
        self._sequence = 0

    def see(self, judged: Judged, now: TableState, instruction: str) -> None:
        """Publish a chunk when one is due."""
        if now.time - self._last < CONTROL_PERIOD - 0.01:
            return
        self._last = now.time
        self._sequence += 1
        actions = expert_chunk(judged.task, now, judged.scene.things, EXPERT_STEPS)  # (H, 7)
        chunk = ActionChunk(
            now.time, BASE_LINK, 1, self._sequence, CONTROL_PERIOD,
            actions[:, :3], actions[:, 3:6], np.clip(actions[:, 6], 0.0, 1.0), instruction=instruction,
        )  # fmt: skip
        self._publisher.publish(messages.chunk_to_message(chunk))


class Runner:
    """Starts the graph and runs episodes in it.

    Args:
        run: run folder of the model; None for the scripted expert.
        direct: whether the model acts without speaking first.
        device: where it runs.
        threads: its CPU threads.
    """

    def __init__(self, run: Path | None, direct: bool, device: str, threads: int) -> None:
        self.watched = watched = Watched()
        self.graph = graph = Graph(own_domain())
        graph.listen(MultiDOFJointState, "sim_arm_node/truth", qos.SENSOR, self._on_truth)
        graph.listen(JointState, "joint_states", qos.SENSOR, self._on_joint_state)
        graph.listen(ActionChunkMessage, "action_chunk", EVERYTHING, self._on_chunk)
        graph.listen(SafetyStatus, "safety_status", qos.LATCHED, self._on_status)
        graph.listen(Reasoning, "reasoning", EVERYTHING, lambda message: setattr(watched, "words", message.text))
        self._instruction = graph.node.create_publisher(String, "instruction", qos.LATCHED)
        self._scene_reset = SceneReset(graph.node, self._instruction)
        graph.start("sim_arm_node")
        graph.start("safety_filter_node", robot="sim")
        self._expert = Expert(graph) if run is None else None
        if run is not None:
            reasoning = "never" if direct else "profile"
            policy = {"checkpoint": run, "device": device, "threads": threads, "reasoning": reasoning, "seed": 0}
            graph.start("policy_node", robot="sim", autostart=True, **policy)
            graph.wait_until(lambda: graph.node.count_publishers("reasoning") > 0, "the policy")
        graph.wait_until(lambda: watched.safety is SafetyState.HOLDING, "a safety filter that is ready")
        graph.wait_until(lambda: not self._scene_reset.absent(), "services of arm and filter")

    def attempt(self, split: Split, cell: str, verb: str, index: int) -> Attempt:
        """One episode; arguments as of :func:`setting`."""
        watched, graph = self.watched, self.graph
        chosen = setting(split, cell, verb, index)
        self._lay(chosen)
        assert watched.state is not None
        watched.words, watched.chunks, watched.faults, watched.instruction = "", 0, 0, chosen.text.strip()
        judged = watched.judged = Judged(chosen.task, chosen.scene, watched.state)
        self._instruction.publish(String(data=chosen.text))
        graph.wait_until(lambda: watched.chunks > 0, f'an action chunk for "{chosen.text}"')
        begun = time.monotonic()
        possible = chosen.task.is_possible(chosen.scene.things)
        limit = VERBS[verb].time_limit if possible else REST_TIME
        graph.wait_until(
            lambda: (possible and judged.done) or time.monotonic() - begun >= limit, "the end", limit + 10.0
        )
        watched.judged = None
        success = judged.done if possible else judged.rested
        return Attempt(cell, verb, chosen.seed, chosen.text, watched.words, success, watched.faults)

    def _lay(self, chosen: Setting) -> None:
        failures = []
        for _ in range(RESETS):
            ends: list[str] = []
            self._scene_reset.start(chosen.seed, ends.append)
            self.graph.wait_until(lambda ends=ends: bool(ends), "the end of the scene's reset")
            failures += ends
            if not ends[0]:
                break
        else:
            raise RuntimeError("; ".join(failures))
        self.watched.state = None
        names = set(chosen.scene.things)
        self.graph.wait_until(
            lambda: self.watched.state is not None and set(self.watched.state.objects) == names, "the new scene"
        )

    def _on_truth(self, message: MultiDOFJointState) -> None:
        state = state_from_message(message, self.watched.opening)
        self.watched.state = state
        judged = self.watched.judged
        if judged is not None:
            judged.see(state)
            if self._expert is not None:
                self._expert.see(judged, state, self.watched.instruction)

    def _on_joint_state(self, message: JointState) -> None:
        joint_state = messages.joint_state_from_message(message, 0.0)
        positions, _ = joint_state.select((GRIPPER.joint,))
        self.watched.opening = GRIPPER.opening(float(positions[0]))

    def _on_chunk(self, message: ActionChunkMessage) -> None:
        if not message.actions or message.instruction != self.watched.instruction:
            return
        self.watched.chunks += 1
        self.watched.latencies.append(messages.ros_now(self.graph.node) - messages.seconds(message.header.stamp))
        self.watched.inference_times.append(message.inference_time)

    def _on_status(self, message: SafetyStatus) -> None:
        state = SafetyState(message.state)
        self.watched.faults += state is SafetyState.FAULT and self.watched.safety is not SafetyState.FAULT
        self.watched.safety = state


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Success of a trained model through the whole ROS graph.")
    parser.add_argument("run", type=Path, nargs="?", help="run folder of the model")
    parser.add_argument("--expert", action="store_true", help="the scripted expert acts, in the policy's place")
    parser.add_argument("--episodes", type=int, default=20, help="of a cell and verb (default: 20)")
    parser.add_argument("--verbs", nargs="+", default=list(VERBS), choices=list(VERBS))
    parser.add_argument("--cells", nargs="+", default=["atomic"], choices=CELLS)
    parser.add_argument("--split", default="held_out_layouts", choices=list(SPLITS))
    parser.add_argument("--direct", action="store_true", help="the model acts without speaking first")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the model (default: 1)")
    parser.add_argument("--json", type=Path, default=None, help="file for every attempt")
    arguments = parser.parse_args(argv)
    if (arguments.run is None) is not arguments.expert:
        parser.error("needs either the run folder of a model or --expert")
    before = hardware()
    runner = Runner(arguments.run and arguments.run.absolute(), arguments.direct, arguments.device, arguments.threads)
    todo = [(c, v, i) for c in arguments.cells for v in arguments.verbs for i in range(arguments.episodes)]
    try:
        split = SPLITS[arguments.split]
        attempts = [runner.attempt(split, *each) for each in tqdm(todo, desc="episodes", disable=None)]
    finally:
        runner.graph.close()
    print(f"{before}; whole graph with safety filter, scenes {arguments.split}, {arguments.episodes} a cell and verb")
    print("\n| phrases | " + " | ".join(arguments.verbs) + " | all (95 %) | n | faults |")
    print("|" + "---|" * (len(arguments.verbs) + 4))
    for cell in arguments.cells:
        of_cell = [attempt for attempt in attempts if attempt.cell == cell]
        shares = [np.mean([a.success for a in of_cell if a.verb == verb]) for verb in arguments.verbs]
        hits = sum(attempt.success for attempt in of_cell)
        low, high = interval(hits, len(of_cell))
        numbers = [f"{100 * value:.0f}" for value in shares]
        numbers += [f"{100 * hits / len(of_cell):.0f} ({low:.0%}-{high:.0%})", str(len(of_cell))]
        print(f"| {cell} | " + " | ".join([*numbers, str(sum(attempt.faults for attempt in of_cell))]) + " |")
    watched = runner.watched
    latency = "truth to chunk" if arguments.expert else "picture to chunk"
    for name, seconds in ((latency, watched.latencies), ("inference", watched.inference_times)):
        counted = 1e3 * np.array(seconds[WARM_UP:] or seconds)
        p50, p95, p99 = np.percentile(counted, (50, 95, 99))
        warm_up = len(seconds) - len(counted)
        print(f"{name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms, n = {len(counted)}, warm-up {warm_up}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(attempt) for attempt in attempts]) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
