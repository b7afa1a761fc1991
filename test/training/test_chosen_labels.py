# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which of a picture's labels are learned from: if most are about what the hand moves to, words need not be read."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.training.compose import _choose_labels
from instructvla_ros.training.frames import Label
from instructvla_ros.training.language.commands import Intent

_CHUNK = np.zeros((2, 7), np.float32)
_TARGETS = st.lists(st.integers(0, 4), min_size=1, max_size=6)


def _labels(targets):
    return [Label(_CHUNK, Intent("touch", target)) for target in targets]


@given(targets=_TARGETS, count=st.integers(0, 6), seed=st.integers(0, 999), with_shown=st.booleans())
def test_as_many_as_asked_for_about_as_many_different_things_as_there_are(targets, count, seed, with_shown):
    labels = _labels(targets)
    chosen = _choose_labels(labels, count, Random(seed), with_shown)
    assert len(chosen) == count
    assert all(label in labels for label in chosen)
    assert len({label.intent.target for label in chosen}) == min(count, len(set(targets)))
    if with_shown and count:
        assert chosen[0] is labels[0]


def test_without_the_demonstrated_one_each_thing_is_meant_equally_often():
    labels = _labels([0, 0, 0, 0, 1, 2])
    random = Random(0)
    first = [_choose_labels(labels, 1, random, with_shown=False)[0].intent.target for _ in range(3000)]
    assert np.allclose([first.count(target) / 3000 for target in range(3)], 1 / 3, atol=0.04)


def test_labels_of_people_that_name_no_thing_are_taken_as_they_come():
    labels = [Label(_CHUNK, instruction="wipe"), Label(_CHUNK, instruction="rest")]
    assert len(_choose_labels(labels, 3, Random(0), with_shown=True)) == 3


@given(
    others=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    shown=st.sampled_from([Intent("put_next_to", 0, 1), Intent("pick_up", 0)]),
    seed=st.integers(0, 999),
)
def test_what_is_held_is_put_next_to_another_thing_too_where_there_is_such_a_label(others, shown, seed):
    puts = [Label(_CHUNK, Intent("put_next_to", 0, other)) for other in others]
    labels = [Label(_CHUNK, shown), *_labels([1, 2]), *puts]
    chosen = _choose_labels(labels, 2, Random(seed), with_shown=True, held=0)
    assert chosen[0] is labels[0]
    if any(label.intent != shown for label in puts):
        assert chosen[1].intent.task == "put_next_to" and chosen[1].intent != shown
    else:
        assert chosen[1].intent.target in (1, 2)
