# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The recorded actions of a bag, in the best form that it has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from instructvla_ros.bags.scoring.recorded import Recorded, rotation_matrices
from instructvla_ros.bags.scoring.references import ChunkReference, Reference, WayReference
from instructvla_ros.bags.scoring.topics import ScoringError
from instructvla_ros.bags.scoring.ways import SAME_TIME, OpeningTrack, PoseTrack, rising_only
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.joint_state import JointStateError
from instructvla_ros.robot.kinematics import KinematicChain

KINDS = ("chunks", "commands", "motion", "pose")
"""What predictions may be held against, best first: action chunks, joint trajectories, motion measured by the joint
states, a measured pose."""

LONGEST_GAP = 0.5
"""Measurements further apart [s] tell nothing of the motion between them."""


def reference_of(
    recorded: Recorded, profile: RobotProfile, chain: KinematicChain, against: str | None = None
) -> Reference:
    """What predictions are held against.

    Args:
        recorded: of the bag.
        profile: names joints and gripper.
        chain: from base frame to gripper point.
        against: one of ``KINDS``; None: the first that the bag has.

    Raises:
        ScoringError: the bag has no such actions, or none at all.
    """
    for kind in KINDS if against is None else (against,):
        reference = _of_kind(kind, recorded, profile, chain)
        if reference is not None:
            return reference
    lacks = {
        "chunks": "action chunks with steps",
        "commands": f"joint trajectories of all of {', '.join(chain.joint_names)}",
        "motion": "joint states",
        "pose": "poses of the end effector (name their topic with --pose)",
    }
    what = lacks[against] if against else " nor ".join(lacks.values())
    has = f"the bag has {'no' if against else 'neither'} {what}"
    raise ScoringError(f"{has}: there is nothing to hold predictions against")


def measured_way(recorded: Recorded, profile: RobotProfile, chain: KinematicChain) -> WayReference | None:
    """Where the gripper went, by the joint states, or else by a measured pose; None without either."""
    return _motion(recorded, profile, chain) or _pose(recorded, profile)


def _of_kind(kind: str, recorded: Recorded, profile: RobotProfile, chain: KinematicChain) -> Reference | None:
    if kind == "chunks":
        return ChunkReference(recorded.chunks) if any(len(chunk) for chunk in recorded.chunks) else None
    if kind == "commands":
        return _commands(recorded, profile, chain)
    return _motion(recorded, profile, chain) if kind == "motion" else _pose(recorded, profile)


def _motion(recorded: Recorded, profile: RobotProfile, chain: KinematicChain) -> WayReference | None:
    times, joints = [], []
    for state in recorded.joint_states:
        try:
            joints.append(state.select(chain.joint_names)[0])
        except JointStateError:
            continue
        times.append(state.stamp)
    if not times:
        return None
    poses = PoseTrack.of_joints(times, np.array(joints), chain, LONGEST_GAP)
    return WayReference("measured motion (joint states)", poses, _measured_openings(recorded, profile))


def _pose(recorded: Recorded, profile: RobotProfile) -> WayReference | None:
    if not recorded.poses:
        return None
    times = np.array([time for time, _, _ in recorded.poses])
    rising = rising_only(times)
    poses = PoseTrack(
        times[rising],
        np.array([where for _, where, _ in recorded.poses])[rising],
        rotation_matrices(np.array([turned for _, _, turned in recorded.poses])[rising]),
        LONGEST_GAP,
    )
    return WayReference("measured motion (pose)", poses, _measured_openings(recorded, profile))


def _measured_openings(recorded: Recorded, profile: RobotProfile) -> OpeningTrack | None:
    times, openings = [], []
    for state in recorded.joint_states:
        try:
            openings.append(profile.gripper.opening(float(state.select((profile.gripper.joint,))[0][0])))
        except JointStateError:
            continue
        times.append(state.stamp)
    return _opening_track(times, openings, LONGEST_GAP)


def _commands(recorded: Recorded, profile: RobotProfile, chain: KinematicChain) -> WayReference | None:
    """The commanded way: each trajectory from when it came until the next."""
    wanted = set(chain.joint_names)
    given = [entry for entry in recorded.trajectories if wanted <= set(entry[1]) and len(entry[2])]
    if not given:
        return None
    times: list[float] = []
    joints: list[np.ndarray] = []
    for index, (start, names, points, positions) in enumerate(given):
        knots = start + points
        places = positions[:, [names.index(name) for name in chain.joint_names]]
        if points[0] > 0.0 and joints:  # it sets out from where the arm was told to be by then
            knots, places = np.append(start, knots), np.vstack((joints[-1], places))
        if index + 1 < len(given):
            end = given[index + 1][0] - SAME_TIME
            last = [np.interp(end, knots, places[:, joint]) for joint in range(places.shape[1])]
            kept = knots < end
            knots, places = np.append(knots[kept], end), np.vstack((places[kept], last))
        times += knots.tolist()
        joints += list(places)
    poses = PoseTrack.of_joints(times, np.array(joints), chain, held_until=recorded.end)
    return WayReference("commands (joint trajectories)", poses, _commanded_openings(recorded, profile))


def _commanded_openings(recorded: Recorded, profile: RobotProfile) -> OpeningTrack | None:
    commands = [(time, position) for time, position in recorded.gripper_commands if np.isfinite(position)]
    openings = [profile.gripper.opening(position) for _, position in commands]
    return _opening_track([time for time, _ in commands], openings, np.inf)


def _opening_track(times: Sequence[float], openings: Sequence[float], longest: float) -> OpeningTrack | None:
    stamps = np.array(times)
    rising = rising_only(stamps)
    return OpeningTrack(stamps[rising], np.array(openings)[rising], longest) if len(rising) else None
