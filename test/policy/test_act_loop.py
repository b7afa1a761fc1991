# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The act loop: when it acts, when it holds and why, instructions, reasoning, questions, failures, threads."""

import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest

from instructvla_ros.policy.act_loop import ActLoop, QuestionRefused
from instructvla_ros.policy.act_reports import TickStatus
from instructvla_ros.policy.profile import FirstStepsExecution, ReasoningSettings
from instructvla_ros.robot.joint_state import JointState

NOW = 1_000.0
PATIENCE = 10.0  # [s] after which a hanging thread fails the test


class Bench:
    """A loop around a fake model, with fresh inputs on demand."""

    def __init__(self, loop, model, clock, frame, joint_state_at):
        self.loop = loop
        self.model = model
        self.clock = clock
        self.frame = frame
        self.joint_state_at = joint_state_at
        self.updates = []
        self.epochs = []

    def feed(self, now):
        for view in self.loop.views:
            self.loop.put_image(view, now, self.frame)
        self.loop.put_joint_state(self.joint_state_at(now))

    def fed_tick(self, now):
        self.feed(now)
        result = self.loop.tick(now)
        self.loop.think(now)
        return result


@pytest.fixture
def bench(make_policy, fake_model, fake_clock, frame, joint_state_at):
    """Makes benches; ``model`` and ``changes`` of the profile as wanted."""

    def make(model=None, changes=None, **settings):
        model = model or fake_model()
        clock = fake_clock()
        made = Bench(None, model, clock, frame, joint_state_at)
        made.loop = ActLoop(
            make_policy(model, **(changes or {})),
            clock=clock,
            on_reasoning=made.updates.append,
            on_epoch=lambda epoch, instruction: made.epochs.append((epoch, instruction)),
            **settings,
        )
        return made

    return make


def test_with_fresh_inputs_and_an_instruction_every_tick_makes_a_chunk(bench):
    b = bench()
    b.loop.set_instruction("pick the cup")
    results = [b.fed_tick(NOW + 0.2 * step) for step in range(5)]
    assert [result.status for result in results] == [TickStatus.ACTED] * 5
    assert [result.reason for result in results] == [""] * 5
    assert [result.chunk.stamp for result in results] == [NOW + 0.2 * step for step in range(5)]
    assert [result.chunk.sequence for result in results] == [1, 2, 3, 4, 5]
    assert {result.chunk.epoch for result in results} == {results[0].epoch}


def test_the_newest_observation_is_used(bench, joint_state_at):
    b = bench()
    b.loop.set_instruction("go")
    b.feed(NOW)
    newest = 255 - b.frame
    b.loop.put_image("primary", NOW + 0.1, newest)
    chunk = b.loop.tick(NOW + 0.15).chunk
    assert chunk.stamp == NOW + 0.1
    np.testing.assert_array_equal(b.model.acts[0].images[0], newest)


def test_without_an_instruction_the_loop_is_idle(bench):
    b = bench()
    result = b.fed_tick(NOW)
    assert (result.status, result.reason, result.chunk) == (TickStatus.IDLE, "no instruction", None)
    assert b.model.log == []


@pytest.mark.parametrize("blank", ["", "  \n"])
def test_an_empty_instruction_returns_the_loop_to_idle_under_a_new_epoch(blank, bench):
    b = bench()
    b.loop.set_instruction("go")
    acted = b.fed_tick(NOW)
    b.loop.set_instruction(blank)
    result = b.fed_tick(NOW + 0.2)
    assert result.status is TickStatus.IDLE
    assert result.epoch > acted.epoch


def without_image(b, now):
    b.loop.put_joint_state(b.joint_state_at(now))


def without_wrist_image(b, now):
    b.loop.put_image("primary", now, b.frame)
    b.loop.put_joint_state(b.joint_state_at(now))


def without_joint_state(b, now):
    for view in b.loop.views:
        b.loop.put_image(view, now, b.frame)


def with_image(stamp_offset=0.0, rgb=None, view="primary", stamp=None):
    def spoil(b, now):
        b.feed(now)
        b.loop.put_image(view, now + stamp_offset if stamp is None else stamp, b.frame if rgb is None else rgb)

    return spoil


def with_joint_state(stamp_offset=0.0, drop=None, stamp=None, **positions):
    def spoil(b, now):
        b.feed(now)
        good = b.joint_state_at(now + stamp_offset if stamp is None else stamp, **positions)
        if drop is not None:
            keep = [index for index, name in enumerate(good.names) if name not in drop]
            good = JointState(good.stamp, tuple(good.names[index] for index in keep), good.positions[keep])
        b.loop.put_joint_state(good)

    return spoil


def with_short_joint_state(b, now):
    b.feed(now)
    good = b.joint_state_at(now)
    b.loop.put_joint_state(JointState(now, good.names, good.positions[:3]))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (without_image, "no image from the primary camera yet"),
        (without_wrist_image, "no image from the wrist camera yet"),
        (with_image(-0.6), "the primary image is 0.600 s old, more than 0.5 s"),
        (with_image(-0.6, view="wrist"), "the wrist image is 0.600 s old, more than 0.5 s"),
        (with_image(stamp=0.0), "the primary image has no time stamp: its sender leaves header.stamp at zero"),
        (with_image(0.3), "the primary image is stamped 0.300 s in the future, more than 0.1 s"),
        (with_image(stamp=float("nan")), "the time stamp of the primary image is nan"),
        (with_image(-0.3), "the primary and wrist images were taken 0.300 s apart, more than 0.1 s"),
        (with_image(rgb=np.full((48, 64, 3), 128, np.uint8)), "primary image cannot be used: it is one flat colour"),
        (with_image(rgb=np.zeros((48, 64, 3), np.uint8), view="wrist"), "the wrist image cannot be used"),
        (with_image(rgb=np.ones((48, 64, 3))), "its pixels are float64, not uint8"),
        (with_image(rgb=np.ones((48, 64), np.uint8)), "its shape is (48, 64), not (height, width, 3)"),
        (without_joint_state, "no joint state yet"),
        (with_joint_state(-0.3), "the joint state is 0.300 s old, more than 0.2 s"),
        (with_joint_state(0.3), "the joint state is stamped 0.300 s in the future"),
        (with_joint_state(stamp=float("inf")), "the time stamp of the joint state is inf"),
        (with_joint_state(drop={"elbow", "left_finger"}), "elbow, left_finger"),
        (with_joint_state(shoulder=float("nan")), "shoulder nan"),
        (with_joint_state(left_finger=float("inf")), "left_finger inf"),
        (with_short_joint_state, "7 names but positions of shape (3,)"),
    ],
)
def test_an_unusable_input_makes_the_loop_hold_and_say_why(spoil, reason, bench, fake_model):
    b = bench(fake_model(num_views=2))
    b.loop.set_instruction("go")
    spoil(b, NOW)
    held = b.loop.tick(NOW)
    assert held.status is TickStatus.HOLDING
    assert reason in held.reason
    assert held.chunk is None
    assert b.model.log == []
    assert b.loop.statistics().holds == 1

    assert b.fed_tick(NOW + 1.0).status is TickStatus.ACTED


def test_ages_and_gaps_at_their_limits_are_accepted(bench, fake_model):
    b = bench(fake_model(num_views=2))
    b.loop.set_instruction("go")
    b.loop.put_image("primary", NOW - 0.25, b.frame)
    b.loop.put_image("wrist", NOW - 0.3125, b.frame)
    b.loop.put_joint_state(b.joint_state_at(NOW + 0.0625))
    result = b.loop.tick(NOW)
    assert result.status is TickStatus.ACTED
    assert result.ages.images == {"primary": 0.25, "wrist": 0.3125}
    assert result.ages.joint_state == -0.0625
    assert result.chunk.stamp == NOW - 0.25


def test_ages_of_what_never_came_are_none(bench):
    ages = bench().loop.tick(NOW).ages
    assert (ages.images, ages.joint_state) == ({"primary": None}, None)


def test_a_camera_that_stops_makes_the_loop_hold(bench):
    b = bench()
    b.loop.set_instruction("go")
    assert b.fed_tick(NOW).status is TickStatus.ACTED
    b.loop.put_joint_state(b.joint_state_at(NOW + 2.0))
    result = b.loop.tick(NOW + 2.0)
    assert (result.status, result.reason) == (TickStatus.HOLDING, "the primary image is 2.000 s old, more than 0.5 s")


def test_a_clock_set_back_holds_until_new_inputs_come(bench):
    b = bench()
    b.loop.set_instruction("go")
    b.fed_tick(NOW)
    assert "in the future" in b.loop.tick(5.0).reason
    assert b.fed_tick(5.2).status is TickStatus.ACTED


def test_a_view_that_the_model_does_not_take_is_refused(bench):
    b = bench()
    with pytest.raises(ValueError, match="no view 'wrist'; it takes primary"):
        b.loop.put_image("wrist", NOW, b.frame)


def test_a_new_instruction_takes_effect_at_the_next_tick(bench):
    b = bench()
    b.loop.set_instruction("go")
    b.model.actions = np.zeros((16, 7))
    first = b.fed_tick(NOW)
    b.loop.set_instruction("stay")
    b.model.actions = np.full((16, 7), 0.5)
    second = b.fed_tick(NOW + 0.2)
    assert second.epoch > first.epoch
    assert (second.chunk.instruction, second.chunk.sequence) == ("stay", 1)
    np.testing.assert_array_equal(second.chunk.translations, np.full((16, 3), 0.5))
    assert b.epochs == [(first.epoch, "go"), (second.epoch, "stay")]


def test_the_same_instruction_again_changes_nothing(bench):
    b = bench()
    b.loop.set_instruction("go")
    first = b.fed_tick(NOW)
    b.loop.set_instruction(" go\n")
    second = b.fed_tick(NOW + 0.2)
    assert (second.epoch, second.chunk.sequence) == (first.epoch, 2)


def test_a_restart_begins_a_new_epoch_of_the_same_instruction(bench):
    b = bench()
    b.loop.set_instruction("go")
    first = b.fed_tick(NOW)
    b.loop.restart()
    second = b.fed_tick(NOW + 0.2)
    assert second.epoch > first.epoch
    assert (second.chunk.instruction, second.chunk.sequence) == ("go", 1)


def test_a_new_instruction_voids_the_old_epoch_even_while_inputs_are_missing(bench):
    b = bench()
    b.loop.set_instruction("go")
    first = b.fed_tick(NOW)
    b.loop.set_instruction("stay")
    held = b.loop.tick(NOW + 60.0)
    assert held.status is TickStatus.HOLDING
    assert held.epoch > first.epoch
    assert b.epochs[-1] == (held.epoch, "stay")


def test_first_steps_are_followed_before_the_next_chunk(bench):
    b = bench(changes={"execution": FirstStepsExecution(steps=3)})
    b.loop.set_instruction("go")
    statuses = [b.fed_tick(NOW + 0.2 * step).status for step in range(7)]
    acted, following = TickStatus.ACTED, TickStatus.FOLLOWING
    assert statuses == [acted, following, following, acted, following, following, acted]


def test_a_reasoning_model_speaks_once_before_it_acts(bench, fake_model):
    b = bench(fake_model(has_reasoning=True))
    b.loop.set_instruction("go")
    results = [b.fed_tick(NOW + 0.2 * step) for step in range(4)]
    assert b.model.log == ["reason", "act", "act", "act"]
    assert results[0].status is TickStatus.REASONING
    assert results[0].chunk is None
    assert [act.reasoning for act in b.model.acts] == ["I see a cup<|im_end|>"] * 3
    assert [(update.text, update.final) for update in b.updates] == [
        ("I", False), ("I see", False), ("I see a", False), ("I see a cup", False), ("I see a cup", True)
    ]
    assert {(update.stamp, update.epoch, update.instruction) for update in b.updates} == {(NOW, results[0].epoch, "go")}


def test_a_new_epoch_is_told_before_the_model_speaks(bench, fake_model):
    b = bench(fake_model(has_reasoning=True))
    told_when_speaking = []
    b.model.on_word = lambda: told_when_speaking.append(list(b.epochs))
    b.loop.set_instruction("go")
    result = b.fed_tick(NOW)
    assert told_when_speaking[0] == [(result.epoch, "go")]


@pytest.mark.parametrize(
    ("has_reasoning", "mode", "log"),
    [
        (True, "auto", ["reason", "act"]),
        (False, "auto", ["act", "act"]),
        (True, "never", ["act", "act"]),
        (False, "always", ["reason", "act"]),
    ],
)
def test_reasoning_can_be_forced_and_forbidden(has_reasoning, mode, log, bench, fake_model):
    b = bench(fake_model(has_reasoning=has_reasoning), reasoning=mode)
    b.loop.set_instruction("go")
    b.fed_tick(NOW)
    b.fed_tick(NOW + 0.2)
    assert b.model.log == log


def test_reasoning_recurs_after_its_period_and_leaves_acting_its_turn(bench, fake_model):
    b = bench(fake_model(has_reasoning=True), reasoning_period=0.5)

    def speak_slowly():
        b.clock.now += 0.25

    b.model.on_word = speak_slowly
    b.loop.set_instruction("go")
    for step in range(8):
        b.fed_tick(NOW + 0.2 * step)
        b.clock.now += 0.2
    assert b.model.log == ["reason", *["act"] * 3, "reason", *["act"] * 3, "reason", "act"]


def test_chunks_tell_which_reasoning_they_were_made_under(bench, fake_model):
    b = bench(fake_model(has_reasoning=True), reasoning_period=0.3)
    b.loop.set_instruction("go")
    stamps = []
    for step in range(5):
        result = b.fed_tick(NOW + 0.2 * step)
        stamps.append(result.chunk.reasoning_stamp if result.chunk is not None else None)
        b.clock.now += 0.2
    assert stamps == [None, NOW, NOW, NOW + 0.4, NOW + 0.4]


def test_without_reasoning_chunks_tell_of_none(bench):
    b = bench()
    b.loop.set_instruction("go")
    assert b.fed_tick(NOW).chunk.reasoning_stamp is None


@pytest.mark.parametrize(("threshold", "spoken"), [(0.0, 1), (0.5, 2), (0.9, 1)])
def test_a_changed_scene_makes_the_model_speak_anew(threshold, spoken, bench, fake_model):
    b = bench(
        fake_model(has_reasoning=True), changes={"reasoning": ReasoningSettings("auto", 0.0, scene_change=threshold)}
    )
    b.loop.set_instruction("go")
    for step in range(3):
        b.fed_tick(NOW + 0.2 * step)
    changed = b.frame.copy()
    changed[:, : 3 * changed.shape[1] // 4] //= 3
    b.frame = changed
    b.fed_tick(NOW + 0.6)
    b.fed_tick(NOW + 0.8)
    assert b.model.log.count("reason") == spoken


def act_amid_words(b, speak, after=3):
    """Lets the model speak, asks for an act in another thread after some words, and returns what happened in order."""
    words = []

    def tick():
        b.loop.tick(NOW)

    ticker = threading.Thread(target=tick)

    def on_word():
        b.model.log.append("word")
        words.append(None)
        if len(words) == after:
            ticker.start()
            deadline = time.monotonic() + PATIENCE
            while not b.loop.waiting_for_the_model and time.monotonic() < deadline:
                time.sleep(0.0)

    b.model.words = ["word"] * 12
    b.model.on_word = on_word
    b.model.log.clear()
    speak()
    ticker.join(PATIENCE)
    assert not ticker.is_alive()
    return b.model.log


def test_an_act_waits_for_one_word_of_reasoning_at_most(bench, fake_model):
    b = bench(fake_model(has_reasoning=True), reasoning_period=0.1)
    b.loop.set_instruction("go")
    b.fed_tick(NOW)
    b.clock.now += 1.0
    log = act_amid_words(b, lambda: b.loop.think(NOW))
    assert log == ["reason", *["word"] * 3, "act", *["word"] * 9]


def test_an_act_waits_for_one_word_of_an_answer_at_most(bench):
    b = bench()
    b.loop.set_instruction("go")
    b.fed_tick(NOW)
    answer = b.loop.ask("What is there?")
    log = act_amid_words(b, lambda: b.loop.think(NOW))
    assert log == ["ask", *["word"] * 3, "act", *["word"] * 9]
    assert len(answer.result(timeout=0).text.split()) == 12


def test_a_model_that_acts_without_pause_still_speaks(bench, fake_model):
    """Turns go to whoever has waited longest: acts at full load do not starve the words."""
    b = bench(fake_model(has_reasoning=True), reasoning_period=0.001)
    b.loop.set_instruction("go")
    b.feed(NOW)
    b.loop.tick(NOW)
    assert b.loop.think(NOW)
    b.clock.now += 1.0
    done = threading.Event()

    def act_without_pause():
        while not done.is_set():
            b.loop.tick(NOW)

    ticker = threading.Thread(target=act_without_pause)
    ticker.start()
    try:
        assert b.loop.think(NOW)
    finally:
        done.set()
        ticker.join(PATIENCE)
    assert b.loop.statistics().reasonings == 2


def test_a_new_instruction_cuts_reasoning_short_within_one_word(bench, fake_model):
    b = bench(fake_model(has_reasoning=True))
    b.model.on_word = lambda: b.loop.set_instruction("stay") if b.model.reasonings == ["go"] else None
    b.loop.set_instruction("go")
    cut = b.fed_tick(NOW)
    assert cut.status is TickStatus.REASONING
    assert [(update.text, update.final) for update in b.updates] == [("I", False)]
    b.updates.clear()
    b.fed_tick(NOW + 0.2)
    assert [update.instruction for update in b.updates if update.final] == ["stay"]
    assert b.fed_tick(NOW + 0.4).chunk.instruction == "stay"
    assert b.model.acts[0].reasoning == "I see a cup<|im_end|>"
    assert b.loop.statistics().reasonings == 1


def test_a_receiver_of_reasoning_that_fails_does_not_stop_the_model(bench, fake_model, make_policy, fake_clock):
    def fail(update):
        raise RuntimeError("no paper")

    b = bench(fake_model(has_reasoning=True))
    b.loop = ActLoop(make_policy(b.model), clock=fake_clock(), on_reasoning=fail)
    b.loop.set_instruction("go")
    assert b.fed_tick(NOW).status is TickStatus.REASONING
    assert b.fed_tick(NOW + 0.2).chunk is not None


@pytest.mark.parametrize(("mode", "period"), [("sometimes", 0.0), ("auto", -1.0), ("auto", float("nan"))])
def test_reasoning_settings_that_make_no_sense_are_refused(mode, period, bench):
    with pytest.raises(ValueError, match="reasoning"):
        bench(reasoning=mode, reasoning_period=period)


def test_a_failing_model_makes_the_loop_hold_and_recovers(bench):
    b = bench()
    b.loop.set_instruction("go")
    b.model.error = RuntimeError("CUDA out of memory")
    held = b.fed_tick(NOW)
    assert held.status is TickStatus.HOLDING
    assert held.reason == "acting failed: RuntimeError: CUDA out of memory"
    b.model.error = None
    assert b.fed_tick(NOW + 0.2).status is TickStatus.ACTED
    assert (b.loop.statistics().failures, b.loop.statistics().holds) == (1, 1)


def test_failing_reasoning_holds_and_is_tried_again(bench, fake_model):
    b = bench(fake_model(has_reasoning=True))
    b.loop.set_instruction("go")
    b.model.error = ValueError("lost my words")
    assert b.fed_tick(NOW).status is TickStatus.REASONING
    held = b.fed_tick(NOW + 0.2)
    assert (held.status, held.reason) == (TickStatus.HOLDING, "reasoning failed: ValueError: lost my words")
    b.model.error = None
    assert b.fed_tick(NOW + 0.4).status is TickStatus.HOLDING
    assert b.fed_tick(NOW + 0.6).status is TickStatus.ACTED


def test_actions_that_are_not_finite_make_the_loop_hold(bench):
    b = bench()
    b.loop.set_instruction("go")
    b.model.actions[0, 0] = np.nan
    held = b.fed_tick(NOW)
    assert held.status is TickStatus.HOLDING
    assert "not finite" in held.reason


@pytest.mark.parametrize("instruction", ["go", ""])
def test_a_question_is_answered_while_acting_and_while_idle(instruction, bench):
    b = bench()
    b.loop.set_instruction(instruction)
    answer = b.loop.ask(" What is there? ")
    assert not answer.done()
    b.fed_tick(NOW)
    assert answer.result(timeout=0).text == "I see a cup"
    assert b.model.questions == ["What is there?"]
    assert b.model.log == (["act", "ask"] if instruction else ["ask"])


def test_a_question_is_answered_while_the_arm_is_silent(bench):
    b = bench()
    b.loop.set_instruction("go")
    answer = b.loop.ask("What is there?")
    without_joint_state(b, NOW)
    assert b.loop.tick(NOW).status is TickStatus.HOLDING
    b.loop.think(NOW)
    assert answer.result(timeout=0).text == "I see a cup"


def test_one_question_is_answered_a_tick_in_the_order_asked(bench):
    b = bench()
    answers = [b.loop.ask(f"question {number}") for number in range(3)]
    for tick in range(3):
        b.fed_tick(NOW + 0.2 * tick)
        assert [answer.done() for answer in answers] == [number <= tick for number in range(3)]
    assert b.model.questions == ["question 0", "question 1", "question 2"]
    assert b.loop.statistics().answers == 3


def test_a_question_without_a_usable_image_is_refused_with_the_reason(bench):
    b = bench()
    answer = b.loop.ask("What is there?")
    b.loop.think(NOW)
    with pytest.raises(QuestionRefused, match="cannot look: no image from the primary camera yet"):
        answer.result(timeout=0)


def test_an_empty_question_is_refused(bench):
    with pytest.raises(QuestionRefused, match="empty"):
        bench().loop.ask("  ").result(timeout=0)


def test_too_many_questions_are_refused(bench):
    b = bench()
    for number in range(16):
        b.loop.ask(str(number))
    with pytest.raises(QuestionRefused, match="ask again later"):
        b.loop.ask("one more").result(timeout=0)


def test_a_failing_answer_fails_its_question_only(bench):
    b = bench()
    answer = b.loop.ask("What is there?")
    b.model.error = RuntimeError("no idea")
    assert b.fed_tick(NOW).status is TickStatus.IDLE
    with pytest.raises(RuntimeError, match="no idea"):
        answer.result(timeout=0)
    assert b.loop.statistics().failures == 1


def test_a_cancelled_question_is_not_answered(bench):
    b = bench()
    answer = b.loop.ask("What is there?")
    assert answer.cancel()
    b.fed_tick(NOW)
    assert b.model.questions == []
    with pytest.raises(CancelledError):
        answer.result(timeout=0)


def test_after_closing_nothing_is_done_and_every_question_is_refused(bench):
    b = bench()
    b.loop.set_instruction("go")
    waiting = b.loop.ask("What is there?")
    b.loop.close()
    for answer in (waiting, b.loop.ask("And now?")):
        with pytest.raises(QuestionRefused, match="shutting down"):
            answer.result(timeout=0)
    assert b.fed_tick(NOW).chunk is None
    assert b.model.log == []


def test_closing_cuts_reasoning_and_answering_short(bench, fake_model):
    b = bench(fake_model(has_reasoning=True))
    b.loop.set_instruction("go")
    answer = b.loop.ask("What is there?")
    b.model.on_word = b.loop.close
    assert b.fed_tick(NOW).chunk is None
    assert len(b.updates) == 1
    with pytest.raises(QuestionRefused, match="shutting down"):
        answer.result(timeout=0)


def test_closing_amid_an_answer_refuses_its_question(bench):
    b = bench()
    answer = b.loop.ask("What is there?")
    b.model.on_word = b.loop.close
    b.fed_tick(NOW)
    assert b.model.questions == ["What is there?"]
    with pytest.raises(QuestionRefused, match="shutting down"):
        answer.result(timeout=0)


def test_statistics_measure_inference_and_rate(bench):
    b = bench()
    b.loop.set_instruction("go")
    assert np.isnan(b.loop.statistics().act_percentiles).all()
    act = b.model.act

    def slow_act(*arguments, **keywords):
        b.clock.now += 0.05
        return act(*arguments, **keywords)

    b.model.act = slow_act
    for step in range(10):
        result = b.fed_tick(NOW + 0.2 * step)
        assert result.inference_time == pytest.approx(0.05)
        b.clock.now += 0.15
    statistics = b.loop.statistics()
    assert statistics.chunks == 10
    assert statistics.chunk_rate == pytest.approx(5.0)
    assert statistics.act_percentiles == pytest.approx((0.05, 0.05, 0.05))
    assert statistics.last is result


def test_many_threads_may_feed_and_ask_while_one_ticks_and_one_thinks(bench, fake_model):
    b = bench(fake_model(has_reasoning=True))
    b.feed(NOW)
    b.loop.set_instruction("start")
    start, done = threading.Barrier(5), threading.Event()
    answers, failures = [], []

    def guard(work):
        def run():
            try:
                start.wait(PATIENCE)
                work()
            except Exception as error:
                failures.append(error)

        return threading.Thread(target=run)

    def repeat_until_done(what):
        while not done.is_set():
            what(NOW)

    workers = [
        guard(lambda: [b.feed(NOW) for _ in range(2000)]),
        guard(lambda: [b.loop.set_instruction(f"do {number % 3}") for number in range(2000)]),
        guard(lambda: answers.extend(b.loop.ask(f"{number}?") for number in range(200))),
    ]
    loops = [guard(lambda: repeat_until_done(b.loop.tick)), guard(lambda: repeat_until_done(b.loop.think))]
    for thread in (*workers, *loops):
        thread.start()
    for thread in workers:
        thread.join(PATIENCE)
    done.set()
    for thread in loops:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert failures == []
    # whatever the threads left behind, a few quiet ticks serve it
    results = [b.fed_tick(NOW) for _ in range(20)]
    assert results[-1].status is TickStatus.ACTED
    assert results[-1].chunk.instruction == "do 1"
    assert all(answer.done() for answer in answers)
    epochs = [epoch for epoch, _ in b.epochs]
    assert epochs == sorted(set(epochs))
    statistics = b.loop.statistics()
    assert statistics.failures == 0
    refused = sum(answer.exception() is not None for answer in answers)
    assert statistics.answers == len(answers) - refused == len(b.model.questions)


def test_a_failure_that_comes_back_at_every_tick_is_logged_once(bench, caplog):
    b = bench()
    b.loop.set_instruction("go")
    b.model.error = ValueError("too long")
    for tick in range(3):
        assert b.fed_tick(NOW + 0.2 * tick).status is TickStatus.HOLDING
    b.model.error = RuntimeError("out of memory")
    assert b.fed_tick(NOW + 0.6).status is TickStatus.HOLDING
    assert [record.getMessage() for record in caplog.records] == [
        "acting failed: ValueError: too long",
        "acting failed: RuntimeError: out of memory",
    ]
    assert [record.exc_info is not None for record in caplog.records] == [False, True]
