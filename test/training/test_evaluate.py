# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluation: a model that knows the truth succeeds, one that does nothing does not, and words are judged."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import pytest

from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.sim.expert_chunk import expert_chunk
from instructvla_ros.sim.rendering import RenderingUnavailableError, choose_backend
from instructvla_ros.sim.tasks import Task
from instructvla_ros.training.evaluate import CELLS, Evaluator, command_for, executing, facts_of, interval, share
from instructvla_ros.training.language.commands import ABSENT, ATOMIC, SITUATED
from instructvla_ros.training.language.words import CONCEPTS, LIKENESSES

try:
    choose_backend()
except RenderingUnavailableError as error:
    pytest.skip(str(error), allow_module_level=True)


@dataclass
class _Words:
    text: str
    words: str


@dataclass
class _Output:
    actions: np.ndarray


class Oracle:
    """Does what the expert does; speaks when told what to say."""

    chunk_length, num_views, uses_state, has_reasoning, datasets = 8, 1, True, True, ("sim",)
    evaluator: Evaluator
    lazy = False

    def act(self, images, instruction, proprio=None, reasoning=None, noise=None, dataset=None, latent_actions=None):
        assert images[0].shape == (48, 64, 3) and proprio.shape == (8,) and dataset == "sim"
        episode = self.evaluator._episode
        if self.lazy:
            still = np.zeros((8, 7))
            still[:, 6] = 1.0
            return _Output(still)
        return _Output(expert_chunk(episode.task, episode.state(), episode.things, 8))

    def reason(self, images, instruction, on_text=None, should_stop=None):
        target = self.evaluator._episode.task.target
        said = f"pick up the {target}. it is nowhere. stay."
        return _Words(said, said)


def evaluator(steps: int, reasons: bool = False, lazy: bool = False) -> Evaluator:
    model = Oracle()
    model.lazy = lazy
    model.evaluator = Evaluator(
        model,
        executing(RobotProfile.load("sim"), steps),
        reasons,
        picture=(64, 48),  # type: ignore[arg-type]
    )
    return model.evaluator


@pytest.mark.parametrize("verb", ["pick_up", "push_left", "put_next_to"])
def test_a_model_that_knows_the_truth_succeeds(verb):
    one = evaluator(steps=2)
    attempt = one.attempt(ATOMIC, verb, 0, with_expert=True)
    one.close()
    assert attempt.success and attempt.right_object
    assert attempt.expert_path and attempt.path < 1.5 * attempt.expert_path


def test_a_model_that_does_nothing_fails_where_something_is_asked_and_rests_where_nothing_can_be_done():
    one = evaluator(steps=4, lazy=True)
    assert not one.attempt(ATOMIC, "pick_up", 0).success
    assert one.attempt(ABSENT, "pick_up", 0).success
    one.close()


def test_reasoning_is_held_against_the_truth():
    one = evaluator(steps=4, reasons=True)
    attempt = one.attempt(SITUATED, "pick_up", 1)
    one.close()
    assert attempt.right_words is True and attempt.right_place is False and attempt.right_motion is False
    assert attempt.right_way is False
    assert attempt.reasoning.startswith("pick up the")
    concepts = [word for words in (*CONCEPTS.values(), *LIKENESSES.values()) for word in words.language]
    assert any(concept in attempt.text for concept in concepts)


def test_an_attempt_is_decided_by_its_number():
    one = evaluator(steps=4)
    first, again, other = (one.attempt("aggregation", "reach", index) for index in (3, 3, 4))
    one.close()
    assert (first.text, first.success, first.path) == (again.text, again.success, again.path)
    assert first.text != other.text


def test_every_cell_has_phrases_about_the_task():
    one = evaluator(steps=4)
    one._episode.reset(2_000_001, "put_next_to")
    facts, task = facts_of(one._episode, one._episode.state()), one._episode.task
    one.close()
    for cell in CELLS:
        commands = [command_for(cell, facts, task, Random(seed)) for seed in range(20)]
        texts = {command.text for command in commands if command is not None}
        assert texts or cell == SITUATED
    assert command_for(ABSENT, facts, Task("reach", task.target), Random(0)).intent.target is None


def test_shares_and_their_intervals():
    low, high = interval(47, 50)
    assert 0.83 < low < 0.85 and 0.97 < high < 0.99
    assert interval(0, 0) == (0.0, 1.0) and interval(50, 50)[1] == pytest.approx(1.0)
    assert share([], "success") is None
