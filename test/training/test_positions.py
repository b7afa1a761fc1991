# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a patch lies can be read from what a new model begins with, however much the patch itself shows."""

from __future__ import annotations

import pytest
import torch

from instructvla_ros.training.recipe import grid_positions


@pytest.mark.parametrize(("side", "width"), [(8, 144), (4, 32), (16, 96)])
def test_a_linear_map_reads_row_and_column(side, width):
    positions = grid_positions(side, width).double()
    count = torch.arange(side * side)
    wanted = torch.stack((count // side, count % side), dim=1).double()
    inputs = torch.cat((positions, torch.ones(side * side, 1).double()), dim=1)
    weights = torch.linalg.lstsq(inputs, wanted, driver="gelsd").solution
    assert float((inputs @ weights - wanted).abs().max()) < 0.05


def test_the_action_vision_of_a_new_model_begins_with_them(settings, train, tmp_path):
    model, _ = train(settings, tmp_path).begin()
    vision = model.expert.vision
    expected = grid_positions(vision.sizes.grid, vision.sizes.width)
    assert torch.equal(vision.position_embedding.detach(), expected)
    assert float(expected.square().mean().sqrt()) == pytest.approx(0.5**0.5, rel=0.01)
