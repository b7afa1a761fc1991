# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""InstructVLA: a vision language model that reasons in words and acts through latent actions.

One class serves all published kinds: Expert (one adapter) and Generalist (a mixture of two), with and without robot
state, one view and two. What a model is follows from its checkpoint.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from instructvla_ros.model.action_expert import ActionExpert
from instructvla_ros.model.checkpoint import load_weights, open_checkpoint
from instructvla_ros.model.fused import FusedDecoder
from instructvla_ros.model.images import centre_crop, check_images, dino_pixels, language_pixels
from instructvla_ros.model.int8 import Int8Linear
from instructvla_ros.model.language import LanguageCaches, LanguageModel
from instructvla_ros.model.losses import Losses, training_losses
from instructvla_ros.model.prompt import REPLY_TOKENS, Prompt, Prompts
from instructvla_ros.model.recall import Memory, Recall, shared_length
from instructvla_ros.model.recorded import RecordedSteps, Recorder, record_steps
from instructvla_ros.model.run_folder import VIEWS, RunFolder
from instructvla_ros.model.settings import CheckpointError, Settings
from instructvla_ros.model.sizes import ModelSizes, embedding_rows, read_sizes
from instructvla_ros.model.statistics import Statistics, clip_and_close
from instructvla_ros.model.tokenizer import choose_base_folder
from instructvla_ros.model.vision import ImageEncoder

REASONING_TOKENS = 50
_ROOM_AFTER_REPLY = 8  # tokens, besides the queries, that acting may put behind a reply
ANSWER_TOKENS = REPLY_TOKENS


class Finish(Enum):
    """Why a text ended."""

    END_OF_TEXT = "end of text"
    LATENT_ACTIONS = "the model went on to its latent actions"
    TOKEN_LIMIT = "token limit"
    STOPPED = "stopped by the caller"


@dataclass(frozen=True)
class Thought:
    """What the model said.

    Attributes:
        text: the text as `act` takes it; special tokens stay in it, but the first meta query ends it.
        words: the text for people, without special tokens.
        token_ids: the tokens as they were generated, with the one that ended the text.
        finish: why the text ended.
    """

    text: str
    words: str
    token_ids: list[int]
    finish: Finish


@dataclass(frozen=True, eq=False)
class ActionOutput:
    """What the model wants the robot to do.

    Attributes:
        raw: `(H, 7)` float32, end of the flow.
        normalized: `(H, 7)` float32, clipped to -1..1, gripper 0 or 1.
        actions: `(H, 7)` float64 in the dataset's units.
        latent_actions: `(64, D)` float32, hidden states of the meta queries.
    """

    raw: np.ndarray
    normalized: np.ndarray
    actions: np.ndarray
    latent_actions: np.ndarray


class InstructVLA(nn.Module):
    """The network with its prompts and statistics. Safe to use from several threads at once.

    Attributes:
        sizes: widths, depths and the like.
        prompts: the tokenizer and the prompt's form.
        statistics: of the datasets.
        images: the language model's eyes.
        language: the language model.
        expert: the action expert.
        crop_frames: whether frames are cropped as models trained with image augmentation expect.
        recorded: the steps that a GPU replays by itself; None without.
    """

    def __init__(self, sizes: ModelSizes, prompts: Prompts, statistics: Statistics, crop_frames: bool = False) -> None:
        """Build the network with untrained weights; `from_pretrained` is the way to a trained one."""
        super().__init__()
        self.sizes = sizes
        self.prompts = prompts
        self.statistics = statistics
        self.crop_frames = crop_frames
        self.images = ImageEncoder(
            sizes.image_tower, sizes.shuffle_block, sizes.projector_widths, sizes.image_positions
        )
        self.language = LanguageModel(sizes.language)
        self.expert = ActionExpert(sizes.action_expert)
        self._recall = Recall()
        self.recorded: RecordedSteps | None = None

    @classmethod
    def from_pretrained(
        cls,
        run_dir: str | os.PathLike[str],
        base_vlm: str | os.PathLike[str] | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        num_views: int | None = None,
        centre_crop: bool | None = None,
    ) -> "InstructVLA":
        """Load a run folder.

        Args:
            run_dir: the run folder, or one `.pt` file in its `checkpoints` folder; the newest checkpoint is taken.
            base_vlm: folder with the base model's configuration and tokenizer; by default the one that the run names,
                or one inside or beside the run: the one whose tokenizer fits the checkpoint.
            device: where the weights live.
            dtype: type of the weights and of most arithmetic.
            num_views: camera views, 1 or 2; by default two for LIBERO runs, else one.
            centre_crop: whether to crop frames to 0.9 of their area; by default if training augmented images.

        Raises:
            CheckpointError: names the file or key that is missing, broken or does not fit.
        """
        run = RunFolder.open(Path(run_dir))
        base_folders = run.base_folders(base_vlm)
        views = run.num_views if num_views is None else num_views
        if views not in VIEWS:
            raise ValueError(f"num_views must be 1 or 2, got {views}")
        tensors = open_checkpoint(run.checkpoint)
        try:
            base, tokenizers = choose_base_folder(base_folders, run.num_queries, embedding_rows(tensors))
            sizes = read_sizes(tensors, run, Settings.read(base / "config.json"), views)
            prompts = Prompts(base, sizes.num_queries, sizes.num_image_tokens, tokenizers)
            crop = run.image_augmentation if centre_crop is None else centre_crop
            with torch.device("meta"):
                model = cls(sizes, prompts, Statistics(run.statistics), crop)
            load_weights(model, sizes, tensors, torch.device(device), dtype, mapped=True)
        except CheckpointError as error:
            raise CheckpointError(f"{run.checkpoint}: {error}") from error
        return model.eval()

    def fuse(self, int8: bool = False) -> "InstructVLA":
        """Bring both decoders into the form that runs fastest, see `fused`; no training or saving after that.

        Args:
            int8: whether the language model's weights are kept in 8 bits, for a CPU. The action expert keeps its own.

        Returns:
            The model itself.

        Raises:
            ValueError: for 8 bits elsewhere than on a CPU, or of a model that is fused without them already.
        """
        if int8 and self.device.type != "cpu":
            raise ValueError(f"weights in 8 bits are for a CPU, and the model is on {self.device}: use bfloat16 there")
        language, expert = self.language, self.expert
        if isinstance(language.decoder, FusedDecoder):
            if int8 and not isinstance(language.head, Int8Linear):
                raise ValueError("this model is fused already, with weights as they were: load it anew for 8 bits")
            return self
        with torch.no_grad():
            language.decoder = FusedDecoder(language.decoder, merged=language.gate is None, int8=int8)
            if int8:
                language.head = Int8Linear(language.head.weight, None)  # type: ignore[assignment]
            expert.decoder = FusedDecoder(expert.decoder, merged=True)
        return self

    def record(self, recorder: Recorder | None = None) -> "InstructVLA":
        """Let a GPU replay the steps by itself, see `recorded`; weights must not be replaced after that.

        Where steps cannot be recorded, or come out different, a warning says so and all stays as it is.

        Args:
            recorder: makes the recordings; of CUDA graphs if None.

        Returns:
            The model itself.
        """
        self.recorded = record_steps(self, recorder)
        return self

    @property
    def chunk_length(self) -> int:
        """Actions of a chunk."""
        return self.sizes.action_expert.chunk_length

    @property
    def action_size(self) -> int:
        """Numbers of an action."""
        return self.sizes.action_expert.action_size

    @property
    def num_views(self) -> int:
        """Frames of an observation."""
        return self.sizes.num_views

    @property
    def uses_state(self) -> bool:
        """Whether `act` needs the robot state."""
        return self.sizes.action_expert.state_widths is not None

    @property
    def state_size(self) -> int:
        """Numbers of the robot state, 0 without."""
        widths = self.sizes.action_expert.state_widths
        return widths[0] if widths else 0

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets whose statistics the model has."""
        return self.statistics.datasets

    @property
    def has_reasoning(self) -> bool:
        """Whether the model was trained to reason in words: it has a mixture of adapters."""
        return self.language.gate is not None

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return self.language.embedding.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return self.language.embedding.weight.dtype

    @torch.inference_mode()
    def reason(
        self,
        images: Sequence[np.ndarray],
        instruction: str,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        max_new_tokens: int = REASONING_TOKENS,
    ) -> Thought:
        """Say in words what the instruction means in this scene.

        Args:
            images: uint8 RGB frames `(H, W, 3)`, third-person view first.
            instruction: what the robot should do.
            on_text: is called after each token with the words so far.
            should_stop: is asked before each token; True ends the text.
            max_new_tokens: length at which the text is cut.

        Raises:
            ValueError: names what is wrong with the frames or the instruction.
        """
        prompt = self.prompts.for_reasoning(instruction)
        return self._reply(images, prompt, on_text, should_stop, max_new_tokens)

    @torch.inference_mode()
    def ask(
        self,
        images: Sequence[np.ndarray],
        question: str,
        on_text: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        max_new_tokens: int = ANSWER_TOKENS,
    ) -> Thought:
        """Answer a free question about the picture; arguments and errors as for `reason`."""
        prompt = self.prompts.for_question(question)
        return self._reply(images, prompt, on_text, should_stop, max_new_tokens)

    @torch.inference_mode()
    def act(
        self,
        images: Sequence[np.ndarray],
        instruction: str,
        proprio: Sequence[float] | np.ndarray | None = None,
        reasoning: str | None = None,
        noise: np.ndarray | Tensor | None = None,
        dataset: str | None = None,
        latent_actions: np.ndarray | None = None,
    ) -> ActionOutput:
        """Choose the next actions.

        Args:
            images: uint8 RGB frames `(H, W, 3)`, third-person view first.
            instruction: what the robot should do.
            proprio: the robot state in the dataset's units, for models that use it; ignored by others.
            reasoning: `text` of a thought to act on; None to act at once.
            noise: `(H, 7)` start of the flow; random if None.
            dataset: whose statistics to use; needed where there are several.
            latent_actions: `(L, D)` of an output shortly before, to be acted on again: the action expert looks at these
                images, the language model does not. None to make new ones.

        Raises:
            ValueError: names what is wrong with the frames, the texts, the robot state, the noise or the latents.
            UnknownDatasetError: names the known datasets.
        """
        percentiles = self.statistics.action(dataset, self.action_size)
        states = self.normalize_state(proprio, dataset)
        start = self._start_noise(noise)
        frames = self.prepare_frames(images)
        prompt = self.prompts.for_action(instruction, reasoning)
        latents = self._latents(prompt, images, frames) if latent_actions is None else self._given(latent_actions)
        raw = self._flow(self.dino_pixels(frames), latents, states, start)[0].cpu().numpy()
        normalized = clip_and_close(raw)
        return ActionOutput(
            raw=raw,
            normalized=normalized,
            actions=percentiles.unnormalize(normalized.astype(np.float64)),
            latent_actions=latents[0].to(torch.float32).cpu().numpy(),
        )

    def losses(
        self,
        images: Sequence[Sequence[np.ndarray]],
        prompts: Sequence[Prompt],
        actions: Tensor | None = None,
        states: Tensor | None = None,
        noise: Tensor | None = None,
        time: Tensor | None = None,
    ) -> Losses:
        """Training losses of a batch; see `losses.training_losses`."""
        return training_losses(self, images, prompts, actions, states, noise, time)

    def prepare_frames(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Check the frames of an observation and crop them where training did.

        Raises:
            ValueError: names what is wrong with which frame.
        """
        frames = check_images(images, self.num_views)
        return [centre_crop(frame) for frame in frames] if self.crop_frames else frames

    def encode_images(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Encode prepared frames of one observation into `(1, image tokens, width)`."""
        pixels = self.language_pixels(frames)
        return self.images(pixels) if self.recorded is None else self.recorded.encode(pixels)

    def language_pixels(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Pixels `(1, 3, S, S)` of prepared frames for the language model's eyes."""
        return language_pixels(frames, self.sizes.image_tower.image_size).to(self.device)

    def dino_pixels(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Pixels `(1, V, 3, S, S)` of prepared frames for the action vision."""
        return dino_pixels(frames, self.sizes.action_expert.vision.image_size).to(self.device).unsqueeze(0)

    def embed(self, prompt: Prompt, image_tokens: Tensor) -> Tensor:
        """Embed one prompt `(1, T, width)`, with `(1, image tokens, width)` in the place of its image tokens."""
        ids = torch.tensor([prompt.ids], device=self.device)
        embeddings = self.language.embedding(ids)
        end = prompt.image_start + image_tokens.shape[1]
        return torch.cat((embeddings[:, : prompt.image_start], image_tokens, embeddings[:, end:]), dim=1)

    def latent_actions(self, hidden: Tensor, prompt: Prompt) -> Tensor:
        """The latent actions `(1, L, width)` in the hidden states `(1, T, width)` of an action prompt."""
        start = prompt.query_starts[-1]
        return hidden[:, start : start + self.sizes.num_queries]

    def normalize_state(self, proprio: Sequence[float] | np.ndarray | None, dataset: str | None) -> Tensor | None:
        """Normalise a robot state.

        Returns:
            `(1, state size)` float32, rounded to bfloat16 as in training; None if the model uses no state.

        Raises:
            ValueError: if the state is needed and missing, of another length or not finite.
        """
        if not self.uses_state:
            return None
        if proprio is None:
            raise ValueError(f"this model needs proprio: the robot state of {self.state_size} numbers")
        values = np.asarray(proprio, dtype=np.float64)
        if values.shape != (self.state_size,):
            raise ValueError(f"proprio must hold {self.state_size} numbers, its shape is {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError(f"proprio must be finite, got {values.tolist()}")
        normalized = self.statistics.proprio(dataset, self.state_size).normalize(values)
        state = torch.from_numpy(normalized).to(torch.float32).to(torch.bfloat16).to(torch.float32)
        return state.unsqueeze(0).to(self.device)

    def generate(
        self, embeddings: Tensor, max_new_tokens: int, caches: LanguageCaches | None = None
    ) -> Iterator[tuple[int, Tensor]]:
        """Continue a prompt greedily, token by token, until the text ends by itself or reaches its limit.

        Args:
            embeddings: of the prompt, `(1, T, width)`.
            max_new_tokens: tokens to generate at most.
            caches: empty ones with room for all; afterwards they hold all tokens but the last, or, where recorded steps
                were used, nothing.

        Returns:
            Each token, the one that ends the text too, and the hidden state `(width,)` that it was read from.
        """
        if self.recorded is None:
            return self._generate(embeddings, max_new_tokens, caches)
        return self.recorded.generate(
            embeddings, max_new_tokens, lambda: self._generate(embeddings, max_new_tokens, caches)
        )

    def _generate(
        self, embeddings: Tensor, max_new_tokens: int, caches: LanguageCaches | None
    ) -> Iterator[tuple[int, Tensor]]:
        caches = caches or self.language.caches(embeddings.shape[1] + max_new_tokens, embeddings)
        for _ in range(max_new_tokens):
            hidden, _ = self.language(embeddings, caches)
            last = hidden[0, -1]  # (width,)
            token = int(self.next_token(last))
            yield token, last
            if token in self.prompts.stop_ids:
                return
            embeddings = self.language.embedding(torch.tensor([[token]], device=self.device))  # (1, 1, width)

    def next_token(self, hidden: Tensor) -> Tensor:
        """The likeliest token, without dimensions, after a hidden state `(width,)`."""
        # rows that pad the head stand for no token
        return self.language.head(hidden)[: self.prompts.vocabulary].argmax()

    def _reply(
        self,
        images: Sequence[np.ndarray],
        prompt: Prompt,
        on_text: Callable[[str], None] | None,
        should_stop: Callable[[], bool] | None,
        max_new_tokens: int,
    ) -> Thought:
        frames = self.prepare_frames(images)
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
        left = self.prompts.context - len(prompt.ids)
        if max_new_tokens > left:
            raise ValueError(f"max_new_tokens is {max_new_tokens}; the model's context has room for {left} tokens")
        ids: list[int] = []
        finish = Finish.TOKEN_LIMIT
        image_tokens = self.encode_images(frames)
        embeddings = self.embed(prompt, image_tokens)
        room = embeddings.shape[1] + max_new_tokens + self.sizes.num_queries + _ROOM_AFTER_REPLY
        caches = self.language.caches(room, embeddings)
        tokens = self.generate(embeddings, max_new_tokens, caches)
        while not (should_stop is not None and should_stop()):
            token, _ = next(tokens, (None, None))
            if token is None:
                break
            ids.append(token)
            if token == self.prompts.query_ids[0]:
                finish = Finish.LATENT_ACTIONS
            elif token in self.prompts.end_ids:
                finish = Finish.END_OF_TEXT
            if on_text is not None:
                on_text(self.prompts.words(ids))
        else:
            finish = Finish.STOPPED
        known = (*prompt.ids, *ids)[: caches.adapted.length]
        self._recall.keep(Memory(tuple(images), image_tokens, known, caches, room))
        return Thought(self.prompts.text(ids), self.prompts.words(ids), ids, finish)

    def _latents(self, prompt: Prompt, images: Sequence[np.ndarray], frames: Sequence[np.ndarray]) -> Tensor:
        """Latent actions `(1, L, width)` of an action prompt, on from the last reply if it was about these images."""
        memory = self._recall.take(images)
        if memory is None:
            return self._read_latents(prompt, self.encode_images(frames))
        start = prompt.query_starts[-1]
        end = start + self.sizes.num_queries
        known = min(shared_length(memory.ids, prompt.ids), start)
        if known <= prompt.image_start + memory.image_tokens.shape[1] or end > memory.room:
            return self._read_latents(prompt, memory.image_tokens)
        memory.caches.shorten(known)
        rest = self.language.embedding(torch.tensor([prompt.ids[known:end]], device=self.device))  # (1, T', width)
        hidden, _ = self.language(rest, memory.caches)
        return hidden[:, start - known :]

    def _read_latents(self, prompt: Prompt, image_tokens: Tensor) -> Tensor:
        embeddings = self.embed(prompt, image_tokens)
        hidden = None if self.recorded is None else self.recorded.read(embeddings)
        if hidden is None:
            hidden, _ = self.language(embeddings)
        return self.latent_actions(hidden, prompt)

    def _flow(self, pixels: Tensor, latents: Tensor, states: Tensor | None, noise: Tensor) -> Tensor:
        flow = self.expert.act if self.recorded is None else self.recorded.flow
        return flow(pixels, latents, states, noise)

    def _given(self, latent_actions: np.ndarray) -> Tensor:
        shape = (self.sizes.num_queries, self.sizes.language.decoder.width)
        if latent_actions.shape != shape:
            raise ValueError(f"latent_actions must have the shape {shape}, got {latent_actions.shape}")
        return torch.as_tensor(latent_actions).unsqueeze(0).to(device=self.device, dtype=self.dtype)  # (1, L, D)

    def _start_noise(self, noise: np.ndarray | Tensor | None) -> Tensor:
        shape = (self.chunk_length, self.action_size)
        if noise is None:
            return torch.randn(1, *shape).to(self.device)
        start = torch.as_tensor(noise, dtype=torch.float32)
        if start.shape != shape:
            raise ValueError(f"noise must have the shape {shape}, got {tuple(start.shape)}")
        if not torch.isfinite(start).all():
            raise ValueError("noise must be finite")
        return start.unsqueeze(0).to(self.device)
