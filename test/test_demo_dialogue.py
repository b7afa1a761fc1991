# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is typed while the demo runs is read without waiting, and understood."""

import os
import pty
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.demo_dialogue import LONGEST_LINE, Keyboard, Relay, Word, in_foreground, meaning


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            pass  # the test has closed it


@pytest.mark.parametrize("word", list(Word))
def test_a_word_of_the_demo_is_known_in_any_case(word: Word) -> None:
    assert meaning(f"  {word.name.title()}. ") is word


@pytest.mark.parametrize("line", ["stop the ball", "quit pushing", "reset the cube"])
def test_an_instruction_that_begins_like_a_word_is_an_instruction(line: str) -> None:
    assert meaning(line) == line


@given(st.text(max_size=LONGEST_LINE))
def test_any_line_means_a_word_an_instruction_or_nothing(line: str) -> None:
    meant = meaning(line)
    assert isinstance(meant, Word) or (meant == meant.strip() and (meant.isprintable()))


def test_a_line_that_is_too_long_is_refused_with_its_length() -> None:
    with pytest.raises(ValueError, match=str(LONGEST_LINE + 1)):
        meaning("a" * (LONGEST_LINE + 1))


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=8))
def test_lines_come_whole_however_they_were_cut(pieces: list[bytes]) -> None:
    source, sink = os.pipe()
    try:
        keyboard, lines = Keyboard(source), []
        for piece in pieces:
            os.write(sink, piece)
            lines += keyboard.lines()
        os.close(sink)
        lines += keyboard.lines()
        assert not keyboard.open and keyboard.lines() == []
        expected = b"".join(pieces).split(b"\n")
        expected = expected if expected[-1] else expected[:-1]
        assert lines == [line.decode("utf-8", errors="replace") for line in expected]
    finally:
        os.close(source)


def test_nothing_typed_is_no_wait(pipe: tuple[int, int]) -> None:
    keyboard = Keyboard(pipe[0])
    assert keyboard.lines() == [] and keyboard.open


def test_a_flood_without_an_end_of_line_does_not_grow_and_is_refused(pipe: tuple[int, int]) -> None:
    keyboard = Keyboard(pipe[0])
    for _ in range(20):
        os.write(pipe[1], b"a" * 4096)
        assert keyboard.lines() == []
    os.write(pipe[1], b"\ntouch it\n")
    flood, instruction = keyboard.lines()
    assert len(flood) < 10_000 and instruction == "touch it"
    with pytest.raises(ValueError):
        meaning(flood)


def test_what_is_typed_is_passed_on_and_the_end_too(pipe: tuple[int, int]) -> None:
    source, typing = os.pipe()
    relay, keyboard = Relay(source, os.dup(pipe[1])), Keyboard(pipe[0])
    os.close(pipe[1])
    relay.pass_on()
    os.write(typing, b"touch the blue ball\n")
    relay.pass_on()
    assert keyboard.lines() == ["touch the blue ball"]
    os.close(typing)
    relay.pass_on()
    assert not relay.open and keyboard.lines() == [] and not keyboard.open
    os.close(source)


def test_a_reader_that_hangs_or_is_gone_does_not_hold_up_the_typist(pipe: tuple[int, int]) -> None:
    source, typing = os.pipe()
    relay = Relay(source, os.dup(pipe[1]))
    for _ in range(40):  # more than a pipe holds
        os.write(typing, b"a" * 4096)
        relay.pass_on()
    os.close(pipe[0])
    os.write(typing, b"b")
    relay.pass_on()
    assert not relay.open
    os.close(source)
    os.close(typing)


def test_a_terminal_is_read_by_the_foreground_alone(pipe: tuple[int, int]) -> None:
    assert in_foreground(pipe[0]), "a pipe has no foreground"
    master, slave = pty.openpty()
    # no process group is in the foreground of a fresh terminal that is nobody's: asking is an error, as for a pipe
    assert in_foreground(slave)
    os.close(master)
    os.close(slave)
