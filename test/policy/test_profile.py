# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Profiles load, and a wrong one is refused with file, line and what is allowed."""

import pytest
import yaml

from instructvla_ros.policy.gripper_rules import StickyGripper, ThresholdGripper
from instructvla_ros.policy.profile import (
    ROBOTS_FOLDER,
    AsynchronousExecution,
    EnsembleExecution,
    FirstStepsExecution,
    ProfileError,
    ReasoningSettings,
    RobotProfile,
)
from instructvla_ros.policy.profile_interface import OPTIONAL_KEYS
from instructvla_ros.robot.action_chunk import DeltaReference
from instructvla_ros.shared_files import names_in, shared_folder


@pytest.fixture
def text():
    return (shared_folder(ROBOTS_FOLDER) / "widowx.yaml").read_text()


@pytest.fixture
def load_text(tmp_path):
    def load(content):
        path = tmp_path / "mine.yaml"
        path.write_text(content)
        return RobotProfile.load(path)

    return load


def line_of(content, key):
    return next(number for number, line in enumerate(content.splitlines(), 1) if line.lstrip().startswith(key))


@pytest.mark.parametrize("name", names_in(ROBOTS_FOLDER))
def test_every_robot_of_the_package_loads_under_its_own_name(name):
    profile = RobotProfile.load(name)
    assert profile.name == name
    assert profile.description


def test_the_widowx_follows_bridge():
    profile = RobotProfile.load("widowx")
    assert profile.dataset == "bridge_dataset"
    assert profile.period == pytest.approx(0.2)
    assert profile.joints == ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
    assert profile.gripper.opening(0.015) == 0.0
    assert profile.gripper.opening(0.037) == 1.0
    assert profile.proprioception == profile.action_units == "bridge"
    assert profile.gripper_rule == ThresholdGripper(0.5)
    assert profile.execution == EnsembleExecution(window=7, alpha=0.1)
    assert profile.delta_reference is DeltaReference.TARGET
    assert profile.lower_case_instruction is True


def test_every_choice_can_be_made(text, load_text):
    text = text.replace("{rule: threshold, threshold: 0.5}     #", "{rule: sticky, threshold: 0.4, repeats: 10} #")
    text = text.replace("{mode: ensemble, window: 7, alpha: 0.1}  #", "{mode: first_steps, steps: 4} #")
    text = text.replace("delta_reference: target", "delta_reference: measured")
    text = text.replace("mode: auto, period: 0.0, scene_change: 0.0", "mode: never, period: 2, scene_change: 0.2")
    profile = load_text(text)
    assert profile.gripper_rule == StickyGripper(repeats=10, threshold=0.4)
    assert profile.execution == FirstStepsExecution(steps=4)
    assert profile.delta_reference is DeltaReference.MEASURED
    assert profile.reasoning == ReasoningSettings("never", 2.0, 0.2)


def test_asynchronous_execution_can_be_chosen(text, load_text):
    text = text.replace("{mode: ensemble, window: 7, alpha: 0.1}  #", "{mode: asynchronous, steps: 2, blend: 3} #")
    assert load_text(text).execution == AsynchronousExecution(steps=2, blend=3)


def test_an_unknown_robot_is_refused_with_the_known_ones():
    with pytest.raises(ProfileError, match=r"unknown robot 'widow'; known: .*sim, .*widowx"):
        RobotProfile.load("widow")


@pytest.mark.parametrize("path", ["./nowhere/robot", "robot.yaml", "robot.yml"])
def test_a_path_to_nothing_is_refused(path):
    with pytest.raises(ProfileError, match="cannot read .*robot"):
        RobotProfile.load(path)


@pytest.mark.parametrize(
    "key",
    [
        key
        for key in yaml.safe_load((shared_folder(ROBOTS_FOLDER) / "sim.yaml").read_text())
        if key not in OPTIONAL_KEYS
    ],
)
def test_a_missing_key_is_named(key, text, load_text):
    content = yaml.safe_load(text)
    del content[key]
    with pytest.raises(ProfileError, match=rf"mine.yaml, line 1: missing {key}"):
        load_text(yaml.safe_dump(content))


@pytest.mark.parametrize(("mapping", "key"), [("gripper", "open"), ("ages", "image"), ("reasoning", "period")])
def test_a_missing_nested_key_is_named(mapping, key, text, load_text):
    content = yaml.safe_load(text)
    del content[mapping][key]
    with pytest.raises(ProfileError, match=rf"missing {mapping}\.{key}"):
        load_text(yaml.safe_dump(content))


def test_an_unknown_key_is_named_with_its_line_and_the_closest_known_one(text, load_text):
    content = text + "controll_rate: 3\n"
    line = line_of(content, "controll_rate")
    complaint = rf"mine.yaml, line {line}: unknown key 'controll_rate' \(did you mean 'control_rate'\?\); known: name"
    with pytest.raises(ProfileError, match=complaint):
        load_text(content)


def test_an_unknown_nested_key_is_named_in_full(text, load_text):
    content = text.replace("  future:", "  futur: 3\n  future:")
    line = line_of(content, "futur:")
    with pytest.raises(ProfileError, match=rf"line {line}: unknown key 'ages.futur'.*known: image, joint_state"):
        load_text(content)


def test_a_key_given_twice_is_refused(text, load_text):
    with pytest.raises(ProfileError, match="'name' is given twice"):
        load_text(text + "name: other\n")


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("control_rate", "fast", "a number from 0.1 to 200 [Hz], got 'fast'"),
        ("control_rate", "0", "a number from 0.1 to 200 [Hz], got 0"),
        ("control_rate", ".nan", "a number from 0.1 to 200 [Hz], got nan"),
        ("control_rate", "true", "a number from 0.1 to 200 [Hz], got True"),
        ("control_rate", "[5]", "a number from 0.1 to 200 [Hz]"),
        ("name", "''", "a non-empty string"),
        ("dataset", "7", "a non-empty string"),
        ("dataset", "null", "a non-empty string"),
        ("dataset", "2026-13-45", "cannot be read"),
        ("dataset", "!!python/name:os.system x", "cannot be read"),
        ("joints", "waist", "a list of names"),
        ("joints", "[]", "at least one"),
        ("joints", "[waist, 3]", "a list of names"),
        ("joints", "[waist, waist]", "all differ"),
        ("gripper", "{joint: waist, closed: 0, open: 0.1}", "one of the arm's joints"),
        ("tip_frame", "wx250s/base_link", "it is the base frame"),
        ("proprioception", "droid", "one of bridge, fractal, libero, got 'droid'"),
        ("action_units", "inches", "one of bridge, fractal, libero"),
        ("delta_reference", "[target]", "one of target, measured"),
        ("lower_case_instruction", "1", "true or false"),
        ("gripper", "left_finger", "must be a mapping with the keys joint, closed, open"),
        ("gripper", "{joint: f, closed: 0.1, open: 0.1}", "the same position"),
        ("gripper_rule", "threshold", "must be a mapping with rule: one of threshold, sticky"),
        ("gripper_rule", "{rule: firm}", "one of threshold, sticky"),
        ("gripper_rule", "{rule: sticky, threshold: 0.5}", "missing gripper_rule.repeats"),
        ("gripper_rule", "{rule: threshold, threshold: 0.5, repeats: 3}", "unknown key 'gripper_rule.repeats'"),
        ("gripper_rule", "{rule: sticky, threshold: 0.5, repeats: 2.5}", "a whole number from 1 to 1000, got 2.5"),
        ("execution", "{mode: ensemble, window: 0, alpha: 0.1}", "'execution.window' must be a whole number from 1"),
        ("execution", "{mode: first_steps, steps: true}", "'execution.steps' must be a whole number"),
        ("execution", "{mode: asynchronous, steps: 2, blend: 0}", "'execution.blend' must be a whole number from 1"),
        ("reasoning", "{mode: maybe, period: 0, scene_change: 0}", "'reasoning.mode' must be one of auto, always"),
        ("reasoning", "{mode: always, period: -1, scene_change: 0}", "'reasoning.period' must be a number from 0"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line_and_what_is_allowed(key, value, allowed, text, load_text):
    lines = text.splitlines()
    line = line_of(text, key + ":")
    lines[line - 1] = f"{key}: {value}"
    while line < len(lines) and lines[line].startswith("  "):
        del lines[line]
    with pytest.raises(ProfileError) as refusal:
        load_text("\n".join(lines))
    assert f"mine.yaml, line {line}: " in str(refusal.value)
    assert allowed in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "the file is empty"),
        ("- a\n- b\n", "line 1: the file must be a mapping"),
        ("name: sim\n  dataset: [\n", "line 2: not valid YAML"),
        ("name: \x07\n", "not valid YAML"),
    ],
)
def test_what_is_no_profile_at_all_is_refused(content, complaint, load_text):
    with pytest.raises(ProfileError, match=complaint):
        load_text(content)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ProfileError, match="cannot read .*mine.yaml"):
        RobotProfile.load(path)
