# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bag names the weights that the policy ran with."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from instructvla_ros.bags.origin import checkpoint_hashes
from instructvla_ros.checkpoint_files import newest_checkpoint


def test_of_a_run_the_weights_with_the_highest_step_are_hashed_as_the_policy_loads_them(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    names = ("step-9000-epoch-1.pt", "step-10000-epoch-2.pt", "zero.pt")
    for name in names:
        (tmp_path / "checkpoints" / name).write_text(name)
    (tmp_path / "config.json").write_text("{}")
    hashes = checkpoint_hashes(tmp_path)
    assert set(hashes) == {f"checkpoints/{names[1]}", "config.json"}
    assert hashes[f"checkpoints/{names[1]}"] == hashlib.sha256(names[1].encode()).hexdigest()
    assert set(checkpoint_hashes(tmp_path / "checkpoints" / names[0])) == {f"checkpoints/{names[0]}", "config.json"}


def test_among_equal_steps_the_latest_written_counts_and_without_weights_none(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None and not checkpoint_hashes(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    for age, name in enumerate(("step-1-b.pt", "step-1-a.pt")):
        (tmp_path / "checkpoints" / name).touch()
        os.utime(tmp_path / "checkpoints" / name, (age, age))
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoints" / "step-1-a.pt"


def test_bags_are_read_and_written_without_torch_and_without_ros() -> None:
    code = (
        "import sys; import instructvla_ros.bags.origin, instructvla_ros.bags.reading, instructvla_ros.bags.playing; "
        "sys.exit(bool({'torch', 'rclpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
