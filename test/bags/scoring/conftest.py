# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags and models that the tests of scoring share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from instructvla_ros.bags.message_types import type_store
from instructvla_ros.bags.writing import BagWriter, Quality
from instructvla_ros.policy.profile import EnsembleExecution, RobotProfile
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.sim.arm_model import HOME, urdf
from instructvla_ros.timing import NANOSECONDS

START = 1_700_000_000
LENGTH = 4  # steps of the fake model's chunks


class FakeModel:
    """Moves by the first pixel along x, by the noise along y, by the length of what it said along z [mm]."""

    chunk_length = LENGTH
    uses_state = False
    datasets = ("sim",)

    def __init__(self, num_views: int = 1, has_reasoning: bool = False) -> None:
        self.num_views, self.has_reasoning = num_views, has_reasoning
        self.seen: list[tuple[int, ...]] = []
        self.spoken_of: list[int] = []

    def act(self, images: Any, instruction: str, reasoning: str | None = None, noise: Any = None, **_: Any) -> Any:
        self.seen.append(tuple(int(image[0, 0, 0]) for image in images))
        actions = np.zeros((LENGTH, 7))
        actions[:, 0] = 1e-3 * images[0][0, 0, 0]
        actions[:, 1] = 0.0 if noise is None else 1e-4 * noise[:, 0]
        actions[:, 2] = 1e-3 * len(reasoning or "")
        actions[:, 6] = 1.0
        return SimpleNamespace(actions=actions, latent_actions=np.zeros((1, 1)))

    def reason(self, images: Any, instruction: str, on_text: Any = None, should_stop: Any = None) -> Any:
        self.spoken_of.append(int(images[0][0, 0, 0]))
        return SimpleNamespace(text=f"{instruction}!", words=instruction)

    def ask(self, images: Any, question: str, on_text: Any = None, should_stop: Any = None) -> Any:
        raise AssertionError("nobody asks here")


def picture(number: int) -> np.ndarray:
    """A frame whose first pixel is its number."""
    rgb = np.random.default_rng(number).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    rgb[0, 0] = number
    return rgb


def chunk_at(stamp: float, steps: np.ndarray, **changes: Any) -> ActionChunk:
    """A chunk of steps ``(H, 7)``."""
    fields = {"frame": "base_link", "epoch": 1, "sequence": 1, "period": 0.2, "instruction": ""} | changes
    return ActionChunk(stamp, translations=steps[:, :3], rotations=steps[:, 3:6], grippers=steps[:, 6], **fields)


class BagMaker:
    """Writes messages by their fields; times are seconds after ``START``."""

    def __init__(self, path: Path) -> None:
        self.path, self.writer, self.store = path, BagWriter(path), type_store()

    def write(self, topic: str, kind: str, time: float, fields: tuple, latched: bool = False) -> None:
        self.writer.add_topic(topic, kind, Quality(latched=latched))
        data = bytes(self.store.serialize_cdr(self.store.types[kind](*fields), kind))
        self.writer.write(topic, START * NANOSECONDS + round(time * NANOSECONDS), data)

    def header(self, time: float, frame: str = "base_link") -> Any:
        stamp = START * NANOSECONDS + round(time * NANOSECONDS)
        made = self.store.types["builtin_interfaces/msg/Time"](*divmod(stamp, NANOSECONDS))
        return self.store.types["std_msgs/msg/Header"](made, frame)

    def text(self, topic: str, time: float, text: str) -> None:
        self.write(topic, "std_msgs/msg/String", time, (text,), latched=True)

    def image(self, time: float, number: int, topic: str = "/image", stamp: float | None = None) -> None:
        rgb = picture(number)
        height, width, _ = rgb.shape
        fields = (self.header(time if stamp is None else stamp), height, width, "rgb8", 0, 3 * width, rgb.ravel())
        self.write(topic, "sensor_msgs/msg/Image", time, fields)

    def joints(self, time: float, profile: RobotProfile, positions: np.ndarray, opening: float = 1.0) -> None:
        names = [*profile.joints, profile.gripper.joint]
        values = np.append(positions, profile.gripper.position(opening))
        fields = (self.header(time), names, values, np.zeros(0), np.zeros(0))
        self.write("/joint_states", "sensor_msgs/msg/JointState", time, fields)

    def close(self) -> Path:
        self.writer.close()
        return self.path


@pytest.fixture(scope="session")
def profile() -> RobotProfile:
    """The simulator's, with a chunk at every tick."""
    return replace(RobotProfile.load("sim"), execution=EnsembleExecution(7, 0.1))


@pytest.fixture(scope="session")
def chain(profile: RobotProfile) -> KinematicChain:
    return profile.chain(urdf())


@pytest.fixture
def make_bag(tmp_path: Path, profile: RobotProfile) -> Callable[..., Path]:
    """A bag of two seconds at 5 Hz in which the waist turns; ``without`` leaves topics out."""

    def make(without: tuple[str, ...] = (), fill: Callable[[BagMaker], None] | None = None, name: str = "bag") -> Path:
        maker = BagMaker(tmp_path / name)
        if "robot_description" not in without:
            maker.text("/robot_description", 0.0, urdf())
        if "instruction" not in without:
            maker.text("/instruction", 0.0, "turn left")
        if fill is not None:
            fill(maker)
        for index in range(11):
            time = 0.2 * index
            if "image" not in without:
                maker.image(time, 10 + index)
            if "joint_states" not in without:
                positions = np.array(HOME, dtype=float)
                positions[0] += 0.1 * time
                maker.joints(time, profile, positions)
        return maker.close()

    return make
