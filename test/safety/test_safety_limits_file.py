# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Limits come from a file that is read strictly."""

import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety import JointLimit, LimitsError, SafetyFilter, SafetyLimits

FOLDER = Path(__file__).resolve().parents[2] / "config" / "limits"
SHIPPED = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.fixture
def text():
    return (FOLDER / "sim.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_limits_load_by_name_and_by_path(name):
    assert SafetyLimits.load(name) == SafetyLimits.load(FOLDER / f"{name}.yaml")


@pytest.mark.parametrize("name", SHIPPED)
def test_every_number_of_the_shipped_limits_says_where_it_comes_from(name):
    for line in (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines():
        if re.match(r"[a-z_]+: [0-9]", line):
            assert "# [" in line or "# chosen" in line, line


def test_the_limits_of_the_simulated_arm_fit_the_simulated_arm():
    arm_model = pytest.importorskip("instructvla_ros.sim.arm_model", reason="the simulated arm cannot be imported")
    chain = KinematicChain.from_urdf(arm_model.urdf(), "base_link", "gripper_link")
    limits = SafetyLimits.load("sim")
    limits.check_against(chain)
    home = chain.forward(np.array(arm_model.HOME))[:3, 3]
    assert (home > limits.workspace.lower).all() and (home < limits.workspace.upper).all()


def test_unknown_robots_are_named_with_those_that_are_known():
    with pytest.raises(LimitsError, match="'panda'.*sim"):
        SafetyLimits.load("panda")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LimitsError, match="cannot read .*nowhere.yaml"):
        SafetyLimits.load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("translation_speed:", "translation_sped:", r"line \d+: unknown key 'translation_sped' .*'translation_speed'"),
        (r"horizon: [^\n]*", "", "missing horizon"),
        (r"horizon: [^\n]*", "horizon: 0.2\nhorizon: 0.3", r"line \d+: key 'horizon' is given twice"),
        (r"horizon: [^\n]*", "horizon: fast", "'horizon' must be a number \\[s\\], got 'fast'"),
        (r"horizon: [^\n]*", "horizon: '0.2'", "'horizon' must be a number"),
        (r"horizon: [^\n]*", "horizon: yes", "'horizon' must be a number"),
        (r"horizon: [^\n]*", "horizon: .nan", "'horizon' must be a number"),
        (r"horizon: [^\n]*", "horizon: .inf", "'horizon' must be a number"),
        (r"horizon: [^\n]*", "horizon: -0.2", "horizon: must be a positive finite number"),
        (r"horizon: [^\n]*", "horizon: [0.2", "not valid YAML"),
        (r"max_steps: [^\n]*", "max_steps: 3.5", r"line \d+: 'max_steps' must be a whole number"),
        (r"chunk_age: [^\n]*", "chunk_age: 0", "chunk_age: must be a positive"),
        (r"stamp_ahead: [^\n]*", "stamp_ahead: -1", "stamp_ahead: must be 0 or positive"),
        (r"period_max: [^\n]*", "period_max: 0.01", "period_min must be below period_max"),
        (r"joint_margin: [^\n]*", "joint_margin: 2.0", "joint_margin: 2.0 leaves no range of joint 'shoulder'"),
        (r"z: \[[^\n]*", "z: [0.4, 0.01]", "workspace.z: first must be below second"),
        (r"z: \[[^\n]*", "z: [0.4]", r"line \d+: 'workspace.z' must be two numbers"),
        (r"z: \[[^\n]*", "", "missing workspace.z"),
        ("  waist: .*", "  waist: {lower: 1, upper: -1, velocity: 1, acceleration: 1}", "joints.waist: lower must be"),
        ("  waist: .*", "  waist: {lower: -1, upper: 1, velocity: 0, acceleration: 1}", "joints.waist.velocity"),
        ("  waist: .*", "  waist: {lower: -1, upper: 1, velocity: 1}", "missing joints.waist.acceleration"),
        ("  waist: .*", "  waist: {lower: -1, upper: 1, speed: 1}", r"line \d+: unknown key 'joints.waist.speed'"),
        ("  waist: .*", "  waist: 3.14", "joints.waist must be a mapping"),
    ],
)
def test_a_file_that_is_not_exactly_right_is_refused_by_key(text, tmp_path, old, new, complaint):
    changed, count = re.subn(old, new, text, count=1)
    assert count == 1
    path = tmp_path / "limits.yaml"
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(LimitsError, match=complaint) as error:
        SafetyLimits.load(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("content", ["", "# nothing\n", "- a\n- list\n", "just words\n", "\x00"])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "limits.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(LimitsError, match=re.escape(str(path))):
        SafetyLimits.load(path)


@pytest.mark.parametrize("item", sorted({item.name for item in fields(SafetyLimits)} - {"joints", "workspace"}))
def test_no_limit_may_be_infinite(limits, item):
    with pytest.raises(LimitsError, match=item if not item.startswith("period") else "period"):
        replace(limits, **{item: np.inf})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"waist": None}, "limits lack waist"),
        ({"gripper": JointLimit(0.0, 1.0, 1.0, 1.0)}, "name beyond it gripper"),
        ({"elbow": JointLimit(-2.2, 1.6, 3.0, 8.0)}, "joints.elbow: -2.2 to 1.6 is wider than the URDF's -2.14 to 1.6"),
        ({"elbow": JointLimit(-2.0, 1.7, 3.0, 8.0)}, "joints.elbow: -2.0 to 1.7 is wider"),
        ({"elbow": JointLimit(-2.0, 1.6, 4.0, 8.0)}, "joints.elbow.velocity: 4.0 is above the URDF's 3.14"),
    ],
)
def test_limits_that_do_not_fit_the_arm_are_refused_by_joint(limits, chain, change, complaint):
    joints = {name: joint for name, joint in {**limits.joints, **change}.items() if joint is not None}
    with pytest.raises(LimitsError, match=complaint):
        SafetyFilter(replace(limits, joints=joints), chain, "base_link")


@pytest.mark.parametrize("period", [0.0, -0.01, 0.15, float("nan")])
def test_a_period_that_leaves_no_time_to_brake_is_refused(limits, chain, period):
    with pytest.raises(LimitsError, match="horizon"):
        SafetyFilter(limits, chain, "base_link", period=period)


def test_joint_speeds_are_capped_by_what_the_horizon_lets_brake(limits, chain):
    caps = SafetyFilter(limits, chain, "base_link", period=0.01).joint_speed_caps
    expected = [min(joint.velocity, joint.acceleration * (limits.horizon - 0.01)) for joint in limits.joints.values()]
    np.testing.assert_allclose(caps, expected)
