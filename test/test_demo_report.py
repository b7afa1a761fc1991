# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's summary counts what happened and fails when something did not flow."""

import numpy as np
import pytest

from instructvla_ros.demo_report import HEADING, DemoReport, shortened


@pytest.fixture
def report() -> DemoReport:
    report = DemoReport(images=10, joint_states=50, commands=100)
    report.inference_times = [0.05] * 19 + [0.2]
    report.add_gripper(np.array([0.2, 0.0, 0.2]))
    report.add_gripper(np.array([0.25, 0.0, 0.2]))
    return report


def test_a_demo_in_which_everything_flowed_misses_nothing(report: DemoReport) -> None:
    assert report.missing() == []
    summary = report.summary(4.0)
    assert "20 (5.0 Hz), inference p50 50 ms" in summary
    assert "0.05 m" in summary
    assert "all of them flowed" in summary


@pytest.mark.parametrize(
    ("counter", "complaint"),
    [("images", "no camera image"), ("joint_states", "no joint state"), ("commands", "no command")],
)
def test_what_did_not_flow_is_named(report: DemoReport, counter: str, complaint: str) -> None:
    setattr(report, counter, 0)
    assert any(complaint in text for text in report.missing())
    assert "FAILED" in report.summary(4.0)


def test_a_demo_without_chunks_fails_and_still_prints_a_summary() -> None:
    assert "no action chunk came" in "; ".join(DemoReport().missing())
    assert "FAILED" in DemoReport().summary(0.0)


def test_an_arm_that_stands_still_fails_the_demo(report: DemoReport) -> None:
    report.distance = 0.001
    assert any("moved 1 mm" in text for text in report.missing())


def test_an_arm_may_rest_where_nothing_can_be_done(report: DemoReport) -> None:
    report.distance, report.must_move = 0.0, False
    assert report.missing() == []


def test_the_summary_tells_what_came_of_each_instruction(report: DemoReport) -> None:
    report.outcomes = [("pick up the red cube", "done after 4.2 s"), ("touch it", "the arm rested; nothing moved")]
    summary = report.summary(4.0)
    assert summary.index('"pick up the red cube": done after 4.2 s') < summary.index('"touch it": the arm rested')


def test_long_words_are_cut_to_one_line() -> None:
    assert shortened("pick up\nthe cube") == "pick up the cube"
    assert len(shortened("cube " * 100, 50)) == 50 and shortened("cube " * 100, 50).endswith("...")


def test_sensor_noise_does_not_add_up_to_motion() -> None:
    report = DemoReport()
    for step in range(10_000):
        report.add_gripper(np.array([0.2 + 4e-5 * (step % 2), 0.0, 0.2]))
    assert report.distance == 0.0


def test_slow_motion_is_counted_in_full() -> None:
    report = DemoReport()
    for step in range(1001):
        report.add_gripper(np.array([2e-5 * step, 0.0, 0.0]))
    assert report.distance == pytest.approx(0.02, rel=0.01)


def test_the_line_shows_rate_words_filter_and_gripper(report: DemoReport) -> None:
    report.reasoning = "the cube\nis on the left"
    report.frame_age = 0.12
    report.state = "moving"
    report.add_intervention("translation_speed", 0.31, 0.25, "m/s")
    line = report.line(3.0, 4.0)
    for part in ("5.0 Hz", "120 ms", "the cube is on the left", "moving: translation_speed 0.31 -> 0.25 m/s", " 0.25 "):
        assert part in line
    assert "nothing changed" in report.line(4.0, 1.0)


def test_the_line_stands_under_its_heading(report: DemoReport) -> None:
    report.frame_age = 0.12
    bars = [[i for i, letter in enumerate(text) if letter == "|"] for text in (HEADING, report.line(3.0, 4.0))]
    assert bars[0] == bars[1]


def test_a_moving_gripper_does_not_hide_a_limit_that_matters(report: DemoReport) -> None:
    report.add_intervention("workspace", 0.5, 0.45, "m")
    report.add_intervention("gripper_speed", 0.0, 0.5, "")
    assert "workspace" in report.line(1.0, 1.0)
    assert report.interventions == {"workspace": 1, "gripper_speed": 1}
