#!/usr/bin/env python3
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An animation of a real run: the front camera, the instruction, the model's words as they come, what came of it.

    python tools/record_animation.py --checkpoint models/tabletop --instruction "pick up the red cube" \
        --instruction "something the colour of the sky, please" --out docs/pictures/demo.webp

Each instruction is followed in the same scene, laid anew, by the policy's own code through the safety filter, at the
simulator's time. The model sees what the simulated camera publishes; the film is drawn larger, with shadows. The name
of the file decides between WebP and GIF. `--expert` lets the scripted expert act instead; the film says so.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from instructvla_ros.demo_outcome import Outcome  # noqa: E402
from instructvla_ros.parameters import DEMO_SCENE  # noqa: E402
from instructvla_ros.robot.action_chunk import ActionChunk  # noqa: E402
from instructvla_ros.sim.episode import Episode  # noqa: E402
from instructvla_ros.sim.execution import TICK, FilteredExecution, arm_chain  # noqa: E402
from instructvla_ros.sim.expert import CONTROL_PERIOD, expert_action  # noqa: E402
from instructvla_ros.sim.task_sampling import numbered_scene  # noqa: E402
from instructvla_ros.sim.tasks import Task  # noqa: E402

SEEN = (480, 480)  # [px] what the model sees: as the simulated camera publishes
FRAME_PERIOD = 0.1  # [s]
AFTERWARDS = 1.2  # [s] that are shown after the task is done
LARGEST_FILE = 5_000_000  # bytes
INK, PAPER, GREY, ACCENT, GOOD, RED = "#f2f2f2", "#16181d", "#9aa3b2", "#7fc8ff", "#86d993", "#b02020"


class Film:
    """Frames with their durations.

    Attributes:
        instruction: shown in the first line.
        words: of the model.
        state: shown in the last line.
        good: whether the state is shown as a success.

    Args:
        width: of the picture [px]; its height is three quarters of it, and the text stands below.
        actor: who acts, where it is not the model.
    """

    def __init__(self, width: int, actor: str = "") -> None:
        self.instruction = self.words = self.state = ""
        self.good = False
        self._size = (width, width * 3 // 4)
        self._actor = actor
        letter = width / 28
        self._large, self._small = ImageFont.load_default(round(letter)), ImageFont.load_default(round(0.8 * letter))
        self._line = round(1.35 * letter)
        self._frames: list[Image.Image] = []
        self._durations: list[float] = []
        self._picture = Image.new("RGB", self._size)

    def look(self, episode: Episode) -> None:
        """Take the picture for the coming frames, drawn twice as large and made smaller: that smooths the edges."""
        width, height = self._size
        large = episode.table_top.render("front", 2 * width, 2 * height, shadows=True)
        self._picture = Image.fromarray(large).resize(self._size, Image.Resampling.LANCZOS)

    def add(self, duration: float) -> None:
        """Add a frame of what is set now.

        Args:
            duration: how long it is shown [s].
        """
        width, height = self._size
        frame = Image.new("RGB", (width, height + round(5.2 * self._line)), PAPER)
        frame.paste(self._picture)
        draw = ImageDraw.Draw(frame)
        left, top = self._line // 2, height + self._line // 3
        draw.text((left, top), f"> {self.instruction}", INK, self._large)
        for index, line in enumerate(self._wrapped(self.words, width - 2 * left)[-2:]):
            draw.text((left, top + round((1.3 + index) * self._line)), line, ACCENT, self._small)
        draw.text((left, top + round(3.6 * self._line)), self.state, GOOD if self.good else GREY, self._small)
        if self._actor:
            x, y, right, bottom = draw.textbbox((left, left), self._actor, self._small)
            around = left // 2
            draw.rectangle((x - around, y - around, right + around, bottom + around), RED)
            draw.text((left, left), self._actor, INK, self._small)
        self._frames.append(frame)
        self._durations.append(duration)

    def save(self, file: Path) -> int:
        """Write the film, played again and again.

        Returns:
            How many bytes it has.

        Raises:
            ValueError: the name ends in neither .webp nor .gif.
        """
        first, *others = self._frames
        durations = [round(1000 * duration) for duration in self._durations]
        common = {"save_all": True, "append_images": others, "duration": durations, "loop": 0}
        if file.suffix == ".webp":
            first.save(file, quality=80, method=6, minimize_size=False, **common)
        elif file.suffix == ".gif":
            first.save(file, optimize=True, **common)
        else:
            raise ValueError(f"{file} must end in .webp or .gif")
        return file.stat().st_size

    def _wrapped(self, text: str, width: int) -> list[str]:
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and self._small.getlength(longer) > width:
                lines.append(word)
            else:
                lines[-1] = longer
        return lines


class FilmedExecution(FilteredExecution):
    """The safety filter, with a look at the table while time passes.

    Attributes:
        on_frame: called every ``FRAME_PERIOD`` of the simulator's time.
    """

    on_frame: Callable[[], None] = staticmethod(lambda: None)
    _ticks = 0

    def tick(self, chunks: tuple[ActionChunk, ...]) -> None:
        """Lets one tick pass; see the base class."""
        super().tick(chunks)
        self._ticks += 1
        if self._ticks % round(FRAME_PERIOD / TICK) == 0:
            self.on_frame()


def record(film: Film, episode: Episode, instruction: str, scene: int, seconds: float, policy: object) -> str:
    """Film one instruction.

    Args:
        film: gets the frames.
        episode: through a :class:`FilmedExecution`.
        instruction: what to do.
        scene: seed of the scene.
        seconds: how long the run takes at most [s].
        policy: the model's policy; None for the scripted expert.

    Returns:
        What came of it.
    """
    drawn = numbered_scene(scene)
    outcome = Outcome(instruction, drawn.things)
    execution = episode.execution
    assert isinstance(execution, FilmedExecution)
    execution.on_frame = lambda: None
    episode.reset(0, drawn=(drawn, outcome.task or Task("reach", next(iter(drawn.things)))))
    film.instruction, film.words, film.state, film.good = instruction, "", "safety filter: waiting", False
    film.look(episode)
    film.add(1.0)
    outcome.see(episode.state())

    def on_frame() -> None:
        outcome.see(episode.state())
        done = outcome.done_after is not None
        state = f"{episode.state().time:4.1f} s   safety filter: {execution.state.name.lower()}"
        film.state, film.good = f"{state}   {outcome.sentence() if done else ''}", done
        film.look(episode)
        film.add(FRAME_PERIOD)

    if policy is None:
        act: Callable[[], object] = _expert(episode, outcome)
    else:
        from instructvla_ros.training.closed_loop import ClosedLoop

        loop = ClosedLoop(policy, episode, instruction)  # type: ignore[arg-type]
        _speak(film, loop)
        act = loop.step
    execution.on_frame = on_frame
    end = seconds
    while episode.state().time < end:
        act()
        if outcome.done_after is not None:
            end = min(seconds, outcome.done_after + AFTERWARDS)
    if outcome.done_after is None:
        film.state = outcome.sentence()
    film.add(1.5)
    return outcome.sentence()


def _speak(film: Film, loop: object) -> None:
    """Frames of the growing words, each shown for as long as the model took to the next."""
    last = time.perf_counter()

    def on_text(text: str) -> None:
        nonlocal last
        now = time.perf_counter()
        film.words = text
        film.add(min(max(now - last, 0.04), 0.2))
        last = now

    film.state = "the model thinks before it acts"
    words = loop.reason(on_text)  # type: ignore[attr-defined]
    film.words = words or "(no words)"
    film.add(0.8)


def _expert(episode: Episode, outcome: Outcome) -> Callable[[], object]:
    if outcome.task is None:
        raise ValueError(f'"{outcome.instruction}" is not in plain words, which is all that the scripted expert knows')

    def act() -> object:
        action = expert_action(episode.task, episode.state(), episode.things)
        return episode.step(np.tile(action, (2, 1)), 1)

    return act


def main(argv: Sequence[str] | None = None) -> int:
    """Record from the command line."""
    parser = argparse.ArgumentParser(description="An animation of a real run on the simulated table.")
    shipped = REPOSITORY / "models" / "tabletop"
    parser.add_argument("--checkpoint", type=Path, default=shipped, help="run folder (default: models/tabletop)")
    parser.add_argument("--expert", action="store_true", help="the scripted expert acts, and the film says so")
    parser.add_argument("--instruction", action="append", help="may be given several times")
    parser.add_argument("--scene", type=int, default=DEMO_SCENE, help="seed of what lies on the table")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run at most (default: 10)")
    parser.add_argument("--width", type=int, default=520, help="of the animation [px] (default: 520)")
    parser.add_argument("--seed", type=int, default=0, help="of the action flow's noise")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of the model (default: 1)")
    parser.add_argument("--out", type=Path, required=True, help="file to write, .webp or .gif")
    arguments = parser.parse_args(argv)
    if arguments.out.suffix not in (".webp", ".gif"):
        parser.error(f"--out {arguments.out} must end in .webp or .gif")
    if not 160 <= arguments.width <= 640:
        parser.error(f"--width {arguments.width}: 160 to 640 is needed")
    if arguments.seconds < CONTROL_PERIOD:
        parser.error(f"--seconds {arguments.seconds}: {CONTROL_PERIOD} or more is needed")
    policy = None
    if not arguments.expert:
        import torch

        from instructvla_ros.model import InstructVLA
        from instructvla_ros.policy.policy import Policy
        from instructvla_ros.policy.profile import RobotProfile

        torch.set_num_threads(arguments.threads)
        try:
            model = InstructVLA.from_pretrained(arguments.checkpoint)
            policy = Policy(model, RobotProfile.load("sim"), arm_chain(), seed=arguments.seed)
        except (ValueError, OSError, RuntimeError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    film = Film(arguments.width, "scripted expert, not the model" if arguments.expert else "")
    episode = Episode(execution=FilmedExecution(), picture=SEEN, pictures=policy is not None)
    try:
        for instruction in arguments.instruction or ["pick up the red cube"]:
            print(f'"{instruction}": ', end="", flush=True)
            print(record(film, episode, instruction, arguments.scene, arguments.seconds, policy))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        episode.close()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    size = film.save(arguments.out)
    print(f"{arguments.out}: {size / 1e6:.2f} MB")
    if size > LARGEST_FILE:
        print(f"that is more than {LARGEST_FILE / 1e6:g} MB: give a smaller --width or fewer seconds", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
