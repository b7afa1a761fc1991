# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a gripper opening of 0 to 1 to the units of its driver, and back."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class GripperMapping:
    """A straight line between two positions of the gripper's joint; either may be the larger one.

    Attributes:
        joint: name of the gripper's joint in the joint states.
        closed: position of the joint when closed [m or rad].
        open: position of the joint when open [m or rad].
    """

    joint: str
    closed: float
    open: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.closed) and math.isfinite(self.open)) or self.closed == self.open:
            raise ValueError(
                f"gripper joint {self.joint!r} needs two finite, different positions for closed and open, "
                f"got {self.closed} and {self.open}"
            )

    def opening(self, position: float) -> float:
        """Opening at a position of the joint, kept within 0 (closed) to 1 (open): fingers press past their ends.

        Args:
            position: of the gripper's joint [m or rad].

        Raises:
            ValueError: the position is not finite.
        """
        if not math.isfinite(position):
            raise ValueError(f"position of gripper joint {self.joint!r} is {position}")
        return min(max((position - self.closed) / (self.open - self.closed), 0.0), 1.0)

    def position(self, opening: float) -> float:
        """Position of the joint at an opening.

        Args:
            opening: 0 (closed) to 1 (open).

        Returns:
            position of the gripper's joint [m or rad].

        Raises:
            ValueError: the opening is outside 0 to 1 or not finite.
        """
        if not 0.0 <= opening <= 1.0:
            raise ValueError(f"opening of gripper joint {self.joint!r} is {opening}, expected 0 (closed) to 1 (open)")
        return self.closed + opening * (self.open - self.closed)
