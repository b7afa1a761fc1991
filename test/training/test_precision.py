# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training computes in the precision that the machine at hand is quickest in, unless the configuration names one."""

import torch

from instructvla_ros.training import precision
from instructvla_ros.training.precision import quickest_precision
from instructvla_ros.training.settings import TrainingSettings


def test_a_gpu_trains_in_bfloat16() -> None:
    assert quickest_precision(torch.device("cuda")) is torch.bfloat16


def test_a_processor_trains_in_what_it_is_measured_to_be_quicker_in(monkeypatch) -> None:
    for quick, slow in ((torch.float32, torch.bfloat16), (torch.bfloat16, torch.float32)):
        monkeypatch.setattr(precision, "_layer_time", {quick: 1.0, slow: 50.0}.__getitem__)
        assert quickest_precision(torch.device("cpu")) is quick


def test_a_layer_is_timed_with_its_gradients_in_either_precision() -> None:
    assert all(precision._layer_time(kind) > 0.0 for kind in (torch.float32, torch.bfloat16))


def test_the_table_top_leaves_the_precision_to_the_machine_and_says_so_with_none() -> None:
    assert TrainingSettings.load("tabletop").precision is None
    assert TrainingSettings.load("finetune").precision is torch.bfloat16
