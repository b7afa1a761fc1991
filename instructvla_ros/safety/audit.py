# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An audit of every promise that commands alone can show; it shares no formula with the filter but the kinematics."""

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.trajectory import JointTrajectory
from instructvla_ros.safety.limits import SafetyLimits

# Instants at which each trajectory is looked at.
_SAMPLES = 16
# Points along each shape of the arm that are held against each other.
_POINTS = 7
# Time over which velocities of the gripper are compared [s].
_INSTANT = 5e-4
# Rounding of what is computed from a segment of this length or longer stays below the tolerances.
_SHORTEST = 2e-4  # [s]
# Slack for what the filter checks at a few instants only.
_BETWEEN = 1.01
_BETWEEN_CLEARANCE = 1e-3  # [m]


class CommandAudit:
    """Looks at trajectories as an arm driver executes them: cubics through positions and velocities.

    Args:
        limits: what they must keep.
        chain: the arm.

    Attributes:
        worst: largest use of each limit so far, 1 at the limit; for distances, the least of an arm
            that started within bounds [m].
        looked_at: trajectories audited from end to end; those that only go on with the one before are not counted.
    """

    def __init__(self, limits: SafetyLimits, chain: KinematicChain) -> None:
        self.limits, self.chain = limits, chain
        self.worst: dict[str, float] = {}
        self.looked_at = 0
        joints = [limits.joints[name] for name in chain.joint_names]
        self._lower = np.array([joint.lower for joint in joints])
        self._upper = np.array([joint.upper for joint in joints])
        self._velocity = np.array([joint.velocity for joint in joints])
        self._acceleration = np.array([joint.acceleration for joint in joints])
        self._jerk = np.array([joint.jerk for joint in joints])
        shares = np.linspace(0.0, 1.0, _POINTS)[:, None]
        self._links, points = [], []
        for shape in limits.shapes:
            index, offset = chain.link_frame(shape.link)
            along = (1.0 - shares) * np.array(shape.start) + shares * np.array(shape.end)
            points.append(along @ offset[:3, :3].T + offset[:3, 3])
            self._links.append(index)
        self._points = np.array(points).reshape(-1, _POINTS, 3)
        self._radii = np.array([shape.radius for shape in limits.shapes])
        self._moving = np.array([index >= 0 for index in self._links], dtype=bool)
        places = {shape.name: place for place, shape in enumerate(limits.shapes)}
        self._pairs = np.array([[places[a], places[b]] for a, b in limits.self_collision], dtype=int).reshape(-1, 2)

    def command(self, trajectory: JointTrajectory, before: JointTrajectory | None, elapsed: float) -> None:
        """Checks a command.

        Args:
            trajectory: what was sent.
            before: what was sent before; None for the first command, or after the one jump there may be.
            elapsed: time between the two [s].

        Raises:
            AssertionError: a promise is broken; the message says which.
        """
        if before is not None:
            self._continues(trajectory, before, elapsed)
            left = len(trajectory.times) - 1
            going_on = np.array_equal(trajectory.positions[1:], before.positions[-left:])
            going_on &= np.array_equal(trajectory.velocities[1:], before.velocities[-left:])
            resting = (trajectory.positions == before.positions[-1]).all() and not trajectory.velocities.any()
            if resting or (going_on and trajectory.duration <= max(before.duration - elapsed, 0.0) + 1e-9):
                return  # audited already
        self._whole(trajectory)

    def _continues(self, trajectory: JointTrajectory, before: JointTrajectory, elapsed: float) -> None:
        positions, velocities, accelerations = before.state(elapsed)
        now = trajectory.state(0.0)
        _require(float(np.abs(now[0] - positions).max()) <= 1e-8, "position jumps")
        _require(float(np.abs(now[1] - velocities).max()) <= 1e-4, "velocity jumps")
        if _span_at(trajectory, 0.0) > _SHORTEST and _span_at(before, elapsed) > _SHORTEST:
            _require(float(np.abs(now[2] - accelerations).max()) <= 0.05, "acceleration jumps")

    def _whole(self, trajectory: JointTrajectory) -> None:
        self.looked_at += 1
        _require(trajectory.joint_names == self.chain.joint_names, "the joints are others")
        _require(bool(np.isfinite(trajectory.positions).all() and np.isfinite(trajectory.velocities).all()), "NaN")
        _require(trajectory.times[0] == 0.0, "it does not start now")
        _require(trajectory.duration <= self.limits.horizon + 1e-9, "the arm would rest too late")
        _require(trajectory.ends_at_rest, "it does not end at rest")
        spline = CubicHermiteSpline(trajectory.times, trajectory.positions, trajectory.velocities)
        moves = bool(trajectory.velocities.any())
        times = np.linspace(0.0, trajectory.duration, _SAMPLES) if moves else np.zeros(1)
        positions = spline(times)
        self._joints(trajectory, spline, positions, times)
        frames, poses, jacobians = self.chain.forward_many(positions)
        if moves:
            self._gripper(spline, times, jacobians)
        self._places(frames, poses, jacobians)

    def _use(self, what: str, values: np.ndarray, highest: np.ndarray | float, slack: float, rounding: float) -> None:
        use = float(np.max(np.abs(values) / highest))
        self.worst[what] = max(self.worst.get(what, 0.0), use)
        _require(use <= slack + rounding / float(np.min(highest)), f"{what} is {use:.4f} of what is allowed")

    def _joints(
        self, trajectory: JointTrajectory, spline: CubicHermiteSpline, positions: np.ndarray, times: np.ndarray
    ) -> None:
        start = trajectory.positions[0]
        _require(bool((positions >= np.minimum(self._lower, start) - 1e-8).all()), "a joint leaves its range")
        _require(bool((positions <= np.maximum(self._upper, start) + 1e-8).all()), "a joint leaves its range")
        self._use("joint velocity", spline(times, 1), self._velocity, 1.0, 1e-6)
        spans = np.diff(trajectory.times)
        long = spans >= _SHORTEST
        accelerations = spline.c[1] * 2.0
        ends = accelerations + 6.0 * spline.c[0] * spans[:, None]
        if long.any():
            self._use("joint acceleration", accelerations[long], self._acceleration, 1.0, 0.02)
            self._use("joint acceleration", ends[long], self._acceleration, 1.0, 0.02)
            self._use("joint jerk", 6.0 * spline.c[0][long], self._jerk, 1.0, 2.0)
        both = long[1:] & long[:-1]
        jumps = np.abs(accelerations[1:] - ends[:-1])[both]
        _require(not jumps.size or jumps.max() < 0.05, "acceleration jumps")

    def _gripper(self, spline: CubicHermiteSpline, times: np.ndarray, jacobians: np.ndarray) -> None:
        later = np.minimum(times + _INSTANT, times[-1])
        soon = self.chain.forward_many(spline(later))[2]
        tips = np.einsum("sij,sj->si", jacobians, spline(times, 1))
        gains = (np.einsum("sij,sj->si", soon, spline(later, 1)) - tips)[:-1] / (later - times)[:-1, None]
        limits = self.limits
        for name, part in (("translation", slice(0, 3)), ("rotation", slice(3, 6))):
            speeds = np.linalg.norm(tips[:, part], axis=1)
            self._use(f"{name} speed", speeds, getattr(limits, f"{name}_speed"), _BETWEEN, 1e-6)
            sizes = np.linalg.norm(gains[:, part], axis=1)
            self._use(f"{name} acceleration", sizes, getattr(limits, f"{name}_acceleration"), _BETWEEN, 0.02)

    def _places(self, frames: np.ndarray, poses: np.ndarray, jacobians: np.ndarray) -> None:
        box = self.limits.workspace
        points = poses[:, :3, 3]
        self._clear("workspace", np.concatenate((points - box.lower, box.upper - points), axis=1), 0.0, 1e-9)
        values = np.linalg.svd(jacobians, compute_uv=False)
        inverse = (values[:, -1] / values[:, 0])[:, None]
        self._clear("singularity", inverse, 1.0 / self.limits.singularity_halt, 1e-4)
        bodies = self._bodies(frames)  # (S, shapes, points, 3)
        halt, moving = self.limits.clearance_halt, self._moving
        heights = bodies[:, moving][..., 2].min(axis=2) - self._radii[moving] - self.limits.table
        self._clear("table", heights, halt, _BETWEEN_CLEARANCE)
        for obstacle in self.limits.keep_out:
            beyond = np.maximum(obstacle.lower - bodies[:, moving], bodies[:, moving] - obstacle.upper)
            outside = np.linalg.norm(np.maximum(beyond, 0.0), axis=3) + np.minimum(beyond.max(axis=3), 0.0)
            self._clear("keep_out", outside.min(axis=2) - self._radii[moving], halt, _BETWEEN_CLEARANCE)
        firsts, seconds = self._pairs.T
        apart = bodies[:, firsts, :, None] - bodies[:, seconds, None, :]  # (S, pairs, points, points, 3)
        distances = np.sqrt(np.einsum("spabc,spabc->spab", apart, apart).min(axis=(2, 3)))
        self._clear("self_collision", distances - self._radii[firsts] - self._radii[seconds], halt, _BETWEEN_CLEARANCE)

    def _bodies(self, frames: np.ndarray) -> np.ndarray:
        base = np.eye(4)[None, None].repeat(len(frames), 0)
        held = np.concatenate((base, frames), axis=1)[:, np.array(self._links) + 1]
        return np.einsum("skij,kpj->skpi", held[:, :, :3, :3], self._points) + held[:, :, None, :3, 3]

    def _clear(self, what: str, values: np.ndarray, least: float, slack: float) -> None:
        """Values ``(S, m)`` must stay above the least, or above where the arm is where it is below already."""
        if values.size == 0:
            return
        inside = values[:, values[0] >= least]
        if inside.size:
            self.worst[what] = min(self.worst.get(what, np.inf), float(inside.min() - least))
        allowed = np.minimum(least, values[0] - 1.001e-3) - slack
        short = values - allowed
        _require(bool((short >= 0.0).all()), f"{what}: {values.min():.5f}, allowed {least:.5f} or no further out")


def _require(held: bool, what: str) -> None:
    if not held:
        raise AssertionError(what)


def _span_at(trajectory: JointTrajectory, time: float) -> float:
    if time >= trajectory.duration:
        return np.inf
    index = int(np.searchsorted(trajectory.times, time, side="right"))
    return float(trajectory.times[index] - trajectory.times[index - 1])
