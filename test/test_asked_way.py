# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a policy wanted the gripper: what leads somewhere counts, to and fro does not."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructvla_ros.asked_way import AskedWay
from instructvla_ros.robot.action_chunk import ActionChunk

PERIOD = 0.2


def chunk(stamp: float, step: np.ndarray, gripper: float = 1.0, steps: int = 16) -> ActionChunk:
    translations = np.tile(step, (steps, 1))
    return ActionChunk(stamp, "base", 1, 1, PERIOD, translations, np.zeros((steps, 3)), np.full(steps, gripper))


@settings(max_examples=20)
@given(st.floats(0.01, 0.5), st.floats(0.05, 0.6))
def test_a_straight_way_is_as_long_as_its_speed_has_it_however_often_chunks_come(speed: float, between: float) -> None:
    way, now = AskedWay(3.0), 100.0
    while now < 106.0:
        way.add(now, chunk(now - 0.05, np.array([speed * PERIOD, 0.0, 0.0])))
        now += between
    extent = way.extent(2.0)
    assert extent is not None
    assert extent.translation == pytest.approx(2.0 * speed, abs=speed * between + 1e-9)
    assert extent.rotation == 0.0 and extent.gripper == 0.0


@settings(max_examples=20)
@given(st.integers(0, 2**31))
def test_a_policy_that_corrects_to_and_fro_stays_in_its_place(seed: int) -> None:
    """Each chunk as a whole asks for centimetres; what is executed of them goes nowhere."""
    random = np.random.default_rng(seed)
    way, now, at = AskedWay(3.0), 100.0, np.zeros(3)
    while now < 106.0:
        goal = random.normal(0.0, 0.004, 3)  # where the policy thinks it should be now
        steps = np.concatenate([[goal - at], random.normal(0.003, 0.003, (15, 3))])
        way.add(now, ActionChunk(now, "base", 1, 1, PERIOD, steps, np.zeros((16, 3)), np.ones(16)))
        assert np.linalg.norm(steps.sum(axis=0)) > 0.02
        at, now = goal, now + PERIOD
    extent = way.extent(3.0)
    assert extent is not None and extent.translation < 0.06


def test_a_way_that_is_shorter_than_the_window_says_nothing_yet() -> None:
    way = AskedWay(3.0)
    assert way.extent(1.0) is None and way.extent() is None
    for n in range(10):
        way.add(100.0 + 0.2 * n, chunk(100.0 + 0.2 * n, np.zeros(3)))
    assert way.extent(1.0) is not None and way.extent(3.0) is None


def test_the_gripper_counts_by_the_step_that_is_due() -> None:
    way = AskedWay(1.0)
    for n, gripper in enumerate((1.0, 1.0, 0.0)):
        way.add(100.0 + 0.2 * n, chunk(100.0 + 0.2 * n, np.zeros(3), gripper))
    extent = way.extent()
    assert extent is not None and extent.gripper == 1.0


def test_what_is_not_a_number_makes_the_way_begin_anew() -> None:
    way = AskedWay(1.0)
    for n in range(10):
        way.add(100.0 + 0.2 * n, chunk(100.0 + 0.2 * n, np.full(3, math.nan if n == 8 else 0.0)))
    assert way.extent(1.0) is None and way.extent() is not None
