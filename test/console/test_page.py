# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: what an operator sees and does, with a stand-in of the robot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed: run by make test")


from bench.support import chromium  # noqa: E402
from instructvla_ros.console.reports import HeardWords  # noqa: E402

pytestmark = pytest.mark.skipif(
    chromium.find_chromium() is None, reason="Chromium is not installed: apt-get install chromium"
)

READY = "!document.body.classList.contains('waiting') && !document.body.classList.contains('lost')"
STATE = "document.querySelector('#state').dataset.state"


def run(test: Callable[[Any], Any]) -> None:
    async def body() -> None:
        async with chromium.Browser() as browser:
            await asyncio.wait_for(test(browser), 120.0)

    asyncio.run(body())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something of the stand-in's, without blocking the browser's connection."""
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.05)
    assert condition()


async def instruct(tab: Any, text: str) -> None:
    await tab.type("#text", text)
    await tab.key("Enter", "Enter", 13, "\r")


async def hold_reset(tab: Any, seconds: float) -> None:
    await tab.press_mouse("#reset")
    await asyncio.sleep(seconds)  # what is tested is how long it is held
    await tab.release_mouse("#reset")


def test_an_operator_instructs_sees_stops_and_resets(serve) -> None:
    console = serve()

    async def test(browser: Any) -> None:
        tab = await browser.open(console.address)
        await tab.until(READY)
        await tab.until(f"{STATE} === 'holding'")
        await instruct(tab, "pick up the red cube")
        await tab.until_text("#reasoning", "it is on")
        await tab.until(f"{STATE} === 'moving'")
        await tab.until_text("#current", "pick up the red cube")
        await tab.until("document.querySelectorAll('#cameras figure:not([hidden]) .path-line.over').length === 1")
        await tab.until_text("#ahead", "close the gripper")
        await tab.until_text("#limits .acting strong", "translation speed")
        await tab.until_text("#limits", "0.31 asked, 0.2 m/s allowed")
        await tab.until_text("#limits", "0 asked, 0 allowed")  # not 0.0000059
        await tab.until_text("#inputs", "Hz")
        await tab.until_text("#inference", "112 ms")
        assert await tab.eval("document.querySelector('#text').value") == "", "what was sent is gone from the box"

        await tab.click("#stop")
        await tab.until(f"{STATE} === 'stopped'")
        at_rest = console.robot.phase
        await tab.until_text("#current", "nothing")
        await hold_reset(tab, 0.3)
        await instruct(tab, "push the blue ball")
        await tab.until_text("#said", "reset first")
        assert await tab.eval(STATE) == "stopped", "a press is not enough for a reset"
        assert console.robot.phase == at_rest

        await hold_reset(tab, 1.2)
        await tab.until(f"{STATE} === 'holding'")
        assert console.robot.phase == at_rest, "a reset alone moves nothing"
        await tab.eval("document.querySelector('#text').value = ''")
        await instruct(tab, "touch it")
        await tab.until(f"{STATE} === 'moving'")
        assert tab.complaints == []

    run(test)
    assert console.robot.asked == ["instruct pick up the red cube", "stop", "reset", "instruct touch it"]


@pytest.mark.parametrize(("key", "code", "number", "text"), [("Escape", "Escape", 27, ""), (" ", "Space", 32, " ")])
def test_a_key_stops_wherever_one_is_but_a_space_while_typing_is_a_space(serve, key, code, number, text) -> None:
    console = serve()

    async def test(browser: Any) -> None:
        tab = await browser.open(console.address)
        await tab.until(READY)
        await instruct(tab, "touch it")
        await tab.until(f"{STATE} === 'moving'")
        if key == " ":
            await tab.eval("document.querySelector('#text').focus()")
            await tab.key(key, code, number, text)
            assert await tab.eval("document.querySelector('#text').value") == " "
            assert "stop" not in console.robot.asked
        await tab.eval("document.querySelector('#clear').focus()")
        await tab.key(key, code, number, text)
        await tab.until(f"{STATE} === 'stopped'")

    run(test)
    assert console.robot.asked == ["instruct touch it", "stop"], "the key did not press what had the focus"


def test_the_whole_page_can_be_used_by_the_keyboard(serve) -> None:
    console = serve()

    async def test(browser: Any) -> None:
        tab = await browser.open(console.address)
        await tab.until(READY)
        seen = set()
        for _ in range(60):
            await tab.key("Tab", "Tab", 9)
            seen.add(await tab.eval("document.activeElement.id || document.activeElement.className"))
        assert {"stop", "text", "question", "speed", "take"} <= seen
        await tab.eval("document.querySelector('#speed').focus()")
        await tab.key("ArrowLeft", "ArrowLeft", 37)
        await tab.until_text("#speed-value", "95 %")
        await until(lambda: console.robot.asked == ["speed 0.95"])
        await tab.eval("document.querySelector('#stop').focus()")
        await tab.key("Enter", "Enter", 13, "\r")
        await tab.until(f"{STATE} === 'stopped'")
        await tab.eval("document.querySelector('#reset').focus()")
        await tab.key_down("Enter", "Enter", 13, "\r")
        await tab.until(f"{STATE} === 'holding'", 5.0)
        await tab.key_up("Enter", "Enter", 13)

    run(test)
    assert console.robot.asked == ["speed 0.95", "stop", "reset"]


def test_everything_has_a_name_for_a_screen_reader_and_changes_are_said(serve) -> None:
    console = serve()

    async def test(browser: Any) -> None:
        tab = await browser.open(console.address)
        await tab.until(READY)
        await tab.send("Accessibility.enable")
        tree = (await tab.send("Accessibility.getFullAXTree"))["nodes"]
        nameless = [
            node["role"]["value"]
            for node in tree
            if not node.get("ignored")
            and node["role"]["value"] in ("button", "textbox", "slider", "img", "image", "heading", "table", "link")
            and node["role"]["value"] != "table"
            and not node.get("name", {}).get("value")
        ]
        assert nameless == []
        live = await tab.eval("[...document.querySelectorAll('[role=status], [role=alert]')].map((e) => e.id)")
        assert {"state-word", "said", "alarm", "reasoning-said"} <= set(live)

    run(test)


CONTRAST = """
(() => {
  const channel = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const parse = (text) => {
    const n = text.match(/[\\d.]+/g).map(Number);
    return n.length > 3 && n[3] === 0 ? null : n;
  };
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.offsetParent || e.closest('.hidden, :disabled, svg, .nothing')) continue;
    const [a, b] = [luminance(parse(getComputedStyle(e).color)), luminance(ground(e))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) poor.push(`${e.tagName} ${e.id} ${e.className} ${contrast.toFixed(1)}`);
  }
  return poor;
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(serve, scheme: str) -> None:
    """Contrast of 4.5 at least: WCAG 2.2, 1.4.3."""
    console = serve()

    async def test(browser: Any) -> None:
        tab = await browser.open(console.address)
        await tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        await tab.until(READY)
        await instruct(tab, "touch it")
        await tab.until_text("#limits .acting strong", "translation speed")
        assert await tab.eval(CONTRAST) == []
        await tab.click("#stop")
        await tab.until(f"{STATE} === 'stopped'")
        assert await tab.eval(CONTRAST) == []

    run(test)


def test_a_question_is_answered_on_the_page(serve) -> None:
    console = serve()

    async def test(browser: Any) -> None:
        tab = await browser.open(console.address)
        await tab.until(READY)
        await tab.type("#question", "what is left of the <b>ball</b>?")
        await tab.key("Enter", "Enter", 13, "\r")
        await tab.until_text("#answers dd", "a yellow cube.")
        assert await tab.text("#answers dt") == "what is left of the <b>ball</b>?", "text is text, not markup"
        await tab.click("#actions button")
        await tab.until_text("#said", "instructvla_incidents")

    run(test)
    assert console.robot.asked == ["ask what is left of the <b>ball</b>?", "act save_last_minute"]


def test_what_the_voice_bridge_heard_is_confirmed_on_the_page(serve) -> None:
    console = serve()

    async def test(browser: Any) -> None:
        tab = await browser.open(console.address)
        await tab.until(READY)
        assert await tab.eval("document.querySelector('#heard-box').hidden")
        console.robot.board.put_heard(HeardWords("lift the <b>cube</b>", 0.8, True, "is it right?"))
        await tab.until_text("#heard", 'Heard: "lift the <b>cube</b>". is it right?')
        await tab.click("#heard-yes")
        await until(lambda: "act confirm_heard" in console.robot.asked)
        console.robot.board.put_heard(HeardWords("mumble", 0.1, False, "no command"))
        await tab.until_text("#heard", "mumble")
        assert await tab.eval("document.querySelector('#heard-answer').hidden"), "nothing to confirm"

    run(test)


def test_a_page_that_is_loaded_anew_shows_the_same_and_keeps_control(serve) -> None:
    console = serve()

    async def test(browser: Any) -> None:
        tab = await browser.open(console.address)
        await tab.until(READY)
        await instruct(tab, "touch it")
        await tab.until_text("#control", "you operate")
        await tab.until("document.querySelector('#reasoning').textContent.includes('down.')")
        await tab.reload()
        await tab.until(READY)
        await tab.until_text("#control", "you operate")
        await tab.until_text("#current", "touch it")
        await tab.until_text("#reasoning", "down.")
        await tab.until_text("#history", "touch it")

    run(test)


def test_two_viewers_see_the_same_one_operates_both_may_stop(serve) -> None:
    console = serve()

    async def test(browser: Any) -> None:
        first, second = await browser.open(console.address), await browser.open(console.address)
        for tab in (first, second):
            await tab.until(READY)
        await instruct(first, "touch it")
        await first.until_text("#control", "you operate")
        await second.until_text("#current", "touch it")
        await second.until_text("#control", "viewer")
        await second.until("document.querySelector('#text').disabled")
        await second.click("#stop")
        for tab in (first, second):
            await tab.until(f"{STATE} === 'stopped'")
        await second.click("#take")
        await second.until_text("#take", "again")
        assert "you operate" in await first.text("#control"), "one press does not take over"
        await second.click("#take")
        await second.until_text("#control", "you operate")
        await first.until("document.querySelector('#reset').disabled")
        await hold_reset(second, 1.2)
        await first.until(f"{STATE} === 'holding'")
        await second.click("#hand-over")
        await first.until_text("#control", "nobody operates")
        await instruct(first, "push it")
        await second.until_text("#current", "push it")

    run(test)


def test_with_a_wrong_token_one_only_looks_and_with_the_right_one_operates(serve) -> None:
    console = serve(token="a token of some length")

    async def test(browser: Any) -> None:
        tab = await browser.open(f"{console.address}#token=not-the-right-one")
        await tab.until(READY)
        await tab.until_text("#control", "the token is wrong")
        assert "token" not in await tab.eval("location.href"), "it leaves the address bar"
        assert await tab.eval("document.querySelector('#text').disabled")
        assert not await tab.eval("document.querySelector('#stop').disabled"), "on this machine a stop needs no token"
        await tab.type("#token", console.token)
        await tab.key("Enter", "Enter", 13, "\r")
        await tab.until("!document.querySelector('#text').disabled")
        await instruct(tab, "touch it")
        await tab.until(f"{STATE} === 'moving'")
        again = await browser.open(f"{console.address}#token={console.token.replace(' ', '%20')}")
        await again.until(READY)
        await again.until_text("#control", "viewer")
        assert await again.eval("document.querySelector('#token-form').hidden")

    run(test)


def test_a_dead_server_shows_at_once_and_the_page_comes_back_by_itself(serve) -> None:
    console = serve()

    async def test(browser: Any) -> None:
        from instructvla_ros.console.server import ConsoleServer
        from instructvla_ros.console.serving import ServerThread

        tab = await browser.open(console.address)
        await tab.until(READY)
        await tab.until("document.querySelector('#cameras .nothing').hidden")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, console.thread.stop)
        await tab.until(f"{STATE} === 'lost'", 3.0)
        await tab.until_text("#alarm", "emergency stop at the robot")
        assert await tab.eval("document.querySelector('#stop').disabled")
        await tab.until_text("#stop", "cannot reach")
        await tab.until("!document.querySelector('#cameras .nothing').hidden")
        server = ConsoleServer(console.board, console.robot, console.rules)
        thread = ServerThread(server, console.rules, console.thread.port)
        await loop.run_in_executor(None, thread.start)
        console.robot._put_frame = server.put_frame
        await tab.until(READY, 10.0)
        await tab.until(f"{STATE} === 'holding'")
        assert await tab.eval("document.querySelector('#alarm').hidden")
        await loop.run_in_executor(None, thread.stop)

    run(test)


def test_a_connection_that_hangs_shows_as_soon_as_one_that_breaks(serve, monkeypatch) -> None:
    console = serve()

    async def test(browser: Any) -> None:
        tab = await browser.open(console.address)
        await tab.until(READY)
        monkeypatch.setattr(console.server, "_tick", lambda: None)
        await tab.until(f"{STATE} === 'lost'", 3.0)
        assert await tab.eval("document.querySelector('#stop').disabled")
        monkeypatch.undo()
        await tab.until(READY, 10.0)

    run(test)


def test_without_a_filter_the_page_says_so_and_tries_to_stop_all_the_same(serve) -> None:
    console = serve(moves=False)

    async def test(browser: Any) -> None:
        tab = await browser.open(console.address)
        await tab.until(READY)
        await tab.until_text("#state-word", "no safety filter")
        await tab.until_text("#stop", "no safety filter is heard")
        await tab.click("#stop")
        await tab.until_text("#alarm", "emergency stop at the robot")

    run(test)


def test_on_a_phone_nothing_is_cut_off_and_the_stop_is_always_in_reach(serve) -> None:
    console = serve()

    async def test(browser: Any) -> None:
        tab = await browser.open(console.address, 360, 740, mobile=True)
        await tab.until(READY)
        await instruct(tab, "touch it")
        await tab.until(f"{STATE} === 'moving'")
        assert await tab.eval("document.documentElement.scrollWidth") <= 360
        for place in ("0", "document.body.scrollHeight / 2", "document.body.scrollHeight"):
            await tab.eval(f"window.scrollTo(0, {place})")
            rectangle = "document.querySelector('#stop').getBoundingClientRect()"
            box = await tab.eval(f"(({{top, bottom, width, height}}) => [top, bottom, width, height])({rectangle})")
            assert 0 <= box[0] and box[1] <= 740 and box[2] >= 300 and box[3] >= 60
            hit = f"document.elementFromPoint(180, {rectangle}.top + 20).closest('#stop') !== null"
            assert await tab.eval(hit), "nothing lies over it"
        small = await tab.eval(
            "[...document.querySelectorAll('button, input')].filter((e) => e.offsetParent)"
            ".filter((e) => e.getBoundingClientRect().height < 32).map((e) => e.id)"
        )
        assert small == [], "fingers need room"
        await tab.tap("#stop")
        await tab.until(f"{STATE} === 'stopped'")

    run(test)
    assert console.robot.asked == ["instruct touch it", "stop"]


def test_a_hidden_page_asks_for_no_pictures(serve) -> None:
    console = serve()

    async def test(browser: Any) -> None:
        tab = await browser.open(console.address)
        await tab.until(READY)
        await tab.until("document.querySelector('#cameras .nothing').hidden")
        assert console.robot.watched == (True, frozenset({"image"})), "only what another node looks at anyway"
        await tab.click("#camera-buttons button[data-camera=wrist_image]")
        await tab.until("document.querySelectorAll('#cameras figure:not([hidden])').length === 2")
        await tab.eval("Object.defineProperty(document, 'hidden', {value: true, configurable: true}); "
                       "document.dispatchEvent(new Event('visibilitychange'))")  # fmt: skip
        await until(lambda: console.robot.watched == (True, frozenset()))

    run(test)
