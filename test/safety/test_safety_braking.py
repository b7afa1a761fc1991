# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Braking: as quick as jerks and accelerations allow, along the motion, to rest exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicHermiteSpline

from instructvla_ros.safety.braking import Braking, rest_of, shortest_stops

ACCELERATIONS = np.array([8.0, 8.0, 10.0])
JERKS = np.array([500.0, 400.0, 1000.0])
STILL = np.zeros((6, 3))
velocities = st.lists(st.floats(-1.2, 1.2), min_size=3, max_size=3).map(np.array)
shares = st.lists(st.floats(-1.0, 1.0), min_size=3, max_size=3).map(np.array)


@settings(max_examples=300, deadline=None)
@given(velocity=velocities, share=shares)
def test_a_joint_by_itself_stops_as_quickly_as_ruckig_does(velocity, share):
    ruckig = pytest.importorskip("ruckig", reason="ruckig is not installed: pip install ruckig")
    times = shortest_stops(velocity, share * ACCELERATIONS, ACCELERATIONS, JERKS).sum(axis=1)
    for joint in range(3):
        wanted = ruckig.InputParameter(1)
        wanted.control_interface = ruckig.ControlInterface.Velocity
        wanted.current_position, wanted.current_velocity = [0.0], [float(velocity[joint])]
        wanted.current_acceleration = [float(share[joint] * ACCELERATIONS[joint])]
        wanted.target_velocity, wanted.target_acceleration = [0.0], [0.0]
        wanted.max_acceleration, wanted.max_jerk = [float(ACCELERATIONS[joint])], [float(JERKS[joint])]
        trajectory = ruckig.Trajectory(1)
        result = ruckig.Ruckig(1).calculate(wanted, trajectory)
        assert result in (ruckig.Result.Working, ruckig.Result.Finished)
        assert times[joint] == pytest.approx(trajectory.duration, abs=1e-6)


@settings(max_examples=300, deadline=None)
@given(velocity=velocities, share=shares, next_share=shares)
def test_whatever_the_state_the_braking_keeps_accelerations_and_jerks_and_ends_at_rest(velocity, share, next_share):
    braking = Braking(ACCELERATIONS, JERKS)
    before = 0.5 * share * ACCELERATIONS
    after = before + 0.01 * JERKS * next_share
    after = np.clip(after, -ACCELERATIONS, ACCELERATIONS)
    planned = braking.plan(np.zeros(3), velocity, before, after, STILL, 0.01)
    assert planned is not None
    trajectory = planned.joint_trajectory(("a", "b", "c"))
    assert trajectory.ends_at_rest
    spline = CubicHermiteSpline(trajectory.times, trajectory.positions, trajectory.velocities)
    inner = np.linspace(0.0, trajectory.duration, 200)
    assert (np.abs(spline(inner, 2)) <= ACCELERATIONS + 1e-3).all()
    long = np.diff(trajectory.times) > 2e-4
    assert (np.abs(6.0 * spline.c[0][long]) <= JERKS + 1.0).all()
    np.testing.assert_allclose(spline(0.01, 2), after, atol=1e-3)


@settings(max_examples=200, deadline=None)
@given(velocity=velocities, share=st.floats(-1.0, 1.0))
def test_a_motion_whose_accelerations_lie_along_it_brakes_straight_and_in_the_shortest_time(velocity, share):
    if np.abs(velocity).max() < 1e-2:
        return
    # No more than would carry it past rest while it is ramped away.
    highest, jerk = np.min(ACCELERATIONS / np.abs(velocity + 1e-12)), np.min(JERKS / np.abs(velocity + 1e-12))
    gain = share * min(float(highest), 0.9 * float(np.sqrt(2.0 * jerk)))
    along = gain * velocity
    planned = Braking(ACCELERATIONS, JERKS).plan(np.zeros(3), velocity, along, along, STILL, 0.01)
    assert planned is not None
    scale = 1.0 + 0.01 * gain
    shortest = shortest_stops(np.array([scale]), np.array([gain]), np.array([highest]), np.array([jerk])).sum()
    if scale <= 0.05:
        return  # it has all but stopped within the period
    assert planned.times[-1] - 0.01 <= 1.02 * shortest + 1e-4
    end = planned.positions[-1]
    across = end - velocity * (end @ velocity) / (velocity @ velocity)
    assert np.abs(across).max() <= 1e-9


def test_what_is_left_of_a_trajectory_runs_on_as_it_would_have():
    planned = Braking(ACCELERATIONS, JERKS).plan(
        np.zeros(3), np.array([0.5, -0.2, 0.1]), np.array([1.0, 0.0, -2.0]), np.array([2.0, 1.0, 0.0]), STILL, 0.01
    )
    assert planned is not None
    whole = planned.joint_trajectory(("a", "b", "c"))
    for elapsed in (0.003, 0.01, 0.0237, 0.05):
        left = rest_of(whole, elapsed, 0.01)
        for later in (0.0, 0.002, 0.02, 0.04, 1.0):
            for ours, theirs in zip(left.state(later), whole.state(elapsed + later), strict=True):
                np.testing.assert_allclose(ours, theirs, atol=1e-6)
