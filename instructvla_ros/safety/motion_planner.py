# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One tick along the commanded path: as fast as asked where the limits let it, slower where not, aside only at last."""

from dataclasses import dataclass

import numpy as np

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.robot.poses import length
from instructvla_ros.robot.trajectory import JointTrajectory
from instructvla_ros.safety.braking import move_and_brake
from instructvla_ros.safety.limits import SafetyLimits
from instructvla_ros.safety.motion import FREE, ArmNow, Bound, Motion
from instructvla_ros.safety.path import CommandedPath
from instructvla_ros.safety.path_limits import PATH_LIMITS
from instructvla_ros.safety.path_limits.workspace import STANDOFF
from instructvla_ros.safety.report import Intervention
from instructvla_ros.safety.trajectory_check import TrajectoryCheck

# Below this share of the asked speed slowing down is as good as freezing: the limit may take a direction out instead.
_FREEZING = 0.1
# How often directions may be taken out of one motion.
_MOST_CLIPS = 4
# Shares of the planned speed that are tried until the exact check passes.
_TRIED_SHARES = (1.0, 0.8, 0.4, 0.05)
# A share this near to 1 is not worth a report.
_AS_ASKED = 0.999


@dataclass(frozen=True, eq=False)
class PlannedMotion:
    """What one tick came to.

    Attributes:
        trajectory: checked from end to end; None where nothing passed the check and the arm must go on braking.
        share: share of the asked speed.
        interventions: the limits that changed the motion.
    """

    trajectory: JointTrajectory | None
    share: float
    interventions: tuple[Intervention, ...]


class MotionPlanner:
    """Plans one tick after the other along a path.

    Args:
        limits: the limits in force.
        chain: the arm.
        check: the check that every trajectory must pass.
        period: time from one tick to the next [s].
    """

    def __init__(self, limits: SafetyLimits, chain: KinematicChain, check: TrajectoryCheck, period: float) -> None:
        self._joint_names = chain.joint_names
        self._check = check
        self._period = period
        self._path_limits = [limit(limits, chain, period) for limit in PATH_LIMITS]
        self._low = limits.workspace.lower + STANDOFF
        self._high = limits.workspace.upper - STANDOFF
        self._lag_limits = (limits.path_lag_translation, limits.path_lag_rotation)

    def plan(self, arm: ArmNow, path: CommandedPath, now: float) -> PlannedMotion:
        """Plans the motion from now to the next tick, and the braking after it.

        Args:
            arm: the commanded state.
            path: the path to follow; its pose is moved on by what was planned.
            now: time [s].
        """
        interventions: list[Intervention] = []
        asked, span = path.asked(now, now + self._period)
        lag = path.lag(arm.pose)
        lag_share, part = path.lag_share(asked, lag)
        if lag_share < _AS_ASKED:
            size = length(lag[3:] if part else lag[:3])
            subject, unit = ("rotation", "rad") if part else ("translation", "m")
            interventions.append(
                Intervention(
                    f"path_lag_{subject}", "gripper", size, 0.5 * self._lag_limits[part], unit,
                    f"the joints lag {size:.4g} {unit} behind the path: it advances at {lag_share:.0%}",
                )
            )
        reachable = lag_share * asked
        motion = Motion.towards(arm, reachable + path.catch_up(reachable, lag))
        motion, bound = self._bounded(motion, interventions)
        trajectory, share = self._first_that_passes(arm, motion, bound.share)
        self._report_check(bound.share, share, interventions)
        low, high = np.minimum(self._low, arm.pose[:3, 3]), np.maximum(self._high, arm.pose[:3, 3])
        path.advance(share * reachable, span, now + self._period, low, high)
        return PlannedMotion(trajectory, lag_share * share if asked.any() else 0.0, tuple(interventions))

    def _bounded(self, motion: Motion, interventions: list[Intervention]) -> tuple[Motion, Bound]:
        for clips in range(_MOST_CLIPS + 1):
            strictest, limit = FREE, None
            for candidate in self._path_limits:
                bound = candidate.bound(motion)
                if bound.share < strictest.share:
                    strictest, limit = bound, candidate
            if limit is None:
                break
            clipped = limit.clip(motion) if strictest.share < _FREEZING and clips < _MOST_CLIPS else None
            if clipped is not None or strictest.share < _AS_ASKED:
                interventions.append(_report(limit.name, strictest, clipped is not None))
            if clipped is None:
                break
            motion = clipped
        return motion, strictest

    def _first_that_passes(
        self, arm: ArmNow, motion: Motion, share: float
    ) -> tuple[JointTrajectory | None, float]:
        for tried in _TRIED_SHARES:
            change = tried * share * motion.rates - arm.velocities
            use = float(np.max(np.abs(change) / arm.accelerations)) / self._period
            velocities = arm.velocities + (change if use <= 1.0 else change / use)
            trajectory = move_and_brake(
                self._joint_names, arm.positions, arm.velocities, velocities, arm.accelerations, self._period
            )
            if self._check.passes(trajectory, arm):
                return trajectory, tried * share
        return None, 0.0

    def _report_check(self, planned: float, share: float, interventions: list[Intervention]) -> None:
        if share < planned * _AS_ASKED and planned > 0.0:
            interventions.append(
                Intervention(
                    "trajectory_check", "", planned, share, "",
                    f"the exact check allows {share:.0%} of the speed asked for where {planned:.0%} was planned",
                )
            )


def _report(limit: str, bound: Bound, clipped: bool) -> Intervention:
    what = f"{bound.subject} " if bound.subject else ""
    effect = "taken out of the motion" if clipped else f"the path is followed at {bound.share:.0%} of its speed"
    return Intervention(
        limit, bound.subject, bound.asked, bound.allowed, bound.unit,
        f"{what}asked {bound.asked:.4g} {bound.unit}, allowed {bound.allowed:.4g} {bound.unit}: {effect}",
    )
