# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stand-ins and recorded numbers that the policy tests share."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from instructvla_ros.policy.policy import Observation, Policy
from instructvla_ros.policy.profile import EnsembleExecution, RobotProfile
from instructvla_ros.robot.joint_state import JointState

ROOT = Path(__file__).resolve().parents[2]
VECTOR_FOLDERS = {
    "repository": ROOT / "test" / "data" / "policy",
    "shared": Path(os.environ.get("INSTRUCTVLA_SHARED", ROOT / ".." / "shared")) / "parity",
}


@dataclass(frozen=True)
class Vectors:
    """Recorded numbers and the settings they were recorded with."""

    tensors: dict[str, np.ndarray]
    settings: dict[str, dict]


@pytest.fixture(scope="session", params=VECTOR_FOLDERS)
def vectors(request):
    """The recorded numbers, of the repository and of the shared folder where there is one."""
    folder = VECTOR_FOLDERS[request.param]
    if not (folder / "policy.safetensors").is_file():
        pytest.skip(f"no recorded numbers at {folder}; set INSTRUCTVLA_SHARED to the folder that holds parity/")
    return Vectors(load_file(folder / "policy.safetensors"), json.loads((folder / "policy.json").read_text()))


class FakeModel:
    """A model that returns what a test puts into it and remembers what it was asked."""

    def __init__(self, chunk_length=16, num_views=1, uses_state=True, datasets=("sim",), has_reasoning=False):
        self.chunk_length = chunk_length
        self.num_views = num_views
        self.uses_state = uses_state
        self.datasets = datasets
        self.has_reasoning = has_reasoning
        self.actions = np.zeros((chunk_length, 7))
        self.words = ["I", "see", "a", "cup"]
        self.error = None
        self.acts = []
        self.reasonings = []
        self.questions = []
        self.on_word = lambda: None
        self.log = []

    def act(self, images, instruction, proprio=None, reasoning=None, noise=None, dataset=None, latent_actions=None):
        """Returns ``actions``."""
        self.log.append("act")
        self.acts.append(
            SimpleNamespace(
                images=images,
                instruction=instruction,
                proprio=proprio,
                reasoning=reasoning,
                noise=noise,
                dataset=dataset,
                latent_actions=latent_actions,
            )
        )
        if self.error:
            raise self.error
        latents = np.full((2, 3), len(self.acts)) if latent_actions is None else latent_actions
        return SimpleNamespace(actions=np.array(self.actions), latent_actions=latents)

    def reason(self, images, instruction, on_text=None, should_stop=None):
        """Says ``words`` one by one."""
        self.log.append("reason")
        self.reasonings.append(instruction)
        return self._speak(on_text, should_stop)

    def ask(self, images, question, on_text=None, should_stop=None):
        """Says ``words`` one by one."""
        self.log.append("ask")
        self.questions.append(question)
        return self._speak(on_text, should_stop)

    def _speak(self, on_text, should_stop):
        if self.error:
            raise self.error
        text = ""
        for word in self.words:
            text = f"{text} {word}".strip()
            self.on_word()
            if on_text:
                on_text(text)
            if should_stop and should_stop():
                break
        return SimpleNamespace(text=f"{text}<|im_end|>", words=text, token_ids=[])


class FakeChain:
    """Kinematics of an arm whose tip is where ``pose`` says."""

    def __init__(self, joint_names):
        self.joint_names = tuple(joint_names)
        self.pose = np.eye(4)
        self.asked = []

    def forward(self, q):
        """Returns ``pose``."""
        self.asked.append(np.array(q))
        return self.pose


class FakeClock:
    """A clock that moves when told to."""

    def __init__(self, now=0.0):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def fake_model():
    """The class of fake models."""
    return FakeModel


@pytest.fixture
def fake_chain():
    """The class of fake chains."""
    return FakeChain


@pytest.fixture
def fake_clock():
    """The class of fake clocks."""
    return FakeClock


@pytest.fixture(scope="session")
def profile():
    """The simulator's, with a chunk at every tick."""
    return replace(RobotProfile.load("sim"), execution=EnsembleExecution(7, 0.1))


@pytest.fixture(scope="session")
def frame():
    """A picture with something in it, (48, 64, 3)."""
    return np.random.default_rng(3).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.fixture
def joint_state_at(profile):
    """Makes joint states of the simulated arm."""

    def make(stamp, opening=1.0, **positions):
        names = (*profile.joints, profile.gripper.joint)
        values = {name: 0.1 * index for index, name in enumerate(profile.joints)}
        values[profile.gripper.joint] = profile.gripper.position(opening)
        return JointState(stamp, names, np.array([positions.get(name, values[name]) for name in names]))

    return make


@pytest.fixture
def observation_at(frame, joint_state_at):
    """Makes observations of the simulated arm."""

    def make(stamp, views=1, opening=1.0):
        return Observation(stamp, (frame,) * views, joint_state_at(stamp, opening))

    return make


@pytest.fixture
def make_policy(profile):
    """Makes policies around fake models; keyword arguments change the profile."""

    def make(model, seed=None, dataset=None, **changes):
        changed = replace(profile, **changes)
        return Policy(model, changed, FakeChain(changed.joints), dataset=dataset, seed=seed)

    return make
