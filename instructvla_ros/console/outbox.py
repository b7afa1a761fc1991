# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What one viewer is sent next: always the newest, never a queue.

A page acknowledges each state and each frame. Only so many may be under way; what comes meanwhile replaces what waits.
So a slow viewer sees fewer pictures, but none that is old, and buffers of the network never fill with them.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

FRAMES_UNDER_WAY = 2
"""Of one camera: the second is sent while the page draws the first."""

STATES_UNDER_WAY = 3

LONGEST_ANSWERS = 64
"""Answers to a viewer's own requests are not replaced; a viewer that leaves so many unread is not reading at all."""

FRAME_HEADER = struct.Struct("<BIf")
"""Before each JPEG: index of the camera in the state's list, number of the frame, its age when it was sent [s]."""


@dataclass(frozen=True)
class Frame:
    """One encoded picture, the same for all viewers.

    Attributes:
        camera: name of its topic.
        number: grows by one with each of the camera.
        stamp: when it was taken, on the clock that the server is given [s].
        jpeg: the picture.
    """

    camera: str
    number: int
    stamp: float
    jpeg: bytes


class Outbox:
    """Decides what a viewer gets next. Not thread-safe: one event loop uses it.

    Args:
        cameras: all cameras, in the order of the state's list.
        clock: the clock of the frames' stamps [s].
        monotonic: the clock of patience [s].
    """

    def __init__(self, cameras: tuple[str, ...], clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self.watched: frozenset[str] = frozenset()
        self.skipped = 0
        """Frames that were replaced before they were sent."""
        self._cameras, self._clock, self._monotonic = cameras, clock, monotonic
        self._answers: deque[str] = deque()
        self._state: tuple[int, str] | None = None
        self._frames: dict[str, Frame] = {}
        self._states_under_way: deque[tuple[int, float]] = deque()
        self._frames_under_way: dict[str, deque[int]] = {camera: deque() for camera in cameras}

    @property
    def overflowing(self) -> bool:
        """Whether the viewer leaves its answers unread."""
        return len(self._answers) > LONGEST_ANSWERS

    @property
    def silence(self) -> float:
        """For how long the oldest state that was sent has not been acknowledged [s]; 0 if none is under way."""
        return self._monotonic() - self._states_under_way[0][1] if self._states_under_way else 0.0

    def offer_answer(self, text: str) -> None:
        """Something that this viewer must get: an answer, or news of its rights."""
        self._answers.append(text)

    def offer_state(self, number: int, text: str) -> None:
        """The newest state, in place of one that waits."""
        self._state = number, text

    def offer_frame(self, frame: Frame) -> None:
        """The newest frame of a camera, in place of one that waits."""
        if frame.camera in self.watched:
            self.skipped += frame.camera in self._frames
            self._frames[frame.camera] = frame

    def watch(self, cameras: frozenset[str]) -> None:
        """Change what is watched; unknown names are none of ours."""
        self.watched = cameras & set(self._cameras)
        self._frames = {camera: frame for camera, frame in self._frames.items() if camera in self.watched}

    def seen_state(self, number: int) -> None:
        """The page has this state, and so all before it."""
        while self._states_under_way and self._states_under_way[0][0] <= number:
            self._states_under_way.popleft()

    def seen_frame(self, camera: str, number: int) -> None:
        """The page has this frame, and so all of the camera before it."""
        under_way = self._frames_under_way.get(camera)
        while under_way and under_way[0] <= number:
            under_way.popleft()

    def next(self) -> str | bytes | None:
        """What to send now; None while there is nothing new, or too much under way."""
        if self._answers:
            return self._answers.popleft()
        if self._state is not None and len(self._states_under_way) < STATES_UNDER_WAY:
            number, text = self._state
            self._state = None
            self._states_under_way.append((number, self._monotonic()))
            return text
        for camera in self._frames:
            if len(self._frames_under_way[camera]) < FRAMES_UNDER_WAY:
                frame = self._frames.pop(camera)  # the dictionary's order lets cameras take turns
                self._frames_under_way[camera].append(frame.number)
                age = self._clock() - frame.stamp
                return FRAME_HEADER.pack(self._cameras.index(camera), frame.number % 2**32, age) + frame.jpeg
        return None
