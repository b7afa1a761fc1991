# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The action expert: latent actions, a fresh look at the image, robot state and noise in; an action chunk out.

A vision tower conditioned on the latent actions (FiLM) looks at each view. Its tokens, the latent actions and the robot
state form a context; a small transformer reads context and noisy actions together and says in which direction the
actions should flow. Integrating that from noise gives the chunk (flow matching).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from instructvla_ros.model.decoder import Decoder, DecoderSizes, KeyValueCache
from instructvla_ros.model.vision import VisionSizes, VisionTransformer

TIME_PERIOD = 100.0
EULER_STEPS = 10
OFFICIAL_MASK = "additive"
TRUE_MASK = "block_causal"


@dataclass(frozen=True)
class ActionExpertSizes:
    """Sizes of the action expert.

    Attributes:
        decoder: the transformer.
        vision: the FiLM vision tower.
        chunk_length: actions of a chunk.
        action_size: numbers of an action.
        state_widths: widths of the robot state's encoder from input to output, None without state.
        visual_widths: widths of the visual projector from input to output.
        latent_widths: widths of the latent actions' projector from input to output.
        head_widths: widths of the action head from input to output.
        mask: ``additive`` (published checkpoints) or ``block_causal``, see ``ActionExpert``.
    """

    decoder: DecoderSizes
    vision: VisionSizes
    chunk_length: int
    action_size: int
    state_widths: tuple[int, ...] | None
    visual_widths: tuple[int, ...]
    latent_widths: tuple[int, ...]
    head_widths: tuple[int, ...]
    mask: str = OFFICIAL_MASK


@dataclass(frozen=True)
class Context:
    """What the noisy actions are read with.

    Attributes:
        tokens: ``(B, N, width)``: vision, then latent actions, then state.
        num_vision: how many of them are vision tokens.
    """

    tokens: Tensor
    num_vision: int


def silu_mlp(widths: tuple[int, ...]) -> nn.Sequential:
    """Linear layers of these widths with SiLU in between."""
    parts: list[nn.Module] = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        parts += [nn.Linear(inputs, outputs), nn.SiLU()]
    return nn.Sequential(*parts[:-1])


def time_embedding(time: Tensor, width: int) -> Tensor:
    """Sines, then cosines, of ``(B,)`` flow times at ``width / 2`` frequencies from 1 down to 1 / TIME_PERIOD."""
    half = width // 2
    exponents = torch.arange(half, device=time.device, dtype=torch.float32) / (half - 1)
    angles = time.to(torch.float32)[:, None] * torch.exp(-math.log(TIME_PERIOD) * exponents)  # (B, half)
    return torch.cat((angles.sin(), angles.cos()), dim=-1)


class ActionEncoder(nn.Module):
    """A noisy action and the flow time become one token."""

    def __init__(self, action_size: int, width: int) -> None:
        super().__init__()
        self.action = nn.Linear(action_size, width)
        self.with_time = nn.Linear(2 * width, width)
        self.out = nn.Linear(width, width)

    def forward(self, actions: Tensor, time: Tensor) -> Tensor:
        """Encode ``(B, H, action_size)`` at flow times ``(B,)`` into ``(B, H, width)``."""
        encoded = self.action(actions)
        moment = time_embedding(time, encoded.shape[-1]).to(encoded.dtype)[:, None].expand_as(encoded)
        return self.out(nn.functional.silu(self.with_time(torch.cat((moment, encoded), dim=-1))))


class ActionExpert(nn.Module):
    """Flow matching over action chunks.

    Tokens form three blocks: vision; latent actions and state; noisy actions. A token should see its own block and
    those before it. In published checkpoints that mask reached the attention scores as numbers: nothing is hidden, and
    pairs that the mask allows get a bonus of one (``additive``). With a true mask (``block_causal``) the context never
    sees the actions, so that its keys and values are computed once for all Euler steps.
    """

    def __init__(self, sizes: ActionExpertSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.vision = VisionTransformer(sizes.vision)
        self.visual_projector = silu_mlp(sizes.visual_widths)
        self.latent_projector = silu_mlp(sizes.latent_widths)
        self.state_encoder = silu_mlp(sizes.state_widths) if sizes.state_widths else None
        self.action_encoder = ActionEncoder(sizes.action_size, sizes.decoder.width)
        self.decoder = Decoder(sizes.decoder)
        self.head = silu_mlp(sizes.head_widths)

    def look(self, pixels: Tensor, latents: Tensor, picture: Tensor | None = None) -> Tensor:
        """See the views in the light of the latent actions.

        Args:
            pixels: ``(G, V, 3, S, S)``.
            latents: ``(B, L, D)``.
            picture: ``(B,)`` which of the G pictures each sample looks at; one each, in order, if None.

        Returns:
            ``(B, V, P, vision width)`` for P patches.
        """
        batch, views = len(latents), pixels.shape[1]
        condition = latents.mean(dim=1).repeat_interleave(views, dim=0)  # (B * V, D)
        patches = self.vision.embed(pixels.flatten(0, 1).to(latents.dtype))  # (G * V, P, vision width)
        if picture is not None:
            patches = patches.unflatten(0, (-1, views))[picture].flatten(0, 1)  # (B * V, P, vision width)
        return self.vision.transform(patches, condition).unflatten(0, (batch, views))

    def context(self, features: Tensor, latents: Tensor, states: Tensor | None) -> Context:
        """Assemble the context.

        Args:
            features: ``(B, V, P, vision width)``.
            latents: ``(B, L, D)``.
            states: ``(B, state size)``, normalised; None for models without state.
        """
        alternating = features.transpose(1, 2).flatten(1, 2)  # (B, P * V, vision width): patch by patch, view by view
        parts = [self.visual_projector(alternating), self.latent_projector(latents)]
        if self.state_encoder is not None:
            if states is None:
                raise ValueError("this model was trained with robot state and needs it")
            parts.append(self.state_encoder(states.to(latents.dtype)).unsqueeze(1))
        return Context(torch.cat(parts, dim=1), num_vision=alternating.shape[1])

    def velocity(self, context: Context, actions: Tensor, time: Tensor) -> Tensor:
        """In which direction noisy actions should flow.

        Args:
            context: what they are read with.
            actions: ``(B, H, action_size)``.
            time: ``(B,)`` flow time from 0 (noise) to 1 (action).

        Returns:
            ``(B, H, action_size)`` float32.
        """
        encoded = self._encode(context, actions, time)
        return self._read_out(self.hidden(context, encoded))

    def velocities(self, context: Context, actions: Tensor, time: Tensor) -> Tensor:
        """The same for several flow times of one observation, whose context is computed once; for the true mask only.

        Args:
            context: what the actions are read with.
            actions: ``(B, R, H, action_size)`` noisy actions.
            time: ``(B, R)`` flow times.

        Returns:
            ``(B, R, H, action_size)`` float32.

        Raises:
            ValueError: if the mask lets actions change the context, so that it cannot be shared.
        """
        if self.sizes.mask != TRUE_MASK:
            raise ValueError(f"flow times can share a context only under the mask {TRUE_MASK}, not {self.sizes.mask}")
        batch, times, length = actions.shape[:3]
        count = context.tokens.shape[1]
        encoded = self._encode(context, actions.flatten(0, 1), time.flatten())  # (B * R, H, width)
        tokens = torch.cat((context.tokens, encoded.reshape(batch, times * length, -1)), dim=1)
        group = torch.arange(times, device=actions.device).repeat_interleave(length)  # (R * H,)
        apart = group[None] != group[:, None]  # (R * H, R * H)
        seen = self._blocks_seen(context, times * length)
        seen[count:, count:] &= ~apart
        steps = torch.arange(length, device=actions.device).repeat(times) + count
        positions = torch.cat((torch.arange(count, device=actions.device), steps))[None]
        hidden = self.decoder(tokens, causal=False, mask=seen, positions=positions)[:, count:]
        return self._read_out(hidden.reshape(batch * times, length, -1)).unflatten(0, (batch, times))

    def hidden(self, context: Context, encoded: Tensor) -> Tensor:
        """Hidden states ``(B, N + H, width)`` of context and encoded actions ``(B, H, width)`` together."""
        tokens = torch.cat((context.tokens, encoded), dim=1)
        seen = self._blocks_seen(context, encoded.shape[1])  # (N + H, N + H)
        mask = seen if self.sizes.mask == TRUE_MASK else seen.to(tokens.dtype)
        return self.decoder(tokens, causal=False, mask=mask)

    def sample(
        self, context: Context, noise: Tensor, steps: int = EULER_STEPS, on_step: Callable[[Tensor], None] | None = None
    ) -> Tensor:
        """Integrate from noise at time 0 to actions at time 1 with Euler steps.

        Args:
            context: what the actions are read with.
            noise: ``(B, H, action_size)``.
            steps: Euler steps.
            on_step: is shown each step's velocity ``(B, H, action_size)``.

        Returns:
            ``(B, H, action_size)`` float32.
        """
        actions = noise.to(torch.float32)
        cache = self._remember(context) if self.sizes.mask == TRUE_MASK else None
        for step in range(steps):
            time = torch.full((len(actions),), step / steps, device=actions.device)
            if cache is None:
                velocity = self.velocity(context, actions, time)
            else:
                encoded = self._encode(context, actions, time)
                velocity = self._read_out(self.decoder(encoded, causal=False, cache=cache))
                cache.length = context.tokens.shape[1]
            if on_step is not None:
                on_step(velocity)
            actions = actions + velocity / steps
        return actions

    def act(self, pixels: Tensor, latents: Tensor, states: Tensor | None, noise: Tensor) -> Tensor:
        """All of it: see the views, form the context and integrate; arguments of ``look``, ``context`` and ``sample``.

        Returns:
            ``(B, H, action_size)`` float32.
        """
        return self.sample(self.context(self.look(pixels, latents), latents, states), noise)

    def _encode(self, context: Context, actions: Tensor, time: Tensor) -> Tensor:
        return self.action_encoder(actions.to(context.tokens.dtype), time)

    def _read_out(self, hidden: Tensor) -> Tensor:
        chunk = hidden[:, -self.sizes.chunk_length :].flatten(1)  # (B, H * width)
        return self.head(chunk).to(torch.float32).unflatten(1, (self.sizes.chunk_length, self.sizes.action_size))

    def _remember(self, context: Context) -> KeyValueCache:
        count = context.tokens.shape[1]
        cache = KeyValueCache(self.sizes.decoder, count + self.sizes.chunk_length, context.tokens)
        self.decoder(context.tokens, causal=False, mask=self._blocks_seen(context, 0), cache=cache)
        return cache

    def _blocks_seen(self, context: Context, num_actions: int) -> Tensor:
        count = context.tokens.shape[1]
        block = torch.ones(count + num_actions, device=context.tokens.device)
        block[: context.num_vision] = 0
        block[count:] = 2
        return block[None, :] <= block[:, None]  # (N + H, N + H): row sees column
