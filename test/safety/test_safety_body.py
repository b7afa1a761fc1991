# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rooms of the arm's body, held against points strewn over its capsules; and the shapes that are shipped."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from instructvla_ros.robot.kinematics import KinematicChain
from instructvla_ros.safety import BodyShape, KeepOutBox, SafetyLimits
from instructvla_ros.safety.body import COVER_EXCESS, Body
from instructvla_ros.safety.room_limits.keep_out import KeepOutLimit
from instructvla_ros.safety.room_limits.self_collision import SelfCollisionLimit
from instructvla_ros.safety.room_limits.table import TableLimit
from instructvla_ros.safety.rooms import Configurations, RoomLimit

seeds = st.integers(0, 2**32 - 1)
LIMITS = (TableLimit, KeepOutLimit, SelfCollisionLimit)
_ROBOTS = Path(__file__).resolve().parents[1] / "robot"
# Points along a capsule's line when it is sampled.
_ALONG = 100


_ARMS = [("six_joint_arm", "base_link", "gripper_link"), ("seven_joint_arm", "world", "tool")]


@pytest.fixture(scope="module", params=_ARMS)
def arm(request: pytest.FixtureRequest) -> tuple[str, KinematicChain]:
    """URDF text and chain of each arm in turn; the second slides, and stands turned on its base."""
    name, base, tip = request.param
    urdf = (_ROBOTS / f"{name}.urdf").read_text(encoding="utf-8")
    return urdf, KinematicChain.from_urdf(urdf, base, tip)


def _random_body(limits: SafetyLimits, chain: KinematicChain, random: np.random.Generator) -> SafetyLimits:
    """Limits with random capsules, balls and boxes, and all pairs of shapes that can part."""
    shapes = []
    for index in range(6):
        start = random.uniform(-0.15, 0.15, 3)
        end = start + random.uniform(-0.2, 0.2, 3) * random.choice([0.0, 1.0], p=[0.3, 0.7])
        link = chain.link_names[0] if index == 0 else str(random.choice(chain.link_names))
        shapes.append(BodyShape(f"shape_{index}", link, tuple(start), tuple(end), float(random.uniform(0.005, 0.08))))
    boxes = []
    for index in range(2):
        lower = random.uniform(-0.5, 0.3, 3)
        sides = zip(lower, lower + random.uniform(0.02, 0.4, 3), strict=True)
        boxes.append(KeepOutBox(*((float(low), float(high)) for low, high in sides), name=f"box_{index}"))
    pairs = [
        (one.name, other.name)
        for place, one in enumerate(shapes)
        for other in shapes[place + 1 :]
        if chain.link_frame(one.link)[0] != chain.link_frame(other.link)[0]
    ]
    table = float(random.uniform(-0.2, 0.2))
    return replace(
        limits, table=table, shapes=tuple(shapes), keep_out=tuple(boxes), self_collision=tuple(pairs)
    )


def _positions(chain: KinematicChain, random: np.random.Generator) -> np.ndarray:
    return random.uniform(np.maximum(chain.lower, -3.0), np.minimum(chain.upper, 3.0))


def _room(limit: RoomLimit, chain: KinematicChain, positions: np.ndarray) -> np.ndarray:
    return limit.rooms(Configurations.of(chain, np.atleast_2d(positions)))


def _link_pose(urdf: str, chain: KinematicChain, link: str, positions: np.ndarray) -> np.ndarray:
    """By a chain of its own that ends at the link."""
    index, offset = chain.link_frame(link)
    return offset if index < 0 else KinematicChain.from_urdf(urdf, chain.base, link).forward(positions[: index + 1])


def _lines(urdf: str, chain: KinematicChain, limits: SafetyLimits, positions: np.ndarray) -> dict[str, np.ndarray]:
    """``(_ALONG, 3)`` points along the line of every capsule, in the base frame [m]."""
    lines = {}
    for shape in limits.shapes:
        link = _link_pose(urdf, chain, shape.link, positions)
        share = np.linspace(0.0, 1.0, _ALONG)[:, None]
        points = (1.0 - share) * np.array(shape.start) + share * np.array(shape.end)
        lines[shape.name] = points @ link[:3, :3].T + link[:3, 3]
    return lines


def _spacing(shape: BodyShape) -> float:
    return float(np.linalg.norm(np.subtract(shape.end, shape.start))) / (_ALONG - 1)


def _moving(chain: KinematicChain, limits: SafetyLimits) -> list[BodyShape]:
    return [shape for shape in limits.shapes if chain.link_frame(shape.link)[0] >= 0]


def _outside(box: KeepOutBox, points: np.ndarray) -> np.ndarray:
    """Distance of points to a box, negative inside."""
    nearest = np.clip(points, box.lower, box.upper)
    depth = np.minimum(points - box.lower, box.upper - points).min(axis=1)
    return np.where(depth > 0.0, -depth, np.linalg.norm(points - nearest, axis=1))


@given(seeds)
def test_rooms_over_the_table_are_those_of_points_strewn_over_the_capsules(limits, arm, seed):
    urdf, chain = arm
    random = np.random.default_rng(seed)
    limits, positions = _random_body(limits, chain, random), _positions(chain, random)
    limit = TableLimit(limits, chain)
    rooms = _room(limit, chain, positions)[0]
    lines = _lines(urdf, chain, limits, positions)
    assert set(limit.subjects) == {shape.name for shape in _moving(chain, limits)}
    for shape in _moving(chain, limits):
        room = min(room for room, name in zip(rooms, limit.subjects, strict=True) if name == shape.name)
        lowest = (lines[shape.name][:, 2] - shape.radius).min()
        assert room == pytest.approx(lowest - limits.table - limits.clearance_halt, abs=1e-9)


@given(seeds)
def test_rooms_to_boxes_are_those_of_points_strewn_over_the_capsules(limits, arm, seed):
    urdf, chain = arm
    random = np.random.default_rng(seed)
    limits, positions = _random_body(limits, chain, random), _positions(chain, random)
    limit = KeepOutLimit(limits, chain)
    rooms = dict(zip(limit.subjects, _room(limit, chain, positions)[0], strict=True))
    lines = _lines(urdf, chain, limits, positions)
    assert len(rooms) == len(limits.keep_out) * len(_moving(chain, limits))
    directions = random.normal(size=(_ALONG, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for box in limits.keep_out:
        for shape in _moving(chain, limits):
            room = rooms[f"{shape.name}, {box.name}"]
            line = lines[shape.name]
            distance = _outside(box, line).min() - shape.radius
            assert distance - COVER_EXCESS - _spacing(shape) - 1e-9 <= room + limits.clearance_halt
            # How deep a capsule is inside may differ, but never whether it is.
            assert room + limits.clearance_halt <= max(distance, 0.0) + 1e-9
            surface = line[random.integers(_ALONG, size=_ALONG)] + shape.radius * directions
            assert room <= _outside(box, surface).min() - limits.clearance_halt + 1e-9


@given(seeds)
def test_rooms_between_shapes_are_those_of_points_strewn_over_the_capsules(limits, arm, seed):
    urdf, chain = arm
    random = np.random.default_rng(seed)
    limits, positions = _random_body(limits, chain, random), _positions(chain, random)
    limit = SelfCollisionLimit(limits, chain)
    rooms = _room(limit, chain, positions)[0]
    lines, shapes = _lines(urdf, chain, limits, positions), {shape.name: shape for shape in limits.shapes}
    for (one, other), room in zip(limits.self_collision, rooms, strict=True):
        apart = np.linalg.norm(lines[one][:, None] - lines[other], axis=2).min()
        distance = apart - shapes[one].radius - shapes[other].radius - limits.clearance_halt
        assert distance - _spacing(shapes[one]) - _spacing(shapes[other]) - 1e-9 <= room <= distance + 1e-9


@pytest.mark.parametrize(
    ("offset", "distance"), [(0.02, 0.05), (0.10, np.hypot(0.05, 0.04)), (-0.3, np.hypot(0.05, 0.24))]
)
def test_parallel_capsules_are_as_far_apart_as_their_lines(limits, chain, offset, distance):
    # At zero the elbow lies 5 cm before and 25 cm above the shoulder, and both turn about y.
    shapes = (
        BodyShape("lower", "upper_arm_link", (0.0, -0.03, 0.25), (0.0, 0.03, 0.25), 0.01),
        BodyShape("upper", "upper_forearm_link", (0.0, offset - 0.03, 0.0), (0.0, offset + 0.03, 0.0), 0.02),
    )
    limit = SelfCollisionLimit(replace(limits, shapes=shapes, self_collision=(("lower", "upper"),)), chain)
    room = _room(limit, chain, np.zeros(6))[0, 0]
    assert room == pytest.approx(distance - 0.03 - limits.clearance_halt, abs=1e-9)


@given(seeds)
def test_covers_hold_all_of_their_capsule_and_little_more(limits, chain, seed):
    random = np.random.default_rng(seed)
    limits = _random_body(limits, chain, random)
    body = Body(limits, chain)
    arm = Configurations.of(chain, np.zeros((1, 6)))
    for index, shape in enumerate(limits.shapes):
        centres, radii, begins = body.cover([index])
        balls = centres.of(arm)[0].T
        start, end = (ends[index] for ends in body.ends.of(arm)[0].T.reshape(2, -1, 3))
        directions = random.normal(size=(_ALONG, 3))
        directions *= shape.radius / np.linalg.norm(directions, axis=1, keepdims=True)
        points = start + random.uniform(size=(_ALONG, 1)) * (end - start) + directions
        assert (np.linalg.norm(points[:, None] - balls, axis=2) <= radii + 1e-9).any(axis=1).all()
        assert (radii <= shape.radius + COVER_EXCESS + 1e-12).all() and list(begins) == [0]


@pytest.mark.parametrize("kind", LIMITS)
@given(seed=seeds)
def test_no_room_changes_faster_than_its_reach(limits, arm, kind, seed):
    _, chain = arm
    random = np.random.default_rng(seed)
    limit = kind(_random_body(limits, chain, random), chain)
    start = _positions(chain, random)
    change = random.uniform(-0.3, 0.3, len(chain)) * random.choice([0.0, 1.0], size=len(chain))
    before, after = _room(limit, chain, np.array([start, start + change]))
    assert (np.abs(after - before) <= limit.reach * np.abs(change).sum() + 1e-9).all()


@given(seeds)
def test_between_two_configurations_rooms_over_the_table_stray_from_a_line_only_as_paths_bend(limits, arm, seed):
    _, chain = arm
    random = np.random.default_rng(seed)
    limit = TableLimit(_random_body(limits, chain, random), chain)
    start = _positions(chain, random)
    change = random.uniform(-0.4, 0.4, len(chain)) * random.choice([0.0, 1.0], size=len(chain))
    share = np.linspace(0.0, 1.0, 21)[:, None]
    rooms = _room(limit, chain, start + share * change)
    straight = (1.0 - share) * rooms[0] + share * rooms[-1]

    assert (np.abs(rooms - straight) <= limit.reach * np.abs(change).sum() ** 2 / 8.0 + 1e-9).all()


@pytest.mark.parametrize("kind", LIMITS)
def test_an_arm_without_shapes_has_no_rooms(limits, chain, kind):
    limit = kind(replace(limits, shapes=(), self_collision=()), chain)
    assert limit.subjects == () and limit.slow.shape == limit.reach.shape == (0,)
    assert _room(limit, chain, np.zeros((3, 6))).shape == (3, 0)


@pytest.mark.parametrize("kind", LIMITS)
def test_names_slowing_and_reach_are_as_many_as_rooms(limits, chain, kind):
    limit = kind(limits, chain)
    rooms = _room(limit, chain, np.zeros((3, 6)))
    assert rooms.shape == (3, len(limit.subjects)) and limit.slow.shape == limit.reach.shape == rooms.shape[1:]
    np.testing.assert_allclose(limit.slow, limits.clearance_slow - limits.clearance_halt)


def test_shapes_that_stand_still_are_not_held_against_table_and_boxes(limits, chain):
    assert any("column" in subject for subject in SelfCollisionLimit(limits, chain).subjects)
    for kind in (TableLimit, KeepOutLimit):
        assert not any("column" in subject for subject in kind(limits, chain).subjects)


def _straight_down(chain: KinematicChain, home: np.ndarray) -> Iterator[np.ndarray]:
    """Configurations with the fingers straight down all over the table, turned up to 70 degrees."""
    down = chain.forward(home)[:3, :3]
    for x in np.linspace(0.15, 0.40, 6):
        for y in np.linspace(-0.25, 0.25, 5):
            for z in (0.012, 0.05, 0.15, 0.30):
                for turn in (-1.2, 0.0, 0.6):
                    target = np.eye(4)
                    target[:3, :3] = Rotation.from_euler("z", np.arctan2(y, x) + turn).as_matrix() @ down
                    target[:3, 3] = x, y, z
                    result = chain.inverse(target, np.array([np.arctan2(y, x), *home[1:]]))
                    if result.converged:
                        yield result.positions


def test_the_simulated_arm_may_grasp_from_above_all_over_its_table():
    arm_model = pytest.importorskip("instructvla_ros.sim.arm_model", reason="the simulated arm cannot be imported")
    chain = KinematicChain.from_urdf(arm_model.urdf(), "base_link", "gripper_link")
    limits = SafetyLimits.load("sim")
    grasps = Configurations.of(chain, np.array(list(_straight_down(chain, np.array(arm_model.HOME)))))
    assert len(grasps.positions) > 300
    for kind in LIMITS:
        limit = kind(limits, chain)
        worst = limit.rooms(grasps).min(axis=0)
        assert (worst > 0.0).all(), dict(zip(limit.subjects, worst, strict=True))
    values = np.linalg.svd(grasps.jacobians, compute_uv=False)
    assert (values[:, 0] / values[:, -1]).max() < limits.singularity_slow


@pytest.mark.parametrize("seed", range(5))
def test_the_shapes_of_the_simulated_arm_hold_all_of_it(seed):
    arm_numbers = pytest.importorskip("instructvla_ros.sim.arm_numbers", reason="the simulated arm cannot be imported")
    arm_model = pytest.importorskip("instructvla_ros.sim.arm_model", reason="the simulated arm cannot be imported")
    random, limits = np.random.default_rng(seed), SafetyLimits.load("sim")
    urdf = arm_model.urdf()
    chain = KinematicChain.from_urdf(urdf, "base_link", "gripper_link")
    positions = _positions(chain, random)
    lines = _lines(urdf, chain, limits, positions)
    opening = random.uniform(0.0, arm_numbers.FINGER_OPEN)
    for link in arm_numbers.LINKS:
        finger = link.joint.kind == "prismatic"
        pose = _link_pose(urdf, chain, link.parent if finger else link.name, positions)
        shift = np.array(link.joint.axis) * opening if finger else np.zeros(3)
        for solid in link.solids:
            if not solid.solid:
                continue
            if isinstance(solid, arm_numbers.Box):
                corners = np.array(np.meshgrid(*[(-0.5, 0.5)] * 3)).reshape(3, -1).T
                points = np.array(solid.middle) + corners * np.array(solid.size)
            else:
                directions = random.normal(size=(50, 3))
                directions *= solid.radius / np.linalg.norm(directions, axis=1, keepdims=True)
                share = random.uniform(size=(50, 1))
                points = (1.0 - share) * np.array(solid.start) + share * np.array(solid.end) + directions
            points = (points + shift) @ pose[:3, :3].T + pose[:3, 3]
            outside = np.full(len(points), np.inf)
            for shape in limits.shapes:
                distances = np.linalg.norm(points[:, None] - lines[shape.name], axis=2).min(axis=1)
                outside = np.minimum(outside, distances - shape.radius)
            assert outside.max() < limits.clearance_halt, (link.name, solid, outside.max())
