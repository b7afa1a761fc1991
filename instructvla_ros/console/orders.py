# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What comes of a viewer's request: by its right, by who operates, by the state of the arm."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from instructvla_ros.console.access import Right
from instructvla_ros.console.board import Board
from instructvla_ros.console.control import ControlDesk
from instructvla_ros.console.requests import Request, means_stop
from instructvla_ros.console.robot_side import Outcome, RobotSide
from instructvla_ros.console.viewer import Viewer

_ONLY_LOOK = Outcome(False, "you may only look: this needs the token")
_ENDING = 0.5  # [s] for what is being done when the console ends
_LOGGER = logging.getLogger(__name__)


class Orders:
    """Takes requests, and answers each once it is done. Belongs to the server's event loop.

    Args:
        board: tells the state of the arm, and shows what was asked for.
        robot: who does it.
        desk: who operates.
        on_control: called when somebody else operates from now on.
    """

    def __init__(self, board: Board, robot: RobotSide, desk: ControlDesk, on_control: Callable[[], None]) -> None:
        self._board, self._robot, self._desk, self._on_control = board, robot, desk, on_control
        self._tasks: set[asyncio.Task[None]] = set()

    async def end(self) -> None:
        """Give what is being done a moment, and give up the rest."""
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=_ENDING)
            for task in left:
                task.cancel()

    def answer(self, viewer: Viewer, number: int | None, outcome: Outcome) -> None:
        """Tell a viewer what came of its request of this number."""
        viewer.tell({"answer": {"number": number, "success": outcome.success, "message": outcome.message}})

    def stop_for(self, why: str) -> None:
        """Stop the arm, by nobody's request."""
        self._start(self._quietly(self._stop(why)))

    def obey(self, viewer: Viewer, request: Request) -> None:
        """Begin what a viewer asks for; never waits."""
        if request.name == "stop" or (request.name == "instruct" and means_stop(request.text("text"))):
            # not only the operator's: whoever sees that something goes wrong must not have to ask for control first
            if viewer.right < Right.STOP:
                self.answer(viewer, request.number, _ONLY_LOOK)
            else:
                self._start(self._do(viewer, request.number, self._stop(f"asked for by {viewer.name}")))
        elif viewer.right < Right.OPERATE:
            self.answer(viewer, request.number, _ONLY_LOOK)
        elif request.name == "take":
            taken = self._desk.take(viewer.number, over=request.values["over"] is True)
            self.answer(viewer, request.number, Outcome(taken, "you operate" if taken else "another viewer operates"))
            self._on_control()
        elif request.name == "hand_over":
            self._desk.hand_over(viewer.number)
            self.answer(viewer, request.number, Outcome(True, "control is free"))
            self._on_control()
        else:
            self._operate(viewer, request)

    def _operate(self, viewer: Viewer, request: Request) -> None:
        """What only the operator does; whoever is entitled becomes it by doing it, where nobody is."""
        free = self._desk.operator is None
        if not self._desk.take(viewer.number):
            self.answer(viewer, request.number, Outcome(False, "another viewer operates: take control first"))
            return
        if free:
            self._on_control()
        if viewer.busy:
            self.answer(viewer, request.number, Outcome(False, "what you asked for before is not done yet"))
            return
        works: dict[str, Callable[[], Coroutine[Any, Any, Outcome]]] = {
            "instruct": lambda: self._instruct(request.text("text")),
            "ask": lambda: self._ask(request.text("text")),
            "reset": self._robot.reset,
            "speed": lambda: self._robot.set_speed_scale(request.share),
            "act": lambda: self._robot.act(request.text("action")),
        }
        # an answer takes the model seconds, in which the operator goes on
        occupies = request.name != "ask"
        viewer.busy = occupies
        self._start(self._do(viewer, request.number, works[request.name](), occupies))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(
        self, viewer: Viewer, number: int | None, work: Coroutine[Any, Any, Outcome], occupies: bool = False
    ) -> None:
        try:
            outcome = await work
        except Exception as error:
            _LOGGER.exception("a request of %s failed", viewer.name)
            outcome = Outcome(False, f"this failed: {error}")
        finally:
            if occupies:
                viewer.busy = False
        self.answer(viewer, number, outcome)

    async def _quietly(self, work: Coroutine[Any, Any, Outcome]) -> None:
        outcome = await work
        if not outcome.success:
            _LOGGER.error("%s", outcome.message)

    async def _stop(self, why: str) -> Outcome:
        outcome = await self._robot.stop()
        self._board.tell(f"stop {why}" if outcome.success else f"stop {why}: {outcome.message}", "bad")
        return outcome

    async def _instruct(self, text: str) -> Outcome:
        if self._board.latched and text:
            return Outcome(False, f'the arm is stopped: reset first; "{text}" was not sent')
        self._robot.instruct(text)
        return Outcome(True, f'"{text}" was sent' if text else "the instruction is cleared")

    async def _ask(self, text: str) -> Outcome:
        if not text:
            return Outcome(False, "the question is empty")
        if self._board.asking:
            return Outcome(False, "the model still thinks about the question before")
        exchange = self._board.ask(text)
        outcome = Outcome(False, "the question was given up")
        try:
            outcome = await self._robot.ask(text)
        finally:
            exchange.answer, exchange.success, exchange.pending = outcome.message, outcome.success, False
        return outcome
