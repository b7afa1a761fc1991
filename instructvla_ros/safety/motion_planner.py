# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One tick along the commanded path: as fast as asked where the limits let it, slower where not, aside only at last."""

from dataclasses import dataclass

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.poses import length
from instructvla_ros.safety.approach import FREEZING, Approach
from instructvla_ros.safety.braking import Braking, JerkTrajectory
from instructvla_ros.safety.joint_bounds import JointBounds
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.motion import ArmNow, Bound, Motion, inverse_jacobian
from instructvla_ros.safety.path import CommandedPath
from instructvla_ros.safety.report import Intervention
from instructvla_ros.safety.room_limits import WorkspaceLimit
from instructvla_ros.safety.rooms import RoomSet
from instructvla_ros.safety.speed_limits import SPEED_LIMITS
from instructvla_ros.safety.trajectory_check import TrajectoryCheck

# How often the motion may be turned along bounds: each time may bring it to another one.
_MOST_TURNS = 3
# Shares of the planned speed that are tried until the exact check passes.
_TRIED_SHARES = (1.0, 0.6, 0.2, 0.0)
# A share this near to 1 is not worth a report.
_AS_ASKED = 0.999
# Share of the gripper's acceleration limits that is planned with; the rest is for the bending of the path.
_PLANNED_ACCELERATION = 0.9
# A speed scale below this is none.
_STANDSTILL = 1e-6


@dataclass(frozen=True, eq=False)
class PlannedMotion:
    """What one tick came to.

    Attributes:
        trajectory: checked from end to end; None where nothing passed the check and the arm must go on braking.
        share: share of the asked speed.
        interventions: the limits that changed the motion.
    """

    trajectory: JerkTrajectory | None
    share: float
    interventions: tuple[Intervention, ...]


class MotionPlanner:
    """Plans one tick after the other along a path.

    Args:
        limits: the limits in force.
        chain: the arm.
        rooms: all rooms of the arm.
        bounds: of the joints.
        check: the check that every trajectory must pass.
        period: time from one tick to the next [s].
    """

    def __init__(
        self,
        limits: SafetyLimits,
        chain: KinematicChain,
        rooms: RoomSet,
        bounds: JointBounds,
        check: TrajectoryCheck,
        period: float,
    ) -> None:
        self._check = check
        self._bounds = bounds
        self._period = period
        self._gripper_accelerations = (
            _PLANNED_ACCELERATION * limits.translation_acceleration,
            _PLANNED_ACCELERATION * limits.rotation_acceleration,
        )
        self._braking = Braking(bounds.accelerations, bounds.jerks, *self._gripper_accelerations)
        self._approach = Approach(rooms, bounds, self._braking.ramp, self._gripper_accelerations)
        self._speed_limits = [limit(limits, bounds) for limit in SPEED_LIMITS]
        # What the arm travels on, per speed, while it slows down to the speed asked for.
        self._settling = 0.5 * self._braking.ramp + period
        self._low = limits.workspace.lower + WorkspaceLimit.standoff
        self._high = limits.workspace.upper - WorkspaceLimit.standoff
        self._lag_limits = (limits.path_lag_translation, limits.path_lag_rotation)
        self._lame = len(chain) < 6

    def plan(self, arm: ArmNow, path: CommandedPath, now: float, speed_scale: float = 1.0) -> PlannedMotion:
        """Plans the motion from now to the next tick, and the braking after it.

        Args:
            arm: the commanded state.
            path: the path to follow; its pose is moved on by what was planned.
            now: time of the path [s].
            speed_scale: seconds of the path in a second, and factor on all limits on speed, 0 to 1.
        """
        interventions: list[Intervention] = []
        ahead = now + speed_scale * self._period
        asked, span = path.asked(now, ahead)
        asked, span = speed_scale * asked, span / max(speed_scale, _STANDSTILL)
        inverse = inverse_jacobian(arm.jacobian)
        lag = path.lag(arm.pose)
        if self._lame:
            asked, lag = self._within_reach(arm, inverse, asked, lag, path)
        lag_share, part = path.lag_share(asked, lag)
        if lag_share < _AS_ASKED:
            interventions.append(self._report_lag(lag, lag_share, part))
        reachable = lag_share * asked
        excess = arm.jacobian @ arm.velocities - reachable
        twist = reachable + path.catch_up(reachable, lag - self._settling * excess)
        motion, bound, turned = self._bounded(Motion.of(arm, twist, inverse @ twist), speed_scale, interventions)
        trajectory, tried = self._first_that_passes(arm, motion, bound.share)
        if tried < 1.0 and bound.share > 0.0:
            interventions.append(
                Intervention(
                    "trajectory_check", "", bound.share, tried * bound.share, "",
                    f"the exact check allows {tried:.0%} of the speed that was planned",
                )
            )
        share = bound.share
        if share < 1.0 and not turned:  # catching up may wait without holding up the path
            share = self._strictest(Motion.of(arm, reachable, inverse @ reachable), speed_scale).share
        share *= tried
        low, high = np.minimum(self._low, arm.pose[:3, 3]), np.maximum(self._high, arm.pose[:3, 3])
        path.forget(lag, self._period)
        path.advance(asked, lag_share * share, span, ahead, low, high)
        return PlannedMotion(trajectory, lag_share * share if asked.any() else 0.0, tuple(interventions))

    @staticmethod
    def _within_reach(
        arm: ArmNow, inverse: np.ndarray, asked: np.ndarray, lag: np.ndarray, path: CommandedPath
    ) -> tuple[np.ndarray, np.ndarray]:
        """What an arm of fewer than six joints can make of a twist and of a lag; the path gives up the rest."""
        possible = arm.jacobian @ inverse  # (6, 6)
        within = possible @ lag
        path.give_up(lag - within)
        return possible @ asked, within

    def _bounded(
        self, motion: Motion, speed_scale: float, interventions: list[Intervention]
    ) -> tuple[Motion, Bound, bool]:
        """Turns a motion along the bounds it would freeze at; says what share of it is allowed, and if it turned."""
        for turns in range(_MOST_TURNS + 1):
            shares = self._approach.shares(motion)
            room = self._approach.bound(motion, shares)
            along = None
            if room.share < FREEZING and turns < _MOST_TURNS:
                along = self._approach.along(motion, shares)
            if along is None:
                break
            interventions.append(_report(room, turned=True))
            motion = along
        strictest = self._strictest(motion, speed_scale, room)
        if strictest.share < _AS_ASKED:
            interventions.append(_report(strictest, turned=False))
        return motion, strictest, turns > 0

    def _strictest(self, motion: Motion, speed_scale: float, room: Bound | None = None) -> Bound:
        if room is None:
            room = self._approach.bound(motion, self._approach.shares(motion))
        bounds = [room, *(limit.bound(motion, speed_scale) for limit in self._speed_limits)]
        return min(bounds, key=lambda bound: bound.share)

    def _first_that_passes(self, arm: ArmNow, motion: Motion, share: float) -> tuple[JerkTrajectory | None, float]:
        """A trajectory that passes the check, and at which share of the speed planned."""
        for tried in _TRIED_SHARES:
            trajectory = self._braking.plan(
                arm.positions,
                arm.velocities,
                arm.accelerations,
                self._next_accelerations(arm, tried * share * motion.rates),
                arm.jacobian,
                self._period,
            )
            if trajectory is not None and self._check.passes(trajectory, arm):
                return trajectory, tried
        return None, 0.0

    def _next_accelerations(self, arm: ArmNow, velocities: np.ndarray) -> np.ndarray:
        """Accelerations ``(n,)`` a period from now that lead to velocities ``(n,)`` soon and without overshoot.

        A joint that speeds up with ``a`` gains another ``a^2 / 2 j + a period / 2`` while it ramps that down again, and
        ``period (a_now + a) / 2`` before; the largest ``a`` that leaves the asked velocity unexceeded solves a
        quadratic equation. All joints keep to the direction of the change, the strictest deciding.
        """
        period, jerks = self._period, self._bounds.jerks
        ahead = velocities - arm.velocities - 0.5 * period * arm.accelerations  # (n,)
        sizes = np.maximum(np.abs(ahead), 1e-12)
        usable = np.minimum(
            jerks * (np.sqrt(period * period + 2.0 * sizes / jerks) - period), self._bounds.accelerations
        )
        gain = float(np.min(usable / sizes))
        tip = arm.jacobian @ ahead
        for part, highest in zip((slice(0, 3), slice(3, 6)), self._gripper_accelerations, strict=True):
            gained = gain * length(tip[part])
            if gained > highest:
                gain *= highest / gained
        change = gain * ahead - arm.accelerations
        use = float(np.max(np.abs(change) / jerks)) / period
        return arm.accelerations + (change if use <= 1.0 else change / use)

    def _report_lag(self, lag: np.ndarray, share: float, part: int) -> Intervention:
        size = length(lag[3:] if part else lag[:3])
        subject, unit = ("rotation", "rad") if part else ("translation", "m")
        return Intervention(
            f"path_lag_{subject}", "gripper", size, 0.5 * self._lag_limits[part], unit,
            f"the joints lag {size:.4g} {unit} behind the path: it advances at {share:.0%}",
        )


def _report(bound: Bound, turned: bool) -> Intervention:
    what = f"{bound.subject} " if bound.subject else ""
    effect = f"the path is followed at {bound.share:.0%} of its speed"
    if turned:
        effect = "what leads there is taken out of the motion"
    return Intervention(
        bound.limit, bound.subject, bound.asked, bound.allowed, bound.unit,
        f"{what}asked {bound.asked:.4g} {bound.unit}, allowed {bound.allowed:.4g} {bound.unit}: {effect}",
    )
