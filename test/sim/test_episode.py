# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes: the same seed and actions give the same world, actions move the commanded pose, bad input is refused."""

import numpy as np
import pytest

from instructvla_ros.policy.proprioception import bridge_proprioception
from instructvla_ros.sim.episode import Episode
from instructvla_ros.sim.execution import DirectExecution, Execution, FilteredExecution
from instructvla_ros.sim.expert import CONTROL_PERIOD, expert_action
from instructvla_ros.sim.splits import HELD_OUT_LAYOUTS, TRAIN
from instructvla_ros.sim.tasks import Task

OPEN = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])


@pytest.fixture(scope="module")
def episode() -> Episode:
    return Episode(pictures=False)


@pytest.mark.parametrize("execution", [DirectExecution, FilteredExecution])
def test_the_same_seed_and_actions_give_the_same_world(execution: type[Execution]) -> None:
    ends = []
    for _ in range(2):
        episode = Episode(HELD_OUT_LAYOUTS, execution(), pictures=False)
        episode.reset(HELD_OUT_LAYOUTS.seed(8), "reach")  # something else before must not matter
        episode.step(OPEN)
        episode.reset(HELD_OUT_LAYOUTS.seed(3), "pick_up")
        for _ in range(8):
            episode.step(expert_action(episode.task, episode.state(), episode.things))
        ends.append(episode.state())
    for name, place in ends[0].objects.items():
        np.testing.assert_array_equal(place, ends[1].objects[name])
    np.testing.assert_array_equal(ends[0].gripper, ends[1].gripper)


@pytest.mark.parametrize("execution", [DirectExecution, FilteredExecution])
def test_actions_move_the_gripper_by_what_they_say(execution: type[Execution]) -> None:
    episode = Episode(execution=execution(), pictures=False)
    episode.reset(0, "reach")
    start = episode.state()
    chunk = np.tile(OPEN, (4, 1))
    chunk[:3, :3] = [0.01, -0.02, -0.01]
    chunk[:3, 6] = 0.5
    chunk[3, 6] = 0.5
    episode.step(chunk, steps=4)
    end = episode.state()
    assert end.time == pytest.approx(4 * CONTROL_PERIOD)
    np.testing.assert_allclose(end.gripper[:3, 3] - start.gripper[:3, 3], [0.03, -0.06, -0.03], atol=2e-3)
    assert end.opening == pytest.approx(0.5, abs=0.03)


def test_deltas_add_up_on_the_commanded_pose_and_not_on_the_measured_one(episode: Episode) -> None:
    episode.reset(0, "reach")
    start = episode.state().gripper[:3, 3]
    for _ in range(5):
        episode.step(OPEN + [0.02, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    episode.step(OPEN)
    moved = episode.state().gripper[:3, 3] - start
    np.testing.assert_allclose(moved, [0.1, 0.0, 0.0], atol=5e-4)  # the servos' lag does not add up


def test_the_commanded_pose_does_not_wind_up_below_the_table(episode: Episode) -> None:
    episode.reset(0, "reach")
    down, up = OPEN.copy(), OPEN.copy()
    down[2], up[2] = -0.03, 0.03
    for _ in range(15):
        episode.step(down)
    lowest = episode.state().gripper[2, 3]
    assert lowest == pytest.approx(0.01, abs=2e-3)
    episode.step(up)
    assert episode.state().gripper[2, 3] - lowest > 0.025


def test_an_observation_holds_what_a_policy_may_see(needs_rendering: None) -> None:
    episode = Episode(picture=(64, 48), wrist=True)
    seen = episode.reset(1, "touch")
    truth = episode.state()
    assert seen.front is not None and seen.wrist is not None
    assert seen.front.shape == seen.wrist.shape == (48, 64, 3)
    np.testing.assert_allclose(seen.proprioception, bridge_proprioception(truth.gripper, truth.opening))
    assert seen.opening == pytest.approx(1.0, abs=0.01)
    np.testing.assert_array_equal(seen.front, episode.observe().front)
    episode.close()
    again = Episode(picture=(64, 48)).reset(1, "touch")
    np.testing.assert_array_equal(seen.front, again.front)
    assert again.wrist is None


def test_time_runs_out_on_an_arm_that_does_nothing(episode: Episode) -> None:
    episode.reset(0, "pick_up")
    steps = 0
    while not episode.progress.over:
        episode.step(OPEN)
        steps += 1
    assert not episode.progress.ever
    assert steps == round(episode.time_limit / CONTROL_PERIOD)


def test_an_arm_that_moves_where_it_should_rest_has_failed_for_good(episode: Episode) -> None:
    episode.reset(0, "pick_up", absent=True)
    assert episode.step(OPEN).success
    away = OPEN + [0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert not episode.step(away).success
    assert not episode.step(OPEN - [0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).ever


def test_a_task_can_be_set_midway(episode: Episode) -> None:
    episode.reset(0, "pick_up")
    episode.step(OPEN)
    other = next(name for name in episode.things if name != episode.task.target)
    episode.set_task(Task("reach", other))
    assert episode.state().time == 0.0
    assert episode.task.target == other


@pytest.mark.parametrize(
    ("actions", "steps", "said"),
    [
        (np.zeros(6), 1, r"shape \(7,\) or \(H, 7\), got \(6,\)"),
        (np.full(7, np.nan), 1, "finite"),
        (np.zeros((2, 7)), 3, "3 steps cannot be executed of a chunk of 2"),
        (np.zeros((2, 7)), 0, "0 steps"),
        (np.zeros((1, 2, 7)), 1, "shape"),
    ],
)
def test_bad_actions_are_refused_and_move_nothing(episode: Episode, actions: np.ndarray, steps: int, said: str) -> None:
    episode.reset(0, "reach")
    with pytest.raises(ValueError, match=said):
        episode.step(actions, steps)
    assert episode.state().time == 0.0


def test_an_episode_must_begin_before_it_goes_on() -> None:
    fresh = Episode(pictures=False)
    with pytest.raises(RuntimeError, match="reset first"):
        fresh.step(OPEN)
    with pytest.raises(ValueError, match="none of split 'train'"):
        fresh.reset(TRAIN.seeds.stop, "reach")
