# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the guides tell people to type exists, by name; examples for other machines are well formed."""

import ast
import configparser
import importlib.util
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from instructvla_ros.parameters import NODES
from instructvla_ros.shared_files import names_in

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SERVICES = {
    "safety_filter_node": {"stop", "reset", "tell_time"},
    "policy_node": {"ask"},
    "recorder_node": {"save_flight", "start_recording", "stop_recording"},
    "player_node": {"pause", "resume", "step"},
    "voice_bridge_node": {"confirm", "cancel", "push_to_talk"},
}


def commands() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("setup_of_package", ROOT / "setup.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.commands()


def typed(page: Path) -> list[str]:
    """The lines that a page tells people to type, continued ones joined, and commands within sentences."""
    text = page.read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", " ", text)
    blocks = [line.strip().split("   #")[0] for line in joined.splitlines() if line.startswith("    ")]
    return blocks + re.findall(r"`([^`\n]+)`", text)


def launch_arguments(file: str) -> set[str]:
    tree = ast.parse((ROOT / "launch" / file).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    declared = {
        call.args[0].value
        for call in calls
        if call.func.id == "DeclareLaunchArgument" and isinstance(call.args[0], ast.Constant)  # type: ignore[attr-defined]
    }
    passed_on = {parameter.name for parameters in NODES.values() for parameter in parameters}
    return declared | passed_on


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_launch_arguments_services_and_parameters_that_a_page_names_exist(page: Path) -> None:
    known = commands()
    for line in typed(page):
        run = re.search(r"ros2 run instructvla_ros (\w+)", line)
        assert run is None or run[1] in known, line
        launch = re.search(r"ros2 launch instructvla_ros (\S+\.launch\.py)(.*)", line)
        if launch:
            assert (ROOT / "launch" / launch[1]).is_file(), line
            assert set(re.findall(r"(\w+):=", launch[2])) <= launch_arguments(launch[1]), line
        called = re.search(r"ros2 service call /(\w+)/(\w+) ", line)
        assert called is None or called[2] in SERVICES[called[1]], line
        parameter = re.search(r"ros2 param set /(\w+) (\w+) ", line)
        if parameter:
            dynamic = {each.name for each in NODES[parameter[1]] if each.dynamic}
            assert parameter[2] in dynamic, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_links_to_or_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:\s]+)\)", text):
        assert (page.parent / link).exists(), link
    for path in re.findall(r"(?<![\w/.])(config/[\w/]+\.(?:yaml|xml|rviz|json)|bench/\w+\.py)", text):
        assert (ROOT / path).is_file(), path


def test_the_first_hour_names_every_robot() -> None:
    text = (ROOT / "docs" / "first_hour.md").read_text(encoding="utf-8")
    for name in names_in("config/robots"):
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("name", ["instructvla-robot.service", "instructvla-policy.service"])
def test_a_unit_starts_what_there_is_and_arms_nothing(name: str) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(ROOT / "config" / "systemd" / name, encoding="utf-8")
    command = unit["Service"]["ExecStart"]
    assert set(re.findall(r"(\w+):=", command)) <= launch_arguments("bringup.launch.py")
    assert "arm:=" not in command, "arming is a decision of a person who stands by"
    assert f"machine:={'robot' if 'robot' in name else 'policy'}" in command
    assert unit["Service"]["KillSignal"] == "SIGINT"


def test_the_profile_for_two_machines_has_shared_memory_within_one_and_large_buffers_between() -> None:
    namespace = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"
    root = ElementTree.parse(ROOT / "config" / "fastdds" / "two_machines.xml").getroot()
    kinds = {d.findtext(f"{namespace}type"): d for d in root.iter(f"{namespace}transport_descriptor")}
    assert set(kinds) == {"SHM", "UDPv4"}
    for key in ("sendBufferSize", "receiveBufferSize"):
        assert int(kinds["UDPv4"].findtext(f"{namespace}{key}") or 0) >= 4 * 640 * 480 * 3
    used = {element.text for element in root.iter(f"{namespace}transport_id")}
    assert used == {"shared_memory", "udp"}


def test_the_workflow_runs_the_project_s_own_tests_on_both_kinds_of_machine() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text(encoding="utf-8"))["jobs"]
    runs = {name: " ".join(str(step.get("run", "")) for step in job["steps"]) for name, job in jobs.items()}
    assert jobs["distribution"]["container"].startswith("ros:jazzy")
    assert "make test" in runs["distribution"] and ".ci/run" in runs["wheels"]
