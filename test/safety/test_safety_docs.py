# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page about the filter says what the code does."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from instructvla_ros.safety import SafetyLimits, SafetyState
from instructvla_ros.safety.room_limits import ROOM_LIMITS
from instructvla_ros.safety.speed_limits import SPEED_LIMITS
from instructvla_ros.safety.states import diagram

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "safety.md").read_text(encoding="utf-8")


def _rows(heading: str) -> list[list[str]]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_table_of_limits_has_every_key_with_its_unit():
    documented = {row[0].strip("`"): row[1] for row in _rows("Limits")}
    assert documented == {item.name: item.metadata["unit"] for item in fields(SafetyLimits)}


def test_the_table_of_states_is_that_of_the_code_and_of_the_message():
    documented = {row[0].strip("`"): int(row[1]) for row in _rows("States")}
    assert documented == {state.name: int(state) for state in SafetyState}
    message = (REPOSITORY / "msg" / "SafetyStatus.msg").read_text(encoding="utf-8")
    assert {name: int(number) for name, number in re.findall(r"STATE_(\w+)=(\d+)", message)} == documented


def test_the_picture_of_the_states_is_that_of_the_code():
    assert f"```mermaid\n{diagram()}```" in PAGE


def test_every_promise_names_tests_that_exist():
    tests = set()
    for path in [path for room in ("safety", "nodes") for path in (REPOSITORY / "test" / room).glob("test_*.py")]:
        tests |= set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    rows = _rows("Promises")
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row[3])
        assert named and set(named) <= tests, row


def test_every_promise_names_limits_that_exist():
    keys = {item.name for item in fields(SafetyLimits)}
    for row in _rows("Promises"):
        assert set(re.findall(r"`(\w+)`", row[1])) <= keys, row


def test_every_intervention_is_explained():
    documented = {name for row in _rows("Interventions") for name in re.findall(r"`(\w+)`", row[0])}
    emitted = {limit.name for limit in (*SPEED_LIMITS, *ROOM_LIMITS)}
    emitted |= {"path_lag_translation", "path_lag_rotation", "max_step_translation", "max_step_rotation"}
    pattern = r'(?:Intervention|_malformed|_untimely|fault|_note|refuse)\(\s*"(\w+)"'
    rooms = [REPOSITORY / "instructvla_ros" / room for room in ("safety", "nodes")]
    for path in [path for room in rooms for path in room.rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        emitted |= set(re.findall(pattern, text)) | set(re.findall(r'^LIMIT = "(\w+)"', text, flags=re.MULTILINE))
    emitted |= {"stop", "emergency_stop"}
    assert documented == emitted


@pytest.mark.parametrize("words", ["no certified safety function", "hardware emergency stop"])
def test_the_page_says_what_the_filter_is_not(words):
    assert words in PAGE
