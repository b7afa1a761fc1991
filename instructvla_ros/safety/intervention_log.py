# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What limits did over time: for how long each has been acting, and how often it acted in all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from instructvla_ros.safety.report import Intervention

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class LimitCount:
    """How often one limit acted since the start.

    Attributes:
        steps: steps in which it acted, on whatever subject.
        times: streaks, a pause longer than the gap starting a new one.
        seconds: length of all streaks together [s]; a single step counts as none.
    """

    steps: int = 0
    times: int = 0
    seconds: float = 0.0


@dataclass
class _Streak:
    """An intervention that goes on; ``told`` is whether a report has had it since it acted last."""

    newest: Intervention
    start: float
    last: float
    told: bool = False


class InterventionLog:
    """Joins the interventions of single steps to streaks, and counts them. Its memory is bounded.

    Two interventions belong to one streak when limit and subject are the same and no more than ``gap`` lies between
    them: a limit that acts in every second step has been acting all the time.

    Args:
        gap: longest pause within a streak [s].
        capacity: streaks, and limits, that are remembered; past it the one that acted longest ago is forgotten.
    """

    def __init__(self, gap: float = 0.1, capacity: int = 64) -> None:
        self._gap = gap
        self._capacity = capacity
        self._streaks: dict[tuple[str, str], _Streak] = {}
        self._counts: dict[str, LimitCount] = {}
        self.total = 0
        """Interventions since the start, one for each limit and subject in each step."""

    @property
    def counts(self) -> dict[str, LimitCount]:
        """What each limit did since the start, by its name."""
        return dict(self._counts)

    def add(self, now: float, interventions: Iterable[Intervention]) -> None:
        """Takes in what acted in one step.

        Args:
            now: time of the step on any clock that goes forward [s].
            interventions: those of the step; of several with the same limit and subject the last one counts.
        """
        acted = {(entry.limit, entry.subject): entry for entry in interventions}
        limits: dict[str, tuple[bool, float]] = {}
        for key, entry in acted.items():
            streak = self._streaks.pop(key, None)
            goes_on = streak is not None and 0.0 <= now - streak.last <= self._gap
            if streak is None or not goes_on:
                streak = _Streak(entry, now, now)
                grown = 0.0
            else:
                grown = now - streak.last
                streak.newest, streak.last, streak.told = entry, now, False
            self._streaks[key] = streak  # at the end: the order is that of the last action
            went_on, longest = limits.get(entry.limit, (False, 0.0))
            limits[entry.limit] = (went_on or goes_on, max(longest, grown))
        self.total += len(acted)
        for limit, (went_on, grown) in limits.items():
            before = self._counts.pop(limit, LimitCount())
            self._counts[limit] = LimitCount(before.steps + 1, before.times + (not went_on), before.seconds + grown)
        _forget_oldest(self._streaks, self._capacity)
        _forget_oldest(self._counts, self._capacity)

    def take(self) -> list[Intervention]:
        """Every intervention since the last call, the newest values of each streak with its duration so far."""
        fresh = [streak for streak in self._streaks.values() if not streak.told]
        for streak in fresh:
            streak.told = True
        return [_with_duration(streak) for streak in fresh]

    def acting(self, now: float) -> list[Intervention]:
        """The interventions whose streak has not ended by now, with its duration so far."""
        return [_with_duration(streak) for streak in self._streaks.values() if now - streak.last <= self._gap]


def _with_duration(streak: _Streak) -> Intervention:
    return replace(streak.newest, duration=streak.last - streak.start)


def _forget_oldest(memory: dict[_Key, _Value], capacity: int) -> None:
    while len(memory) > capacity:
        del memory[next(iter(memory))]
