# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turns at the model: one at a time, in the order of their coming."""

import threading

from instructvla_ros.policy.turns import Turns

PATIENCE = 10.0  # [s]


def test_turns_come_in_the_order_of_waiting():
    turns, order, threads = Turns(), [], []

    def take(number):
        with turns:
            order.append(number)

    with turns:
        for number in range(8):
            threads.append(threading.Thread(target=take, args=(number,)))
            threads[-1].start()
            while turns.waiting <= number:
                threads[-1].join(0.001)
    for thread in threads:
        thread.join(PATIENCE)
    assert order == list(range(8))


def test_only_one_has_the_turn():
    turns, holders, most = Turns(), [], []

    def take():
        for _ in range(300):
            with turns:
                holders.append(None)
                most.append(len(holders))
                holders.pop()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert max(most) == 1


def test_whoever_gives_way_comes_back_after_those_that_waited():
    turns, order = Turns(), []

    def take():
        with turns:
            order.append("other")

    with turns:
        thread = threading.Thread(target=take)
        thread.start()
        while not turns.waiting:
            thread.join(0.001)
        turns.give_way()
        order.append("first")
    thread.join(PATIENCE)
    assert order == ["other", "first"]


def test_a_failure_ends_a_turn():
    turns = Turns()
    try:
        with turns:
            raise RuntimeError
    except RuntimeError:
        pass
    with turns:
        assert not turns.waiting
