# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Playing a bag at the right times: an absolute schedule on the monotonic clock, so that nothing drifts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from instructvla_ros.bags import is_output
from instructvla_ros.bags.findings import Finding
from instructvla_ros.bags.reading import Bag, BagReadingError
from instructvla_ros.bags.writing import Quality
from instructvla_ros.timing import NANOSECONDS, LatencyWindow

KEPT_ERRORS = 1_000_000


class PlayingError(ValueError):
    """A bag cannot be played; the message names it and why."""


@dataclass(frozen=True)
class PlayedTopic:
    """A topic of a bag: its type, such as ``std_msgs/msg/String``, and the quality it was offered with."""

    message_type: str
    quality: Quality


class Recording:
    """A bag as it is played.

    ``/clock`` is never played: the player tells the time itself. Of a bag on two clocks, messages on the rarer one are
    left out.

    Args:
        path: folder of the bag, or a lone file of one.
        everything: whether what :func:`~instructvla_ros.bags.is_output` names is played too.

    Raises:
        PlayingError: it is no bag, or there is nothing in it to be played.
    """

    def __init__(self, path: str | Path, everything: bool = False) -> None:
        try:
            self._bag = Bag(path)
        except BagReadingError as error:
            raise PlayingError(str(error)) from error
        self.topics = {
            name: PlayedTopic(topic.message_type, topic.quality)
            for name, topic in self._bag.topics.items()
            if topic.count and name != "/clock" and (everything or not is_output(name, topic.message_type))
        }
        if not self.topics:
            self._bag.close()
            raise PlayingError(". ".join([f"{path} holds no message to play", *map(str, self._bag.findings)]))
        self.start, self.end = self._bag.start, self._bag.end

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the bag, as far as it has been played."""
        return self._bag.findings

    def messages(self, start: int) -> Iterator[tuple[str, int, bytes]]:
        """Topic, stamp [ns] and bytes from a stamp on; before them, what was latched by then, with that stamp."""
        latched = [name for name, topic in self.topics.items() if topic.quality.latched]
        if start > self.start and latched:
            newest = {message.topic: message.data for message in self._bag.messages(latched, self.start, start)}
            for topic, data in newest.items():
                yield topic, start, data
        for message in self._bag.messages(self.topics, start, self.end + 1):
            yield message.topic, message.stamp, message.data

    def close(self) -> None:
        """Let the file go."""
        self._bag.close()


class Player:
    """Hands out a recording's messages when they are due.

    A message is due at ``anchor + (stamp - stamp of the anchor) / rate`` on the monotonic clock. Only a pause, a step
    and a new loop set another anchor, so errors do not add up.

    Args:
        recording: what to play.
        publish: called with topic and bytes.
        tell_time: called with the recording's time [ns]: before each message, and in between at ``clock_rate``.
        rate: how many seconds of the recording pass in a second.
        start: where it begins, after the recording's start [s].
        loop: whether it begins again at the end.
        clock_rate: [Hz].

    Raises:
        PlayingError: rate or start make no sense.
    """

    def __init__(
        self,
        recording: Recording,
        publish: Callable[[str, bytes], None],
        tell_time: Callable[[int], None],
        *,
        rate: float = 1.0,
        start: float = 0.0,
        loop: bool = False,
        clock_rate: float = 100.0,
    ) -> None:
        duration = (recording.end - recording.start) / NANOSECONDS
        if not rate > 0.0 or not 0.0 <= start <= duration:
            raise PlayingError(f"a rate above 0 and a start in 0 .. {duration:.3f} s are needed: {rate:g}, {start:g} s")
        self._recording, self._publish, self._tell_time = recording, publish, tell_time
        self._rate, self._loop, self._tick = rate, loop, 1.0 / clock_rate
        self._start = recording.start + int(start * NANOSECONDS)
        self._changed = threading.Condition()
        self._paused = self._ending = False
        self._steps = 0
        self._anchor = (0.0, self._start)
        self._position = self._start
        self.errors = LatencyWindow(KEPT_ERRORS)
        """How late each message was handed out [s]."""

    def pause(self) -> None:
        """Stand still; the recording's time stands too."""
        with self._changed:
            self._position = self._now()
            self._paused = True
            self._changed.notify_all()

    def resume(self) -> None:
        """Go on from where it stands."""
        with self._changed:
            if self._paused:
                self._paused = False
                self._anchor = (time.monotonic(), self._position)
                self._changed.notify_all()

    def step(self) -> bool:
        """Hand out one message more while paused; False where it is not paused."""
        with self._changed:
            self._steps += self._paused
            self._changed.notify_all()
            return self._paused

    def stop(self) -> None:
        """End :meth:`run`."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def run(self) -> None:
        """Play; returns at the end, or after :meth:`stop`."""
        while not self._ending:
            with self._changed:
                self._anchor = (time.monotonic(), self._start)
                self._position = self._start
            for topic, stamp, data in self._recording.messages(self._start):
                if not self._wait(stamp):
                    return
                self._tell_time(self._position)  # later than the stamp where a bag is out of order: no clock goes back
                self._publish(topic, data)
            if not self._loop:
                return

    def _now(self) -> int:
        if self._paused:
            return self._position
        since, stamp = self._anchor
        return max(self._position, stamp + int((time.monotonic() - since) * self._rate * NANOSECONDS))

    def _wait(self, stamp: int) -> bool:
        """Wait until a message is due, telling the time meanwhile; False where the end came first."""
        while True:
            with self._changed:
                if self._ending:
                    return False
                if self._paused and self._steps:
                    self._steps -= 1
                    self._position = max(stamp, self._position)
                    return True
                now = self._position if self._paused else None
                if now is None:
                    since, anchored = self._anchor
                    due = since + (stamp - anchored) / self._rate / NANOSECONDS
                    late = time.monotonic() - due
                    if late >= 0.0:
                        self.errors.add(late)
                        self._position = max(stamp, self._position)
                        return True
                    self._changed.wait(min(-late, self._tick))
                else:
                    self._changed.wait(self._tick)
                now = min(self._now(), max(stamp, self._position))
            self._tell_time(now)
