# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What goes over the wire is what was meant."""

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState as JointStateMessage

from instructvla_ros.msg import ActionChunk as ActionChunkMessage
from instructvla_ros.nodes import messages
from instructvla_ros.robot.action_chunk import ActionChunk, DeltaReference
from instructvla_ros.robot.trajectory import JointTrajectory


@given(sec=st.integers(0, 2**31 - 1), nanosec=st.integers(0, 999_999_999))
def test_a_stamp_survives_the_round_trip_to_a_microsecond(sec: int, nanosec: int) -> None:
    returned = messages.time_message(messages.seconds(Time(sec=sec, nanosec=nanosec)))
    assert abs((returned.sec - sec) * 10**9 + returned.nanosec - nanosec) < 1000
    assert 0 <= returned.nanosec < 10**9


def test_a_fraction_that_rounds_up_to_a_second_carries() -> None:
    assert messages.time_message(4.9999999999) == Time(sec=5, nanosec=0)


@given(
    seed=st.integers(0, 1000),
    steps=st.integers(1, 20),
    epoch=st.integers(0, 2**64 - 1),
    reference=st.sampled_from(DeltaReference),
    instruction=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40),
)
def test_a_chunk_survives_the_wire_unchanged(
    seed: int, steps: int, epoch: int, reference: DeltaReference, instruction: str
) -> None:
    random = np.random.default_rng(seed)
    chunk = ActionChunk(
        stamp=12.5,
        frame="base_link",
        epoch=epoch,
        sequence=3,
        period=0.2,
        translations=random.normal(size=(steps, 3)),
        rotations=random.normal(size=(steps, 3)),
        grippers=random.uniform(size=steps),
        delta_reference=reference,
        instruction=instruction,
        observation_age=0.02,
        inference_time=0.06,
        joint_state_stamp=12.25,
        reasoning_stamp=None if epoch % 2 else 11.75,
    )
    wire = serialize_message(messages.chunk_to_message(chunk))
    message = deserialize_message(wire, ActionChunkMessage)
    returned = messages.chunk_from_message(message, messages.seconds(message.header.stamp))
    for name in ("translations", "rotations", "grippers"):
        np.testing.assert_array_equal(getattr(returned, name), getattr(chunk, name))
    plain = ("stamp", "frame", "epoch", "sequence", "period", "delta_reference", "instruction")
    for name in (*plain, "observation_age", "inference_time", "joint_state_stamp", "reasoning_stamp"):
        assert getattr(returned, name) == getattr(chunk, name)


def test_an_empty_chunk_keeps_its_shape_for_the_filter_to_refuse() -> None:
    chunk = messages.chunk_from_message(ActionChunkMessage(), 0.0)
    assert chunk.translations.shape == (0, 3)
    assert len(chunk) == 0


def test_an_unknown_delta_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="9"):
        messages.chunk_from_message(ActionChunkMessage(delta_reference=9), 0.0)


def test_a_trajectory_survives_the_wire_unchanged() -> None:
    random = np.random.default_rng(1)
    trajectory = JointTrajectory(
        ("a", "b"), np.array([0.01, 0.2]), random.normal(size=(2, 2)), np.vstack([random.normal(size=2), np.zeros(2)])
    )
    returned = messages.trajectory_from_message(messages.trajectory_to_message(trajectory, "base_link"))
    assert returned.joint_names == trajectory.joint_names
    np.testing.assert_allclose(returned.times, trajectory.times, atol=1e-9)
    np.testing.assert_array_equal(returned.positions, trajectory.positions)
    np.testing.assert_array_equal(returned.velocities, trajectory.velocities)


def test_a_trajectory_point_without_velocities_is_refused() -> None:
    message = messages.trajectory_to_message(
        JointTrajectory(("a",), np.array([0.1]), np.zeros((1, 1)), np.zeros((1, 1))), "base_link"
    )
    message.points[0].velocities = []
    with pytest.raises(ValueError, match="point 0 holds 1 positions and 0 velocities"):
        messages.trajectory_from_message(message)


def test_a_joint_state_without_velocities_has_none() -> None:
    state = messages.joint_state_from_message(JointStateMessage(name=["a"], position=[0.5]), 1.0)
    assert state.velocities is None
    assert state.names == ("a",)
