# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scripted expert does its tasks, and its closed-form chunks are what it then really does."""

import numpy as np
import pytest

from instructvla_ros.sim.episode import Episode
from instructvla_ros.sim.execution import FilteredExecution
from instructvla_ros.sim.expert import expert_action
from instructvla_ros.sim.expert_chunk import expert_chunk
from instructvla_ros.sim.splits import HELD_OUT_LAYOUTS, HELD_OUT_OBJECTS
from instructvla_ros.sim.tasks import VERBS, Task, every_task

HORIZON = 8
EPISODES = 5
LEAST_GRIPPER_AGREEMENT = 0.97


@pytest.fixture(scope="module")
def episode() -> Episode:
    return Episode(HELD_OUT_OBJECTS, pictures=False)


@pytest.fixture(scope="module")
def filtered_episode() -> Episode:
    return Episode(HELD_OUT_LAYOUTS, FilteredExecution(), pictures=False)


def act(episode: Episode, steps: int) -> np.ndarray:
    """``(steps, 7)`` what the expert did."""
    actions = []
    for _ in range(steps):
        actions.append(expert_action(episode.task, episode.state(), episode.things))
        episode.step(actions[-1])
    return np.array(actions)


@pytest.mark.parametrize("verb", VERBS)
def test_the_expert_does_its_tasks_under_noise(episode: Episode, verb: str) -> None:
    generator = np.random.default_rng(0)
    for index in range(EPISODES):
        episode.reset(HELD_OUT_OBJECTS.seed(index), verb)
        while not episode.progress.over:
            action = expert_action(episode.task, episode.state(), episode.things)
            action[:3] += generator.normal(0.0, 0.005, size=3)
            episode.step(action)
        assert episode.progress.ever, f"scene {index}: {episode.task.phrase}"


@pytest.mark.parametrize("verb", VERBS)
def test_the_safety_filter_lets_the_expert_do_its_tasks(filtered_episode: Episode, verb: str) -> None:
    for index in range(2):
        filtered_episode.reset(HELD_OUT_LAYOUTS.seed(index), verb)
        while not filtered_episode.progress.over:
            state = filtered_episode.state()
            filtered_episode.step(expert_chunk(filtered_episode.task, state, filtered_episode.things, HORIZON))
        assert filtered_episode.progress.ever, f"scene {index}: {filtered_episode.task.phrase}"


def test_the_expert_rests_where_the_target_is_absent(episode: Episode) -> None:
    for verb in VERBS:
        episode.reset(HELD_OUT_OBJECTS.seed(0), verb, absent=True)
        chunk = expert_chunk(episode.task, episode.state(), episode.things)
        np.testing.assert_array_equal(chunk[:, :6], 0.0)
        np.testing.assert_array_equal(chunk[:, 6], 1.0)
        while not episode.progress.over:
            episode.step(chunk)
        assert episode.progress.success and episode.progress.ever


@pytest.mark.parametrize("verb", VERBS)
def test_a_chunk_from_any_instant_of_a_task_is_what_the_expert_then_does(episode: Episode, verb: str) -> None:
    same_gripper, errors = [], []
    for index in range(EPISODES):
        episode.reset(HELD_OUT_OBJECTS.seed(100 + index), verb)
        chunks, actions = [], []
        for _ in range(24):
            chunks.append(expert_chunk(episode.task, episode.state(), episode.things, HORIZON))
            actions.append(act(episode, 1)[0])
        for start in range(len(actions) - HORIZON):
            done = np.array(actions[start : start + HORIZON])
            same_gripper.append((done[:, 6] > 0.5) == (chunks[start][:, 6] > 0.5))
            errors.append(np.linalg.norm(done[:, :3] - chunks[start][:, :3], axis=1))
    assert np.mean(same_gripper) >= LEAST_GRIPPER_AGREEMENT
    assert np.mean(errors) < 0.0015


def test_a_chunk_for_another_task_midway_is_what_the_expert_then_does(episode: Episode) -> None:
    same_gripper, errors = [], []
    for index in range(30):
        generator = np.random.default_rng(index)
        first = ("pick_up", "put_next_to", "pick_up", "reach", "push_left")[index % 5]
        episode.reset(HELD_OUT_OBJECTS.seed(200 + index), first)
        act(episode, int(generator.integers(4, 14)))
        tasks = every_task(episode.scene, list(VERBS)[index % len(VERBS)])
        episode.set_task(tasks[int(generator.integers(len(tasks)))])
        chunk = expert_chunk(episode.task, episode.state(), episode.things, HORIZON)
        done = act(episode, HORIZON)
        same_gripper.append((done[:, 6] > 0.5) == (chunk[:, 6] > 0.5))
        errors.append(np.linalg.norm(done[:, :3] - chunk[:, :3], axis=1))
    assert np.mean(same_gripper) >= LEAST_GRIPPER_AGREEMENT
    assert np.mean(errors) < 0.003


def test_a_chunk_of_a_held_object_lifts_it_with_the_gripper_closed(episode: Episode) -> None:
    held_frames = 0
    for index in range(EPISODES):
        episode.reset(HELD_OUT_OBJECTS.seed(index), "pick_up")
        start = episode.start_state.objects[episode.task.target][2, 3]
        for _ in range(24):
            state = episode.state()
            raised = state.objects[episode.task.target][2, 3] - start > 0.01
            if raised and episode.task.target in state.touched:
                held_frames += 1
                chunk = expert_chunk(episode.task, state, episode.things)
                np.testing.assert_array_equal(chunk[:, 6], 0.0)
                np.testing.assert_allclose(chunk[:, :2], 0.0, atol=1e-9)
                assert state.gripper[2, 3] + chunk[:, 2].sum() == pytest.approx(0.13, abs=0.005)
            act(episode, 1)
    assert held_frames > 5 * EPISODES


def test_what_is_held_is_put_down_before_another_task(episode: Episode) -> None:
    episode.reset(HELD_OUT_OBJECTS.seed(1), "pick_up")
    held = episode.task.target
    act(episode, 20)
    assert episode.progress.success
    other = next(name for name in episode.things if name != held)
    episode.set_task(Task("pick_up", other))
    highest_release = 0.0
    while not episode.progress.over:
        state = episode.state()
        action = expert_action(episode.task, state, episode.things)
        if held in state.touched and action[6] > 0.5:
            foot = state.objects[held][2, 3] - episode.things[held].half_height
            highest_release = max(highest_release, foot)
        episode.step(action)
    assert episode.progress.ever
    assert 0.0 < highest_release < 0.02


def test_the_expert_turns_a_tilted_tool_down_again(episode: Episode) -> None:
    episode.reset(HELD_OUT_OBJECTS.seed(0), "reach")
    tilt = np.array([0.0, 0.0, 0.0, 0.0, 0.1, 0.1, 1.0])
    for _ in range(3):
        episode.step(tilt)
    turned = expert_action(episode.task, episode.state(), episode.things)[3:6]
    assert 0.1 < np.linalg.norm(turned) <= 0.15 + 1e-9
    act(episode, 6)
    np.testing.assert_array_equal(expert_action(episode.task, episode.state(), episode.things)[3:6], 0.0)
