# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The sizes of both vision towers, read from tensors and configurations."""

from collections.abc import Mapping

from torch import Tensor

from instructvla_ros.model.settings import CheckpointError, Settings
from instructvla_ros.model.tensor_shapes import depth, rows, shape, square_side
from instructvla_ros.model.vision import STEM_STRIDE, VisionSizes

FILM_BLOCKS = 3  # the action vision's output is that of its third block, whatever the depth
OFFICIAL_HEAD_WIDTH = 64
OFFICIAL_NORM_EPS = 1e-6
OFFICIAL_DOWNSAMPLE_RATIO = 0.5
_RATIO_TOLERANCE = 0.01  # a third is written 0.333
_TOWER = "vision_model.vision_model"
_FILM_TOWER = "action_model.film_vision_model.vision_model"


def image_tower_sizes(tensors: Mapping[str, Tensor], base: Settings) -> VisionSizes:
    """Sizes of the language model's vision tower.

    Args:
        tensors: the checkpoint, names as in `layout`.
        base: `config.json` of the base folder.

    Raises:
        CheckpointError: names the tensor or setting that is missing, malformed or contradicts another.
    """
    settings = base.part("vision_config")
    width, patch, stem = _patches(tensors, f"{_TOWER}.embeddings", "patch_embedding")
    positions = f"{_TOWER}.embeddings.position_embedding.weight"
    grid = square_side(rows(tensors, positions), positions)
    blocks = depth(tensors, f"{_TOWER}.encoder.layers.")
    mlp_width = rows(tensors, f"{_TOWER}.encoder.layers.0.mlp.fc1.weight")
    settings.agree("hidden_size", width)
    settings.agree("num_hidden_layers", blocks)
    settings.agree("patch_size", patch)
    settings.agree("intermediate_size", mlp_width)
    activation = settings.choice("hidden_act", "gelu_pytorch_tanh", ("gelu", "gelu_pytorch_tanh"))
    heads = settings.integer("num_attention_heads")
    head_width(settings, "num_attention_heads", heads, width)
    forced = base.optional_integer("force_image_size")
    if forced is not None and settings.content.get("image_size") is None:
        image_size = _image_size(base, "force_image_size", grid, patch)
    else:
        image_size = _image_size(settings, "image_size", grid, patch)
    if forced is not None and forced != image_size:
        raise base.error("force_image_size", f"= {forced}, but the vision tower sees pictures of {image_size} px")
    return VisionSizes(
        width=width,
        depth=blocks,
        heads=heads,
        mlp_width=mlp_width,
        patch=patch,
        image_size=image_size,
        tanh_gelu=activation == "gelu_pytorch_tanh",
        norm_eps=settings.number("layer_norm_eps", OFFICIAL_NORM_EPS),
        stem=stem,
    )


def film_tower_sizes(tensors: Mapping[str, Tensor], constants: Settings, latent_width: int) -> VisionSizes:
    """Sizes of the action expert's vision tower.

    Args:
        tensors: the checkpoint, names as in `layout`.
        constants: `tiny_sizes.json` of the run, empty for published runs.
        latent_width: width of the latent actions, which condition the tower.

    Raises:
        CheckpointError: names the tensor or setting that is missing, malformed or contradicts another.
    """
    settings = constants.part("dino_config")
    width, patch, stem = _patches(tensors, f"{_FILM_TOWER}.patch_embed", "proj")
    settings.agree("embed_dim", width)
    heads = settings.optional_integer("num_heads")
    if heads is None:
        if width % OFFICIAL_HEAD_WIDTH:
            raise CheckpointError(f"{settings.file} lacks {settings.prefix}num_heads")
        heads = width // OFFICIAL_HEAD_WIDTH
    head_width(settings, "num_heads", heads, width)
    positions = f"{_FILM_TOWER}.pos_embed"
    registers = f"{_FILM_TOWER}.reg_token"
    grid = square_side(shape(tensors, positions, 3)[1], positions)
    return VisionSizes(
        width=width,
        depth=FILM_BLOCKS,
        heads=heads,
        mlp_width=rows(tensors, f"{_FILM_TOWER}.blocks.0.block.mlp.fc1.weight"),
        patch=patch,
        image_size=_image_size(constants, "dino_image_size", grid, patch),
        registers=shape(tensors, registers, 3)[1] if registers in tensors else 0,
        class_token=True,
        layer_scale=True,
        film_width=latent_width,
        final_norm=False,
        stem=stem,
    )


def shuffle_block(base: Settings, tower: VisionSizes) -> int:
    """Side of the squares of vision tokens that are gathered into one.

    Args:
        base: `config.json` of the base folder.
        tower: the tower that the tokens come from.

    Raises:
        CheckpointError: if the ratio is none, or does not divide the tower's grid.
    """
    ratio = base.number("downsample_ratio", OFFICIAL_DOWNSAMPLE_RATIO)
    block = round(1 / ratio)
    if block < 1 or abs(block * ratio - 1) > _RATIO_TOLERANCE:
        raise base.error("downsample_ratio", f"must be one over a whole number, not {ratio:g}")
    if tower.grid % block:
        raise base.error(
            "downsample_ratio", f"= {ratio:g}, but {tower.grid} patches a side do not divide into squares of {block}"
        )
    return block


def head_width(settings: Settings, key: str, heads: int, width: int) -> int:
    """Channels of one of the heads that share a width.

    Args:
        settings: where the number of heads stands.
        key: under which key.
        heads: the number.
        width: channels of a token.

    Raises:
        CheckpointError: if they do not share it evenly.
    """
    if width % heads:
        raise settings.error(key, f"= {heads} heads do not share {width} channels evenly")
    return width // heads


def _patches(tensors: Mapping[str, Tensor], prefix: str, embedding: str) -> tuple[int, int, int]:
    """Channels of a token, side of a patch [px], channels of the stem (0 without)."""
    width, _, side, _ = shape(tensors, f"{prefix}.{embedding}.weight", 4)
    first = f"{prefix}.stem.0.weight"
    if first not in tensors:
        return width, side, 0
    return width, side * STEM_STRIDE, shape(tensors, first, 4)[0]


def _image_size(settings: Settings, key: str, grid: int, patch: int) -> int:
    """The configured side of the picture [px], which may leave a rest beside the last patch; else just the patches."""
    size = settings.optional_integer(key)
    if size is None:
        return grid * patch
    if size // patch != grid:
        raise settings.error(
            key,
            f"= {size} holds {size // patch} patches of {patch} px a side, but the checkpoint has positions for {grid}",
        )
    return size
