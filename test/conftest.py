# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many examples property tests try: `pytest --hypothesis-profile=thorough` tries many more. A disk to fill up.

`pytest -n 2 --dist loadgroup` runs tests that start ROS nodes one after the other in one process, all others in another.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Repeatable and without a time limit for one example, because test machines are shared.
settings.register_profile("default_here", deadline=None, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=5000)
settings.load_profile("default_here")

HERE = Path(__file__).parent
WITH_NODES = (HERE / "nodes", HERE / "launch", HERE / "test_bench.py")


@pytest.hookimpl(tryfirst=True)  # before xdist, which looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep graphs apart: two tests in one ROS domain would hear each other."""
    for item in items:
        if any(item.path.is_relative_to(place) for place in WITH_NODES):
            item.add_marker(pytest.mark.xdist_group("graph"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 4 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
