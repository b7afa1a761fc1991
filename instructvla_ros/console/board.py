# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the page shows: the newest of everything that the topics say, and the state that is made of it.

Whoever hears the topics puts in what came, from any thread; the server asks for the state. Stamps are on the ROS clock,
which may be simulated; how long nothing has come is told by a monotonic one.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from instructvla_ros.console.plan import in_words, step_at, way_ahead
from instructvla_ros.console.projection import CalibrationError, CameraPlace
from instructvla_ros.console.reports import (
    LATCHED_NAMES,
    STATES,
    ActingLimit,
    Camera,
    Exchange,
    FilterStatus,
    HeardWords,
)
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.gripper import GripperMapping
from instructvla_ros.robot.joint_state import JointState, JointStateError
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.timing import RateMeter

LONGEST_HISTORY = 20  # instructions, and questions, that are kept
LONGEST_NEWS = 30
ACTING = 0.4  # [s] a limit that was reported within this time acts now: reports come every 0.1 s
REMEMBERED = 10.0  # [s] for how long a limit that acted is still shown
CHART_SECONDS = 12.0  # [s] of the chart that a new viewer is given
SAMPLES_IN_STATE = 15  # newest samples that every state carries, so that a skipped state leaves no gap
SHOWN_JOINTS_AGE = 0.5  # [s] from older joint states nothing is drawn
HEARD = 30.0  # [s] for how long what the voice bridge heard is shown
GONE = 2.0  # [s] without a status: the filter is not there


@dataclass
class _Input:
    label: str
    oldest: float
    meter: RateMeter = field(default_factory=lambda: RateMeter(3.0))
    stamp: float | None = None


class Board:
    """The newest of everything.

    Args:
        robot: name of the robot, for people.
        base_frame: frame of poses and deltas.
        make_chain: from the robot description to the kinematics of the gripper point; raises ValueError.
        gripper: what the positions of the gripper's joint mean.
        cameras: those of the page, in order.
        oldest_joint_state: age from which the policy refuses them [s].
        now: the ROS clock [s].
        monotonic: a monotonic clock [s].
    """

    def __init__(
        self,
        robot: str,
        base_frame: str,
        make_chain: Callable[[str], KinematicChain],
        gripper: GripperMapping,
        cameras: Sequence[Camera],
        oldest_joint_state: float,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cameras = tuple(cameras)
        self.places = {camera.name: CameraPlace() for camera in cameras}
        self.now, self.monotonic = now, monotonic
        self._robot, self._base, self._make_chain, self._gripper = robot, base_frame, make_chain, gripper
        self._lock = threading.RLock()
        self._inputs = {camera.name: _Input(camera.label, camera.oldest) for camera in cameras}
        self._inputs["joint_states"] = _Input("Joint states", oldest_joint_state)
        self._inputs["action_chunk"] = _Input("Action chunks", math.inf)
        self._inputs["safety_status"] = _Input("Safety status", 0.5)
        self._in_use: frozenset[str] = frozenset(camera.name for camera in cameras[:1])
        self._urdf, self._chain, self._trouble = "", None, ""  # type: tuple[str, KinematicChain | None, str]
        self._joint_state: JointState | None = None
        self._tip_before: tuple[float, np.ndarray] | None = None
        self._speed: float | None = None
        self._chunk: ActionChunk | None = None
        self._status: FilterStatus | None = None
        self._status_at = -math.inf
        self._limits: dict[tuple[str, str], tuple[float, ActingLimit]] = {}
        self._reasoning: dict[str, object] | None = None
        self._policy: dict[str, object] | None = None
        self._policy_at = -math.inf
        self._speed_scale_settable = False
        self._actions: tuple[tuple[str, str], ...] = ()
        self._recorder, self._recorder_at = "", -math.inf
        self.records = False
        self._heard: HeardWords | None = None
        self._heard_at = -math.inf
        self.instruction = ""
        self._instructions: deque[Exchange] = deque(maxlen=LONGEST_HISTORY)
        self._questions: deque[Exchange] = deque(maxlen=LONGEST_HISTORY)
        self._news: deque[dict[str, object]] = deque(maxlen=LONGEST_NEWS)
        self._samples: deque[list[float | None]] = deque(maxlen=int(CHART_SECONDS * 10))
        self._sampled = 0

    # ---- what came

    def put_description(self, urdf: str) -> None:
        """The robot description."""
        try:
            chain, trouble = self._make_chain(urdf), ""
        except ValueError as error:
            chain, trouble = None, f"robot_description does not fit: {error}"
        with self._lock:
            self._urdf, self._chain, self._trouble = urdf, chain, trouble

    def count_input(self, name: str, stamp: float) -> None:
        """Something came on one of the inputs, with this stamp."""
        entry = self._inputs[name]
        entry.meter.add()
        entry.stamp = stamp

    def put_joint_state(self, joint_state: JointState) -> None:
        """The newest joint state, on the clock of :attr:`now`; not every one need be put in."""
        with self._lock:
            self._joint_state = joint_state
            tip = self._measured_tip()
            if tip is None:
                self._tip_before = self._speed = None
                return
            before = self._tip_before
            if before is not None and 0.02 < joint_state.stamp - before[0] < 1.0:
                self._speed = float(np.linalg.norm(tip - before[1])) / (joint_state.stamp - before[0])
            elif before is not None and 0.0 <= joint_state.stamp - before[0] <= 0.02:
                return
            self._tip_before = joint_state.stamp, tip

    def put_chunk(self, chunk: ActionChunk) -> None:
        """A chunk, its stamp on the clock of :attr:`now`."""
        with self._lock:
            self._chunk = chunk if len(chunk) else None
            self.count_input("action_chunk", chunk.stamp)

    def put_status(self, status: FilterStatus) -> None:
        """The filter's status."""
        at = self.monotonic()
        with self._lock:
            before = self.filter_state
            self._status, self._status_at = status, at
            self.count_input("safety_status", status.stamp)
            for limit in status.limits:
                self._limits[limit.limit, limit.subject] = at, limit
            self._limits = {key: entry for key, entry in self._limits.items() if at - entry[0] <= REMEMBERED}
            state = self.filter_state
            if state in LATCHED_NAMES and before not in LATCHED_NAMES:
                self.tell(f"{state}: {status.reason}", "bad")
            elif before in LATCHED_NAMES and state not in LATCHED_NAMES:
                self.tell("the stop was released", "good")

    def put_reasoning(self, text: str, instruction: str, final: bool, stamp: float) -> None:
        """What the model says, the whole text so far."""
        with self._lock:
            self._reasoning = {"text": text, "instruction": instruction, "final": final, "stamp": stamp}
            last = self._instructions[-1] if self._instructions else None
            if final and last is not None and last.text == instruction:
                last.answer = text

    def put_policy(self, summary: str, good: bool, values: Mapping[str, str]) -> None:
        """The policy's line on the diagnostics."""
        figures = {key: _numbers(values.get(f"{key} p50 p95 p99 [ms]", "")) for key in ("inference", "reasoning")}
        rate = _numbers(values.get("chunk rate [Hz]", ""))
        ages = {key[7:-4]: value for key, value in values.items() if key.startswith("age of ") and key.endswith(" [s]")}
        with self._lock:
            self._policy_at = self.monotonic()
            self._policy = {"summary": summary, "good": good, "rate": rate[0] if rate else None, "ages": ages}
            self._policy |= {name: numbers if len(numbers) == 3 else None for name, numbers in figures.items()}

    def put_instruction(self, text: str) -> None:
        """An instruction on the topic, whoever gave it; an empty one means idle."""
        text = text.strip()
        with self._lock:
            if text and text != self.instruction:
                self._instructions.append(Exchange(text, at=time.time()))
            self.instruction = text

    def put_cameras_in_use(self, names: frozenset[str]) -> None:
        """Cameras that another node listens to, which cost no drawing of their own; where there is none, the first."""
        self._in_use = names or frozenset(camera.name for camera in self.cameras[:1])

    def put_heard(self, heard: HeardWords) -> None:
        """What the voice bridge heard."""
        with self._lock:
            self._heard, self._heard_at = heard, self.monotonic()

    def put_recorder(self, text: str, records: bool) -> None:
        """What the recorder does, for people, and whether a recording is under way."""
        self._recorder, self._recorder_at, self.records = text, self.monotonic(), records

    def put_abilities(self, speed_scale: bool, actions: Sequence[tuple[str, str]]) -> None:
        """What can be done now.

        Args:
            speed_scale: whether the filter has the parameter.
            actions: name and label of each action that somebody answers to.
        """
        with self._lock:
            self._speed_scale_settable, self._actions = speed_scale, tuple(actions)

    @property
    def asking(self) -> bool:
        """Whether a question waits for its answer."""
        return any(exchange.pending for exchange in self._questions)

    def ask(self, question: str) -> Exchange:
        """A question is on its way; its answer goes into the result."""
        exchange = Exchange(question, pending=True, at=time.time())
        with self._lock:
            self._questions.append(exchange)
        return exchange

    def tell(self, text: str, level: str = "") -> None:
        """A line for the page's log; level is empty, ``good`` or ``bad``."""
        with self._lock:
            self._news.append({"text": text, "level": level, "at": time.time()})

    # ---- what is made of it

    @property
    def filter_state(self) -> str:
        """Name of the filter's state; empty while it is not there."""
        status = self._status
        if status is None or self.monotonic() - self._status_at > GONE:
            return ""
        return STATES[status.state] if 0 <= status.state < len(STATES) else ""

    @property
    def latched(self) -> bool:
        """Whether the arm is stopped until a reset."""
        return self.filter_state in LATCHED_NAMES

    def sample(self) -> None:
        """Add a point to the chart; the server does it before each state."""
        with self._lock:
            now = self.now()
            step = step_at(self._chunk, now)
            moving = self.filter_state == "moving" and self._status is not None
            asked = step.speed if step is not None else 0.0
            allowed = asked * self._status.path_speed if moving and self._status is not None else 0.0
            opening = step.opening if step is not None else None
            speed = self._speed if self._fresh_joint_state() is not None else None
            self._sampled += 1
            self._samples.append(
                [self._sampled, _rounded(now, 3), *map(_rounded, (asked, allowed, speed, opening, self._opening()))]
            )

    def chart(self) -> list[list[float | None]]:
        """All points of the chart.

        Returns:
            for each: number, time [s], speed asked, allowed and measured [m/s], opening asked and measured.
        """
        with self._lock:
            return list(self._samples)

    def state(self) -> dict[str, object]:
        """All that the page shows but the chart's past, as JSON takes it."""
        with self._lock:
            now, at = self.now(), self.monotonic()
            return {
                "robot": self._robot,
                "instruction": self.instruction,
                "instructions": [asdict(exchange) for exchange in self._instructions],
                "questions": [asdict(exchange) for exchange in self._questions],
                "reasoning": self._reasoning,
                "safety": self._safety(at),
                "inputs": self._input_rows(now),
                "policy": self._policy if at - self._policy_at < 3.0 else None,
                "samples": list(self._samples)[-SAMPLES_IN_STATE:],
                "ahead": self._ahead(now),
                "cameras": self._camera_rows(now),
                "speed_scale": self._speed_scale(),
                "actions": [{"name": name, "label": label} for name, label in self._actions],
                "heard": asdict(self._heard) if self._heard is not None and at - self._heard_at < HEARD else None,
                "recorder": self._recorder if at - self._recorder_at < 3.0 else "",
                "news": list(self._news),
                "now": _rounded(now, 3),
            }

    def _speed_scale(self) -> float | None:
        settable = self._speed_scale_settable and self._status is not None and self.filter_state
        return self._status.speed_scale if settable and self._status is not None else None

    def _safety(self, at: float) -> dict[str, object] | None:
        status, state = self._status, self.filter_state
        if status is None or not state:
            return None
        limits = sorted(self._limits.values(), key=lambda entry: -entry[0])
        return {
            "state": state,
            "reason": status.reason,
            "path_speed": status.path_speed,
            "chunk_age": status.chunk_age,
            "count": status.count,
            "limits": [
                asdict(limit) | {"acting": at - seen <= ACTING, "ago": _rounded(at - seen, 1)} for seen, limit in limits
            ],
        }

    def _input_rows(self, now: float) -> list[dict[str, object]]:
        seen_by_policy = self._policy["ages"] if self._policy and self.monotonic() - self._policy_at < 3.0 else {}
        rows: list[dict[str, object]] = []
        for name, entry in self._inputs.items():
            age = None if entry.stamp is None else now - entry.stamp
            rate = entry.meter.rate()
            told = seen_by_policy.get(name) if isinstance(seen_by_policy, dict) else None
            rows.append(
                {
                    "name": name,
                    "label": entry.label,
                    "age": _rounded(age),
                    "rate": _rounded(rate, 1),
                    "oldest": entry.oldest if math.isfinite(entry.oldest) else None,
                    "policy_age": _rounded(_number(told)) if told else None,
                }
            )
        return rows

    def _ahead(self, now: float) -> dict[str, object]:
        chunk = self._chunk if self.filter_state == "moving" else None
        times, points, openings = way_ahead(chunk, now, np.zeros(3))
        speeds: list[float] = []
        if chunk is not None and len(times):
            lengths = np.linalg.norm(chunk.translations[len(chunk) - len(times) + 1 :], axis=1)
            speeds = (lengths / chunk.period).tolist()
        return {
            "times": [_rounded(value) for value in times.tolist()],
            "speeds": [_rounded(value) for value in speeds],
            "openings": [_rounded(value) for value in openings.tolist()],
            "words": in_words(chunk, now),
        }

    def overlay(self, camera: str) -> tuple[list[list[float]], list[str]]:
        """What is drawn into a camera's picture: the path ahead as in :meth:`state`, and lines for people."""
        with self._lock:
            now = self.now()
            path, _ = self._path_in(camera, self._measured_tip(), now)
            status, said = self._status, self._reasoning
            state = f"{self.filter_state}: {status.reason}" if status is not None and self.filter_state else "no filter"
            words = str(said["text"]) if said and said["instruction"] == self.instruction else ""
            return path, [state, f'"{self.instruction}"' if self.instruction else "", words]

    def _camera_rows(self, now: float) -> list[dict[str, object]]:
        tip = self._measured_tip()
        rows = []
        for camera in self.cameras:
            path, problem = self._path_in(camera.name, tip, now)
            rows.append(
                {
                    "name": camera.name,
                    "label": camera.label,
                    "in_use": camera.name in self._in_use,
                    "problem": problem,
                    "path": path,
                }
            )
        return rows

    def _path_in(self, camera: str, tip: np.ndarray | None, now: float) -> tuple[list[list[float]], str]:
        """The path ahead in a camera's picture, from the measured gripper on, and why it is not known."""
        place = self.places[camera]
        problem = self._trouble or place.problem(self._urdf, self._base)
        path: list[list[float]] = []
        if problem or tip is None:
            return path, problem
        joint_state = self._fresh_joint_state()
        joints = {} if joint_state is None else _by_name(joint_state)
        _, points, openings = way_ahead(self._chunk if self.filter_state == "moving" else None, now, tip)
        points, openings = (points, openings) if len(points) else (tip[None], np.ones(1))
        try:
            shares = place.project(points, self._urdf, self._base, joints)
        except CalibrationError as error:
            return path, str(error)
        for (u, v), opening in zip(shares.tolist(), openings.tolist(), strict=True):
            if not (math.isfinite(u) and abs(u) < 5.0 and abs(v) < 5.0):
                break  # what lies behind the lens ends the line
            path.append([round(u, 4), round(v, 4), round(opening, 2)])
        return path, problem

    def _measured_tip(self) -> np.ndarray | None:
        """``(3,)`` the gripper point in the base frame [m], where joints and description are known."""
        joint_state = self._fresh_joint_state()
        if joint_state is None or self._chain is None:
            return None
        try:
            positions, _ = joint_state.select(self._chain.joint_names)
        except JointStateError:
            return None
        return np.array(self._chain.forward(positions)[:3, 3])

    def _fresh_joint_state(self) -> JointState | None:
        """The newest one, unless it is too old to be shown as the present."""
        newest = self._joint_state
        return None if newest is None or self.now() - newest.stamp > SHOWN_JOINTS_AGE else newest

    def _opening(self) -> float | None:
        joint_state = self._fresh_joint_state()
        if joint_state is None:
            return None
        position = _by_name(joint_state).get(self._gripper.joint)
        return None if position is None or not math.isfinite(position) else self._gripper.opening(position)


def _by_name(joint_state: JointState) -> dict[str, float]:
    return dict(zip(joint_state.names, joint_state.positions.tolist(), strict=False))


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, digits)


def _number(text: object) -> float | None:
    numbers = _numbers(str(text))
    return numbers[0] if numbers else None


def _numbers(text: str) -> list[float]:
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        return []
    return numbers if all(math.isfinite(number) for number in numbers) else []
