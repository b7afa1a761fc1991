# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A table-top built once a module, and a scripted hand that knows where everything lies."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.sim.arm_model import BASE_LINK, FINGER_OPEN, TIP_LINK, urdf
from instructvla_ros.sim.rendering import RenderingUnavailableError, choose_backend
from instructvla_ros.sim.table_top import TableTop

DOWNWARDS = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])


@pytest.fixture(scope="module")
def shared_table_top() -> Iterator[TableTop]:
    table_top = TableTop(0)
    yield table_top
    table_top.close_renderer()


@pytest.fixture()
def table_top(shared_table_top: TableTop) -> TableTop:
    shared_table_top.reset(0)
    return shared_table_top


@pytest.fixture(scope="session")
def chain() -> KinematicChain:
    return KinematicChain.from_urdf(urdf(), base=BASE_LINK, tip=TIP_LINK)


@pytest.fixture(scope="session")
def needs_rendering() -> None:
    try:
        choose_backend()
    except RenderingUnavailableError as error:
        pytest.skip(str(error))


class ScriptedHand:
    """Moves the gripper, fingers down, along straight lines at 0.15 m/s."""

    def __init__(self, table_top: TableTop, chain: KinematicChain) -> None:
        self._table_top = table_top
        self._chain = chain
        self._joints = table_top.joint_positions()

    def move_to(self, position: np.ndarray) -> None:
        start = self._chain.forward(self._joints)[:3, 3]
        steps = max(1, int(np.linalg.norm(position - start) / 0.15 / 0.02))
        for step in range(1, steps + 1):
            target = np.eye(4)
            target[:3, :3] = DOWNWARDS
            target[:3, 3] = start + (position - start) * step / steps
            solution = self._chain.inverse(target, self._joints)
            assert solution.converged, f"{target[:3, 3]} is out of reach"
            speed = (solution.positions - self._joints) / 0.02
            self._joints = solution.positions
            self._table_top.command_joints(self._joints, speed)
            self._table_top.step(0.02)
        self._table_top.command_joints(self._joints)
        self._table_top.step(0.2)

    def pick(self, name: str, lift: float) -> None:
        place = self._table_top.object_poses()[name][:3, 3].copy()
        self._table_top.command_gripper(FINGER_OPEN)
        self.move_to(place + [0.0, 0.0, 0.12])
        self.move_to(place)
        self._table_top.command_gripper(0.0)
        self._table_top.step(0.6)
        self.move_to(place + [0.0, 0.0, lift])


@pytest.fixture()
def scripted_hand(chain: KinematicChain) -> Callable[[TableTop], ScriptedHand]:
    return lambda table_top: ScriptedHand(table_top, chain)
