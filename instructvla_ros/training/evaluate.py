# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Closed-loop evaluation on the simulated table: what share of tasks a model does, said in which words.

The loop runs the same policy code as the node: profile, proprioception, ensembling, gripper rule. Scenes come from
splits that training never sees, phrases from words of the ``language`` tier. All is decided by seeds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from instructvla_ros.model import InstructVLA
from instructvla_ros.policy.policy import Policy
from instructvla_ros.policy.profile import FirstStepsExecution, RobotProfile
from instructvla_ros.sim.episode import Episode
from instructvla_ros.sim.execution import Execution, arm_chain
from instructvla_ros.sim.expert import expert_action
from instructvla_ros.sim.expert_chunk import expert_chunk
from instructvla_ros.sim.splits import HELD_OUT_LAYOUTS, Split
from instructvla_ros.sim.tasks import VERBS, TableState, Task
from instructvla_ros.training.closed_loop import ClosedLoop
from instructvla_ros.training.language.commands import ABSENT, AGGREGATION, ATOMIC, SITUATED, Command, Intent, Speaker
from instructvla_ros.training.language.facts import MOTION_STEPS, Facts, Thing, motion, named_things, tells_way
from instructvla_ros.training.language.questions import Questioner
from instructvla_ros.training.language.words import COMMAND, LANGUAGE

CELLS = (ATOMIC, AGGREGATION, SITUATED, ABSENT)
_TRIES = 40  # scenes looked at for one in which the phrase is possible
_PICTURE = (480, 480)  # [px] as the simulated camera publishes


@dataclass(frozen=True)
class Attempt:
    """What came of one episode.

    Attributes:
        cell: kind of phrase.
        verb: of the task.
        text: the instruction.
        reasoning: what the model said first; empty for nothing.
        success: whether the task was done in time.
        right_object: whether the gripper ended nearest to the thing that was meant; None where nothing was.
        right_words: whether the reasoning named the right thing; None without reasoning.
        right_place: whether it told the right place; None without.
        right_motion: whether it told the coming motion word for word as the expert would; None without.
        right_way: whether the directions that it told are those of the expert's way (``tells_way``); None without.
        path: length of the gripper's way [m].
        expert_path: length of the scripted expert's way in the same scene [m]; None where it was not asked.
        act_times: of each inference [s].
    """

    cell: str
    verb: str
    text: str
    reasoning: str
    success: bool
    right_object: bool | None
    right_words: bool | None
    right_place: bool | None
    right_motion: bool | None
    right_way: bool | None
    path: float
    expert_path: float | None
    act_times: tuple[float, ...]


def facts_of(episode: Episode, state: TableState) -> Facts:
    """What lies on an episode's table."""
    things = []
    for name, thing in episode.things.items():
        x, y, z = state.objects[name][:3, 3].tolist()
        things.append(Thing(thing.color, thing.shape, (x, y, z)))
    return Facts(tuple(things))


def command_for(cell: str, facts: Facts, task: Task, random: Random) -> Command | None:
    """The instruction of an episode.

    Args:
        cell: kind of phrase.
        facts: what is on the table.
        task: what is to be done.
        random: source of chance.

    Returns:
        None if the task cannot be said so in this scene.
    """
    names = [thing.name for thing in facts.things]
    if cell == ABSENT:
        return Speaker(random, random.choice((COMMAND, LANGUAGE))).absent(facts, task.verb)
    other = None if task.reference is None else names.index(task.reference)
    intent = Intent(task.verb, names.index(task.target), other)
    if cell == ATOMIC:
        return Speaker(random).atomic(facts, intent)
    scholar = Speaker(random, LANGUAGE)
    return scholar.aggregation(facts, intent) if cell == AGGREGATION else scholar.situated(facts, intent, LANGUAGE)


class Evaluator:
    """Runs episodes with one model.

    Args:
        model: the network.
        profile: of the simulated robot.
        reasons: whether the model speaks before it acts.
        split: where the scenes come from.
        execution: how actions become motion; directly if None, through the safety filter with ``FilteredExecution``.
        picture: width and height of the camera's frames [px].
    """

    def __init__(
        self,
        model: InstructVLA,
        profile: RobotProfile,
        reasons: bool,
        split: Split = HELD_OUT_LAYOUTS,
        execution: Execution | None = None,
        picture: tuple[int, int] = _PICTURE,
    ) -> None:
        self._policy = Policy(model, profile, arm_chain(), seed=0)
        self._profile, self._reasons, self._split = profile, reasons, split
        self._episode = Episode(split, execution, picture=picture)

    def attempt(self, cell: str, verb: str, index: int, with_expert: bool = False) -> Attempt:
        """One episode.

        Args:
            cell: kind of phrase.
            verb: of the task.
            index: number of the episode; decides scene and words.
            with_expert: whether the scripted expert shows the length of its way too.

        Raises:
            RuntimeError: if no scene nearby lets the task be said so.
        """
        for shift in range(_TRIES):
            seed = self._split.seed((index * _TRIES + shift) * len(VERBS) + list(VERBS).index(verb))
            episode = self._episode
            episode.reset(seed, verb)
            facts = facts_of(episode, episode.state())
            command = command_for(cell, facts, episode.task, Random(seed))
            if command is not None:
                break
        else:
            raise RuntimeError(f"no scene for {cell} {verb}, number {index}")
        if cell == ABSENT:
            reference = episode.task.reference
            episode.set_task(Task(verb, command.absent, reference))
        expert_path = self._expert_path(seed, verb) if with_expert and cell != ABSENT else None
        self._policy.reseed(seed)
        return self._follow(cell, verb, command, facts, expert_path)

    def close(self) -> None:
        """Free the simulator's drawing context."""
        self._episode.close()

    def _follow(self, cell: str, verb: str, command: Command, facts: Facts, expert_path: float | None) -> Attempt:
        episode = self._episode
        loop = ClosedLoop(self._policy, episode, command.text)
        start = episode.state()
        reasoned = self._reasons
        words = loop.reason() if reasoned else ""
        path, before = 0.0, start.gripper[:3, 3]
        while True:
            progress = loop.step()
            now = episode.state()
            path += float(np.linalg.norm(now.gripper[:3, 3] - before))
            before = now.gripper[:3, 3]
            if progress.over:
                break
        target = command.intent.target
        thing = None if target is None else facts.things[target]
        judged = thing if reasoned else None
        coming = expert_chunk(episode.task, start, episode.things, MOTION_STEPS)
        return Attempt(
            cell=cell,
            verb=verb,
            text=command.text,
            reasoning=words,
            success=progress.success,
            right_object=None if thing is None else _nearest(now) == thing.name,
            right_words=_right_words(words, command, facts) if reasoned else None,
            right_place=None if judged is None else f"it is {judged.place}." in words,
            right_motion=None if judged is None else words.endswith(f". {motion(coming, start.opening)}."),
            right_way=None if judged is None else tells_way(words.removesuffix(".").rpartition(".")[2], coming),
            path=path,
            expert_path=expert_path,
            act_times=tuple(loop.act_times),
        )

    def _expert_path(self, seed: int, verb: str) -> float:
        episode = self._episode
        path, before = 0.0, episode.state().gripper[:3, 3]
        while True:
            progress = episode.step(expert_action(episode.task, episode.state(), episode.things))
            now = episode.state().gripper[:3, 3]
            path += float(np.linalg.norm(now - before))
            before = now
            if progress.over:
                break
        episode.reset(seed, verb)
        return path


@dataclass(frozen=True)
class LanguageScores:
    """How a model answers.

    Attributes:
        answers: share of the questions whose answer is word for word right.
        captions: mean F1 of the things that captions name.
        count: of the questions.
    """

    answers: float
    captions: float
    count: int


def score_language(
    model: InstructVLA, split: Split, count: int, on_each: Callable[[], None] = lambda: None
) -> LanguageScores:
    """Ask questions about scenes that training never saw.

    Args:
        model: the network.
        split: where the scenes come from.
        count: of the questions; one scene for every four, and a caption of each scene.
        on_each: called after each.
    """
    right, scores = 0, []
    episode = Episode(split, picture=_PICTURE)
    questioner, seen, facts = Questioner(Random(0)), None, Facts(())
    for index in range(count):
        if index % 4 == 0:
            episode.reset(split.seed(len(split.seeds) - 1 - index // 4))
            facts, seen = facts_of(episode, episode.state()), episode.observe().front
            assert seen is not None
            said = named_things(model.ask([seen], questioner.caption(facts).question).words)
            scores.append(_f1(said, {thing.name for thing in facts.things}))
        exchange = questioner.question(facts) if index % 2 else questioner.any(facts)
        right += model.ask([seen], exchange.question).words == exchange.answer  # type: ignore[list-item]
        on_each()
    episode.close()
    return LanguageScores(right / count, float(np.mean(scores)), count)


def executing(profile: RobotProfile, steps: int | None) -> RobotProfile:
    """The profile, with the first steps of each chunk executed instead of what it says; None leaves it as it is."""
    return profile if steps is None else replace(profile, execution=FirstStepsExecution(steps))


def share(attempts: Sequence[Attempt], what: str) -> float | None:
    """Which share of the attempts had something; None if none could."""
    values = [getattr(attempt, what) for attempt in attempts]
    known = [bool(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None


def interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson)."""
    if count == 0:
        return 0.0, 1.0
    z, p = 1.96, hits / count
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z * ((p * (1 - p) + z * z / (4 * count)) / count) ** 0.5 / (1 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def _nearest(state: TableState) -> str:
    hand = state.gripper[:3, 3]
    return min(state.objects, key=lambda name: float(np.linalg.norm(state.objects[name][:2, 3] - hand[:2])))


def _right_words(words: str, command: Command, facts: Facts) -> bool:
    target = command.intent.target
    if target is None:
        return words.startswith("there is no")
    return f"{command.deed(facts)}." in words


def _f1(said: set[str], true: set[str]) -> float:
    hits = len(said & true)
    return 2 * hits / (len(said) + len(true)) if said or true else 1.0
