# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras: there, readable, young, apart in time, and not swapped as far as that can be told."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from instructvla_ros.checking.findings import Finding, error, good, warning
from instructvla_ros.checking.seen import CameraStream, JointStream, Seen
from instructvla_ros.checking.streams import judge_stream, nobody_publishes
from instructvla_ros.policy.frames import picture_change
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.robot.urdf import read_joints

_MOVED = 0.05  # [rad] an arm that has moved so far changes what its wrist camera sees
_CHANGED = 0.15  # share of a picture
_HAND_WORDS = re.compile(r"(wrist|hand|gripper|eef|end_effector|tool)", re.IGNORECASE)


def judge_cameras(profile: RobotProfile, seen: Seen, description: str | None) -> Iterator[Finding]:
    """Everything about the cameras.

    Args:
        profile: of the robot.
        seen: of the graph.
        description: text of the URDF, if there is one.
    """
    for view, camera in seen.cameras.items():
        yield from _judge_camera(profile, seen, view, camera)
    yield from _judge_apart(profile, seen)
    yield from _judge_swapped(profile, seen, description)


def _judge_camera(profile: RobotProfile, seen: Seen, view: str, camera: CameraStream) -> Iterator[Finding]:
    key = f"cameras.{view}.topic"
    if not camera.arrivals:
        plain = camera.topic.removesuffix("/compressed")
        sibling = plain if plain != camera.topic else f"{plain}/compressed"
        if not camera.publishers and seen.topics.get(sibling):
            transport = "raw" if sibling == plain else "compressed"
            yield error(
                camera.topic,
                f"nobody publishes it, but {sibling} is there",
                f"set cameras.{view}.transport: {transport} in the profile, or image_transport:={transport}",
            )
        else:
            yield nobody_publishes(camera, f"the {view} camera", key, seen.topics)
        return
    slow = "raise the camera's rate, or ages.image of the profile"
    yield from judge_stream(camera, profile.ages.image, profile.ages.future, "images", slow)
    if camera.rate and camera.rate < profile.control_rate:
        yield warning(
            camera.topic,
            f"comes at {camera.rate:.3g} Hz, the policy acts at {profile.control_rate:g} Hz",
            "raise the camera's rate to the profile's control_rate at least: it acts on the same picture again",
        )
    wanted = profile.interface.cameras[view].encoding if view in profile.interface.cameras else "any"
    if camera.fault:
        yield error(camera.topic, camera.fault, "uncover the lens, or point the profile at the colour stream")
    elif camera.type.endswith("/Image") and wanted != "any" and camera.encoding != wanted:
        yield error(
            camera.topic,
            f"is encoded as {camera.encoding}, the profile expects {wanted}",
            f"set the driver to {wanted}, or cameras.{view}.encoding to {camera.encoding}",
        )
    else:
        yield good(camera.topic, f"{camera.width} x {camera.height} pixels, {camera.encoding}, can be read")


def _judge_apart(profile: RobotProfile, seen: Seen) -> Iterator[Finding]:
    stamps = [np.array(camera.stamps) for camera in seen.cameras.values() if camera.stamps]
    if len(stamps) < 2 or not all((each > 0.0).all() for each in stamps):
        return
    first, second = stamps[:2]
    gap = float(np.median(np.abs(first[:, None] - second[None, :]).min(axis=1)))
    names = " and ".join(camera.topic for camera in seen.cameras.values())
    if gap > profile.ages.view_gap:
        yield error(
            names,
            f"the nearest images of the two are {gap:.3f} s apart, more than {profile.ages.view_gap:g} s",
            "raise the slower one's rate, or synchronise the clocks of their machines",
        )


def _judge_swapped(profile: RobotProfile, seen: Seen, description: str | None) -> Iterator[Finding]:
    primary, wrist = seen.cameras.get("primary"), seen.cameras.get("wrist")
    remedy = "exchange the topics of primary and wrist in cameras of the profile, and look at both pictures"
    if primary is None or not primary.arrivals:
        return
    links, moving = _links(profile, description)
    if primary.frame in moving:
        yield error(primary.topic, f"the primary camera's frame {primary.frame!r} moves with the arm", remedy)
        return
    if wrist is None or not wrist.arrivals:
        if _HAND_WORDS.search(primary.frame):
            yield warning(
                primary.topic, f"the primary camera's frame is called {primary.frame!r}", "is it the wrist camera?"
            )
        return
    if wrist.frame in links - moving:
        yield error(wrist.topic, f"the wrist camera's frame {wrist.frame!r} does not move with the arm", remedy)
    elif _HAND_WORDS.search(primary.frame or primary.topic) and not _HAND_WORDS.search(wrist.frame or wrist.topic):
        yield warning(
            primary.topic,
            f"primary and wrist look swapped: their frames are {primary.frame!r} and {wrist.frame!r}",
            remedy,
        )
    elif primary.last is not None and wrist.last is not None and np.array_equal(primary.last, wrist.last):
        yield error(primary.topic, "primary and wrist show the very same picture", "give each its own camera's topic")
    else:
        yield from _judge_motion(seen.joints, primary, wrist, remedy)


def _judge_motion(joints: JointStream, primary: CameraStream, wrist: CameraStream, remedy: str) -> Iterator[Finding]:
    """An arm that was moved changes the whole picture of its wrist camera, and a part of the other's."""
    both = joints.first.keys() & joints.positions.keys()
    moved = max((abs(joints.positions[name] - joints.first[name]) for name in both), default=0.0)
    pictures = (primary.first, primary.last, wrist.first, wrist.last)
    if moved < _MOVED or any(picture is None for picture in pictures):
        yield good(wrist.topic, "nothing speaks for swapped cameras; move the arm while this looks, and it tells more")
        return
    of_primary, of_wrist = picture_change(*pictures[:2]), picture_change(*pictures[2:])  # type: ignore[arg-type]
    if of_primary > max(_CHANGED, 2.0 * of_wrist):
        yield error(
            primary.topic,
            f"while the arm moved by {moved:.2f} rad, {of_primary:.0%} of the primary picture changed and "
            f"{of_wrist:.0%} of the wrist's: they look swapped",
            remedy,
        )
    else:
        yield good(
            wrist.topic, f"the arm moved, {of_wrist:.0%} of the wrist picture changed, {of_primary:.0%} of the other"
        )


def _links(profile: RobotProfile, description: str | None) -> tuple[set[str], set[str]]:
    """All links of the URDF, and those of them that hang on a joint of the arm; none without a URDF to be read."""
    if description is None:
        return set(), set()
    try:
        links, by_child = read_joints(description)
    except ValueError:
        return set(), set()
    moving = set()
    for link in links:
        at = link
        for _ in by_child:  # a loop in the URDF ends too
            joint = by_child.get(at)
            if joint is None:
                break
            if joint.name in profile.joints:
                moving.add(link)
                break
            at = joint.parent
    return links, moving
