# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""docs/first_hour.md from the check to the first motion, with the simulated arm as a driver that has to be armed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from instructvla_ros.bringup import bringup_processes
from instructvla_ros.msg import SafetyStatus
from instructvla_ros.nodes import qos
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.safety import SafetyLimits
from instructvla_ros.sim.arm_model import ARM_JOINTS, urdf

ROOT = Path(__file__).resolve().parents[2]
STILL = 0.005  # [rad]


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The simulated arm as if it were hardware."""
    text = (ROOT / "config" / "robots" / "sim.yaml").read_text(encoding="utf-8")
    assert text.count("simulation: true") == 1
    path = tmp_path / "lab_arm.yaml"
    path.write_text(text.replace("simulation: true", "simulation: false"), encoding="utf-8")
    return path


@pytest.mark.slow
def test_the_first_hour_goes_as_its_page_says(graph, untrained_checkpoint: Path, profile: Path) -> None:
    statuses = graph.collect(SafetyStatus, "safety_status", qos.LATCHED)
    joints = graph.collect(JointState, "joint_states", qos.SENSOR)
    sent = graph.collect(JointTrajectory, "joint_trajectory", qos.TEXT)
    planned = graph.collect(JointTrajectory, "planned_trajectory", qos.TEXT)
    markers = graph.collect(MarkerArray, "markers", qos.TEXT)
    instruction = graph.node.create_publisher(String, "instruction", qos.LATCHED)

    def state() -> int:
        return statuses[-1].state if statuses else -1

    def positions() -> np.ndarray:
        return np.array(joints[-1].position[: len(ARM_JOINTS)])

    def launch(**arguments: object) -> list:
        given = {"device": "cpu", "seed": 1, "markers": True, "flight_recorder": False}
        described = bringup_processes(str(profile), str(untrained_checkpoint), **given, **arguments)
        return [graph.run(process.name, process.command()) for process in described]

    # the driver, and the check
    graph.start("sim_arm_node", image_width=64, image_height=48, image_rate=10.0)
    graph.wait_until(lambda: len(joints) > 5, "the driver")
    command = [sys.executable, "-m", "instructvla_ros.nodes.check_profile", str(profile), "--live", "--seconds", "3"]
    environment = {**os.environ, **graph.environment}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0 and "nothing stands in the way" in done.stdout, done.stdout + done.stderr

    # dry run: words, a plan and limits to look at, and nothing for the driver
    dry = launch()
    graph.wait_until(lambda: bool(statuses) and statuses[-1].reason.startswith("dry run"), "a filter in its dry run")
    before = positions()
    instruction.publish(String(data="pick up the red cube"))
    layers = {"workspace", "table", "body", "planned", "commanded", "status"}
    graph.wait_until(lambda: bool(markers) and layers <= {m.ns for m in markers[-1].markers}, "plan and limits drawn")
    graph.wait_until(lambda: len(planned) > 50, "what the driver would be sent")
    assert not sent, "a dry run sends the driver nothing"
    assert np.abs(positions() - before).max() < STILL
    for process in dry:
        assert process.stop() == 0 and "Traceback" not in process.output, process.output
    instruction.publish(String())

    # armed, at 5 %: nothing moves without an instruction, the stop works, and the arm creeps
    statuses.clear()
    armed = launch(arm=True, speed_scale=0.05)
    graph.wait_until(lambda: state() == SafetyStatus.STATE_HOLDING, "the armed filter to hold")
    assert graph.call(Trigger, "safety_filter_node/stop", Trigger.Request()).success
    graph.wait_until(lambda: state() == SafetyStatus.STATE_STOPPED, "the stop")
    assert graph.call(Trigger, "safety_filter_node/reset", Trigger.Request()).success
    graph.wait_until(lambda: state() == SafetyStatus.STATE_HOLDING, "the reset")
    assert np.abs(positions() - before).max() < STILL
    instruction.publish(String(data="pick up the red cube"))
    count = len(joints)
    graph.wait_until(lambda: np.abs(positions() - before).max() > STILL, "the arm to creep")
    limit = 0.05 * SafetyLimits.load("sim").translation_speed
    chain = RobotProfile.load(profile).chain(urdf())
    way = np.array([chain.forward(np.array(each.position[: len(ARM_JOINTS)]))[:3, 3] for each in joints[count:]])
    stamps = np.array([each.header.stamp.sec + each.header.stamp.nanosec * 1e-9 for each in joints[count:]])
    speed = np.linalg.norm(way[-1] - way[0]) / (stamps[-1] - stamps[0])
    assert speed <= 1.1 * limit, f"{speed:.4f} m/s at 5 % of {20 * limit:g} m/s"

    # faster while it runs, and to rest by an empty instruction
    value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=0.5)
    request = SetParameters.Request(parameters=[Parameter(name="speed_scale", value=value)])
    assert graph.call(SetParameters, "safety_filter_node/set_parameters", request).results[0].successful
    graph.wait_until(lambda: statuses[-1].speed_scale == pytest.approx(0.5), "the new speed scale")
    instruction.publish(String())
    graph.wait_until(lambda: state() == SafetyStatus.STATE_HOLDING, "the arm to rest")
    for process in armed:
        assert process.stop() == 0 and "Traceback" not in process.output, process.output
