# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures: which OpenGL is chosen, what they show, and drawing beside the physics."""

import ctypes.util
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from instructvla_ros.sim import rendering
from instructvla_ros.sim.arm_model import CAMERAS, camera_mount
from instructvla_ros.sim.rendering import RenderingUnavailableError, choose_backend
from instructvla_ros.sim.scene import LAYOUT_LOWER, LAYOUT_UPPER
from instructvla_ros.sim.table_top import TableTop

REPOSITORY = Path(__file__).resolve().parents[2]
DRAW = "from instructvla_ros.sim.table_top import TableTop; print(TableTop(0).render('front', 64, 48).std() > 10)"

# Roughly what hue each name means: channels that dominate, channels that are dominated.
LOOKS = {
    "red cube": lambda r, g, b: (r > 2 * g) & (r > 2 * b) & (r > 60),
    "green ball": lambda r, g, b: (g > 1.5 * r) & (g > 1.5 * b) & (g > 40),
    "blue cylinder": lambda r, g, b: (b > 1.8 * r) & (b > 1.5 * g) & (b > 60),
    "yellow cube": lambda r, g, b: (r > 2.5 * b) & (g > 2 * b) & (g > 80),
    "purple ball": lambda r, g, b: (b > 1.6 * g) & (r > 1.3 * g) & (b > 40),
}


def pixels_like(image: np.ndarray, name: str) -> np.ndarray:
    red, green, blue = np.moveaxis(image.astype(float), 2, 0)
    return np.argwhere(LOOKS[name](red, green, blue))


def project(camera: str, points: np.ndarray, width: int, height: int) -> np.ndarray:
    mount = camera_mount(camera)
    assert mount.parent == "base_link"
    seen = (points - np.array(mount.position)) @ mount.rotation
    pixels = seen @ mount.intrinsics(width, height).T
    return pixels[:, :2] / pixels[:, 2:]


@pytest.mark.parametrize("asked", ["egl", "osmesa", "glfw", " EGL "])
def test_mujoco_gl_is_honoured(asked: str) -> None:
    assert choose_backend({"MUJOCO_GL": asked}) == asked.strip().lower()


@pytest.mark.parametrize("asked", ["off", "vulkan"])
def test_mujoco_gl_that_cannot_draw_is_refused_by_name(asked: str) -> None:
    with pytest.raises(RenderingUnavailableError, match=f"MUJOCO_GL={asked}"):
        choose_backend({"MUJOCO_GL": asked})


def test_egl_is_preferred_osmesa_is_second(monkeypatch: pytest.MonkeyPatch) -> None:
    rendering._working_backend.cache_clear()
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: "libOSMesa.so.8")
    monkeypatch.setattr(rendering, "egl_fault", lambda: None)
    assert choose_backend({}) == "egl"
    rendering._working_backend.cache_clear()
    monkeypatch.setattr(rendering, "egl_fault", lambda: "libEGL.so.1 is not installed")
    assert choose_backend({}) == "osmesa"
    rendering._working_backend.cache_clear()


def test_without_any_opengl_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rendering._working_backend.cache_clear()
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(rendering, "egl_fault", lambda: "libEGL.so.1 is not installed")
    with pytest.raises(RenderingUnavailableError, match="libegl1 libegl-mesa0 libgl1-mesa-dri.*libosmesa6"):
        choose_backend({})
    rendering._working_backend.cache_clear()


@pytest.mark.parametrize("camera", [mount.name for mount in CAMERAS])
@pytest.mark.parametrize(("width", "height"), [(640, 480), (224, 224), (31, 17)])
def test_pictures_have_the_size_asked_for_and_are_not_blank(
    table_top: TableTop, needs_rendering: None, camera: str, width: int, height: int
) -> None:
    image = table_top.render(camera, width, height)
    assert image.shape == (height, width, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.std() > 10.0


def test_every_object_is_seen_where_the_camera_matrix_puts_it(table_top: TableTop, needs_rendering: None) -> None:
    image = table_top.render("front", 640, 480)
    for name, pose in table_top.object_poses().items():
        pixels = pixels_like(image, name)
        assert len(pixels) > 300, name
        expected = project("front", pose[None, :3, 3], 640, 480)[0]
        np.testing.assert_allclose(np.median(pixels, axis=0)[::-1], expected, atol=8.0, err_msg=name)


def test_the_whole_layout_area_is_in_the_front_picture() -> None:
    (x0, y0), (x1, y1) = LAYOUT_LOWER, LAYOUT_UPPER
    corners = np.array([[x, y, z] for x in (x0, x1) for y in (y0, y1) for z in (0.0, 0.05)])
    for width, height in ((640, 480), (224, 224)):
        pixels = project("front", corners, width, height)
        assert (pixels > 0.03 * width).all() and (pixels < np.array([0.97 * width, 0.97 * height])).all()


def test_the_same_instant_looks_the_same_and_another_does_not(table_top: TableTop, needs_rendering: None) -> None:
    snapshot = table_top.snapshot()
    first = table_top.render("front", 160, 120)
    table_top.command_joints(np.full(6, 0.3))
    table_top.step(0.5)
    np.testing.assert_array_equal(table_top.render("front", 160, 120, snapshot), first)
    assert (table_top.render("front", 160, 120) != first).any()


def test_shadows_can_be_left_out(table_top: TableTop, needs_rendering: None) -> None:
    with_shadows = table_top.render("front", 160, 120).astype(int)
    without = table_top.render("front", 160, 120, shadows=False).astype(int)
    assert without.mean() > with_shadows.mean() + 0.5


def test_smooth_edges_mix_colors_that_plain_ones_do_not(table_top: TableTop, needs_rendering: None) -> None:
    plain_table = TableTop(0, smooth_edges=False)
    smooth = table_top.render("front", 160, 120, shadows=False).astype(int)
    plain = plain_table.render("front", 160, 120, shadows=False).astype(int)
    plain_table.close_renderer()
    differing = (np.abs(smooth - plain).max(axis=2) > 8).mean()
    assert 0.005 < differing < 0.2  # edges, and only edges


def test_unknown_camera_is_refused(table_top: TableTop) -> None:
    with pytest.raises(ValueError, match="no camera 'side'"):
        table_top.render("side", 64, 64)


@pytest.mark.parametrize(("width", "height"), [(0, 10), (10, -1), (5000, 10)])
def test_impossible_size_is_refused(table_top: TableTop, width: int, height: int) -> None:
    with pytest.raises(ValueError, match="picture size"):
        table_top.render("front", width, height)


def test_threads_draw_the_same_while_another_steps(table_top: TableTop, needs_rendering: None) -> None:
    snapshot = table_top.snapshot()
    expected = table_top.render("front", 96, 72, snapshot)
    pictures: list[np.ndarray] = []
    drawn = threading.Event()

    def draw() -> None:
        pictures.extend(table_top.render("front", 96, 72, snapshot) for _ in range(5))
        table_top.close_renderer()

    def draw_both() -> None:
        threads = [threading.Thread(target=draw) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        drawn.set()

    drawer = threading.Thread(target=draw_both)
    drawer.start()
    table_top.command_joints(np.full(6, 0.3))
    while not drawn.is_set():
        table_top.step(0.01)
    drawer.join()
    assert len(pictures) == 10
    for picture in pictures:
        np.testing.assert_array_equal(picture, expected)
    assert table_top.time > 0.0


def test_a_renderer_is_refused_to_a_second_thread(table_top: TableTop, needs_rendering: None) -> None:
    table_top.render("front", 32, 32)
    renderer = table_top._drawing.renderer
    data = table_top._drawing.data
    raised: list[Exception] = []

    def draw() -> None:
        try:
            renderer.render(data, "front", 32, 32)
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=draw)
    thread.start()
    thread.join()
    assert "belongs to the thread" in str(raised[0])


def run_program(program: str, **environment: str) -> subprocess.CompletedProcess:
    inherited = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**inherited, **environment},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_drawing_works_whatever_imported_mujoco_first(needs_rendering: None) -> None:
    result = run_program(f"import mujoco; {DRAW}")
    assert result.stdout.strip() == "True", result.stderr


def test_a_backend_that_needs_a_screen_is_refused_with_a_remedy_where_there_is_none() -> None:
    result = run_program(DRAW, MUJOCO_GL="glfw")
    assert "RenderingUnavailableError: glfw does not work here" in result.stderr
    assert "libegl1 libegl-mesa0" in result.stderr


@pytest.mark.skipif(ctypes.util.find_library("OSMesa") is not None, reason="libosmesa6 is installed here")
def test_a_missing_library_is_named_with_a_remedy() -> None:
    result = run_program(DRAW, MUJOCO_GL="osmesa", PYOPENGL_PLATFORM="osmesa")
    assert "the library that MUJOCO_GL=osmesa names is missing" in result.stderr
    assert "libosmesa6" in result.stderr
