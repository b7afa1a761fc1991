# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A scene and a task that there is room for, decided by a seed."""

import numpy as np

from instructvla_ros.sim.randomisation import Scene, random_scene
from instructvla_ros.sim.splits import SPLITS, TRAIN, Split
from instructvla_ros.sim.tasks import VERBS, Task, feasible_tasks

# Each try succeeds with a chance of a half or more; so many failures would be a fault of the rules.
_TRIES = 200


def numbered_scene(seed: int) -> Scene:
    """The scene of a seed, whatever will be done in it: the first that :func:`sample_task` looks at.

    Args:
        seed: any, 0 or more; one of a split's own gives a scene of that split, any other one as of training.
    """
    split = next((split for split in SPLITS.values() if seed in split.seeds), TRAIN)
    return random_scene(np.random.default_rng([seed, 0]), split.pairs)


def sample_task(
    seed: int, split: Split, verb: str | None = None, absent: bool = False, vary_looks: bool = True
) -> tuple[Scene, Task]:
    """Draws a scene and a task in it.

    The scene of a seed is the same for all verbs that there is room for.

    Args:
        seed: decides everything; one of the split's own.
        split: says which colour-shape pairs may lie on the table, and which the task may be about.
        verb: one of :data:`~instructvla_ros.sim.tasks.VERBS`; drawn if None.
        absent: whether the task speaks of a target that is not on the table, so that the arm should rest.
        vary_looks: whether sizes, shades, light, surroundings and cameras are drawn too.

    Raises:
        ValueError: the seed belongs to another split, or the verb is not known.
    """
    if seed not in split.seeds:
        raise ValueError(f"seed {seed} is none of split {split.name!r}: {split.seeds.start} to {split.seeds.stop - 1}")
    for attempt in range(_TRIES):
        generator = np.random.default_rng([seed, attempt])
        scene = random_scene(generator, split.pairs, vary_looks=vary_looks)
        choice = verb if verb is not None else list(VERBS)[int(generator.integers(len(VERBS)))]
        targets = {f"{color} {shape}" for color, shape in split.target_pairs}
        if absent:
            missing = sorted(targets - set(scene.things))
            target = missing[int(generator.integers(len(missing)))]
            return scene, absent_task(generator, scene, choice, target)
        tasks = [task for task in feasible_tasks(scene, choice) if task.target in targets]
        if tasks:
            return scene, tasks[int(generator.integers(len(tasks)))]
    raise RuntimeError(f"no scene of seed {seed} in split {split.name!r} has room for {verb or 'any verb'}")


def absent_task(generator: np.random.Generator, scene: Scene, verb: str, target: str) -> Task:
    """A task about something that is not on the table.

    Args:
        generator: source of chance, for the reference.
        scene: what is on the table.
        verb: one of :data:`~instructvla_ros.sim.tasks.VERBS`.
        target: name of what is not.

    Raises:
        ValueError: the target is on the table.
    """
    if target in scene.things:
        raise ValueError(f"the {target} lies on the table")
    names = sorted(scene.things)
    reference = names[int(generator.integers(len(names)))] if VERBS[verb].needs_reference else None
    return Task(verb, target, reference)
