"""The networks of the quickstart's pipeline and of its scorer, in PyTorch; export.py writes the same as .tflite."""

from __future__ import annotations

import math

import torch
from shapes import LENGTH, SIDE, WORDS
from torch import nn
from torch.nn import functional as F  # noqa: N812  its usual name

Tensor = torch.Tensor

LATENT, CHANNELS = 8, 4
"""Side and channels of a latent."""
CONTEXT, WIDTH, TIME = 128, 48, 64
"""Sizes of a text's encoding, of the denoiser's layers, and of a step's embedding."""
BLOCKS = ("first", "second", "low_first", "low_second", "last")
JOINT = 48
"""Size of the scorer's embeddings of texts and pictures."""


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps the side, or halves it."""
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


class Encoder(nn.Module):
    """Pictures to latents; only for training."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            conv(3, 32, 2), nn.SiLU(), conv(32, 64, 2), nn.SiLU(), conv(64, 64), nn.SiLU(), conv(64, CHANNELS)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layers(x) / 3) * 3


class Decoder(nn.Module):
    """Latents to pictures in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = conv(CHANNELS, 64), conv(64, 48)
        self.third, self.last = conv(48, 32), conv(32, 12)

    def forward(self, z: Tensor) -> Tensor:
        h = F.relu(self.second(F.relu(self.first(z))))
        h = F.relu(self.third(F.interpolate(h, scale_factor=2.0)))
        return torch.tanh(F.pixel_shuffle(self.last(h), 2))


class TextEncoder(nn.Module):
    """Token ids to a context."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(len(WORDS), 32)
        self.places = nn.Parameter(torch.randn(LENGTH, 32) * 0.02)
        self.first, self.second = nn.Linear(LENGTH * 32, CONTEXT), nn.Linear(CONTEXT, CONTEXT)

    def forward(self, ids: Tensor) -> Tensor:
        h = F.hardswish(self.first((self.words(ids) + self.places).flatten(1)))
        return self.second(h)


class Block(nn.Module):
    """A residual block whose channels the step and the text scale and shift."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = conv(WIDTH, WIDTH), conv(WIDTH, WIDTH)
        self.scale, self.shift = nn.Linear(CONTEXT, WIDTH), nn.Linear(CONTEXT, WIDTH)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.scale(condition)[:, :, None, None], self.shift(condition)[:, :, None, None]
        h = self.first(F.hardswish(x)) * (1 + scale) + shift
        return x + self.second(F.hardswish(h))


class Denoiser(nn.Module):
    """The noise in a latent, predicted from the latent, the text and the step."""

    def __init__(self) -> None:
        super().__init__()
        self.time, self.text = nn.Linear(TIME, CONTEXT), nn.Linear(CONTEXT, CONTEXT)
        self.into, self.out = conv(CHANNELS, WIDTH), conv(WIDTH, CHANNELS)
        self.down, self.up = conv(WIDTH, WIDTH, 2), conv(WIDTH, WIDTH)
        self.blocks = nn.ModuleDict({name: Block() for name in BLOCKS})

    def forward(self, z: Tensor, context: Tensor, time: Tensor) -> Tensor:
        condition = F.hardswish(self.time(time) + self.text(context))
        h = self.blocks["second"](self.blocks["first"](self.into(z), condition), condition)
        low = self.blocks["low_second"](self.blocks["low_first"](self.down(h), condition), condition)
        h = self.blocks["last"](h + self.up(F.interpolate(low, scale_factor=2.0)), condition)
        return self.out(F.hardswish(h))


class Scorer(nn.Module):
    """Embeds pictures and captions, as CLIP does; their cosine says how well they fit."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = conv(3, 24, 2), conv(24, 32, 2), conv(32, 48, 2)
        self.picture = nn.Linear(48 * (SIDE // 8) ** 2, JOINT)
        self.words = nn.Embedding(len(WORDS), 16)
        self.hidden, self.text = nn.Linear(LENGTH * 16, 64), nn.Linear(64, JOINT)
        self.heat = nn.Parameter(torch.tensor(2.5))

    def see(self, x: Tensor) -> Tensor:
        """The embeddings of pictures in [-1, 1]."""
        h = F.relu(self.third(F.relu(self.second(F.relu(self.first(x))))))
        return F.normalize(self.picture(h.flatten(1)), dim=1)

    def read(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The embeddings of captions."""
        h = (self.words(ids) * mask[:, :, None]).flatten(1)
        return F.normalize(self.text(F.relu(self.hidden(h))), dim=1)


def time_embedding(steps: Tensor) -> Tensor:
    """Cosines and sines of a step at falling frequencies, as in Stable Diffusion; float32 [n, TIME]."""
    half = TIME // 2
    angles = steps[:, None].float() * torch.exp(-math.log(10000.0) * torch.arange(half) / half)
    return torch.cat([angles.cos(), angles.sin()], 1)


def kept_share() -> Tensor:
    """The share of a latent's variance that is left after each of 1,000 steps of noise: Stable Diffusion's schedule.

    Its betas are linear in their square root, from 0.00085 to 0.012.
    """
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def token_mask(ids: Tensor) -> Tensor:
    """1.0 for the tokens of a caption up to its first end, 0.0 for padding."""
    ends = (ids == 1).cumsum(1)
    return ((ends - (ids == 1).long()) == 0).float()
