# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A served console with a stand-in of the robot behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bench.support import stand_in_console


class Console:
    """A console that is served on a free port.

    Attributes:
        address: of the page.
        token: what entitles to operate, if one is needed.
        robot: the stand-in behind it.
    """

    def __init__(self, address: str, moves: bool, **settings: object) -> None:
        from instructvla_ros.console.access import AccessRules
        from instructvla_ros.console.server import ConsoleServer, ConsoleSettings
        from instructvla_ros.console.serving import ServerThread

        token = str(settings.pop("token", ""))
        self.board = stand_in_console.make_board()
        self.robot = stand_in_console.StandIn(self.board)
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
def serve() -> Iterator[Callable[..., Console]]:
    """Makes a console; ``moves=False`` leaves the stand-in's own thread out."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: run by make test")
    consoles = []

    def make(address: str = "127.0.0.1", moves: bool = True, **settings: object) -> Console:
        consoles.append(Console(address, moves, **settings))
        return consoles[-1]

    yield make
    for console in consoles:
        console.close()
