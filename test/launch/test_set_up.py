# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The set-up scripts: steps done once, the right torch, the right ROS, and clear words when something is missing."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("set_up", ROOT / "tools" / "set_up.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "LOG", tmp_path / "build" / "setup.log")
    return module


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    return subprocess.run(
        ["bash", "-euc", command], cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, check=False
    )


def test_a_step_is_done_once_until_what_it_depends_on_changes(set_up: ModuleType, tmp_path: Path) -> None:
    done = []
    stamp = tmp_path / "stamps" / "step"
    assert set_up.step("a step", stamp, "first", lambda: done.append(1))
    assert not set_up.step("a step", stamp, "first", lambda: done.append(2))
    assert set_up.step("a step", stamp, "second", lambda: done.append(3))
    assert done == [1, 3]


def test_a_failed_step_is_tried_again(set_up: ModuleType, tmp_path: Path) -> None:
    stamp = tmp_path / "step"
    stamp.write_text("old")

    def fail() -> None:
        raise set_up.SetupError("no network")

    with pytest.raises(set_up.SetupError):
        set_up.step("a step", stamp, "old and changed", fail)
    assert set_up.step("a step", stamp, "old", lambda: None)


def test_hashes_follow_contents_names_and_words(
    set_up: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(set_up, "ROOT", tmp_path)
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("1")
    hashes = [
        set_up.hash_of([tmp_path / "a"], "x"),
        set_up.hash_of([tmp_path / "b"], "x"),
        set_up.hash_of([tmp_path / "a"], "y"),
        set_up.hash_of([tmp_path / "a", tmp_path / "b"], "x"),
    ]
    (tmp_path / "a").write_text("2")
    hashes.append(set_up.hash_of([tmp_path / "a"], "x"))
    assert len(set(hashes)) == len(hashes)


def test_a_failing_command_shows_its_last_words_and_where_the_rest_is(set_up: ModuleType) -> None:
    with pytest.raises(set_up.SetupError, match=r"no space left(.|\n)*setup\.log"):
        set_up.run([sys.executable, "-c", "print('no space left'); raise SystemExit(3)"])


@pytest.mark.parametrize(
    ("requirements", "expected"),
    [
        (["filelock", "sympy>=1.13.3"], False),
        (["filelock", 'nvidia-cublas==13.1; platform_system == "Linux"'], True),
        (['triton==3.7.1; platform_system == "Linux"'], True),
        (["cuda-toolkit[cublas]==13.0"], True),
        (["filelock", 'nvidia-something; extra == "gpu"'], False),
        (None, False),
    ],
)
def test_a_torch_that_brings_cuda_is_recognised(set_up: ModuleType, requirements: list[str], expected: bool) -> None:
    assert set_up.needs_cuda({"requires_dist": requirements}) is expected


@pytest.mark.parametrize(
    ("gpu", "brings_cuda", "chosen", "index"),
    [
        (False, True, "", "https://download.pytorch.org/whl/cpu"),
        (True, True, "", None),
        (False, False, "", None),
        (True, True, "https://example.org/whl", "https://example.org/whl"),
    ],
)
def test_torch_comes_without_cuda_where_there_is_no_gpu(
    set_up: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    gpu: bool,
    brings_cuda: bool,
    chosen: str,
    index: str | None,
) -> None:
    calls: list[tuple[str, ...]] = []
    environment = set_up.Environment(tmp_path, on_top_of_distribution=False)
    monkeypatch.setattr(set_up, "has_nvidia_gpu", lambda: gpu)
    monkeypatch.setattr(environment, "default_torch_needs_cuda", lambda requirement: brings_cuda)
    monkeypatch.setattr(environment, "pip", lambda *arguments: calls.append(arguments))
    monkeypatch.setenv("TORCH_INDEX", chosen)
    environment.install_torch()
    indices = [call[call.index("--index-url") + 1] for call in calls]
    assert indices == ([index] if index else [])


def test_an_unreachable_torch_index_falls_back_to_the_default_one(
    set_up: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*arguments: str) -> None:
        raise set_up.SetupError("unreachable")

    environment = set_up.Environment(tmp_path, on_top_of_distribution=False)
    monkeypatch.setattr(set_up, "has_nvidia_gpu", lambda: False)
    monkeypatch.setattr(environment, "default_torch_needs_cuda", lambda requirement: True)
    monkeypatch.setattr(environment, "pip", refuse)
    monkeypatch.delenv("TORCH_INDEX", raising=False)
    environment.install_torch()
    assert "several GB" in capsys.readouterr().out
    monkeypatch.setenv("TORCH_INDEX", "https://example.org/whl")
    with pytest.raises(set_up.SetupError):
        environment.install_torch()


def test_only_a_prefix_with_the_ros2_command_is_a_distribution(tmp_path: Path) -> None:
    ros2 = tmp_path / "distribution" / "bin" / "ros2"
    ros2.parent.mkdir(parents=True)
    ros2.touch(mode=0o755)
    prefixes = f"{tmp_path}/overlay:{tmp_path}/distribution"
    find = "tools/find_distribution.sh"
    assert shell(find, ROS_DISTRO="jazzy", AMENT_PREFIX_PATH=prefixes).stdout.strip() == f"{tmp_path}/distribution"
    assert shell(find, ROS_DISTRO="jazzy", AMENT_PREFIX_PATH=f"{tmp_path}/overlay").stdout == ""
    assert shell(find, AMENT_PREFIX_PATH=prefixes).stdout == ""
    assert shell(find, ROS_DISTRO="jazzy", AMENT_PREFIX_PATH=prefixes, ROS_FROM="wheels").stdout == ""


def test_sourcing_the_environment_again_changes_nothing() -> None:
    source = ". tools/environment.sh"
    variables = "env | grep -vE '^(_|SHLVL|BASH_EXECUTION_STRING)=' | sort"
    once = shell(f"{source}; {variables}")
    assert once.returncode == 0, once.stderr
    assert f"PYTHONPATH={ROOT}" in once.stdout
    assert shell(f"{source}; {source}; {variables}").stdout == once.stdout


def test_the_environment_keeps_what_the_user_has_chosen() -> None:
    show = ". tools/environment.sh; echo $ROS_AUTOMATIC_DISCOVERY_RANGE ${FASTRTPS_DEFAULT_PROFILES_FILE:-none}"
    assert shell(show).stdout.split() == ["LOCALHOST", str(ROOT / "config" / "fastdds" / "shared_memory.xml")]
    own = shell(show, ROS_AUTOMATIC_DISCOVERY_RANGE="SUBNET", FASTRTPS_DEFAULT_PROFILES_FILE="/mine.xml")
    assert own.stdout.split() == ["SUBNET", "/mine.xml"]
    assert shell(show, FASTDDS_DEFAULT_PROFILES_FILE="/mine.xml").stdout.split() == ["LOCALHOST", "none"]


def test_wheels_of_each_release_have_an_environment_and_an_overlay_of_their_own() -> None:
    show = ". tools/environment.sh; echo $ROS_DISTRO; echo $VIRTUAL_ENV; echo $AMENT_PREFIX_PATH"
    jazzy = shell(show, ROS_FROM="wheels").stdout.splitlines()
    kilted = shell(show, ROS_WHEELS="kilted").stdout.splitlines()
    assert jazzy == ["jazzy", f"{ROOT}/.venv", f"{ROOT}/build/overlay:{ROOT}/.venv"]
    own = f"{ROOT}/.venv-wheels-kilted"
    assert kilted == ["kilted", own, f"{ROOT}/build/overlay-wheels-kilted:{own}"]


def test_wheels_asked_for_by_name_win_over_a_distribution(tmp_path: Path) -> None:
    ros2 = tmp_path / "bin" / "ros2"
    ros2.parent.mkdir()
    ros2.touch(mode=0o755)
    answer = shell(
        "tools/find_distribution.sh", ROS_DISTRO="jazzy", AMENT_PREFIX_PATH=str(tmp_path), ROS_WHEELS="kilted"
    )
    assert answer.stdout == ""


def test_wheels_of_an_unknown_release_are_refused_with_the_known_ones(
    set_up: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_WHEELS", "foxy")
    with pytest.raises(set_up.SetupError, match="foxy.*jazzy, kilted"):
        set_up.set_up_wheels()


def test_missing_system_packages_are_named_in_one_line_to_a_user_who_cannot_install(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    answer = shell("tools/check_system.sh", PATH=path, PYTHON="no-such-python")
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.count("\n") == 1
    assert "sudo apt-get install python3 python3-venv python3-dev" in answer.stderr


def test_a_python_that_is_too_old_or_too_new_is_refused_with_the_way_out(tmp_path: Path) -> None:
    old = tmp_path / "python-old"
    # a real Python that calls itself 3.9
    old.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'import sys; sys.version_info = (3, 9, 2); exec(sys.argv[1])' \"$2\"\n"
    )
    old.chmod(0o755)
    answer = shell("tools/check_system.sh", PYTHON=str(old))
    assert answer.returncode == 1
    assert "Python 3.10 to 3.13 is needed" in answer.stderr
    assert "make PYTHON=" in answer.stderr
