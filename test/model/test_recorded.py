# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recorded steps say and do what the steps themselves do; what does not fit a recording is done without.

CUDA graphs need a GPU. Here a step is recorded as the list of its operations, with every number that Python knew at
that time frozen into it, which is what a CUDA graph is, and the list is replayed on the same tensors.
"""

import copy
import logging
import re
from pathlib import Path

import numpy as np
import pytest
from torch.fx.experimental.proxy_tensor import make_fx

from instructvla_ros.model import InstructVLA
from instructvla_ros.model.recorded import LENGTH_STEP, RecordedSteps, record_steps
from instructvla_ros.model.untrained import write_untrained

TOLERANCE = 3e-4
INSTRUCTION = "pick up the cup"


def replaying(step, inputs):
    """A step that is done anew on the same tensors, and the tensors that it leaves its outputs in."""
    outputs = tuple(tensor.clone() for tensor in step(*inputs))

    def replay():
        for place, tensor in zip(outputs, step(*inputs), strict=True):
            place.copy_(tensor)

    return replay, outputs


class OperationsRecorder:
    """Records operations; a step that looks at a tensor's numbers in Python cannot be recorded so, nor on a GPU."""

    def record(self, step, inputs):
        return replaying(make_fx(lambda *tensors: step(*tensors))(*inputs), inputs)


class SpoilingRecorder:
    """Recordings come out a little different."""

    def record(self, step, inputs):
        replay, outputs = replaying(step, inputs)

        def spoiled():
            replay()
            outputs[0].add_(1)

        return spoiled, outputs


class UnableRecorder:
    """As where the driver has no graphs, or memory is short."""

    def record(self, step, inputs):
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore")


def act(model, images, instruction=INSTRUCTION, reasoning=None):
    state = np.linspace(-0.2, 0.2, model.state_size) if model.uses_state else None
    noise = np.random.default_rng(5).standard_normal((model.chunk_length, model.action_size)).astype(np.float32)
    return model.act(images, instruction, state, reasoning, noise, model.datasets[0]).raw


def words_of_a_question(model):
    """Tokens beside the picture of the longest prompt that recordings are checked with."""
    return len(model.prompts.for_reasoning("open the drawer").ids) - model.sizes.num_image_tokens


@pytest.fixture(scope="module")
def expert_run(tmp_path_factory):
    return write_untrained(tmp_path_factory.mktemp("one_adapter"), seed=3, generalist=False)


@pytest.fixture(scope="module", params=["generalist", "expert"])
def models(request, generalist_run, expert_run):
    """A fused model and the same with recorded steps."""
    run = generalist_run if request.param == "generalist" else expert_run
    plain = InstructVLA.from_pretrained(run).fuse()
    recorded = InstructVLA.from_pretrained(run).fuse()
    recorded.recorded = record_steps(recorded, OperationsRecorder(), text_room=2 * LENGTH_STEP)
    assert isinstance(recorded.recorded, RecordedSteps)
    return plain, recorded


def test_recorded_models_act_and_speak_as_reference_ones_do(reduced_name, load_parity):
    parity = load_parity(*reduced_name)
    recorded = copy.deepcopy(parity.model).fuse()
    recorded.recorded = record_steps(recorded, OperationsRecorder(), text_room=words_of_a_question(recorded))
    assert recorded.recorded is not None
    case = next(iter(parity.expected["cases"].values()))
    images = parity.frames(case)
    difference = np.abs(act(parity.model, images) - act(recorded, images)).max()
    parity.remember("recorded, action", float(difference), TOLERANCE, "recorded")
    assert recorded.reason(images, INSTRUCTION).token_ids == parity.model.reason(images, INSTRUCTION).token_ids


def test_every_length_of_words_gives_the_same_actions_and_words(models, frame):
    plain, recorded = models
    lengths = set()
    for words in range(1, 3 * LENGTH_STEP, 9):
        instruction = "x " * words
        lengths.add(-(-len(plain.prompts.for_action(instruction).ids) // LENGTH_STEP))
        actions = [act(model, [frame], instruction) for model in models]
        np.testing.assert_allclose(actions[1], actions[0], atol=TOLERANCE)
        ids = [model.reason([frame], instruction, max_new_tokens=5).token_ids for model in models]
        assert ids[0] == ids[1]
    assert len(lengths) > 2


def test_a_prompt_longer_than_any_recorded_one_is_read_without(models, frame):
    plain, recorded = models
    instruction = "far " * 400
    assert len(plain.prompts.for_action(instruction).ids) > max(recorded.recorded.lengths)
    np.testing.assert_allclose(act(recorded, [frame], instruction), act(plain, [frame], instruction), atol=TOLERANCE)
    assert recorded.reason([frame], instruction).token_ids == plain.reason([frame], instruction).token_ids


def test_acting_upon_a_reply_about_the_same_frame_sees_the_picture_once(models, frame, monkeypatch):
    plain, recorded = models
    calls = []
    encode = recorded.recorded.encode
    monkeypatch.setattr(recorded.recorded, "encode", lambda pixels: calls.append(pixels) or encode(pixels))
    thought = recorded.reason([frame], INSTRUCTION, max_new_tokens=6)
    actions = act(recorded, [frame], reasoning=thought.text)
    assert len(calls) == 1
    np.testing.assert_allclose(actions, act(plain, [frame.copy()], reasoning=thought.text), atol=TOLERANCE)


def test_acting_between_two_words_changes_neither(models, frame):
    plain, recorded = models
    alone = plain.reason([frame], INSTRUCTION, max_new_tokens=8).token_ids
    acted = []

    def acts_meanwhile(_):
        acted.append(act(recorded, [frame.copy()], "close the drawer"))

    beside = recorded.reason([frame], INSTRUCTION, acts_meanwhile, max_new_tokens=8).token_ids
    assert beside == alone
    for actions in acted:
        np.testing.assert_allclose(actions, act(plain, [frame.copy()], "close the drawer"), atol=TOLERANCE)


def test_a_second_reply_meanwhile_is_made_without_recordings(models, frame):
    plain, recorded = models
    answers = []

    def asks_meanwhile(_):
        if not answers:
            answers.append(recorded.ask([frame.copy()], "what is this?", max_new_tokens=5).token_ids)

    thought = recorded.reason([frame], INSTRUCTION, asks_meanwhile, max_new_tokens=6)
    assert thought.token_ids == plain.reason([frame], INSTRUCTION, max_new_tokens=6).token_ids
    assert answers == [plain.ask([frame], "what is this?", max_new_tokens=5).token_ids]


@pytest.mark.parametrize("words", [0, 2])
def test_a_reply_that_was_cut_short_leaves_the_recordings_free(models, frame, words):
    plain, recorded = models
    said = []
    recorded.reason([frame], INSTRUCTION, said.append, lambda: len(said) >= words, max_new_tokens=9)
    assert len(said) == words
    assert not recorded.recorded._speaking.locked()
    assert recorded.reason([frame], INSTRUCTION).token_ids == plain.reason([frame], INSTRUCTION).token_ids


@pytest.mark.parametrize(
    ("recorder", "said"),
    [(SpoilingRecorder(), "recorded steps differ by"), (UnableRecorder(), "steps cannot be recorded.*not permitted")],
)
def test_recordings_that_cannot_be_trusted_are_not_used(recorder, said, generalist_run, frame, caplog):
    plain, model = (InstructVLA.from_pretrained(generalist_run).fuse() for _ in range(2))
    with caplog.at_level(logging.WARNING):
        model.record(recorder)
    assert model.recorded is None
    assert any(re.search(said, message) for message in caplog.messages)
    np.testing.assert_array_equal(act(model, [frame]), act(plain, [frame]))


def test_the_shipped_models_steps_can_be_recorded():
    model = InstructVLA.from_pretrained(Path(__file__).resolve().parents[2] / "models" / "tabletop").fuse()
    assert record_steps(model, OperationsRecorder(), text_room=LENGTH_STEP) is not None
