# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The action chunk: what a policy asks of an arm, and the one type that policy, safety and bags share."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class DeltaReference(IntEnum):
    """The pose that the first step of a chunk is relative to; same numbers as in ActionChunk.msg."""

    TARGET = 0  # the pose commanded last
    MEASURED = 1  # the measured pose


@dataclass(frozen=True, eq=False)
class ActionChunk:
    """The next H end-effector steps, evenly spaced in time.

    Step i covers ``[stamp + i * period, stamp + (i + 1) * period)``. Nothing is checked here: a chunk may come from
    anywhere, and the safety filter is who judges it.

    Attributes:
        stamp: when the observation was made [s], on the clock of whoever holds the chunk.
        frame: name of the base frame that the deltas are expressed in.
        epoch: grows with every new instruction, activation or restart.
        sequence: grows by one with every chunk of an epoch.
        period: duration of one step [s].
        translations: ``(H, 3)`` float64, displacement of the gripper during each step, base-frame axes [m].
        rotations: ``(H, 3)`` float64, rotation vector of each step about base-frame axes [rad].
        grippers: ``(H,)`` float64, wanted gripper opening at the end of each step, 0 closed to 1 open.
        delta_reference: what the first step is relative to.
        instruction: the instruction that the chunk serves.
        observation_age: how old the observation was when the network began [s].
        inference_time: how long the network took [s].
        joint_state_stamp: stamp of the joint state that it was made from [s]; None if that is not known.
        reasoning_stamp: stamp of the observation behind the reasoning that it was made under [s]; None without.
    """

    stamp: float
    frame: str
    epoch: int
    sequence: int
    period: float
    translations: np.ndarray  # (H, 3)
    rotations: np.ndarray  # (H, 3)
    grippers: np.ndarray  # (H,)
    delta_reference: DeltaReference = DeltaReference.TARGET
    instruction: str = ""
    observation_age: float = 0.0
    inference_time: float = 0.0
    joint_state_stamp: float | None = None
    reasoning_stamp: float | None = None

    def __len__(self) -> int:
        return len(self.grippers)

    @property
    def edges(self) -> np.ndarray:
        """Beginning and ends ``(H + 1,)`` of the steps [s]."""
        return self.stamp + self.period * np.arange(len(self) + 1)

    @property
    def travelled(self) -> np.ndarray:
        """How far the steps have gone at each of the edges, ``(H + 1, 6)`` [m, rad].

        Rotation vectors of single steps are small and count as additive.
        """
        steps = np.concatenate((self.translations, self.rotations), axis=1)  # (H, 6)
        return np.concatenate((np.zeros((1, 6)), np.cumsum(steps, axis=0)))
