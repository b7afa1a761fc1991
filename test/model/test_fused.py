# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The form for running computes the numbers of the form for training: same texts, same actions."""

import copy

import numpy as np
import pytest
import torch

from instructvla_ros.model import InstructVLA
from instructvla_ros.model.decoder import Decoder
from instructvla_ros.model.fused import FusedDecoder
from instructvla_ros.model.untrained import write_untrained

TOLERANCE = 3e-4


@pytest.fixture(scope="module")
def expert_run(tmp_path_factory):
    """A small untrained run with one adapter."""
    return write_untrained(tmp_path_factory.mktemp("one_adapter"), seed=3, generalist=False)


@pytest.fixture(scope="module")
def expert(expert_run):
    """The model of `expert_run`."""
    return InstructVLA.from_pretrained(expert_run)


def act(model, images, reasoning=None):
    state = np.linspace(-0.2, 0.2, model.state_size) if model.uses_state else None
    noise = np.random.default_rng(5).standard_normal((model.chunk_length, model.action_size)).astype(np.float32)
    return model.act(images, "pick up the cup", state, reasoning, noise, model.datasets[0])


def test_fused_models_act_and_speak_as_recorded_ones_do(parity_name, load_parity):
    """Every recorded model, which other tests hold against the reference itself."""
    parity = load_parity(*parity_name)
    fused = copy.deepcopy(parity.model).fuse()
    case = next(iter(parity.expected["cases"].values()))
    images = parity.frames(case)
    plain, ours = act(parity.model, images), act(fused, images)
    parity.remember("fused, action", float(np.abs(plain.raw - ours.raw).max()), TOLERANCE, "fused")
    assert fused.reason(images, "pick up the cup").token_ids == parity.model.reason(images, "pick up the cup").token_ids


def test_in_bfloat16_fusing_moves_actions_no_further_than_bfloat16_itself_does(generalist_run, expert_run, frame):
    for run in (generalist_run, expert_run):
        exact = act(InstructVLA.from_pretrained(run), [frame]).raw
        rounded = act(InstructVLA.from_pretrained(run, dtype=torch.bfloat16), [frame]).raw
        fused = act(InstructVLA.from_pretrained(run, dtype=torch.bfloat16).fuse(), [frame]).raw
        spread = np.abs(rounded - exact).max()
        assert 0.0 < np.abs(fused - exact).max() <= 2.0 * spread


def test_fusing_twice_changes_nothing(generalist, frame):
    fused = copy.deepcopy(generalist).fuse()
    decoder = fused.language.decoder
    assert fused.fuse().language.decoder is decoder


def test_several_adapters_are_not_merged(generalist):
    decoder = copy.deepcopy(generalist.language.decoder)
    assert isinstance(decoder, Decoder)
    with pytest.raises(ValueError, match="2 adapters cannot be merged"):
        FusedDecoder(decoder, merged=True)


@torch.inference_mode()
def test_a_fused_decoder_heeds_masks_positions_and_shares(generalist):
    generator = torch.Generator().manual_seed(2)
    embeddings = torch.randn(2, 6, 64, generator=generator)
    mask = torch.ones(6, 6, dtype=torch.bool).tril()
    mask[4, 1] = False
    positions = torch.tensor([[0, 1, 2, 3, 2, 3]])
    shares = torch.rand(2, 6, 2, generator=generator).split(1, dim=-1)
    plain = generalist.language.decoder
    fused = FusedDecoder(copy.deepcopy(plain), merged=False)
    for mix in (None, shares, (0.25, 0.75)):
        arguments = {"causal": False, "mask": mask, "mix": mix, "positions": positions}
        torch.testing.assert_close(fused(embeddings, **arguments), plain(embeddings, **arguments), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kind", ["generalist", "expert"])
def test_acting_upon_a_reply_about_the_same_frames_goes_on_where_it_ended(kind, fused, request, frame, monkeypatch):
    model = copy.deepcopy(request.getfixturevalue(kind))
    if fused:
        model.fuse()
    thought = model.reason([frame], "pick up the cup", max_new_tokens=6)
    encoded, read = [], []
    monkeypatch.setattr(model, "encode_images", count_calls(model.encode_images, encoded))
    monkeypatch.setattr(model.language, "forward", count_calls(model.language.forward, read))
    continued = act(model, [frame], thought.text)
    assert not encoded and [call[0].shape[1] for call in read] == [read[0][0].shape[1]]
    assert read[0][0].shape[1] < model.sizes.num_queries + 12  # the queries and what stands before them
    anew = act(model, [frame.copy()], thought.text)
    assert len(encoded) == 1
    np.testing.assert_allclose(continued.raw, anew.raw, atol=TOLERANCE)


def test_a_reply_to_another_instruction_lends_its_image_tokens_alone(generalist, frame):
    model = copy.deepcopy(generalist)
    model.reason([frame], "open the drawer", max_new_tokens=4)
    mixed = act(model, [frame])
    np.testing.assert_allclose(mixed.raw, act(generalist, [frame.copy()]).raw, atol=TOLERANCE)


def count_calls(function, calls):
    def counted(*arguments, **keywords):
        calls.append(arguments)
        return function(*arguments, **keywords)

    return counted
