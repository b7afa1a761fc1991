# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The robot speaks one text at a time and knows when it does."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from instructvla_ros.voice import speaking
from instructvla_ros.voice.speaking import LONGEST_TEXT, TAIL, Speaker

FOREVER = [sys.executable, "-c", "import time; time.sleep(60)"]


def writing(path: Path) -> list[str]:
    return [sys.executable, "-c", f"import sys; open({str(path)!r}, 'w').write(sys.stdin.read())"]


def test_it_speaks_the_text_and_is_silent_a_moment_after_it(tmp_path: Path) -> None:
    now = SimpleNamespace(time=0.0)
    speaker = Speaker(command=writing(tmp_path / "said"), clock=lambda: now.time)
    assert not speaker.speaking
    speaker.say("  pick up\nthe red cube " + "x" * 500)
    process = speaker._process
    assert process is not None
    process.wait(10.0)
    assert speaker.speaking, "rooms echo"
    now.time += TAIL + 0.01
    assert not speaker.speaking
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert said.startswith("pick up the red cube x") and len(said) == LONGEST_TEXT


def test_a_newer_text_takes_the_place_of_the_one_that_is_spoken() -> None:
    speaker = Speaker(command=FOREVER)
    speaker.say("one")
    first = speaker._process
    assert speaker.speaking
    speaker.say("two")
    assert first is not None and first.poll() is not None and speaker.speaking
    speaker.hush()
    assert speaker._process is None


def test_a_voice_that_does_not_end_is_ended() -> None:
    now = SimpleNamespace(time=0.0)
    speaker = Speaker(command=FOREVER, clock=lambda: now.time)
    speaker.say("one")
    now.time += speaking.LONGEST_TIME + 1.0
    speaker.speaking  # noqa: B018  # the look notices it
    now.time += TAIL + 0.1
    assert not speaker.speaking


def test_without_the_program_nothing_is_spoken_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    speaker = Speaker()
    assert "espeak-ng is missing (sudo apt-get install espeak-ng)" in speaker.trouble
    speaker.say("anything")
    assert not speaker.speaking


def test_a_failing_voice_is_told_of() -> None:
    speaker = Speaker(command=[sys.executable, "-c", "raise SystemExit(3)"])
    speaker.say("anything")
    assert speaker._process is not None
    speaker._process.wait(10.0)
    assert speaker.speaking and "exit code 3: is there a loudspeaker?" in speaker.trouble


def test_silence_that_was_asked_for_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert Speaker(command=[]).trouble == "" and Speaker().trouble
