# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the demo starts, watches and stops processes, tried with small programs in the nodes' places."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from instructvla_ros import demo
from instructvla_ros.bringup import NodeProcess
from instructvla_ros.console import ADDRESS_LINE

# A well-behaved node: says that it runs, and ends with 0 when it is interrupted.
PATIENT = """
    import pathlib, signal, sys
    def end(*_):
        pathlib.Path("{folder}/{name}.stopped").touch()
        sys.exit(0)
    signal.signal(signal.SIGINT, end)
    pathlib.Path("{folder}/{name}.started").touch()
    print("[INFO] calm", flush=True)
    print("[WARN] careful", flush=True)
    while True: signal.pause()
"""
STUBBORN = """
    import pathlib, signal
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pathlib.Path("{folder}/{name}.started").touch()
    while True: signal.pause()
"""
# Ends by itself when all others have started.
FINISHING = """
    import pathlib, sys, time
    while len(list(pathlib.Path("{folder}").glob("*.started"))) < {others}: time.sleep(0.01)
    sys.exit({code})
"""


@dataclass(frozen=True)
class Program(NodeProcess):
    """A Python program in a node's place."""

    source: str = ""

    def command(self, python: str = sys.executable) -> list[str]:
        return [python, "-c", self.source]


@pytest.fixture
def program(tmp_path: Path):
    def make(name: str, source: str, **values: object) -> Program:
        return Program(name, name, source=textwrap.dedent(source).format(folder=tmp_path, name=name, **values))

    return make


@pytest.mark.parametrize("code", [0, 1, 7])
def test_the_exit_code_is_the_monitors_and_all_others_are_interrupted(program, tmp_path: Path, code: int) -> None:
    processes = [program("a", PATIENT), program("b", PATIENT), program("monitor", FINISHING, others=2, code=code)]
    assert demo.Demo().run(processes, verbose=False) == code
    assert sorted(path.name for path in tmp_path.glob("*.stopped")) == ["a.stopped", "b.stopped"]


def test_a_process_that_dies_is_named_with_its_last_lines(program, tmp_path: Path, capfd) -> None:
    dying = program("policy_node", 'print("the run folder is empty"); raise SystemExit(2)')
    assert demo.Demo().run([program("a", PATIENT), dying, program("monitor", PATIENT)], verbose=False) == 1
    told = capfd.readouterr().err
    assert "policy_node ended with exit code 2" in told
    assert "the run folder is empty" in told


def test_a_crash_is_named_by_its_signal(program, capfd) -> None:
    crashing = program("sim_arm_node", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert demo.Demo().run([crashing, program("monitor", PATIENT)], verbose=False) == 1
    assert "sim_arm_node was ended by SIGSEGV" in capfd.readouterr().err


def test_a_process_that_ignores_everything_is_killed_and_named(program, monkeypatch, capfd) -> None:
    monkeypatch.setattr(demo, "GRACE_PERIOD", 0.2)
    processes = [program("stubborn", STUBBORN), program("monitor", FINISHING, others=1, code=0)]
    assert demo.Demo().run(processes, verbose=False) == 0
    assert "stubborn was ended by SIGKILL" in capfd.readouterr().err


@pytest.mark.parametrize("verbose", [False, True])
def test_quiet_shows_warnings_and_verbose_everything(program, capfd, verbose: bool) -> None:
    processes = [program("a", PATIENT), program("monitor", FINISHING, others=1, code=0)]
    demo.Demo().run(processes, verbose=verbose)
    shown = capfd.readouterr().out
    assert "a: [WARN] careful" in shown
    assert ("calm" in shown) is verbose


def test_the_address_of_the_console_is_shown_in_any_case(program, capfd) -> None:
    said = f'print("[INFO] {ADDRESS_LINE}://127.0.0.1:8642/", flush=True)'
    console = program("console_node", f"{said}\n{textwrap.dedent(PATIENT)}")
    demo.Demo().run([console, program("monitor", FINISHING, others=1, code=0)], verbose=False)
    assert "http://127.0.0.1:8642/" in capfd.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_monitor_first_and_then_the_others(program, tmp_path: Path, number: int) -> None:
    processes = [program("a", PATIENT), program("monitor", PATIENT)]
    running = demo.Demo()

    def interrupt_when_started() -> None:
        while len(list(tmp_path.glob("*.started"))) < 2:
            pass
        running.interrupt(number, None)

    interrupter = threading.Thread(target=interrupt_when_started)
    interrupter.start()
    assert running.run(processes, verbose=False) == 0
    interrupter.join()
    monitor, other = (tmp_path / f"{name}.stopped" for name in ("monitor", "a"))
    assert monitor.stat().st_mtime_ns <= other.stat().st_mtime_ns


def test_processes_do_not_outlive_a_killed_demo(tmp_path: Path) -> None:
    """The kernel interrupts the children of a demo that had no chance to do it."""
    read_end, write_end = os.pipe()
    child = "import signal, sys; print('up', flush=True); signal.pause()"
    parent = textwrap.dedent(
        f"""
        import signal, sys
        from dataclasses import dataclass
        from instructvla_ros import demo
        from instructvla_ros.bringup import NodeProcess
        class Program(NodeProcess):
            def command(self, python=sys.executable):
                return [python, "-c", {child!r}]
        demo.RunningNode(Program("a", "a"), dict(__import__("os").environ), foreground=True)
        signal.pause()
        """
    )
    # the pipe ends when its last writer, the child, is gone
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=write_end, cwd=Path(demo.__file__).parents[1])
    os.close(write_end)
    with os.fdopen(read_end) as lines:
        assert lines.readline() == "up\n"
        process.kill()
        assert lines.read() == ""
    process.wait()


@pytest.mark.parametrize("arguments", [["--seconds", "-1"], ["--seconds", "soon"], ["--colour"]])
def test_wrong_arguments_are_refused_before_anything_starts(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        demo.main(arguments)
    assert refused.value.code == 2
