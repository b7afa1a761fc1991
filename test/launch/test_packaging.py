# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""package.xml, CMakeLists.txt, setup.py, requirements and commands speak of the same package."""

import ast
import importlib.util
import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import instructvla_ros

ROOT = Path(__file__).resolve().parents[2]
SYSTEM_PACKAGES = {
    "aiohttp": "python3-aiohttp",
    "cv2": "python3-opencv",
    "numpy": "python3-numpy",
    "PIL": "python3-pil",
    "scipy": "python3-scipy",
    "tf2_ros": "tf2_ros_py",
    "yaml": "python3-yaml",
}
# Hard dependencies of a pinned package.
COMES_WITH = {"OpenGL": "mujoco", "apsw": "rosbags", "lz4": "mcap", "zstandard": "mcap"}
# Chosen by a parameter, imported late, with an error that says what to install.
OPTIONAL = {
    "transformers": "pip install transformers",
    "audio_common_msgs": "the package audio_common_msgs",
    "control_msgs": "apt install",
}


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sources() -> list[Path]:
    return [*sorted((ROOT / "instructvla_ros").rglob("*.py")), *sorted((ROOT / "launch").glob("*.py"))]


def imported_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return [node.module.split(".")[0]]
    return []


def imported_packages() -> Iterator[tuple[str, Path]]:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield from ((name, path) for name in imported_by(node))


def manifest() -> ElementTree.Element:
    return ElementTree.parse(ROOT / "package.xml").getroot()


def manifest_names(*tags: str) -> set[str]:
    return {element.text or "" for tag in tags for element in manifest().findall(tag)}


def pinned(name: str) -> set[str]:
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    return {re.split(r"[=\[<>;]", line)[0].strip() for line in lines if line and not line.startswith("#")}


def commands() -> dict[str, str]:
    return load(ROOT / "setup.py").commands()


def test_every_import_is_named_in_package_xml_or_pinned_for_pip() -> None:
    runtime = manifest_names("depend", "exec_depend")
    from_pip = pinned("python.txt") | pinned("voice.txt") | set(OPTIONAL)
    unnamed = {}
    for package, path in imported_packages():
        if package in sys.stdlib_module_names or package == "instructvla_ros":
            continue
        known = SYSTEM_PACKAGES.get(package, package) in runtime or COMES_WITH.get(package, package) in from_pip
        if not known:
            unnamed[package] = path.relative_to(ROOT)
    assert not unnamed


def test_what_may_be_missing_is_imported_late_with_an_error_that_says_what_to_install() -> None:
    optional = pinned("voice.txt") | set(OPTIONAL)
    for path in sources():
        text = path.read_text(encoding="utf-8")
        early = {name for node in ast.parse(text).body for name in imported_by(node)}
        assert not early & optional, path
        late = {name for node in ast.walk(ast.parse(text)) for name in imported_by(node)} & optional
        for name in late:
            hint = OPTIONAL.get(name, "pip install -r requirements/voice.txt")
            assert hint in text, f"{path} imports {name} and does not say: {hint}"


def test_nothing_is_pinned_for_the_run_time_that_no_module_imports() -> None:
    assert pinned("python.txt") <= {package for package, _ in imported_packages()}


def test_setup_py_asks_for_what_the_modules_import_from_pip() -> None:
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    keywords = {word.arg: word.value for node in ast.walk(tree) if isinstance(node, ast.Call) for word in node.keywords}
    asked = set(ast.literal_eval(keywords["install_requires"]))
    with_the_distribution = {"cv-bridge", "opencv-python-headless"}  # rosdep's, as cv_bridge is built against them
    assert asked == (pinned("python.txt") | pinned("wheels.txt")) - with_the_distribution


def test_everything_that_rosdep_installs_is_pinned_for_machines_without_it() -> None:
    python_packages = {"numpy", "scipy", "pillow", "PyYAML", "aiohttp", "cv-bridge", "opencv-python-headless"}
    assert pinned("wheels.txt") == python_packages
    message_packages = {name for name in manifest_names("depend", "exec_depend") if name.endswith(("_msgs", "_srvs"))}
    for distribution in ("jazzy", "kilted"):
        wheels = pinned(f"ros-{distribution}.txt") | pinned(f"constraints-ros-{distribution}.txt")
        assert {f"ros-{name.replace('_', '-')}" for name in message_packages} <= wheels


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_every_requirement_has_one_exact_version(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            assert re.fullmatch(r"[A-Za-z0-9_.-]+(\[\w+\])?==[\w.]+(; python_version (>=|<) \"3\.11\")?", line), line


def test_packages_of_message_fields_are_declared_to_the_generator() -> None:
    used = set()
    for path in [path for kind in ("msg", "srv", "action") for path in ROOT.glob(f"{kind}/*.{kind}")]:
        used |= set(re.findall(r"^([a-z_]+)/\w+", path.read_text(encoding="utf-8"), re.M))
        used |= {"action_msgs"} if path.suffix == ".action" else set()
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    match = re.search(r"DEPENDENCIES ([a-z_ ]+)\)", cmake)
    assert match is not None
    assert used == set(match[1].split())
    assert used <= manifest_names("depend")


def test_cmake_and_setup_py_read_the_same_commands() -> None:
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    selection = re.search(r'file\(STRINGS tools/commands.txt command_lines REGEX "(.*?)"\)', cmake)
    form = re.search(r'line MATCHES "(.*?)"', cmake)
    nodes = re.search(r"file\(GLOB node_files CONFIGURE_DEPENDS \$\{PROJECT_NAME\}/(.*?)\)", cmake)
    assert selection and form and nodes
    found = {path.stem: f"instructvla_ros.nodes.{path.stem}:main" for path in (ROOT / "instructvla_ros").glob(nodes[1])}
    for line in (ROOT / "tools" / "commands.txt").read_text(encoding="utf-8").splitlines():
        if re.search(selection[1], line):
            match = re.search(form[1], line)
            assert match, line
            found[match[1]] = f"{match[2]}:{match[3]}"
    assert found == commands()


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_has_its_function(name: str) -> None:
    module, function = commands()[name].split(":")
    path = ROOT / (module.replace(".", "/") + ".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_an_installed_package_has_every_command() -> None:
    folders = [Path(prefix, "lib", "instructvla_ros") for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(":")]
    installed = [folder for folder in folders if folder.is_dir()]
    if not installed:
        pytest.skip("no colcon build of the package is sourced; its modules run from the checkout")
    executables = {path.name for path in installed[0].iterdir() if os.access(path, os.X_OK)}
    assert executables == set(commands())


def test_versions_agree() -> None:
    version = manifest().findtext("version")
    assert instructvla_ros.__version__ == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((ROOT / "launch").glob("*.py")), ids=lambda path: path.name)
def test_launch_files_compile_and_have_the_function_that_launch_calls(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    compile(tree, path, "exec")
    assert "generate_launch_description" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_processes_of_one_machine_announce_themselves_often_enough_to_find_each_other_at_once() -> None:
    profile = ElementTree.parse(ROOT / "config" / "fastdds" / "shared_memory.xml").getroot()
    (period,) = (element for element in profile.iter() if element.tag.endswith("}leaseAnnouncement"))
    whole, rest = (int(part.text or "") for part in period)
    assert whole + rest / 1e9 <= 0.5


def test_the_shared_memory_profile_holds_a_camera_image_in_one_piece() -> None:
    namespace = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"
    profile = ElementTree.parse(ROOT / "config" / "fastdds" / "shared_memory.xml").getroot()
    assert profile.tag == f"{namespace}profiles"
    by_type = {t.findtext(f"{namespace}type"): t for t in profile.iter(f"{namespace}transport_descriptor") if len(t)}
    assert set(by_type) == {"SHM", "UDPv4"}
    image = 1280 * 720 * 3  # [bytes]
    message = int(by_type["SHM"].findtext(f"{namespace}maxMessageSize") or 0)
    assert message > image
    assert int(by_type["SHM"].findtext(f"{namespace}segment_size") or 0) >= 2 * message
