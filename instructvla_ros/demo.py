# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo without launch: simulated arm, policy and safety filter as processes, and a monitor that speaks.

    python -m instructvla_ros.demo --instruction "pick up the red cube" --seconds 30

`make demo` runs this. In a terminal further instructions can be typed while it runs. The exit code is the monitor's: 0
only if images, chunks and commands flowed.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from types import FrameType

from instructvla_ros.bringup import (
    DEMO_THREADS,
    NodeProcess,
    demo_checkpoint,
    demo_processes,
    network_environment,
)
from instructvla_ros.console import ADDRESS_LINE, is_available
from instructvla_ros.demo_dialogue import Relay
from instructvla_ros.parameters import DEMO_SCENE, VOICE_BRIDGE_NODE

GRACE_PERIOD = 5.0  # from SIGINT to SIGTERM, and from SIGTERM to SIGKILL [s]
POLL_PERIOD = 0.05  # [s]
KEPT_LINES = 20
STANDARD_INPUT = 0  # descriptor
PR_SET_PDEATHSIG = 1  # linux/prctl.h
SHOWN_WHEN_QUIET = ("[WARN]", "[ERROR]", "[FATAL]", ADDRESS_LINE)


class RunningNode:
    """A started node process, its output read line by line."""

    def __init__(
        self, process: NodeProcess, environment: dict[str, str], *, foreground: bool, listens: bool = False
    ) -> None:
        """Start the process.

        It gets a session of its own, so that Ctrl-C in a terminal reaches the demo only, which then stops all in order.

        Args:
            process: what to start.
            environment: the variables of the new process.
            foreground: whether it writes to the terminal itself.
            listens: whether its standard input is a pipe from here.
        """
        self.name = process.name
        self.last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        pipe = None if foreground else subprocess.PIPE
        self.process = subprocess.Popen(
            process.command(),
            env=environment,
            stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
            stdout=pipe,
            stderr=None if foreground else subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        self._reader: threading.Thread | None = None

    def forward_output(self, verbose: bool) -> None:
        """Show the process's lines under its name: all, or warnings and errors."""

        def read() -> None:
            assert self.process.stdout is not None
            for line in self.process.stdout:
                self.last_lines.append(line.rstrip())
                if verbose or any(level in line for level in SHOWN_WHEN_QUIET):
                    print(f"{self.name}: {line.rstrip()}", flush=True)

        if self.process.stdout is not None:
            self._reader = threading.Thread(target=read, name=f"output of {self.name}", daemon=True)
            self._reader.start()

    def obituary(self) -> str:
        """How the process ended and what it said last."""
        if self._reader is not None:
            self._reader.join(timeout=1.0)
        code = self.process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        lines = "".join(f"\n    {line}" for line in self.last_lines)
        return f"{self.name} {how}" + (f"; its last lines:{lines}" if lines else "")


def _die_with_parent() -> None:
    """Ask Linux to interrupt this child when the demo is killed; runs in the child before the node starts."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def stop(nodes: Sequence[RunningNode]) -> list[RunningNode]:
    """Interrupt processes and wait for them; those that do not end are terminated and then killed.

    Returns:
        The processes that had to be killed, or failed while they ended.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        for node in nodes:
            if node.process.poll() is None:
                node.process.send_signal(number)
        deadline = time.monotonic() + GRACE_PERIOD
        while time.monotonic() < deadline and any(node.process.poll() is None for node in nodes):
            time.sleep(POLL_PERIOD)
    return [node for node in nodes if node.process.poll() not in (0, -signal.SIGINT, -signal.SIGTERM)]


class Demo:
    """Runs processes until the last of them, the monitor, ends or someone interrupts."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._interrupted = False

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: end the demo at the next look."""
        self._interrupted = True

    def run(self, processes: Sequence[NodeProcess], *, verbose: bool, keyboard: int | None = None) -> int:
        """Start the processes, wait for the last one, stop all.

        Args:
            processes: what to start; the last one is the monitor.
            verbose: whether all is shown that the others print.
            keyboard: descriptor of what is passed on to the monitor's standard input, if anything.

        Returns:
            The exit code of the last process; 1 where another one ended early.
        """
        environment = {**os.environ, **network_environment(os.environ, alone=True)}
        environment["PYTHONUNBUFFERED"] = "1"
        nodes: list[RunningNode] = []
        try:
            for process in processes:
                last = process is processes[-1]
                listens = last and keyboard is not None
                nodes.append(RunningNode(process, environment, foreground=last, listens=listens))
            # threads start after the last fork
            for node in nodes:
                node.forward_output(verbose)
            pipe = nodes[-1].process.stdin
            relay = None if keyboard is None or pipe is None else Relay(keyboard, os.dup(pipe.fileno()))
            if pipe is not None:
                pipe.close()
            return self._watch(nodes[:-1], nodes[-1], relay)
        finally:
            for node in stop(nodes):
                if node.name == processes[-1].name and node.process.returncode > 0:
                    continue  # the monitor has said itself what failed
                print(f"while stopping: {node.obituary()}", file=sys.stderr, flush=True)

    def _watch(self, system: Sequence[RunningNode], monitor: RunningNode, relay: Relay | None) -> int:
        while monitor.process.poll() is None:
            dead = next((node for node in system if node.process.poll() is not None), None)
            if dead is not None:
                print(f"the demo ends: {dead.obituary()}", file=sys.stderr, flush=True)
                stop([monitor])
                return 1
            if self._interrupted:
                stop([monitor])  # first, so that its summary speaks of a running system
                break
            if relay is not None:
                relay.pass_on()
            time.sleep(POLL_PERIOD)
        code = monitor.process.returncode
        return code if code >= 0 else 128 - code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo from the command line."""
    parser = argparse.ArgumentParser(description="Simulated arm, policy and safety filter, for a while.")
    parser.add_argument("--instruction", default="pick up the red cube", help="what the arm is told to do")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long; 0: until Ctrl-C (default: 30)")
    parser.add_argument("--checkpoint", default="", help="run folder of a model; default: the shipped one")
    parser.add_argument("--base-vlm", default="", help="folder with the vision-language model's config and tokenizer")
    parser.add_argument("--device", default="auto", help="where the model runs: auto, cpu, cuda, ...")
    parser.add_argument(
        "--threads",
        type=int,
        default=DEMO_THREADS,
        help=f"CPU threads of the model; 0: as torch chooses (default: {DEMO_THREADS}, enough for a small one)",
    )
    parser.add_argument("--namespace", default="", help="namespace of all nodes")
    parser.add_argument("--record", default="", help="folder of a bag to record into")
    parser.add_argument("--voice", default="", help="listen too: microphone, topic, or a wav file")
    parser.add_argument(
        "--listen",
        choices=next(parameter.choices for parameter in VOICE_BRIDGE_NODE if parameter.name == "listen"),
        default="wake_phrase",
        help="when spoken words are for the robot",
    )
    parser.add_argument("--auto-confirm", action="store_true", help="send spoken commands without asking back")
    parser.add_argument("--scene", type=int, default=DEMO_SCENE, help="seed of what lies on the table")
    parser.add_argument(
        "--keyboard",
        choices=("auto", "on", "off"),
        default="auto",
        help="read further instructions from the standard input; auto: if it is a terminal",
    )
    parser.add_argument(
        "--console",
        choices=("auto", "on", "off"),
        default="auto",
        help="serve the operator console, a page in the browser; auto: if aiohttp is installed",
    )
    parser.add_argument("--verbose", action="store_true", help="show all that the nodes log")
    arguments = parser.parse_args(argv)
    if arguments.seconds < 0.0:
        parser.error(f"--seconds {arguments.seconds:g}: 0 or more is needed")
    if not 0 <= arguments.scene < 2**31:
        parser.error(f"--scene {arguments.scene}: 0 to {2**31 - 1} is needed")
    listens = arguments.keyboard == "on" or (arguments.keyboard == "auto" and os.isatty(STANDARD_INPUT))
    demo = Demo()
    signal.signal(signal.SIGINT, demo.interrupt)
    signal.signal(signal.SIGTERM, demo.interrupt)
    try:
        checkpoint, note = demo_checkpoint(arguments.checkpoint)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    processes = demo_processes(
        checkpoint,
        arguments.instruction,
        arguments.seconds,
        base_vlm=arguments.base_vlm,
        device=arguments.device,
        threads=arguments.threads,
        namespace=arguments.namespace,
        scene=arguments.scene,
        note=note,
        keyboard=listens,
        record=arguments.record,
        voice=arguments.voice,
        listen=arguments.listen,
        auto_confirm=arguments.auto_confirm,
        console=arguments.console == "on" or (arguments.console == "auto" and is_available()),
    )
    return demo.run(processes, verbose=arguments.verbose, keyboard=STANDARD_INPUT if listens else None)


if __name__ == "__main__":
    sys.exit(main())
