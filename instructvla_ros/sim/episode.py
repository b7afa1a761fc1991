# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Closed-loop episodes at 5 Hz: what a policy sees, what its actions do, and whether the task was done."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from instructvla_ros.policy.proprioception import bridge_proprioception
from instructvla_ros.sim.execution import GRIPPER, DirectExecution, Execution
from instructvla_ros.sim.expert import ACTION_SIZE, CONTROL_PERIOD
from instructvla_ros.sim.randomisation import Scene
from instructvla_ros.sim.scene import TableObject
from instructvla_ros.sim.splits import TRAIN, Split
from instructvla_ros.sim.table_top import TableTop
from instructvla_ros.sim.task_sampling import sample_task
from instructvla_ros.sim.tasks import VERBS, TableState, Task, rested, succeeded

REST_TIME = 4.0  # [s] how long the arm must rest where nothing can be done


@dataclass(frozen=True, eq=False)
class Observation:
    """What a policy may see.

    Attributes:
        time: since the episode began [s].
        proprioception: ``(8,)`` of the measured gripper, in Bridge's convention [m, rad].
        opening: measured gripper opening, 0 closed to 1 open.
        front: ``(height, width, 3)`` uint8 RGB, or None where no pictures were asked for.
        wrist: likewise.
    """

    time: float
    proprioception: np.ndarray  # (8,)
    opening: float
    front: np.ndarray | None
    wrist: np.ndarray | None


@dataclass(frozen=True)
class Progress:
    """How an episode stands.

    Attributes:
        success: whether the task is done now; where the arm should rest, whether it has rested so far.
        ever: whether it was done after any step; where the arm should rest, whether it has rested all the time.
        over: whether the time is up, or the task is done.
    """

    success: bool
    ever: bool
    over: bool


class Episode:
    """One task after the other on one table-top; it builds the scene of each anew.

    Actions are in Bridge's convention: each moves the pose commanded before, within 0.2 s.
    """

    def __init__(
        self,
        split: Split = TRAIN,
        execution: Execution | None = None,
        *,
        picture: tuple[int, int] = (128, 128),
        pictures: bool = True,
        wrist: bool = False,
        shadows: bool = False,
        smooth_edges: bool = False,
        vary_looks: bool = True,
    ) -> None:
        """Prepares; :meth:`reset` begins.

        Args:
            split: where the scenes come from.
            execution: how actions become motion; directly if None.
            picture: width and height of both cameras' pictures [px].
            pictures: whether :meth:`reset` and :meth:`observe` draw at all.
            wrist: whether the wrist camera is drawn too.
            shadows: whether light casts shadows.
            smooth_edges: whether pictures are drawn with four samples a pixel.
            vary_looks: whether sizes, shades, light, surroundings and cameras differ between episodes.
        """
        self._split = split
        self._execution: Execution = DirectExecution() if execution is None else execution
        self._picture, self._pictures, self._wrist, self._shadows = picture, pictures, wrist, shadows
        self._vary_looks = vary_looks
        self._table_top = TableTop(0, (), smooth_edges)
        self._task: Task | None = None

    @property
    def table_top(self) -> TableTop:
        """The simulated world."""
        return self._table_top

    @property
    def execution(self) -> Execution:
        """How actions become motion."""
        return self._execution

    @property
    def scene(self) -> Scene:
        """What the table-top was built from."""
        return self._scene

    @property
    def things(self) -> Mapping[str, TableObject]:
        """The objects by their names."""
        return self._things

    @property
    def task(self) -> Task:
        """What is to be done.

        Raises:
            RuntimeError: before the first :meth:`reset`.
        """
        if self._task is None:
            raise RuntimeError("no episode has begun: reset first")
        return self._task

    @property
    def progress(self) -> Progress:
        """How the episode stands since the last step."""
        return self._progress

    @property
    def start_state(self) -> TableState:
        """The truth when the task was set."""
        return self._start

    @property
    def time_limit(self) -> float:
        """How long the episode lasts at most [s]."""
        return VERBS[self.task.verb].time_limit if self.task.is_possible(self._things) else REST_TIME

    def reset(
        self, seed: int, verb: str | None = None, *, absent: bool = False, drawn: tuple[Scene, Task] | None = None
    ) -> Observation:
        """Begins an episode.

        Args:
            seed: decides scene and task, see :func:`~instructvla_ros.sim.task_sampling.sample_task`.
            verb: of the task; drawn if None.
            absent: whether the task speaks of something that is not on the table.
            drawn: scene and task to take instead of drawing them.

        Returns:
            what is seen at first.
        """
        if drawn is None:
            drawn = sample_task(seed, self._split, verb, absent, self._vary_looks)
        self._scene, task = drawn
        self._things = self._scene.things
        self._table_top.rebuild(self._scene.objects, self._scene.looks)
        self._table_top.reset(layout=self._scene.layout)
        self._execution.start(self._table_top)
        self._begun = self._table_top.time
        self.set_task(task)
        return self.observe()

    def set_task(self, task: Task) -> None:
        """Sets a task in the world as it is now; its time begins."""
        self._task = task
        self._begun = self._table_top.time
        self._start = self.state()
        self._progress = Progress(False, not task.is_possible(self._things), False)

    def state(self) -> TableState:
        """The truth now; a policy must not see it."""
        table_top = self._table_top
        return TableState(
            time=table_top.time - self._begun,
            gripper=table_top.gripper_pose(),
            opening=GRIPPER.opening(table_top.finger_position()),
            objects=table_top.object_poses(),
            touched=table_top.touched_objects(),
        )

    def observe(self) -> Observation:
        """What is seen now."""
        table_top = self._table_top
        opening = GRIPPER.opening(table_top.finger_position())
        snapshot = table_top.snapshot()
        width, height = self._picture

        def draw(camera: str) -> np.ndarray:
            return table_top.render(camera, width, height, snapshot, self._shadows)

        return Observation(
            time=table_top.time - self._begun,
            proprioception=bridge_proprioception(table_top.gripper_pose(), opening),
            opening=opening,
            front=draw("front") if self._pictures else None,
            wrist=draw("wrist") if self._pictures and self._wrist else None,
        )

    def step(self, actions: np.ndarray, steps: int = 1) -> Progress:
        """Lets the arm act.

        Args:
            actions: ``(7,)`` one action, or ``(H, 7)`` a chunk: translations [m], rotation vectors [rad], both in
                base_link's axes, gripper openings 0 to 1.
            steps: how many actions of the chunk are executed; 0.2 s pass for each.

        Raises:
            ValueError: wrong shape, values that are not finite, or more steps than actions.
            RuntimeError: before the first :meth:`reset`.
        """
        chunk = np.atleast_2d(np.asarray(actions, dtype=np.float64))
        if chunk.ndim != 2 or chunk.shape[1] != ACTION_SIZE or not np.isfinite(chunk).all():
            raise ValueError(f"actions must be finite and of shape (7,) or (H, 7), got {np.shape(actions)}: {actions}")
        if not 1 <= steps <= len(chunk):
            raise ValueError(f"{steps} steps cannot be executed of a chunk of {len(chunk)}")
        task = self.task
        self._execution.run(chunk, steps)
        now = self.state()
        done = succeeded(task, self._start, now, self._things)
        time_is_up = now.time > self.time_limit - 0.5 * CONTROL_PERIOD
        if task.is_possible(self._things):
            self._progress = Progress(done, self._progress.ever or done, done or time_is_up)
        else:
            still = self._progress.ever and rested(self._start, now)
            self._progress = Progress(still, still, time_is_up)
        return self._progress

    def close(self) -> None:
        """Frees the calling thread's OpenGL context."""
        self._table_top.close_renderer()
