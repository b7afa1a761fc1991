# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The policy of one robot: an observation goes in, an action chunk in metres and rotation vectors comes out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from instructvla_ros.policy.action_units import ACTION_UNITS
from instructvla_ros.policy.ensembling import AdaptiveEnsemble
from instructvla_ros.policy.gripper_rules import GripperState, plan_gripper
from instructvla_ros.policy.interfaces import Chain, Model, OnText, ShouldStop
from instructvla_ros.policy.profile import AsynchronousExecution, EnsembleExecution, RobotProfile
from instructvla_ros.policy.proprioception import PROPRIOCEPTION
from instructvla_ros.policy.splicing import ChunkSplicer
from instructvla_ros.robot.action_chunk import ActionChunk
from instructvla_ros.robot.joint_state import JointState

VIEWS = ("primary", "wrist")
"""The cameras that a model may take, in its order."""

_ACTION_WIDTH = 7
_WARM_UP_FRAME = (480, 640, 3)
_NO_KINEMATICS = "the checkpoint takes the robot's state, so the arm's kinematics must be given"


class PolicyError(RuntimeError):
    """Model, profile and robot do not fit, or the model's answer cannot be used."""


@dataclass(frozen=True, eq=False)
class Observation:
    """What the policy sees at one instant.

    Attributes:
        stamp: when the primary frame was taken [s]; the chunk that follows starts at this time.
        images: one frame a view in the order of ``VIEWS``, each ``(H, W, 3)`` uint8 RGB, heights and widths as the
            cameras have them.
        joint_state: positions of at least the arm's joints and the gripper's joint, in any order.
    """

    stamp: float
    images: tuple[np.ndarray, ...]  # each (H, W, 3)
    joint_state: JointState


class Policy:
    """One robot's policy. Not safe for use from several threads at once.

    Args:
        model: the network.
        profile: what the robot's numbers mean.
        chain: the arm's kinematics from the profile's base frame to its tip frame; None only for a model that takes no
            robot state, or without ``check_chain``.
        dataset: key into the model's statistics; the profile's by default.
        seed: makes the flow's start noise, and with it every chunk, repeatable: the noise of a chunk follows from the
            seed and the observation's stamp alone, whatever was seen before. None leaves it to the model.
        check_chain: False lets a policy be made before the arm's kinematics are known, to see whether model and profile
            fit and to warm up; acting with a model that takes the robot's state is refused then.
        clock: for durations [s].

    Raises:
        PolicyError: if model, profile and chain do not fit together.
    """

    def __init__(
        self,
        model: Model,
        profile: RobotProfile,
        chain: Chain | None,
        dataset: str | None = None,
        seed: int | None = None,
        check_chain: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.profile = profile
        self._model = model
        self._chain = chain
        self._dataset = dataset or profile.dataset
        self._clock = clock
        self._seed = seed
        self._units = ACTION_UNITS[profile.action_units]
        self._check_fit()
        if check_chain:
            self._check_chain()
        self._ensemble: AdaptiveEnsemble | None = None
        if isinstance(profile.execution, EnsembleExecution):
            self._ensemble = AdaptiveEnsemble(profile.execution.window, profile.execution.alpha, profile.period)
        self._splicer: ChunkSplicer | None = None
        if isinstance(profile.execution, AsynchronousExecution):
            self._splicer = ChunkSplicer(profile.period, profile.execution.blend)
        self.last_owed = np.zeros(6)
        """What the newest chunk had to make up for under asynchronous execution, translation [m] and rotation [rad]."""
        self._epoch = 0
        self._sequence = 0
        self._instruction = ""
        self._reasoning: str | None = None
        self._reasoning_stamp: float | None = None
        self._chunk_stamp: float | None = None
        self._gripper_stamp: float | None = None
        self._gripper_before = GripperState(opening=0.0)
        self._intent: _Intent | None = None
        self._gripper_plan: list[GripperState] = []

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the cameras that the model takes, in its order."""
        return VIEWS[: self._model.num_views]

    @property
    def reasons_by_default(self) -> bool:
        """Whether the model was trained to speak before it acts."""
        return self._model.has_reasoning

    @property
    def epoch(self) -> int:
        """The running epoch; 0 before the first."""
        return self._epoch

    @property
    def instruction(self) -> str:
        """The instruction of the running epoch, as it was given."""
        return self._instruction

    @property
    def reasoning(self) -> str | None:
        """What the model said in this epoch and acts upon, special tokens included; None if it said nothing."""
        return self._reasoning

    def reseed(self, seed: int) -> None:
        """Draws the flow's start noise from another seed from now on."""
        self._seed = seed

    def start_epoch(self, instruction: str) -> int:
        """Begins to follow an instruction: past predictions, gripper state and reasoning are forgotten.

        Epoch numbers are wall-clock nanoseconds, made to grow strictly: the first epoch of a restarted process is above
        the last one of its predecessor as long as the wall clock was not set back over the restart.

        Returns:
            The number of the new epoch.
        """
        self._epoch = max(time.time_ns(), self._epoch + 1)
        self._sequence = 1  # 0 is the empty chunk that opens an epoch
        self._instruction = instruction
        self._reasoning = self._reasoning_stamp = None
        self._chunk_stamp = self._gripper_stamp = None
        self._gripper_plan = []
        self._intent = None
        if self._ensemble is not None:
            self._ensemble.reset()
        if self._splicer is not None:
            self._splicer.reset()
        return self._epoch

    def is_due(self, stamp: float) -> bool:
        """Whether an observation of this stamp calls for a chunk under the profile's execution mode.

        Ensembling wants one at every tick. The other modes want one when their steps have passed since the last, to the
        nearest period.
        """
        if self._chunk_stamp is None or isinstance(self.profile.execution, EnsembleExecution):
            return True
        elapsed = round((stamp - self._chunk_stamp) / self.profile.period)
        return elapsed < 0 or elapsed >= self.profile.execution.steps

    def reason(
        self, observation: Observation, on_text: OnText | None = None, should_stop: ShouldStop | None = None
    ) -> str:
        """Lets the model say what it is about to do; the chunks that follow are conditioned on it.

        Args:
            observation: what the model speaks of.
            on_text: called with the text so far, as it grows.
            should_stop: asked after every token; when it returns True, the text so far is returned and not acted upon.

        Returns:
            The model's words, without special tokens.
        """
        stop = _StopOnce(should_stop)
        thought = self.think(observation.images, self._instruction, on_text, stop)
        if not stop.stopped:
            self.adopt(thought.text, observation.stamp)
        return thought.words

    def think(
        self,
        images: Sequence[np.ndarray],
        instruction: str,
        on_text: OnText | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Any:
        """Lets the model speak about an instruction; changes nothing here, so that any thread may call it.

        Args:
            images: frames ``(H, W, 3)`` uint8 RGB that it speaks of.
            instruction: as it was given.
            on_text: called with the text so far, as it grows.
            should_stop: asked after every token.

        Returns:
            What the model returns: ``text`` for :meth:`adopt` and ``words`` for people.
        """
        prompted = self._prompted(instruction)
        return self._model.reason(self._images(images), prompted, on_text=on_text, should_stop=should_stop)

    def adopt(self, text: str, stamp: float) -> None:
        """Conditions the chunks that follow on what the model said.

        Args:
            text: special tokens included.
            stamp: of the observation that it speaks of [s].
        """
        self._reasoning, self._reasoning_stamp = text, stamp

    def ask(
        self,
        images: Sequence[np.ndarray],
        question: str,
        on_text: OnText | None = None,
        should_stop: ShouldStop | None = None,
    ) -> str:
        """Answers a free question about the frames, ``(H, W, 3)`` uint8 RGB each; changes nothing in the epoch."""
        return self._model.ask(self._images(images), question, on_text=on_text, should_stop=should_stop).words

    def act(self, observation: Observation, now: float | None = None) -> ActionChunk:
        """Makes the next chunk of the epoch.

        Args:
            observation: frames and joint state, checked for age by the caller.
            now: the present on the clock of the stamps [s]; if None no time passes between the observation and the
                chunk. An observation stamped later, by clocks that differ or since it came before a told clock's time,
                is as new as can be.

        Returns:
            The chunk, stamped with the observation, deltas in the profile's base frame.

        Raises:
            PolicyError: if no epoch was started, or the model's actions have a wrong shape or are not finite.
            JointStateError: if the joint state lacks a joint or holds a value that is not finite.
        """
        if not self._epoch:
            raise PolicyError("act was called before start_epoch: there is no instruction to follow")
        started = self._clock()
        present = observation.stamp if now is None else max(now, observation.stamp)
        opening = self._measured_opening(observation.joint_state)
        intent = self._intent_for(observation.stamp)
        output = self._model.act(
            self._images(observation.images),
            self._prompted(self._instruction),
            proprio=self._proprioception(observation.joint_state, opening),
            reasoning=self._reasoning,
            noise=self._noise(observation.stamp),
            dataset=self._dataset,
            latent_actions=None if intent is None else intent.latent_actions,
        )
        if self.profile.acts_per_latent > 1:
            self._intent = intent or _Intent(output.latent_actions, observation.stamp, self._reasoning)
            self._intent.acts += 1
        actions = self._checked(output.actions)
        inference_time = self._clock() - started
        if self._ensemble is not None:
            actions = self._ensemble.add(observation.stamp, actions)
        translations, rotations = self._units.to_metric(actions)
        if self._splicer is not None:
            # told in the chunk, by which scoring a recording comes to the same steps
            takeover = present if now is None else present + inference_time
            steps, self.last_owed = self._splicer.join(
                observation.stamp, takeover, np.concatenate((translations, rotations), axis=1)
            )
            translations, rotations = steps[:, :3], steps[:, 3:]
        chunk = ActionChunk(
            stamp=observation.stamp,
            frame=self.profile.base_frame,
            epoch=self._epoch,
            sequence=self._sequence,
            period=self.profile.period,
            translations=translations,
            rotations=rotations,
            grippers=self._openings(observation.stamp, actions[:, 6], opening),
            delta_reference=self.profile.delta_reference,
            instruction=self._instruction,
            joint_state_stamp=observation.joint_state.stamp,
            reasoning_stamp=self._reasoning_stamp,
            observation_age=present - observation.stamp,
            inference_time=inference_time,
        )
        self._sequence += 1
        self._chunk_stamp = observation.stamp
        return chunk

    def warm_up(self, frame_shape: tuple[int, int, int] = _WARM_UP_FRAME) -> float:
        """Runs the model once on frames of noise, so that the first real chunk is not late; the result is thrown away.

        Args:
            frame_shape: ``(H, W, 3)`` of the cameras' frames.

        Returns:
            How long it took [s].
        """
        started = self._clock()
        noise = np.random.default_rng(0)
        images = [noise.integers(0, 256, frame_shape, dtype=np.uint8) for _ in self.views]
        proprio = np.zeros(8) if self._model.uses_state else None
        output = self._model.act(self._images(images), "warm up", proprio=proprio, dataset=self._dataset)
        self._checked(output.actions)
        return self._clock() - started

    def _intent_for(self, stamp: float) -> "_Intent | None":
        """Latent actions to be acted on again; None where they are used up, too old, or of other words."""
        intent = self._intent
        if intent is None or intent.acts >= self.profile.acts_per_latent or intent.reasoning != self._reasoning:
            return None
        return intent if 0.0 <= stamp - intent.stamp <= self.profile.ages.image else None

    def _check_fit(self) -> None:
        model, profile = self._model, self.profile
        if not 1 <= model.num_views <= len(VIEWS):
            raise PolicyError(f"the model takes {model.num_views} views; the policy knows {', '.join(VIEWS)}")
        if self._dataset not in model.datasets:
            raise PolicyError(
                f"the checkpoint has no statistics for dataset {self._dataset!r}; it has {', '.join(model.datasets)}. "
                f"Set dataset in the profile of {profile.name} or give another one"
            )
        if not isinstance(profile.execution, EnsembleExecution) and profile.execution.steps > model.chunk_length:
            raise PolicyError(
                f"the profile of {profile.name} executes the first {profile.execution.steps} steps of each chunk, but "
                f"the checkpoint's chunks have {model.chunk_length}"
            )

    def _check_chain(self) -> None:
        profile = self.profile
        if self._chain is None:
            if self._model.uses_state:
                raise PolicyError(_NO_KINEMATICS)
        elif set(self._chain.joint_names) != set(profile.joints):
            raise PolicyError(
                f"between {profile.base_frame} and {profile.tip_frame} the robot description has the joints "
                f"{', '.join(self._chain.joint_names)}, but the profile of {profile.name} names "
                f"{', '.join(profile.joints)}"
            )

    def _prompted(self, instruction: str) -> str:
        return instruction.lower() if self.profile.lower_case_instruction else instruction

    def _images(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        if len(images) != self._model.num_views:
            raise PolicyError(f"the checkpoint takes {self._model.num_views} views, got {len(images)} frames")
        return list(images)

    def _measured_opening(self, joint_state: JointState) -> float:
        positions, _ = joint_state.select((self.profile.gripper.joint,))
        return float(self.profile.gripper.opening(positions[0]))

    def _proprioception(self, joint_state: JointState, opening: float) -> np.ndarray | None:
        if not self._model.uses_state:
            return None
        if self._chain is None:
            raise PolicyError(_NO_KINEMATICS)
        source = self.profile.interface.end_effector_pose
        if source.is_measured:
            if joint_state.end_effector is None:
                raise PolicyError(f"the end effector's pose is missing: the profile says that it comes {source}")
            return PROPRIOCEPTION[self.profile.proprioception](joint_state.end_effector, opening)
        positions, _ = joint_state.select(self._chain.joint_names)
        return PROPRIOCEPTION[self.profile.proprioception](self._chain.forward(positions), opening)

    def _noise(self, stamp: float) -> np.ndarray | None:
        if self._seed is None:
            return None
        random = np.random.default_rng((self._seed, int(np.float64(stamp).view(np.uint64))))
        return random.standard_normal((self._model.chunk_length, _ACTION_WIDTH)).astype(np.float32)

    def _checked(self, actions: Any) -> np.ndarray:
        actions = np.asarray(actions, dtype=np.float64)
        expected = (self._model.chunk_length, _ACTION_WIDTH)
        if actions.shape != expected:
            raise PolicyError(f"the model's actions have the shape {actions.shape}, expected {expected}")
        if not np.isfinite(actions).all():
            step, number = np.argwhere(~np.isfinite(actions))[0]
            raise PolicyError(
                f"the model's action is not finite: number {number} of step {step} is {actions[step, number]}"
            )
        return actions

    def _openings(self, stamp: float, values: np.ndarray, measured: float) -> np.ndarray:
        """Follows the gripper rule through a chunk, starting where the steps since the last chunk have left it."""
        if self._gripper_stamp is None:
            self._gripper_before, self._gripper_stamp = GripperState(opening=measured), stamp
        else:
            executed = round((stamp - self._gripper_stamp) / self.profile.period)
            if executed > len(self._gripper_plan):
                self._gripper_before, self._gripper_stamp = self._gripper_plan[-1], stamp
            elif executed > 0:  # chunks may come more often than steps: only whole steps count as executed
                self._gripper_before = self._gripper_plan[executed - 1]
                self._gripper_stamp += executed * self.profile.period
        self._gripper_plan = plan_gripper(self.profile.gripper_rule, self._gripper_before, values)
        return np.array([state.opening for state in self._gripper_plan])


@dataclass(eq=False)
class _Intent:
    """Latent actions, the observation and the words that they are of, and how many acts have followed them."""

    latent_actions: np.ndarray
    stamp: float
    reasoning: str | None
    acts: int = 0


class _StopOnce:
    """Remembers that it asked to stop."""

    def __init__(self, should_stop: ShouldStop | None) -> None:
        self._should_stop = should_stop
        self.stopped = False

    def __call__(self) -> bool:
        if not self.stopped and self._should_stop is not None:
            self.stopped = self._should_stop()
        return self.stopped
