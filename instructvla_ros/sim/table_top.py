# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A table-top with an arm, coloured objects and two cameras, simulated by MuJoCo."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from instructvla_ros.robot.poses import pose
from instructvla_ros.sim.arm_model import (
    ARM_JOINTS,
    FINGER_OPEN,
    GRIPPER_JOINT,
    GRIPPER_MIMIC_JOINT,
    HOME,
    TIP_LINK,
    camera_mount,
)
from instructvla_ros.sim.arm_numbers import SERVO_LAG
from instructvla_ros.sim.looks import STANDARD_LOOKS, SceneLooks
from instructvla_ros.sim.rendering import SceneRenderer
from instructvla_ros.sim.scene import (
    STANDARD_OBJECTS,
    TIMESTEP,
    TableObject,
    build_model,
    checked_objects,
    random_layout,
)

# Stepping holds the lock no longer than this, so that a thread which draws gets its copy of the state in time.
_STEPS_PER_LOCK = 5

# On any of these MuJoCo puts the world back to its initial state and goes on.
_INSTABILITY = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything that a picture shows, at one instant.

    Attributes:
        time: simulated time [s].
        positions: ``(nq,)`` generalised positions of the whole scene.
    """

    time: float
    positions: np.ndarray  # (nq,)


class TableTop:
    """The simulated world: command it, step it, look at it.

    One thread steps and commands; any thread may read the state and draw. Each thread that draws gets an OpenGL context
    of its own at its first picture, which lasts until :meth:`close_renderer` is called there.
    """

    def __init__(
        self,
        seed: int = 0,
        objects: Sequence[TableObject] | None = None,
        smooth_edges: bool = True,
        looks: SceneLooks = STANDARD_LOOKS,
    ) -> None:
        """Builds the scene and lays the objects out.

        Args:
            seed: decides the layout; the same seed gives the same layout everywhere.
            objects: what lies on the table; :data:`~instructvla_ros.sim.scene.STANDARD_OBJECTS` if None.
            smooth_edges: whether pictures are drawn with four samples a pixel; a CPU draws three times as fast without.
            looks: light, colours of the surroundings and where the cameras sit.

        Raises:
            ValueError: too many objects, or two of one name.
        """
        self._smooth_edges = smooth_edges
        self._lock = threading.Lock()
        self._drawing = threading.local()
        self.rebuild(STANDARD_OBJECTS if objects is None else objects, looks)
        self.reset(seed)

    def rebuild(self, objects: Sequence[TableObject], looks: SceneLooks = STANDARD_LOOKS) -> None:
        """Puts other objects on the table, under another light; :meth:`reset` must follow.

        Drawing goes on in the OpenGL contexts that are there.

        Args:
            objects: what lies on the table.
            looks: light, colours of the surroundings and where the cameras sit.

        Raises:
            ValueError: too many objects, or two of one name; nothing is changed then.
        """
        checked = checked_objects(objects)
        model = build_model(checked, self._smooth_edges, looks)
        with self._lock:
            self._objects, self._model, self._data = checked, model, mujoco.MjData(model)
            self._arm_q = np.array([int(model.joint(name).qposadr[0]) for name in ARM_JOINTS])
            self._arm_v = np.array([int(model.joint(name).dofadr[0]) for name in ARM_JOINTS])
            self._arm_u = np.array([model.actuator(name).id for name in ARM_JOINTS])
            self._arm_range = np.array([model.joint(name).range for name in ARM_JOINTS])  # (6, 2)
            fingers = (GRIPPER_JOINT, GRIPPER_MIMIC_JOINT)
            self._finger_q = np.array([int(model.joint(name).qposadr[0]) for name in fingers])
            self._finger_v = np.array([int(model.joint(name).dofadr[0]) for name in fingers])
            self._finger_u = np.array([model.actuator(name).id for name in fingers])
            self._tip = model.site(TIP_LINK).id
            self._finger_bodies = {model.body(f"{name}_link").id for name in fingers}
            self._object_bodies = {model.body(thing.name).id: thing.name for thing in checked}
            self._step_debt = 0.0

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The six joints of the arm, base to tip."""
        return ARM_JOINTS

    @property
    def objects(self) -> tuple[TableObject, ...]:
        """What lies on the table."""
        return self._objects

    @property
    def model(self) -> mujoco.MjModel:
        """The compiled MuJoCo model."""
        return self._model

    @property
    def timestep(self) -> float:
        """Duration of one physics step [s]."""
        return TIMESTEP

    @property
    def time(self) -> float:
        """Simulated time since the last reset [s]."""
        return float(self._data.time)

    def reset(self, seed: int = 0, layout: np.ndarray | None = None) -> None:
        """Starts over: arm at home, gripper open, objects laid out anew, time 0.

        Args:
            seed: decides the layout where none is given.
            layout: ``(objects, 3)`` x [m], y [m] and yaw [rad] of each object, in base_link.

        Raises:
            ValueError: the layout has another shape, or is not finite.
        """
        if layout is None:
            layout = random_layout(np.random.default_rng(seed), len(self._objects))
        elif np.shape(layout) != (len(self._objects), 3) or not np.isfinite(layout).all():
            raise ValueError(f"a layout of {len(self._objects)} objects has as many finite rows of x, y, yaw: {layout}")
        with self._lock:
            mujoco.mj_resetData(self._model, self._data)
            self._data.qpos[self._arm_q] = HOME
            self._data.ctrl[self._arm_u] = HOME
            self._data.qpos[self._finger_q] = FINGER_OPEN
            self._data.ctrl[self._finger_u] = FINGER_OPEN
            for thing, (x, y, yaw) in zip(self._objects, layout, strict=True):
                place = [x, y, thing.resting_height, np.cos(0.5 * yaw), 0.0, 0.0, np.sin(0.5 * yaw)]
                self._data.joint(thing.name).qpos[:] = place
            mujoco.mj_forward(self._model, self._data)
            self._step_debt = 0.0

    def command_joints(self, positions: np.ndarray, velocities: np.ndarray | None = None) -> None:
        """Sets where the arm's servos pull to.

        Positions beyond a joint's limits are held at the limit, as servos do.

        Args:
            positions: ``(6,)`` [rad].
            velocities: ``(6,)`` how fast the target moves [rad/s]; with it the arm follows without lag. Zero if None.

        Raises:
            ValueError: wrong shape, NaN or infinite; nothing is changed then.
        """
        target = self._checked("positions", positions)
        if velocities is not None:
            target = target + SERVO_LAG * self._checked("velocities", velocities)
        with self._lock:
            self._data.ctrl[self._arm_u] = np.clip(target, self._arm_range[:, 0], self._arm_range[:, 1])

    def command_gripper(self, finger_position: float) -> None:
        """Sets where both fingers are pushed to.

        Args:
            finger_position: of ``left_finger``, 0 closed to 0.037 open [m]; held at these limits.

        Raises:
            ValueError: NaN or infinite.
        """
        if not np.isfinite(finger_position):
            raise ValueError(f"finger position must be a number [m], got {finger_position}")
        with self._lock:
            self._data.ctrl[self._finger_u] = np.clip(finger_position, 0.0, FINGER_OPEN)

    def step(self, duration: float) -> None:
        """Lets time pass.

        Whole physics steps are made; what is left of the duration is added to the next.

        Args:
            duration: [s], not negative.

        Raises:
            ValueError: negative, NaN or infinite.
            RuntimeError: the physics became unstable.
        """
        if not (np.isfinite(duration) and duration >= 0.0):
            raise ValueError(f"duration must be 0 or more seconds, got {duration}")
        due = self._step_debt + duration
        left = int(due / TIMESTEP + 1e-6)  # sums of binary fractions fall short of a whole step by a hair
        self._step_debt = due - left * TIMESTEP
        while left > 0:
            steps = min(left, _STEPS_PER_LOCK)
            with self._lock:
                mujoco.mj_step(self._model, self._data, nstep=steps)
            left -= steps
        faults = sum(int(self._data.warning[kind].number) for kind in _INSTABILITY)
        if faults:
            raise RuntimeError(
                f"the physics became unstable: MuJoCo started over {faults} times, last {self.time:.3f} s ago; reset it"
            )

    def joint_positions(self) -> np.ndarray:
        """``(6,)`` positions of the arm's joints [rad]."""
        with self._lock:
            return self._data.qpos[self._arm_q].copy()

    def joint_velocities(self) -> np.ndarray:
        """``(6,)`` velocities of the arm's joints [rad/s]."""
        with self._lock:
            return self._data.qvel[self._arm_v].copy()

    def finger_position(self) -> float:
        """Position of ``left_finger``, 0 closed to 0.037 open [m]."""
        return float(self._data.qpos[self._finger_q[0]])

    def finger_velocity(self) -> float:
        """Velocity of ``left_finger`` [m/s]."""
        return float(self._data.qvel[self._finger_v[0]])

    def gripper_pose(self) -> np.ndarray:
        """``(4, 4)`` pose of ``gripper_link`` in ``base_link``."""
        with self._lock:
            site = self._data.site(self._tip)
            return pose(site.xpos.copy(), site.xmat.reshape(3, 3).copy())

    def object_poses(self) -> dict[str, np.ndarray]:
        """``(4, 4)`` pose of each object's middle in ``base_link``, by the object's name."""
        with self._lock:
            bodies = {thing.name: self._data.body(thing.name) for thing in self._objects}
            return {name: pose(body.xpos.copy(), body.xmat.reshape(3, 3).copy()) for name, body in bodies.items()}

    def touched_objects(self) -> frozenset[str]:
        """Names of the objects that a finger touches."""
        with self._lock:
            bodies = self._model.geom_bodyid[self._data.contact.geom].reshape(-1, 2).tolist()
        pairs = [pair for pair in bodies if pair[0] in self._finger_bodies or pair[1] in self._finger_bodies]
        return frozenset(self._object_bodies[body] for pair in pairs for body in pair if body in self._object_bodies)

    def finger_forces(self) -> dict[str, np.ndarray]:
        """``(3,)`` force of the fingers on each object that they touch, in ``base_link`` [N], by the object's name."""
        forces: dict[str, np.ndarray] = {}
        with self._lock:
            for index, contact in enumerate(self._data.contact):
                bodies = self._model.geom_bodyid[contact.geom].tolist()
                for body, other, sign in ((bodies[0], bodies[1], -1.0), (bodies[1], bodies[0], 1.0)):
                    if body in self._object_bodies and other in self._finger_bodies:
                        wrench = np.empty(6)
                        mujoco.mj_contactForce(self._model, self._data, index, wrench)
                        name = self._object_bodies[body]
                        # rows of the contact's frame are its axes; the force is that of the first geom on the second
                        force = sign * contact.frame.reshape(3, 3).T @ wrench[:3]
                        forces[name] = forces.get(name, np.zeros(3)) + force
        return forces

    def project(self, camera: str, points: np.ndarray, width: int, height: int) -> np.ndarray:
        """Where points appear in a camera's picture.

        Args:
            camera: ``front`` or ``wrist``.
            points: ``(n, 3)`` in base_link [m].
            width: of the picture [px].
            height: of the picture [px].

        Returns:
            ``(n, 3)``: u to the right and v downwards, pixel centres at whole numbers [px], and the depth along the
            optical axis [m]; where that is not positive the point lies behind the camera and u, v mean nothing.

        Raises:
            ValueError: there is no such camera.
        """
        camera_mount(camera)
        with self._lock:
            seen_from = self._data.camera(camera)
            position, axes = seen_from.xpos.copy(), seen_from.xmat.reshape(3, 3).copy()
        x, y, back = ((np.asarray(points, dtype=np.float64) - position) @ axes).T  # MuJoCo's cameras look along -z
        focal = 0.5 * height / np.tan(0.5 * np.radians(float(self._model.camera(camera).fovy[0])))
        depth = -back
        with np.errstate(divide="ignore", invalid="ignore"):
            u, v = 0.5 * (width - 1) + focal * x / depth, 0.5 * (height - 1) - focal * y / depth
        return np.column_stack([u, v, depth])

    def snapshot(self) -> Snapshot:
        """What a picture of this instant needs; quick, so that stepping hardly waits."""
        with self._lock:
            return Snapshot(float(self._data.time), self._data.qpos.copy())

    def render(
        self, camera: str, width: int, height: int, snapshot: Snapshot | None = None, shadows: bool = True
    ) -> np.ndarray:
        """Draws what a camera sees. May run beside :meth:`step` in another thread.

        Args:
            camera: ``front`` or ``wrist``.
            width: [px].
            height: [px].
            snapshot: the instant to draw; now if None.
            shadows: whether light casts shadows; on a CPU they cost more than the pixels.

        Returns:
            ``(height, width, 3)`` uint8 RGB, contiguous.

        Raises:
            ValueError: there is no such camera, or the size is not possible.
            RenderingUnavailableError: no OpenGL works on this machine.
        """
        camera_mount(camera)
        shown = self.snapshot() if snapshot is None else snapshot
        if not hasattr(self._drawing, "renderer"):
            self._drawing.renderer = SceneRenderer(self._model)
            self._drawing.data = mujoco.MjData(self._model)
        elif self._drawing.renderer.model is not self._model:
            self._drawing.renderer.show(self._model)
            self._drawing.data = mujoco.MjData(self._model)
        data = self._drawing.data
        data.qpos[:] = shown.positions
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_comPos(self._model, data)
        mujoco.mj_camlight(self._model, data)
        return self._drawing.renderer.render(data, camera, width, height, shadows)

    def close_renderer(self) -> None:
        """Frees the calling thread's OpenGL context, if it has one."""
        if hasattr(self._drawing, "renderer"):
            self._drawing.renderer.close()
            del self._drawing.renderer

    @staticmethod
    def _checked(what: str, values: np.ndarray) -> np.ndarray:
        array = np.asarray(values, dtype=np.float64)
        if array.shape != (len(ARM_JOINTS),):
            raise ValueError(f"{what} must have shape ({len(ARM_JOINTS)},), one for each joint, got {array.shape}")
        if not np.isfinite(array).all():
            bad = [f"{name} {value}" for name, value in zip(ARM_JOINTS, array, strict=True) if not np.isfinite(value)]
            raise ValueError(f"{what} must be finite, got {', '.join(bad)}")
        return array
