# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The table-top as a live robot: physics that keep up with a clock, commanded and measured like an arm's driver."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.robot.trajectory import JointTrajectory
from instructvla_ros.sim.arm_model import GRIPPER_JOINT, GRIPPER_MIMIC_JOINT
from instructvla_ros.sim.randomisation import Scene
from instructvla_ros.sim.table_top import Snapshot, TableTop
from instructvla_ros.sim.trajectory_follower import TrajectoryFollower
from instructvla_ros.timing import FixedRateThread

_LOGGER = logging.getLogger(__name__)

_SERVO_PERIOD = 0.004  # [s] how often the servos get a new target
_WAKE_PERIOD = 0.01  # [s] how often physics catch up with the clock


@dataclass(frozen=True, eq=False)
class CameraFrame:
    """A picture and the instant it shows.

    Attributes:
        stamp: on the arm's clock [s]; earlier than when the picture was ready by as long as drawing took.
        image: ``(H, W, 3)`` uint8 RGB.
    """

    stamp: float
    image: np.ndarray  # (H, W, 3)


@dataclass(frozen=True, eq=False)
class TableTruth:
    """Where everything really is, which a policy must not see.

    Attributes:
        stamp: on the arm's clock [s].
        gripper: ``(4, 4)`` pose of gripper_link in base_link.
        objects: ``(4, 4)`` pose of each object's middle in base_link, by its name.
        forces: ``(3,)`` of the fingers on each object that they touch, in base_link [N].
    """

    stamp: float
    gripper: np.ndarray  # (4, 4)
    objects: Mapping[str, np.ndarray]
    forces: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class _Instant:
    """What the last step left behind: measured and shown together, so that one never contradicts the other."""

    joint_state: JointState
    snapshot: Snapshot


class SimulatedArm:
    """Steps a :class:`TableTop` in a thread of its own, at the speed of a monotonic clock.

    Where the machine is too slow, time is dropped rather than made up for later: the simulated arm then moves slower
    than commanded, and :attr:`dropped_time` tells by how much. All methods may be called from any thread.
    """

    def __init__(
        self, table_top: TableTop, clock: Callable[[], float] = time.monotonic, longest_lag: float = 0.1
    ) -> None:
        """Takes the table-top over; nothing moves before :meth:`start` or :meth:`advance`.

        Args:
            table_top: stepped and commanded by this object alone from now on.
            clock: monotonic [s]; all stamps are on it.
            longest_lag: physics further behind the clock than this are not caught up with [s].

        Raises:
            ValueError: the lag is shorter than the servos' period.
        """
        if not longest_lag >= _SERVO_PERIOD:
            raise ValueError(f"the longest lag must be {_SERVO_PERIOD} s or more, got {longest_lag}")
        self._table_top = table_top
        self._clock = clock
        self._longest_lag = longest_lag
        self._lock = threading.Lock()
        self._drawing_lock = threading.Lock()  # a picture in progress needs the scene that it began with
        self._follower = TrajectoryFollower(table_top.joint_names, table_top.joint_positions())
        self._physics_clock = clock()
        self._dropped_time = 0.0
        self._fault: Exception | None = None
        self._thread: FixedRateThread | None = None
        self._latest = self._measure()

    @property
    def table_top(self) -> TableTop:
        """The simulated world; look at it, but leave stepping and commanding to this object."""
        return self._table_top

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The arm's joints, without the fingers."""
        return self._table_top.joint_names

    @property
    def dropped_time(self) -> float:
        """How much of the clock's time was not simulated, for want of speed [s]."""
        return self._dropped_time

    def start(self) -> None:
        """Starts the thread.

        Raises:
            RuntimeError: it runs already.
        """
        if self._thread is not None:
            raise RuntimeError("the simulated arm runs already")
        with self._lock:
            self._physics_clock = self._clock()
        self._thread = FixedRateThread("physics", _WAKE_PERIOD, self._tick, clock=self._clock)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the step in progress; the world stands still until the next start."""
        if self._thread is not None:
            self._thread.stop()
            self._thread = None

    def advance(self) -> None:
        """Steps physics up to the clock. The thread does this; call it only where none was started.

        Raises:
            RuntimeError: the physics became unstable.
        """
        with self._lock:
            now = self._clock()
            excess = now - self._physics_clock - self._longest_lag
            if excess > 0.0:
                self._physics_clock += excess
                self._dropped_time += excess
            while self._physics_clock + _SERVO_PERIOD <= now:
                self._table_top.command_joints(*self._follower.sample(self._physics_clock))
                self._table_top.step(_SERVO_PERIOD)
                self._physics_clock += _SERVO_PERIOD
            self._latest = self._measure()

    def command(self, trajectory: JointTrajectory) -> None:
        """Follows a trajectory from now on, instead of the one before.

        Args:
            trajectory: of all the arm's joints, in any order.

        Raises:
            ValueError: see :meth:`TrajectoryFollower.command`; the one before is followed on.
        """
        with self._lock:
            self._follower.command(trajectory, self._clock())

    def command_gripper(self, finger_position: float) -> None:
        """Moves the fingers.

        Args:
            finger_position: of ``left_finger``, 0 closed to 0.037 open [m]; held at these limits.

        Raises:
            ValueError: NaN or infinite.
        """
        self._table_top.command_gripper(finger_position)

    def lay(self, scene: Scene) -> None:
        """Puts the arm home and lays a scene on the table, in place of the one before.

        Physics that came to a halt go on. The joints jump: whoever commands the arm must be stopped before, and take
        the measured joints for the commanded ones after.

        Args:
            scene: what lies on the table, where, and how it looks.
        """
        with self._drawing_lock, self._lock:
            self._table_top.rebuild(scene.objects, scene.looks)
            self._table_top.reset(layout=scene.layout)
            self._follower = TrajectoryFollower(self.joint_names, self._table_top.joint_positions())
            self._latest = self._measure()
            self._fault = None

    def truth(self) -> TableTruth:
        """Where everything is now; for judges, not for policies.

        Raises:
            RuntimeError: physics came to a halt; the cause is attached.
        """
        with self._lock:
            stamp = self._current().joint_state.stamp
            table_top = self._table_top
            return TableTruth(stamp, table_top.gripper_pose(), table_top.object_poses(), table_top.finger_forces())

    def joint_state(self) -> JointState:
        """Positions and velocities of the arm's joints and both fingers, and when they were so.

        Raises:
            RuntimeError: physics came to a halt; the cause is attached.
        """
        return self._current().joint_state

    def frame(self, camera: str, width: int, height: int, shadows: bool = True) -> CameraFrame:
        """Draws what a camera sees, beside the physics; draw from one and the same thread.

        Args:
            camera: ``front`` or ``wrist``.
            width: [px].
            height: [px].
            shadows: whether light casts shadows; on a CPU they cost more than the pixels.

        Raises:
            ValueError: there is no such camera, or the size is not possible.
            RenderingUnavailableError: no OpenGL works on this machine.
            RuntimeError: physics came to a halt; the cause is attached.
        """
        with self._drawing_lock:
            latest = self._current()
            image = self._table_top.render(camera, width, height, latest.snapshot, shadows)
        return CameraFrame(latest.joint_state.stamp, image)

    def _current(self) -> _Instant:
        if self._fault is not None:
            raise RuntimeError("the simulated arm came to a halt") from self._fault
        return self._latest

    def _tick(self) -> None:
        if self._fault is not None:
            return
        try:
            self.advance()
        except Exception as error:
            self._fault = error
            _LOGGER.exception("the simulated arm comes to a halt")

    def _measure(self) -> _Instant:
        table_top = self._table_top
        finger, finger_velocity = table_top.finger_position(), table_top.finger_velocity()
        joint_state = JointState(
            stamp=self._physics_clock,
            names=(*table_top.joint_names, GRIPPER_JOINT, GRIPPER_MIMIC_JOINT),
            positions=np.append(table_top.joint_positions(), [finger, finger]),
            velocities=np.append(table_top.joint_velocities(), [finger_velocity, finger_velocity]),
        )
        return _Instant(joint_state, table_top.snapshot())
