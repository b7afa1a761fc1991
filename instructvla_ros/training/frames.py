# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What training learns from: one instant of a demonstration with everything that could be said and done there."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from instructvla_ros.training.language.commands import Intent
from instructvla_ros.training.language.facts import Facts, Thing


@dataclass(frozen=True, eq=False)
class Label:
    """One thing to do at an instant, and how.

    Attributes:
        chunk: ``(H, 7)`` float32 actions in the dataset's units, gripper 1 open to 0 closed.
        intent: what is done, where the truth is known: words are made in training.
        instruction: what a person said, where they are given.
        reasoning: what the model should say first; empty for nothing.
    """

    chunk: np.ndarray  # (H, 7)
    intent: Intent | None = None
    instruction: str = ""
    reasoning: str = ""


@dataclass(frozen=True, eq=False)
class Frame:
    """One instant.

    Attributes:
        pictures: one encoded picture (JPEG or PNG) a view, the third-person view first.
        state: ``(n,)`` float32 robot state in the convention of the robot's profile.
        opening: of the gripper, 0 closed to 1 open; None where it is not known.
        labels: what could be done; none for a picture that is only spoken about.
        facts: what is on the table; None where nobody knows.
        spots: ``(things, 2)`` float32 where in the first picture each thing is: share of the width, of the height.
        exchanges: questions and answers of people about the picture.
    """

    pictures: tuple[bytes, ...]
    state: np.ndarray  # (n,)
    opening: float | None
    labels: tuple[Label, ...]
    facts: Facts | None = None
    spots: np.ndarray | None = None  # (things, 2)
    exchanges: tuple[tuple[str, str], ...] = ()

    def images(self) -> list[np.ndarray]:
        """The pictures, ``(H, W, 3)`` uint8 RGB each."""
        return [np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")) for picture in self.pictures]


def encode_picture(image: np.ndarray, quality: int = 95) -> bytes:
    """A picture ``(H, W, 3)`` uint8 as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def facts_to_json(facts: Facts, spots: np.ndarray) -> dict[str, Any]:
    """What is on the table, as a dataset stores it."""
    things = [
        {"color": thing.color, "shape": thing.shape, "position": list(thing.position), "spot": spot.tolist()}
        for thing, spot in zip(facts.things, np.round(spots.astype(float), 4), strict=True)
    ]
    return {"things": things, "held": facts.held}


def facts_from_json(content: dict[str, Any]) -> tuple[Facts, np.ndarray]:
    """The opposite of ``facts_to_json``: facts and spots ``(things, 2)``."""
    things = [Thing(t["color"], t["shape"], tuple(t["position"])) for t in content["things"]]
    spots = np.array([t["spot"] for t in content["things"]], dtype=np.float32).reshape(-1, 2)
    return Facts(tuple(things), content["held"]), spots


def label_to_json(label: Label) -> dict[str, Any]:
    """A label as a dataset stores it."""
    content: dict[str, Any] = {"chunk": np.round(label.chunk.astype(float), 5).tolist()}
    if label.intent is not None:
        content |= {"task": label.intent.task, "target": label.intent.target, "other": label.intent.other}
    else:
        content |= {"instruction": label.instruction, "reasoning": label.reasoning}
    return content


def label_from_json(content: dict[str, Any]) -> Label:
    """The opposite of ``label_to_json``."""
    chunk = np.array(content["chunk"], dtype=np.float32)
    if "task" in content:
        return Label(chunk, Intent(content["task"], content["target"], content["other"]))
    return Label(chunk, instruction=content["instruction"], reasoning=content.get("reasoning", ""))


def statistics_of(frames: Sequence[Frame], least_span: float = 0.02) -> dict[str, Any]:
    """1st and 99th percentiles of actions and states, as `dataset_statistics.json` holds them for one dataset.

    Args:
        frames: the training frames.
        least_span: numbers that vary less than this are constants with noise on them, and become 0.

    Raises:
        ValueError: if there is not a single action.
    """
    chunks = [label.chunk for frame in frames for label in frame.labels]
    if not chunks:
        raise ValueError("no frame of the dataset has an action: there is nothing to take statistics of")
    actions = np.concatenate(chunks)  # (N, 7)
    states = np.stack([frame.state for frame in frames])  # (N, n)

    def percentiles(values: np.ndarray) -> dict[str, list[float]]:
        low, high = np.percentile(values.astype(np.float64), (1, 99), axis=0)
        steady = high - low < least_span
        middle = 0.5 * (low + high)
        low, high = np.where(steady, middle, low), np.where(steady, middle, high)
        return {"q01": np.round(low, 6).tolist(), "q99": np.round(high, 6).tolist()}

    mask = [True] * (actions.shape[1] - 1) + [False]  # the gripper is 0 to 1 already
    return {
        "action": {**percentiles(actions), "mask": mask},
        "proprio": percentiles(states),
        "num_transitions": len(frames),
    }
