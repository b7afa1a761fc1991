# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The policy is a lifecycle node: it does what its state says, and can be brought down and up again."""

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from instructvla_ros.msg import ActionChunk
from instructvla_ros.srv import Ask

EVERYTHING = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def change(graph, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return graph.call(ChangeState, "policy_node/change_state", request).success


def state(graph) -> int:
    return graph.call(GetState, "policy_node/get_state", GetState.Request()).current_state.id


def test_the_policy_acts_only_while_active_and_can_be_started_again(graph, untrained_checkpoint) -> None:
    chunks = graph.collect(ActionChunk, "action_chunk", EVERYTHING)
    graph.node.create_publisher(String, "instruction", LATCHED).publish(String(data="pick up the red cube"))
    graph.start("sim_arm_node", image_width=64, image_height=48, wrist_camera=False)
    policy = graph.start(
        "policy_node", robot="sim", checkpoint=str(untrained_checkpoint), device="cpu", reasoning="never"
    )
    assert state(graph) == State.PRIMARY_STATE_UNCONFIGURED
    assert not change(graph, Transition.TRANSITION_ACTIVATE), "an unconfigured node cannot be activated"

    assert change(graph, Transition.TRANSITION_CONFIGURE)
    assert state(graph) == State.PRIMARY_STATE_INACTIVE
    answer = graph.call(Ask, "policy_node/ask", Ask.Request(question="what is there?"))
    assert not answer.success and "not active" in answer.message
    assert not chunks

    assert change(graph, Transition.TRANSITION_ACTIVATE)
    graph.wait_until(lambda: sum(bool(chunk.actions) for chunk in chunks) >= 2, "two chunks")
    first_epoch = chunks[-1].epoch

    assert change(graph, Transition.TRANSITION_DEACTIVATE)
    graph.wait_until(lambda: not chunks[-1].actions, "an empty chunk that ends the motion")
    ended = len(chunks)
    assert change(graph, Transition.TRANSITION_CLEANUP)
    assert state(graph) == State.PRIMARY_STATE_UNCONFIGURED
    assert not any(chunk.actions for chunk in chunks[ended:])

    assert change(graph, Transition.TRANSITION_CONFIGURE)
    assert change(graph, Transition.TRANSITION_ACTIVATE)
    graph.wait_until(lambda: bool(chunks[-1].actions), "chunks after a second start")
    assert chunks[-1].epoch > chunks[ended - 1].epoch > first_epoch
    assert policy.stop() == 0, policy.output


def test_a_checkpoint_that_cannot_be_loaded_leaves_the_node_unconfigured(graph) -> None:
    policy = graph.start("policy_node", robot="sim", checkpoint="/no/such/run", device="cpu")
    assert not change(graph, Transition.TRANSITION_CONFIGURE)
    assert state(graph) == State.PRIMARY_STATE_UNCONFIGURED
    assert "/no/such/run" in policy.output
