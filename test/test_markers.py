# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is drawn around the arm stands where the limits, the arm and the plan are."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from instructvla_ros.markers import (
    LAYERS,
    Acting,
    Clamp,
    Kind,
    body_marks,
    box_edges,
    by_layer,
    commanded_marks,
    plan_marks,
    room_marks,
    status_mark,
    trail_marks,
)
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.safety import SafetyLimits, SafetyState
from instructvla_ros.safety.body import Body
from instructvla_ros.safety.limits import Box
from instructvla_ros.safety.rooms import Configurations
from instructvla_ros.sim.arm_model import HOME, urdf

ROOT = Path(__file__).resolve().parents[1]
LIMITS = SafetyLimits.load("widowx")
RED = (0.95, 0.15, 0.10)


def chunk(steps: np.ndarray, grippers: list[float]) -> ActionChunk:
    return ActionChunk(10.0, "base_link", 1, 1, 0.2, steps, np.zeros_like(steps), np.array(grippers))


bounds = st.tuples(st.floats(-2.0, 2.0), st.floats(0.01, 2.0)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(bounds, bounds, bounds)
def test_a_box_has_twelve_edges_along_its_axes(x, y, z) -> None:
    box = Box(x, y, z)
    edges = box_edges(box).reshape(12, 2, 3)
    assert (np.count_nonzero(edges[:, 0] != edges[:, 1], axis=1) == 1).all(), "an edge runs along one axis"
    assert sorted(np.abs(edges[:, 1] - edges[:, 0]).max(axis=1)) == pytest.approx(
        sorted(list(box.upper - box.lower) * 4)
    )
    assert len({tuple(map(tuple, edge)) for edge in edges}) == 12
    np.testing.assert_array_equal(edges.reshape(-1, 3).min(axis=0), box.lower)
    np.testing.assert_array_equal(edges.reshape(-1, 3).max(axis=0), box.upper)


def test_workspace_table_and_keep_out_boxes_stand_where_the_limits_have_them() -> None:
    layers = by_layer(room_marks(LIMITS))
    assert list(layers) == list(LAYERS)
    (table,) = layers["table"]
    assert table.position[2] + 0.5 * table.size[2] == pytest.approx(LIMITS.table)
    boxes = [mark for mark in layers["keep_out"] if mark.kind is Kind.CUBE]
    assert len(boxes) == len(LIMITS.keep_out) > 0
    for mark, box in zip(boxes, LIMITS.keep_out, strict=True):
        np.testing.assert_allclose(mark.position - 0.5 * np.array(mark.size), box.lower)
        np.testing.assert_allclose(mark.position + 0.5 * np.array(mark.size), box.upper)
    assert [mark.text for mark in layers["keep_out"] if mark.text] == [box.name for box in LIMITS.keep_out]


@pytest.mark.parametrize(
    ("clamp", "layer"),
    [
        (Clamp("workspace", "x", 0.1, 0.0, "m/s"), "workspace"),
        (Clamp("table", "fingers", 0.1, 0.0, "m/s"), "table"),
        (Clamp("keep_out", "wrist, base_plate", 0.1, 0.0, "m/s"), "keep_out"),
    ],
)
def test_a_bound_that_acts_is_red_and_no_other(clamp: Clamp, layer: str) -> None:
    red = {mark.layer for mark in room_marks(LIMITS, [clamp]) if mark.colour[:3] == RED}
    assert red == {layer}
    assert not [mark for mark in room_marks(LIMITS) if mark.colour[:3] == RED]


def test_capsules_lie_where_the_arm_is_and_those_of_an_acting_limit_are_red() -> None:
    profile, limits = RobotProfile.load("sim"), SafetyLimits.load("sim")
    chain = profile.chain(urdf())
    body = Body(limits, chain)
    arm = Configurations.of(chain, np.array(HOME)[None])
    pair = limits.self_collision[0]
    marks = body_marks(body, arm, [Clamp("self_collision", ", ".join(pair), 0.1, 0.0, "m/s")])
    rods = [mark for mark in marks if mark.kind is Kind.CYLINDER]
    balls = [mark for mark in marks if mark.kind is Kind.SPHERE_LIST]
    assert len(balls) == len(limits.shapes)
    ends = body.ends.of(arm)[0].T
    for rod in rods:
        half = rod.orientation.apply([0.0, 0.0, 0.5 * rod.size[2]])
        for tip in (rod.position - half, rod.position + half):
            assert np.linalg.norm(ends - tip, axis=1).min() < 1e-9
    red = [mark for mark in balls if mark.colour[:3] == RED]
    assert len(red) == 2


def test_the_plan_begins_at_the_gripper_goes_the_steps_that_are_left_and_shows_the_opening() -> None:
    steps = np.array([[0.1, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, 0.0, 0.1]])
    gripper = np.array([0.3, 0.0, 0.2])
    line, balls = plan_marks(chunk(steps, [1.0, 1.0, 0.0]), 10.3, gripper)  # a step and a half have passed
    np.testing.assert_allclose(line.points, [gripper, gripper + [0, 0.1, 0], gripper + [0, 0.1, 0.1]], atol=1e-9)
    assert (line.colours[0] != line.colours[-1]).any() and len(balls.points) == 2
    assert plan_marks(chunk(steps, [1.0, 1.0, 0.0]), 10.7, gripper) == [], "all its steps have passed"
    assert plan_marks(None, 10.0, gripper) == []
    assert plan_marks(chunk(np.full((1, 3), math.nan), [1.0]), 10.0, gripper) == []


def test_the_text_says_state_reason_and_what_is_clamped() -> None:
    clamps = [Clamp("translation_speed", "", 0.4, 0.25, "m/s"), Clamp("emergency_stop", "", math.nan, math.nan, "")]
    mark = status_mark(SafetyState.MOVING, "following a chunk", clamps, np.array([0.3, 0.0, 0.2]), LIMITS)
    assert mark.text.splitlines() == [
        "MOVING: following a chunk",
        "translation_speed: 0.4 -> 0.25 m/s",
        "emergency_stop",
    ]
    assert mark.position[2] > 0.2
    stopped = status_mark(SafetyState.FAULT, "pushed", [], None, LIMITS)
    assert stopped.colour[:3] == RED and stopped.position[2] > LIMITS.workspace.upper[2]
    assert status_mark(None, "", [], None, LIMITS).text == "NO SAFETY STATUS"
    many = [Clamp("joint_velocity", f"joint_{n}", 1.0, 0.5, "rad/s") for n in range(9)]
    assert status_mark(SafetyState.MOVING, "", many, None, LIMITS).text.endswith("and 4 more")


def test_a_limit_is_shown_as_long_as_it_acts_and_not_much_longer() -> None:
    acting = Acting(memory=0.4)
    clamp = Clamp("workspace", "x", 0.1, 0.0, "m/s")
    acting.see(1.0, [clamp])
    acting.see(1.1, [])
    assert acting.now(1.3) == [clamp]
    assert acting.now(1.5) == []


def test_the_command_ends_where_the_arm_will_rest() -> None:
    points = np.array([[0.3, 0.0, 0.2], [0.31, 0.0, 0.2], [0.312, 0.0, 0.2]])
    line, rest = commanded_marks(points)
    np.testing.assert_array_equal(line.points, points)
    np.testing.assert_array_equal(rest.position, points[-1])
    assert commanded_marks(points[:1]) == []


def test_a_trail_needs_two_points() -> None:
    assert trail_marks(np.zeros((1, 3))) == []
    assert len(trail_marks(np.zeros((5, 3)))[0].points) == 5


def test_the_rviz_file_shows_the_topics_that_there_are() -> None:
    shown = yaml.safe_load((ROOT / "config" / "rviz" / "instructvla.rviz").read_text(encoding="utf-8"))
    displays = {display["Name"]: display for display in shown["Visualization Manager"]["Displays"]}
    assert displays["Plan and limits"]["Class"] == "rviz_default_plugins/MarkerArray"
    assert displays["Plan and limits"]["Topic"]["Value"] == "/markers"
    assert set(displays["Plan and limits"]["Namespaces"]) == set(LAYERS)
    assert displays["Robot"]["Description Topic"]["Value"] == "/robot_description"
    assert displays["Camera"]["Topic"]["Value"] == "/image"


def test_the_foxglove_layout_is_whole_and_shows_the_topics_that_there_are() -> None:
    layout = json.loads((ROOT / "config" / "foxglove" / "instructvla.json").read_text(encoding="utf-8"))

    def leaves(node: object) -> set[str]:
        if isinstance(node, str):
            return {node}
        assert isinstance(node, dict) and node["direction"] in ("row", "column")
        return leaves(node["first"]) | leaves(node["second"])

    panels = layout["configById"]
    assert leaves(layout["layout"]) == set(panels)
    text = json.dumps(panels)
    for topic in ("/markers", "/image", "/reasoning", "/safety_status", "/instruction", "/safety_filter_node/stop"):
        assert f'"{topic}' in text, topic
