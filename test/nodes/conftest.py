# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A live ROS graph for tests: an own domain, processes of the nodes, and waiting for messages instead of sleeping."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: source a ROS distribution or run by make test")

import rclpy  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
WAIT = 60.0  # longest wait for anything [s]; generous, since it costs time only where a test fails


@pytest.fixture(scope="session")
def domain() -> int:
    """A domain that only this test process and its children use."""
    return 1 + os.getpid() % 100


class Graph:
    """One node of the test's own, spun in a thread, and the processes it looks at."""

    def __init__(self, domain: int) -> None:
        self.domain = domain
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("test_probe", context=self.context)
        self._changed = threading.Condition()
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()
        self.processes: list[Process] = []

    def collect(self, message_type: type, topic: str, qos: object) -> list:
        """A list that grows with every message on a topic."""
        received: list = []

        def on_message(message: object) -> None:
            with self._changed:
                received.append(message)
                self._changed.notify_all()

        self.node.create_subscription(message_type, topic, on_message, qos)
        return received

    def wait_until(self, condition: Callable[[], bool], what: str, timeout: float = WAIT) -> None:
        """Wait until a condition on received messages or processes holds, or fail naming what was awaited."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                dead = [p.name for p in self.processes if not p.alive and not p.may_end]
                remaining = deadline - time.monotonic()
                if remaining <= 0 or dead:
                    logs = "\n".join(f"--- {p.name}\n{p.output}" for p in self.processes)
                    why = f"{', '.join(dead)} died" if dead else f"waited {timeout:g} s in vain"
                    pytest.fail(f"{why} before: {what}\n{logs}")
                self._changed.wait(min(remaining, 0.2))

    def call(self, service_type: type, name: str, request: object) -> object:
        """Call a service and return its answer."""
        client = self.node.create_client(service_type, name)
        assert client.wait_for_service(WAIT), f"service {name} did not appear"
        future = client.call_async(request)
        self.wait_until(future.done, f"answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def start(self, executable: str, *arguments: str, **parameters: object) -> Process:
        """Start one of our nodes as a process of its own."""
        process = Process(executable, arguments, parameters, self.domain)
        self.processes.append(process)
        return process

    def close(self) -> None:
        """End the processes, then the probe."""
        for process in self.processes:
            process.stop()
        self._executor.shutdown()
        self._thread.join(5.0)
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


class Process:
    """A node running in a process of its own, its output kept."""

    def __init__(self, executable: str, arguments: tuple[str, ...], parameters: dict, domain: int) -> None:
        self.name = executable
        command = [sys.executable, "-m", f"instructvla_ros.nodes.{executable}", "--ros-args", *arguments]
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ["-p", f"{name}:={text or chr(39) * 2}"]
        environment = {**os.environ, "ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
        self.may_end = False
        self._lines: list[str] = []
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.append(line)

    @property
    def output(self) -> str:
        """Everything it printed so far."""
        return "".join(self._lines)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def wait(self, timeout: float = WAIT) -> int:
        """Wait for its end and return its exit code."""
        self.may_end = True
        code = self.process.wait(timeout)
        self._reader.join(5.0)
        return code

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.may_end = True
        self.process.kill()

    def stop(self) -> int:
        """Ask it to end as Ctrl-C does, and make it end where that does not help."""
        if self.alive:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(15.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.wait()


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
