# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of a goal: every way in which it can end, without ROS."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from instructvla_ros.instruction_goal import GoalError, GoalSettings, InstructionGoal, Outcome, Phase, Wants
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.safety import SafetyState

SETTINGS = GoalSettings(
    default_timeout=20.0,
    start_timeout=5.0,
    settle_time=1.0,
    settle_translation=0.01,
    settle_rotation=0.1,
    rest_timeout=1.0,
    status_timeout=0.5,
)
TEXT = "pick up the red cube"


def chunk(step: float = 0.02, epoch: int = 7, instruction: str = TEXT, steps: int = 4, gripper: float = 1.0):
    """A chunk of a policy that goes on and on; it is stamped when it comes."""
    translations = np.zeros((steps, 3))
    translations[:, 0] = step
    return ActionChunk(0.0, "base", epoch, 1, 0.2, translations, np.zeros((steps, 3)), np.full(steps, gripper),
                       instruction=instruction)  # fmt: skip


class World:
    """A clock, a filter that goes on telling its state, and a goal."""

    def __init__(self, goal_timeout: float = 0.0, floor: int = 0) -> None:
        self.now = 100.0
        self.state: SafetyState | None = SafetyState.HOLDING
        self.reason = "waiting for an action chunk"
        self.goal = InstructionGoal(TEXT, goal_timeout, SETTINGS, self.now, floor)

    def go(self, seconds: float, *chunks: ActionChunk) -> None:
        """Let time pass in steps of 0.1 s; the chunks come again and again."""
        for _ in range(round(seconds / 0.1)):
            self.now += 0.1
            if self.state is not None:
                self.goal.see_status(self.now, self.state, self.reason)
            for item in chunks:
                self.goal.see_chunk(self.now, replace(item, stamp=self.now))
            self.goal.tick(self.now)

    def clear(self) -> None:
        """The policy has heard that nothing is to be done."""
        self.goal.see_chunk(self.now, chunk(epoch=8, instruction="", steps=0))

    @property
    def outcome(self) -> Outcome | None:
        return self.goal.ending.outcome if self.goal.ending else None


def test_a_goal_goes_from_waiting_to_settled_and_ends_when_the_arm_rests() -> None:
    world = World()
    world.goal.see_policy("not acting: no image from the primary camera yet")
    world.go(0.2, chunk(steps=0))
    assert world.goal.phase is Phase.WAITING and "no image" in world.goal.message, "an opened epoch is no motion yet"
    world.goal.see_reasoning(TEXT, "The cube is", False)
    world.goal.see_reasoning("another", "words of another instruction", True)
    assert world.goal.phase is Phase.THINKING and world.goal.reasoning == ("The cube is", False)
    world.state = SafetyState.MOVING
    world.go(1.0, chunk())
    assert world.goal.phase is Phase.ACTING and world.goal.wants is Wants.NOTHING
    world.go(0.8, chunk(step=0.001))
    assert world.goal.phase is Phase.SETTLING
    world.go(0.3, chunk())
    assert world.goal.phase is Phase.ACTING, "motion begins the wait anew"
    world.go(1.2, chunk(step=0.001))
    assert world.goal.phase is Phase.RESTING and world.goal.wants is Wants.CLEARED and world.goal.ending is None
    world.clear()
    world.go(0.2)
    assert world.goal.ending is None, "the arm still moves"
    world.state = SafetyState.HOLDING
    world.go(0.1)
    assert world.outcome is Outcome.SETTLED and world.goal.ending.success


def test_a_policy_that_asked_for_no_motion_is_no_success() -> None:
    world = World()
    world.go(1.3, chunk(step=0.0))
    world.clear()
    world.go(0.2)
    assert world.outcome is Outcome.SETTLED and not world.goal.ending.success


def test_a_gripper_that_closes_is_motion_though_the_arm_stands() -> None:
    world = World()
    world.go(0.8, chunk(step=0.0, gripper=1.0))
    assert world.goal.phase is Phase.SETTLING
    world.go(0.1, chunk(step=0.0, gripper=0.0))
    assert world.goal.phase is Phase.ACTING


def test_what_is_not_a_number_is_never_taken_for_rest() -> None:
    world = World()
    world.go(2.0, chunk(step=math.nan))
    assert world.goal.phase is Phase.ACTING


def test_a_cancel_ends_only_when_the_policy_has_heard_it_and_the_arm_rests() -> None:
    world = World()
    world.state = SafetyState.MOVING
    world.go(0.5, chunk())
    world.goal.cancel(world.now)
    assert world.goal.wants is Wants.CLEARED and world.goal.phase is Phase.RESTING
    world.state = SafetyState.HOLDING  # between two chunks
    world.go(0.2, chunk())
    assert world.goal.ending is None, "another chunk of the old epoch may be under way"
    world.clear()
    world.go(0.1)
    assert world.outcome is Outcome.CANCELED and world.goal.ending.message == "canceled"


def test_a_policy_that_does_not_heed_the_cancel_is_stopped_by_the_filter() -> None:
    world = World()
    world.state = SafetyState.MOVING
    world.go(0.5, chunk())
    world.goal.cancel(world.now)
    world.go(1.2, chunk())
    assert world.goal.wants is Wants.STOPPED and world.goal.ending is None
    world.state = SafetyState.STOPPED
    world.go(0.1, chunk())
    assert world.outcome is Outcome.CANCELED and "needs a reset" in world.goal.ending.message


def test_a_filter_that_does_not_answer_either_is_said_loudly() -> None:
    world = World()
    world.state = SafetyState.MOVING
    world.go(0.5, chunk())
    world.goal.cancel(world.now)
    world.state = None
    world.go(2.3, chunk())
    assert world.outcome is Outcome.CANCELED and "NOT KNOWN TO BE AT REST" in world.goal.ending.message


def test_a_policy_that_is_gone_and_an_arm_at_rest_need_no_stop() -> None:
    world = World()
    world.goal.cancel(world.now)
    world.go(1.2)
    assert world.outcome is Outcome.CANCELED and world.goal.wants is Wants.CLEARED


@pytest.mark.parametrize("state", [SafetyState.STOPPING, SafetyState.STOPPED, SafetyState.FAULT])
def test_a_stop_of_the_filter_aborts_with_its_reason_and_takes_the_instruction_back(state: SafetyState) -> None:
    world = World()
    world.go(0.5, chunk())
    world.state, world.reason = state, "elbow is 0.3 rad from where it was commanded"
    world.go(0.1, chunk())
    assert world.outcome is Outcome.STOPPED and "elbow is 0.3 rad" in world.goal.ending.message
    assert world.goal.wants is Wants.CLEARED, "else a reset would set the arm in motion"


def test_a_filter_that_is_not_there_aborts_and_is_named() -> None:
    world = World()
    world.state = None
    world.go(0.7)
    assert world.outcome is Outcome.STOPPED and "safety_filter_node" in world.goal.ending.message


def test_the_time_of_the_goal_counts_else_the_default() -> None:
    for given, expected in ((3.0, 3.0), (0.0, 20.0)):
        world = World(given)
        world.go(expected - 0.2, chunk())
        assert world.goal.ending is None and world.goal.phase is Phase.ACTING
        world.go(0.4, chunk())
        world.clear()
        world.go(0.1)
        assert world.outcome is Outcome.TIMEOUT and "not done after" in world.goal.ending.message


def test_a_policy_that_does_not_begin_is_told_in_its_own_words() -> None:
    world = World()
    world.goal.see_policy("not acting: no robot_description yet")
    world.go(6.5)
    assert world.outcome is Outcome.NOT_STARTED and "no robot_description yet" in world.goal.ending.message


def test_another_s_instruction_ends_the_goal_and_is_left_alone() -> None:
    for text, said in (("push the ball", "push the ball"), ("", "cleared")):
        world = World()
        world.go(0.3, chunk())
        world.go(0.1, chunk(epoch=9, instruction=text, steps=0))
        assert world.outcome is Outcome.SUPERSEDED and said in world.goal.ending.message
        assert world.goal.wants is Wants.NOTHING


def test_a_newer_goal_ends_it_at_once() -> None:
    world = World()
    world.go(0.3, chunk())
    world.goal.preempt(world.now)
    assert world.outcome is Outcome.PREEMPTED and world.goal.wants is Wants.NOTHING


def test_late_chunks_of_a_goal_before_are_not_taken_for_this_one_s() -> None:
    world = World(floor=7)
    world.go(0.2, chunk(epoch=7))
    world.go(0.1, chunk(epoch=8, instruction="", steps=0))
    assert world.goal.phase is Phase.WAITING and world.goal.ending is None
    world.go(0.1, chunk(epoch=9))
    assert world.goal.phase is Phase.ACTING


@pytest.mark.parametrize(("text", "timeout"), [(" ", 1.0), ("go", -1.0), ("go", math.nan), ("go", math.inf)])
def test_a_goal_that_makes_no_sense_is_refused(text: str, timeout: float) -> None:
    with pytest.raises(GoalError, match="blank" if not text.strip() else "timeout"):
        InstructionGoal(text, timeout, SETTINGS, 0.0)


def test_numbers_are_those_of_the_action_file() -> None:
    action = (Path(__file__).resolve().parents[1] / "action" / "ExecuteInstruction.action").read_text(encoding="utf-8")
    for prefix, values in (("OUTCOME", Outcome), ("PHASE", Phase)):
        found = {name: int(number) for name, number in re.findall(rf"uint8 {prefix}_(\w+)=(\d+)", action)}
        assert found == {value.name: int(value) for value in values}
