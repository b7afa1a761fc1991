# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scoring one bag with one policy, and what comes of several bags."""

from __future__ import annotations

import heapq
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from instructvla_ros.bags.pictures import to_jpeg
from instructvla_ros.bags.reading import Bag
from instructvla_ros.bags.scoring.actions import measured_way, reference_of
from instructvla_ros.bags.scoring.alignment import Aligned, Spans, align, joined
from instructvla_ros.bags.scoring.filtering import Filtered, FilterRun
from instructvla_ros.bags.scoring.metrics import Errors, error_by_observation, errors_of, joins_of
from instructvla_ros.bags.scoring.playback import Inputs, Look, Moment, Playback, Schedule
from instructvla_ros.bags.scoring.recorded import Recorded, pictures_of, read_recorded
from instructvla_ros.bags.scoring.references import Reference, WayReference
from instructvla_ros.bags.scoring.topics import Given, ScoringError, find_topics
from instructvla_ros.policy.interfaces import Model
from instructvla_ros.policy.policy import VIEWS
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety import SafetyLimits

LOOKS = ("ticks", "frames", "chunks")
"""Which observations the policy acts on: those that a policy at the profile's rate would see, every frame, or those
that the recorded chunks were made from."""


@dataclass(frozen=True)
class Settings:
    """How recordings are scored.

    Attributes:
        at: one of ``LOOKS``.
        rate: of the ticks [Hz]; None: the profile's.
        against: what predictions are held against, one of ``actions.KINDS``; None: the best that a bag has.
        instruction: what was asked, whatever the bag says; None: what it says.
        reasoning: ``auto``, ``always`` or ``never``; None: as the profile says, or, at recorded chunks, as they do.
        dataset: key into the model's statistics; None: the profile's.
        seed: of the flow's noise.
        inference_time: how long the network is said to take [s].
        topics: as the user names them.
        urdf: robot description for bags without; None: the profile's.
        limits: in force in the filter; None: it is not run.
        pictures: how many observations are kept with their pictures: so many spread evenly, so many of the worst.
        picture_width: of them [pixels].
    """

    at: str = "ticks"
    rate: float | None = None
    against: str | None = None
    instruction: str | None = None
    reasoning: str | None = None
    dataset: str | None = None
    seed: int = 0
    inference_time: float = 0.0
    topics: Given = field(default_factory=lambda: Given({}))
    urdf: str | None = None
    limits: SafetyLimits | None = None
    pictures: int = 6
    picture_width: int = 320


@dataclass(frozen=True, eq=False)
class Shown:
    """An observation that is kept with its pictures.

    Attributes:
        stamp: of the observation [s].
        jpegs: of each view.
        instruction: that held.
        error: mean error of its chunk's steps [mm]; NaN where it is not known.
        worst: whether it is one of the worst.
    """

    stamp: float
    jpegs: tuple[bytes, ...]
    instruction: str
    error: float
    worst: bool


@dataclass(eq=False)
class BagScore:
    """What came of one bag.

    Attributes:
        path: of the bag.
        start: of the bag [s].
        end: of the bag [s].
        reference: what predictions are held against.
        way: where the gripper went, for plots; None where it is not known.
        spans: instructions and stops.
        looks: observations that were looked at.
        chunks: that the policy made.
        held: why it held, and how often.
        held_stamps: when [s].
        words: stamp and text of what the model said.
        aligned: predictions beside what was done.
        filtered: what the filter did; None where it was not run.
        latencies: of each act [s].
        reason_times: of each text [s].
        seconds: that the scoring took, decoding and filter included [s].
        shown: observations with pictures.
        notes: on topics, and what the reader found to be wrong.
    """

    path: str
    start: float
    end: float
    reference: Reference
    way: WayReference | None
    spans: Spans
    looks: int = 0
    chunks: list[ActionChunk] = field(default_factory=list)
    held: Counter[str] = field(default_factory=Counter)
    held_stamps: list[float] = field(default_factory=list)
    words: list[tuple[float, str]] = field(default_factory=list)
    aligned: Aligned = field(default_factory=lambda: joined([]))
    filtered: Filtered | None = None
    latencies: list[float] = field(default_factory=list)
    reason_times: list[float] = field(default_factory=list)
    seconds: float = 0.0
    shown: list[Shown] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the bag, for people."""
        return Path(self.path).name or self.path

    @property
    def duration(self) -> float:
        """Of the recording [s]."""
        return self.end - self.start


@dataclass(eq=False)
class PolicyScore:
    """What came of all bags with one policy.

    Attributes:
        name: of the policy, for people.
        bags: in the order given.
    """

    name: str
    bags: list[BagScore]

    @cached_property
    def errors(self) -> Errors:
        """Over all bags."""
        return errors_of(joined([bag.aligned for bag in self.bags]))

    @cached_property
    def joins(self) -> np.ndarray:
        """Over all bags, see :func:`~.metrics.joins_of`."""
        return np.concatenate([joins_of(bag.chunks) for bag in self.bags]) if self.bags else np.zeros((0, 2))


def score_bag(
    path: str | Path,
    model: Model,
    profile: RobotProfile,
    settings: Settings,
    on_progress: Callable[[float], None] | None = None,
) -> BagScore:
    """Score one bag.

    Args:
        path: of the bag.
        model: the network.
        profile: of the robot.
        settings: how.
        on_progress: called with the share of the recording that is done, 0 to 1.

    Raises:
        ScoringError: the bag lacks something; the message says what, and what to do.
        BagReadingError: there is no bag.
        PolicyError, UrdfError, LimitsError: model, profile, limits and robot do not fit together.
    """
    begun = time.perf_counter()
    with Bag(path) as bag:
        try:
            topics = find_topics(bag.topics, profile, VIEWS[: model.num_views], settings.topics)
            recorded = read_recorded(bag, topics, profile, settings.instruction)
            _check(recorded, bool(topics.instruction))
            chain = _chain(recorded, profile, settings)
            reference = reference_of(recorded, profile, chain, settings.against)
        except ScoringError as error:
            raise ScoringError(_with_findings(f"{path} cannot be scored: {error}", bag)) from error
        way = reference if isinstance(reference, WayReference) else measured_way(recorded, profile, chain)
        score = BagScore(str(path), recorded.start, recorded.end, reference, way, recorded.spans())
        score.notes += topics.notes
        reasoning = settings.reasoning
        if settings.at == "chunks" and reasoning is None:
            spoken = any(chunk.reasoning_stamp is not None for chunk in recorded.chunks)
            reasoning = None if spoken else "never"
        playback = Playback(
            model,
            profile,
            chain,
            Inputs(recorded.joint_times, recorded.joint_states, score.spans.instruction_at),
            dataset=settings.dataset,
            seed=settings.seed,
            reasoning=reasoning,
            inference_time=settings.inference_time,
        )
        pictures = pictures_of(bag, topics, profile, recorded.offset)
        if settings.at == "chunks":
            looks = playback.at_moments(pictures, moments_of(recorded))
        else:
            period = None if settings.at == "frames" else 1.0 / (settings.rate or profile.control_rate)
            looks = playback.at_ticks(pictures, Schedule(period))
        gallery = _Gallery(score, settings)
        followed: list[Look] = []
        parts: list[Aligned] = []
        for look in looks:
            _add(score, look)
            if look.chunk is not None:
                followed.append(look)
                parts.append(align([look.chunk], reference, score.spans))
                gallery.see(look, parts[-1])
            if on_progress is not None and score.duration > 0.0:
                on_progress(min(max((look.time - score.start) / score.duration, 0.0), 1.0))
        score.shown = gallery.shown()
        score.aligned = joined(parts)
        if settings.limits is not None:
            score.filtered = _filtered(followed, settings.limits, chain, profile)
        score.notes += [str(finding) for finding in bag.findings]
    if not score.looks:
        raise ScoringError(f"{path} cannot be scored: none of its observations could be looked at")
    score.seconds = time.perf_counter() - begun
    return score


def moments_of(recorded: Recorded) -> list[Moment]:
    """Observations that the recorded chunks were made from, and those that the model spoke of first."""
    moments: list[Moment] = []
    epoch = None
    for chunk in recorded.chunks:
        if not len(chunk):
            continue
        if chunk.epoch != epoch and chunk.reasoning_stamp is not None:
            moments.append(Moment(chunk.reasoning_stamp, epoch=chunk.epoch, speaks=True))
        epoch = chunk.epoch
        now = chunk.stamp + chunk.observation_age
        moments.append(Moment(chunk.stamp, now, chunk.joint_state_stamp, chunk.inference_time, chunk.epoch))
    return moments


class _Gallery:
    """Keeps the pictures of a few observations: some spread evenly over the recording, and the worst."""

    def __init__(self, score: BagScore, settings: Settings) -> None:
        self._score, self._settings = score, settings
        self._even: list[Shown] = []
        self._worst: list[tuple[float, int, Shown]] = []

    def see(self, look: Look, aligned: Aligned) -> None:
        count, score = self._settings.pictures, self._score
        if not count or not look.frames:
            return
        error = float(error_by_observation(aligned)[0])
        due = score.start + len(self._even) * max(score.duration, 1e-9) / count
        is_even = look.time >= due and len(self._even) < count
        is_worst = np.isfinite(error) and (len(self._worst) < count or error > self._worst[0][0])
        if not (is_even or is_worst):
            return
        jpegs = tuple(to_jpeg(frame, self._settings.picture_width) for frame in look.frames)
        shown = Shown(look.stamp, jpegs, look.instruction, error, worst=False)
        if is_even:
            self._even.append(shown)
        if is_worst:
            push = heapq.heappush if len(self._worst) < count else heapq.heappushpop
            push(self._worst, (error, score.looks, shown))

    def shown(self) -> list[Shown]:
        worst = {shown.stamp for _, _, shown in self._worst}
        found = {shown.stamp: shown for shown in (*self._even, *(entry[2] for entry in self._worst))}
        return [replace(shown, worst=stamp in worst) for stamp, shown in sorted(found.items())]


def _add(score: BagScore, look: Look) -> None:
    if look.words:
        score.words.append((look.stamp, look.words))
    if look.reason_time:
        score.reason_times.append(look.reason_time)
    if look.chunk is not None:
        score.chunks.append(look.chunk)
        score.latencies.append(look.act_time)
    elif look.held:
        score.held[_kind_of(look.held)] += 1
        score.held_stamps.append(look.stamp)
    score.looks += 1


def _kind_of(reason: str) -> str:
    """A reason to hold without the numbers, which differ each time."""
    return re.sub(r"-?\d+(\.\d+)?", "...", reason)


def _filtered(looks: Sequence[Look], limits: SafetyLimits, chain: KinematicChain, profile: RobotProfile) -> Filtered:
    run = FilterRun(limits, chain, profile)
    for index, look in enumerate(looks):
        following = looks[index + 1] if index + 1 < len(looks) else None
        assert look.chunk is not None and look.joint_state is not None, "a policy acts on a joint state only"
        run.follow(look.chunk, look.joint_state, np.inf if following is None else following.stamp)
    return run.seen


def _check(recorded: Recorded, has_instruction_topic: bool) -> None:
    if not any(text for _, text in recorded.instructions):
        lack = "only empty instructions" if has_instruction_topic else "no instruction"
        raise ScoringError(f"the bag has {lack}: say what was asked with --instruction")
    if not recorded.joint_states:
        raise ScoringError(
            "the bag has no joint states of the robot's joints, and without them no policy acts: name their topic "
            "with --joint-states"
        )


def _chain(recorded: Recorded, profile: RobotProfile, settings: Settings) -> KinematicChain:
    urdf = settings.urdf or recorded.urdf or profile.urdf()
    if urdf is None:
        raise ScoringError("the bag has no robot description: give the robot's URDF with --urdf")
    return profile.chain(urdf)


def _with_findings(text: str, bag: Bag) -> str:
    return "\n  ".join((text, *(str(finding) for finding in bag.findings)))
