# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo tells what came of an instruction, as the simulator's truth has it."""

import numpy as np
import pytest

from instructvla_ros.demo_outcome import Outcome
from instructvla_ros.sim.episode import Episode
from instructvla_ros.sim.expert import expert_action
from instructvla_ros.sim.task_sampling import numbered_scene
from instructvla_ros.sim.tasks import Task

SCENE = numbered_scene(2_001_155)


@pytest.fixture(scope="module")
def episode() -> Episode:
    return Episode(pictures=False)


def follow(episode: Episode, task: Task | None, *outcomes: Outcome, steps: int = 60) -> None:
    """The scripted expert does the task, or the arm rests, under the eyes of the outcomes."""
    any_task = task or Task("reach", "red cube")
    episode.reset(0, drawn=(SCENE, any_task))
    for outcome in outcomes:
        outcome.see(episode.state())
    for _ in range(steps):
        still = np.zeros(7) + np.eye(7)[6]
        over = episode.step(expert_action(any_task, episode.state(), SCENE.things) if task else still).over
        for outcome in outcomes:
            outcome.see(episode.state())
        if over:
            break


@pytest.mark.parametrize(
    "task",
    [Task("pick_up", "red cube"), Task("touch", "blue ball"), Task("put_next_to", "red cube", "blue ball")],
    ids=lambda task: task.verb,
)
def test_a_task_that_was_done_is_told_with_its_time_and_stays_done(episode: Episode, task: Task) -> None:
    outcome = Outcome(task.phrase, SCENE.things)
    assert outcome.possible
    follow(episode, task, outcome)
    assert episode.progress.success
    assert outcome.done_after == pytest.approx(episode.state().time)
    assert outcome.sentence() == f"done after {outcome.done_after:.1f} s"
    assert not outcome.see(episode.state()), "done is told once"


def test_another_thing_than_the_named_one_is_not_done_and_what_moved_is_told(episode: Episode) -> None:
    outcome = Outcome("pick up the yellow cube", SCENE.things)
    follow(episode, Task("pick_up", "red cube"), outcome)
    assert outcome.done_after is None
    sentence = outcome.sentence()
    assert sentence.startswith("not done: the gripper moved 0.")
    assert "the red cube went" in sentence and " cm up" in sentence


def test_of_free_words_it_is_told_what_moved_and_not_whether_it_was_right(episode: Episode) -> None:
    outcome = Outcome("something the colour of the sky, please", SCENE.things)
    assert not outcome.possible
    follow(episode, Task("push_left", "blue ball"), outcome)
    assert "done" not in outcome.sentence()
    assert "the blue ball" in outcome.sentence() and "cm left" in outcome.sentence()


def test_an_arm_should_rest_where_the_named_thing_is_not_there(episode: Episode) -> None:
    rested, moved = (Outcome("pick up the purple cone", SCENE.things) for _ in range(2))
    follow(episode, None, rested, steps=5)
    follow(episode, Task("pick_up", "red cube"), moved)
    assert rested.sentence() == "no purple cone is there: the arm rested, as it should"
    assert moved.sentence().startswith("no purple cone is there: the gripper moved")
    assert not rested.possible


def test_a_trembling_arm_has_not_moved(episode: Episode) -> None:
    outcome = Outcome("well", SCENE.things)
    follow(episode, None, outcome, steps=25)
    assert outcome.sentence() == "the arm rested; nothing moved"


def test_without_the_truth_nothing_is_claimed() -> None:
    assert Outcome("pick up the red cube", SCENE.things).sentence() == "nobody told where things are"
