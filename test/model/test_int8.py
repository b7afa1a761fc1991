# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights in 8 bits: none is further off than half a step, and the shipped model says and does the same with them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from instructvla_ros.model import InstructVLA
from instructvla_ros.model.int8 import Int8Linear
from instructvla_ros.model.loading import load_for_running

SHIPPED = Path(__file__).resolve().parents[2] / "models" / "tabletop"
INSTRUCTIONS = ("pick up the red cube", "push the ball left", "put the cone next to the cube")


@settings(max_examples=40, deadline=None)
@given(
    outputs=st.integers(1, 40),
    inputs=st.integers(1, 80),
    rows=st.sampled_from([1, 4, 5, 70]),
    largest=st.sampled_from([1e-6, 1.0, 300.0]),
    with_bias=st.booleans(),
    seed=st.integers(0, 999),
)
def test_products_are_off_by_half_a_step_of_each_weight_at_most(outputs, inputs, rows, largest, with_bias, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = largest * torch.randn(outputs, inputs, generator=generator)
    bias = torch.randn(outputs, generator=generator) if with_bias else None
    values = torch.randn(rows, inputs, generator=generator)
    exact = torch.nn.functional.linear(values, weight, bias)
    half_steps = 0.5 * weight.abs().amax(dim=1) / 127.0
    bound = values.abs().sum(dim=1, keepdim=True) * half_steps
    rounding = 1e-5 * (values.abs() @ weight.abs().T + 1.0)
    assert ((Int8Linear(weight, bias)(values) - exact).abs() <= bound + rounding).all()


@pytest.mark.parametrize("shape", [(7,), (1, 1, 7), (2, 3, 7), (2, 40, 7)])
def test_inputs_of_any_shape_keep_it(shape):
    layer = Int8Linear(torch.eye(7)[:5], None)
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layer(values), values[..., :5])


def test_a_row_of_zeros_stays_one():
    weight = torch.zeros(2, 4)
    weight[1] = 1.0
    assert Int8Linear(weight, None)(torch.ones(4)).tolist() == [0.0, 4.0]


def test_the_shipped_model_says_the_same_in_8_bits_and_acts_within_a_millimetre(frame):
    exact, rounded = load_for_running(SHIPPED, device="cpu"), load_for_running(SHIPPED, device="cpu", dtype="int8")
    noise = np.random.default_rng(0).standard_normal((exact.chunk_length, exact.action_size)).astype(np.float32)
    state = exact.statistics.proprio(exact.datasets[0], exact.state_size).low
    for instruction in INSTRUCTIONS:
        assert rounded.reason([frame], instruction).text == exact.reason([frame], instruction).text
        chunks = [model.act([frame], instruction, state, noise=noise).actions for model in (exact, rounded)]
        difference = np.abs(chunks[1] - chunks[0])[:, :3].max()
        assert 0.0 < difference < 1e-3


def test_the_language_models_weights_are_kept_in_8_bits_and_no_others():
    model = load_for_running(SHIPPED, device="cpu", dtype="int8")
    layers = [name for name, module in model.named_modules() if isinstance(module, Int8Linear)]
    assert len(layers) == 4 * model.sizes.language.decoder.depth + 1
    assert all(name.startswith("language.") for name in layers)


def test_8_bits_on_a_gpu_are_refused(monkeypatch):
    model = InstructVLA.from_pretrained(SHIPPED)
    monkeypatch.setattr(InstructVLA, "device", torch.device("cuda", 0))
    with pytest.raises(ValueError, match="8 bits are for a CPU, and the model is on cuda:0: use bfloat16"):
        model.fuse(int8=True)


def test_a_model_that_is_fused_already_does_not_pretend_to_have_8_bits():
    model = InstructVLA.from_pretrained(SHIPPED).fuse()
    with pytest.raises(ValueError, match="load it anew"):
        model.fuse(int8=True)
    in_8_bits = InstructVLA.from_pretrained(SHIPPED).fuse(int8=True)
    assert in_8_bits.fuse(int8=True) is in_8_bits
