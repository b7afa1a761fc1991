# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One instruction in one simulated episode, followed by the policy's own code."""

import time
from collections.abc import Callable

import numpy as np

from instructvla_ros.policy.policy import Observation, Policy
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.sim.arm_model import ARM_JOINTS, GRIPPER_JOINT
from instructvla_ros.sim.episode import Episode, Progress


class ClosedLoop:
    """Looks, thinks and acts as the policy node does, at the simulator's time.

    Attributes:
        act_times: of each inference [s].

    Args:
        policy: starts a new epoch.
        episode: has begun, and draws pictures.
        instruction: what to do.
    """

    def __init__(self, policy: Policy, episode: Episode, instruction: str) -> None:
        self._policy, self._episode = policy, episode
        self.act_times: list[float] = []
        self._actions, self._used = np.zeros((0, 7)), 0
        policy.start_epoch(instruction)

    def reason(self, on_text: Callable[[str], None] | None = None) -> str:
        """Let the model speak; no simulated time passes.

        Args:
            on_text: called with the whole text so far, as it grows.
        """
        return self._policy.reason(self._observe(), on_text=on_text)

    def step(self) -> Progress:
        """Act for 0.2 s of the simulator's time."""
        observation = self._observe()
        if self._policy.is_due(observation.stamp) or self._used >= len(self._actions) - 1:
            begun = time.perf_counter()
            chunk = self._policy.act(observation)
            self.act_times.append(time.perf_counter() - begun)
            self._actions = np.hstack((chunk.translations, chunk.rotations, chunk.grippers[:, None]))  # (H, 7)
            self._used = 0
        progress = self._episode.step(self._actions[self._used :], 1)
        self._used += 1
        return progress

    def _observe(self) -> Observation:
        return observation_of(self._episode, 1.0 + self._episode.state().time)


def observation_of(episode: Episode, stamp: float) -> Observation:
    """What a policy gets to see of an episode now.

    Args:
        episode: has begun, and draws pictures.
        stamp: of picture and joint state [s].
    """
    front = episode.observe().front
    assert front is not None
    positions = np.append(episode.table_top.joint_positions(), episode.table_top.finger_position())
    return Observation(stamp, (front,), JointState(stamp, (*ARM_JOINTS, GRIPPER_JOINT), positions))
