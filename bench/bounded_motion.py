#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ways to find the joint velocities that come closest to a twist within bounds: time, broken bounds, and what is lost.

    python bench/bounded_motion.py [--count 5000] [--warm-up 200]

Random configurations of the six-joint arm, twists at the speed limits, joint speeds bounded, and one to three rooms
that may shrink only slowly. A quadratic program (daqp) finds the optimum; damped least squares knows no bounds, so its
answer is either clipped joint by joint, or scaled as a whole, or solved again with the violated bounds as equations.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from daqp import solve

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.support.hardware import hardware  # noqa: E402
from bench.support.rig import READY  # noqa: E402
from instructvla_ros.robot.kinematics import KinematicChain  # noqa: E402
from instructvla_ros.safety.motion import inverse_jacobian  # noqa: E402

_REGULAR = 1e-5
Problem = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # jacobian, twist, speeds, rows, allowed


def quadratic_program(problem: Problem) -> np.ndarray:
    """The optimum, by daqp."""
    jacobian, twist, speeds, rows, allowed = problem
    hessian = jacobian.T @ jacobian + _REGULAR * np.eye(jacobian.shape[1])
    upper = np.concatenate((speeds, allowed))
    lower = np.concatenate((-speeds, np.full(len(rows), -1e30)))
    rates, _, flag, _ = solve(hessian, -jacobian.T @ twist, rows, upper, lower, np.zeros(len(upper), dtype=np.int32))
    return np.asarray(rates) if flag > 0 else np.zeros(jacobian.shape[1])


def clipped(problem: Problem) -> np.ndarray:
    """Damped least squares, each joint clipped; rooms are not looked at."""
    jacobian, twist, speeds, _, _ = problem
    return np.clip(inverse_jacobian(jacobian) @ twist, -speeds, speeds)


def scaled(problem: Problem) -> np.ndarray:
    """Damped least squares, scaled as a whole until every bound holds."""
    jacobian, twist, speeds, rows, allowed = problem
    rates = inverse_jacobian(jacobian) @ twist
    shrinking = rows @ rates
    share = min(1.0, float(np.min(speeds / np.maximum(np.abs(rates), 1e-12))))
    over = shrinking > allowed
    if over.any():
        share = min(share, float(np.min(allowed[over] / shrinking[over])))
    return share * rates


def equations(problem: Problem) -> np.ndarray:
    """Least squares with violated bounds held as equations, added one after the other, four at most."""
    jacobian, twist, speeds, rows, allowed = problem
    joints = jacobian.shape[1]
    bounds = np.concatenate((np.eye(joints), -np.eye(joints), rows))
    limits = np.concatenate((speeds, speeds, allowed))
    hessian = jacobian.T @ jacobian + _REGULAR * np.eye(joints)
    held: list[int] = []
    rates = np.linalg.solve(hessian, jacobian.T @ twist)
    for _ in range(4):
        over = bounds @ rates - limits
        over[held] = -1.0
        if over.max() <= 1e-9:
            break
        held.append(int(over.argmax()))
        active = bounds[held]
        matrix = np.block([[hessian, active.T], [active, np.zeros((len(held), len(held)))]])
        right = np.concatenate((jacobian.T @ twist, limits[held]))
        rates = np.linalg.lstsq(matrix, right, rcond=None)[0][:joints]
    return rates


WAYS: dict[str, Callable[[Problem], np.ndarray]] = {
    "quadratic program (daqp)": quadratic_program,
    "least squares, clipped": clipped,
    "least squares, scaled": scaled,
    "least squares, equations added": equations,
}


def _problems(count: int) -> list[Problem]:
    urdf = (REPOSITORY / "test" / "robot" / "six_joint_arm.urdf").read_text(encoding="utf-8")
    chain = KinematicChain.from_urdf(urdf, "base_link", "gripper_link")
    random = np.random.default_rng(0)
    problems = []
    for _ in range(count):
        jacobian = chain.jacobian(READY + random.uniform(-0.6, 0.6, 6))
        direction, turn = random.normal(size=3), random.normal(size=3)
        twist = np.concatenate((0.25 * direction / np.linalg.norm(direction), 0.5 * turn / np.linalg.norm(turn)))
        rows = random.normal(size=(int(random.integers(1, 4)), 3)) @ jacobian[:3]
        allowed = random.uniform(0.0, 0.05, len(rows))
        problems.append((jacobian, twist, np.full(6, 1.2), np.ascontiguousarray(rows), allowed))
    return problems


def main() -> None:
    """Prints one line a way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--warm-up", type=int, default=200)
    arguments = parser.parse_args()
    problems = _problems(arguments.warm_up + arguments.count)
    print(f"{hardware()}; {arguments.count} problems after {arguments.warm_up} to warm up")
    print(f"{'':32s} p50 [us]  p99 [us]   bounds broken   error, all together, over the optimum's")
    best = np.array([_error(problem, quadratic_program(problem)) for problem in problems])
    for name, way in WAYS.items():
        took, broken, errors = [], 0, []
        for index, problem in enumerate(problems):
            begin = time.perf_counter_ns()
            rates = way(problem)
            if index < arguments.warm_up:
                continue
            took.append(1e-3 * (time.perf_counter_ns() - begin))
            broken += _breaks(problem, rates)
            errors.append(_error(problem, rates))
        p50, p99 = np.percentile(took, [50, 99])
        excess = np.sum(errors) / best[arguments.warm_up :].sum()
        print(f"{name:32s} {p50:8.1f} {p99:9.1f} {broken / arguments.count:14.1%} {excess:14.2f}")


def _breaks(problem: Problem, rates: np.ndarray) -> bool:
    _, _, speeds, rows, allowed = problem
    return bool((np.abs(rates) > speeds + 1e-6).any() or (rows @ rates > allowed + 1e-6).any())


def _error(problem: Problem, rates: np.ndarray) -> float:
    return float(np.linalg.norm(problem[0] @ rates - problem[1]))


if __name__ == "__main__":
    main()
