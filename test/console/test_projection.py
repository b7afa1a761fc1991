# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The planned path appears in the picture where it is in the world, or not at all."""

import numpy as np
import pytest

from instructvla_ros.console.plan import in_words, step_at, way_ahead
from instructvla_ros.console.projection import (
    CalibrationError,
    CameraPlace,
    Intrinsics,
    pose_from_quaternion,
    pose_from_text,
)
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.sim.arm_model import urdf
from instructvla_ros.sim.arm_numbers import ARM_JOINTS, HOME, camera_mount
from instructvla_ros.sim.looks import SceneLooks

SIZE = (480, 480)
POINTS = np.array([[0.25, 0.0, 0.02], [0.3, 0.1, 0.05], [0.35, -0.12, 0.0], [0.28, 0.05, 0.1]])
JOINTS = dict(zip(ARM_JOINTS, HOME, strict=True))


def intrinsics(name: str, distortion: tuple[float, ...] = (0.0,) * 5, model: str = "plumb_bob") -> Intrinsics:
    mount = camera_mount(name)
    return Intrinsics.checked(*SIZE, mount.intrinsics(*SIZE), np.array(distortion), model, mount.optical_frame)


@pytest.mark.parametrize("camera", ["front", "wrist"])
def test_points_appear_where_the_simulator_draws_them(camera: str) -> None:
    pytest.importorskip("mujoco", reason="mujoco is not installed: run by make test")
    from instructvla_ros.sim.table_top import TableTop
    from instructvla_ros.sim.task_sampling import numbered_scene

    looks = numbered_scene(7).looks
    table = TableTop(0, (), looks=looks)
    assert camera in looks.cameras, "a scene whose cameras are not where they were mounted"
    joints = dict(zip(table.joint_names, table.joint_positions().tolist(), strict=True))
    place = CameraPlace(intrinsics(camera))
    matrix = place.intrinsics.matrix  # type: ignore[union-attr]
    matrix[0, 0] = matrix[1, 1] = 0.5 * SIZE[1] / np.tan(0.5 * looks.field_of_view(camera))
    place.put_pose(looks.camera_pose(camera), camera_mount(camera).parent)
    points = np.vstack([POINTS, table.gripper_pose()[:3, 3]])
    drawn = table.project(camera, points, *SIZE)
    expected = np.where(drawn[:, 2:] > 0.02, (drawn[:, :2] + 0.5) / SIZE, np.nan)
    shares = place.project(points, urdf(), "base_link", joints)
    np.testing.assert_allclose(shares, expected, atol=1e-6)
    assert np.isfinite(shares).all(axis=1).sum() >= 1


def test_without_a_given_pose_the_robot_description_says_where_the_camera_is() -> None:
    for name in ("front", "wrist"):
        told, given = CameraPlace(intrinsics(name)), CameraPlace(intrinsics(name))
        given.put_pose(SceneLooks().camera_pose(name), camera_mount(name).parent)
        shares = [place.project(POINTS, urdf(), "base_link", JOINTS) for place in (told, given)]
        np.testing.assert_allclose(*shares, atol=1e-7)


def test_what_is_behind_the_lens_is_not_drawn() -> None:
    mount = camera_mount("front")
    behind = np.array(mount.position) + mount.rotation @ np.array([0.0, 0.0, -0.1])
    shares = CameraPlace(intrinsics("front")).project(np.array([behind, POINTS[0]]), urdf(), "base_link", JOINTS)
    assert np.isnan(shares[0]).all() and np.isfinite(shares[1]).all()


def test_a_lens_that_distorts_moves_points_as_opencv_says() -> None:
    cv2 = pytest.importorskip("cv2")
    lens = intrinsics("front", (-0.3, 0.1, 0.001, -0.002, 0.01))
    points = np.array([[0.1, 0.05, 0.5], [-0.2, 0.1, 0.7]])
    pixels = cv2.projectPoints(points, np.zeros(3), np.zeros(3), lens.matrix, lens.distortion)[0][:, 0]
    np.testing.assert_allclose(lens.project(points), (pixels + 0.5) / SIZE)
    assert np.abs(lens.project(points) - intrinsics("front").project(points)).max() > 0.001


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"matrix": np.zeros((3, 3))}, "not calibrated"),
        ({"matrix": np.full((3, 3), np.nan)}, "not calibrated"),
        ({"width": 0}, "not calibrated"),
        ({"model": "equidistant", "distortion": np.ones(4)}, "equidistant"),
        ({"distortion": np.ones(3)}, "3 distortion coefficients"),
        ({"distortion": np.full(5, np.inf)}, "distortion"),
    ],
)
def test_a_calibration_that_is_none_is_refused_with_the_reason(change: dict, why: str) -> None:
    given = {"width": 480, "height": 480, "matrix": camera_mount("front").intrinsics(*SIZE), "distortion": np.zeros(5)}
    with pytest.raises(CalibrationError, match=why):
        Intrinsics.checked(**{**given, "model": "plumb_bob", "frame": "camera", **change})


def test_where_the_place_of_a_camera_is_not_known_it_says_so_and_draws_nothing() -> None:
    place = CameraPlace()
    assert "camera_info" in place.problem(urdf(), "base_link")
    place.intrinsics = intrinsics("front")
    assert "robot_description" in place.problem("", "base_link")
    assert place.problem(urdf(), "base_link") == ""
    elsewhere = CameraPlace(Intrinsics(480, 480, np.eye(3), np.zeros(0), "camera_color_optical_frame"))
    assert "camera_color_optical_frame" in elsewhere.problem(urdf(), "base_link")
    with pytest.raises(CalibrationError):
        elsewhere.project(POINTS, urdf(), "base_link", JOINTS)
    elsewhere.put_pose(np.eye(4), "base_link")
    assert elsewhere.problem(urdf(), "base_link") == ""
    with pytest.raises(CalibrationError, match="waist"):
        CameraPlace(intrinsics("wrist")).project(POINTS, urdf(), "base_link", {})


def test_poses_are_read_and_what_is_none_is_refused() -> None:
    pose = pose_from_text("1, 2 3 0 0 1.5707963267948966")
    np.testing.assert_allclose(pose @ [1.0, 0.0, 0.0, 1.0], [1.0, 3.0, 3.0, 1.0], atol=1e-12)
    for wrong in ("", "1 2 3", "1 2 3 4 5 x", "1 2 3 0 0 nan"):
        with pytest.raises(ValueError, match="six numbers"):
            pose_from_text(wrong)
    turned = pose_from_quaternion((1.0, 2.0, 3.0), (0.0, 0.0, 2**-0.5, 2**-0.5))
    np.testing.assert_allclose(turned, pose, atol=1e-12)
    for quaternion in ((0.0,) * 4, (np.nan,) * 4, (1.0,) * 4):
        with pytest.raises(CalibrationError):
            pose_from_quaternion((0.0, 0.0, 0.0), quaternion)


def chunk(grippers: list[float] | None = None, **change: object) -> ActionChunk:
    steps = np.tile([0.01, 0.0, -0.02], (4, 1))
    given: dict = {"stamp": 10.0, "period": 0.2, "translations": steps, "rotations": np.zeros((4, 3))}
    given |= {"grippers": np.array([1.0, 1.0, 0.0, 0.0] if grippers is None else grippers)}
    return ActionChunk(frame="base_link", epoch=1, sequence=1, **{**given, **change})


def test_the_way_ahead_begins_where_the_gripper_is_and_skips_what_has_passed() -> None:
    times, points, openings = way_ahead(chunk(), 10.3, np.array([0.3, 0.0, 0.2]))
    np.testing.assert_allclose(times, [0.0, 0.1, 0.3, 0.5], atol=1e-9)
    np.testing.assert_allclose(points[0], [0.3, 0.0, 0.2])
    np.testing.assert_allclose(points[-1], [0.325, 0.0, 0.15], atol=1e-9)
    assert openings.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert len(way_ahead(chunk(), 10.9, np.zeros(3))[0]) == 0
    assert len(way_ahead(None, 10.0, np.zeros(3))[0]) == 0


def test_the_step_of_an_instant_says_what_is_asked_then() -> None:
    step = step_at(chunk(), 10.5)
    assert step is not None and step.speed == pytest.approx(np.hypot(0.01, 0.02) / 0.2) and step.opening == 0.0
    assert step_at(chunk(), 9.9) is None and step_at(chunk(), 10.81) is None


@pytest.mark.parametrize(
    "broken",
    [
        {"period": 0.0},
        {"period": np.nan},
        {"stamp": np.inf},
        {"translations": np.full((4, 3), np.nan)},
        {"rotations": np.zeros((3, 3))},
        {"grippers": np.zeros(0), "translations": np.zeros((0, 3)), "rotations": np.zeros((0, 3))},
    ],
)
def test_a_chunk_that_is_none_is_not_drawn(broken: dict) -> None:
    assert step_at(chunk(**broken), 10.1) is None
    assert in_words(chunk(**broken), 10.1) == "nothing is planned"


def test_the_plan_is_told_in_words_for_those_who_do_not_see_it() -> None:
    assert in_words(chunk(), 10.0) == "within 0.8 s, seen from the robot: forward 40 mm, down 80 mm, close the gripper"
    still = chunk([0.0, 0.0, 1.0, 1.0], translations=np.zeros((4, 3)))
    assert in_words(still, 10.0) == "within 0.8 s: open the gripper"
    turning = chunk([1.0] * 4, translations=np.zeros((4, 3)), rotations=np.tile([0.0, 0.0, 0.1], (4, 1)))
    assert "turn 23 degrees" in in_words(turning, 10.0)
    assert in_words(chunk([1.0] * 4, translations=np.zeros((4, 3))), 10.0) == "within 0.8 s: stay in place"
