# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Picking joints out of a joint state."""

import numpy as np
import pytest

from instructvla_ros.robot.joint_state import JointState, JointStateError


def _state(positions=(1.0, 2.0, 3.0), velocities=(0.1, 0.2, 0.3), names=("a", "b", "c")):
    return JointState(5.0, names, np.array(positions), None if velocities is None else np.array(velocities))


def test_joints_come_in_the_order_asked_for():
    positions, velocities = _state().select(("c", "a"))
    np.testing.assert_array_equal(positions, [3.0, 1.0])
    np.testing.assert_array_equal(velocities, [0.3, 0.1])


@pytest.mark.parametrize("none", [None, ()])
def test_velocities_may_be_missing(none):
    assert _state(velocities=none).select(("a",))[1] is None


def test_other_joints_may_be_broken():
    positions, _ = _state(positions=(1.0, np.nan, 3.0)).select(("a", "c"))
    np.testing.assert_array_equal(positions, [1.0, 3.0])


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        (_state(), "lacks d, e; it has a, b, c"),
        (_state(positions=(1.0, np.nan, 3.0), names=("d", "e", "c")), "positions .* not finite: e nan"),
        (_state(positions=(np.inf, 1.0, 3.0), names=("d", "e", "c")), "positions .* not finite: d inf"),
        (_state(velocities=(0.0, np.nan, 0.0), names=("d", "e", "c")), "velocities .* not finite: e nan"),
        (_state(positions=(1.0, 2.0), names=("d", "e", "c")), "3 names but positions of shape"),
        (_state(velocities=(1.0, 2.0), names=("d", "e", "c")), "3 names but velocities of shape"),
        (_state(names=("d", "e", "d")), "names d more than once"),
        (JointState(0.0, (), np.array([])), "lacks d, e; it has none"),
    ],
)
def test_a_joint_state_that_cannot_be_used_is_refused_by_name(state, complaint):
    with pytest.raises(JointStateError, match=complaint):
        state.select(("d", "e"))
