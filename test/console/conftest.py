# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A served console with a stand-in of the robot behind it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str) -> ModuleType:
    """A helper of this folder; the tests are imported without their folder on the path."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def stand_in() -> ModuleType:
    """The module with the stand-in of the robot."""
    return _load("stand_in")


class Console:
    """A console that is served on a free port.

    Attributes:
        address: of the page.
        token: what entitles to operate, if one is needed.
        robot: the stand-in behind it.
    """

    def __init__(self, stand_in: ModuleType, address: str, moves: bool, **settings: object) -> None:
        from instructvla_ros.console.access import AccessRules
        from instructvla_ros.console.server import ConsoleServer, ConsoleSettings
        from instructvla_ros.console.serving import ServerThread

        token = str(settings.pop("token", ""))
        self.board = stand_in.make_board()
        self.robot = stand_in.StandIn(self.board)
        self.rules = AccessRules.make(address, token)
        self.token = self.rules.token
        self.server = ConsoleServer(self.board, self.robot, self.rules, ConsoleSettings(**settings))
        self.thread = ServerThread(self.server, self.rules, 0)
        self.thread.start()
        self.address = self.thread.address
        self._moves = moves
        if moves:
            self.robot.start(self.server.put_frame)

    def close(self) -> None:
        if self._moves:
            self.robot.end()
        self.thread.stop()


@pytest.fixture
def serve(stand_in: ModuleType) -> Iterator[Callable[..., Console]]:
    """Makes a console; ``moves=False`` leaves the stand-in's own thread out."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: run by make test")
    consoles = []

    def make(address: str = "127.0.0.1", moves: bool = True, **settings: object) -> Console:
        consoles.append(Console(stand_in, address, moves, **settings))
        return consoles[-1]

    yield make
    for console in consoles:
        console.close()
