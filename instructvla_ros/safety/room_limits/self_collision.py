# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of the arm may not touch each other."""

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety.body import Body
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.rooms import Configurations, RoomLimit

_PARALLEL = 1e-12  # squared sine of the angle between lines that count as parallel: any start of the search will do


class SelfCollisionLimit(RoomLimit):
    """Distance between the two capsules of every named pair.

    The nearest points of two line segments: Ericson, "Real-Time Collision Detection" (2005), section 5.1.9, with each
    line's products divided by its squared length.
    """

    name = "self_collision"
    unit = "m"
    standoff = 0.001
    tolerance = 1e-3

    def __init__(self, limits: SafetyLimits, chain: KinematicChain) -> None:
        body = Body(limits, chain)
        index = {shape.name: place for place, shape in enumerate(body.shapes)}
        pairs = [sorted((index[a], index[b]), key=lambda place: body.carriers[place]) for a, b in limits.self_collision]
        self.subjects = tuple(f"{a}, {b}" for a, b in limits.self_collision)
        self.slow = np.full(len(pairs), limits.clearance_slow - limits.clearance_halt)
        self.fastest = np.full(len(pairs), limits.translation_speed)
        # Seen from the link that carries the first, only the joints between the two move the second.
        self.reach = np.array([body.reach(second, after=int(body.carriers[first])) for first, second in pairs])
        firsts, seconds = np.array(pairs, dtype=int).reshape(-1, 2).T
        count = len(body.shapes)
        corner = np.eye(2 * count)
        line_1 = corner[:, count + firsts] - corner[:, firsts]
        line_2 = corner[:, count + seconds] - corner[:, seconds]
        apart = corner[:, firsts] - corner[:, seconds]
        lengths = np.array([np.linalg.norm(np.subtract(shape.end, shape.start)) for shape in body.shapes])
        scaled_1, scaled_2 = line_1 * _inverse(lengths[firsts] ** 2), line_2 * _inverse(lengths[seconds] ** 2)
        # Left and right factors of the four scalar products below: one matrix product finds them all.
        left, right = (scaled_1, line_1, scaled_1, scaled_2), (line_2, scaled_2, apart, apart)
        self._vectors = body.ends.weighted(np.concatenate((*left, *right), axis=1))
        self._kept = body.radii[firsts] + body.radii[seconds] + limits.clearance_halt

    def rooms(self, arm: Configurations) -> np.ndarray:
        """Distance between the capsules of each pair, less the clearance."""
        count, pairs = len(arm.positions), len(self.subjects)
        vectors = self._vectors.of(arm)  # (B, 3, 8 pairs)
        left, right = vectors[:, :, : 4 * pairs], vectors[:, :, 4 * pairs :]
        products = np.einsum("bcp,bcp->bp", left, right)
        along_1, along_2, start_1, start_2 = products.reshape(count, 4, pairs).transpose(1, 0, 2)  # (B, pairs) each
        share_1 = _share((along_1 * start_2 - start_1) / np.maximum(1.0 - along_1 * along_2, _PARALLEL))
        share_2 = _share(along_2 * share_1 + start_2)
        share_1 = _share(along_1 * share_2 - start_1)
        gaps = left[:, :, pairs : 2 * pairs] * share_1[:, None]
        gaps -= right[:, :, :pairs] * share_2[:, None]
        gaps += right[:, :, 2 * pairs : 3 * pairs]
        distances = np.sqrt(np.einsum("bcp,bcp->bp", gaps, gaps))
        distances -= self._kept
        return distances


def _share(values: np.ndarray) -> np.ndarray:
    """Shares of a line between its ends; what lies beyond them comes to the end."""
    return np.minimum(np.maximum(values, 0.0), 1.0)


def _inverse(values: np.ndarray) -> np.ndarray:
    """One over each, 0 for 0."""
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0.0)
