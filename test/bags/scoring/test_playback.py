# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording played into the act loop: the policy sees what it would have seen, and nothing depends on the machine."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from instructvla_ros.bags.scoring.playback import Inputs, Look, Moment, Picture, Playback, Schedule
from instructvla_ros.bags.scoring.references import as_steps
from instructvla_ros.policy.profile import AsynchronousExecution, FirstStepsExecution, ReasoningSettings
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.sim.arm_model import HOME

from .conftest import FakeModel, picture


def frame(view: str, number: int, stamp: float, time: float | None = None) -> Picture:
    return Picture(view, stamp, stamp if time is None else time, lambda: picture(number))


@pytest.fixture
def play(profile, chain):
    """Makes a playback in which joint states come at 50 Hz from 0 s to 10 s."""

    def make(model: FakeModel, text: str = "go", times: Iterable[float] | None = None, **settings) -> Playback:
        robot = replace(profile, **settings.pop("robot", {}))
        stamps = list(np.arange(0.0, 10.0, 0.02) if times is None else times)
        positions = np.array((*HOME, profile.gripper.open), dtype=float)
        names = (*profile.joints, profile.gripper.joint)
        inputs = Inputs(stamps, [JointState(stamp, names, positions) for stamp in stamps], lambda _: text)
        return Playback(model, robot, chain, inputs, **settings)

    return make


def numbers(looks: list[Look]) -> list[int]:
    return [int(look.frames[0][0, 0, 0]) for look in looks]


def test_a_slow_camera_is_looked_at_frame_by_frame_in_spite_of_jitter(play) -> None:
    model = FakeModel()
    jitter = np.random.default_rng(0).uniform(-0.04, 0.04, 20)
    pictures = [frame("primary", index, 0.2 * index + jitter[index] + 0.1) for index in range(20)]
    looks = list(play(model).at_ticks(pictures, Schedule(0.2)))
    assert numbers(looks) == list(range(20)) and all(look.chunk is not None for look in looks)


def test_of_a_fast_camera_the_frames_nearest_to_the_ticks_are_taken(play) -> None:
    pictures = [frame("primary", index, 0.1 + index / 30.0) for index in range(60)]
    looks = list(play(FakeModel()).at_ticks(pictures, Schedule(0.2)))
    assert numbers(looks) == list(range(0, 60, 6))
    every = list(play(FakeModel()).at_ticks(pictures, Schedule(None)))
    assert numbers(every) == list(range(60))


def test_a_lost_frame_and_a_pause_change_no_other_choice(play) -> None:
    times = [0.1 + 0.2 * index for index in range(20) if index not in (5, 6, 7, 12)]
    pictures = [frame("primary", index, time) for index, time in enumerate(times)]
    looks = list(play(FakeModel()).at_ticks(pictures, Schedule(0.2)))
    assert numbers(looks) == list(range(16))


def test_two_cameras_are_seen_together_whichever_is_recorded_first(play) -> None:
    pictures = []
    for index in range(5):
        stamp = 0.1 + 0.2 * index
        late, early = ("primary", "wrist") if index % 2 else ("wrist", "primary")
        pictures += [frame(early, index, stamp, stamp + 0.01), frame(late, index, stamp, stamp + 0.03)]
    model = FakeModel(num_views=2)
    looks = list(play(model).at_ticks(pictures, Schedule(0.2)))
    assert [look.held for look in looks] == [""] * 5
    assert model.seen == [(index, index) for index in range(5)]


def test_a_view_that_stops_makes_the_policy_hold_and_say_why(play) -> None:
    pictures = [frame("wrist", 0, 0.1), *(frame("primary", index, 0.1 + 0.2 * index) for index in range(6))]
    looks = list(play(FakeModel(num_views=2)).at_ticks(pictures, Schedule(0.2)))
    assert looks[0].chunk is not None
    assert all(look.chunk is None and "wrist image" in look.held or "apart" in look.held for look in looks[1:])


def test_joint_states_at_the_rate_of_the_frames_and_a_little_later_belong_to_them(play) -> None:
    times = [0.2 * index for index in range(10)]
    playback = play(FakeModel(), times=[time + 0.02 for time in times])
    looks = list(playback.at_ticks([frame("primary", index, time) for index, time in enumerate(times)], Schedule(0.2)))
    assert all(look.joint_state is not None and look.joint_state.stamp >= look.stamp for look in looks)


def test_without_fresh_joint_states_it_holds_and_without_an_instruction_nothing_is_due(play) -> None:
    pictures = [frame("primary", index, 0.2 * index) for index in range(10)]
    looks = list(play(FakeModel(), times=[0.0, 0.1]).at_ticks(pictures, Schedule(0.2)))
    assert looks[0].chunk is not None and "the joint state is" in looks[5].held and "old" in looks[5].held
    idle = list(play(FakeModel(), text="").at_ticks(pictures, Schedule(0.2)))
    assert {(look.held, look.chunk) for look in idle} == {("", None)}


def test_a_frame_that_cannot_be_decoded_is_one_hold(play) -> None:
    def broken() -> np.ndarray:
        raise ValueError("half a JPEG")

    pictures = [frame("primary", 1, 0.1), Picture("primary", 0.3, 0.3, broken), frame("primary", 2, 0.5)]
    looks = list(play(FakeModel()).at_ticks(pictures, Schedule(0.2)))
    assert [look.held for look in looks] == ["", "image refused: half a JPEG", ""]


def test_it_speaks_first_where_it_was_trained_to_and_acts_on_its_words(play) -> None:
    model = FakeModel(has_reasoning=True)
    pictures = [frame("primary", index, 0.2 * index) for index in range(4)]
    looks = list(play(model).at_ticks(pictures, Schedule(0.2)))
    assert model.spoken_of == [0] and looks[0].words == "go" and not looks[1].words
    assert all(look.chunk.translations[0, 2] == pytest.approx(0.003) for look in looks), "three letters were said"
    again = FakeModel(has_reasoning=True)
    robot = {"reasoning": ReasoningSettings("auto", period=0.35)}
    list(play(again, robot=robot).at_ticks(pictures, Schedule(0.2)))
    assert again.spoken_of == [0, 2], "after 0.35 s of the recording's time"
    assert FakeModel().spoken_of == []


def test_steps_that_are_being_executed_are_no_hold(play) -> None:
    pictures = [frame("primary", index, 0.2 * index) for index in range(8)]
    robot = {"execution": FirstStepsExecution(2)}
    looks = list(play(FakeModel(), robot=robot).at_ticks(pictures, Schedule(0.2)))
    assert [look.chunk is not None for look in looks] == [True, False] * 4
    assert {look.held for look in looks} == {""}


def test_the_same_recording_gives_the_same_chunks_to_the_bit_and_the_machine_does_not_matter(play) -> None:
    class Slow(FakeModel):
        def act(self, *arguments, **keywords):
            sum(index for index in range(20_000))
            return super().act(*arguments, **keywords)

    pictures = [frame("primary", index, 0.2 * index) for index in range(10)]
    for robot in ({}, {"execution": AsynchronousExecution(1, 2)}):
        runs = [
            [as_steps(look.chunk) for look in play(model, seed=3, robot=robot).at_ticks(pictures, Schedule(0.2))]
            for model in (FakeModel(), Slow())
        ]
        assert np.array(runs[0]).tobytes() == np.array(runs[1]).tobytes()
        other = play(FakeModel(), seed=4, robot=robot).at_ticks(pictures, Schedule(0.2))
        assert not np.array_equal([as_steps(look.chunk) for look in other], runs[0])


def test_the_time_that_the_network_is_said_to_take_is_made_up_for(play) -> None:
    pictures = [frame("primary", 10 * index, 0.2 * index) for index in range(5)]
    robot = {"execution": AsynchronousExecution(1, 1)}
    at_once = list(play(FakeModel(), robot=robot).at_ticks(pictures, Schedule(0.2)))
    late = list(play(FakeModel(), robot=robot, inference_time=0.1).at_ticks(pictures, Schedule(0.2)))
    assert late[2].chunk.inference_time == pytest.approx(0.1)
    assert not np.array_equal(at_once[2].chunk.translations, late[2].chunk.translations)


def test_at_moments_it_sees_what_was_seen_then(play) -> None:
    model = FakeModel(has_reasoning=True)
    pictures = [frame("primary", index, 0.1 * index, 0.1 * index + 0.02) for index in range(40)]
    stamps = [picture.stamp for picture in pictures]
    moments = [
        Moment(stamps[1], epoch=7, speaks=True),
        Moment(stamps[5], now=stamps[5] + 0.15, epoch=7),
        Moment(stamps[9], now=stamps[9] + 0.02, epoch=7),
        Moment(stamps[9], now=stamps[9] + 0.07, epoch=7),
        Moment(stamps[20], epoch=8, speaks=True),
        Moment(stamps[22], now=stamps[22] + 0.05, epoch=8),
    ]
    looks = list(play(model).at_moments(pictures, moments))
    acted = [look for look in looks if look.chunk is not None]
    assert model.spoken_of == [1, 20] and numbers(acted) == [5, 9, 9, 22]
    assert {look.held for look in looks} == {""}
    assert acted[0].joint_state.stamp == pytest.approx(0.64), "the newest at 0.65 s"
    assert acted[2].chunk.epoch != acted[3].chunk.epoch
    silent = FakeModel()
    assert len(list(play(silent).at_moments(pictures, moments))) == 4, "one that does not speak only acts"


def test_at_moments_that_name_a_joint_state_it_acts_on_that_one_and_else_on_the_newest(play) -> None:
    pictures = [frame("primary", index, 0.1 * index, 0.1 * index + 0.02) for index in range(20)]
    looked = pictures[9].stamp + 0.05
    (usual,) = play(FakeModel()).at_moments(pictures, [Moment(pictures[9].stamp, looked)])
    stamps = np.arange(0.0, 10.0, 0.02)
    newest = int(np.searchsorted(stamps, usual.joint_state.stamp))
    for named in stamps[[newest - 2, newest + 2]]:
        (look,) = play(FakeModel()).at_moments(pictures, [Moment(pictures[9].stamp, looked, named)])
        assert look.joint_state.stamp == look.chunk.joint_state_stamp == named
    (unknown,) = play(FakeModel()).at_moments(pictures, [Moment(pictures[9].stamp, looked, 0.0123)])
    assert unknown.joint_state.stamp == usual.joint_state.stamp


def test_a_frame_that_is_spoken_of_and_acted_on_is_the_same_array_as_it_is_live(play) -> None:
    frames = []

    class Watching(FakeModel):
        def act(self, images, *arguments, **keywords):
            frames.append(images[0])
            return super().act(images, *arguments, **keywords)

        def reason(self, images, *arguments, **keywords):
            frames.append(images[0])
            return super().reason(images, *arguments, **keywords)

    pictures = [frame("primary", index, 0.2 * index) for index in range(6)]
    moments = [
        Moment(pictures[1].stamp, speaks=True),
        Moment(pictures[1].stamp, now=0.3),
        Moment(pictures[2].stamp, 0.5),
    ]
    list(play(Watching(has_reasoning=True)).at_moments(pictures, moments))
    assert len(frames) == 3 and frames[0] is frames[1] and frames[1] is not frames[2]


def test_a_moment_whose_frame_is_not_recorded_is_a_hold(play) -> None:
    pictures = [frame("primary", index, 0.2 * index) for index in range(10)]
    looks = list(play(FakeModel()).at_moments(pictures, [Moment(0.2, 0.25), Moment(0.3, 0.35), Moment(0.4, 0.45)]))
    assert [bool(look.held) for look in looks] == [False, True, False] and "no frame" in looks[1].held
