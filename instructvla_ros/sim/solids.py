# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Simple solids that links are made of, with the mass properties that follow from them."""

from dataclasses import dataclass
from math import pi

import numpy as np


@dataclass(frozen=True)
class Capsule:
    """A cylinder with a half ball on either end.

    Attributes:
        start: centre of the first half ball, in the link's frame [m].
        end: centre of the second half ball [m].
        radius: of the cylinder and the half balls [m].
        color: name of a colour of the arm.
        solid: whether it touches other things; otherwise it is only seen.
    """

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float
    color: str
    solid: bool = True

    @property
    def center(self) -> np.ndarray:
        """``(3,)`` centre of mass [m]."""
        return 0.5 * (np.array(self.start) + np.array(self.end))

    @property
    def length(self) -> float:
        """Distance between the centres of the half balls [m]."""
        return float(np.linalg.norm(np.array(self.end) - np.array(self.start)))

    @property
    def direction(self) -> np.ndarray:
        """``(3,)`` unit vector from start to end."""
        return (np.array(self.end) - np.array(self.start)) / self.length

    @property
    def volume(self) -> float:
        """[m^3]."""
        return pi * self.radius**2 * (self.length + 4.0 / 3.0 * self.radius)

    def unit_inertia(self) -> np.ndarray:
        """``(3, 3)`` inertia about the centre of mass for a mass of 1 kg [m^2], link axes."""
        radius, length = self.radius, self.length
        ball = (4.0 / 3.0 * radius) / (length + 4.0 / 3.0 * radius)
        cylinder = 1.0 - ball
        along = cylinder * radius**2 / 2.0 + ball * 0.4 * radius**2
        # Half balls: the ball's 2/5 r^2 plus the parallel-axis terms of two halves whose centroids sit 3/8 r out.
        across = cylinder * (radius**2 / 4.0 + length**2 / 12.0)
        across += ball * (0.4 * radius**2 + length**2 / 4.0 + 3.0 / 8.0 * radius * length)
        axis = np.outer(self.direction, self.direction)
        return across * (np.eye(3) - axis) + along * axis


@dataclass(frozen=True)
class Box:
    """A box along the axes of its link.

    Attributes:
        middle: its centre, in the link's frame [m].
        size: full edge lengths [m].
        color: name of a colour of the arm.
        solid: whether it touches other things; otherwise it is only seen.
    """

    middle: tuple[float, float, float]
    size: tuple[float, float, float]
    color: str
    solid: bool = True

    @property
    def center(self) -> np.ndarray:
        """``(3,)`` centre of mass [m]."""
        return np.array(self.middle)

    @property
    def volume(self) -> float:
        """[m^3]."""
        return self.size[0] * self.size[1] * self.size[2]

    def unit_inertia(self) -> np.ndarray:
        """``(3, 3)`` inertia about the centre of mass for a mass of 1 kg [m^2], link axes."""
        x, y, z = (edge**2 for edge in self.size)
        return np.diag([y + z, x + z, x + y]) / 12.0


Solid = Capsule | Box


def mass_properties(mass: float, solids: tuple[Solid, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Centre of mass and inertia of solids of one density; where they overlap, both count.

    Args:
        mass: of all together [kg].
        solids: at least one.

    Returns:
        ``(3,)`` centre of mass [m] and ``(3, 3)`` inertia about it [kg m^2], in the link's frame.
    """
    total = sum(solid.volume for solid in solids)
    shares = [mass * solid.volume / total for solid in solids]
    center = sum((share * solid.center for share, solid in zip(shares, solids, strict=True)), np.zeros(3)) / mass
    inertia = np.zeros((3, 3))
    for share, solid in zip(shares, solids, strict=True):
        offset = solid.center - center
        inertia += share * (solid.unit_inertia() + offset @ offset * np.eye(3) - np.outer(offset, offset))
    return center, inertia
