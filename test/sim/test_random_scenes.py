# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scenes are decided by their seed, differ as promised, and keep what is held out from training."""

import colorsys
from types import MappingProxyType

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructvla_ros.sim.looks import STANDARD_LOOKS, CameraShift, SceneLooks
from instructvla_ros.sim.randomisation import FEWEST_OBJECTS, MOST_OBJECTS, random_scene, random_shade
from instructvla_ros.sim.scene import COLORS, LEAST_DISTANCE, SHAPES, TableObject, build_model
from instructvla_ros.sim.splits import (
    HELD_OUT_LAYOUTS,
    HELD_OUT_OBJECTS,
    HELD_OUT_PAIRS,
    PAIRS,
    SPLITS,
    TRAIN,
    TRAINED_PAIRS,
    Split,
)
from instructvla_ros.sim.table_top import TableTop
from instructvla_ros.sim.task_sampling import sample_task
from instructvla_ros.sim.tasks import VERBS, Task, every_task, feasible_tasks

SEEDS = st.integers(0, len(HELD_OUT_LAYOUTS.seeds) - 1)
SPLIT_NAMES = st.sampled_from(sorted(SPLITS))
VERB_NAMES = st.sampled_from(sorted(VERBS))


@settings(max_examples=25, deadline=None)
@given(index=SEEDS, name=SPLIT_NAMES, verb=VERB_NAMES)
def test_a_seed_decides_scene_and_task(index: int, name: str, verb: str) -> None:
    split = SPLITS[name]
    scene, task = sample_task(split.seed(index), split, verb)
    again, same = sample_task(split.seed(index), split, verb)
    assert (scene.objects, scene.looks, task) == (again.objects, again.looks, same)
    np.testing.assert_array_equal(scene.layout, again.layout)


@settings(max_examples=60, deadline=None)
@given(index=SEEDS, name=SPLIT_NAMES, verb=VERB_NAMES)
def test_what_is_held_out_never_lies_on_a_training_table(index: int, name: str, verb: str) -> None:
    split = SPLITS[name]
    scene, task = sample_task(split.seed(index), split, verb)
    pairs = [(thing.color, thing.shape) for thing in scene.objects]
    target = scene.things[task.target]
    if split is HELD_OUT_OBJECTS:
        assert (target.color, target.shape) in HELD_OUT_PAIRS
    else:
        assert not set(pairs) & set(HELD_OUT_PAIRS)
    assert FEWEST_OBJECTS <= len(set(pairs)) == len(pairs) <= MOST_OBJECTS
    distances = np.linalg.norm(scene.layout[:, None, :2] - scene.layout[None, :, :2], axis=2)
    assert distances[~np.eye(len(pairs), dtype=bool)].min() >= LEAST_DISTANCE
    assert task in feasible_tasks(scene, verb)


def test_splits_share_no_seed_and_training_knows_every_word() -> None:
    splits = list(SPLITS.values())
    for index, split in enumerate(splits):
        for other in splits[index + 1 :]:
            assert split.seeds.stop <= other.seeds.start or other.seeds.stop <= split.seeds.start
    assert {color for color, _ in TRAINED_PAIRS} == set(COLORS)
    assert {shape for _, shape in TRAINED_PAIRS} == set(SHAPES)
    assert {color for color, _ in HELD_OUT_PAIRS} == set(COLORS)
    assert {shape for _, shape in HELD_OUT_PAIRS} == set(SHAPES)


def test_a_seed_of_another_split_is_refused() -> None:
    with pytest.raises(ValueError, match="seed 5 is none of split 'held_out_layouts'"):
        sample_task(5, HELD_OUT_LAYOUTS)
    with pytest.raises(ValueError, match="has scenes 0 to"):
        TRAIN.seed(len(TRAIN.seeds))
    with pytest.raises(ValueError, match="do not lie on its tables"):
        Split("wrong", range(1), TRAINED_PAIRS, HELD_OUT_PAIRS)


def test_an_absent_target_is_not_on_the_table() -> None:
    for index in range(20):
        scene, task = sample_task(TRAIN.seed(index), TRAIN, absent=True)
        assert task.target not in scene.things
        assert not task.is_possible(scene.things)


def test_many_scenes_need_both_words() -> None:
    shared = {"color": 0, "shape": 0}
    for index in range(200):
        scene, _ = sample_task(TRAIN.seed(index), TRAIN, "reach")
        for word in shared:
            values = [getattr(thing, word) for thing in scene.objects]
            shared[word] += len(set(values)) < len(values)
    assert shared["color"] > 60
    assert shared["shape"] > 60


@pytest.mark.parametrize("color", COLORS)
def test_a_shade_stays_nearest_to_its_own_colour_in_hue(color: str) -> None:
    generator = np.random.default_rng(0)

    def hue(rgb: tuple[float, float, float]) -> float:
        return colorsys.rgb_to_hsv(*rgb)[0]

    def apart(one: float, other: float) -> float:
        return min(abs(one - other), 1.0 - abs(one - other))

    shades = [random_shade(generator, color) for _ in range(200)]
    assert len(set(shades)) == 200
    for shade in shades:
        assert all(0.0 <= part <= 1.0 for part in shade)
        assert min(COLORS, key=lambda other: apart(hue(shade), hue(COLORS[other]))) == color


def test_more_objects_than_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="2 objects cannot be chosen from 1"):
        random_scene(np.random.default_rng(0), PAIRS[:1], 2)


@pytest.mark.parametrize("scale", [0.5, 2.0, float("nan")])
def test_an_object_that_the_gripper_cannot_hold_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scale of the red cube"):
        TableObject("red", "cube", scale)
    with pytest.raises(ValueError, match="cones come in one size"):
        TableObject("red", "cone", 1.1)


@pytest.mark.parametrize("shape", SHAPES)
def test_an_object_rests_at_its_resting_height(shape: str) -> None:
    thing = TableObject("red", shape, 1.0 if shape == "cone" else 1.15)
    table_top = TableTop(0, [thing])
    table_top.step(1.0)
    place = table_top.object_poses()["red " + shape]
    assert place[2, 3] == pytest.approx(thing.resting_height, abs=1e-3)
    assert place[2, 2] > 0.999


def test_looks_change_the_model_and_a_shifted_camera_projects_from_where_it_is() -> None:
    shift = CameraShift((0.02, -0.01, 0.03), (0.02, -0.03, 0.01), 0.05)
    looks = SceneLooks(table=(0.5, 0.6, 0.7), lamp_direction=(0.1, 0.2, -1.0),
                       cameras=MappingProxyType({"front": shift}))
    usual, changed = build_model([]), build_model([], looks=looks)
    np.testing.assert_allclose(changed.mat_rgba[changed.material("wood").id, :3], [0.5, 0.6, 0.7], rtol=1e-6)
    np.testing.assert_allclose(changed.cam("front").pos - usual.cam("front").pos, shift.translation, atol=1e-9)
    turn, back = np.empty(4), np.empty(4)
    mujoco.mju_negQuat(back, usual.cam("front").quat)
    mujoco.mju_mulQuat(turn, changed.cam("front").quat, back)
    assert 2.0 * np.arccos(min(abs(turn[0]), 1.0)) == pytest.approx(np.linalg.norm(shift.rotation), rel=1e-4)
    np.testing.assert_array_equal(changed.cam("wrist").pos, usual.cam("wrist").pos)


def test_a_projected_object_is_where_the_picture_shows_it(needs_rendering: None) -> None:
    scene = random_scene(np.random.default_rng(3), [("blue", "ball")], 1)
    table_top = TableTop(0, scene.objects, looks=scene.looks)
    table_top.reset(layout=scene.layout)
    width, height = 320, 240
    picture = table_top.render("front", width, height, shadows=False).astype(int)
    blue = (picture[:, :, 2] - picture[:, :, 0] > 60) & (picture[:, :, 2] - picture[:, :, 1] > 40)
    rows, columns = np.nonzero(blue)
    place = table_top.object_poses()["blue ball"][:3, 3]
    u, v, depth = table_top.project("front", place[None], width, height)[0]
    assert abs(columns.mean() - u) < 1.0
    assert abs(rows.mean() - v) < 1.0
    assert 0.4 < depth < 1.0
    table_top.close_renderer()


def test_a_rebuilt_table_is_drawn_in_the_same_context(needs_rendering: None) -> None:
    table_top = TableTop(0, [TableObject("red", "cube"), TableObject("green", "cone")])
    table_top.render("front", 64, 48)
    table_top.rebuild([TableObject("purple", "ball")], STANDARD_LOOKS)
    table_top.reset(0)
    rebuilt = table_top.render("front", 64, 48)
    fresh = TableTop(0, [TableObject("purple", "ball")])
    np.testing.assert_array_equal(rebuilt, fresh.render("front", 64, 48))
    table_top.close_renderer()
    fresh.close_renderer()


def test_a_task_names_its_verb_and_objects() -> None:
    assert Task("put_next_to", "red cube", "blue ball").phrase == "put the red cube next to the blue ball"
    with pytest.raises(ValueError, match="verb 'throw' is not known"):
        Task("throw", "red cube")
    with pytest.raises(ValueError, match="cannot have the reference None"):
        Task("put_next_to", "red cube")
    with pytest.raises(ValueError, match="cannot have the reference 'blue ball'"):
        Task("reach", "red cube", "blue ball")
    scene, _ = sample_task(0, TRAIN, "reach")
    count = len(scene.objects)
    assert len(every_task(scene, "put_next_to")) == count * (count - 1)
