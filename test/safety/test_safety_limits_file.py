# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Limits come from a file that is read strictly."""

import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety import BodyShape, JointLimit, LimitsError, SafetyFilter, SafetyLimits
from instructvla_ros.safety.limits import STRUCTURED_LIMITS

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
    with pytest.raises(LimitsError, match="'toaster'.*sim"):
        SafetyLimits.load("toaster")


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
        ("  waist: .*", "  waist: {lower: 1, upper: -1, velocity: 1, acceleration: 1, jerk: 1}", "waist: lower must"),
        ("  waist: .*", "  waist: {lower: -1, upper: 1, velocity: 0, acceleration: 1, jerk: 1}", "waist.velocity"),
        ("  waist: .*", "  waist: {lower: -1, upper: 1, velocity: 1}", "missing joints.waist.acceleration, .*jerk"),
        ("  waist: .*", "  waist: {lower: -1, upper: 1, speed: 1}", r"line \d+: unknown key 'joints.waist.speed'"),
        ("  waist: .*", "  waist: 3.14", "joints.waist must be a mapping"),
        ("jerk: 500.0", "jerk: 0", "joints.waist.jerk: must be a positive"),
        (r"table: [^\n]*", "table: high", r"line \d+: 'table' must be a number \[m\]"),
        (r"keep_out:[^\n]*\n[^\n]*", "keep_out: 3", r"line \d+: 'keep_out' must be a list of mappings.*name, x, y, z"),
        ("name: base_plate", "nam: base_plate", r"line \d+: unknown key 'keep_out\[0\].nam'.*'name'"),
        ("z: \\[0.0, 0.024\\]", "z: [0.024, 0.0]", "keep_out 'base_plate'.z: first must be below second"),
        (
            "keep_out: .*",
            "keep_out:\n  - {name: base_plate, x: [0, 1], y: [0, 1], z: [0, 1]}",
            "keep_out: the name 'base_plate' is given twice",
        ),
        ("name: shoulder", "name: column", "shapes: the name 'column' is given twice"),
        ("name: shoulder, ", "", r"line \d+: missing shapes\[1\].name"),
        ("radius: 0.048", "radius: 0", "shapes 'column': radius: must be a positive"),
        ("from: \\[0.0, 0.0, 0.024\\]", "from: [0.0, 0.024]", r"line \d+: 'shapes\[0\].from' must be three numbers"),
        (r"- \[column, wrist\]", "- [column, foot]", "self_collision: 'foot' is no shape; shapes: column, shoulder"),
        (r"- \[column, wrist\]", "- [column]", r"line \d+: 'self_collision' must be a list of pairs of names"),
        (r"- \[column, wrist\]", "- [hand, column]", "'column', 'hand'\\] is given twice"),
        (r"clearance_halt: [^\n]*", "clearance_halt: -0.001", "clearance_halt: must be 0 or positive"),
        (r"clearance_halt: [^\n]*", "clearance_halt: 0.03", "clearance_halt must be below clearance_slow"),
        (r"singularity_halt: [^\n]*", "singularity_halt: 2", "singularity_slow must be below singularity_halt"),
        (r"singularity_slow: [^\n]*", "singularity_slow: 1", "singularity_slow: must be above 1"),
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


@pytest.mark.parametrize("item", sorted({item.name for item in fields(SafetyLimits)} - set(STRUCTURED_LIMITS)))
def test_no_limit_may_be_infinite(limits, item):
    with pytest.raises(LimitsError, match=item):
        replace(limits, **{item: np.inf})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"waist": None}, "limits lack waist"),
        ({"gripper": JointLimit(0.0, 1.0, 1.0, 1.0, 500.0)}, "name beyond it gripper"),
        ({"elbow": JointLimit(-2.2, 1.6, 3.0, 8.0, 500.0)}, "elbow: -2.2 to 1.6 is wider than the URDF's -2.14 to 1.6"),
        ({"elbow": JointLimit(-2.0, 1.7, 3.0, 8.0, 500.0)}, "joints.elbow: -2.0 to 1.7 is wider"),
        ({"elbow": JointLimit(-2.0, 1.6, 4.0, 8.0, 500.0)}, "joints.elbow.velocity: 4.0 is above the URDF's 3.14"),
    ],
)
def test_limits_that_do_not_fit_the_arm_are_refused_by_joint(limits, chain, change, complaint):
    joints = {name: joint for name, joint in {**limits.joints, **change}.items() if joint is not None}
    with pytest.raises(LimitsError, match=complaint):
        SafetyFilter(replace(limits, joints=joints), chain, "base_link")


@pytest.mark.parametrize(
    ("shape", "pairs", "complaint"),
    [
        (BodyShape("foot", "left_foot", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.1), (), "'foot'.*'left_foot'.*gripper"),
        (
            BodyShape("palm", "flange_link", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.1),
            (("palm", "hand"),),
            "'palm', 'hand'.*never part",
        ),
    ],
)
def test_shapes_that_do_not_fit_the_arm_are_refused_by_name(limits, chain, shape, pairs, complaint):
    wrong = replace(limits, shapes=(*limits.shapes, shape), self_collision=pairs)
    with pytest.raises(LimitsError, match=complaint):
        wrong.check_against(chain)


def test_lists_of_boxes_shapes_and_pairs_may_be_empty(text, tmp_path):
    for key in ("keep_out", "shapes", "self_collision"):
        text = re.sub(rf"^{key}:[^\n]*\n(  [^\n]*\n)+", f"{key}: []\n", text, flags=re.MULTILINE)
    path = tmp_path / "bare.yaml"
    path.write_text(text, encoding="utf-8")
    bare = SafetyLimits.load(path)
    assert bare.keep_out == bare.shapes == bare.self_collision == ()


@pytest.mark.parametrize("period", [0.0, -0.01, 0.15, float("nan")])
def test_a_period_that_leaves_no_time_to_brake_is_refused(limits, chain, period):
    with pytest.raises(LimitsError, match="horizon"):
        SafetyFilter(limits, chain, "base_link", period=period)


def test_joint_speeds_are_capped_by_what_the_horizon_lets_brake(limits, chain):
    caps = SafetyFilter(limits, chain, "base_link", period=0.01).bounds.speeds
    expected = [
        min(joint.velocity, joint.acceleration * (limits.horizon - 0.01 - 2.0 * joint.acceleration / joint.jerk))
        for joint in limits.joints.values()
    ]
    np.testing.assert_allclose(caps, expected)
