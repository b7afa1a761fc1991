# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network gets as many threads as make it quicker, and no more."""

from instructvla_ros.policy.thread_count import candidates, quickest_count


class Machine:
    """A step takes as long as is said for the count in use."""

    def __init__(self, times: dict[int, float]) -> None:
        self.times, self.count, self.steps = times, 0, 0

    def use(self, count: int) -> None:
        self.count = count

    def step(self) -> float:
        self.steps += 1
        return self.times[self.count]


def test_counts_double_from_one_to_all() -> None:
    assert [candidates(most) for most in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_threads_that_bring_nothing_are_left_to_others() -> None:
    machine = Machine({1: 0.050, 2: 0.047})
    assert quickest_count(machine.step, machine.use, 2, usual=2) == 1
    assert machine.count == 1


def test_threads_that_bring_something_are_used() -> None:
    machine = Machine({1: 0.50, 2: 0.28, 4: 0.16, 8: 0.19})
    assert quickest_count(machine.step, machine.use, 8, usual=8) == 4
    assert machine.count == 4


def test_a_slow_model_is_not_tried_out_while_the_robot_waits() -> None:
    machine = Machine({1: 40.0, 2: 20.0})
    assert quickest_count(machine.step, machine.use, 2, usual=2) == 2
    assert machine.steps == 1
    assert machine.count == 2
