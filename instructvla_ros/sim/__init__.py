# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated table-top: arm, cameras, objects. No ROS."""

import os

try:
    import mujoco  # noqa: F401
except AttributeError as error:  # what PyOpenGL raises inside MuJoCo's import when MUJOCO_GL names a missing library
    raise ImportError(
        f"MuJoCo cannot be imported: the library that MUJOCO_GL={os.environ.get('MUJOCO_GL')} names is missing. Unset "
        "MUJOCO_GL to have one chosen, or: apt install libegl1 libegl-mesa0 libgl1-mesa-dri libosmesa6"
    ) from error
