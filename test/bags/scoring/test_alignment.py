# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predicted chunks meet the recorded actions of their own time."""

import numpy as np
import pytest

from instructvla_ros.bags.scoring.actions import reference_of
from instructvla_ros.bags.scoring.alignment import Spans, align, joined
from instructvla_ros.bags.scoring.recorded import Recorded
from instructvla_ros.bags.scoring.references import ChunkReference, WayReference, as_steps
from instructvla_ros.bags.scoring.topics import ScoringError
from instructvla_ros.bags.scoring.ways import OpeningTrack, PoseTrack
from instructvla_ros.robot.joint_state import JointState

from .conftest import LENGTH, chunk_at

RANDOM = np.random.default_rng(0)


def steps(count: int = LENGTH) -> np.ndarray:
    return np.column_stack((RANDOM.normal(0.0, 0.01, (count, 6)), RANDOM.integers(0, 2, count)))


def along_x(held_until: float = -np.inf) -> WayReference:
    """0.1 m/s along x from 0 s to 10 s; the gripper opens at 5 s."""
    times = np.linspace(0.0, 10.0, 101)
    poses = PoseTrack(times, np.outer(times, (0.1, 0.0, 0.0)), np.tile(np.eye(3), (101, 1, 1)), held_until=held_until)
    return WayReference("test", poses, OpeningTrack(np.array([0.0, 5.0]), np.array([0.0, 1.0])))


def test_the_recorded_chunk_of_the_same_observation_is_taken_as_it_is() -> None:
    recorded = [chunk_at(10.0, steps()), chunk_at(10.2, steps()), chunk_at(10.4, steps())]
    found = ChunkReference(recorded).steps(chunk_at(10.2, steps()))
    np.testing.assert_array_equal(found, as_steps(recorded[1]))


def test_a_recorded_chunk_of_an_observation_beside_it_is_shifted_in_time() -> None:
    even = np.tile((0.01, 0.0, 0.0, 0.0, 0.0, 0.02, 1.0), (LENGTH, 1))
    found = ChunkReference([chunk_at(10.0, even)]).steps(chunk_at(10.05, steps()))
    np.testing.assert_allclose(found[:-1], even[:-1], atol=1e-9)
    assert np.isnan(found[-1]).all(), "its last step reaches past the recorded chunk"


def test_no_recorded_chunk_far_away_or_of_another_instruction_is_taken() -> None:
    predicted = chunk_at(10.0, steps(), instruction="left")
    assert np.isnan(ChunkReference([chunk_at(10.15, steps())]).steps(predicted)).all()
    assert np.isnan(ChunkReference([chunk_at(10.0, steps(), instruction="right")]).steps(predicted)).all()
    assert np.isnan(ChunkReference([chunk_at(10.0, steps(0))]).steps(predicted)).all(), "empty chunks are no actions"


def test_between_recorded_chunks_the_one_that_is_followed_is_taken_as_far_as_it_goes() -> None:
    even = np.tile([0.01, 0, 0, 0, 0, 0, 1.0], (LENGTH, 1))
    later = 10.0 + 0.2 * (LENGTH - 2)  # two of its steps are left
    found = ChunkReference([chunk_at(10.0, even)]).steps(chunk_at(later, steps()))
    np.testing.assert_allclose(found[:2, 0], 0.01, atol=1e-9)
    assert np.isnan(found[2:, 0]).all()
    over = ChunkReference([chunk_at(10.0, even)]).steps(chunk_at(10.0 + 0.2 * LENGTH + 0.15, steps()))
    assert np.isnan(over).all()
    another = chunk_at(10.0, even, instruction="right")
    assert np.isnan(ChunkReference([another]).steps(chunk_at(later, steps(), instruction="left"))).all()


def test_a_way_is_cut_at_the_edges_of_the_steps() -> None:
    found = along_x().steps(chunk_at(4.7, steps()))
    np.testing.assert_allclose(found[:, 0], 0.02, atol=1e-12)
    np.testing.assert_array_equal(found[:, 6], [0.0, 1.0, 1.0, 1.0])  # at the end of each step


def test_steps_into_a_stop_or_past_the_instruction_do_not_count() -> None:
    spans = Spans(instructions=((0.0, "left"), (3.0, "left"), (6.0, "right")), stopped=((2.05, 2.3),))
    aligned = align([chunk_at(1.9, steps()), chunk_at(5.5, steps()), chunk_at(7.0, steps())], along_x(), spans)
    known = np.isfinite(aligned.recorded[:, :, 0])
    # steps of the first: 1.9-2.1, 2.1-2.3, 2.3-2.5, 2.5-2.7; of the second: 5.5-5.7, 5.7-5.9, 5.9-6.1, 6.1-6.3
    assert known.tolist() == [[False, False, True, True], [True, True, False, False], [True] * 4]
    assert aligned.left_out == 4 and aligned.observations == 3


def test_after_the_end_of_the_recording_nothing_is_known() -> None:
    aligned = align([chunk_at(9.5, steps())], along_x(), Spans())
    assert np.isfinite(aligned.recorded[0, :, 0]).tolist() == [True, True, False, False]
    assert np.isnan(aligned.recorded[0, 2:, 6]).all()


def test_alignments_of_bags_are_joined_and_none_is_no_error() -> None:
    one, none = align([chunk_at(1.0, steps())], along_x(), Spans()), align([], along_x(), Spans())
    assert joined([one, none, one]).predicted.shape == (2, LENGTH, 7)
    assert joined([none]).observations == joined([]).observations == 0


@pytest.fixture
def recorded(profile, chain) -> Recorded:
    """The waist turns by 0.1 rad/s, measured at 50 Hz; it is told to, by a trajectory each 0.5 s, 0.2 s ahead."""
    recorded = Recorded(0.0, 4.0)
    names = (*profile.joints, profile.gripper.joint)

    def at(time: float) -> np.ndarray:
        return np.array([0.1 * time, 0.3, 0.2, 0.0, 0.5, 0.0])

    for time in np.arange(0.0, 4.01, 0.02):
        recorded.joint_states.append(JointState(time, names, np.append(at(time), profile.gripper.closed)))
        recorded.joint_times.append(time)
    for start in np.arange(0.0, 4.0, 0.5):
        points = np.linspace(0.0, 1.0, 11)
        joints = np.array([at(start + 0.2 + point) for point in points])
        recorded.trajectories.append((start, names[:-1], points, joints))
    recorded.gripper_commands = [(0.0, profile.gripper.open)]
    return recorded


def test_motion_and_commands_tell_the_same_turn(recorded: Recorded, profile, chain) -> None:
    predicted = chunk_at(1.1, steps())
    motion = reference_of(recorded, profile, chain, "motion").steps(predicted)
    commands = reference_of(recorded, profile, chain, "commands").steps(predicted)
    np.testing.assert_allclose(motion[:, 5], 0.02, atol=1e-6)  # 0.1 rad/s about z for 0.2 s
    np.testing.assert_allclose(commands[:, 5], 0.02, atol=1e-4)
    assert motion[:, 6].tolist() == [0.0] * 4 and commands[:, 6].tolist() == [1.0] * 4


def test_a_late_trajectory_leaves_the_arm_where_the_one_before_ended(recorded: Recorded, profile, chain) -> None:
    del recorded.trajectories[1:]
    commands = reference_of(recorded, profile, chain, "commands").steps(chunk_at(2.0, steps()))
    np.testing.assert_allclose(commands[:, :6], 0.0, atol=1e-12)
    sets_out = (2.0, recorded.trajectories[0][1], np.array([0.4]), recorded.trajectories[0][3][-1:] + 0.04)
    recorded.trajectories.append(sets_out)
    commands = reference_of(recorded, profile, chain, "commands").steps(chunk_at(2.0, steps()))
    assert np.linalg.norm(commands[:2, 3:6], axis=1).min() > 0.01 and np.abs(commands[2:, :6]).max() < 1e-12


def test_the_best_form_of_actions_is_taken_unless_another_is_asked_for(recorded: Recorded, profile, chain) -> None:
    recorded.chunks = [chunk_at(1.0, steps())]
    assert "chunks" in reference_of(recorded, profile, chain).name
    assert "motion" in reference_of(recorded, profile, chain, "motion").name
    recorded.chunks = [chunk_at(1.0, steps(0))]
    assert "commands" in reference_of(recorded, profile, chain).name
    recorded.trajectories.clear()
    assert "joint states" in reference_of(recorded, profile, chain).name
    recorded.joint_states.clear()
    with pytest.raises(ScoringError, match="neither action chunks.* nor .*--pose"):
        reference_of(recorded, profile, chain)
    with pytest.raises(ScoringError, match="has no joint trajectories of all of waist"):
        reference_of(recorded, profile, chain, "commands")
    recorded.poses = [(time, np.array((0.1 * time, 0.0, 0.0)), np.array((0.0, 0.0, 0.0, 1.0))) for time in (0.0, 0.4)]
    np.testing.assert_allclose(reference_of(recorded, profile, chain).steps(chunk_at(0.0, steps()))[:2, 0], 0.02)
