# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags know the standard messages, ours and those of installed packages."""

from pathlib import Path

import pytest

from instructvla_ros.bags import message_types
from instructvla_ros.bags.message_types import UnknownTypeError, message_definition, type_hash, type_store

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", [path.stem for path in sorted(ROOT.glob("msg/*.msg"))])
def test_our_own_messages_have_a_definition_with_all_they_depend_on(name: str) -> None:
    definition = message_definition(f"instructvla_ros/msg/{name}")
    source = (ROOT / "msg" / f"{name}.msg").read_text(encoding="utf-8")
    assert ("MSG: std_msgs/Header" in definition) == ("std_msgs/Header" in source)
    assert type_hash(f"instructvla_ros/msg/{name}").startswith("RIHS01_")


def test_our_messages_hash_as_ros_hashes_them() -> None:
    rclpy = pytest.importorskip("rclpy", reason="rclpy is not importable: run by make test")
    from instructvla_ros.msg import ActionChunk, SafetyStatus

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=97)
    node = rclpy.create_node("hashes", context=context)
    try:
        for kind in (ActionChunk, SafetyStatus):
            publisher = node.create_publisher(kind, f"hash_of_{kind.__name__}", 1)
            (info,) = node.get_publishers_info_by_topic(publisher.topic_name)
            assert type_hash(f"instructvla_ros/msg/{kind.__name__}") == f"RIHS01_{info.topic_type_hash.value.hex()}"
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def test_a_type_of_an_installed_package_is_learnt_with_what_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "share" / "gripper_msgs" / "msg"
    folder.mkdir(parents=True)
    (folder / "Grip.msg").write_text("std_msgs/Header header\nFinger[] fingers\n")
    (folder / "Finger.msg").write_text("float64 force\n")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    assert "float64 force" in message_definition("gripper_msgs/msg/Grip")


def test_an_unknown_type_is_named_with_what_to_do() -> None:
    for name in ("", "Nothing", "a/b/c/d"):
        with pytest.raises(UnknownTypeError, match="no name of a message type"):
            message_definition(name)
    with pytest.raises(UnknownTypeError, match="nowhere/msg/Nothing.*source the workspace"):
        message_definition("nowhere/msg/Nothing")


def test_the_store_is_made_once() -> None:
    assert type_store() is message_types.type_store()
