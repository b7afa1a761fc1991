# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The arm's body as capsules, and where several configurations bring them."""

import math

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.limits import BodyShape, SafetyLimits
from instructvla_ros.safety.rooms import Configurations

COVER_EXCESS = 0.002
"""The balls of a cover reach at most this far beyond the capsule that they cover [m]."""


class BodyPoints:
    """Points fixed to links, or weighted sums of such points; all are found by one matrix product.

    Args:
        matrix: ``(4 n, k)`` a column per point: its homogeneous position in the frame of the joint that carries it, in
            this joint's four rows [m].
        still: ``(3, k)`` position in the base frame of what stands still [m].
    """

    def __init__(self, matrix: np.ndarray, still: np.ndarray) -> None:
        self._matrix = np.ascontiguousarray(matrix)
        self._still = np.ascontiguousarray(still)

    @classmethod
    def on_links(cls, chain: KinematicChain, points: list[tuple[str, tuple[float, float, float]]]) -> "BodyPoints":
        """Points given by the name of a link and the position in its frame [m].

        Raises:
            UrdfError: no such link between base and tip.
        """
        matrix, still = np.zeros((4 * len(chain), len(points))), np.zeros((3, len(points)))
        for column, (link, point) in enumerate(points):
            joint, offset = chain.link_frame(link)
            position = offset @ np.array([*point, 1.0])
            if joint < 0:
                still[:, column] = position[:3]
            else:
                matrix[4 * joint : 4 * joint + 4, column] = position
        return cls(matrix, still)

    def weighted(self, weights: np.ndarray) -> "BodyPoints":
        """Sums of these points by ``(k, j)`` weights: points between them, or vectors from one to another."""
        return BodyPoints(self._matrix @ weights, self._still @ weights)

    def of(self, arm: Configurations) -> np.ndarray:
        """Where they are in the base frame, ``(B, 3, k)`` [m]."""
        points = np.dot(arm.rows, self._matrix).reshape(len(arm.positions), 3, -1)
        points += self._still
        return points


class Body:
    """The capsules of the limits on the arm.

    Args:
        limits: the limits in force.
        chain: the arm.

    Attributes:
        shapes: the capsules; ``s`` of them.
        carriers: ``(s,)`` index of the joint that carries each, -1 where it stands still on the base.
        moving: indices of the shapes that a joint carries.
        radii: ``(s,)`` [m].
        ends: start of every capsule, then end of every capsule: ``2 s`` points.

    Raises:
        UrdfError: a shape is on no link between base and tip.
    """

    def __init__(self, limits: SafetyLimits, chain: KinematicChain) -> None:
        self.shapes = limits.shapes
        self.radii = np.array([shape.radius for shape in self.shapes])
        self.ends = BodyPoints.on_links(
            chain,
            [(shape.link, shape.start) for shape in self.shapes] + [(shape.link, shape.end) for shape in self.shapes],
        )
        frames = [chain.link_frame(shape.link) for shape in self.shapes]
        self.carriers = np.array([joint for joint, _ in frames], dtype=int)
        self.moving = [index for index, joint in enumerate(self.carriers) if joint >= 0]
        self._chain = chain
        self._furthest = [
            max(float(np.linalg.norm((offset @ [*end, 1.0])[:3])) for end in (shape.start, shape.end))
            for shape, (_, offset) in zip(self.shapes, frames, strict=True)
        ]

    def reach(self, index: int, after: int = -1) -> float:
        """How far a capsule's line moves at most per radian (or metre) of any one joint.

        A turning joint moves a point by its distance from the axis. No point is further from the axis of a joint than
        the links between, laid end to end; the first joint sees the most of them.

        Args:
            index: of the shape.
            after: only joints behind this one move: the motion as seen from the link that it carries.
        """
        joints = slice(after + 1, self.carriers[index] + 1)
        distance = float(self._chain.lengths[joints][1:].sum()) + self._furthest[index]
        return distance if self._chain.revolute[joints].all() else max(distance, 1.0)

    def cover(self, indices: list[int]) -> tuple[BodyPoints, np.ndarray, np.ndarray]:
        """Rows of balls that together hold all of some capsules.

        A capsule of radius r and length L lies within k + 1 balls, whose centres divide its line into k equal parts, of
        radius sqrt(r^2 + (L / 2k)^2): half-way between two centres they meet at the distance r from the line. k is the
        smallest that exceeds r by no more than ``COVER_EXCESS``.

        Returns:
            the ``b`` centres in the order of the shapes, ``(b,)`` their radii [m], and ``(len(indices),)`` where the
            balls of each shape begin.
        """
        columns: list[np.ndarray] = []
        radii: list[float] = []
        begins: list[int] = []
        for index in indices:
            pieces, radius = _cover(self.shapes[index])
            begins.append(len(radii))
            for piece in range(pieces + 1):
                share = piece / pieces if pieces else 0.0
                column = np.zeros(2 * len(self.shapes))
                column[index], column[index + len(self.shapes)] = 1.0 - share, share
                columns.append(column)
                radii.append(radius)
        weights = np.array(columns).reshape(len(columns), 2 * len(self.shapes)).T
        return self.ends.weighted(weights), np.array(radii), np.array(begins, dtype=int)


def _cover(shape: BodyShape) -> tuple[int, float]:
    """Pieces between the balls that cover a capsule, and the balls' radius [m]."""
    length = math.dist(shape.start, shape.end)
    if length == 0.0:
        return 0, shape.radius
    widest = math.sqrt((shape.radius + COVER_EXCESS) ** 2 - shape.radius**2)  # half a piece at most
    pieces = math.ceil(length / (2.0 * widest))
    return pieces, math.hypot(shape.radius, length / (2.0 * pieces))
