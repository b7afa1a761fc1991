# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every command in bench/ that measures a figure we quote runs and prints its table."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHORT = {
    "filter_success.py": ["--episodes", "1", "--verbs", "reach"],
    "bounded_motion.py": ["--count", "20", "--warm-up", "2"],
    "braking.py": ["--stops", "5", "--warm-up", "1"],
    "carrying.py": ["--episodes", "1", "--noises", "1"],
    "console_load.py": ["--seconds", "1", "--warm-up", "1", "--viewers", "1"],
    "driver_rejections.py": ["--minutes", "0.1", "--robots", "fr3"],
    "fuzz.py": ["--steps", "100", "--worlds", "2", "--workers", "1"],
    "graph_latency.py": ["--acts", "2", "--warm-up", "1", "--width", "64", "--height", "48"],
    "image_transport.py": ["--count", "5", "--runs", "1", "--width", "64", "--height", "48"],
    "link_bandwidth.py": ["--count", "5", "--width", "64", "--height", "48", "--links", "0"],
    "joins.py": ["--episodes", "1", "--verbs", "reach", "--latencies", "0.05", "--modes", "asynchronous"],
    "performance.py": ["--count", "2", "--warm-up", "1", "--threads", "1", "--plain", "1", "--tokens", "3"],
    "side_by_side.py": ["--seconds", "1", "--threads", "1"],
    "report.py": ["--quick", "--only", "act", "--out", os.devnull],
    "read_bag.py": ["--messages", "500", "--pictures", "5", "--runs", "1"],
    "record_load.py": ["--seconds", "1", "--factors", "0.3"],
    "safety_step.py": ["--steps", "30", "--warm-up", "5"],
    "soak.py": ["--minutes", "0.1", "--warm-up", "2"],
    "stop_presses.py": ["--presses", "3", "--warm-up", "1"],
    "tick_jitter.py": ["--seconds", "1", "--rate", "500"],
    "sim_render.py": ["--count", "1", "--warm-up", "1"],
    "tabletop_graph.py": ["--episodes", "1", "--verbs", "reach"],
    "voice.py": ["--most", "1", "--snr", "20", "--minutes", "0.05"],
    "tabletop.py": ["--episodes", "1", "--questions", "1", "--verbs", "reach", "--cells", "atomic"],
}

# What commands tell that count what must not happen, and so have no percentiles.
TOLD = {"fuzz.py": ("no promise broken",), "driver_rejections.py": ("refused 0", "rejections 0 of")}

# Commands that measure on a dataset of demonstrations, which takes minutes to collect.
NEEDS_DEMONSTRATIONS = {"training_step.py"}

NEEDS_ROS = {
    "console_load.py",
    "link_bandwidth.py",
    "graph_latency.py",
    "image_transport.py",
    "record_load.py",
    "soak.py",
    "stop_presses.py",
    "tabletop_graph.py",
    "tick_jitter.py",
}


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, f"bench/{script}", *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize(
    "script", sorted({path.name for path in (ROOT / "bench").glob("*.py")} - NEEDS_DEMONSTRATIONS)
)
def test_a_bench_command_runs_and_names_hardware_and_percentiles(script: str, tmp_path: Path) -> None:
    arguments = list(SHORT[script])
    if script in NEEDS_ROS:
        pytest.importorskip("rclpy", reason="rclpy is not importable: source a ROS distribution or run by make test")
    if script == "link_bandwidth.py":
        if shutil.which("ip") is None or shutil.which("unshare") is None:
            pytest.skip("ip and unshare are not installed (packages iproute2 and util-linux)")
        if subprocess.run(["unshare", "--map-root-user", "--net", "true"], capture_output=True, check=False).returncode:
            pytest.skip("network namespaces are not allowed here")
    if script in ("graph_latency.py", "performance.py", "side_by_side.py", "tabletop.py", "tabletop_graph.py"):
        from instructvla_ros.model.untrained import write_untrained

        arguments.insert(0, str(write_untrained(tmp_path)))
    output = run(script, *arguments)
    figures = TOLD.get(script, ("p50", "p99"))
    for part in (*figures, "core" if "core" in output else "CPU"):
        assert part in output


def test_the_whole_graph_lets_the_expert_do_its_tasks_and_its_judge_sees_it() -> None:
    pytest.importorskip("rclpy", reason="rclpy is not importable: source a ROS distribution or run by make test")
    output = run("tabletop_graph.py", "--expert", "--episodes", "1", "--verbs", "pick_up", "touch")
    assert "| atomic | 100 | 100 |" in output
