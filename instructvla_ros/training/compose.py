# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From frames to batches: which frames, what is said about them, pixels, tokens, normalised numbers.

A batch is a pure function of seed and step, so that a training that goes on sees what it would have seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch

from instructvla_ros.model.instructvla import InstructVLA
from instructvla_ros.model.prompt import Prompt, Turn, action_request
from instructvla_ros.training.frames import Frame, Label
from instructvla_ros.training.language.commands import (
    Command,
    Intent,
    Speaker,
    obscured,
    roughened,
)
from instructvla_ros.training.language.facts import motion
from instructvla_ros.training.language.questions import Questioner
from instructvla_ros.training.language.words import COMMAND, LANGUAGE, TASKS
from instructvla_ros.training.objectives import NOWHERE, Batch
from instructvla_ros.training.packing import pack
from instructvla_ros.training.settings import StageSettings
from instructvla_ros.training.sights import Sights, place_of

_OBSCURED = 0.2  # share of the commands with reasoning that mean nothing: what was said first must do
_STALE = 0.4  # share of the reasoning that tells of another moment: it is said once, and acted on for a while


@dataclass(frozen=True, eq=False)
class _Said:
    """A prompt with what belongs to it.

    Attributes:
        prompt: to be read.
        silent: whether its words are only read, not learned to say.
        meant: the thing that the words are about; None if it is about none, or several, or nobody could tell.
        absent: whether they are about a thing that is not there.
        aim: the thing that the hand is to go to now.
        label: what is to be done.
        task: its number, see ``Batch``.
    """

    prompt: Prompt
    silent: bool = False
    meant: int | None = None
    absent: bool = False
    aim: int | None = None
    label: Label | None = None
    task: int = NOWHERE


class Composer:
    """Makes batches for one stage.

    Args:
        model: whose prompts, sizes and statistics count.
        frames: to draw from.
        settings: of the stage.
        dataset: key of the statistics.
        seed: of everything that is drawn.
        acts: whether batches have actions.
        augment: whether colours of pictures vary.
        points: whether the action vision learns to point even in batches without actions.
    """

    def __init__(
        self,
        model: InstructVLA,
        frames: Sequence[Frame],
        settings: StageSettings,
        dataset: str,
        seed: int,
        acts: bool = True,
        augment: bool = True,
        points: bool = False,
    ) -> None:
        if not frames:
            raise ValueError("there are no frames to train on")
        self._prompts, self._sizes = model.prompts, model.sizes
        self._frames, self._settings, self._acts, self._seed = frames, settings, acts, seed
        self._full_handed = [frame for frame in frames if frame.facts is not None and frame.facts.held is not None]
        self._points = points
        self._sights = Sights(model, augment)
        self._state_size = model.state_size
        self._action = model.statistics.action(dataset, model.action_size)
        self._state = model.statistics.proprio(dataset, model.state_size) if model.uses_state else None

    def batch(self, step: int, rank: int = 0) -> Batch:
        """The batch of a step, for one of several processes."""
        random = Random(hash((self._seed, step, rank)))
        return self.compose([self._drawn(random) for _ in range(self._settings.pictures)], random)

    def _drawn(self, random: Random) -> Frame:
        is_full = self._full_handed and random.random() < self._settings.carrying
        return random.choice(self._full_handed if is_full else self._frames)

    def compose(self, frames: Sequence[Frame], random: Random) -> Batch:
        """A batch of these frames."""
        said = [self._say(frame, random) for frame in frames]
        flat = [one for row in said for one in row]
        owners = [frame for frame, row in zip(frames, said, strict=True) for _ in row]
        prompts = [[one.prompt for one in row] for row in said]
        packed = pack(prompts, self._sizes.num_image_tokens, [one.silent for one in flat])
        images = [self._sights.images(frame, random) for frame in frames]
        acted = [index for index, one in enumerate(flat) if one.label is not None]
        return Batch(
            pixels=self._sights.pixels(images),
            views=self._sights.views(images) if acted else None,
            prompts=packed,
            acted=torch.tensor(acted, dtype=torch.long),
            states=self._states([owners[index] for index in acted]),
            actions=self._actions([flat[index].label for index in acted]),
            meant_cell=torch.tensor(
                [
                    self._sizes.num_image_tokens if one.absent else self._sights.language_cell(frame, one.meant)
                    for frame, one in zip(owners, flat, strict=True)
                ]
            ),
            language_cell=torch.tensor(
                [self._sights.language_cell(frame, one.aim) for frame, one in zip(owners, flat, strict=True)]
            ),
            vision_cell=torch.tensor(
                [self._sights.vision_cell(owners[i], flat[i].aim, images[0][0]) for i in acted], dtype=torch.long
            ),
            task=torch.tensor([flat[index].task for index in acted], dtype=torch.long),
            seen=self._sights.seen(frames),
            place=torch.tensor([place_of(owners[i], flat[i].aim) for i in acted], dtype=torch.float32).reshape(-1, 3),
        )

    def metres(self, actions: torch.Tensor) -> torch.Tensor:
        """Translations ``(..., H, 3)`` in the dataset's units of normalised actions ``(..., H, 7)``."""
        low, high = torch.tensor(self._action.low[:3]), torch.tensor(self._action.high[:3])
        return 0.5 * (actions[..., :3].cpu().double() + 1.0) * (high - low) + low

    def _say(self, frame: Frame, random: Random) -> list[_Said]:
        settings = self._settings
        commands, questions = settings.commands, settings.questions
        if not frame.labels or random.random() < settings.question_pictures:
            commands, questions = 0, settings.commands + settings.questions
        said = [self._command(frame, label, random) for label in self._chosen(frame, commands, random)]
        for _ in range(questions):
            exchange = self._exchange(frame, random)
            if exchange is not None:
                said.append(exchange)
        return said or [self._command(frame, frame.labels[0], random)]

    def _chosen(self, frame: Frame, count: int, random: Random) -> list[Label]:
        held = frame.facts.held if frame.facts is not None else None
        return _choose_labels(frame.labels, count, random, self._acts, held)

    def _command(self, frame: Frame, label: Label, random: Random) -> _Said:
        settings, intent = self._settings, label.intent
        if frame.facts is None or intent is None:
            reasoning = (label.reasoning or f"{motion(label.chunk, frame.opening)}.") if self._reasons(random) else None
            return _Said(self._action_prompt(label.instruction.lower(), reasoning), label=self._acting(label))
        if random.random() < settings.explained:
            return self._explained(frame, label, random)
        speaker = Speaker(random)
        if random.random() < settings.absent:
            command = speaker.absent(frame.facts, intent.task, hard=True)
            label = Label(_rest(label.chunk, frame.opening))
        else:
            command = speaker.any(frame.facts, intent, settings.situated, settings.plain)
        words, silent = self._reasoning(frame, command, label, random)
        text = roughened(command.text, random) if random.random() < settings.rough else command.text
        hidden = words is not None and self._acts and random.random() < _OBSCURED
        if hidden:
            text, silent = obscured(text, random), True
        return _Said(
            # what the model says ends with the space before its queries, and is followed by another when it is acted on
            prompt=self._action_prompt(text, f"{words} " if silent else words),
            silent=silent,
            meant=None if hidden else command.intent.target,
            absent=command.intent.target is None and not hidden,
            aim=_aim(command.intent, frame.facts.held),
            label=self._acting(label),
            task=TASKS.index(command.intent.task) if command.intent.target is not None else len(TASKS),
        )

    def _explained(self, frame: Frame, label: Label, random: Random) -> _Said:
        """A command in words that are never acted on in training: what is learned is to say what it means."""
        facts, intent = frame.facts, label.intent
        assert facts is not None and intent is not None
        scholar, settings = Speaker(random, LANGUAGE, COMMAND), self._settings
        known_from = random.choice((COMMAND, LANGUAGE))
        if random.random() < settings.absent:
            command = scholar.absent(facts, intent.task, True, known_from)
            label = Label(_rest(label.chunk, frame.opening))
        else:
            command = scholar.any(facts, intent, settings.situated, 0.0, known_from)
        text = roughened(command.text, random) if random.random() < settings.rough else command.text
        words = command.reasoning(facts, motion(label.chunk, frame.opening))
        return _Said(
            self._action_prompt(text, words),
            meant=command.intent.target,
            absent=command.intent.target is None,
            aim=_aim(command.intent, facts.held),
        )

    def _reasons(self, random: Random) -> bool:
        return random.random() < self._settings.reasoning

    def _reasoning(self, frame: Frame, command: Command, label: Label, random: Random) -> tuple[str | None, bool]:
        """Words before the latent actions, and whether they are only read, not learned to say."""
        if not self._reasons(random):
            return None, False
        assert frame.facts is not None
        stale = self._acts and command.intent.target is not None and random.random() < _STALE
        of = random.choice(frame.labels) if stale else label
        return command.reasoning(frame.facts, motion(of.chunk, frame.opening)), stale

    def _exchange(self, frame: Frame, random: Random) -> _Said | None:
        if frame.exchanges:
            return _Said(self._prompts.conversation([Turn(*random.choice(frame.exchanges))]))
        if frame.facts is None:
            return None
        exchange = Questioner(random).any(frame.facts)
        prompt = self._prompts.conversation([Turn(exchange.question, exchange.answer)])
        return _Said(prompt, meant=exchange.target, absent=exchange.absent)

    def _action_prompt(self, instruction: str, reasoning: str | None) -> Prompt:
        turn = Turn(action_request(instruction, reasoning is not None), reasoning, queries=True)
        return self._prompts.conversation([turn])

    def _acting(self, label: Label) -> Label | None:
        return label if self._acts or self._points else None

    def _states(self, frames: Sequence[Frame]) -> torch.Tensor | None:
        if self._state is None:
            return None
        values = [self._state.normalize(frame.state.astype(np.float64)) for frame in frames]
        states = torch.tensor(np.array(values), dtype=torch.float32).reshape(len(values), self._state_size)
        return states.to(torch.bfloat16).to(torch.float32)

    def _actions(self, labels: Sequence[Label | None]) -> torch.Tensor:
        action = self._action
        chunks = np.array([label.chunk for label in labels if label is not None], dtype=np.float64)
        if not len(chunks):
            expert = self._sizes.action_expert
            return torch.zeros(0, expert.chunk_length, expert.action_size)
        return torch.tensor(np.where(action.mask, action.normalize(chunks), chunks), dtype=torch.float32)


def _choose_labels(
    labels: Sequence[Label], count: int, random: Random, with_shown: bool, held: int | None = None
) -> list[Label]:
    """Labels of a frame, about different things as far as there are such.

    With the demonstrated one alone, or with the demonstrated thing in most of them, a model learns where the hand goes
    and not what was said: each thing's turn comes equally often. So it is with where the hand carries what it holds:
    another place than the demonstrated one comes next.

    Args:
        labels: of the frame, the demonstrated one first.
        count: how many to choose.
        random: source of chance.
        with_shown: whether the demonstrated one is always among them.
        held: the thing in the hand.
    """
    if not count:
        return []
    chosen = [labels[0]] if with_shown else []
    left = list(labels[1:] if with_shown else labels)
    random.shuffle(left)
    if with_shown and count > 1:
        shown = labels[0].intent
        elsewhere = next((label for label in left if _puts(label, held) and label.intent != shown), None)
        if elsewhere is not None:
            chosen.append(elsewhere)
            left.remove(elsewhere)
    while left and len(chosen) < count:
        used = {_thing(label) for label in chosen}
        things = sorted({_thing(label) for label in left} - used) or sorted({_thing(label) for label in left})
        thing = random.choice(things)
        chosen.append(left.pop(next(index for index, label in enumerate(left) if _thing(label) == thing)))
    return chosen + [random.choice(labels) for _ in range(count - len(chosen))]


def _aim(intent: Intent, held: int | None) -> int | None:
    """Where the hand is to go now: to the thing that is meant and, with that in the hand, to what it is put next to.

    One thing at a time: with two pointed at all the while, nothing led from the second to the chunk.
    """
    return intent.other if intent.other is not None and intent.target == held else intent.target


def _thing(label: Label) -> int:
    target = label.intent.target if label.intent is not None else None
    return NOWHERE if target is None else target


def _puts(label: Label, held: int | None) -> bool:
    """Whether it says where to put what is held."""
    intent = label.intent
    return intent is not None and intent.other is not None and intent.target == held


def _rest(chunk: np.ndarray, opening: float | None) -> np.ndarray:
    rest = np.zeros_like(chunk)
    rest[:, -1] = 1.0 if opening is None or opening > 0.8 else 0.0
    return rest
