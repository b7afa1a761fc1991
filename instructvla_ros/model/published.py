# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The sizes of published checkpoints, for what needs them without one: tests, benches, untrained models."""

from instructvla_ros.model.action_expert import ActionExpertSizes
from instructvla_ros.model.decoder import AdapterSizes, DecoderSizes
from instructvla_ros.model.language import LanguageSizes
from instructvla_ros.model.run_writer import ADAPTED
from instructvla_ros.model.sizes import ModelSizes
from instructvla_ros.model.vision import VisionSizes


def published_sizes(adapters: int, state: bool) -> ModelSizes:
    """Sizes of the published models with one view.

    Args:
        adapters: one for an Expert, two for a Generalist.
        state: whether the action expert reads the robot state.
    """
    language = DecoderSizes(
        width=1536,
        depth=28,
        heads=12,
        key_heads=2,
        head_width=128,
        mlp_width=8960,
        rope_theta=1e6,
        norm_eps=1e-6,
        qkv_bias=True,
        adapters=AdapterSizes((128,) * adapters, 256.0, ADAPTED),
    )
    expert = DecoderSizes(
        width=768,
        depth=12,
        heads=12,
        key_heads=12,
        head_width=64,
        mlp_width=3072,
        rope_theta=1000.0,
        norm_eps=1e-6,
        qkv_bias=False,
    )
    film = VisionSizes(
        1024,
        3,
        16,
        4096,
        patch=14,
        image_size=224,
        registers=4,
        class_token=True,
        layer_scale=True,
        film_width=1536,
        final_norm=False,
    )
    return ModelSizes(
        image_tower=VisionSizes(1152, 27, 16, 4304, patch=14, image_size=448, tanh_gelu=True),
        shuffle_block=2,
        projector_widths=(4608, 1536, 1536),
        language=LanguageSizes(language, 151738, (1536, 128, 128, 128, 2) if adapters == 2 else None),
        action_expert=ActionExpertSizes(
            decoder=expert,
            vision=film,
            chunk_length=16,
            action_size=7,
            state_widths=(8, 768, 768) if state else None,
            visual_widths=(1024, 768, 768),
            latent_widths=(1536, 768, 768),
            head_widths=(12288, 1024, 1024, 1024, 112),
        ),
        num_queries=64,
        num_views=1,
        adapter_names=("0", "1") if adapters == 2 else ("default",),
    )
