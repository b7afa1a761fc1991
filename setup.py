# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`pip install -e .` of a checkout: the Python modules and their commands.

Messages, launch files and configuration are installed by CMake (`colcon build`, or `make setup` without a
distribution), which ignores this file; source the overlay they make. Names of commands come from the same places as
in CMakeLists.txt; they start with `instructvla-` here because they share bin/ with everyone's.
"""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
PACKAGE = "instructvla_ros"


def commands() -> dict[str, str]:
    """All commands of the package: name to module:function."""
    listed = re.findall(r"^([a-z_]+) = (\S+)$", (ROOT / "tools" / "commands.txt").read_text(encoding="utf-8"), re.M)
    nodes = {path.stem: f"{PACKAGE}.nodes.{path.stem}:main" for path in sorted(ROOT.glob(f"{PACKAGE}/nodes/*_node.py"))}
    return {**nodes, **dict(listed)}


if __name__ == "__main__":
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    setup(
        name=PACKAGE,
        version=manifest.findtext("version"),
        description=" ".join((manifest.findtext("description") or "").split()),
        license="Apache-2.0",
        python_requires=">=3.10",
        packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
        install_requires=[
            "numpy", "scipy", "pillow", "PyYAML", "torch", "tokenizers",
            "daqp", "mujoco", "rosbags", "mcap", "huggingface_hub", "aiohttp",
        ],
        package_data={f"{PACKAGE}.console": ["page/*"]},
        entry_points={
            "console_scripts": [f"instructvla-{name} = {target}" for name, target in sorted(commands().items())]
        },
    )
