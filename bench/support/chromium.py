# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, spoken to by its DevTools protocol: https://chromedevtools.github.io/devtools-protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

WAIT = 30.0  # longest wait for anything [s]; costs time only where something fails
NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """The browser's executable, if there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One browser process with a profile of its own; an asynchronous context."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        executable = find_chromium()
        assert executable is not None
        self._process = subprocess.Popen(
            [
                executable, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--disable-background-networking", "--no-first-run", "--remote-debugging-port=0",
                f"--user-data-dir={self._profile.name}", "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._session: aiohttp.ClientSession | None = None
        self._base = ""

    async def __aenter__(self) -> Browser:
        port_file = Path(self._profile.name, "DevToolsActivePort")
        deadline = time.monotonic() + WAIT
        while not (port_file.exists() and "\n" in port_file.read_text()):
            assert time.monotonic() < deadline and self._process.poll() is None, "Chromium did not start"
            await asyncio.sleep(0.05)
        self._base = f"http://127.0.0.1:{port_file.read_text().split()[0]}"
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()
        self._process.terminate()
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._profile.cleanup()

    async def open(self, address: str, width: int = 1600, height: int = 1000, mobile: bool = False) -> Tab:
        """A new tab of a size in CSS pixels."""
        assert self._session is not None
        async with self._session.put(f"{self._base}/json/new?about:blank") as response:
            target = await response.json()
        socket = await self._session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0)
        tab = Tab(socket)
        await tab.send("Page.enable")
        await tab.send("Runtime.enable")
        await tab.send("Log.enable")
        await tab.size(width, height, mobile)
        await tab.go(address)
        return tab


class Tab:
    """One page.

    Attributes:
        complaints: errors that the page has logged or thrown.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.complaints: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._waiting.pop(told["id"]).set_result(told)
            elif told["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(told["params"]["exceptionDetails"]))
            elif told["method"] == "Log.entryAdded" and told["params"]["entry"]["level"] == "error":
                self.complaints.append(str(told["params"]["entry"]))
            elif told["method"] == "Runtime.consoleAPICalled" and told["params"]["type"] == "error":
                self.complaints.append(str(told["params"]["args"]))

    async def send(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol."""
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        answer = await asyncio.wait_for(self._waiting[number], WAIT)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    async def size(self, width: int, height: int, mobile: bool = False) -> None:
        """Set the size of the window, as that of a phone or of a screen."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )
        await self.send("Emulation.setTouchEmulationEnabled", enabled=mobile)

    async def go(self, address: str) -> None:
        """Load a page."""
        await self.send("Page.navigate", url=address)

    async def reload(self) -> None:
        """Load the page anew, as F5 does."""
        await self.send("Page.reload")

    async def eval(self, expression: str) -> Any:
        """Value of an expression of JavaScript in the page."""
        result = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{expression}: {result['exceptionDetails']}"
        return result["result"].get("value")

    async def until(self, expression: str, timeout: float = WAIT) -> Any:
        """Wait until an expression holds; its value."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                value = await self.eval(expression)
            except AssertionError:
                value = None  # while a page is loaded, there is not what is looked at
            if value:
                return value
            if time.monotonic() > deadline:
                page = await self.eval("document.body.innerText")
                raise AssertionError(f"waited {timeout:g} s in vain for {expression}\n{self.complaints}\n{page}")
            await asyncio.sleep(0.05)

    async def text(self, selector: str) -> str:
        """Text of an element."""
        return await self.eval(f"document.querySelector({selector!r}).textContent")

    async def until_text(self, selector: str, part: str, timeout: float = WAIT) -> None:
        """Wait until an element's text holds something, in any case of letters."""
        inside = f"document.querySelector({selector!r}).textContent.toLowerCase().includes({part.lower()!r})"
        await self.until(inside, timeout)

    async def middle(self, selector: str) -> tuple[float, float]:
        """Where an element's middle is on the screen; it is scrolled to."""
        box = await self.eval(
            f"(() => {{ const e = document.querySelector({selector!r}); "
            "e.scrollIntoView({block: 'center', behavior: 'instant'}); "
            "const b = e.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]; })()"
        )
        return box[0], box[1]

    async def press_mouse(self, selector: str) -> None:
        """Press the button of the mouse on an element."""
        x, y = await self.middle(selector)
        await self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        await self.send("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, button="left", clickCount=1)

    async def release_mouse(self, selector: str) -> None:
        """Let it go."""
        x, y = await self.middle(selector)
        await self.send("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, button="left", clickCount=1)

    async def click(self, selector: str) -> None:
        """Click an element."""
        await self.press_mouse(selector)
        await self.release_mouse(selector)

    async def tap(self, selector: str) -> None:
        """Touch an element with a finger."""
        x, y = await self.middle(selector)
        await self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        await self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    async def type(self, selector: str, text: str) -> None:
        """Type into an element."""
        await self.eval(f"document.querySelector({selector!r}).focus()")
        await self.send("Input.insertText", text=text)

    async def key(self, key: str, code: str, number: int, text: str = "") -> None:
        """Press and release a key."""
        await self.key_down(key, code, number, text)
        await self.key_up(key, code, number)

    async def key_down(self, key: str, code: str, number: int, text: str = "") -> None:
        """Press a key."""
        kind = "keyDown" if text else "rawKeyDown"
        await self.send(
            "Input.dispatchKeyEvent", type=kind, key=key, code=code, windowsVirtualKeyCode=number, text=text
        )

    async def key_up(self, key: str, code: str, number: int) -> None:
        """Release a key."""
        await self.send("Input.dispatchKeyEvent", type="keyUp", key=key, code=code, windowsVirtualKeyCode=number)

    async def picture(self, path: Path, whole: bool = False) -> None:
        """Save what is seen, or the whole page, as PNG."""
        result = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(result["data"]))

    async def close(self) -> None:
        """Close the tab."""
        self._reader.cancel()
        try:
            await self.send_and_forget("Page.close")
        finally:
            await self._socket.close()

    async def send_and_forget(self, method: str) -> None:
        """Call a method whose answer may never come."""
        await self._socket.send_json({"id": next(self._numbers), "method": method, "params": {}})
