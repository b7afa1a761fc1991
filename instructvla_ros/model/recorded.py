# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The model's steps as recordings that a GPU replays by itself: it would wait for Python longer than it computes.

A recording (CUDA graph) is a list of kernels with fixed shapes and places in memory. So inputs are copied to where they
were when it was made, prompts are padded to a few lengths behind their last token, which nothing before it sees, and a
reply's keys and values lie in memory of one size, whose unwritten part a mask hides. Recordings are made at load alone;
what fits none is computed step by step.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from instructvla_ros.model.decoder import DecoderSizes, KeyValueCache
from instructvla_ros.model.language import LanguageCaches

if TYPE_CHECKING:
    from instructvla_ros.model.instructvla import InstructVLA

LENGTH_STEP = 32
"""Prompts are padded to multiples of this many tokens."""

TEXT_ROOM = 160
"""Tokens of words, beside picture and queries, that a recorded prompt has room for at most."""

_REPLY_ROOM = 128  # tokens of a reply; longer ones are generated step by step
_WARM_UPS = 3  # before recording: libraries choose their kernels and reserve memory when first used
_FLOAT32_DIFFERENCE = 3e-4  # between what is recorded and what is not, of raw actions
_HALF_DIFFERENCE = 0.05  # the same in types of 16 bits, in which another order of sums shows more
_INSTRUCTION = "open the drawer"

_LOGGER = logging.getLogger(__name__)

Step = Callable[..., tuple[Tensor, ...]]
"""Tensors of fixed shapes in, tensors out."""


class Recorder(Protocol):
    """Makes recordings."""

    def record(self, step: Step, inputs: Sequence[Tensor]) -> tuple[Callable[[], None], tuple[Tensor, ...]]:
        """Record a step.

        Args:
            step: what is recorded.
            inputs: on which it works, also when it is replayed.

        Returns:
            What replays it, and the tensors that hold the outcome then.
        """


class CudaRecorder:
    """Recordings as CUDA graphs, which share their memory for what is in between.

    Args:
        device: the GPU, which need not be the process's usual one.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: Any = None

    def record(self, step: Step, inputs: Sequence[Tensor]) -> tuple[Callable[[], None], tuple[Tensor, ...]]:
        """As of :class:`Recorder`."""
        with torch.cuda.device(self._device):
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(_WARM_UPS):
                    step(*inputs)
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                outputs = step(*inputs)
        self._pool = self._pool or graph.pool()

        def replay() -> None:
            with torch.cuda.device(self._device):
                graph.replay()

        return replay, outputs


class Recording:
    """One recorded step; may be called from any thread.

    Args:
        recorder: makes it.
        step: what is recorded.
        inputs: of the right shapes and types; they are copied.
    """

    def __init__(self, recorder: Recorder, step: Step, *inputs: Tensor) -> None:
        self._inputs = [tensor.clone() for tensor in inputs]
        self._replay, self._outputs = recorder.record(step, self._inputs)
        self._lock = threading.Lock()

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The step's outcome for other values of the same shapes."""
        with self._lock:
            for place, tensor in zip(self._inputs, inputs, strict=True):
                place.copy_(tensor)
            self._replay()
            return tuple(tensor.clone() for tensor in self._outputs)


class FixedCache(KeyValueCache):
    """Keys and values of one reply, all of whose places are always there; its length has no meaning.

    Attributes:
        places: ``(T,)`` where the next keys and values go.
    """

    def __init__(self, sizes: DecoderSizes, capacity: int, like: Tensor) -> None:
        """As of ``KeyValueCache``."""
        super().__init__(sizes, capacity, like)
        self._store.zero_()  # what a mask hides must still be numbers
        self.places = torch.zeros(1, dtype=torch.long, device=like.device)

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Write a layer's ``(B, key_heads, T, head_width)`` and return all places' keys and values."""
        keys, values = self._store[layer, 0], self._store[layer, 1]  # (B, key_heads, capacity, head_width)
        keys.index_copy_(2, self.places, key)
        values.index_copy_(2, self.places, value)
        return keys, values


class RecordedSteps:
    """All steps of one model.

    Args:
        model: fused; its weights stay where they are from now on.
        recorder: makes the recordings.
        text_room: tokens of words that prompts have at most.
    """

    def __init__(self, model: "InstructVLA", recorder: Recorder, text_room: int = TEXT_ROOM) -> None:
        self._model = model
        sizes = model.sizes
        device, dtype = model.device, model.dtype
        longest = sizes.num_image_tokens + sizes.num_queries + text_room
        multiples = range(LENGTH_STEP, longest + LENGTH_STEP, LENGTH_STEP)
        self.lengths = tuple(length for length in multiples if length > sizes.num_image_tokens)
        self._capacity = self.lengths[-1] + _REPLY_ROOM
        width = sizes.language.decoder.width
        blank = torch.zeros(1, 1, width, device=device, dtype=dtype)
        adapted = FixedCache(sizes.language.decoder, self._capacity, blank)
        base = None if model.language.gate is None else FixedCache(sizes.language.decoder, self._capacity, blank)
        self._caches = LanguageCaches(base, adapted)
        self._fixed = [cache for cache in (base, adapted) if cache is not None]
        self._speaking = threading.Lock()
        pixels = torch.zeros(1, 3, sizes.image_tower.image_size, sizes.image_tower.image_size, device=device)
        self._encode = Recording(recorder, self._encode_step, pixels.to(torch.bfloat16))
        view = sizes.action_expert.vision.image_size
        given = [
            torch.zeros(1, sizes.num_views, 3, view, view, device=device),
            torch.zeros(1, sizes.num_queries, width, device=device, dtype=dtype),
            torch.zeros(1, model.chunk_length, model.action_size, device=device),
        ]
        if model.uses_state:
            given.append(torch.zeros(1, model.state_size, device=device))
        self._flow = Recording(recorder, self._flow_step, *given)
        self._read: dict[int, Recording] = {}
        self._begin: dict[int, Recording] = {}
        for length in self.lengths:
            embeddings = torch.zeros(1, length, width, device=device, dtype=dtype)
            last = torch.full((1,), length - 1, dtype=torch.long, device=device)
            self._read[length] = Recording(recorder, self._read_step, embeddings)
            self._begin[length] = Recording(recorder, self._begin_step, embeddings, last)
        self._go_on = Recording(
            recorder,
            self._go_on_step,
            torch.zeros(1, 1, dtype=torch.long, device=device),
            torch.full((1,), self.lengths[-1], dtype=torch.long, device=device),
        )

    def encode(self, pixels: Tensor) -> Tensor:
        """Image tokens ``(1, N, width)`` of ``(1, 3, S, S)`` pixels."""
        return self._encode(pixels)[0]

    def read(self, embeddings: Tensor) -> Tensor | None:
        """Hidden states ``(1, T, width)`` of a prompt's embeddings; None if it is too long."""
        count = embeddings.shape[1]
        length = self._length(count)
        if length is None:
            return None
        return self._read[length](self._padded(embeddings, length))[0][:, :count]

    def flow(self, pixels: Tensor, latents: Tensor, states: Tensor | None, noise: Tensor) -> Tensor:
        """Raw actions ``(1, H, 7)``: what the action expert sees, reads and integrates."""
        return self._flow(pixels, latents, noise, *(() if states is None else (states,)))[0]

    def generate(
        self, embeddings: Tensor, max_new_tokens: int, otherwise: Callable[[], Iterator[tuple[int, Tensor]]]
    ) -> Iterator[tuple[int, Tensor]]:
        """As ``InstructVLA.generate``.

        Args:
            embeddings: of the prompt, ``(1, T, width)``.
            max_new_tokens: tokens to generate at most.
            otherwise: generates in their place, where the texts may be too long or another reply is under way.
        """
        count = embeddings.shape[1]
        length = self._length(count)
        if length is None or count + max_new_tokens > self._capacity or not self._speaking.acquire(blocking=False):
            yield from otherwise()
            return
        try:
            last = torch.full((1,), count - 1, dtype=torch.long, device=embeddings.device)
            chosen, row = self._begin[length](self._padded(embeddings, length), last)
            for place in range(count, count + max_new_tokens):
                token = int(chosen)
                yield token, row
                if token in self._model.prompts.stop_ids or place + 1 == count + max_new_tokens:
                    return
                chosen, row = self._go_on(chosen, last.fill_(place))
        finally:
            self._speaking.release()

    def _length(self, count: int) -> int | None:
        return next((length for length in self.lengths if length >= count), None)

    @staticmethod
    def _padded(embeddings: Tensor, length: int) -> Tensor:
        return torch.nn.functional.pad(embeddings, (0, 0, 0, length - embeddings.shape[1]))

    # ---- what is recorded

    def _encode_step(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return (self._model.images(pixels),)

    def _read_step(self, embeddings: Tensor) -> tuple[Tensor, ...]:
        return (self._model.language(embeddings)[0],)

    def _flow_step(self, pixels: Tensor, latents: Tensor, noise: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        return (self._model.expert.act(pixels, latents, states[0] if states else None, noise),)

    def _begin_step(self, embeddings: Tensor, last: Tensor) -> tuple[Tensor, ...]:
        places = torch.arange(embeddings.shape[1], device=embeddings.device)
        return self._speak(embeddings, places, last)

    def _go_on_step(self, token: Tensor, place: Tensor) -> tuple[Tensor, ...]:
        return self._speak(self._model.language.embedding(token), place, torch.zeros_like(place))

    def _speak(self, embeddings: Tensor, places: Tensor, last: Tensor) -> tuple[Tensor, ...]:
        """The next token ``(1, 1)`` and the hidden state ``(width,)`` that it is read from."""
        for cache in self._fixed:
            cache.places = places
        everywhere = torch.arange(self._capacity, device=places.device)
        seen = (everywhere[None] <= places[:, None])[None, None]  # (1, 1, T, capacity)
        hidden, _ = self._model.language(embeddings, self._caches, seen, places[None])
        row = hidden[0].index_select(0, last)[0]  # (width,)
        return self._model.next_token(row).view(1, 1), row


@torch.no_grad()  # tensors of inference mode could not be written to outside of it
def record_steps(
    model: "InstructVLA", recorder: Recorder | None = None, text_room: int = TEXT_ROOM
) -> RecordedSteps | None:
    """Record a model's steps, and hold them against the steps themselves.

    Args:
        model: fused, on a GPU.
        recorder: makes the recordings; of CUDA graphs if None.
        text_room: tokens of words that recorded prompts have at most.

    Returns:
        None, after a warning, where they cannot be recorded or come out different.
    """
    try:
        steps = RecordedSteps(model, recorder or CudaRecorder(model.device), text_room)
        difference = _largest_difference(model, steps)
    except RuntimeError as error:
        _LOGGER.warning("steps cannot be recorded, and are computed one by one: %s", str(error).splitlines()[0])
        return None
    bound = _FLOAT32_DIFFERENCE if model.dtype == torch.float32 else _HALF_DIFFERENCE
    if not difference <= bound:
        _LOGGER.warning("recorded steps differ by %.2g (allowed: %.2g), and are not used", difference, bound)
        return None
    return steps


def _largest_difference(model: "InstructVLA", steps: RecordedSteps) -> float:
    """Between recorded steps and those themselves, in units of raw actions, for a picture of noise."""
    random = np.random.default_rng(0)
    frames = [random.integers(0, 256, (480, 640, 3), dtype=np.uint8) for _ in range(model.num_views)]
    pixels, views = model.language_pixels(frames), model.dino_pixels(frames)
    noise = torch.from_numpy(random.standard_normal((1, model.chunk_length, model.action_size))).float()
    noise = noise.to(model.device)
    states = torch.zeros(1, model.state_size, device=model.device) if model.uses_state else None
    tokens, recorded_tokens = model.images(pixels), steps.encode(pixels)
    prompt = model.prompts.for_action(_INSTRUCTION)
    plain = model.latent_actions(model.language(model.embed(prompt, tokens))[0], prompt)
    hidden = steps.read(model.embed(prompt, recorded_tokens))
    if hidden is None:
        raise RuntimeError("the shortest instruction is too long to be recorded")
    actions = model.expert.act(views, plain, states, noise)
    recorded = steps.flow(views, model.latent_actions(hidden, prompt), states, noise)
    differences = [float((actions - recorded).abs().max())]
    question = model.embed(model.prompts.for_reasoning(_INSTRUCTION), tokens)
    said = islice(model.generate(question, 2), 2)
    for (token, row), (recorded_token, recorded_row) in zip(said, steps.generate(question, 2, _nothing), strict=True):
        differences.append(float((row - recorded_row).abs().max() / row.abs().max()))
        if token != recorded_token:
            break  # two tokens of one score, to within rounding: what follows may differ
    return max(differences)


def _nothing() -> Iterator[tuple[int, Tensor]]:
    raise RuntimeError("the shortest question is too long to be recorded")
