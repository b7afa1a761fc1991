# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The server without a browser: tokens, origins, one operator, slow viewers, garbage."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed: run by make test")

from instructvla_ros.console.outbox import FRAME_HEADER, FRAMES_UNDER_WAY  # noqa: E402
from instructvla_ros.console.requests import LONGEST_MESSAGE  # noqa: E402
from instructvla_ros.console.server import MOST_BAD_MESSAGES, PAGE  # noqa: E402

WAIT = 20.0


class Viewer:
    """A page without a browser: it acknowledges what comes, unless told not to."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, acknowledges: bool) -> None:
        self.socket, self.acknowledges = socket, acknowledges
        self.state: dict[str, Any] = {}
        self.you: dict[str, Any] = {}
        self.frames: list[tuple[int, int]] = []
        self.answers: dict[int | None, dict[str, Any]] = {}
        self.numbers = iter(range(1, 10**6))
        self.closed: int | None = None
        self.reader = asyncio.create_task(self._read())

    @property
    def filter_state(self) -> str:
        return (self.state.get("safety") or {}).get("state", "")

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                camera, number, _ = FRAME_HEADER.unpack_from(message.data)
                self.frames.append((camera, number))
                if self.acknowledges:
                    await self.send(do="seen_frame", camera=("image", "wrist_image")[camera], frame=number)
                continue
            told = json.loads(message.data)
            if "state" in told:
                self.state = told["state"]
                if self.acknowledges:
                    await self.send(do="seen", state=self.state["number"])
            elif "you" in told:
                self.you = told["you"]
            elif "answer" in told:
                self.answers[told["answer"]["number"]] = told["answer"]
        self.closed = self.socket.close_code

    async def send(self, **message: object) -> None:
        if not self.socket.closed:
            await self.socket.send_str(json.dumps(message))

    async def request(self, do: str, **fields: object) -> dict[str, Any]:
        number = next(self.numbers)
        await self.send(do=do, number=number, **fields)
        await self.until(lambda: number in self.answers, f"answer to {do}")
        return self.answers[number]

    async def until(self, condition: Callable[[], object], what: str, timeout: float = WAIT) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}; state {self.state}, you {self.you}"
            await asyncio.sleep(0.01)


class Client:
    """Opens viewers of one console; an asynchronous context."""

    def __init__(self, console: Any) -> None:
        self.console = console
        self.viewers: list[Viewer] = []

    async def __aenter__(self) -> Client:
        self.session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        for viewer in self.viewers:
            await viewer.socket.close()
        await self.session.close()

    async def connect(self, headers: dict[str, str] | None = None) -> aiohttp.ClientWebSocketResponse:
        return await self.session.ws_connect(f"{self.console.address}socket", headers=headers, max_msg_size=0)

    async def view(self, token: str = "", session: str = "", acknowledges: bool = True, **headers: str) -> Viewer:
        socket = await self.connect({name.replace("_", "-"): value for name, value in headers.items()})
        viewer = Viewer(socket, acknowledges)
        self.viewers.append(viewer)
        await viewer.send(do="hello", token=token, session=session)
        await viewer.until(lambda: viewer.you, "what the viewer may do")
        return viewer


def run(console: Any, test: Callable[[Client], Any]) -> None:
    async def body() -> None:
        async with Client(console) as client:
            await asyncio.wait_for(test(client), 60.0)

    asyncio.run(body())


def test_the_page_comes_with_headers_that_let_nothing_else_in(serve) -> None:
    async def test(client: Client) -> None:
        async with client.session.get(client.console.address) as response:
            assert response.status == 200 and "Operator console" in await response.text()
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
            assert response.headers["X-Frame-Options"] == "DENY"
        for name in ("main.js", "style.css", "icon.svg"):
            async with client.session.get(client.console.address + name) as response:
                assert response.status == 200 and (await response.read()) == (PAGE / name).read_bytes()
        for path in ("nothing", "../server.py", "%2e%2e/server.py", "page/main.js", "..%2fserver.py"):
            async with client.session.get(client.console.address + path) as response:
                assert response.status == 404

    run(serve(moves=False), test)


def test_the_page_names_no_other_host() -> None:
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8")
        known = text.replace("http://www.w3.org/2000/svg", "").replace("http://www.apache.org", "")
        assert "://" not in known.replace("${scheme}://${location.host}", ""), path.name


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
    ],
)
def test_pages_of_others_are_refused_the_page_and_the_socket(serve, headers: dict[str, str]) -> None:
    console = serve(moves=False)

    async def test(client: Client) -> None:
        async with client.session.get(console.address, headers=headers) as response:
            assert response.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.connect(headers)
        assert refused.value.status == 403

    run(console, test)
    assert console.robot.asked == []


def test_with_a_token_who_shows_it_operates_and_who_does_not_looks_on(serve) -> None:
    console = serve("127.0.0.1", token="a token of some length")

    async def test(client: Client) -> None:
        proxied = await client.view(X_Forwarded_For="10.0.0.9")
        wrong = await client.view("a wrong one", X_Forwarded_For="10.0.0.9")
        right = await client.view(console.token, X_Forwarded_For="10.0.0.9")
        near = await client.view()
        assert [viewer.you["may"] for viewer in (proxied, wrong, right, near)] == ["look", "look", "operate", "stop"]
        assert wrong.you["token_wrong"] and not proxied.you["token_wrong"]
        for viewer in (proxied, wrong):
            for do, fields in [
                ("stop", {}),
                ("instruct", {"text": "touch it"}),
                ("reset", {}),
                ("take", {"over": True}),
            ]:
                assert not (await viewer.request(do, **fields))["success"]
        assert not (await near.request("instruct", text="touch it"))["success"]
        assert console.robot.asked == []
        assert (await near.request("stop"))["success"], "whoever stands beside it may stop it"
        assert (await right.request("reset"))["success"]
        assert (await right.request("instruct", text="touch it"))["success"]
        await proxied.until(lambda: proxied.state.get("instruction") == "touch it", "the instruction, by looking on")

    run(console, test)
    assert console.robot.asked == ["stop", "reset", "instruct touch it"]


def test_one_operates_at_a_time_all_may_stop_and_control_goes_on(serve) -> None:
    console = serve()

    async def test(client: Client) -> None:
        first, second = await client.view(), await client.view()
        assert (await first.request("instruct", text="touch it"))["success"]
        assert first.you["operates"], "who acts while nobody operates, operates"
        await second.until(lambda: not second.you["free"], "that somebody operates")
        refused = await second.request("instruct", text="push it")
        assert not refused["success"] and "another viewer operates" in refused["message"]
        assert not (await second.request("take", over=False))["success"]
        assert (await second.request("stop"))["success"]
        await first.until(lambda: first.filter_state == "stopped", "the stop")
        stopped = await first.request("instruct", text="push it")
        assert not stopped["success"] and "reset first" in stopped["message"]
        assert (await second.request("take", over=True))["success"]
        await first.until(lambda: not first.you["operates"], "that the other one has taken over")
        assert not (await first.request("reset"))["success"]
        assert (await second.request("reset"))["success"]
        await second.until(lambda: second.filter_state == "holding", "the reset")
        assert (await second.request("hand_over"))["success"]
        assert (await first.request("speed", share=0.5))["success"] and first.you["operates"]

    run(console, test)
    assert console.robot.asked == ["instruct touch it", "stop", "reset", "speed 0.5"]


def test_the_word_stop_as_an_instruction_stops_also_for_who_does_not_operate(serve) -> None:
    console = serve()

    async def test(client: Client) -> None:
        first, second = await client.view(), await client.view()
        await first.request("take", over=False)
        assert (await second.request("instruct", text="Stop!"))["success"]

    run(console, test)
    assert console.robot.asked == ["stop"]


@pytest.mark.parametrize("stops", [False, True])
def test_a_lost_connection_of_the_operator_stops_the_arm_where_that_is_wanted(serve, stops: bool) -> None:
    console = serve(stop_on_disconnect=stops)

    async def test(client: Client) -> None:
        operator, looker = await client.view(session="one"), await client.view(session="two")
        await operator.request("instruct", text="touch it")
        await looker.until(lambda: looker.state.get("operator"), "the operator")
        await operator.socket.close()
        await looker.until(lambda: looker.you["free"], "that nobody operates")
        await looker.until(lambda: any("lost" in line["text"] for line in looker.state.get("news", [])), "the news")
        if stops:
            await looker.until(lambda: looker.filter_state == "stopped", "the stop")
        again = await client.view(session="one")
        assert again.you["operates"], "the same page, loaded anew, has control back"
        await looker.socket.close()

    run(console, test)
    assert ("stop" in console.robot.asked) is stops


def test_an_operator_that_falls_silent_is_lost_and_one_who_looks_on_is_not(serve) -> None:
    console = serve(stop_on_disconnect=True, connection_timeout=0.5)

    async def test(client: Client) -> None:
        operator, looker = await client.view(), await client.view()
        await operator.request("instruct", text="touch it")
        looker.acknowledges = False
        operator.acknowledges = False
        begun = time.monotonic()
        await operator.until(lambda: operator.closed is not None, "the end of the silent connection")
        assert time.monotonic() - begun < 3.0
        assert looker.closed is None

    run(console, test)
    assert console.robot.asked == ["instruct touch it", "stop"]


def test_a_viewer_that_does_not_read_costs_the_others_nothing_and_is_sent_no_queue(serve) -> None:
    console = serve()

    async def test(client: Client) -> None:
        # a bare socket that says hello and then reads nothing at all
        host, port = console.address.removeprefix("http://").rstrip("/").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        writer.write(
            f"GET /socket HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        for message in ({"do": "hello", "token": "", "session": ""}, {"do": "cameras", "cameras": ["image"]}):
            data = json.dumps(message).encode()
            writer.write(bytes([0x81, 0x80 | len(data)]) + bytes(4) + data)
        await writer.drain()
        viewer = await client.view()
        await viewer.send(do="cameras", cameras=["image"])
        await viewer.until(lambda: len(viewer.frames) >= 60, "60 frames for the one who reads")
        deaf = next(each for each in console.server._viewers.values() if each.number != viewer.you["number"])
        under_way = deaf.outbox._frames_under_way["image"]
        assert len(under_way) <= FRAMES_UNDER_WAY and len(deaf.outbox._frames) <= 1
        assert deaf.outbox.skipped >= 50
        numbers = [number for _, number in viewer.frames]
        assert numbers == sorted(set(numbers))
        writer.close()

    run(console, test)


def test_a_slow_viewer_gets_fewer_frames_and_each_is_the_newest(serve) -> None:
    console = serve()

    async def test(client: Client) -> None:
        quick, slow = await client.view(), await client.view()
        slow.acknowledges = False
        for viewer in (quick, slow):
            await viewer.send(do="cameras", cameras=["image"])
        for _ in range(4):
            count, wanted = len(slow.frames), len(quick.frames) + 15
            await quick.until(lambda wanted=wanted: len(quick.frames) >= wanted, "frames")
            assert len(slow.frames) <= count + FRAMES_UNDER_WAY
            newest = quick.frames[-1][1]
            await slow.send(do="seen_frame", camera="image", frame=newest)
            await slow.until(lambda before=count: len(slow.frames) > before, "a newer frame")
        assert len(slow.frames) < len(quick.frames) / 2

    run(console, test)


def test_a_picture_is_encoded_once_for_all_and_not_at_all_for_nobody(serve) -> None:
    console = serve()

    async def test(client: Client) -> None:
        viewers = [await client.view() for _ in range(3)]
        for viewer in viewers:
            await viewer.send(do="cameras", cameras=["wrist_image", "no such camera"])
        await viewers[0].until(lambda: all(len(viewer.frames) >= 10 for viewer in viewers), "frames")
        assert console.robot.encoded <= max(len(viewer.frames) for viewer in viewers) + 3
        assert all(camera == 1 for viewer in viewers for camera, _ in viewer.frames)
        for viewer in viewers:
            await viewer.send(do="cameras", cameras=[])
        await viewers[0].until(lambda: console.robot.watched == (True, frozenset()), "that nobody watches a camera")
        for viewer in viewers:
            await viewer.socket.close()
        await viewers[0].until(lambda: console.robot.watched == (False, frozenset()), "that nobody watches")

    run(console, test)


def test_garbage_is_answered_with_words_and_too_much_of_it_ends_the_connection(serve) -> None:
    console = serve()

    async def test(client: Client) -> None:
        viewer, other = await client.view(), await client.view()
        for garbage in (
            "",
            "{",
            "[]",
            "null",
            '{"do": "fly"}',
            '{"do": "stop", "now": 1}',
            '{"do": "speed", "share": 7}',
        ):
            await viewer.socket.send_str(garbage)
        await viewer.socket.send_bytes(b"\xff\xfe\x00")
        await viewer.until(lambda: None in viewer.answers, "an answer")
        assert not viewer.answers[None]["success"] and viewer.answers[None]["message"]
        assert (await viewer.request("take", over=False))["success"]
        for _ in range(MOST_BAD_MESSAGES):
            await viewer.socket.send_str("{")
        await viewer.until(lambda: viewer.closed is not None, "the end")
        assert viewer.closed == 1008
        assert (await other.request("stop"))["success"]

    run(console, test)
    assert console.robot.asked == ["stop"]


def test_a_huge_message_ends_the_connection_and_nothing_else(serve) -> None:
    console = serve()

    async def test(client: Client) -> None:
        viewer, other = await client.view(), await client.view()
        await viewer.socket.send_str('{"do": "instruct", "text": "' + "a" * 10 * LONGEST_MESSAGE + '"}')
        await viewer.until(lambda: viewer.closed is not None, "the end")
        assert viewer.closed == 1009
        number = other.state.get("number", 0)
        await other.until(lambda: other.state.get("number", 0) > number, "the next state")

    run(console, test)
    assert console.robot.asked == []


def test_who_does_not_say_hello_is_not_served(serve) -> None:
    async def test(client: Client) -> None:
        socket = await client.connect()
        await socket.send_str('{"do": "stop"}')
        message = await socket.receive(WAIT)
        assert message.type is aiohttp.WSMsgType.CLOSE and message.data == 1008

    console = serve(moves=False)
    run(console, test)
    assert console.robot.asked == []


def test_many_who_only_look_do_not_keep_out_who_operates(serve, monkeypatch) -> None:
    from instructvla_ros.console import server

    monkeypatch.setattr(server, "MOST_LOOKING", 2)
    console = serve(token="a token of some length")

    async def test(client: Client) -> None:
        for _ in range(2):
            await client.view(X_Forwarded_For="10.0.0.9")
        third = await client.connect({"X-Forwarded-For": "10.0.0.9"})
        await third.send_json({"do": "hello", "token": "", "session": ""})
        message = await third.receive(WAIT)
        assert message.type is aiohttp.WSMsgType.CLOSE and message.data == 1013
        operator = await client.view(console.token, X_Forwarded_For="10.0.0.9")
        assert (await operator.request("take", over=False))["success"]

    run(console, test)


def test_a_question_is_answered_while_the_operator_goes_on(serve) -> None:
    console = serve()

    async def test(client: Client) -> None:
        viewer = await client.view()
        await viewer.send(do="ask", text="what is left?", number=900)
        assert (await viewer.request("instruct", text="touch it"))["success"]
        assert not (await viewer.request("ask", text="and right?"))["success"], "one question at a time"
        await viewer.until(lambda: 900 in viewer.answers, "the answer")
        await viewer.until(lambda: not viewer.state.get("questions", [{"pending": True}])[0]["pending"], "the answer")
        assert viewer.state["questions"][0]["answer"] == "a yellow cube."
        console.robot.answers = False
        assert not (await viewer.request("ask", text="and right?"))["success"]
        await viewer.until(lambda: len(viewer.state["questions"]) == 2, "the failure on the page")
        await viewer.until(lambda: not viewer.state["questions"][1]["success"], "the failure on the page")

    run(console, test)


def test_a_robot_side_that_fails_is_told_and_does_not_end_the_connection(serve, monkeypatch) -> None:
    console = serve()

    async def broken() -> None:
        raise RuntimeError("no publisher")

    monkeypatch.setattr(console.robot, "reset", broken)

    async def test(client: Client) -> None:
        viewer = await client.view()
        answer = await viewer.request("reset")
        assert not answer["success"] and "no publisher" in answer["message"]
        assert (await viewer.request("stop"))["success"]

    run(console, test)


def test_a_taken_port_is_said_and_another_one_is_found(serve) -> None:
    from instructvla_ros.console.serving import ServerThread, ServingError

    console = serve(moves=False)
    taken = []
    other = ServerThread(console.server, console.rules, console.thread.port)
    with pytest.raises(ServingError, match=str(console.thread.port)):
        other.start()
    again = ServerThread(console.server, console.rules, console.thread.port)
    again.start(on_busy=taken.append)
    assert taken == [console.thread.port] and again.port not in (0, console.thread.port)
    again.stop()


def test_a_console_that_ends_says_farewell_to_its_viewers(serve) -> None:
    console = serve()

    async def test(client: Client) -> None:
        viewer = await client.view()
        await asyncio.get_running_loop().run_in_executor(None, console.thread.stop)
        await viewer.until(lambda: viewer.closed is not None, "the end")
        assert viewer.closed == 1001

    run(console, test)
