# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Widths, depths and counts in the shapes and names of a checkpoint's tensors."""

import re
from collections.abc import Mapping

from torch import Tensor

from instructvla_ros.model.settings import CheckpointError


def shape(tensors: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    """The shape of a tensor.

    Args:
        tensors: the checkpoint.
        name: of the tensor.
        dimensions: how many the shape must have.

    Raises:
        CheckpointError: if there is no such tensor, or it has another number of dimensions.
    """
    if name not in tensors:
        raise CheckpointError(f"the checkpoint has no tensor {name}")
    found = tuple(tensors[name].shape)
    if len(found) != dimensions or 0 in found:
        raise CheckpointError(f"{name} has the shape {found}; {dimensions} dimensions are expected, none of them 0")
    return found


def rows(tensors: Mapping[str, Tensor], name: str) -> int:
    """Rows of a matrix; raises as `shape` does."""
    return shape(tensors, name, 2)[0]


def length(tensors: Mapping[str, Tensor], name: str) -> int:
    """Length of a vector; raises as `shape` does."""
    return shape(tensors, name, 1)[0]


def square_side(count: int, name: str) -> int:
    """The side of a square of `count` positions; `name` is for the message.

    Raises:
        CheckpointError: if it is no square.
    """
    side = round(count**0.5)
    if side * side != count:
        raise CheckpointError(f"{name} has {count} positions, which is no square")
    return side


def first_of(tensors: Mapping[str, Tensor], *names: str) -> str:
    """The first of the names that the checkpoint has.

    Raises:
        CheckpointError: if it has none of them.
    """
    for name in names:
        if name in tensors:
            return name
    raise CheckpointError(f"the checkpoint has no tensor {names[-1]}")


def depth(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """How many blocks there are, numbered after a prefix.

    Raises:
        CheckpointError: if there are none.
    """
    pattern = re.compile(re.escape(prefix) + r"(\d+)\.")
    indices = {int(match.group(1)) for name in tensors if (match := pattern.match(name))}
    if not indices:
        raise CheckpointError(f"the checkpoint has no tensor {prefix}0.*")
    return max(indices) + 1


def linear_layers(tensors: Mapping[str, Tensor], prefix: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The linear layers of a sequence of layers.

    Args:
        tensors: the checkpoint.
        prefix: what stands before their numbers.

    Returns:
        Their numbers in the sequence, and their widths from input to output; both empty if there are none.

    Raises:
        CheckpointError: if one of them is no matrix.
    """
    pattern = re.compile(re.escape(prefix) + r"\.(\d+)\.weight")
    numbers = sorted(int(match.group(1)) for name in tensors if (match := pattern.fullmatch(name)))
    shapes = [shape(tensors, f"{prefix}.{number}.weight", 2) for number in numbers]
    widths = (shapes[0][1], *(found[0] for found in shapes)) if shapes else ()
    return tuple(numbers), widths


def fit(name: str, found: int, expected: int, what: str) -> None:
    """Check that a layer takes what comes before it, or gives what comes after it.

    Raises:
        CheckpointError: if it does not.
    """
    if found != expected:
        raise CheckpointError(f"{name} is made for {found} numbers, but {what} {expected}: they do not belong together")
