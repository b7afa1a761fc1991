# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A live ROS graph for tests and measurements: processes of the nodes, and waiting for messages instead of sleeping."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor

ROOT = Path(__file__).resolve().parents[2]
WAIT = 60.0  # longest wait for anything [s]; generous, since it costs time only where something fails
_ANSWER_LOST = "client will not receive response"  # Fast DDS, of a client that the server has not discovered in time


class AwaitedInVain(AssertionError):
    """What was awaited did not come, or a process died before it."""


class Graph:
    """One node of our own, spun in a thread, and the processes it looks at.

    Args:
        domain: ROS domain of all of them.
        discovery_range: how far they are seen, as ``ROS_AUTOMATIC_DISCOVERY_RANGE`` spells it.
    """

    def __init__(self, domain: int, discovery_range: str = "LOCALHOST") -> None:
        self.environment = {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": discovery_range}
        self.context = rclpy.Context()
        before = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE")
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = discovery_range
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("test_probe", context=self.context)
        if before is None:
            del os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"]
        else:
            os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = before
        self._changed = threading.Condition()
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()
        self.processes: list[Process] = []

    def collect(self, message_type: type, topic: str, qos: object) -> list:
        """A list that grows with every message on a topic."""
        received: list = []
        self.listen(message_type, topic, qos, received.append)
        return received

    def listen(self, message_type: type, topic: str, qos: object, callback: Callable[[object], None]) -> None:
        """Call a function with every message on a topic; whoever waits looks again after it."""

        def on_message(message: object) -> None:
            with self._changed:
                callback(message)
                self._changed.notify_all()

        self.node.create_subscription(message_type, topic, on_message, qos)

    def wait_until(self, condition: Callable[[], bool], what: str, timeout: float = WAIT, poll: float = 0.2) -> None:
        """Wait until a condition holds, or fail naming what was awaited; looked at on each message and every poll."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                dead = [p.name for p in self.processes if not p.alive and not p.may_end]
                remaining = deadline - time.monotonic()
                if remaining <= 0 or dead:
                    logs = "\n".join(f"--- {p.name}\n{p.output}" for p in self.processes)
                    why = f"{', '.join(dead)} died" if dead else f"waited {timeout:g} s in vain"
                    raise AwaitedInVain(f"{why} before: {what}\n{logs}")
                self._changed.wait(min(remaining, poll))

    def call(self, service_type: type, name: str, request: object) -> object:
        """Call a service and return its answer; called once more where a process says that it could not send it."""
        client = self.node.create_client(service_type, name)
        assert client.wait_for_service(WAIT), f"service {name} did not appear"
        lost_before = self._lost_answers()
        future = client.call_async(request)
        self.wait_until(lambda: future.done() or self._lost_answers() > lost_before, f"answer of {name}")
        if not future.done():
            future = client.call_async(request)
            self.wait_until(future.done, f"second answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def _lost_answers(self) -> int:
        return sum(process.output.count(_ANSWER_LOST) for process in self.processes)

    def start(self, executable: str, *arguments: str, **parameters: object) -> Process:
        """Start one of our nodes as a process of its own."""
        command = [sys.executable, "-m", f"instructvla_ros.nodes.{executable}", "--ros-args", *arguments]
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ["-p", f"{name}:={text or chr(39) * 2}"]
        return self.run(executable, command)

    def run(self, name: str, command: Sequence[str]) -> Process:
        """Start a command in this graph's domain."""
        process = Process(name, command, self.environment)
        self.processes.append(process)
        return process

    def hurry(self, priority: int) -> None:
        """Give the thread that hears messages a real-time priority where that is permitted, as a driver has.

        Processes and threads that are started from elsewhere keep theirs.
        """
        if self._thread.native_id is not None and hasattr(os, "sched_setscheduler"):
            with contextlib.suppress(PermissionError):
                os.sched_setscheduler(self._thread.native_id, os.SCHED_FIFO, os.sched_param(priority))

    def close(self) -> None:
        """End the processes, then the probe."""
        for process in self.processes:
            process.interrupt()  # all at once, so that they end side by side
        for process in self.processes:
            process.stop()
        self._executor.shutdown()
        self._thread.join(5.0)
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


class Process:
    """A command running in a process of its own, its output kept."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str]) -> None:
        self.name = name
        self.may_end = False
        self._lines: list[str] = []
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
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

    def freeze(self) -> None:
        """Stop its clock, as a machine that hangs would."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self.process.send_signal(signal.SIGCONT)

    def interrupt(self) -> None:
        """Ask it to end as Ctrl-C does."""
        self.may_end = True
        if self.alive:
            self.thaw()
            self.process.send_signal(signal.SIGINT)

    def stop(self) -> int:
        """Ask it to end as Ctrl-C does, and make it end where that does not help."""
        if self.alive:
            self.interrupt()
            try:
                self.process.wait(15.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.wait()
