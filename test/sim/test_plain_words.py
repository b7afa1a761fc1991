# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plain instructions are told apart from all others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.sim.plain_words import plain_task
from instructvla_ros.sim.task_sampling import numbered_scene
from instructvla_ros.sim.tasks import VERBS, Task, every_task

TABLE = ("red cube", "blue ball", "green cylinder", "green disc")


@given(st.integers(0, 2**31 - 1), st.sampled_from(list(VERBS)))
def test_the_plain_phrase_of_every_task_is_understood(seed: int, verb: str) -> None:
    scene = numbered_scene(seed)
    for task in every_task(scene, verb):
        assert plain_task(task.phrase, scene.things) == task


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Pick up the red cube!", Task("pick_up", "red cube")),
        ("please pick the cube up", Task("pick_up", "red cube")),
        ("push the ball to the left, please", Task("push_left", "blue ball")),
        ("place the red thing beside the green disc", Task("put_next_to", "red cube", "green disc")),
        ("reach for a blue ball", Task("reach", "blue ball")),
        ("touch the purple cone", Task("touch", "purple cone")),
    ],
)
def test_small_differences_and_unambiguous_names_are_understood(text: str, task: Task) -> None:
    assert plain_task(text, TABLE) == task


@pytest.mark.parametrize(
    "text",
    ["", "pick up", "pick up the green one", "pick up the purple banana", "something the colour of the sky, please",
     "put the red cube next to the cube", "do not pick up the red cube", "pick up the red cube and the blue ball"],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_people(text: str) -> None:
    assert plain_task(text, TABLE) is None


@given(st.text())
def test_any_text_may_be_asked(text: str) -> None:
    plain_task(text, TABLE)
