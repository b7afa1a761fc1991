# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is kept between passes changes nothing: key/value caches, and the context under a true mask."""

import pytest
import torch

from instructvla_ros.model import InstructVLA
from instructvla_ros.model.action_expert import Context
from instructvla_ros.model.decoder import KeyValueCache
from instructvla_ros.model.untrained import write_untrained


@pytest.mark.parametrize("pieces", [(7, 1, 1, 1), (1,) * 10, (4, 6), (3, 1, 5, 1)])
@torch.inference_mode()
def test_cached_passes_equal_one_pass_over_everything(generalist, pieces):
    embeddings = torch.randn(1, sum(pieces), 64, generator=torch.Generator().manual_seed(3))
    whole, whole_shares = generalist.language(embeddings)
    caches = generalist.language.caches(sum(pieces), embeddings)
    outputs = [generalist.language(piece, caches) for piece in embeddings.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat([hidden for hidden, _ in outputs], dim=1), whole, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.cat([shares for _, shares in outputs], dim=1), whole_shares, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_gate_and_adapters_change_the_hidden_states(generalist):
    embeddings = torch.randn(1, 5, 64, generator=torch.Generator().manual_seed(4))
    adapted, shares = generalist.language(embeddings)
    base = generalist.language.decoder(embeddings)
    first_only = generalist.language.decoder(embeddings, mix=(1.0, 0.0))
    assert (adapted - base).abs().max() > 1e-2
    assert (adapted - first_only).abs().max() > 1e-3
    torch.testing.assert_close(shares.sum(-1), torch.ones(1, 5))


def test_a_full_cache_refuses_more(generalist):
    embeddings = torch.zeros(1, 3, 64)
    cache = KeyValueCache(generalist.sizes.language.decoder, 2, embeddings)
    with pytest.raises(RuntimeError, match="room for 2 tokens"):
        generalist.language.decoder(embeddings, cache=cache)


@pytest.fixture(scope="module")
def truly_masked(tmp_path_factory):
    """A model whose configuration asks for a true mask."""
    run = write_untrained(tmp_path_factory.mktemp("masked"), seed=5, action_expert_mask="block_causal")
    return InstructVLA.from_pretrained(run)


def some_context(model: InstructVLA, seed: int = 0) -> Context:
    generator = torch.Generator().manual_seed(seed)
    return Context(torch.randn(2, 13, 64, generator=generator), num_vision=6)


@torch.inference_mode()
def test_context_kept_under_a_true_mask_equals_recomputing_it(truly_masked):
    expert, context = truly_masked.expert, some_context(truly_masked)
    noise = torch.randn(2, 16, 7, generator=torch.Generator().manual_seed(1))
    actions = noise
    for step in range(10):
        actions = actions + expert.velocity(context, actions, torch.full((2,), step / 10)) / 10
    torch.testing.assert_close(expert.sample(context, noise), actions, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_under_a_true_mask_no_block_sees_a_later_one(truly_masked):
    expert, context = truly_masked.expert, some_context(truly_masked)
    encoded = torch.randn(2, 16, 64, generator=torch.Generator().manual_seed(2))
    before = expert.hidden(context, encoded)
    later_context = Context(context.tokens.clone(), context.num_vision)
    later_context.tokens[:, 6:] += 1.0
    after = expert.hidden(later_context, encoded)
    torch.testing.assert_close(after[:, :6], before[:, :6])
    assert (after[:, 6:] - before[:, 6:]).abs().max() > 1e-2
    after = expert.hidden(context, encoded + 1.0)
    torch.testing.assert_close(after[:, :13], before[:, :13])
    assert (after[:, 13:] - before[:, 13:]).abs().max() > 1e-2


@torch.inference_mode()
def test_under_the_official_mask_every_token_sees_every_token(generalist):
    context = some_context(generalist)
    encoded = torch.randn(2, 16, 64, generator=torch.Generator().manual_seed(2))
    difference = generalist.expert.hidden(context, encoded + 1.0) - generalist.expert.hidden(context, encoded)
    assert difference[:, : context.num_vision].abs().max() > 1e-4
