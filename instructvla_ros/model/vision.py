# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Vision transformers: SigLIP for the language model, DINOv2 with FiLM for the action expert, out of one block."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from instructvla_ros.model.attention import attend


@dataclass(frozen=True)
class VisionSizes:
    """What tells one vision tower from another.

    Attributes:
        width: channels of a token.
        depth: blocks that are computed.
        heads: attention heads.
        mlp_width: hidden channels of a block's MLP.
        patch: side of a patch [px].
        image_size: side of the square input [px].
        tanh_gelu: GELU by the tanh approximation (SigLIP) or exact (DINOv2).
        norm_eps: epsilon of the layer norms.
        registers: register tokens.
        class_token: whether a class token stands before the registers.
        layer_scale: whether each branch is scaled per channel before it is added.
        film_width: width of the conditioning vector, None without FiLM.
        final_norm: whether a layer norm closes the tower.
        stem: channels of the first of two convolutions before the patches, which make the picture eight times smaller;
            0 without, as in published checkpoints. Small towers learn shapes much sooner with it.
    """

    width: int
    depth: int
    heads: int
    mlp_width: int
    patch: int
    image_size: int
    tanh_gelu: bool = False
    norm_eps: float = 1e-6
    registers: int = 0
    class_token: bool = False
    layer_scale: bool = False
    film_width: int | None = None
    final_norm: bool = True
    stem: int = 0

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.image_size // self.patch


STEM_STRIDE = 8
"""How many times smaller a stem makes the picture."""


class VisionBlock(nn.Module):
    """Pre-norm attention and MLP, with optional layer scale and optional FiLM between the two."""

    def __init__(self, sizes: VisionSizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.approximation = "tanh" if sizes.tanh_gelu else "none"
        self.norm1 = nn.LayerNorm(sizes.width, eps=sizes.norm_eps)
        self.qkv = nn.Linear(sizes.width, 3 * sizes.width)
        self.out = nn.Linear(sizes.width, sizes.width)
        self.norm2 = nn.LayerNorm(sizes.width, eps=sizes.norm_eps)
        self.fc1 = nn.Linear(sizes.width, sizes.mlp_width)
        self.fc2 = nn.Linear(sizes.mlp_width, sizes.width)
        self.attention_scale = nn.Parameter(torch.ones(sizes.width)) if sizes.layer_scale else None
        self.mlp_scale = nn.Parameter(torch.ones(sizes.width)) if sizes.layer_scale else None
        self.film_gamma = nn.Linear(sizes.film_width, sizes.width) if sizes.film_width else None
        self.film_beta = nn.Linear(sizes.film_width, sizes.width) if sizes.film_width else None

    def forward(self, tokens: Tensor, condition: Tensor | None = None) -> Tensor:
        """Transform ``(B, N, width)`` tokens, given a ``(B, film_width)`` condition where the block has FiLM."""
        branch = self._attend(self.norm1(tokens))
        tokens = tokens + (branch if self.attention_scale is None else branch * self.attention_scale)
        if self.film_gamma is not None and self.film_beta is not None:
            gamma = self.film_gamma(condition).unsqueeze(1)  # (B, 1, width)
            beta = self.film_beta(condition).unsqueeze(1)  # (B, 1, width)
            tokens = tokens * (1 + gamma) + beta
        branch = self.fc2(functional.gelu(self.fc1(self.norm2(tokens)), approximate=self.approximation))
        return tokens + (branch if self.mlp_scale is None else branch * self.mlp_scale)

    def _attend(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        qkv = self.qkv(tokens).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, N, head width)
        mixed = attend(query, key, value)
        return self.out(mixed.transpose(1, 2).reshape(batch, count, width))


class VisionTransformer(nn.Module):
    """Patches in, one token for each patch out."""

    def __init__(self, sizes: VisionSizes) -> None:
        super().__init__()
        self.sizes = sizes
        side = sizes.patch // STEM_STRIDE if sizes.stem else sizes.patch
        self.stem = _stem(sizes.stem) if sizes.stem else None
        self.patch_embedding = nn.Conv2d(2 * sizes.stem or 3, sizes.width, kernel_size=side, stride=side)
        self.position_embedding = nn.Parameter(torch.zeros(sizes.grid**2, sizes.width))
        self.class_token = nn.Parameter(torch.zeros(1, sizes.width)) if sizes.class_token else None
        self.registers = nn.Parameter(torch.zeros(sizes.registers, sizes.width)) if sizes.registers else None
        self.blocks = nn.ModuleList(VisionBlock(sizes) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(sizes.width, eps=sizes.norm_eps) if sizes.final_norm else None

    def forward(self, pixels: Tensor, condition: Tensor | None = None) -> Tensor:
        """Encode images.

        Args:
            pixels: ``(B, 3, image_size, image_size)``, normalised.
            condition: ``(B, film_width)``, for towers with FiLM.

        Returns:
            ``(B, grid * grid, width)``, row by row, without class and register tokens.
        """
        return self.transform(self.embed(pixels), condition)

    def embed(self, pixels: Tensor) -> Tensor:
        """Patches with their places, ``(B, grid * grid, width)``; no condition changes them."""
        if self.stem is not None:
            pixels = self.stem(pixels)
        return self.patch_embedding(pixels).flatten(2).transpose(1, 2) + self.position_embedding  # (B, P, width)

    def transform(self, tokens: Tensor, condition: Tensor | None = None) -> Tensor:
        """The rest of the way, from what :meth:`embed` gives."""
        before: list[Tensor] = [part for part in (self.class_token, self.registers) if part is not None]
        if before:
            prefix = torch.cat(before).expand(len(tokens), -1, -1)  # (B, 1 + registers, width)
            tokens = torch.cat((prefix, tokens), dim=1)
        for block in self.blocks:
            tokens = block(tokens, condition)
        tokens = tokens[:, -(self.sizes.grid**2) :]
        return tokens if self.norm is None else self.norm(tokens)


def _stem(channels: int) -> nn.Sequential:
    """Early convolutions, after Xiao et al. 2021, "Early convolutions help transformers see better"."""
    return nn.Sequential(
        nn.Conv2d(3, channels, kernel_size=8, stride=4, padding=2),
        nn.GELU(),
        nn.Conv2d(channels, 2 * channels, kernel_size=4, stride=2, padding=1),
        nn.GELU(),
    )


def pixel_shuffle(tokens: Tensor, block: int) -> Tensor:
    """Gather each square of ``block * block`` neighbouring tokens into one, row by row within the square.

    Args:
        tokens: ``(B, side * side, C)``.
        block: side of the square.

    Returns:
        ``(B, (side / block) ** 2, C * block ** 2)``.
    """
    batch, count, channels = tokens.shape
    side = round(count**0.5)
    squares = tokens.view(batch, side // block, block, side // block, block, channels).transpose(2, 3)
    return squares.reshape(batch, (side // block) ** 2, block * block * channels)


class ImageEncoder(nn.Module):
    """The language model's eyes: tower, pixel shuffle, projector to the language width.

    The projector of a small model forgets where in the picture a token lies. With ``positions`` a learned vector for
    each token's place is added after it; published checkpoints have none.
    """

    def __init__(
        self, tower: VisionSizes, block: int, projector_widths: tuple[int, int, int], positions: bool = False
    ) -> None:
        super().__init__()
        self.block = block
        self.tower = VisionTransformer(tower)
        gathered, hidden, width = projector_widths
        self.projector = nn.Sequential(
            nn.LayerNorm(gathered), nn.Linear(gathered, hidden), nn.GELU(), nn.Linear(hidden, width)
        )
        self.positions = nn.Parameter(torch.zeros((tower.grid // block) ** 2, width)) if positions else None

    @property
    def num_tokens(self) -> int:
        """Tokens that one picture becomes."""
        return (self.tower.sizes.grid // self.block) ** 2

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode ``(B, 3, S, S)`` pixels into ``(B, num_tokens, language width)``."""
        pixels = pixels.to(self.tower.position_embedding.dtype)
        tokens = self.projector(pixel_shuffle(self.tower(pixels), self.block))
        return tokens if self.positions is None else tokens + self.positions
