# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What was seen of a live graph in a while: names and types, arrivals and stamps, one picture, one joint state."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Endpoint:
    """A publisher or subscription of another node.

    Attributes:
        node: its full name.
        type: of the messages, as ``std_msgs/msg/String``.
        latched: whether it offers, or asks for, messages of before it was there.
    """

    node: str
    type: str
    latched: bool = False


@dataclass
class Stream:
    """A topic that was listened to.

    Attributes:
        topic: its full name.
        type: that was listened for.
        publishers: of any type.
        arrivals: when each message came, on a monotonic clock [s].
        ages: of each message when it came, by its stamp and our clock [s]; infinity for a stamp of zero.
        frame: ``header.frame_id`` of the newest.
        stamps: of each message [s].
    """

    topic: str
    type: str
    publishers: tuple[Endpoint, ...] = ()
    arrivals: list[float] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    stamps: list[float] = field(default_factory=list)
    frame: str = ""

    @property
    def rate(self) -> float:
        """Messages a second [Hz]; 0 where fewer than two came."""
        if len(self.arrivals) < 2:
            return 0.0
        return (len(self.arrivals) - 1) / (self.arrivals[-1] - self.arrivals[0])

    @property
    def period(self) -> float:
        """Median time between two messages [s]; infinity where fewer than two came."""
        return float(np.median(np.diff(self.arrivals))) if len(self.arrivals) > 1 else float("inf")

    @property
    def age(self) -> float:
        """Median age [s]; NaN where none came."""
        return float(np.median(self.ages)) if self.ages else float("nan")


@dataclass
class CameraStream(Stream):
    """A camera.

    Attributes:
        encoding: of the newest image; the format of a compressed one.
        width: [px].
        height: [px].
        fault: why the newest image cannot be used; empty if it can.
        first: the first picture, ``(H, W, 3)`` uint8, if any could be read.
        last: the newest.
    """

    encoding: str = ""
    width: int = 0
    height: int = 0
    fault: str = ""
    first: np.ndarray | None = None
    last: np.ndarray | None = None


@dataclass
class JointStream(Stream):
    """Joint states.

    Attributes:
        names: of all joints seen, in the order of their coming.
        first: position of each when it was first seen [rad or m].
        positions: of each, newest [rad or m].
        apart: whether the names came in several kinds of message.
    """

    names: list[str] = field(default_factory=list)
    first: dict[str, float] = field(default_factory=dict)
    positions: dict[str, float] = field(default_factory=dict)
    apart: bool = False


@dataclass
class Command:
    """Where a command goes.

    Attributes:
        topic: its full name; an action's name for actions.
        type: as ``trajectory_msgs/msg/JointTrajectory``.
        listeners: who would hear it.
        masters: who else sends it.
        action: whether it is an action; ``listeners`` then are its servers.
    """

    topic: str
    type: str
    listeners: tuple[Endpoint, ...] = ()
    masters: tuple[Endpoint, ...] = ()
    action: bool = False


@dataclass
class Seen:
    """Everything.

    Attributes:
        seconds: how long was looked [s].
        cameras: by view.
        joints: the joint states.
        description: text of the robot description; None where none came.
        description_topic: full name.
        description_publishers: who publishes it.
        commands: to arm and gripper.
        topics: types by full name of every topic in the graph.
        clock_offsets: by name of the machine, how far its clock is ahead of ours and how well that is known [s].
    """

    seconds: float
    cameras: dict[str, CameraStream]
    joints: JointStream
    description: str | None = None
    description_topic: str = "/robot_description"
    description_publishers: tuple[Endpoint, ...] = ()
    commands: list[Command] = field(default_factory=list)
    topics: dict[str, tuple[str, ...]] = field(default_factory=dict)
    clock_offsets: dict[str, tuple[float, float]] = field(default_factory=dict)
