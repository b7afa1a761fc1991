# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measured joint positions, and picking the wanted ones out of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


class JointStateError(ValueError):
    """The joint state cannot be used as asked; the message names the joints."""


@dataclass(frozen=True, eq=False)
class JointState:
    """What the arm driver measured at one instant. Nothing is checked until :meth:`select`.

    Attributes:
        stamp: when it was measured [s], on the clock of whoever holds it.
        names: the joints, in the driver's order; may hold more than an arm's.
        positions: ``(n,)`` [rad or m].
        velocities: ``(n,)`` [rad/s or m/s], or None where the driver does not measure them.
        end_effector: ``(4, 4)`` pose of the gripper point in the base frame [m], where something else than kinematics
            measures it; else None.
    """

    stamp: float
    names: tuple[str, ...]
    positions: np.ndarray  # (n,)
    velocities: np.ndarray | None = None  # (n,)
    end_effector: np.ndarray | None = None  # (4, 4)

    def select(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray | None]:
        """Positions and velocities of the named joints, in that order.

        Args:
            names: the joints wanted.

        Returns:
            ``(len(names),)`` positions [rad or m], and velocities [rad/s or m/s] or None.

        Raises:
            JointStateError: lengths differ, a joint is missing or named twice, or a value is NaN or infinite.
        """
        index = {name: position for position, name in enumerate(self.names)}
        missing = [name for name in names if name not in index]
        if missing:
            present = ", ".join(self.names) or "none"
            raise JointStateError(f"the joint state lacks {', '.join(missing)}; it has {present}")
        if len(index) != len(self.names):
            doubled = sorted({name for name in self.names if self.names.count(name) > 1})
            raise JointStateError(f"the joint state names {', '.join(doubled)} more than once")
        where = [index[name] for name in names]
        positions = self._pick("positions", self.positions, where, names)
        if self.velocities is None or np.shape(self.velocities) == (0,):
            return positions, None
        return positions, self._pick("velocities", self.velocities, where, names)

    def _pick(self, what: str, values: np.ndarray, where: list[int], names: Sequence[str]) -> np.ndarray:
        array = np.asarray(values, dtype=np.float64)
        if array.shape != (len(self.names),):
            raise JointStateError(f"the joint state has {len(self.names)} names but {what} of shape {array.shape}")
        picked = array[where]
        finite = np.isfinite(picked)
        if not finite.all():
            bad = [f"{name} {value}" for name, value, good in zip(names, picked, finite, strict=True) if not good]
            raise JointStateError(f"{what} of the joint state are not finite: {', '.join(bad)}")
        return picked
