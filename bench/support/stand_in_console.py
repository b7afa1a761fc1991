# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A robot in the console's terms, without ROS: it obeys, moves its joints, speaks word by word, and has two cameras.

python bench/support/stand_in_console.py [--port 8642] [--address 127.0.0.1]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from instructvla_ros.console.access import AccessRules  # noqa: E402
from instructvla_ros.console.board import Board  # noqa: E402
from instructvla_ros.console.projection import Intrinsics  # noqa: E402
from instructvla_ros.console.reports import ActingLimit, Camera, FilterStatus  # noqa: E402
from instructvla_ros.console.robot_side import Outcome  # noqa: E402
from instructvla_ros.robot.action_chunk import ActionChunk  # noqa: E402
from instructvla_ros.robot.gripper import GripperMapping  # noqa: E402
from instructvla_ros.robot.joint_state import JointState  # noqa: E402
from instructvla_ros.robot.kinematics import KinematicChain  # noqa: E402
from instructvla_ros.sim.arm_model import urdf  # noqa: E402
from instructvla_ros.sim.arm_numbers import ARM_JOINTS, HOME, camera_mount  # noqa: E402

CAMERAS = (Camera("image", "Front camera", 0.5), Camera("wrist_image", "Wrist camera", 0.5))
PERIOD = 0.05  # [s]
SIZE = (320, 240)
HOLDING, MOVING, STOPPED = 1, 2, 4


def make_board() -> Board:
    """A board as the console node makes it for the simulated arm."""

    def chain(urdf_text: str) -> KinematicChain:
        return KinematicChain.from_urdf(urdf_text, "base_link", "gripper_link")

    return Board("sim", "base_link", chain, GripperMapping("left_finger", 0.0, 0.037), CAMERAS, 0.2)


class StandIn:
    """Answers as the graph would, and counts what it was asked."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.asked: list[str] = []
        self.watched: tuple[bool, frozenset[str]] = (False, frozenset())
        self.encoded = 0
        self.speed_scale = 1.0
        self.stopped = False
        self.answers = True
        self.phase = 0.0
        self._words = ""
        self._put_frame = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    # ---- RobotSide

    def instruct(self, text: str) -> None:
        self.asked.append(f"instruct {text}")
        self.board.put_instruction(text)
        self._words = f"{text}. it is on the right. move right, forward and down." if text else ""

    async def stop(self) -> Outcome:
        self.asked.append("stop")
        if not self._thread.is_alive():
            return Outcome(False, "the safety filter is not there: use the emergency stop at the robot")
        self.stopped = True
        self.board.put_instruction("")
        self._tell()
        return Outcome(True, "the arm stops and stays until a reset")

    async def reset(self) -> Outcome:
        self.asked.append("reset")
        self.stopped = False
        self._tell()
        return Outcome(True, "the arm may move again; it waits for your next instruction")

    async def ask(self, question: str) -> Outcome:
        self.asked.append(f"ask {question}")
        await asyncio.sleep(0.3)
        return Outcome(self.answers, "a yellow cube." if self.answers else "the policy is not there")

    async def set_speed_scale(self, share: float) -> Outcome:
        self.asked.append(f"speed {share:g}")
        self.speed_scale = share
        return Outcome(True, f"speed limit {share:.0%}")

    async def act(self, action: str) -> Outcome:
        self.asked.append(f"act {action}")
        return Outcome(True, "the last 60 s will be in ~/instructvla_incidents")

    def watch(self, watched: bool, cameras: frozenset[str]) -> None:
        self.watched = watched, cameras

    # ---- the world

    def start(self, put_frame) -> None:
        """Begin to move; frames go to the function."""
        self._put_frame = put_frame
        self.board.put_description(urdf())
        for camera, name in (("image", "front"), ("wrist_image", "wrist")):
            mount = camera_mount(name)
            self.board.places[camera].intrinsics = Intrinsics.checked(
                *SIZE, mount.intrinsics(*SIZE), np.zeros(5), "plumb_bob", mount.optical_frame
            )
        self.board.put_abilities(True, [("save_last_minute", "Save the last minute")])
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._thread.join(5.0)

    @property
    def moving(self) -> bool:
        return bool(self.board.instruction) and not self.stopped and self.speed_scale > 0.0

    def _tell(self) -> None:
        state = STOPPED if self.stopped else MOVING if self.moving else HOLDING
        speed = ActingLimit("translation_speed", "", 0.31, 0.2, 1.2, "m/s", "slowed")
        gripper = ActingLimit("gripper_speed", "gripper", 0.0, 5.9e-6, 0.1, "", "a tick before it is closed")
        limits = (speed, gripper) if self.moving else ()
        reason = {STOPPED: "a stop was asked for", MOVING: "following chunk 7", HOLDING: "no chunk"}[state]
        now = time.time()
        self.board.put_status(FilterStatus(now, state, reason, 0.65, self.speed_scale, 0.01, 0.2, limits, 12))

    def _run(self) -> None:
        tick = 0
        while not self._ending.wait(PERIOD):
            tick += 1
            now = time.time()
            if self.moving:
                self.phase += PERIOD * self.speed_scale
            positions = [0.4 * np.sin(self.phase), HOME[1] + 0.2 * np.sin(0.7 * self.phase), *HOME[2:], 0.03]
            self.board.count_input("joint_states", now)
            self.board.put_joint_state(JointState(now, (*ARM_JOINTS, "left_finger"), np.array(positions)))
            if tick % 2 == 0:
                self._tell()
            if tick % 4 == 0 and self.moving:
                self._send_chunk(now)
            if self.moving and self._words and tick % 3 == 0:
                told = self.board.state()["reasoning"]
                spoken = told["text"] if told and self._words.startswith(told["text"]) else ""
                text = " ".join(self._words.split()[: len(spoken.split()) + 1])
                self.board.put_reasoning(text, self.board.instruction, text == self._words, now)
            if tick % 20 == 0:
                values = {
                    "inference p50 p95 p99 [ms]": "84 112 140",
                    "reasoning p50 p95 p99 [ms]": "410 520 600",
                    "chunk rate [Hz]": "5.00",
                    "age of image [s]": "0.080",
                    "age of joint_states [s]": "0.012",
                }
                self.board.put_policy("acting", True, values)
                self.board.put_recorder("flight recorder", records=False)
            self._send_frames(now)

    def _send_chunk(self, now: float) -> None:
        time_ahead = self.phase + 0.2 * np.arange(17)
        way = np.column_stack([0.02 * np.cos(time_ahead), 0.1 * np.sin(time_ahead), -0.004 * np.arange(17)])
        grippers = np.where(np.arange(16) < 10, 1.0, 0.0)
        self.board.put_chunk(
            ActionChunk(now, "base_link", 1, 7, 0.2, np.diff(way, axis=0), np.zeros((16, 3)), grippers)
        )

    def _send_frames(self, now: float) -> None:
        watched, cameras = self.watched
        for camera in sorted(cameras):
            picture = np.full((SIZE[1], SIZE[0], 3), (150, 170, 190), np.uint8)
            cv2.circle(picture, (int(160 + 60 * np.sin(self.phase)), 120), 12, (40, 40, 200), -1)
            _, jpeg = cv2.imencode(".jpg", picture)
            self.encoded += 1
            self._put_frame(camera, now - 0.05, jpeg.tobytes())


def main() -> int:
    """Serve until Ctrl-C."""
    from instructvla_ros.console.server import ConsoleServer
    from instructvla_ros.console.serving import ServerThread

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8642)
    parser.add_argument("--address", default="127.0.0.1")
    given = parser.parse_args()
    board = make_board()
    robot = StandIn(board)
    rules = AccessRules.make(given.address)
    server = ConsoleServer(board, robot, rules)
    thread = ServerThread(server, rules, given.port)
    thread.start()
    robot.start(server.put_frame)
    print(f"{thread.address}{f'#token={rules.token}' if rules.token else ''}", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        robot.end()
        thread.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
