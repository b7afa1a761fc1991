# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Words spoken aloud by espeak-ng, in a process of its own. One text at a time, the newest."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable

PROGRAM = "espeak-ng"
LONGEST_TEXT = 200  # characters; the microphone is muted meanwhile, so nobody should have to wait long
LONGEST_TIME = 30.0  # [s] after which a voice that does not end is ended
TAIL = 0.3  # how long the microphone stays muted afterwards: rooms echo [s]


class Speaker:
    """Speaks, and says whether it speaks; any thread may call it.

    Args:
        voice: name of a voice of espeak-ng.
        speed: words a minute.
        command: how the program is called; None: found on PATH. Text comes by its standard input.
        clock: monotonic time [s].
    """

    def __init__(
        self,
        voice: str = "en-us",
        speed: int = 160,
        command: list[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        program = shutil.which(PROGRAM)
        if command is None and program is not None:
            command = [program, "-v", voice, "-s", str(speed), "--stdin"]
        self._command, self._clock = command, clock
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._ended = -float("inf")
        missing = f"nothing is spoken: {PROGRAM} is missing (sudo apt-get install {PROGRAM})"
        self.trouble = missing if command is None else ""

    @property
    def speaking(self) -> bool:
        """Whether something is spoken, or was until just now."""
        with self._lock:
            now = self._clock()
            process = self._process
            if process is not None:
                if process.poll() is None and now - self._started < LONGEST_TIME:
                    return True
                if process.poll() is None:
                    process.kill()
                elif process.returncode:
                    self.trouble = f"{PROGRAM} ended with exit code {process.returncode}: is there a loudspeaker?"
                process.wait()
                self._process, self._ended = None, now
            return now - self._ended < TAIL

    def say(self, text: str) -> None:
        """Begin to speak; what is being spoken is cut short. Never waits."""
        spoken = " ".join(text.split())[:LONGEST_TEXT]
        with self._lock:
            self.hush()
            if not self._command or not spoken:
                return
            try:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
                assert self._process.stdin is not None
                self._process.stdin.write(spoken.encode())  # shorter than a pipe holds, so it does not wait
                self._process.stdin.close()
            except OSError as error:
                self.trouble = f"nothing is spoken: {self._command[0]}: {error}"
            self._started = self._clock()

    def hush(self) -> None:
        """Be silent at once."""
        with self._lock:
            process, self._process = self._process, None
            if process is not None:
                process.kill()
                process.wait()
                self._ended = self._clock()
