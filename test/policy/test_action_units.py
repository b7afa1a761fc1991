# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Dataset actions become metres and rotation vectors as recorded."""

import numpy as np
import pytest

from instructvla_ros.policy.action_units import ACTION_UNITS


@pytest.mark.parametrize(("units", "robot"), [("bridge", "widowx_bridge"), ("fractal", "google_robot")])
def test_translations_and_rotation_vectors_equal_the_recorded_ones(vectors, units, robot):
    translations, rotations = ACTION_UNITS[units].to_metric(vectors.tensors[f"policy/{robot}/raw_action_out"])
    recorded = vectors.tensors[f"policy/{robot}/action_out"]
    np.testing.assert_array_equal(translations, recorded[:, :3])
    np.testing.assert_allclose(rotations, recorded[:, 3:6], rtol=0, atol=1e-12)


def test_bridge_angles_turn_about_fixed_axes_roll_first():
    _, rotations = ACTION_UNITS["bridge"].to_metric(np.array([[0, 0, 0, np.pi / 2, 0, np.pi / 2, 1]]))
    # x by 90 degrees, then z by 90 degrees: the cyclic rotation x -> y -> z, 120 degrees about (1, 1, 1)
    np.testing.assert_allclose(rotations, [np.full(3, 2 * np.pi / 3 / np.sqrt(3))])


def test_libero_units_are_controller_inputs():
    translations, rotations = ACTION_UNITS["libero"].to_metric(np.array([[1, -1, 0.5, 1, -0.5, 0.2, 0]]))
    np.testing.assert_allclose(translations, [[0.05, -0.05, 0.025]])
    np.testing.assert_allclose(rotations, [[0.5, -0.25, 0.1]])


@pytest.mark.parametrize("shape", [(7,), (3, 6), (3, 8), (2, 3, 7)])
def test_actions_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(H, 7\)"):
        ACTION_UNITS["bridge"].to_metric(np.zeros(shape))
