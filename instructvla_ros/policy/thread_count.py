# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many CPU threads the network is quickest with, by trying."""

from collections.abc import Callable

_TRIES = 3
_WORTH = 0.9  # more threads must take at most this share of the time: they are cores that others do without
_BUDGET = 15.0  # [s] for everything; a model that takes seconds is tried with few counts or none but the first


def candidates(most: int) -> list[int]:
    """Counts worth trying: one, and doubling up to all."""
    counts = [1]
    while 2 * counts[-1] < most:
        counts.append(2 * counts[-1])
    return [*counts, most] if most > counts[-1] else counts


def quickest_count(step: Callable[[], float], use: Callable[[int], None], most: int, usual: int) -> int:
    """The smallest count that is about as quick as the quickest; it is in use afterwards.

    Args:
        step: what is to be quick; returns how long it took [s].
        use: makes a count count from now on.
        most: the largest count to try.
        usual: the count that is used where a step takes so long that trying would keep the robot waiting.
    """
    use(usual)
    if most == 1:
        return usual
    spent = step()
    times: dict[int, float] = {}
    for count in candidates(most):
        if spent + (_TRIES + 1) * (min(times.values()) if times else spent) > _BUDGET:
            break
        use(count)
        tried = [step() for _ in range(_TRIES + 1)]
        spent += sum(tried)
        times[count] = min(tried[1:])  # the first one after a change starts threads
    chosen = usual
    if times:
        chosen = min(times)
        for count in sorted(times):
            if times[count] <= _WORTH * times[chosen]:
                chosen = count
    use(chosen)
    return chosen
