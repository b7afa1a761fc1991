# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording played into the policy's own loop, as fast as it goes: what it made of each observation.

This is the code that runs in policy_node: :class:`~instructvla_ros.policy.act_loop.ActLoop` judges ages and frames,
holds, lets the model speak and act, and makes chunks. Only the clock is another: the time of the recording.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np

from instructvla_ros.policy.act_loop import ActLoop
from instructvla_ros.policy.act_reports import TickStatus
from instructvla_ros.policy.interfaces import Chain, Model
from instructvla_ros.policy.policy import Policy
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.joint_state import JointState

SLACK = 0.5
"""How long after an observation's time [s] its frames are still awaited: cameras are recorded one after the other."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame that is decoded only if somebody looks.

    Attributes:
        view: ``primary`` or ``wrist``.
        stamp: when it was taken [s].
        time: when it was recorded [s], on the same clock.
        decode: gives ``(H, W, 3)`` uint8 RGB, or raises ValueError.
    """

    view: str
    stamp: float
    time: float
    decode: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Moment:
    """An observation that the policy is to act on.

    Attributes:
        stamp: of the primary frame [s].
        now: when the policy looked [s]; None: as soon as all its frames were there.
        joint_state_stamp: of the joint state that it acted on [s]; None: the newest that had been recorded by then.
        inference_time: how long the network took [s].
        epoch: a number that changes where the policy began anew.
        speaks: whether the model spoke of this observation instead of acting on it.
    """

    stamp: float
    now: float | None = None
    joint_state_stamp: float | None = None
    inference_time: float | None = None
    epoch: int = 0
    speaks: bool = False


@dataclass(frozen=True, eq=False)
class Look:
    """What came of one observation.

    Attributes:
        stamp: of the primary frame [s].
        time: when the policy looked [s].
        frames: ``(H, W, 3)`` uint8 RGB, one a view; empty where they could not be decoded.
        joint_state: the one that it acted on; None before the first.
        instruction: that held.
        chunk: None where the policy held.
        held: why there is no chunk, in words; empty with one, and where none was due or nothing was asked.
        words: what the model said, where it spoke now.
        act_time: how long acting took here [s].
        reason_time: how long speaking took here [s].
    """

    stamp: float
    time: float
    frames: tuple[np.ndarray, ...]
    joint_state: JointState | None
    instruction: str
    chunk: ActionChunk | None
    held: str
    words: str
    act_time: float
    reason_time: float


class Schedule:
    """Which primary frames are looked at.

    Args:
        period: time between two looks [s]; of faster cameras the frames nearest to the ticks are taken, of slower ones
            all. None: every frame.
    """

    def __init__(self, period: float | None) -> None:
        self._period = period
        self._due: float | None = None
        self._before: float | None = None
        self._spacing = 0.0

    def takes(self, stamp: float) -> bool:
        """Whether the frame of this stamp is looked at; to be asked of all frames in their order."""
        if self._period is None:
            return True
        if self._before is not None and stamp > self._before:
            latest = stamp - self._before
            self._spacing = min(latest, 2.0 * self._spacing or latest)  # a lost frame does not make the camera slow
        self._before = stamp
        if self._due is None or stamp < self._due - 2.0 * self._period:
            self._due = stamp  # the first frame, or stamps that went back
        if stamp < self._due - 0.5 * self._spacing:
            return False
        self._due += self._period * max(1.0, np.floor((stamp - self._due) / self._period + 0.5))
        return True


@dataclass
class Inputs:
    """What the policy is told beside frames, by record time.

    Attributes:
        joint_times: when each joint state was recorded [s], rising.
        joint_states: of the same length.
        instruction_at: the text that holds at a time [s].
    """

    joint_times: Sequence[float]
    joint_states: Sequence[JointState]
    instruction_at: Callable[[float], str]

    def joint_state_at(self, time: float, stamp: float | None = None) -> JointState | None:
        """The joint state of a stamp, or else the newest that had been recorded by a time [s].

        By record times alone one that was recorded just before, or just after, may take its place.
        """
        if stamp is not None and stamp in self._of_stamp:
            return self._of_stamp[stamp]
        index = bisect_right(self.joint_times, time) - 1
        return self.joint_states[index] if index >= 0 else None

    @cached_property
    def _of_stamp(self) -> dict[float, JointState]:
        return {joint_state.stamp: joint_state for joint_state in self.joint_states}

    def next_joint_time(self, time: float) -> float:
        """When the next joint state after a time was recorded [s]; infinity after the last."""
        index = bisect_right(self.joint_times, time)
        return self.joint_times[index] if index < len(self.joint_times) else np.inf


class Playback:
    """Plays one recording.

    Args:
        model: the network.
        profile: of the robot.
        chain: the arm's kinematics.
        inputs: of the recording.
        dataset: key into the model's statistics; the profile's by default.
        seed: of the flow's noise.
        reasoning: ``auto``, ``always`` or ``never``; the profile's by default.
        inference_time: how long the network is said to take [s], where a moment does not say; what it takes here is
            measured, and changes no chunk.

    Raises:
        PolicyError: model, profile and robot do not fit together.
    """

    def __init__(
        self,
        model: Model,
        profile: RobotProfile,
        chain: Chain,
        inputs: Inputs,
        *,
        dataset: str | None = None,
        seed: int = 0,
        reasoning: str | None = None,
        inference_time: float = 0.0,
    ) -> None:
        self._clock = _SaidClock(model, inference_time)
        policy = Policy(self._clock, profile, chain, dataset=dataset, seed=seed, clock=self._clock)
        self._now = 0.0
        self._words: list[str] = []
        self._loop = ActLoop(policy, clock=lambda: self._now, reasoning=reasoning, on_reasoning=self._on_reasoning)
        self._policy, self._profile, self._inputs = policy, profile, inputs
        mode = reasoning or profile.reasoning.mode
        self._speaks = policy.reasons_by_default if mode == "auto" else mode == "always"
        self._inference_time = inference_time
        self._epoch: int | None = None
        self._recent: dict[str, deque[Picture]] = {view: deque() for view in policy.views}
        self._decoded: dict[str, tuple[Picture, np.ndarray]] = {}

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the cameras that the model takes."""
        return self._policy.views

    def at_ticks(self, pictures: Iterable[Picture], schedule: Schedule) -> Iterator[Look]:
        """Look at frames as they come.

        Args:
            pictures: of all views, in the order of their record times.
            schedule: which primary frames are looked at.
        """
        waiting: deque[Moment] = deque()
        for picture in pictures:
            while waiting and picture.time > self._time_of(waiting[0].stamp) + SLACK:
                yield self._look(waiting.popleft())
            self._remember(picture)
            if picture.view == self.views[0] and schedule.takes(picture.stamp):
                waiting.append(Moment(picture.stamp))
            while waiting and self._is_complete(waiting[0].stamp):
                yield self._look(waiting.popleft())
        for moment in waiting:
            yield self._look(moment)

    def at_moments(self, pictures: Iterable[Picture], moments: Sequence[Moment]) -> Iterator[Look]:
        """Look at those observations that a policy has acted on before, in the state that it saw.

        Args:
            pictures: of all views, in the order of their record times.
            moments: in the order in which the policy acted; one whose frame the recording lacks is a hold.
        """
        coming = deque(moment for moment in moments if self._speaks or not moment.speaks)

        def due(moment: Moment) -> float:
            return (moment.stamp if moment.now is None else moment.now) + SLACK

        for picture in pictures:
            while coming and picture.time > due(coming[0]):
                yield self._look(coming.popleft())
            self._remember(picture)
        for moment in coming:
            yield self._look(moment)

    def _remember(self, picture: Picture) -> None:
        recent = self._recent.get(picture.view)
        if recent is None:
            return
        recent.append(picture)
        oldest = picture.time - self._profile.ages.image - 2.0 * SLACK
        while len(recent) > 1 and recent[1].time < oldest:  # what was newest then may be looked at again
            recent.popleft()

    def _primary(self, stamp: float) -> Picture | None:
        return next((picture for picture in reversed(self._recent[self.views[0]]) if picture.stamp == stamp), None)

    def _time_of(self, stamp: float) -> float:
        picture = self._primary(stamp)
        return stamp if picture is None else picture.time

    def _is_complete(self, stamp: float) -> bool:
        """Whether every view has a frame close enough in time."""
        gap = self._profile.ages.view_gap
        others = (self._recent[view] for view in self.views[1:])
        return all(any(abs(picture.stamp - stamp) <= gap for picture in other) for other in others)

    def _look(self, moment: Moment) -> Look:
        primary = self._primary(moment.stamp)
        if primary is None:
            # of what it spoke of it may speak when it acts; an observation to act on is lost
            why = "" if moment.speaks else "the recording has no frame of this stamp"
            return Look(moment.stamp, moment.stamp, (), None, "", None, why, "", 0.0, 0.0)
        pictures = [primary, *(p for view in self.views[1:] if (p := self._beside(view, primary, moment)) is not None)]
        now = self._all_there(pictures) if moment.now is None else moment.now
        instruction = self._inputs.instruction_at(now)
        try:
            frames = tuple(self._frame(picture) for picture in pictures)
        except ValueError as error:
            return Look(moment.stamp, now, (), None, instruction, None, f"image refused: {error}", "", 0.0, 0.0)
        if self._epoch is not None and moment.epoch != self._epoch:
            self._loop.restart()
        self._epoch = moment.epoch
        self._clock.begin(self._inference_time if moment.inference_time is None else moment.inference_time)
        self._now = now
        self._loop.set_instruction(instruction)
        joint_state = self._inputs.joint_state_at(now, moment.joint_state_stamp)
        if joint_state is not None:
            self._loop.put_joint_state(joint_state)
        return self._act(moment, now, pictures, frames, joint_state, instruction)

    def _act(
        self,
        moment: Moment,
        now: float,
        pictures: Sequence[Picture],
        frames: tuple[np.ndarray, ...],
        joint_state: JointState | None,
        instruction: str,
    ) -> Look:
        self._words.clear()
        for picture, rgb in zip(pictures, frames, strict=True):
            self._loop.put_image(picture.view, picture.stamp, rgb)
        begun = perf_counter()
        result = self._loop.tick(now)
        act_time, reason_time = perf_counter() - begun, 0.0
        if result.status is TickStatus.REASONING:
            self._loop.think(now)
            spoken = perf_counter()
            reason_time = spoken - begun
            if not moment.speaks:
                result = self._loop.tick(now)
            act_time = perf_counter() - spoken
        elif result.chunk is not None and self._loop.think(now):  # it speaks anew where that is due: for the next look
            reason_time = perf_counter() - begun - act_time
        waits = moment.speaks or result.status in (TickStatus.FOLLOWING, TickStatus.IDLE)
        held = "" if result.chunk is not None or waits else result.reason
        words = self._words[-1] if self._words else ""
        return Look(
            moment.stamp, now, frames, joint_state, instruction, result.chunk, held, words, act_time, reason_time
        )

    def _frame(self, picture: Picture) -> np.ndarray:
        """The decoded picture ``(H, W, 3)``.

        Looked at twice running it is the same array, by which the model knows that it has just spoken about it.
        """
        before = self._decoded.get(picture.view)
        if before is None or before[0] is not picture:
            before = self._decoded[picture.view] = (picture, picture.decode())
        return before[1]

    def _all_there(self, pictures: Sequence[Picture]) -> float:
        """When all that belongs to an observation was recorded [s].

        A joint state that comes at the rate of the pictures and a little after them belongs to them too.
        """
        now = max(picture.time for picture in pictures)
        newest, half = self._inputs.joint_state_at(now), 0.5 * self._profile.ages.joint_state
        if newest is None or now - newest.stamp > half:
            following = self._inputs.next_joint_time(now)
            return following if following <= now + half else now
        return now

    def _beside(self, view: str, primary: Picture, moment: Moment) -> Picture | None:
        """The frame of another view: the newest one then, or, where it is not said when, the nearest."""
        recent: Iterable[Picture] = self._recent[view]
        if moment.now is not None:
            now = moment.now
            recent = [picture for picture in recent if picture.time <= now]
            return max(recent, key=lambda picture: picture.time, default=None)
        return min(recent, key=lambda picture: abs(picture.stamp - primary.stamp), default=None)

    def _on_reasoning(self, update: Any) -> None:
        if update.final:
            self._words.append(update.text)


@dataclass
class _SaidClock:
    """A model with a clock that stands still but for the time that the network is said to take.

    What a policy makes of a chunk under asynchronous execution depends on how long the network took; so it does not
    depend on this machine.
    """

    model: Model
    said: float
    time: float = field(default=0.0)

    def __call__(self) -> float:
        return self.time

    def begin(self, said: float) -> None:
        """From now on an act takes so long [s]; the clock begins at zero, or differences of its times were rounded."""
        self.time, self.said = 0.0, said

    def act(self, *arguments: Any, **keywords: Any) -> Any:
        """As of the model."""
        output = self.model.act(*arguments, **keywords)
        self.time += self.said
        return output

    def reason(self, *arguments: Any, **keywords: Any) -> Any:
        """As of the model."""
        return self.model.reason(*arguments, **keywords)

    def ask(self, *arguments: Any, **keywords: Any) -> Any:
        """As of the model."""
        return self.model.ask(*arguments, **keywords)

    @property
    def chunk_length(self) -> int:
        """As of the model."""
        return self.model.chunk_length

    @property
    def num_views(self) -> int:
        """As of the model."""
        return self.model.num_views

    @property
    def uses_state(self) -> bool:
        """As of the model."""
        return self.model.uses_state

    @property
    def datasets(self) -> Sequence[str]:
        """As of the model."""
        return self.model.datasets

    @property
    def has_reasoning(self) -> bool:
        """As of the model."""
        return self.model.has_reasoning
