# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Between the network's numbers from -1 to 1 and those of a dataset: the 1st and 99th percentiles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from instructvla_ros.model.settings import CheckpointError

GRIPPER = 6  # index of the gripper in an action
_TINY = 1e-8


class UnknownDatasetError(KeyError, ValueError):
    """The statistics hold no such dataset; the message names those they hold."""

    def __str__(self) -> str:
        """The message itself, where KeyError would quote it."""
        return str(self.args[0]) if self.args else ""


@dataclass(frozen=True, eq=False)
class Percentiles:
    """Bounds of each number of a vector.

    Attributes:
        low: `(n,)` float64, 1st percentile.
        high: `(n,)` float64, 99th percentile.
        mask: `(n,)` bool, which numbers are normalised at all.
    """

    low: np.ndarray  # (n,)
    high: np.ndarray  # (n,)
    mask: np.ndarray  # (n,)

    def normalize(self, values: np.ndarray) -> np.ndarray:
        """Map `(n,)` values to -1..1, clipped; 0 where both percentiles are the same."""
        span = self.high - self.low
        scaled = np.clip(2.0 * (values - self.low) / (span + _TINY) - 1.0, -1.0, 1.0)
        return np.where(span == 0.0, 0.0, scaled)

    def unnormalize(self, values: np.ndarray) -> np.ndarray:
        """Map `(..., n)` values of -1..1 back; numbers outside the mask stay."""
        return np.where(self.mask, 0.5 * (values + 1.0) * (self.high - self.low) + self.low, values)


class Statistics:
    """The statistics of the datasets that a model was trained on."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        """Keep the content of `dataset_statistics.json`."""
        self._content = content

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets."""
        return tuple(self._content)

    def choose(self, dataset: str | None) -> str:
        """The dataset to use.

        Args:
            dataset: its name; may be None where there is only one.

        Raises:
            UnknownDatasetError: names the known datasets.
        """
        known = ", ".join(self.datasets) or "none"
        if dataset is None:
            if len(self.datasets) != 1:
                raise UnknownDatasetError(f"this model knows several datasets, name the one to act in: {known}")
            return self.datasets[0]
        if dataset not in self._content:
            raise UnknownDatasetError(f"the statistics hold no dataset {dataset!r}; known: {known}")
        return dataset

    def action(self, dataset: str | None, length: int) -> Percentiles:
        """Percentiles of an action of `length` numbers.

        Raises:
            UnknownDatasetError: if there is no such dataset.
            CheckpointError: if its percentiles are missing or malformed.
        """
        return self._percentiles(self.choose(dataset), "action", length)

    def proprio(self, dataset: str | None, length: int) -> Percentiles:
        """Percentiles of a robot state of `length` numbers; raises as `action` does."""
        return self._percentiles(self.choose(dataset), "proprio", length)

    def missing(self, dataset: str, need_proprio: bool) -> list[str]:
        """Which percentiles a dataset lacks, as `kind.key`."""
        kinds = ("action", "proprio") if need_proprio else ("action",)
        entry = self._content[dataset] if isinstance(self._content[dataset], Mapping) else {}
        return [f"{kind}.{key}" for kind in kinds for key in ("q01", "q99") if key not in (entry.get(kind) or {})]

    def _percentiles(self, dataset: str, kind: str, length: int) -> Percentiles:
        missing = [name for name in self.missing(dataset, True) if name.startswith(kind)]
        if missing:
            raise CheckpointError(f"the statistics of {dataset} lack {', '.join(missing)}")
        entry = self._content[dataset][kind]
        where = f"dataset_statistics.json: {dataset}.{kind}"
        try:
            low = np.asarray(entry["q01"], dtype=np.float64)
            high = np.asarray(entry["q99"], dtype=np.float64)
            mask = np.asarray(entry.get("mask", np.ones(length)), dtype=bool)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{where}: {error}") from error
        for name, values in (("q01", low), ("q99", high), ("mask", mask)):
            if values.shape != (length,):
                raise CheckpointError(f"{where}.{name} must hold {length} numbers, its shape is {values.shape}")
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise CheckpointError(f"{where} holds percentiles that are not finite")
        return Percentiles(low, high, mask)


def clip_and_close(raw: np.ndarray) -> np.ndarray:
    """Clip raw actions `(H, n)` to -1..1 and make the gripper 1 from 0.5 on, else 0."""
    clipped = np.clip(raw, -1.0, 1.0)
    clipped[:, GRIPPER] = np.where(clipped[:, GRIPPER] >= 0.5, 1.0, 0.0)
    return clipped
