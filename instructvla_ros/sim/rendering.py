# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures without a screen: finds the OpenGL that works here and draws MuJoCo scenes with it.

``MUJOCO_GL`` (egl, osmesa or glfw) is honoured where it is set; otherwise EGL is taken if a display can be initialised,
else OSMesa if its library is there. MuJoCo's own choice happens once, when it is imported first by anyone; this module
makes its contexts itself, so the order of imports does not matter.
"""

import ctypes
import ctypes.util
import functools
import os
import threading
from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np

BACKENDS = ("egl", "osmesa", "glfw")
_PACKAGES = "apt install libegl1 libegl-mesa0 libgl1-mesa-dri  (or: apt install libosmesa6, with MUJOCO_GL=osmesa)"
_SWITCHED_OFF = ("disable", "disabled", "off", "false", "0")
_MOST_DEVICES = 16
_EGL_PLATFORM_DEVICE_EXT = 0x313F  # https://registry.khronos.org/EGL/extensions/EXT/EGL_EXT_platform_device.txt


class RenderingUnavailableError(RuntimeError):
    """No OpenGL without a screen works here; the message says what was tried and which packages bring it."""


def choose_backend(environment: Mapping[str, str] | None = None) -> str:
    """Name of the OpenGL to draw with.

    Args:
        environment: where ``MUJOCO_GL`` is looked up; the process's own if None.

    Returns:
        ``egl``, ``osmesa`` or ``glfw``. What ``MUJOCO_GL`` names is returned untried.

    Raises:
        RenderingUnavailableError: nothing works, ``MUJOCO_GL`` switches rendering off, or it names nothing known.
    """
    asked = (os.environ if environment is None else environment).get("MUJOCO_GL", "").strip().lower()
    if asked in BACKENDS:
        return asked
    if asked in _SWITCHED_OFF:
        raise RenderingUnavailableError(f"MUJOCO_GL={asked} switches rendering off; unset it to get pictures")
    if asked:
        raise RenderingUnavailableError(
            f"MUJOCO_GL={asked} is not known here; use one of {', '.join(BACKENDS)}, or unset it to have one chosen"
        )
    return _working_backend()


@functools.cache
def _working_backend() -> str:
    egl = egl_fault()
    if egl is None:
        return "egl"
    if ctypes.util.find_library("OSMesa") is not None:
        return "osmesa"
    raise RenderingUnavailableError(
        f"no OpenGL without a screen works here. EGL: {egl}. OSMesa: libOSMesa is not installed. Remedy: {_PACKAGES}"
    )


def egl_fault() -> str | None:
    """Why EGL cannot draw without a screen here, or None if it can.

    Asks as MuJoCo will: for a display on one of EGL's devices. Displays stay initialised: others may share them.
    """
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError:
        return "libEGL.so.1 is not installed"
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    query_address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    display_address = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if not query_address or not display_address:
        return "libEGL lacks the extension EGL_EXT_platform_device"
    pointers = ctypes.POINTER(ctypes.c_void_p)
    query = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, pointers, ctypes.POINTER(ctypes.c_int))(query_address)
    get_display = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p)(display_address)
    egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    devices = (ctypes.c_void_p * _MOST_DEVICES)()
    count = ctypes.c_int(0)
    if not query(_MOST_DEVICES, devices, ctypes.byref(count)) or count.value == 0:
        return "it knows no device (libegl-mesa0 brings a software one)"
    for device in devices[: count.value]:
        display = get_display(_EGL_PLATFORM_DEVICE_EXT, device, None)
        if display and egl.eglInitialize(display, None, None):
            return None
    return f"none of its {count.value} devices could be initialised (libgl1-mesa-dri brings a software driver)"


def _new_context(model: mujoco.MjModel) -> tuple[Any, mujoco.MjrContext]:
    # PyOpenGL binds itself to one platform per process, at its first import; MuJoCo's modules then refuse the others.
    backend = choose_backend()
    try:
        if backend == "egl":
            from mujoco.egl import GLContext
        elif backend == "osmesa":
            from mujoco.osmesa import GLContext
        else:
            from mujoco.glfw import GLContext
        context = GLContext(int(model.vis.global_.offwidth), int(model.vis.global_.offheight))
        context.make_current()
        drawing = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, drawing)
    except (ImportError, AttributeError, OSError, RuntimeError, ValueError, mujoco.FatalError) as error:
        raise RenderingUnavailableError(f"{backend} does not work here ({error}). Remedy: {_PACKAGES}") from error
    return context, drawing


class SceneRenderer:
    """Draws one model's scenes, any size up to the model's off-screen buffer.

    An OpenGL context belongs to the thread that made it, so one object serves one thread: the one that draws with it
    first. The context is made then, and :meth:`close` must be called there too.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        """Makes nothing yet.

        Args:
            model: the model whose data will be drawn.
        """
        self._model = model
        self._largest = (int(model.vis.global_.offwidth), int(model.vis.global_.offheight))
        self._context: Any = None
        self._drawing: mujoco.MjrContext | None = None
        self._size = (0, 0)
        self._thread = 0
        self._scene = mujoco.MjvScene(model, maxgeom=1000)
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED

    @property
    def model(self) -> mujoco.MjModel:
        """The model whose data is drawn."""
        return self._model

    def show(self, model: mujoco.MjModel) -> None:
        """Draws the data of another model from now on, in the same OpenGL context: a new one costs 0.2 s.

        Args:
            model: its textures, meshes and off-screen buffer must be those of the first model; bodies, shapes, colours,
                lights and cameras may differ.
        """
        self._model = model

    def render(self, data: mujoco.MjData, camera: str, width: int, height: int, shadows: bool = True) -> np.ndarray:
        """Draws what a camera sees.

        Args:
            data: state with kinematics, cameras and lights computed; only this thread may touch it meanwhile.
            camera: name of a camera of the model.
            width: [px].
            height: [px].
            shadows: whether light casts shadows; on a CPU they cost more than the pixels.

        Returns:
            ``(height, width, 3)`` uint8 RGB, contiguous, the caller's own.

        Raises:
            ValueError: the size is not from 1 to the largest, or there is no such camera.
            RenderingUnavailableError: no OpenGL works here.
            RuntimeError: called from another thread than at first.
        """
        self._check_size(width, height)
        camera_id = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
        if camera_id < 0:
            raise ValueError(f"the model has no camera {camera!r}")
        drawing = self._current_drawing(width, height)
        self._camera.fixedcamid = camera_id
        every_category = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self._model, data, self._option, None, self._camera, every_category, self._scene)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows
        viewport = mujoco.MjrRect(0, 0, width, height)
        upside_down = np.empty((height, width, 3), dtype=np.uint8)  # OpenGL's first row is the lowest
        mujoco.mjr_render(viewport, self._scene, drawing)
        mujoco.mjr_readPixels(upside_down, None, viewport, drawing)
        return np.ascontiguousarray(upside_down[::-1])

    def close(self) -> None:
        """Frees the context. Drawing again makes a new one."""
        if self._drawing is None:
            return
        self._refuse_other_thread()
        self._context.make_current()
        self._drawing.free()
        self._context.free()
        self._context = self._drawing = None
        self._size = (0, 0)

    def _check_size(self, width: int, height: int) -> None:
        largest_width, largest_height = self._largest
        if not (1 <= width <= largest_width and 1 <= height <= largest_height):
            raise ValueError(
                f"picture size {width}x{height} is not possible; it can be 1x1 to {largest_width}x{largest_height}"
            )

    def _refuse_other_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise RuntimeError(
                "a SceneRenderer belongs to the thread that drew with it first; make one for each thread"
            )

    def _current_drawing(self, width: int, height: int) -> mujoco.MjrContext:
        if self._drawing is None:
            self._thread = threading.get_ident()
            self._context, self._drawing = _new_context(self._model)
        self._refuse_other_thread()
        self._context.make_current()
        if self._size != (width, height):
            # A buffer of the picture's size: clearing and resolving a larger one costs a CPU milliseconds.
            mujoco.mjr_resizeOffscreen(width, height, self._drawing)
            self._size = (width, height)
        return self._drawing
