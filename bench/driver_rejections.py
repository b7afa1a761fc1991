#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How often a driver refuses or rejects what the filter sends, under random policy output, in simulated time.

    python bench/driver_rejections.py [--minutes 10] [--robots fr3 panda] [--seed 0]

The drivers are stand-ins (bench/support/stand_in_drivers.py) that look at every setpoint at 1000 Hz with libfranka's
limits on velocity, acceleration and jerk; the way from the filter's tick to the driver takes 0.5 to 9.5 ms at random.
Exit code 1 if anything was refused or rejected, or the filter faulted.
"""

import argparse
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from bench.support.arm_urdfs import ARMS  # noqa: E402
from bench.support.driven_arm import Conditions, DrivenArm  # noqa: E402
from bench.support.hardware import hardware  # noqa: E402
from instructvla_ros.safety import SafetyState  # noqa: E402


def main() -> int:
    """Drive each robot for so many minutes of its own time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of simulated time, for each robot")
    parser.add_argument("--robots", nargs="+", choices=sorted(ARMS), default=["fr3", "panda"])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(hardware(), flush=True)
    failed = False
    for name in arguments.robots:
        arm = DrivenArm(name, Conditions(late=(0.0005, 0.0095), shuffled=True), arguments.seed)
        begin = time.monotonic()
        for _ in range(max(round(arguments.minutes * 6.0), 1)):
            arm.run(10.0)
        faults = arm.states.get(SafetyState.FAULT, "")
        line = f"{name}: {arm.now - 100.0:.0f} s simulated in {time.monotonic() - begin:.0f} s, refused {arm.refused}"
        if arm.check is not None:
            used = " ".join(f"{share:.2f}" for share in arm.check.worst)
            line += (
                f", rejections {len(arm.check.rejections)} of {arm.check.count} setpoints, highest use of velocity, "
                f"acceleration, jerk limits {used}"
            )
            failed |= bool(arm.check.rejections)
        print(line + (f", FAULT: {faults}" if faults else ""), flush=True)
        failed |= bool(arm.refused or faults)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
