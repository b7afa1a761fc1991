# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a person types while the demo runs, and what it means. No ROS, and never a wait."""

from __future__ import annotations

import enum
import os
import select
from collections.abc import Callable

LONGEST_LINE = 1000  # characters; more is no instruction
_PIECE = 4096  # bytes that are read at a time


class Word(enum.Enum):
    """Lines that are not instructions; the value says what each does."""

    STOP = "stops the arm, until reset"
    RESET = "allows motion after a stop"
    AGAIN = "puts the arm home and everything back on the table"
    HELP = "shows these words"
    QUIT = "ends the demo"


HELP = "type an instruction and press Enter, or one of " + "; ".join(
    f"{word.name.lower()}: {word.value}" for word in Word
)


def meaning(line: str) -> Word | str:
    """A typed line as one of the demo's own words, or as an instruction; an empty text means nothing.

    Raises:
        ValueError: the line is too long.
    """
    text = "".join(letter if letter.isprintable() else " " for letter in line).strip()
    if len(text) > LONGEST_LINE:
        raise ValueError(f"{len(text)} characters are too many for an instruction, {LONGEST_LINE} are allowed")
    by_name = {word.name.lower(): word for word in Word}
    return by_name.get(text.lower().rstrip(".!"), text)


class Keyboard:
    """Lines from a file descriptor as far as they have come.

    Args:
        descriptor: a pipe or a terminal.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self.open = True

    def lines(self) -> list[str]:
        """What has been completed since the last call; never waits."""
        pieces = []
        while self.open and _is_readable(self._descriptor):
            piece = _read(self._descriptor)
            self.open = bool(piece)
            pieces.append(piece if piece or not self._rest else b"\n")  # what stands before the end is a line too
        *whole, self._rest = (self._rest + b"".join(pieces)).split(b"\n")
        if len(self._rest) > 4 * LONGEST_LINE + 1:
            self._rest = self._rest[: 4 * LONGEST_LINE + 1]  # kept too long, so that it is refused when it ends
        return [line.decode("utf-8", errors="replace") for line in whole]


class Relay:
    """Passes on what is typed here to a process that reads it from a pipe.

    The demo's nodes live in sessions of their own, away from the terminal, so that Ctrl-C does not reach them.

    Args:
        source: descriptor of the standard input.
        sink: descriptor of the pipe's writing end; it is closed when the source ends.
    """

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        os.set_blocking(sink, False)
        self.open = True

    def pass_on(self) -> None:
        """Pass on what has come; never waits. In the background the terminal is left to others."""
        while self.open and in_foreground(self._source) and _is_readable(self._source):
            piece = _read(self._source)
            try:
                if piece:
                    os.write(self._sink, piece)
                    continue
            except BlockingIOError:
                continue  # nobody has read 64 KiB: there is no use in more
            except BrokenPipeError:
                pass
            self.close()

    def close(self) -> None:
        """End, and let the reader know."""
        if self.open:
            self.open = False
            os.close(self._sink)


def in_foreground(descriptor: int, group: Callable[[], int] = os.getpgrp) -> bool:
    """Whether this process may read a terminal without being stopped for it; true for what is no terminal."""
    try:
        return os.tcgetpgrp(descriptor) == group()
    except OSError:
        return True


def _is_readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0.0)[0])


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _PIECE)
    except OSError:  # the terminal is gone
        return b""
