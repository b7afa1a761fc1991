# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Prepare a checkout to run: virtual environment, Python packages, messages. `make setup` calls it.

Two kinds of machine, told apart by tools/find_distribution.sh:

- a ROS 2 distribution is sourced: colcon builds the package into install/, and only what the distribution does not
  carry (torch, tokenizers, daqp, mujoco, rosbags) goes into a virtual environment on top of it;
- no distribution: ROS 2 comes as Python wheels too, and CMake builds the messages into build/overlay/.
  ROS_WHEELS=kilted takes the wheels of another release, with a virtual environment and an overlay of its own.

Each step leaves a stamp with a hash of all that went into it, and is skipped while the hash is the same. Standard
library only, because it runs before anything is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"
LOG = ROOT / "build" / "setup.log"
CPU_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
SHOWN_DOWNLOAD_MB = 20.0
SUPPORTED_DISTRIBUTIONS = ("jazzy", "kilted")
DEFAULT_WHEELS = "jazzy"


class SetupError(Exception):
    """A step failed; the message says what to do."""


def say(text: str) -> None:
    """Print a line of progress at once, also through a pipe."""
    print(text, flush=True)


def run(command: list[str], on_line: Callable[[str], None] | None = None) -> None:
    """Run a command, its output going to the log.

    Args:
        command: program and arguments.
        on_line: called with every line of output.

    Raises:
        SetupError: the command failed; shows its last lines.
    """
    LOG.parent.mkdir(exist_ok=True)
    last_lines: list[str] = []
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace",
        )  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            last_lines = [*last_lines[-24:], line]
            if on_line is not None:
                on_line(line)
    if process.wait() != 0:
        raise SetupError("".join(last_lines) + f"failed: {' '.join(command)}\nthe whole output is in {LOG}")


def show_download(line: str) -> None:
    """Name large downloads, because they are what a user waits for."""
    match = re.search(r"Downloading (\S+?)-\d\S* \((\d+(?:\.\d+)?) (MB|GB)\)", line)
    if match:
        megabytes = float(match[2]) * (1000.0 if match[3] == "GB" else 1.0)
        if megabytes >= SHOWN_DOWNLOAD_MB:
            say(f"      downloading {Path(match[1]).name}, {megabytes:.0f} MB")


def hash_of(paths: Iterable[Path], *words: str) -> str:
    """Hash file names and contents together with further words that a step depends on."""
    digest = hashlib.sha256(repr(words).encode())
    for path in sorted(paths):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def step(title: str, stamp: Path, wanted: str, work: Callable[[], None]) -> bool:
    """Do a step unless its stamp shows that it is done, and leave the stamp.

    Returns:
        Whether anything was done.
    """
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return False
    stamp.unlink(missing_ok=True)
    say(f"  {title} ...")
    start = time.monotonic()
    work()
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted, encoding="utf-8")
    say(f"    done in {time.monotonic() - start:.0f} s")
    return True


def has_nvidia_gpu() -> bool:
    """Whether this machine has an NVIDIA driver with a device."""
    return Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()


def needs_cuda(torch_metadata: dict[str, object]) -> bool:
    """Whether a torch wheel with this metadata pulls in CUDA packages on Linux."""
    requirements = torch_metadata.get("requires_dist") or []
    assert isinstance(requirements, list)
    return any(re.match(r"(nvidia|cuda|triton)[-_ ]?", requirement, re.IGNORECASE) for requirement in requirements
               if "extra ==" not in requirement)  # fmt: skip


class Environment:
    """A virtual environment that set-up fills."""

    def __init__(self, path: Path, on_top_of_distribution: bool) -> None:
        """Describe the environment; nothing is made yet."""
        self.path = path
        self.python = path / "bin" / "python"
        self.stamps = path / ".setup"
        self.on_top_of_distribution = on_top_of_distribution

    def create(self) -> bool:
        """Make the virtual environment, anew where the Python below it has changed."""
        base = str(Path(sys.base_prefix).resolve())
        wanted = hash_of([], base, platform.python_version(), str(self.path))

        def work() -> None:
            options = ["--system-site-packages"] if self.on_top_of_distribution else []
            # started from within this very environment, the interpreter below it survives --clear
            base_python = getattr(sys, "_base_executable", sys.executable)
            run([base_python, "-m", "venv", "--clear", *options, str(self.path)])
            self.pip("install", "--upgrade", "-r", str(REQUIREMENTS / "pip.txt"))

        title = f"virtual environment {self.path.name}/ with Python {platform.python_version()}"
        return step(title, self.stamps / "environment", wanted, work)

    def pip(self, *arguments: str) -> None:
        """Run this environment's pip, naming large downloads."""
        command = [str(self.python), "-m", "pip", *arguments, "--disable-pip-version-check", "--progress-bar", "off"]
        run(command, None if "--dry-run" in arguments else show_download)

    def install(self, title: str, names: list[str], constraints: list[str]) -> bool:
        """Install requirement files; constraints are further requirement lines that hold for every dependency."""
        files = [REQUIREMENTS / f"{name}.txt" for name in names]
        wanted = hash_of(files, os.environ.get("TORCH_INDEX", ""), str(has_nvidia_gpu()), *constraints)

        def work() -> None:
            constraints_file = self.stamps / "constraints.txt"
            constraints_file.write_text("\n".join(constraints) + "\n", encoding="utf-8")
            self.install_torch()
            options = [option for file in files for option in ("-r", str(file))]
            self.pip("install", *options, "-c", str(constraints_file))

        return step(title, self.stamps / "packages", wanted, work)

    def install_torch(self) -> None:
        """Install torch itself, without the gigabytes of CUDA where there is no GPU to use them."""
        requirement = next(
            line.split("#")[0].strip()
            for line in (REQUIREMENTS / "python.txt").read_text(encoding="utf-8").splitlines()
            if line.startswith("torch==")
        )
        index = os.environ.get("TORCH_INDEX", "")
        if not index and not has_nvidia_gpu() and self.default_torch_needs_cuda(requirement):
            index = CPU_TORCH_INDEX
        if not index:
            return  # the default index serves this machine; the requirement files name torch as well
        try:
            # a blocked index is to be noticed in seconds, so that the default one gets its turn
            self.pip("install", "--no-deps", "--retries", "1", "--timeout", "15", "--index-url", index, requirement)
        except SetupError:
            if os.environ.get("TORCH_INDEX"):
                raise
            say(f"    warning: no {requirement} from {index}; taking the default one, several GB with CUDA")

    def default_torch_needs_cuda(self, requirement: str) -> bool:
        """Ask pip which torch it would take by default, and whether that one brings CUDA."""
        report_path = self.stamps / "torch.json"
        self.pip("install", "--dry-run", "--no-deps", "--ignore-installed", "--report", str(report_path), requirement)
        report = json.loads(report_path.read_text(encoding="utf-8"))
        return any(needs_cuda(item["metadata"]) for item in report["install"])


def interface_sources() -> list[Path]:
    """The files that the generated messages depend on."""
    interfaces = [path for kind in ("msg", "srv", "action") for path in ROOT.glob(f"{kind}/*.{kind}")]
    return [*interfaces, ROOT / "CMakeLists.txt", ROOT / "package.xml"]


def quote(path: Path) -> str:
    """A path as a word of a shell command."""
    return shlex.quote(str(path))


def in_environment(command: str) -> list[str]:
    """A shell command line with tools/environment.sh sourced."""
    return ["bash", "-c", f"set -e; . tools/environment.sh; {command}"]


def set_up_wheels() -> bool:
    """Set up a machine without a ROS 2 distribution."""
    distribution = os.environ.get("ROS_WHEELS") or DEFAULT_WHEELS
    ros_requirements = REQUIREMENTS / f"ros-{distribution}.txt"
    if not ros_requirements.is_file():
        raise SetupError(
            f"ROS_WHEELS={distribution}: there is no requirements/{ros_requirements.name}; "
            f"known are {', '.join(SUPPORTED_DISTRIBUTIONS)}"
        )
    # tools/environment.sh names them alike
    suffix = "" if distribution == DEFAULT_WHEELS else f"-wheels-{distribution}"
    messages, overlay = ROOT / "build" / f"messages{suffix}", ROOT / "build" / f"overlay{suffix}"
    environment = Environment(ROOT / f".venv{suffix}", on_top_of_distribution=False)
    changed = environment.create()

    names = ["python", "wheels", f"ros-{distribution}", "test", "voice"]
    constraints = [
        line
        for name in ("constraints.txt", f"constraints-ros-{distribution}.txt")
        for line in (REQUIREMENTS / name).read_text(encoding="utf-8").splitlines()
    ]
    title = f"Python packages: ROS 2 {distribution}, torch, tokenizers, daqp, mujoco, rosbags (2 GB on disk; minutes)"
    changed |= environment.install(title, names, constraints)

    def build() -> None:
        shutil.rmtree(messages, ignore_errors=True)
        shutil.rmtree(overlay, ignore_errors=True)
        run(in_environment(
            f"cmake -S . -B {quote(messages)} -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF"
            f" -DPython3_EXECUTABLE={quote(environment.python)}"
            f" -DCMAKE_INSTALL_PREFIX={quote(overlay)} -DINSTRUCTVLA_ONLY_MESSAGES=ON"
            f" -DCMAKE_PROJECT_INCLUDE={quote(ROOT / 'tools' / 'wheel_includes.cmake')}"
        ))  # fmt: skip
        run(in_environment(f"ninja -C {quote(messages)} install"))

    wanted = hash_of([*interface_sources(), ros_requirements], platform.python_version(), str(ROOT))
    changed |= step("messages (half a minute)", overlay / ".setup", wanted, build)
    return changed


def installed_version(python: str, package: str) -> str | None:
    """Version of a package that a Python sees, or None."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None


def set_up_distribution(prefix: str) -> bool:
    """Set up a machine with a sourced ROS 2 distribution at a prefix."""
    distribution = os.environ["ROS_DISTRO"]
    if distribution not in SUPPORTED_DISTRIBUTIONS:
        say(f"  warning: ROS 2 {distribution} is untried; {' and '.join(SUPPORTED_DISTRIBUTIONS)} are known to work")
    if shutil.which("colcon") is None:
        raise SetupError("colcon is missing; install it: sudo apt-get install python3-colcon-common-extensions")
    needed = ("rclpy", "launch_ros", "cv_bridge", "cv2", "numpy", "scipy", "yaml", "PIL", "aiohttp")
    code = f"import importlib.util as u; print(*[n for n in {needed!r} if u.find_spec(n) is None])"
    missing = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    if missing:
        raise SetupError(f"Python lacks {missing}; install what package.xml names: rosdep install --from-paths . -y")

    environment = Environment(ROOT / f".venv-{distribution}", on_top_of_distribution=True)
    changed = environment.create()
    # cv_bridge of the distribution is compiled for the distribution's numpy: pip must not bring a newer one.
    constraints = [f"numpy=={installed_version(sys.executable, 'numpy')}"]
    title = "Python packages: torch, tokenizers, daqp, mujoco, rosbags (2 GB on disk; minutes)"
    changed |= environment.install(title, ["python", "test", "voice"], constraints)

    def build() -> None:
        run(in_environment(
            "colcon build --packages-select instructvla_ros --symlink-install --event-handlers console_direct+"
            f" --cmake-args -DBUILD_TESTING=OFF -DINSTRUCTVLA_PYTHON={quote(environment.python)}"
        ))  # fmt: skip

    # a symlink install follows edits by itself, but not new files
    installed = [path for folder in ("instructvla_ros", "launch", "config") for path in (ROOT / folder).rglob("*.*")]
    names = sorted(str(path.relative_to(ROOT)) for path in installed if "__pycache__" not in path.parts)
    sources = [*interface_sources(), ROOT / "tools" / "commands.txt"]
    wanted = hash_of(sources, prefix, distribution, platform.python_version(), str(ROOT), *names)
    changed |= step(f"colcon build on {prefix}", ROOT / "install" / ".setup", wanted, build)
    return changed


def main() -> int:
    """Set up this checkout; one set-up at a time."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        prefix = subprocess.run([ROOT / "tools" / "find_distribution.sh"], capture_output=True, text=True, check=True)
        start = time.monotonic()
        try:
            distribution_prefix = prefix.stdout.strip()
            changed = set_up_distribution(distribution_prefix) if distribution_prefix else set_up_wheels()
        except SetupError as error:
            print(f"set-up: {error}", file=sys.stderr)
            return 1
    if changed:
        say(f"  set-up complete in {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
