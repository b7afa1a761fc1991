# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated arm keeps up with a clock, drops what it cannot, and answers like a driver."""

import threading
from pathlib import Path

import numpy as np
import pytest

from instructvla_ros.parameters import DEMO_SCENE
from instructvla_ros.robot.trajectory import JointTrajectory
from instructvla_ros.sim.arm_model import ARM_JOINTS, FINGER_OPEN, HOME
from instructvla_ros.sim.realtime import SimulatedArm
from instructvla_ros.sim.table_top import TableTop
from instructvla_ros.sim.task_sampling import numbered_scene


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture()
def clock() -> Clock:
    return Clock()


@pytest.fixture()
def arm(table_top: TableTop, clock: Clock) -> SimulatedArm:
    return SimulatedArm(table_top, clock=clock)


def run(arm: SimulatedArm, clock: Clock, duration: float) -> None:
    for _ in range(round(duration / 0.01)):
        clock.now += 0.01
        arm.advance()


def reach(positions: np.ndarray, seconds: float = 1.0) -> JointTrajectory:
    return JointTrajectory(ARM_JOINTS, np.array([seconds]), positions[None, :], np.zeros((1, 6)))


def test_simulated_time_keeps_up_with_the_clock(arm: SimulatedArm, clock: Clock) -> None:
    run(arm, clock, 3.0)
    assert arm.table_top.time == pytest.approx(3.0, abs=0.005)
    assert arm.joint_state().stamp == pytest.approx(clock.now, abs=0.005)
    assert arm.dropped_time == 0.0


def test_late_physics_drop_time_and_count_it(arm: SimulatedArm, clock: Clock) -> None:
    clock.now += 5.0
    arm.advance()
    assert arm.dropped_time == pytest.approx(4.9, abs=1e-6)
    assert arm.table_top.time == pytest.approx(0.1, abs=0.005)
    assert arm.joint_state().stamp == pytest.approx(clock.now, abs=0.005)


def test_a_commanded_trajectory_is_followed_in_its_time(arm: SimulatedArm, clock: Clock) -> None:
    goal = np.array(HOME) + [0.4, 0.2, -0.2, 0.3, -0.2, 0.5]
    arm.command(reach(goal))
    run(arm, clock, 0.5)
    halfway = arm.joint_state().positions[:6]
    np.testing.assert_allclose(halfway, 0.5 * (np.array(HOME) + goal), atol=0.01)
    run(arm, clock, 0.6)
    np.testing.assert_allclose(arm.joint_state().positions[:6], goal, atol=0.002)


def test_joint_state_names_arm_and_fingers(arm: SimulatedArm, clock: Clock) -> None:
    arm.command_gripper(0.01)
    run(arm, clock, 1.0)
    state = arm.joint_state()
    assert state.names == (*ARM_JOINTS, "left_finger", "right_finger")
    positions, velocities = state.select(("right_finger", "left_finger", "waist"))
    np.testing.assert_allclose(positions, [0.01, 0.01, 0.0], atol=5e-4)
    assert velocities.shape == (3,)


def test_a_refused_trajectory_leaves_the_arm_on_the_old_one(arm: SimulatedArm, clock: Clock) -> None:
    goal = np.array(HOME) + 0.2
    arm.command(reach(goal))
    with pytest.raises(ValueError, match="position of waist"):
        arm.command(reach(np.full(6, np.nan)))
    run(arm, clock, 1.2)
    np.testing.assert_allclose(arm.joint_state().positions[:6], goal, atol=0.002)


def test_a_picture_carries_the_instant_it_shows(arm: SimulatedArm, clock: Clock, needs_rendering: None) -> None:
    run(arm, clock, 0.2)
    frame = arm.frame("front", 64, 48)
    assert frame.stamp == arm.joint_state().stamp
    assert frame.image.shape == (48, 64, 3)


def test_reset_puts_the_arm_home_and_forgets_the_trajectory(arm: SimulatedArm, clock: Clock) -> None:
    arm.command(reach(np.array(HOME) + 0.5))
    run(arm, clock, 0.5)
    arm.lay(numbered_scene(3))
    run(arm, clock, 1.0)
    np.testing.assert_allclose(arm.joint_state().positions[:6], HOME, atol=1e-3)
    assert arm.joint_state().positions[6] == pytest.approx(FINGER_OPEN, abs=5e-4)


def test_the_thread_steps_physics_and_ends_when_told(table_top: TableTop) -> None:
    stepped = threading.Event()
    step = table_top.step

    def step_and_tell(duration: float) -> None:
        step(duration)
        if table_top.time > 0.05:
            stepped.set()

    table_top.step = step_and_tell
    try:
        arm = SimulatedArm(table_top)
        arm.start()
        with pytest.raises(RuntimeError, match="runs already"):
            arm.start()
        assert stepped.wait(30.0)
        arm.stop()
        halted = table_top.time
        assert halted > 0.05
        assert not [thread for thread in threading.enumerate() if thread.name == "physics"]
    finally:
        del table_top.step


def test_when_physics_fail_the_arm_says_so_instead_of_repeating_old_states(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes a log file where it stands
    table_top = TableTop(0)
    arm = SimulatedArm(table_top, clock=clock)
    table_top._data.qvel[:] = 1e12
    clock.now += 0.05
    arm._tick()
    with pytest.raises(RuntimeError, match="came to a halt"):
        arm.joint_state()
    with pytest.raises(RuntimeError, match="came to a halt"):
        arm.frame("front", 64, 48)


def test_a_lag_shorter_than_a_step_is_refused(table_top: TableTop) -> None:
    with pytest.raises(ValueError, match="longest lag"):
        SimulatedArm(table_top, longest_lag=0.0)


def test_another_scene_is_drawn_and_measured_as_it_was_laid(
    arm: SimulatedArm, clock: Clock, needs_rendering: None
) -> None:
    arm.frame("front", 64, 48)
    for seed in (3, DEMO_SCENE):
        scene = numbered_scene(seed)
        arm.lay(scene)
        truth = arm.truth()
        for thing, place in zip(scene.objects, scene.layout, strict=True):
            np.testing.assert_allclose(truth.objects[thing.name][:2, 3], place[:2], atol=1e-6)
        assert set(truth.objects) == set(scene.things) and not truth.forces
        assert arm.frame("front", 64, 48).image.std() > 1.0
    run(arm, clock, 0.1)
