"""The made-up world of the quickstart: captions of coloured shapes, their token ids, and pictures of them."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import torch

Tensor = torch.Tensor

COLOURS = {
    "red": (0.90, 0.10, 0.10), "green": (0.10, 0.65, 0.20), "blue": (0.10, 0.25, 0.95), "yellow": (0.98, 0.88, 0.10),
    "white": (0.97, 0.97, 0.97), "black": (0.05, 0.05, 0.05), "purple": (0.55, 0.10, 0.70), "orange": (1.0, 0.50, 0.05),
}  # fmt: skip
"""sRGB in [0, 1]."""
SHAPES = ("circle", "square", "triangle", "cross", "ring", "stripe")
SIDE = 32
"""Pixels of a picture's side."""
FINE = 2
"""Samples of a pixel's side, whose mean it is."""
START, END = 0, 1
WORDS = ("<start>", "<end>", "a", "on", *COLOURS, *SHAPES)
LENGTH = 8
"""Tokens of a caption: start, five words, end, and one more end as padding."""
HELD_OUT = 5
"""One caption in this many is held out of the training, for the test set."""


PART = 500
"""Pictures drawn at a time."""


class Caption(NamedTuple):
    """What a picture shows."""

    colour: str
    shape: str
    ground: str

    def __str__(self) -> str:
        return f"a {self.colour} {self.shape} on {self.ground}"

    @property
    def is_test(self) -> bool:
        """Whether the pipeline never sees it in training."""
        return zlib.crc32(str(self).encode()) % HELD_OUT == 0


CAPTIONS = tuple(
    Caption(colour, shape, ground) for colour in COLOURS for shape in SHAPES for ground in COLOURS if colour != ground
)


def token_ids(text: str) -> list[int]:
    """The ids of a caption's words between start and end, padded with ends; of an empty text, start and ends."""
    found = [START, *(WORDS.index(word) for word in text.split()), END]
    return found + [END] * (LENGTH - len(found))


def caption_tokens() -> Tensor:
    """The ids of all captions, int64 [captions, LENGTH]."""
    return torch.tensor([token_ids(str(each)) for each in CAPTIONS])


def silhouettes(shapes: Tensor, random: torch.Generator) -> Tensor:
    """One shape each at a random place and in a random size, float32 [n, SIDE, SIDE]: its share of each pixel.

    Args:
        shapes: Indices into :data:`SHAPES`, [n].
        random: Chooses places and sizes.
    """
    count = len(shapes)
    axis = (torch.arange(SIDE * FINE) + 0.5) / (SIDE * FINE) * 2 - 1
    place = (torch.rand(count, 2, 1, 1, generator=random) - 0.5) * 0.5
    size = 0.42 + 0.2 * torch.rand(count, 1, 1, generator=random)
    x, y = (axis[None, None, :] - place[:, 0]) / size, (axis[None, :, None] - place[:, 1]) / size
    far = x**2 + y**2
    inside = torch.stack([
        far < 1,
        torch.maximum(x.abs(), y.abs()) < 0.85,
        (y < 0.8) & (x.abs() < (y + 1) * 0.6),
        (torch.minimum(x.abs(), y.abs()) < 0.3) & (torch.maximum(x.abs(), y.abs()) < 1),
        (far < 1) & (far > 0.3),
        (x + y).abs() < 0.45,
    ])  # fmt: skip
    chosen = inside[shapes, torch.arange(count)].float()
    return torch.nn.functional.avg_pool2d(chosen[:, None], FINE)[:, 0]


def pictures(captions: Tensor, shapes: Tensor) -> Tensor:
    """Pictures of captions in [-1, 1], float32 [n, 3, SIDE, SIDE].

    Args:
        captions: Indices into :data:`CAPTIONS`, [n].
        shapes: Their silhouettes.
    """
    palette = torch.tensor([*COLOURS.values()])
    names = list(COLOURS)
    colours = torch.tensor([[names.index(each.colour), names.index(each.ground)] for each in CAPTIONS])[captions]
    front, ground = palette[colours[:, 0]][:, :, None, None], palette[colours[:, 1]][:, :, None, None]
    share = shapes[:, None]
    return (front * share + ground * (1 - share)) * 2 - 1


def sample(count: int, random: torch.Generator, among: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Random captions with a picture each: indices [n], and pictures.

    Args:
        count: How many.
        random: Chooses captions, places and sizes.
        among: Indices of the captions to choose from; all if None.
    """
    among = torch.arange(len(CAPTIONS)) if among is None else among
    captions = among[torch.randint(0, len(among), (count,), generator=random)]
    shapes = torch.tensor([SHAPES.index(each.shape) for each in CAPTIONS])[captions]
    drawn = [pictures(*part) for part in zip(
        captions.split(PART), (silhouettes(each, random) for each in shapes.split(PART)), strict=True
    )]  # fmt: skip
    return captions, torch.cat(drawn)
