# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The safety filter: from action chunks to arm commands that keep the limits, stepped at a fixed rate.

Everything rests on one rule: a trajectory is sent only if all of it, the braking at its end included, has been checked,
and whenever nothing new passes the check, what is left of the trajectory sent last is sent again. Braking is therefore
never planned when it is needed; it is the part of the last plan that has not happened yet. The same holds if the filter
is late or dies.
"""

import math
from collections.abc import Sequence

import numpy as np

from instructvla_ros.robot.action_chunk import ActionChunk, DeltaReference
from instructvla_ros.robot.gripper import GripperMapping
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.trajectory import JointTrajectory
from instructvla_ros.safety.braking import hold, rest_of
from instructvla_ros.safety.chunk_gate import ChunkGate
from instructvla_ros.safety.gripper_ramp import GripperRamp
from instructvla_ros.safety.joint_bounds import JointBounds
from instructvla_ros.safety.limits import LimitsError, SafetyLimits
from instructvla_ros.safety.measurement import Measurement
from instructvla_ros.safety.motion import ArmNow
from instructvla_ros.safety.motion_planner import MotionPlanner
from instructvla_ros.safety.path import CommandedPath
from instructvla_ros.safety.path_clock import PathClock
from instructvla_ros.safety.report import Intervention, SafetyCommand, SafetyReport, SafetyState, Stops
from instructvla_ros.safety.room_limits import ROOM_LIMITS
from instructvla_ros.safety.rooms import Configurations, RoomSet
from instructvla_ros.safety.speed_limits.gripper_speed import AIM
from instructvla_ros.safety.stop_latch import StopLatch
from instructvla_ros.safety.trajectory_check import TrajectoryCheck


class SafetyFilter:
    """Steps from inputs to the next command. It has no clock of its own, and nothing in it grows.

    Args:
        limits: the limits in force.
        chain: the arm, from base frame to the gripper point.
        base_frame: name of the frame that chunks must be expressed in.
        period: time between steps [s].
        gripper: tells the gripper's opening from the joint states, so that its first motion is rate limited too.

    Raises:
        LimitsError: the limits do not fit the chain or the period.
    """

    def __init__(
        self,
        limits: SafetyLimits,
        chain: KinematicChain,
        base_frame: str,
        *,
        period: float = 0.01,
        gripper: GripperMapping | None = None,
    ) -> None:
        limits.check_against(chain)
        if not 0.0 < period <= 0.5 * limits.horizon:
            raise LimitsError(f"horizon: {limits.horizon} s leaves no time to brake with a step every {period} s")
        self._limits = limits
        self._chain = chain
        self._period = period
        self._gripper_mapping = gripper
        self._rooms = RoomSet(ROOM_LIMITS, limits, chain)
        self.bounds = JointBounds.of(limits, chain, period)
        """What the joints may do, the speeds in force among it."""
        self._check = TrajectoryCheck(limits, chain, self._rooms, self.bounds)
        self._planner = MotionPlanner(limits, chain, self._rooms, self.bounds, self._check, period)
        self._path = CommandedPath(
            (limits.path_lag_translation, limits.path_lag_rotation),
            (AIM * limits.translation_speed, AIM * limits.rotation_speed),
        )
        self._clock = PathClock(limits.chunk_age)
        self._gate = ChunkGate(limits, base_frame)
        self._latch = StopLatch()
        self._measurement = Measurement(limits, chain.joint_names)
        self._gripper = GripperRamp(limits.gripper_speed)
        self._plan: JointTrajectory | None = None
        self._plan_start = 0.0
        self._last_step: float | None = None
        self._resting_reason = "waiting for an action chunk"
        self._followed = (0, 0)

    def step(
        self,
        now: float,
        joint_state: JointState | None,
        chunks: Sequence[ActionChunk],
        stops: Stops,
        speed_scale: float = 1.0,
    ) -> tuple[SafetyCommand | None, SafetyReport]:
        """Decides what the arm is told now.

        Args:
            now: time on a monotonic clock [s]; all stamps are on the same clock.
            joint_state: the newest one, or None before the first.
            chunks: those that came since the last step, in the order of their coming.
            stops: stops and resets since the last step.
            speed_scale: factor on the asked speed and on all limits on speed, 0 to 1; anything else counts as 0. The
                time along chunks passes as much more slowly, so that the path keeps its shape. At 0 the arm comes to
                rest and waits.

        Returns:
            the command, None before the first usable joint state; and the report of what was decided and why.
        """
        interventions: list[Intervention] = []
        now, elapsed = self._advance_clock(now, interventions)
        speed_scale = speed_scale if 0.0 <= speed_scale <= 1.0 else 0.0
        self._clock.set(now, speed_scale)
        self._measurement.update(now, joint_state)
        if self._plan is None and self._measurement.positions is not None:
            self._start_at(self._measurement.positions, now)
        positions, velocities, accelerations = self._commanded(now)
        if self._update_latch(now, stops, positions, velocities, interventions):
            positions, velocities, accelerations = self._commanded(now)
        self._watch_inputs(now, interventions)
        if stops.released is not None and not self._latch.latched:
            self._release(stops.released, now, chunks, interventions)
            chunks = ()
        arm = self._arm(positions, velocities, accelerations) if chunks or self._path.chunk is not None else None
        for chunk in chunks:
            self._consider(chunk, now, arm, interventions)
        share = 0.0
        if arm is not None and self._path.chunk is not None:
            share = self._follow(now, arm, joint_state, speed_scale, interventions)
        moved = self._gripper.move(speed_scale * min(elapsed, self._limits.horizon))
        if moved is not None:
            interventions.append(moved)
        command = None
        if self._plan is not None:
            trajectory = rest_of(self._plan, now - self._plan_start, self._period)
            command = SafetyCommand(trajectory, self._gripper.opening)
        return command, self._report(now, velocities, share, interventions)

    def begin_again(self) -> None:
        """Takes the arm as it is measured at the next step, at rest, and forgets the chunk being followed.

        For a dry run, in which nobody executes the commands: else the command would jump.
        """
        self._plan = None
        self._path.drop()
        self._gripper = GripperRamp(self._limits.gripper_speed)

    def _release(
        self, why: Intervention, now: float, chunks: Sequence[ActionChunk], interventions: list[Intervention]
    ) -> None:
        """Brings the arm to rest without a latch."""
        if self._path.chunk is not None or chunks:
            interventions.append(why)
        self._gate.void_until(now, forget=False)
        self._gripper.doubt()
        self._let_run_out(why.message)

    def _advance_clock(self, now: float, interventions: list[Intervention]) -> tuple[float, float]:
        last = self._last_step
        if last is None and math.isfinite(now):
            self._last_step = now
            return now, 0.0
        if last is None or not math.isfinite(now) or now < last:
            step = math.nan if last is None else now - last
            interventions.append(
                self._latch.fault("clock", "", f"the clock went from {last} s to {now} s", step, 0.0, "s")
            )
            self._let_run_out("the clock broke")
            if math.isfinite(now):
                # The braking goes on by one period on the new clock.
                self._plan_start += now - ((last or 0.0) + self._period)
            else:
                now = (last or 0.0) + self._period
            self._last_step = now
            return now, self._period
        self._last_step = now
        if now - last > self._limits.horizon:
            message = f"no step for {now - last:.3f} s: the arm came to rest meanwhile"
            interventions.append(Intervention("clock", "", now - last, self._limits.horizon, "s", message))
        return now, now - last

    def _commanded(self, now: float) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
        """Joint positions, velocities and accelerations that the trajectory sent last has now."""
        if self._plan is None:
            return None, None, None
        return self._plan.state(max(now - self._plan_start, 0.0))

    def _start_at(self, positions: np.ndarray, now: float) -> None:
        self._plan = hold(self._chain.joint_names, positions.copy(), self._period)
        self._plan_start = now
        self._check.start_at(self._rooms.measure(Configurations.of(self._chain, positions[None]))[0])

    def _arm(
        self, positions: np.ndarray | None, velocities: np.ndarray | None, accelerations: np.ndarray | None
    ) -> ArmNow | None:
        if positions is None or velocities is None or accelerations is None:
            return None
        here, rooms, shrinking = self._rooms.around(positions)
        self._check.follow(rooms)
        return ArmNow(
            positions, velocities, accelerations, here.poses[0], here.jacobians[0], rooms, shrinking, self._period
        )

    def _update_latch(
        self,
        now: float,
        stops: Stops,
        positions: np.ndarray | None,
        velocities: np.ndarray | None,
        interventions: list[Intervention],
    ) -> bool:
        """Takes in stops and resets; tells whether the command was set anew on the measured positions."""
        set_anew = False
        obstacle = ""
        if velocities is not None and not self._at_rest(velocities):
            obstacle = "the arm is still braking"
        elif self._plan is not None and self._measurement.positions is None:
            obstacle = self._measurement.problem
        released, notes = self._latch.update(stops, obstacle)
        interventions.extend(notes)
        measured = self._measurement.positions
        parted, joint = self._parted(positions)
        if released:
            self._gate.void_until(now)
            self._gripper.doubt()
            self._resting_reason = "reset: waiting for an action chunk made from now on"
        elif parted > self._limits.tracking_tolerance and not self._latch.latched:
            allowed = self._limits.tracking_tolerance
            reason = f"{joint} is {parted:.3g} rad from where it was commanded, allowed {allowed:g} rad"
            interventions.append(self._latch.fault("tracking_tolerance", joint, reason, parted, allowed, "rad"))
        if self._latch.latched:
            self._let_run_out(self._latch.reason)
        if (released or self._latch.latched) and self._at_rest(velocities) and measured is not None:
            # An arm that is held or pushed away must not be pressed against what holds it until somebody resets.
            set_anew = parted > self._limits.tracking_tolerance
            if set_anew:
                self._start_at(measured, now)
        return set_anew

    @staticmethod
    def _at_rest(velocities: np.ndarray | None) -> bool:
        return velocities is not None and not velocities.any()

    def _parted(self, positions: np.ndarray | None) -> tuple[float, str]:
        if positions is None or self._measurement.positions is None:
            return 0.0, ""
        distances = np.abs(positions - self._measurement.positions)
        worst = int(np.argmax(distances))
        return float(distances[worst]), self._chain.joint_names[worst]

    def _watch_inputs(self, now: float, interventions: list[Intervention]) -> None:
        """Drops the chunk being followed where it, or the joint state, can no longer be relied on."""
        chunk = self._path.chunk
        if chunk is None:
            return
        age = now - chunk.stamp
        if self._measurement.positions is None:
            interventions.append(self._joint_state_problem(now))
            self._let_run_out(self._measurement.problem)
        elif age > self._limits.chunk_age:
            message = f"the observation behind the chunk is {age:.3f} s old, allowed {self._limits.chunk_age:g} s"
            interventions.append(
                Intervention("chunk_age", "action_chunk", age, self._limits.chunk_age, "s", message)
            )
            self._let_run_out(message)
        elif self._clock.at(now) > self._path.end + self._clock.scale * self._limits.horizon:
            self._path.drop()  # the gripper may finish what the last step asked for
            self._resting_reason = "the chunk ran out; waiting for the next"

    def _consider(
        self, chunk: ActionChunk, now: float, arm: ArmNow | None, interventions: list[Intervention]
    ) -> None:
        if self._latch.latched:
            message = f"chunk refused: {self._latch.reason}"
            interventions.append(Intervention(self._latch.limit, "action_chunk", math.nan, math.nan, "", message))
            return
        if arm is None or self._measurement.positions is None:
            interventions.append(self._joint_state_problem(now))
            return
        refusal = self._gate.judge(chunk, now)
        if refusal is not None:
            interventions.append(refusal.intervention)
            if refusal.malformed:
                self._let_run_out(refusal.intervention.message)
            return
        self._followed = (int(chunk.epoch), int(chunk.sequence))
        if len(chunk) == 0:
            self._let_run_out("the policy asks for rest")
            return
        start = None if self._path.chunk is not None else arm.pose
        if chunk.delta_reference == DeltaReference.MEASURED:
            start = self._chain.forward(self._measurement.positions)
        self._path.take(chunk, self._clock.at(chunk.stamp), start, self._clock.at(now))

    def _follow(
        self,
        now: float,
        arm: ArmNow,
        joint_state: JointState | None,
        speed_scale: float,
        interventions: list[Intervention],
    ) -> float:
        path_now = self._clock.at(now)
        clipped = self._gripper.ask(self._path.gripper(path_now), self._measured_opening(joint_state))
        if clipped is not None:
            interventions.append(clipped)
        try:
            planned = self._planner.plan(arm, self._path, path_now, speed_scale)
        except np.linalg.LinAlgError as error:
            reason = f"the joint velocities could not be computed: {error}"
            interventions.append(self._latch.fault("computation", "", reason, math.nan, math.nan, ""))
            self._let_run_out(reason)
            return 0.0
        interventions.extend(planned.interventions)
        if planned.trajectory is not None:
            self._plan = planned.trajectory.joint_trajectory(self._chain.joint_names)
            self._plan_start = now
        return planned.share

    def _measured_opening(self, joint_state: JointState | None) -> float | None:
        mapping = self._gripper_mapping
        if mapping is None or joint_state is None or mapping.joint not in joint_state.names:
            return None
        try:
            return mapping.opening(float(joint_state.positions[joint_state.names.index(mapping.joint)]))
        except ValueError:
            return None

    def _let_run_out(self, reason: str) -> None:
        """Follows nothing any more: the trajectory sent last comes to rest by itself, the gripper stays."""
        self._path.drop()
        self._gripper.rest()
        self._resting_reason = reason

    def _joint_state_problem(self, now: float) -> Intervention:
        return Intervention(
            "joint_state", "joint_states", now - self._measurement.stamp, self._limits.joint_state_age, "s",
            f"chunk not followed: {self._measurement.problem}",
        )

    def _report(
        self, now: float, velocities: np.ndarray | None, share: float, interventions: list[Intervention]
    ) -> SafetyReport:
        chunk = self._path.chunk
        in_motion = velocities is not None and bool(velocities.any())
        if self._latch.latched:
            stopped = SafetyState.STOPPING if in_motion else SafetyState.STOPPED
            state, reason = SafetyState.FAULT if self._latch.is_fault else stopped, self._latch.reason
        elif self._plan is None:
            state, reason = SafetyState.INACTIVE, self._measurement.problem
        elif chunk is not None:
            over = self._clock.at(now) >= self._path.end
            state, reason = SafetyState.MOVING, "finishing a chunk" if over else "following a chunk"
        elif in_motion:
            state, reason = SafetyState.MOVING, f"coming to rest: {self._resting_reason}"
        else:
            state, reason = SafetyState.HOLDING, self._measurement.problem or self._resting_reason
        return SafetyReport(
            state=state,
            reason=reason,
            epoch=self._followed[0],
            sequence=self._followed[1],
            path_speed=share,
            joint_state_age=now - self._measurement.stamp,
            chunk_age=math.nan if chunk is None else now - chunk.stamp,
            interventions=tuple(interventions),
        )
