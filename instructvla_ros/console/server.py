# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The web server of the console: one page and one websocket a viewer.

A viewer is sent the state ten times a second and frames as they come, see ``outbox``. What a viewer sends is checked by
``requests``, and ``orders`` decides by its right and by who operates what comes of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instructvla_ros.console.access import AccessRules, Right
from instructvla_ros.console.board import Board
from instructvla_ros.console.control import ControlDesk
from instructvla_ros.console.orders import Orders
from instructvla_ros.console.outbox import Frame, Outbox
from instructvla_ros.console.requests import LONGEST_MESSAGE, Request, RequestError, parse
from instructvla_ros.console.robot_side import Outcome, RobotSide
from instructvla_ros.console.viewer import Viewer

try:
    from aiohttp import WSMsgType, web
except ImportError as error:
    raise ImportError(
        "aiohttp is missing, which the operator console is served by: `apt install python3-aiohttp`, or "
        "`pip install aiohttp` (make setup does it)"
    ) from error

PAGE = Path(__file__).parent / "page"
STATE_PERIOD = 0.1  # [s]
HELLO_TIMEOUT = 5.0  # [s] a page says hello at once
DEAF = 20.0  # [s] a viewer that takes in nothing for so long is let go
MOST_LOOKING = 24  # who may only look never takes the place of who may stop or operate
MOST_SOCKETS = 128
MOST_BAD_MESSAGES = 20
WRONG_TOKEN_PAUSE = 1.0  # [s]
CLOSE_TIMEOUT = 1.0  # [s]
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConsoleSettings:
    """How the console behaves.

    Attributes:
        stop_on_disconnect: whether the arm is stopped when the operator's connection is lost.
        connection_timeout: how long the operator's page may be silent before its connection counts as lost [s].
    """

    stop_on_disconnect: bool = False
    connection_timeout: float = 1.5


class ConsoleServer:
    """Serves the page and speaks with its viewers. All but :meth:`put_frame` belongs to its event loop.

    Args:
        board: what is shown.
        robot: what is asked of.
        rules: who may do what.
        settings: see there.
    """

    def __init__(
        self, board: Board, robot: RobotSide, rules: AccessRules, settings: ConsoleSettings | None = None
    ) -> None:
        self._board, self._robot, self._rules = board, robot, rules
        self._settings = settings or ConsoleSettings()
        self._desk = ControlDesk()
        self._orders = Orders(board, robot, self._desk, self._tell_rights)
        self._viewers: dict[int, Viewer] = {}
        self._next_viewer = 1
        self._frame_numbers = dict.fromkeys((camera.name for camera in board.cameras), 0)
        self._state_number = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._sockets: set[Any] = set()
        # read once: what is served does not change under a viewer, and no path of a request reaches the disk
        self._files = {path.name: (path.read_bytes(), _TYPES[path.suffix]) for path in PAGE.iterdir() if path.is_file()}

    # ---- life

    def make_app(self) -> web.Application:
        """The application, to be run by aiohttp."""
        app = web.Application(middlewares=[self._guard], client_max_size=1024)
        app.router.add_get("/", self._on_page)
        app.router.add_get("/socket", self._on_socket)
        app.router.add_get("/{name}", self._on_page)
        app.on_startup.append(self._on_startup)
        app.on_shutdown.append(self._on_shutdown)
        return app

    async def _on_startup(self, _: web.Application) -> None:
        self._loop = asyncio.get_running_loop()
        self._ticking = asyncio.create_task(self._tick_forever())

    async def _on_shutdown(self, _: web.Application) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        for socket in list(self._sockets):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(socket.close(code=1001, message=b"the console ends"), CLOSE_TIMEOUT)
        await self._orders.end()
        self._robot.watch(False, frozenset())

    def put_frame(self, camera: str, stamp: float, jpeg: bytes) -> None:
        """A new picture, encoded once for all viewers; from any thread.

        Args:
            camera: name of a camera of the board.
            stamp: when it was taken, on the board's clock [s].
            jpeg: the picture.
        """
        self._frame_numbers[camera] += 1
        frame = Frame(camera, self._frame_numbers[camera], stamp, jpeg)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._spread, frame)

    def _spread(self, frame: Frame) -> None:
        for viewer in self._viewers.values():
            viewer.outbox.offer_frame(frame)
            viewer.wake.set()

    # ---- requests

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        refusal = self._rules.refusal(request.headers.get("Host"), request.headers.get("Origin"))
        if refusal:
            _LOGGER.warning("request from %s refused: %s", request.remote, refusal)
            return web.Response(status=403, text=f"{refusal}\n", headers=_HEADERS)
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as failure:
            failure.headers.update(_HEADERS)
            raise
        return response

    async def _on_page(self, request: web.Request) -> web.Response:
        found = self._files.get(request.match_info.get("name") or "index.html")
        if found is None:
            raise web.HTTPNotFound(text="there is no such page\n")
        content, kind = found
        return web.Response(body=content, content_type=kind, charset="utf-8", headers=_HEADERS)

    async def _on_socket(self, request: web.Request) -> web.StreamResponse:
        if len(self._sockets) >= MOST_SOCKETS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_SOCKETS} connections are open already\n")
        socket = web.WebSocketResponse(max_msg_size=LONGEST_MESSAGE, timeout=CLOSE_TIMEOUT, compress=False)
        await socket.prepare(request)
        self._sockets.add(socket)
        viewer = None
        try:
            viewer = await self._welcome(request, socket)
            if viewer is not None:
                await self._serve(viewer, socket)
        finally:
            self._sockets.discard(socket)
            if viewer is not None:
                self._farewell(viewer)
        return socket

    async def _welcome(self, request: web.Request, socket: web.WebSocketResponse) -> Viewer | None:
        """Wait for hello, and say what the viewer may do."""
        try:
            message = await socket.receive(HELLO_TIMEOUT)
            hello = parse(message.data) if message.type in (WSMsgType.TEXT, WSMsgType.BINARY) else None
        except (asyncio.TimeoutError, RequestError):
            hello = None
        if hello is None or hello.name != "hello":
            await socket.close(code=1008, message=b"say hello first")
            return None
        forwarded = any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP"))
        token = hello.text("token")
        right = self._rules.right(request.remote, forwarded, token)
        wrong = bool(token) and right is not Right.OPERATE
        if wrong:
            _LOGGER.warning("a viewer from %s has shown a wrong token", request.remote)
            await asyncio.sleep(WRONG_TOKEN_PAUSE)
        looking = sum(viewer.right is Right.LOOK for viewer in self._viewers.values())
        if right is Right.LOOK and looking >= MOST_LOOKING:
            await socket.close(code=1013, message=b"too many look on already")
            return None
        transport = request.transport
        outbox = Outbox(tuple(camera.name for camera in self._board.cameras), self._board.now, self._board.monotonic)
        viewer = Viewer(
            self._next_viewer,
            request.remote or "unknown",
            right,
            hello.text("session"),
            outbox,
            abort=transport.abort if isinstance(transport, asyncio.WriteTransport) else lambda: None,
            token_wrong=wrong,
        )
        self._next_viewer += 1
        self._viewers[viewer.number] = viewer
        if right is Right.OPERATE:
            self._desk.come_back(viewer.number, viewer.session)
        self._robot_watches()
        viewer.tell({"chart": self._board.chart()})
        self._tell_rights()
        return viewer

    def _farewell(self, viewer: Viewer) -> None:
        del self._viewers[viewer.number]
        if self._desk.leave(viewer.number, viewer.session):
            self._board.tell(f"the connection to the operator, {viewer.name}, is lost", "bad")
            if self._settings.stop_on_disconnect:
                self._orders.stop_for(f"because the connection to {viewer.name} was lost")
        self._robot_watches()
        self._tell_rights()

    async def _serve(self, viewer: Viewer, socket: web.WebSocketResponse) -> None:
        sending = asyncio.create_task(self._send(viewer, socket))
        try:
            async for message in socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                try:
                    request = parse(message.data)
                except RequestError as error:
                    viewer.bad_messages += 1
                    self._orders.answer(viewer, None, Outcome(False, str(error)))
                    if viewer.bad_messages > MOST_BAD_MESSAGES:
                        _LOGGER.warning("%s sends what no page sends: %s", viewer.name, error)
                        await socket.close(code=1008, message=b"too many bad messages")
                        break
                    continue
                self._take(viewer, request)
                if viewer.outbox.overflowing:
                    viewer.abort()
                    break
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sending

    async def _send(self, viewer: Viewer, socket: web.WebSocketResponse) -> None:
        while True:
            piece = viewer.outbox.next()
            if piece is None:
                viewer.wake.clear()
                await viewer.wake.wait()
            elif isinstance(piece, str):
                await socket.send_str(piece)
            else:
                await socket.send_bytes(piece)

    # ---- the state

    async def _tick_forever(self) -> None:
        due = time.monotonic()
        while True:
            try:
                self._tick()
            except Exception:
                _LOGGER.exception("the console's state could not be made")
            due = max(due + STATE_PERIOD, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    def _tick(self) -> None:
        for viewer in list(self._viewers.values()):
            operates = self._desk.operator == viewer.number
            if viewer.outbox.silence > (self._settings.connection_timeout if operates else DEAF):
                _LOGGER.warning("%s has been silent for %.1f s", viewer.name, viewer.outbox.silence)
                viewer.abort()
        if not self._viewers:
            return
        self._board.sample()
        self._state_number += 1
        operator = self._viewers.get(self._desk.operator or 0)
        state = self._board.state() | {
            "number": self._state_number,
            "operator": operator.name if operator else None,
            "viewers": len(self._viewers),
            "stop_on_disconnect": self._settings.stop_on_disconnect,
        }
        text = json.dumps({"state": state}, allow_nan=False)
        for viewer in self._viewers.values():
            viewer.outbox.offer_state(self._state_number, text)
            viewer.wake.set()

    def _robot_watches(self) -> None:
        watched = frozenset().union(*(viewer.outbox.watched for viewer in self._viewers.values()))
        self._robot.watch(bool(self._viewers), watched)

    def _tell_rights(self) -> None:
        for viewer in self._viewers.values():
            rights = {
                "number": viewer.number,
                "may": viewer.right.name.lower(),
                "operates": self._desk.operator == viewer.number,
                "free": self._desk.operator is None,
                "token_wrong": viewer.token_wrong,
            }
            viewer.tell({"you": rights})

    def _take(self, viewer: Viewer, request: Request) -> None:
        """What a viewer sends about its own page is done here, everything else is an order."""
        if request.name == "seen":
            viewer.outbox.seen_state(request.count("state"))
            viewer.wake.set()
        elif request.name == "seen_frame":
            viewer.outbox.seen_frame(request.text("camera"), request.count("frame"))
            viewer.wake.set()
        elif request.name == "cameras":
            viewer.outbox.watch(request.names)
            self._robot_watches()
        elif request.name == "hello":
            self._orders.answer(viewer, request.number, Outcome(False, "hello was said already"))
        else:
            self._orders.obey(viewer, request)
