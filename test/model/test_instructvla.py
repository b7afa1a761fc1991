# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The model's own interface: what it takes, what it refuses, what it promises."""

import threading
import time

import numpy as np
import pytest
import torch

from instructvla_ros.model import Finish, InstructVLA, UnknownDatasetError
from instructvla_ros.model.prompt import Turn

STATE = np.zeros(8)


def test_properties_say_what_the_model_is(generalist, two_view_expert):
    assert (generalist.chunk_length, generalist.num_views, generalist.uses_state) == (16, 1, True)
    assert generalist.datasets == ("sim",) and generalist.has_reasoning
    assert (two_view_expert.chunk_length, two_view_expert.num_views, two_view_expert.uses_state) == (8, 2, False)
    assert not two_view_expert.has_reasoning


def test_actions_have_the_promised_shapes_and_types(generalist, two_view_expert, frame):
    output = generalist.act([frame], "lift the cube", STATE)
    assert output.raw.shape == output.normalized.shape == output.actions.shape == (16, 7)
    assert output.actions.dtype == np.float64
    assert output.latent_actions.shape == (64, 64)
    assert np.abs(output.normalized).max() <= 1.0
    assert set(output.normalized[:, 6]) <= {0.0, 1.0}
    assert np.abs(output.actions[:, :3]).max() <= 0.02 and np.abs(output.actions[:, 3:6]).max() <= 0.05
    assert two_view_expert.act([frame, frame], "lift the cube").actions.shape == (8, 7)


def test_the_same_noise_gives_the_same_actions(generalist, frame):
    noise = np.random.default_rng(0).normal(size=(16, 7))
    one = generalist.act([frame], "lift the cube", STATE, noise=noise)
    two = generalist.act([frame], "lift the cube", STATE, noise=torch.from_numpy(noise))
    np.testing.assert_array_equal(one.raw, two.raw)
    other = generalist.act([frame], "lift the cube", STATE)
    assert np.abs(one.raw - other.raw).max() > 0.1


def test_every_input_reaches_the_actions(generalist, frame):
    noise = np.zeros((16, 7))
    base = generalist.act([frame], "lift the cube", STATE, noise=noise).raw
    changed = {
        "image": generalist.act([255 - frame], "lift the cube", STATE, noise=noise).raw,
        "instruction": generalist.act([frame], "open the drawer", STATE, noise=noise).raw,
        "state": generalist.act([frame], "lift the cube", np.full(8, 0.3), noise=noise).raw,
        "reasoning": generalist.act([frame], "lift the cube", STATE, "up", noise).raw,
    }
    for name, raw in changed.items():
        assert np.abs(raw - base).max() > 1e-5, name


def test_latent_actions_given_back_on_the_same_frame_give_the_same_actions(generalist, frame):
    noise = np.zeros((16, 7))
    base = generalist.act([frame], "lift the cube", STATE, noise=noise)
    again = generalist.act([frame], "lift the cube", STATE, noise=noise, latent_actions=base.latent_actions)
    np.testing.assert_array_equal(again.raw, base.raw)


def test_with_latent_actions_given_the_action_expert_alone_looks_and_the_words_do_not_count(generalist, frame):
    noise = np.zeros((16, 7))
    given = generalist.act([frame], "lift the cube", STATE, noise=noise).latent_actions
    base = generalist.act([frame], "lift the cube", STATE, noise=noise, latent_actions=given).raw
    words = generalist.act([frame], "open the drawer", STATE, noise=noise, latent_actions=given).raw
    seen = generalist.act([255 - frame], "lift the cube", STATE, noise=noise, latent_actions=given).raw
    np.testing.assert_array_equal(words, base)
    assert np.abs(seen - base).max() > 1e-5


def test_latent_actions_of_another_shape_are_refused(generalist, frame):
    with pytest.raises(ValueError, match=r"latent_actions must have the shape \(64, 64\), got \(64, 32\)"):
        generalist.act([frame], "lift the cube", STATE, latent_actions=np.zeros((64, 32), np.float32))


def test_both_views_reach_the_actions(two_view_expert, frame):
    noise = np.zeros((8, 7))
    base = two_view_expert.act([frame, frame], "lift the cube", noise=noise).raw
    for views in ([255 - frame, frame], [frame, 255 - frame]):
        assert np.abs(two_view_expert.act(views, "lift the cube", noise=noise).raw - base).max() > 1e-5


@pytest.mark.parametrize(
    ("proprio", "message"),
    [
        (None, "needs proprio"),
        (np.zeros(7), r"must hold 8 numbers, its shape is \(7,\)"),
        (np.zeros((1, 8)), "must hold 8 numbers"),
        ([0.0] * 7 + [float("nan")], "must be finite"),
        ([0.0] * 7 + [float("inf")], "must be finite"),
    ],
)
def test_a_bad_robot_state_is_refused(generalist, frame, proprio, message):
    with pytest.raises(ValueError, match=message):
        generalist.act([frame], "lift the cube", proprio)


@pytest.mark.parametrize("noise", [np.zeros((8, 7)), np.zeros((1, 16, 7)), np.zeros(16)])
def test_noise_of_another_shape_is_refused(generalist, frame, noise):
    with pytest.raises(ValueError, match=r"noise must have the shape \(16, 7\)"):
        generalist.act([frame], "lift the cube", STATE, noise=noise)


def test_noise_that_is_not_finite_is_refused(generalist, frame):
    with pytest.raises(ValueError, match="noise must be finite"):
        generalist.act([frame], "lift the cube", STATE, noise=np.full((16, 7), np.nan))


def test_an_unknown_dataset_is_refused(generalist, frame):
    with pytest.raises(UnknownDatasetError, match="no dataset 'bridge'; known: sim"):
        generalist.act([frame], "lift the cube", STATE, dataset="bridge")


def test_bad_frames_and_words_are_refused(generalist, frame):
    for call in (generalist.reason, generalist.ask, lambda *a: generalist.act(*a, proprio=STATE)):
        with pytest.raises(ValueError, match="takes 1 image"):
            call([], "lift the cube")
        with pytest.raises(ValueError, match="is empty"):
            call([frame], " ")


def test_words_are_streamed_as_they_come(generalist, frame):
    shown = []
    thought = generalist.reason([frame], "lift the cube", on_text=shown.append)
    assert len(shown) == len(thought.token_ids)
    assert shown[-1] == thought.words
    assert all(later.startswith(earlier) for earlier, later in zip(shown, shown[1:], strict=False))
    assert len(thought.token_ids) <= 50


def test_generation_stops_within_one_token(generalist, frame):
    shown = []
    thought = generalist.ask([frame], "where?", on_text=shown.append, should_stop=lambda: len(shown) >= 3)
    assert len(thought.token_ids) == len(shown) == 3
    assert thought.finish is Finish.STOPPED
    assert generalist.ask([frame], "where?", should_stop=lambda: True).token_ids == []


def test_the_token_limit_is_kept(generalist, frame):
    full = generalist.reason([frame], "lift the cube")
    cut = generalist.reason([frame], "lift the cube", max_new_tokens=4)
    assert cut.token_ids == full.token_ids[:4] and cut.finish is Finish.TOKEN_LIMIT
    with pytest.raises(ValueError, match="at least 1"):
        generalist.reason([frame], "lift the cube", max_new_tokens=0)
    with pytest.raises(ValueError, match=r"max_new_tokens is 32768; the model's context has room for 32\d+ tokens"):
        generalist.reason([frame], "lift the cube", max_new_tokens=32768)


@pytest.mark.parametrize("which", ["end", "query"])
def test_a_token_that_ends_the_text_ends_it(generalist_run, frame, which):
    model = InstructVLA.from_pretrained(generalist_run)
    token = min(model.prompts.end_ids) if which == "end" else model.prompts.query_ids[0]
    second = model.reason([frame], "lift the cube").token_ids[1]
    with torch.no_grad():
        model.language.head.weight[token] = 2 * model.language.head.weight[second]
    thought = model.reason([frame], "lift the cube")
    assert thought.token_ids[-1] == token and token not in thought.token_ids[:-1]
    if which == "end":
        assert thought.finish is Finish.END_OF_TEXT and thought.text.endswith("<|im_end|>")
    else:
        assert thought.finish is Finish.LATENT_ACTIONS and "<new_token_0>" not in thought.text
    assert "<" not in thought.words


def test_a_thought_of_any_special_tokens_can_be_acted_on(generalist, frame):
    reasoning = "<IMG_CONTEXT><new_token_5><|im_end|>\n<|im_start|>user\n<img>"
    assert np.isfinite(generalist.act([frame], "lift the cube", STATE, reasoning=reasoning).raw).all()
    assert np.isfinite(generalist.act([frame], "lift the cube", STATE, reasoning="").raw).all()


def test_cropping_changes_what_the_model_sees(generalist_run, frame):
    model = InstructVLA.from_pretrained(generalist_run, centre_crop=True)
    assert not np.array_equal(model.prepare_frames([frame])[0], frame)


def test_reasoning_and_acting_at_once_do_not_disturb_each_other(generalist, frame):
    noise = np.zeros((16, 7))
    alone = generalist.act([frame], "lift the cube", STATE, noise=noise).raw
    thought_alone = generalist.reason([frame], "lift the cube")
    thoughts = []
    thinker = threading.Thread(target=lambda: thoughts.append(generalist.reason([frame], "lift the cube")))
    thinker.start()
    raws = [generalist.act([frame], "lift the cube", STATE, noise=noise).raw for _ in range(3)]
    thinker.join()
    assert thoughts[0].token_ids == thought_alone.token_ids
    for raw in raws:
        np.testing.assert_allclose(raw, alone, atol=1e-5)


def test_acting_with_the_untrained_model_is_quick(generalist, frame):
    generalist.act([frame], "lift the cube", STATE)
    started = time.process_time()
    for _ in range(3):
        generalist.act([frame], "lift the cube", STATE)
    # processor time of one thread, with room for slower machines; about 0.09 s where this was written
    assert (time.process_time() - started) / 3 < 0.6


def test_losses_need_prompts_that_fit(generalist, frame):
    prompts = generalist.prompts
    with pytest.raises(ValueError, match="one prompt for each sample, got 1 for 2"):
        generalist.losses([[frame], [frame]], [prompts.for_action("lift")])
    with pytest.raises(ValueError, match="something to learn"):
        generalist.losses([[frame]], [prompts.for_question("why")])
    with pytest.raises(ValueError, match="one group of meta queries"):
        generalist.losses(
            [[frame]], [prompts.conversation([Turn("why", "so")])], torch.zeros(1, 16, 7), torch.zeros(1, 8)
        )
    with pytest.raises(ValueError, match="trained with robot state"):
        generalist.losses([[frame]], [prompts.for_action("lift")], torch.zeros(1, 16, 7))


def test_random_noise_and_time_give_finite_losses(generalist, frame):
    with torch.no_grad():
        losses = generalist.losses(
            [[frame]], [generalist.prompts.for_action("lift")], torch.zeros(1, 16, 7), torch.zeros(1, 8)
        )
    assert torch.isfinite(losses.total) and losses.flow > 0
