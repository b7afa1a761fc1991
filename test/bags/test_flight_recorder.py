# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The flight recorder writes what came before an incident, says what went wrong, and goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from instructvla_ros.bags.flight_recorder import FlightRecorder, FlightSettings
from instructvla_ros.bags.reading import Bag
from instructvla_ros.bags.ring import Message
from instructvla_ros.bags.writing import Quality

LONG = 600.0  # [s] that no test waits
TOPICS = {"/words": ("std_msgs/msg/String", Quality())}


@contextmanager
def flight(folder: Path, after: float) -> Iterator[tuple[FlightRecorder, list[str], list[str]]]:
    said: list[str] = []
    wrong: list[str] = []
    settings = FlightSettings(60.0, 1.0, 1.0, after, folder, 0.0, 0.0)
    about = {"robot": "sim"}

    def upper(message: Message) -> Message:
        return replace(message, data=message.data.upper())

    recorder = FlightRecorder(
        settings, frozenset(), TOPICS, about, upper, lambda error: wrong.append(str(error)), said.append, wrong.append
    )
    try:
        yield recorder, said, wrong
    finally:
        recorder.close(10.0)


def test_an_incident_holds_what_came_before_it_and_after_it_as_it_is_kept(tmp_path: Path) -> None:
    with flight(tmp_path, after=LONG) as (recorder, said, wrong):
        recorder.put(Message("/words", 1, b"before"))
        assert recorder.save("stop: by hand").startswith("stop: by hand; the last 60 s will be in ")
        assert "is being written already" in recorder.save("stop: again")
        recorder.put(Message("/words", 2, b"after"))
        assert recorder._intake.close(10.0)
        recorder.hurry()
        assert recorder.close(10.0)
        assert recorder.written == 1 and recorder.last is not None and not wrong
        assert said == [f"{recorder.last}: 2 messages, stop: by hand"]
        with Bag(recorder.last) as bag:
            assert [message.data for message in bag.messages()] == [b"BEFORE", b"AFTER"]
            assert bag.about == {"robot": "sim", "incident": "stop: by hand"}


def test_an_incident_that_cannot_be_written_is_a_trouble_until_one_can(tmp_path: Path) -> None:
    folder = tmp_path / "incidents"
    folder.write_text("a file in its place")
    with flight(folder, after=0.0) as (recorder, said, wrong):
        recorder.put(Message("/words", 1, b"before"))
        recorder.save("fault: lag")
        recorder._saving.join(10.0)
        assert "the incident (fault: lag) could not be written to" in recorder.trouble and wrong == [recorder.trouble]
        assert recorder.written == 0 and not said
        folder.unlink()
        recorder.save("fault: lag")
        recorder._saving.join(10.0)
        assert recorder.written == 1 and not recorder.trouble and len(said) == 1
