# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""check_bag says what is in a bag and what is wrong with it, by words and by its exit code."""

from pathlib import Path

import pytest

from instructvla_ros.bags.check import main

ROOT = Path(__file__).resolve().parents[2]
BAG = ROOT / "recordings" / "sim_stop"


def test_a_good_bag_is_listed_and_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(BAG)]) == 0
    out = capsys.readouterr().out
    assert "723 messages, 2026-" in out and "/joint_states  sensor_msgs/msg/JointState" in out
    assert "/instruction  std_msgs/msg/String  latched" in out


def test_a_bag_that_was_cut_is_listed_and_fails_and_no_bag_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.mcap"
    cut.write_bytes((BAG / "sim_stop.mcap").read_bytes()[:200_000])
    assert main([str(cut)]) == 1
    out = capsys.readouterr().out
    assert "CUT: " in out and "the last message that can be read is of /" in out
    assert main([str(cut), str(tmp_path / "none")]) == 2
    assert "nothing at this path" in capsys.readouterr().err
