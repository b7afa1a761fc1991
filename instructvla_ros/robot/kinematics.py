# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Forward kinematics, Jacobian and inverse kinematics of a serial chain of a URDF."""

from dataclasses import dataclass

import numpy as np

from instructvla_ros.robot.poses import pose_error
from instructvla_ros.robot.urdf import UrdfError, UrdfJoint, path_to

# Longest step that inverse kinematics takes at once: beyond it the Jacobian says little about where one lands.
_LONGEST_STEP = 0.5  # [rad or m], largest single joint


@dataclass(frozen=True, eq=False)
class InverseKinematicsResult:
    """Where inverse kinematics ended, and how far from the target that is.

    Attributes:
        positions: ``(n,)`` joint positions within the limits [rad or m].
        converged: whether both errors are within the tolerances asked for.
        position_error: distance of the tip from the target [m].
        rotation_error: angle between the tip and the target [rad].
        iterations: Jacobians it took.
    """

    positions: np.ndarray  # (n,)
    converged: bool
    position_error: float
    rotation_error: float
    iterations: int


class KinematicChain:
    """The moving joints between two links; fixed joints are folded into their neighbours.

    Every joint's transform is linear in ``(1, sin q, cos q, q)``, so that all joints are evaluated by one product
    with matrices prepared once.

    Attributes:
        base: name of the link that poses are expressed in.
        tip: name of the link whose pose is computed, moved by the tool offset where there is one.
        joint_names: the moving joints from base to tip.
        lower: ``(n,)`` lowest positions of the URDF [rad or m], minus infinity for continuous joints.
        upper: ``(n,)`` highest positions of the URDF [rad or m], infinity for continuous joints.
        velocity: ``(n,)`` highest speeds of the URDF [rad/s or m/s], infinity where it gives none.
        revolute: ``(n,)`` whether each joint turns (else it slides).
        lengths: ``(n,)`` the furthest each joint's link frame ever is from the one before it [m].
        reach: the furthest the tip ever is from the base [m].
    """

    def __init__(self, joints: list[UrdfJoint], base: str, tip: str, tool: np.ndarray | None = None) -> None:
        moving = [joint for joint in joints if joint.moves]
        for joint in joints:
            if joint.kind in ("floating", "planar"):
                raise UrdfError(f"joint {joint.name!r} between {base!r} and {tip!r} is {joint.kind}: not supported")
            if joint.moves and joint.mimics is not None:
                raise UrdfError(
                    f"joint {joint.name!r} between {base!r} and {tip!r} mimics {joint.mimics!r}: it has no position of "
                    "its own; choose a tip before it"
                )
        if not moving:
            raise UrdfError(f"no moving joint lies between {base!r} and {tip!r}")
        self.base = base
        self.tip = tip
        self.joint_names: tuple[str, ...] = tuple(joint.name for joint in moving)
        self.lower = np.array([joint.lower for joint in moving])
        self.upper = np.array([joint.upper for joint in moving])
        self.velocity = np.array([joint.velocity for joint in moving])
        self.revolute = np.array([joint.kind != "prismatic" for joint in moving])
        self._count = len(moving)
        self._axes = np.array([joint.axis for joint in moving])[:, :, None]  # (n, 3, 1)
        self._links: dict[str, tuple[int, np.ndarray]] = {base: (-1, np.eye(4))}
        self._all_revolute = bool(self.revolute.all())
        constant, sine, cosine, linear = [], [], [], []
        offsets: list[float] = []
        fixed = np.eye(4)
        for joint in joints:
            fixed = fixed @ joint.origin
            if not joint.moves:
                self._links[joint.child] = (len(offsets) - 1, fixed)
                continue
            self._links[joint.child] = (len(offsets), np.eye(4))
            offsets.append(float(np.linalg.norm(fixed[:3, 3])))
            parts = _motion_parts(joint)
            constant.append(fixed @ parts[0])
            sine.append(fixed @ parts[1])
            cosine.append(fixed @ parts[2])
            linear.append(fixed @ parts[3])
            fixed = np.eye(4)
        self._constant, self._sine = np.array(constant), np.array(sine)
        self._cosine, self._linear = np.array(cosine), np.array(linear)
        self._tool = fixed if tool is None else fixed @ tool
        sliding = np.where(self.revolute, 0.0, np.maximum(np.abs(self.lower), np.abs(self.upper)))
        self.lengths = np.array(offsets) + sliding
        self.reach = float(self.lengths.sum() + np.linalg.norm(self._tool[:3, 3]))

    @classmethod
    def from_urdf(cls, urdf: str, base: str, tip: str, tool: np.ndarray | None = None) -> "KinematicChain":
        """Builds the chain between two links of a robot description.

        Args:
            urdf: text of the URDF (XML, not xacro).
            base: link that poses are expressed in.
            tip: link whose pose is wanted.
            tool: ``(4, 4)`` pose in the tip link of the point that is wanted instead [m]; None: the link itself.

        Raises:
            UrdfError: the URDF is malformed or has no such chain; the message names the joint or link.
        """
        return cls(path_to(urdf, base, tip), base, tip, tool)

    def __len__(self) -> int:
        return self._count

    def forward(self, positions: np.ndarray) -> np.ndarray:
        """Pose of the tip in the base frame.

        Args:
            positions: ``(n,)`` [rad or m].

        Returns:
            ``(4, 4)`` homogeneous matrix [m].
        """
        steps = self._steps(positions)
        matrix = steps[0]
        for index in range(1, self._count):
            matrix = np.dot(matrix, steps[index])
        return np.dot(matrix, self._tool)

    def jacobian(self, positions: np.ndarray) -> np.ndarray:
        """Velocity of the tip's origin and of its orientation per joint velocity, in base-frame axes.

        Args:
            positions: ``(n,)`` [rad or m].

        Returns:
            ``(6, n)``: three rows of linear velocity [m], three of angular velocity [rad].
        """
        return self.forward_and_jacobian(positions)[1]

    def forward_and_jacobian(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both at the price of one.

        Args:
            positions: ``(n,)`` [rad or m].

        Returns:
            ``(4, 4)`` pose as of :meth:`forward`, ``(6, n)`` matrix as of :meth:`jacobian`.
        """
        steps = self._steps(positions)
        frames = np.empty((self._count, 4, 4))
        frames[0] = steps[0]
        for index in range(1, self._count):
            np.dot(frames[index - 1], steps[index], out=frames[index])  # half the price of matmul for one matrix
        tip = np.dot(frames[-1], self._tool)
        axes = np.matmul(frames[:, :3, :3], self._axes)[:, :, 0]  # (n, 3), a joint's own motion leaves its axis alone
        arms = tip[:3, 3] - frames[:, :3, 3]  # (n, 3)
        jacobian = np.empty((6, self._count))
        self._fill_jacobian(jacobian, axes.T, arms.T)
        return tip, jacobian

    def forward_many(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where several configurations bring every link, and their Jacobians.

        Args:
            positions: ``(B, n)`` [rad or m].

        Returns:
            ``(B, n, 4, 4)`` pose of the link that each moving joint carries, ``(B, 4, 4)`` poses of the tip as of
            :meth:`forward`, ``(B, 6, n)`` matrices as of :meth:`jacobian`.

        Raises:
            ValueError: another shape.
        """
        steps = self._steps(positions, dimensions=2)  # (B, n, 4, 4)
        frames = np.empty_like(steps)
        frames[:, 0] = steps[:, 0]
        for index in range(1, self._count):
            np.matmul(frames[:, index - 1], steps[:, index], out=frames[:, index])
        tips = np.matmul(frames[:, -1], self._tool)  # (B, 4, 4)
        axes = np.matmul(frames[:, :, :3, :3], self._axes)[:, :, :, 0]  # (B, n, 3)
        arms = tips[:, None, :3, 3] - frames[:, :, :3, 3]  # (B, n, 3)
        jacobians = np.empty((len(steps), 6, self._count))
        self._fill_jacobian(jacobians.transpose(1, 0, 2), axes.transpose(2, 0, 1), arms.transpose(2, 0, 1))
        return frames, tips, jacobians

    @property
    def link_names(self) -> tuple[str, ...]:
        """All links from base to tip, those on fixed joints included."""
        return tuple(self._links)

    def link_frame(self, link: str) -> tuple[int, np.ndarray]:
        """Where a link between base and tip sits.

        Args:
            link: its name.

        Returns:
            index of the moving joint that carries it, -1 where it stands still on the base; ``(4, 4)`` its pose [m] in
            the frame that :meth:`forward_many` gives for this joint, in the base frame for -1.

        Raises:
            UrdfError: no such link lies on the way from base to tip; the message lists those that do.
        """
        if link not in self._links:
            raise UrdfError(
                f"no link {link!r} lies between {self.base!r} and {self.tip!r}; known: {', '.join(self._links)}"
            )
        index, offset = self._links[link]
        return index, offset.copy()

    def inverse(
        self,
        target: np.ndarray,
        seed: np.ndarray,
        *,
        position_tolerance: float = 1e-5,
        rotation_tolerance: float = 1e-4,
        max_iterations: int = 200,
    ) -> InverseKinematicsResult:
        """Joint positions within the limits that bring the tip to a pose, searched downhill from a seed.

        Levenberg-Marquardt: damped least squares steps whose damping follows the error (Sugihara, "Solvability-
        Unconcerned Inverse Kinematics by the Levenberg-Marquardt Method", IEEE T-RO 27(5), 2011) and grows when a step
        does not help. Joints that a step would push through their limit are held there while the others go on. The
        nearest solution is found, or none: there are no restarts, and ``converged`` says which.

        Args:
            target: ``(4, 4)`` pose wanted, in the base frame [m].
            seed: ``(n,)`` positions to start from; brought within the limits first.
            position_tolerance: distance that counts as there [m].
            rotation_tolerance: angle that counts as there [rad].
            max_iterations: Jacobians to spend.

        Raises:
            ValueError: shapes are wrong, or a value is not finite.
        """
        target = np.asarray(target, dtype=np.float64)
        seed = np.asarray(seed, dtype=np.float64)
        if target.shape != (4, 4) or seed.shape != (self._count,):
            raise ValueError(f"target {target.shape} and seed {seed.shape}, expected (4, 4) and ({self._count},)")
        if not (np.isfinite(target).all() and np.isfinite(seed).all()):
            raise ValueError("target or seed holds NaN or infinity")
        positions = np.clip(seed, self.lower, self.upper)
        current, jacobian = self.forward_and_jacobian(positions)
        error = pose_error(target, current)
        squared, damping, iterations = float(error @ error), 1e-3, 0
        while iterations < max_iterations and not _within(error, position_tolerance, rotation_tolerance):
            iterations += 1
            step = self._limited_step(positions, jacobian, error, damping * squared + 1e-12)
            candidate = np.clip(positions + step, self.lower, self.upper)
            current, candidate_jacobian = self.forward_and_jacobian(candidate)
            candidate_error = pose_error(target, current)
            candidate_squared = float(candidate_error @ candidate_error)
            if candidate_squared < squared:
                positions, jacobian, error, squared = candidate, candidate_jacobian, candidate_error, candidate_squared
                damping = max(damping * 0.2, 1e-6)
            elif damping > 1e9:
                break  # no direction leads down any more
            else:
                damping *= 10.0
        return InverseKinematicsResult(
            positions=positions,
            converged=_within(error, position_tolerance, rotation_tolerance),
            position_error=float(np.linalg.norm(error[:3])),
            rotation_error=float(np.linalg.norm(error[3:])),
            iterations=iterations,
        )

    def _steps(self, positions: np.ndarray, dimensions: int = 1) -> np.ndarray:
        """Transform of every joint, ``(n, 4, 4)``, or ``(B, n, 4, 4)`` for two dimensions."""
        angles = np.asarray(positions, dtype=np.float64)
        if angles.ndim != dimensions or angles.shape[-1] != self._count:
            expected = f"({self._count},)" if dimensions == 1 else f"(B, {self._count})"
            raise ValueError(f"joint positions of shape {angles.shape}, expected {expected}: {self.joint_names}")
        angles = angles[..., None, None]
        steps = self._constant + self._sine * np.sin(angles)
        steps += self._cosine * np.cos(angles)
        if not self._all_revolute:
            steps += self._linear * angles
        return steps

    def _fill_jacobian(self, rows: np.ndarray, axes: np.ndarray, arms: np.ndarray) -> None:
        """Writes ``(6, ..., n)`` rows from ``(3, ..., n)`` axes and the way from each joint to the tip [m]."""
        rows[0] = axes[1] * arms[2] - axes[2] * arms[1]
        rows[1] = axes[2] * arms[0] - axes[0] * arms[2]
        rows[2] = axes[0] * arms[1] - axes[1] * arms[0]
        rows[3:] = axes
        if not self._all_revolute:
            sliding = ~self.revolute
            rows[:3, ..., sliding] = axes[..., sliding]
            rows[3:, ..., sliding] = 0.0

    def _limited_step(
        self, positions: np.ndarray, jacobian: np.ndarray, error: np.ndarray, damping: float
    ) -> np.ndarray:
        free = np.ones(self._count, dtype=bool)
        while True:
            active = jacobian * free
            step = active.T @ np.linalg.solve(active @ active.T + damping * np.eye(6), error)
            longest = float(np.max(np.abs(step)))
            if longest > _LONGEST_STEP:
                step *= _LONGEST_STEP / longest
            stuck = free & (
                ((positions <= self.lower) & (step < 0.0)) | ((positions >= self.upper) & (step > 0.0))
            )
            if not stuck.any():
                return step
            free &= ~stuck


def _motion_parts(joint: UrdfJoint) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Matrices ``A, B, C, D`` such that the joint's motion is ``A + B sin q + C cos q + D q``."""
    x, y, z = joint.axis
    constant, sine, cosine, linear = np.eye(4), np.zeros((4, 4)), np.zeros((4, 4)), np.zeros((4, 4))
    if joint.kind == "prismatic":
        linear[:3, 3] = joint.axis
    else:  # Rodrigues: R = a a^T + (I - a a^T) cos q + [a]x sin q
        along = np.outer(joint.axis, joint.axis)
        constant[:3, :3] = along
        cosine[:3, :3] = np.eye(3) - along
        sine[:3, :3] = [[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]
    return constant, sine, cosine, linear


def _within(error: np.ndarray, position_tolerance: float, rotation_tolerance: float) -> bool:
    return bool(
        np.linalg.norm(error[:3]) <= position_tolerance and np.linalg.norm(error[3:]) <= rotation_tolerance
    )
