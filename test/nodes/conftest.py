# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A live ROS graph for tests, in a domain of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: source a ROS distribution or run by make test")

from bench.support.domains import own_domain  # noqa: E402
from bench.support.live_graph import Graph  # noqa: E402


@pytest.fixture(scope="session")
def domain() -> int:
    """A domain that only this test process and its children use."""
    return own_domain()


@pytest.fixture
def graph(domain: int) -> Iterator[Graph]:
    """A live graph, closed after the test with every process it started."""
    graph = Graph(domain)
    yield graph
    graph.close()


@pytest.fixture(scope="session")
def untrained_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a tiny untrained model, as the demo uses it."""
    from instructvla_ros.model.untrained import write_untrained

    return write_untrained(tmp_path_factory.mktemp("untrained"))
