# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What passes the last check keeps the limits at every instant, also between the points that were looked at."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.support.rig import PERIOD, READY
from instructvla_ros.safety.audit import CommandAudit
from instructvla_ros.safety.braking import Braking, joined
from instructvla_ros.safety.joint_bounds import JointBounds
from instructvla_ros.safety.motion import ArmNow
from instructvla_ros.safety.room_limits import ROOM_LIMITS
from instructvla_ros.safety.rooms import RoomSet
from instructvla_ros.safety.trajectory_check import TrajectoryCheck

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def judged(limits, chain):
    """Tells whether a motion passes, and its trajectory."""
    rooms, bounds = RoomSet(ROOM_LIMITS, limits, chain), JointBounds.of(limits, chain, PERIOD)
    check = TrajectoryCheck(limits, chain, rooms, bounds)
    braking = Braking(bounds.accelerations, bounds.jerks)

    def judge(positions, velocities, accelerations, next_accelerations):
        here, known, shrinking = rooms.around(positions)
        check.start_at(known)
        jacobian = here.jacobians[0]
        arm = ArmNow(positions, velocities, accelerations, here.poses[0], jacobian, known, shrinking, PERIOD)
        planned = braking.plan(positions, velocities, accelerations, next_accelerations, jacobian, PERIOD)
        if planned is None:
            return False, None
        return check.passes(planned, arm), planned.joint_trajectory(chain.joint_names)

    return judge


@settings(max_examples=300, deadline=None)
@given(seed=seeds, speed=st.floats(0.5, 1.05), gain=st.floats(-1.0, 1.0), part=st.integers(0, 1))
def test_what_passes_keeps_every_limit_in_between_too(judged, limits, chain, seed, speed, gain, part):
    random = np.random.default_rng(seed)
    positions = READY + random.uniform(-0.3, 0.3, 6)
    _, jacobian = chain.forward_and_jacobian(positions)
    twist = np.zeros(6)
    direction = random.normal(size=3)
    highest = limits.rotation_speed if part else limits.translation_speed
    twist[3 * part : 3 * part + 3] = speed * highest * direction / np.linalg.norm(direction)
    velocities = np.linalg.lstsq(jacobian, twist, rcond=None)[0]
    most = float(np.min(8.0 / np.maximum(np.abs(velocities), 1e-9)))
    accelerations = gain * most * velocities + random.normal(size=6)
    accelerations = np.clip(accelerations, -8.0, 8.0)
    gaining = jacobian @ accelerations  # where the trajectory starts has been checked before, and must keep the limits
    use = max(
        np.linalg.norm(gaining[:3]) / limits.translation_acceleration,
        np.linalg.norm(gaining[3:]) / limits.rotation_acceleration,
    )
    accelerations *= min(1.0, 0.8 / use)
    passes, trajectory = judged(positions, velocities, accelerations, np.clip(0.7 * accelerations, -8.0, 8.0))
    if passes:
        audit = CommandAudit(limits, chain)
        audit.command(trajectory, None, 0.0)


def test_a_gripper_that_is_too_fast_only_between_the_points_is_refused(judged, limits, chain):
    _, jacobian = chain.forward_and_jacobian(READY)
    twist = np.array([0.0, limits.translation_speed, 0.0, 0.0, 0.0, 0.0])
    along = np.linalg.lstsq(jacobian, twist, rcond=None)[0]
    speeding_up = 0.5 * 8.0 * along / np.abs(along).max()
    gained = PERIOD * float(np.abs(speeding_up).max() / np.abs(along).max())
    passes, trajectory = judged(READY, (0.996 - gained) * along, speeding_up, speeding_up)
    states = zip(trajectory.positions, trajectory.velocities, strict=True)
    points = [np.linalg.norm((chain.jacobian(positions) @ velocities)[:3]) for positions, velocities in states]
    assert max(points) <= limits.translation_speed, "the test misses its point"
    assert not passes


def test_a_joint_beyond_its_range_that_comes_in_and_turns_out_again_is_refused(limits, chain):
    bounds = JointBounds.of(limits, chain, PERIOD)
    check = TrajectoryCheck(limits, chain, RoomSet(ROOM_LIMITS, limits, chain), bounds)
    start = READY.copy()
    start[5] = bounds.upper[5] + 0.05
    # In by one bang of acceleration and out again by a smaller one: it ends nearer than it began, but on its way out.
    steps = np.array([0.02, 0.04, 0.02, 0.012, 0.024, 0.012])
    reached = np.zeros((6, 6))
    reached[:, 5] = [-4.0, 4.0, 0.0, 4.0, -4.0, 0.0]
    out = joined(start, np.zeros(6), np.zeros(6), steps, reached)
    assert out.positions[:, 5].min() < out.positions[-1, 5] < start[5]
    assert not check.joints_pass(out)
    assert check.joints_pass(joined(start, np.zeros(6), np.zeros(6), steps[:3], reached[:3]))
