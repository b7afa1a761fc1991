# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The operator console on a live graph, in a real browser: what is pressed on the page happens to the arm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rcl_interfaces.srv import GetParameters
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from instructvla_ros.console import ADDRESS_LINE
from instructvla_ros.msg import Heard, SafetyStatus
from instructvla_ros.nodes import qos
from instructvla_ros.nodes.image_decoding import to_rgb
from instructvla_ros.safety import SafetyState

pytest.importorskip("aiohttp", reason="aiohttp is not installed: run by make test")
pytest.importorskip("mujoco", reason="mujoco is not installed: run by make test")

from bench.support import chromium  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
READY = "!document.body.classList.contains('waiting') && !document.body.classList.contains('lost')"
STATE = "document.querySelector('#state').dataset.state"
WAIT = 60.0


needs_chromium = pytest.mark.skipif(
    chromium.find_chromium() is None, reason="Chromium is not installed: apt-get install chromium"
)


def start_console(graph, **parameters: object) -> str:
    """Start the console; the address of its page."""
    console = graph.start("console_node", robot="sim", port=0, **parameters)
    graph.wait_until(lambda: ADDRESS_LINE in console.output, "the address of the page")
    return f"http{console.output.split(ADDRESS_LINE)[1].split()[0]}"


def browse(test: Callable[[Any], Any]) -> None:
    async def body() -> None:
        async with chromium.Browser() as browser:
            await asyncio.wait_for(test(browser), 200.0)

    asyncio.run(body())


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait without blocking the browser's connection."""
    for _ in range(int(WAIT / 0.05)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"waited in vain for {what}")


async def hold_reset(tab: Any) -> None:
    await tab.press_mouse("#reset")
    await asyncio.sleep(1.2)  # what is tested is how long it is held
    await tab.release_mouse("#reset")


@needs_chromium
def test_from_the_page_the_arm_is_instructed_stopped_and_released(graph) -> None:
    joints = graph.collect(JointState, "joint_states", qos.SENSOR)
    statuses = graph.collect(SafetyStatus, "safety_status", qos.LATCHED)
    graph.start("sim_arm_node")
    graph.start("safety_filter_node", robot="sim")
    model = {"checkpoint": "models/tabletop", "autostart": True, "device": "cpu", "threads": 1}
    graph.start("policy_node", robot="sim", **model)
    address = start_console(graph)

    def speed() -> float:
        return max(abs(velocity) for velocity in joints[-1].velocity[:6])

    def place() -> np.ndarray:
        return np.array(joints[-1].position[:6])

    async def test(browser: Any) -> None:
        tab = await browser.open(address)
        await tab.until(READY, WAIT)
        await tab.until(f"{STATE} === 'holding'", WAIT)
        await tab.until_text("#policy", "no instruction", WAIT)
        await tab.until("document.querySelector('#cameras .nothing').hidden", WAIT)
        at_home = place()
        await tab.type("#text", "pick up the red cube")
        await tab.key("Enter", "Enter", 13, "\r")
        await tab.until_text("#reasoning", "red cube", WAIT)
        await until(lambda: np.abs(place() - at_home).max() > 0.05, "the arm's motion")
        await tab.until("document.querySelectorAll('figure:not([hidden]) .path-line.over').length === 1", WAIT)
        assert "not drawn" not in await tab.text("#cameras figure:not([hidden])")

        await tab.key("Escape", "Escape", 27)
        await tab.until(f"{STATE} === 'stopped'", WAIT)
        await until(lambda: statuses and statuses[-1].state == SafetyState.STOPPED and speed() < 0.01, "rest")
        stopped_at = place()
        await tab.type("#text", "push the blue ball")
        await tab.key("Enter", "Enter", 13, "\r")
        await tab.until_text("#said", "reset first", WAIT)

        await hold_reset(tab)
        await tab.until(f"{STATE} === 'holding'", WAIT)
        await tab.until_text("#current", "nothing", WAIT)
        assert np.abs(place() - stopped_at).max() < 0.02, "a reset alone moves nothing"
        await tab.eval("document.querySelector('#text').value = ''")
        await tab.type("#text", "push the blue ball")
        await tab.key("Enter", "Enter", 13, "\r")
        await until(lambda: np.abs(place() - stopped_at).max() > 0.05, "the arm's next motion")

        await tab.eval("document.querySelector('#speed').focus()")
        await tab.key("Home", "Home", 36)
        await until(lambda: statuses[-1].speed_scale == 0.0 and speed() < 0.01, "an arm that rests at no speed")
        await tab.type("#question", "what is on the table?")
        await tab.key("Enter", "Enter", 13, "\r")
        await tab.until("document.querySelector('#answers dd')?.textContent.length > 3", WAIT)
        assert tab.complaints == []

    browse(test)
    request = GetParameters.Request(names=["speed_scale"])
    assert graph.call(GetParameters, "safety_filter_node/get_parameters", request).values[0].double_value == 0.0


class FilterWithoutServices:
    """A filter that hears the topic alone, and obeys."""

    def __init__(self, graph) -> None:
        self.state = SafetyState.HOLDING
        self.presses: list[bool] = []
        self._publisher = graph.node.create_publisher(SafetyStatus, "safety_status", qos.LATCHED)
        graph.listen(Bool, "emergency_stop", qos.TEXT, self._on_press)
        graph.node.create_timer(0.1, self._tell)

    def _on_press(self, message: Bool) -> None:
        self.presses.append(message.data)
        if message.data:
            self.state = SafetyState.STOPPED
            self._tell()

    def _tell(self) -> None:
        self._publisher.publish(SafetyStatus(state=int(self.state), reason="stand-in"))


@needs_chromium
def test_a_filter_that_does_not_answer_is_stopped_by_the_topic(graph) -> None:
    stand_in = FilterWithoutServices(graph)
    instructions = graph.collect(String, "instruction", qos.LATCHED)
    address = start_console(graph)

    async def test(browser: Any) -> None:
        tab = await browser.open(address)
        await tab.until(f"{STATE} === 'holding'", WAIT)
        await tab.click("#stop")
        await tab.until(f"{STATE} === 'stopped'", WAIT)
        await tab.until_text("#said", "emergency_stop", WAIT)
        await hold_reset(tab)
        await tab.until_text("#said", "does not answer", WAIT)
        assert await tab.eval(STATE) == "stopped"

    browse(test)
    assert stand_in.presses == [True, False]
    assert all(message.data == "" for message in instructions)


@needs_chromium
def test_a_press_elsewhere_is_not_released_from_the_page(graph) -> None:
    graph.start("sim_arm_node")
    graph.start("safety_filter_node", robot="sim")
    button = graph.node.create_publisher(Bool, "emergency_stop", qos.LATCHED)
    address = start_console(graph)

    async def test(browser: Any) -> None:
        tab = await browser.open(address)
        await tab.until(f"{STATE} === 'holding'", WAIT)
        button.publish(Bool(data=True))
        await tab.until(f"{STATE} === 'stopped'", WAIT)
        await hold_reset(tab)
        await tab.until_text("#said", "still wanted", WAIT)
        assert await tab.eval(STATE) == "stopped"
        await tab.click("#stop")  # once more, from the page
        button.publish(Bool(data=False))
        await asyncio.sleep(0.3)  # nothing may come of it
        assert await tab.eval(STATE) == "stopped"
        await hold_reset(tab)
        await tab.until(f"{STATE} === 'holding'", WAIT)

    browse(test)


@needs_chromium
def test_from_the_page_what_was_heard_is_confirmed_and_a_run_is_recorded(graph, tmp_path: Path) -> None:
    pressed = []

    def on_confirm(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        pressed.append("yes")
        response.success = True
        return response

    heard = graph.node.create_publisher(Heard, "heard", qos.TEXT)
    graph.node.create_service(Trigger, "voice_bridge_node/confirm", on_confirm)
    graph.start("recorder_node", recording_folder=str(tmp_path), flight_recorder=False, disk_reserve=0.0)
    address = start_console(graph)
    graph.wait_until(lambda: heard.get_subscription_count() == 2, "the console and the recorder to listen")

    async def test(browser: Any) -> None:
        tab = await browser.open(address)
        await tab.until(READY, WAIT)
        await tab.until_text("#actions", "Record", WAIT)
        await tab.click("#actions button")
        await tab.until_text("#actions", "End the recording", WAIT)
        asked = Heard(text="lift the cube", confidence=0.9, outcome=Heard.OUTCOME_AWAITING_CONFIRMATION)
        heard.publish(asked)
        await tab.until_text("#heard", "lift the cube", WAIT)
        await tab.click("#heard-yes")
        await until(lambda: pressed, "the answer")
        await tab.click("#actions button")
        await until(lambda: any(tmp_path.glob("*/metadata.yaml")), "the end of the recording")

    browse(test)
    (bag,) = tmp_path.iterdir()
    assert b"lift the cube" in b"".join(path.read_bytes() for path in bag.glob("*.mcap"))


@needs_chromium
def test_with_stop_on_disconnect_a_closed_page_stops_the_arm(graph) -> None:
    statuses = graph.collect(SafetyStatus, "safety_status", qos.LATCHED)
    graph.start("sim_arm_node")
    graph.start("safety_filter_node", robot="sim")
    address = start_console(graph, stop_on_disconnect=True)

    async def test(browser: Any) -> None:
        tab = await browser.open(address)
        await tab.until(f"{STATE} === 'holding'", WAIT)
        await tab.until_text("#connection", "stops the arm", WAIT)
        await tab.click("#take")
        await tab.until_text("#control", "you operate", WAIT)
        await tab.go("about:blank")
        await until(lambda: statuses and statuses[-1].state == SafetyState.STOPPED, "the stop")

    browse(test)


def test_pictures_are_drawn_for_the_page_only_while_somebody_looks(graph) -> None:
    import aiohttp

    infos = graph.collect(CameraInfo, "wrist_camera_info", qos.SENSOR)
    graph.start("sim_arm_node")
    address = start_console(graph)
    topic = "/wrist_image"

    async def look() -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{address}socket", max_msg_size=0) as socket:
            await socket.send_json({"do": "hello", "token": "", "session": ""})
            await socket.send_json({"do": "cameras", "cameras": ["wrist_image"]})
            while (await socket.receive(WAIT)).type is not aiohttp.WSMsgType.BINARY:
                pass
            await until(lambda: graph.node.count_subscribers(topic) == 1, "one subscription for all")
            await until(lambda: infos, "the camera's description")
        await until(lambda: graph.node.count_subscribers(topic) == 0, "the end of the subscription")

    assert graph.node.count_subscribers(topic) == 0
    asyncio.run(asyncio.wait_for(look(), 120.0))
    assert infos[-1].header.frame_id == "wrist_camera_optical_frame"


def test_a_picture_with_what_is_planned_is_there_for_those_who_listen(graph) -> None:
    """As RViz and Foxglove show it; nobody has the page open."""
    graph.start("sim_arm_node")
    graph.start("safety_filter_node", robot="sim")
    start_console(graph)
    graph.node.create_publisher(String, "instruction", qos.LATCHED).publish(String(data="pick up the red cube"))
    pictures = graph.collect(Image, "annotated_image", qos.SENSOR)

    def is_told() -> bool:
        """White letters on a dark band, and the gripper's dot below."""
        if not pictures:
            return False
        drawn = to_rgb(pictures[-1])
        letters, gripper = ((part == 255).all(axis=2).any() for part in (drawn[:40], drawn[60:]))
        return bool(drawn[:6].mean() < 90 and letters and gripper)

    graph.wait_until(is_told, "a picture with words and the gripper's place")
    assert pictures[-1].header.frame_id and pictures[-1].header.stamp.sec > 0


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"address": "robot"}, "address 'robot'"),
        ({"token": "short"}, "at least 8"),
        ({"camera_pose": "1 2 3"}, "six numbers"),
        ({"address": "192.0.2.1"}, "cannot be opened"),
    ],
)
def test_a_console_that_cannot_start_says_why(graph, parameters: dict[str, object], why: str) -> None:
    console = graph.start("console_node", robot="sim", port=0, **parameters)
    assert console.wait() == 2
    assert "cannot start" in console.output and why in console.output


def test_open_to_the_network_the_token_is_logged_once(graph) -> None:
    console = graph.start("console_node", robot="sim", port=0, address="0.0.0.0")
    graph.wait_until(lambda: "#token=" in console.output and "open to the network" in console.output, "the token")
    token = console.output.split("#token=")[1].split()[0]
    assert len(token) >= 20
    assert console.stop() == 0
    assert console.output.count(token) == 1
