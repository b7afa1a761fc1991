# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The time of the path: slower where the speed is scaled, and never jumping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.safety.path_clock import PathClock


def test_without_a_scale_it_is_the_world_s_time():
    clock = PathClock(1.0)
    clock.set(100.0, 1.0)
    assert [clock.at(time) for time in (99.0, 100.0, 101.5)] == pytest.approx([99.0, 100.0, 101.5])


def test_an_instant_of_the_past_keeps_its_time():
    clock = PathClock(5.0)
    clock.set(100.0, 1.0)
    clock.set(101.0, 0.1)
    clock.set(102.0, 0.5)
    assert clock.at(100.5) == pytest.approx(100.5)
    assert clock.at(101.5) == pytest.approx(101.05)
    assert clock.at(103.0) == pytest.approx(101.6)


@given(
    st.lists(st.tuples(st.floats(0.001, 0.5), st.sampled_from([0.0, 0.05, 0.3, 1.0])), min_size=1, max_size=200),
    st.floats(-1.0, 1.0),
)
def test_it_never_runs_backward_nor_faster_than_the_world_and_forgets_what_is_old(steps, offset):
    clock, now = PathClock(0.5), 100.0
    for elapsed, scale in steps:
        now += elapsed
        clock.set(now, scale)
        assert len(clock._changes) <= 2 + 0.5 / 0.001
    times = np.linspace(now - 0.4, now + 1.0, 50)
    along = np.array([clock.at(time) for time in times])
    gains = np.diff(along)
    assert (gains >= -1e-9).all() and (gains <= np.diff(times) + 1e-9).all()
    clock.set(now + offset, 1.0)
    assert clock.scale == 1.0


def _drawn(rig, scale: float, reference: np.ndarray | None = None) -> tuple[np.ndarray, list[tuple[float, np.ndarray]]]:
    """Where one bent chunk leads at a scale, and the gripper's openings on the way."""
    rig.speed_scale = scale
    rig.step()
    chunk = rig.chunk(steps=3, period=0.1)
    chunk.translations[:] = [[0.006, 0.0, 0.0], [0.0, 0.012, 0.0], [0.0, 0.0, 0.003]]
    chunk.grippers[:] = [1.0, 1.0, 0.0]
    start, points, openings = rig.point.copy(), [], []
    for index in range(round(0.45 / 0.01 / scale)):
        rig.step([chunk] if index == 0 else [])
        points.append(rig.point - start)
        openings.append(rig.command.gripper)
    return np.array(points), openings


def test_a_scaled_path_keeps_its_shape_and_its_gripper(make_rig):
    """A chunk with a bend, at full speed and at a quarter of it."""
    full, _ = _drawn(make_rig(), 1.0)
    slow, openings = _drawn(make_rig(), 0.25)
    np.testing.assert_allclose(slow[-1], full[-1], atol=5e-4)
    np.testing.assert_allclose(full[-1], [0.006, 0.012, 0.003], atol=1e-3)
    apart = np.linalg.norm(slow[:, None] - full[None], axis=2).min(axis=1)
    assert apart.max() < 1.5e-3, "the slow way lies on the quick one, but for corners that are rounded less"
    closing = next(index for index, opening in enumerate(openings) if opening is not None and opening < 1.0)
    assert np.linalg.norm(slow[closing] - full[-1]) < 6e-3, "it closes where the path is, not when its time has come"
