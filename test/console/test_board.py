# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the page is told: the newest of everything, with its age, and nothing stale as if it were the present."""

import json

import numpy as np
import pytest

from bench.support import stand_in_console
from instructvla_ros.console.board import Board
from instructvla_ros.console.reports import ActingLimit, FilterStatus, HeardWords
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.sim.arm_model import urdf
from instructvla_ros.sim.arm_numbers import ARM_JOINTS, HOME


@pytest.fixture
def board() -> Board:
    made = stand_in_console.make_board()
    made.clock = [1000.0]
    made.now = made.monotonic = lambda: made.clock[0]
    return made


def status(state: int, board: Board, **change: object) -> FilterStatus:
    given: dict = {"stamp": board.now(), "state": state, "reason": "why", "path_speed": 0.5, "speed_scale": 0.8}
    given |= {"joint_state_age": 0.01, "chunk_age": None, "limits": (), "count": 0}
    return FilterStatus(**{**given, **change})


def joints(board: Board, waist: float = 0.0, age: float = 0.0) -> JointState:
    positions = np.array([waist, *HOME[1:], 0.037])
    return JointState(board.now() - age, (*ARM_JOINTS, "left_finger"), positions)


def test_what_was_heard_is_shown_for_a_while(board: Board) -> None:
    assert board.state()["heard"] is None
    board.put_heard(HeardWords("pick up the red cube", 0.8, True, "say or press whether it is right"))
    board.clock[0] += 29.0
    assert board.state()["heard"]["text"] == "pick up the red cube" and board.state()["heard"]["asks"]
    board.clock[0] += 2.0
    assert board.state()["heard"] is None


def test_before_anything_has_come_the_state_says_so_and_is_json(board: Board) -> None:
    board.sample()
    state = json.loads(json.dumps(board.state(), allow_nan=False))
    assert state["safety"] is None and state["policy"] is None and state["speed_scale"] is None
    assert state["instruction"] == "" and state["actions"] == []
    assert all(row["age"] is None for row in state["inputs"])
    assert all(row["problem"] for row in state["cameras"])


def test_a_filter_that_is_not_heard_any_more_is_not_there(board: Board) -> None:
    board.put_status(status(2, board))
    assert board.filter_state == "moving" and not board.latched
    board.clock[0] += 2.5
    assert board.filter_state == "" and board.state()["safety"] is None


@pytest.mark.parametrize(("number", "latched"), [(0, False), (1, False), (2, False), (3, True), (4, True), (5, True)])
def test_stops_are_known_as_such(board: Board, number: int, latched: bool) -> None:
    board.put_status(status(number, board))
    assert board.latched is latched


def test_a_stop_and_its_release_are_told_once(board: Board) -> None:
    for number in (2, 3, 4, 4, 1, 1):
        board.put_status(status(number, board))
    assert [line["text"] for line in board.state()["news"]] == ["stopping: why", "the stop was released"]


def test_a_limit_acts_while_it_is_reported_and_is_remembered_for_a_while(board: Board) -> None:
    limit = ActingLimit("workspace", "z", 0.2, 0.0, 0.5, "m/s", "slowed")
    board.put_status(status(2, board, limits=(limit,)))
    assert board.state()["safety"]["limits"][0]["acting"]
    board.clock[0] += 1.0
    board.put_status(status(2, board))
    remembered = board.state()["safety"]["limits"]
    assert [entry["acting"] for entry in remembered] == [False] and remembered[0]["ago"] == 1.0
    board.clock[0] += 20.0
    board.put_status(status(2, board))
    assert board.state()["safety"]["limits"] == []


def test_the_chart_shows_what_was_asked_allowed_and_measured(board: Board) -> None:
    board.put_description(urdf())
    chunk = ActionChunk(
        board.now(), "base_link", 1, 1, 0.2, np.tile([0.02, 0.0, 0.0], (8, 1)), np.zeros((8, 3)), np.zeros(8)
    )
    board.put_chunk(chunk)
    board.put_status(status(2, board))
    board.put_joint_state(joints(board))
    board.clock[0] += 0.1
    board.put_joint_state(joints(board, waist=0.05))
    board.sample()
    _, time, asked, allowed, measured, opening_asked, opening = board.chart()[-1]
    assert (time, asked, allowed, opening_asked, opening) == (1000.1, 0.1, 0.05, 0.0, 1.0)
    assert measured == pytest.approx(0.25 * 0.05 / 0.1, rel=0.05), "a turn of the waist, 0.25 m from its axis"


def test_old_joint_states_are_not_shown_as_the_present(board: Board) -> None:
    board.put_description(urdf())
    board.put_joint_state(joints(board))
    board.clock[0] += 0.1
    board.put_joint_state(joints(board))
    board.clock[0] += 1.0
    board.sample()
    assert board.chart()[-1][4] is None and board.chart()[-1][6] is None
    assert all(row["path"] == [] for row in board.state()["cameras"])


def test_a_joint_state_of_another_device_or_with_broken_numbers_does_no_harm(board: Board) -> None:
    board.put_description(urdf())
    board.put_joint_state(JointState(board.now(), ("wheel",), np.array([1.0])))
    board.put_joint_state(JointState(board.now(), (*ARM_JOINTS, "left_finger"), np.full(7, np.nan)))
    board.sample()
    json.dumps(board.state(), allow_nan=False)


def test_a_description_that_does_not_fit_is_told_at_the_pictures(board: Board) -> None:
    board.put_description("<robot/>")
    assert "does not fit" in board.state()["cameras"][0]["problem"]


def test_words_are_kept_with_the_instruction_that_they_answer(board: Board) -> None:
    board.put_instruction("touch it")
    board.put_instruction("touch it")
    board.put_reasoning("touch", "touch it", False, 1000.0)
    board.put_reasoning("touch it. go left.", "touch it", True, 1000.0)
    board.put_instruction("")
    state = board.state()
    assert state["instruction"] == "" and [entry["text"] for entry in state["instructions"]] == ["touch it"]
    assert state["instructions"][0]["answer"] == "touch it. go left." and state["reasoning"]["final"]


def test_figures_of_the_policy_are_read_and_what_is_no_number_is_none(board: Board) -> None:
    values = {"inference p50 p95 p99 [ms]": "84 112 140", "reasoning p50 p95 p99 [ms]": "nan nan nan"}
    values |= {"chunk rate [Hz]": "5.00", "age of image [s]": "0.080", "age of joint_states [s]": "never came"}
    board.put_policy("acting", True, values)
    policy = board.state()["policy"]
    assert policy["inference"] == [84.0, 112.0, 140.0] and policy["reasoning"] is None and policy["rate"] == 5.0
    ages = {row["name"]: row["policy_age"] for row in board.state()["inputs"]}
    assert ages["image"] == 0.08 and ages["joint_states"] is None
    board.clock[0] += 5.0
    assert board.state()["policy"] is None


def test_the_speed_limit_is_offered_only_where_the_filter_has_it_and_is_there(board: Board) -> None:
    board.put_status(status(1, board))
    assert board.state()["speed_scale"] is None
    board.put_abilities(True, [])
    assert board.state()["speed_scale"] == 0.8
    board.clock[0] += 3.0
    assert board.state()["speed_scale"] is None


def test_ages_and_rates_of_inputs_are_those_of_their_stamps(board: Board, monkeypatch) -> None:
    board.count_input("joint_states", board.now() - 0.25)
    row = next(row for row in board.state()["inputs"] if row["name"] == "joint_states")
    assert row["age"] == 0.25 and row["oldest"] == 0.2


def test_the_chart_is_bounded(board: Board) -> None:
    for _ in range(1000):
        board.sample()
    assert len(board.chart()) == 120 and len(board.state()["samples"]) == 15


def test_cameras_that_are_in_use_anyway_are_shown_at_first_and_one_in_any_case(board: Board) -> None:
    def shown() -> list[str]:
        return [row["name"] for row in board.state()["cameras"] if row["in_use"]]

    assert shown() == ["image"]
    board.put_cameras_in_use(frozenset({"wrist_image"}))
    assert shown() == ["wrist_image"]
    board.put_cameras_in_use(frozenset())
    assert shown() == ["image"]
