# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Our towers compute what the same towers of Hugging Face transformers compute, at random sizes and weights."""

import pytest
import torch

from instructvla_ros.model.decoder import Decoder, DecoderSizes
from instructvla_ros.model.vision import VisionSizes, VisionTransformer, pixel_shuffle

transformers = pytest.importorskip("transformers", reason="transformers is not installed")


def random_weights(module: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Give every parameter values that matter and return them by name."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return dict(module.named_parameters())


@pytest.mark.parametrize("seed", range(4))
@torch.inference_mode()
def test_siglip_equals_that_of_transformers(seed):
    generator = torch.Generator().manual_seed(seed)
    heads, depth, grid, patch = torch.randint(2, 5, (4,), generator=generator).tolist()
    width, mlp_width = heads * 2 * (1 + seed), 12 + 5 * seed
    theirs = transformers.SiglipVisionModel(
        transformers.SiglipVisionConfig(
            hidden_size=width,
            intermediate_size=mlp_width,
            num_hidden_layers=depth,
            num_attention_heads=heads,
            image_size=grid * patch,
            patch_size=patch,
            hidden_act="gelu_pytorch_tanh",
        )
    ).eval()
    source = {name.removeprefix("vision_model."): weight for name, weight in random_weights(theirs, seed).items()}
    ours = VisionTransformer(VisionSizes(width, depth, heads, mlp_width, patch, grid * patch, tanh_gelu=True))
    ours.patch_embedding.load_state_dict(
        {kind: source[f"embeddings.patch_embedding.{kind}"] for kind in ("weight", "bias")}
    )
    ours.position_embedding.copy_(source["embeddings.position_embedding.weight"])
    for index, block in enumerate(ours.blocks):
        for kind in ("weight", "bias"):
            layer = f"encoder.layers.{index}"
            fused = torch.cat([source[f"{layer}.self_attn.{letter}_proj.{kind}"] for letter in "qkv"])
            getattr(block.qkv, kind).copy_(fused)
            getattr(block.out, kind).copy_(source[f"{layer}.self_attn.out_proj.{kind}"])
            getattr(block.norm1, kind).copy_(source[f"{layer}.layer_norm1.{kind}"])
            getattr(block.norm2, kind).copy_(source[f"{layer}.layer_norm2.{kind}"])
            getattr(block.fc1, kind).copy_(source[f"{layer}.mlp.fc1.{kind}"])
            getattr(block.fc2, kind).copy_(source[f"{layer}.mlp.fc2.{kind}"])
    ours.norm.load_state_dict({kind: source[f"post_layernorm.{kind}"] for kind in ("weight", "bias")})
    pixels = torch.randn(2, 3, grid * patch, grid * patch, generator=generator)
    torch.testing.assert_close(ours(pixels), theirs(pixels).last_hidden_state, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", ["Qwen2", "Llama"])
@pytest.mark.parametrize("seed", range(4))
@torch.inference_mode()
def test_decoder_equals_that_of_transformers(family, seed):
    generator = torch.Generator().manual_seed(seed)
    key_heads, group, depth = torch.randint(1, 4, (3,), generator=generator).tolist()
    heads, head_width, mlp_width = key_heads * group, 2 * (2 + seed), 17 + seed
    width, theta = heads * head_width, (1e6, 1e3)[seed % 2]
    config = getattr(transformers, f"{family}Config")(
        vocab_size=11,
        hidden_size=width,
        intermediate_size=mlp_width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": theta},
        attn_implementation="eager",
    )
    theirs = getattr(transformers, f"{family}Model")(config).eval()
    source = random_weights(theirs, seed)
    bias = family == "Qwen2"
    ours = Decoder(DecoderSizes(width, depth, heads, key_heads, head_width, mlp_width, theta, 1e-6, bias))
    modules = {
        "self_attn.q_proj": "q",
        "self_attn.k_proj": "k",
        "self_attn.v_proj": "v",
        "self_attn.o_proj": "o",
        "mlp.gate_proj": "gate",
        "mlp.up_proj": "up",
        "mlp.down_proj": "down",
        "input_layernorm": "norm1",
        "post_attention_layernorm": "norm2",
    }
    weights = {"norm.weight": source["norm.weight"]}
    for name, weight in source.items():
        for official, short in modules.items():
            if f".{official}." in name:
                weights[name.replace(official, short)] = weight
    ours.load_state_dict(weights)
    embeddings = torch.randn(2, 9, width, generator=generator)
    expected = theirs(inputs_embeds=embeddings).last_hidden_state
    torch.testing.assert_close(ours(embeddings), expected, atol=1e-4, rtol=1e-4)


def test_pixel_shuffle_gathers_neighbours_row_by_row():
    tokens = torch.arange(16.0).view(1, 16, 1)
    expected = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert pixel_shuffle(tokens, 2)[0].tolist() == expected
