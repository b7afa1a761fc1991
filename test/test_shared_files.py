# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The package finds its data in a checkout and where it is installed, and says where it looked."""

from pathlib import Path

import pytest

from instructvla_ros import shared_files
from instructvla_ros.policy.profile import ProfileError, RobotProfile
from instructvla_ros.safety import LimitsError, SafetyLimits
from instructvla_ros.shared_files import UnknownNameError, names_in, shared_folder, yaml_path


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The package as if installed in a prefix, with no data beside its sources."""
    monkeypatch.setattr(shared_files, "__file__", str(tmp_path / "lib" / "instructvla_ros" / "shared_files.py"))
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/no/such/prefix:{tmp_path / 'prefix'}")
    return tmp_path / "prefix" / "share" / "instructvla_ros"


def test_an_installed_package_finds_its_data_in_the_share_folder(installed: Path) -> None:
    source = Path(__file__).resolve().parents[1] / "config"
    for folder in ("robots", "limits"):
        (installed / "config" / folder).mkdir(parents=True)
        content = (source / folder / "sim.yaml").read_text(encoding="utf-8")
        (installed / "config" / folder / "sim.yaml").write_text(content, encoding="utf-8")
    assert shared_folder("config") == installed / "config"
    assert names_in("config/robots") == ("sim",)
    assert RobotProfile.load("sim").name == "sim"
    assert SafetyLimits.load("sim").horizon > 0.0


def test_data_that_is_nowhere_says_where_it_was_looked_for_and_what_to_do(installed: Path) -> None:
    with pytest.raises(FileNotFoundError, match="config/robots.*AMENT_PREFIX_PATH.*source"):
        shared_folder("config/robots")
    with pytest.raises(ProfileError, match="source the install/setup.bash"):
        RobotProfile.load("sim")
    with pytest.raises(LimitsError, match="source the install/setup.bash"):
        SafetyLimits.load("sim")


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="unknown robot 'r2d2'; known: .*sim, .*widowx"):
        yaml_path("config/robots", "robot", "r2d2")


@pytest.mark.parametrize("given", ["./mine", "mine.yaml", "mine.yml", Path("sim")])
def test_a_path_is_taken_as_a_path(given: str | Path) -> None:
    assert yaml_path("config/robots", "robot", given) == Path(given)


def test_no_name_at_all_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ProfileError, match="no robot is named: give one of .*sim, .*widowx"):
        RobotProfile.load("")
