# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Steps that are fitted to minutes: other work on the machine comes and goes, and the stage still ends in time."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from instructvla_ros.training import trainer
from instructvla_ros.training.settings import LANGUAGE

_SECONDS = 600.0


@pytest.mark.parametrize(("early", "late"), [(2.0, 1.0), (1.0, 2.0), (1.0, 1.0)])
def test_a_stage_takes_the_minutes_it_was_given_though_steps_become_quicker_or_slower(
    settings, train, tmp_path, monkeypatch, early, late
):
    settings = replace(settings, minutes=_SECONDS / 60.0)
    settings = replace(settings, stages={LANGUAGE: replace(settings.stages[LANGUAGE], share=1.0, steps=0)})
    training = train(settings, tmp_path)
    model, _ = training.begin()
    stage, _ = training._stage(LANGUAGE, model, None)
    clock = [0.0]
    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def step(bar):
        clock[0] += early if stage.state.step < 60 else late
        stage.state.step += 1

    monkeypatch.setattr(stage, "_step", step)
    stage.run(stop_after=30)
    again, _ = training._stage(LANGUAGE, model, None)
    assert again.state == stage.state
    stage.run()
    assert clock[0] == pytest.approx(_SECONDS, rel=0.03)
