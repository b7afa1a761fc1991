# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bag scored from its messages to its figures and its page."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from instructvla_ros.bags.scoring.figures import FIGURES, above, as_json, figures_of
from instructvla_ros.bags.scoring.page import page_of
from instructvla_ros.bags.scoring.references import as_steps
from instructvla_ros.bags.scoring.scores import BagScore, PolicyScore, Settings, score_bag
from instructvla_ros.bags.scoring.table import lines_of
from instructvla_ros.bags.scoring.topics import Given, ScoringError
from instructvla_ros.policy.profile_interface import PoseSource
from instructvla_ros.safety import SafetyLimits
from instructvla_ros.sim.arm_model import urdf

from .conftest import START, BagMaker, FakeModel

MakeBag = Callable[..., Path]


@pytest.fixture
def scored(make_bag: MakeBag, profile) -> BagScore:
    return score_bag(make_bag(), FakeModel(), profile, Settings(limits=SafetyLimits.load("sim")))


def test_every_observation_is_held_against_the_measured_motion(scored: BagScore) -> None:
    assert scored.looks == len(scored.chunks) == 11 and not scored.held
    assert scored.reference.name == "measured motion (joint states)"
    errors = PolicyScore("fake", [scored]).errors
    # the waist turns by 0.1 rad/s; the model does not turn, and moves by 10 to 20 mm along x
    assert errors.dimensions["rz"].mean == pytest.approx(20.0, abs=1e-3)
    assert errors.dimensions["rz"].bias == pytest.approx(-20.0, abs=1e-3)
    assert errors.gripper_agreement == 1.0
    assert errors.horizon[0].count == 10 and errors.horizon[3].count == 7, "the recording ends"
    assert scored.chunks[3].stamp == START + 0.6 and scored.chunks[3].instruction == "turn left"


def test_figures_have_the_names_that_are_promised_and_thresholds_hold(scored: BagScore) -> None:
    figures = figures_of(PolicyScore("fake", [scored]))
    assert set(FIGURES) <= set(figures)
    assert all(name in FIGURES or name.startswith("limit.") for name in figures)
    assert figures["rotation_mrad"] == pytest.approx(20.0, abs=1e-3) and figures["held_share"] == 0.0
    assert above(figures, {"rotation_mrad": 20.1, "held_share": 0.0, "limit.table": 0.0}) == []
    assert above(figures, {"rotation_mrad": 19.9}) == ["rotation_mrad is 20, above 19.9"]
    (unknown,) = above({"join_p95_mm": math.nan}, {"join_p95_mm": 1.0})
    assert "is not known" in unknown


def test_the_json_is_plain_and_complete(scored: BagScore) -> None:
    content = json.loads(json.dumps(as_json(PolicyScore("fake", [scored])), allow_nan=False))
    assert content["bags"][0]["observations"] == 11 and content["bags"][0]["against"] == scored.reference.name
    assert len(content["errors"]["horizon"]) == 4 and set(content["errors"]["dimensions"]) == {
        "x", "y", "z", "rx", "ry", "rz",
    }  # fmt: skip
    assert content["figures"]["translation_mm"] > 0.0


def test_the_table_names_bag_errors_and_limits_of_both_policies(scored: BagScore) -> None:
    text = "\n".join(lines_of([PolicyScore("first", [scored]), PolicyScore("second", [scored])]))
    for word in ("11 observations, 11 chunks", "translation [mm]", "first", "second", "not moving", "latency p50"):
        assert word in text
    assert "nan" not in text


class Page(HTMLParser):
    """Every tag and attribute of a page; unclosed tags are an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.counts: dict[str, int] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.addresses += [value for name, value in attributes if name in ("src", "href", "xlink:href", "data")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_shows_pictures_of_both_policies(make_bag: MakeBag, profile) -> None:
    hostile = '<script>alert(1)</script> & "more"'
    settings = Settings(pictures=2, instruction=hostile, limits=SafetyLimits.load("sim"))
    bag = make_bag()
    scores = [PolicyScore(name, [score_bag(bag, FakeModel(), profile, settings)]) for name in ("a<b", "c")]
    text = page_of(scores, {"torch": "2 & more"})
    page = Page(text)
    assert not page.open and "script" not in page.counts
    assert 2 <= page.counts["img"] <= 4 and page.counts["svg"] >= 8
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert "nan" not in re.sub(r"base64,[^\"]*", "", text).lower().replace("nanoseconds", "")


def test_the_worst_observations_are_among_the_pictures(make_bag: MakeBag, profile) -> None:
    shown = score_bag(make_bag(), FakeModel(), profile, Settings(pictures=2)).shown
    # the model moves the more the later it is, and nothing is known of the last observation
    assert [round(entry.stamp - START, 1) for entry in shown if entry.worst] == [1.6, 1.8]
    assert len(shown) in (3, 4) and all(entry.jpegs[0][:2] == b"\xff\xd8" for entry in shown)


@pytest.mark.parametrize(
    ("without", "told"),
    [
        (("instruction",), "has no instruction: say what was asked with --instruction"),
        (("joint_states",), "has no joint states of the robot's joints.*--joint-states"),
        (("robot_description",), "has no robot description: give the robot's URDF with --urdf"),
        (("image",), "has no images of the primary camera on image; topics of images: none. Name it with --image"),
    ],
)
def test_what_a_bag_lacks_is_told_with_the_way_out(make_bag: MakeBag, profile, without, told: str) -> None:
    with pytest.raises(ScoringError, match=f"bag cannot be scored: the bag {told}"):
        score_bag(make_bag(without), FakeModel(), profile, Settings())


def test_what_a_bag_lacks_can_be_given(make_bag: MakeBag, profile, tmp_path: Path) -> None:
    bag = make_bag(("instruction", "robot_description"))
    score = score_bag(bag, FakeModel(), profile, Settings(instruction="turn left", urdf=urdf()))
    assert len(score.chunks) == 11 and score.chunks[0].instruction == "turn left"


def test_where_no_topic_says_what_was_asked_the_chunks_do(make_bag: MakeBag, profile) -> None:
    def fill(maker: BagMaker) -> None:
        types = maker.store.types
        vector, step = types["geometry_msgs/msg/Vector3"], types["instructvla_ros/msg/EndEffectorAction"]
        actions = [step(vector(0.01, 0.0, 0.0), vector(0.0, 0.0, 0.0), 1.0)] * 4
        zero = types["builtin_interfaces/msg/Time"](0, 0)
        for index in range(10):
            fields = (maker.header(0.2 * index), 1, index + 1, 0.2, 0, actions, "from a chunk", 0.0, 0.0, zero, zero)
            maker.write("/action_chunk", "instructvla_ros/msg/ActionChunk", 0.2 * index, fields)

    score = score_bag(make_bag(("instruction",), fill), FakeModel(), profile, Settings())
    assert {chunk.instruction for chunk in score.chunks} == {"from a chunk"}
    assert score.reference.name == "recorded action chunks"
    np.testing.assert_allclose(score.aligned.recorded[:9, :, 0], 0.01)


def test_holds_of_one_kind_are_counted_together_whatever_their_numbers(make_bag: MakeBag, profile) -> None:
    def fill(maker: BagMaker) -> None:
        for index in range(5):
            maker.joints(0.02 * index, profile, np.zeros(6))

    score = score_bag(make_bag(("joint_states",), fill), FakeModel(), profile, Settings())
    assert score.held == {"the joint state is ... s old, more than ... s": 9} and len(score.held_stamps) == 9
    assert figures_of(PolicyScore("fake", [score]))["held_share"] == pytest.approx(9 / 11)


def test_a_topic_of_another_name_is_taken_if_given_and_told_if_found(make_bag: MakeBag, profile) -> None:
    def fill(maker: BagMaker) -> None:
        for index in range(3):
            maker.image(0.2 * index, 90, topic="/arm/camera")

    only = make_bag(("image",), fill)
    found = score_bag(only, FakeModel(), profile, Settings())
    assert found.notes[0] == "/arm/camera is taken for the primary camera, whose topic is image in the profile"
    both = make_bag((), fill, name="both")
    assert score_bag(both, FakeModel(), profile, Settings()).looks == 11
    given = Settings(topics=Given({"primary": "/arm/camera"}))
    assert score_bag(both, FakeModel(), profile, given).looks == 3
    with pytest.raises(ScoringError, match=r"no messages on /wrong; topics of type .*: /arm/camera, /image"):
        score_bag(both, FakeModel(), profile, Settings(topics=Given({"primary": "/wrong"})))


def test_a_bag_on_another_clock_than_its_headers_is_scored_on_theirs(make_bag: MakeBag, profile) -> None:
    def fill(maker: BagMaker) -> None:
        joints = np.zeros(6)
        for index in range(10):
            maker.image(0.2 * index, 50, stamp=0.2 * index - START + 40.0)
            names = [*profile.joints, profile.gripper.joint]
            header = maker.header(0.2 * index - START + 40.0)
            fields = (header, names, np.append(joints, 0.03), np.zeros(0), np.zeros(0))
            maker.write("/joint_states", "sensor_msgs/msg/JointState", 0.2 * index, fields)

    score = score_bag(make_bag(("image", "joint_states"), fill), FakeModel(), profile, Settings())
    assert len(score.chunks) == 10 and score.chunks[0].stamp == pytest.approx(40.0, abs=1e-3)
    assert not score.held and any("in its header" in note for note in score.notes)


def test_the_same_bag_and_seed_give_the_same_chunks_to_the_bit(make_bag: MakeBag, profile) -> None:
    bag = make_bag()
    runs = [score_bag(bag, FakeModel(), profile, Settings(seed=5)).chunks for _ in range(2)]
    numbers = [np.array([as_steps(chunk) for chunk in chunks]).tobytes() for chunks in runs]
    assert numbers[0] == numbers[1]
    other = score_bag(bag, FakeModel(), profile, replace(Settings(), seed=6)).chunks
    assert np.array([as_steps(chunk) for chunk in other]).tobytes() != numbers[0]


def test_the_model_is_shown_the_part_of_the_picture_that_the_profile_says(make_bag: MakeBag, profile) -> None:
    camera = replace(profile.interface.cameras["primary"], crop=(0.5, 0.0, 1.0, 1.0), rotate=90)
    robot = replace(profile, interface=replace(profile.interface, cameras={"primary": camera}))
    shapes = []

    class Watching(FakeModel):
        def act(self, images, *arguments, **keywords):
            shapes.append(images[0].shape)
            return super().act(images, *arguments, **keywords)

    score_bag(make_bag(), Watching(), robot, Settings())
    assert set(shapes) == {(16, 24, 3)}


def test_a_pose_that_is_measured_reaches_the_policy_as_it_does_live(make_bag: MakeBag, profile) -> None:
    def fill(maker: BagMaker) -> None:
        types = maker.store.types
        for index in range(11):
            place = types["geometry_msgs/msg/Point"](0.1 + 0.01 * index, 0.2, 0.3)
            turn = types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 2.0)
            fields = (maker.header(0.2 * index), types["geometry_msgs/msg/Pose"](place, turn))
            maker.write("/tip", "geometry_msgs/msg/PoseStamped", 0.2 * index, fields)

    measured = replace(profile.interface, end_effector_pose=PoseSource("topic", "tip"))
    robot = replace(profile, interface=measured)
    score = score_bag(make_bag((), fill), FakeModel(), robot, Settings(against="pose"))
    assert len(score.chunks) == 11 and score.reference.name == "measured motion (pose)"
    np.testing.assert_allclose(score.aligned.recorded[2, :, :6], np.tile((0.01, 0, 0, 0, 0, 0), (4, 1)), atol=1e-6)
    lost = score_bag(make_bag(name="lost"), FakeModel(), robot, Settings())
    assert not lost.chunks and "no pose of the end effector on tip" in next(iter(lost.held))


def test_a_pose_in_another_frame_is_refused_as_it_is_live(make_bag: MakeBag, profile) -> None:
    def fill(maker: BagMaker) -> None:
        types = maker.store.types
        at = types["geometry_msgs/msg/Point"](0.1, 0.2, 0.3)
        pose = types["geometry_msgs/msg/Pose"](at, types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0))
        for index in range(11):
            maker.write("/tip", "geometry_msgs/msg/PoseStamped", 0.2 * index, (maker.header(0.2 * index, "map"), pose))

    robot = replace(profile, interface=replace(profile.interface, end_effector_pose=PoseSource("topic", "tip")))
    score = score_bag(make_bag((), fill), FakeModel(), robot, Settings())
    assert not score.chunks and "no pose of the end effector on tip" in next(iter(score.held))


def test_a_policy_that_always_held_has_a_page_too(make_bag: MakeBag, profile) -> None:
    robot = replace(profile, interface=replace(profile.interface, end_effector_pose=PoseSource("topic", "tip")))
    score = PolicyScore("still", [score_bag(make_bag(), FakeModel(), robot, Settings(limits=SafetyLimits.load("sim")))])
    assert not score.bags[0].chunks
    assert "why the policy held" in page_of([score], {}) and any("held" in line for line in lines_of([score]))
