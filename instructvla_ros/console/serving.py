# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the console's server in a thread of its own, beside whatever else the process does."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import threading
from collections.abc import Callable

from instructvla_ros.console.access import AccessRules
from instructvla_ros.console.server import ConsoleServer

try:
    from aiohttp import web
except ImportError as error:  # the server's own import says it better, and comes first
    raise ImportError("aiohttp is missing") from error

START_TIMEOUT = 10.0  # [s]
END_TIMEOUT = 5.0  # [s]


class ServingError(OSError):
    """The address cannot be bound; says which and why."""


class ServerThread:
    """Serves from :meth:`start` to :meth:`stop`.

    Args:
        server: what is served.
        rules: hold the address.
        port: 0 for any that is free.
    """

    def __init__(self, server: ConsoleServer, rules: AccessRules, port: int) -> None:
        self._server, self._rules, self.port = server, rules, port
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="console", daemon=True)

    @property
    def address(self) -> str:
        """Where the page is, without a token."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self._rules.address, self._rules.address)
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.port}/"

    def start(self, on_busy: Callable[[int], None] | None = None) -> None:
        """Bind and serve.

        Args:
            on_busy: called with the port where it is taken, after which any free one is; None raises instead.

        Raises:
            ServingError: the address cannot be bound.
        """
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._open(on_busy), self._loop).result(START_TIMEOUT)
        except (OSError, concurrent.futures.TimeoutError) as error:
            self.stop()
            reason = getattr(error, "strerror", None) or error or "no answer"
            why = f"port {self.port} of {self._rules.address} cannot be opened: {reason}"
            raise ServingError(why) from None

    async def _open(self, on_busy: Callable[[int], None] | None) -> None:
        self._runner = web.AppRunner(self._server.make_app(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await self._listen(self.port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or on_busy is None:
                raise
            on_busy(self.port)
            await self._listen(0)

    async def _listen(self, port: int) -> None:
        assert self._runner is not None
        site = web.TCPSite(self._runner, self._rules.address, port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    def stop(self) -> None:
        """Say farewell to the viewers and end the thread."""
        if not self._thread.is_alive():
            return
        if self._runner is not None:
            with contextlib.suppress(concurrent.futures.TimeoutError):  # Python 3.10: not yet the builtin of that name
                asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(END_TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(END_TIMEOUT)
