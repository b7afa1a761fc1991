# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo does with typed lines: instructions are published, a few words stop, reset, start over or end it."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.client import Client
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

from instructvla_ros.demo_dialogue import HELP, Keyboard, Word, meaning
from instructvla_ros.nodes.scene_reset import SceneReset


class DemoTalk:
    """Obeys typed lines and says what came of each.

    Attributes:
        heard_at: when the last line came, on the monotonic clock [s]; minus infinity before the first.
        quit: whether the demo was told to end.
        stopped: whether the arm was told to stop and not released since.

    Args:
        node: whose executor runs it.
        keyboard: where lines come from.
        instruction: publisher of instructions.
        scene: seed of the scene that starting over lays.
        say: shows a line to the person.
    """

    def __init__(
        self, node: Node, keyboard: Keyboard, instruction: Publisher, scene: int, say: Callable[[str], None]
    ) -> None:
        self.heard_at = -float("inf")
        self.quit = False
        self.stopped = False
        self._keyboard, self._instruction, self._scene, self._say = keyboard, instruction, scene, say
        self._stop = node.create_client(Trigger, "safety_filter_node/stop")
        self._release = node.create_client(Trigger, "safety_filter_node/reset")
        self._scene_reset = SceneReset(node, instruction)
        say(HELP)

    def poll(self) -> None:
        """Obey the lines that have come; never waits."""
        for line in self._keyboard.lines():
            try:
                meant = meaning(line)
            except ValueError as error:
                self._say(str(error))
                continue
            if meant:
                self.heard_at = time.monotonic()
                self._obey(meant)

    def _obey(self, meant: Word | str) -> None:
        if meant is Word.HELP:
            self._say(HELP)
        elif meant is Word.QUIT:
            self.quit = True
        elif meant is Word.STOP:
            self.stopped = True
            self._instruction.publish(String())  # so that a reset alone sets nothing in motion
            self._call(self._stop, "the arm stops and stays until you type reset", lambda: None)
        elif meant is Word.RESET:
            self._instruction.publish(String())
            self._call(self._release, "the arm may move again; it waits for your next instruction", self._released)
        elif meant is Word.AGAIN:
            self._say("the arm goes home, and everything back on the table ...")
            self._scene_reset.start(self._scene, self._on_scene_reset)
        elif self.stopped:
            self._say(f'the arm is stopped: type reset first; "{meant}" was not sent')
        else:
            self._instruction.publish(String(data=str(meant)))

    def _call(self, client: Client, success: str, on_success: Callable[[], None]) -> None:
        if not client.service_is_ready():
            self._say(f"{client.srv_name} is not there: nothing was done")
            return

        def on_answer(future: Future) -> None:
            response = future.result()
            if response.success:
                on_success()
            self._say(success if response.success else response.message)

        client.call_async(Trigger.Request()).add_done_callback(on_answer)

    def _released(self) -> None:
        self.stopped = False

    def _on_scene_reset(self, failure: str) -> None:
        if not failure:
            self._released()
        self._say(failure or "all is as at the beginning; type the next instruction")
