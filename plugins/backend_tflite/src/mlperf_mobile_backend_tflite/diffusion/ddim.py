"""DDIM's steps without noise (Song et al., "Denoising Diffusion Implicit Models", arXiv:2010.02502, eta 0).

Steps and constants are those of the reference app (mobile_app_open, stable_diffusion_invoker.cc): a linear schedule of
the betas' square roots, and 1 for the share of the last step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Step:
    """The factors of one step, from the noise level of this step to that of the next."""

    noise: np.float32
    """Of the predicted noise in the latent: sqrt(1 - a)."""
    signal: np.float32
    """Of the denoised latent: sqrt(a)."""
    next_noise: np.float32
    next_signal: np.float32

    def apply(self, latent: Floats, noise: Floats) -> Floats:
        """The next latent, from this one and the noise predicted in it; shapes are equal."""
        denoised = (latent - self.noise * noise) / self.signal
        return self.next_signal * denoised + self.next_noise * noise


def kept_shares(first: float, last: float, count: int) -> Floats:
    """The share of the latent's variance left after each of ``count`` training steps: the cumulative 1 - beta.

    Args:
        first: The first beta.
        last: The last one; the square roots between them are linear.
        count: How many steps the model was trained with.
    """
    betas = np.linspace(first**0.5, last**0.5, count, dtype=np.float64) ** 2
    return np.cumprod(1 - betas).astype(np.float32)


def schedule(steps: Sequence[int], kept: Floats) -> list[Step]:
    """The factors of each step.

    Args:
        steps: Numbers of training steps, from the noisiest to the last; each is smaller than the one before.
        kept: See :func:`kept_shares`.
    """
    shares = [kept[step] for step in steps] + [np.float32(1)]
    one = np.float32(1)
    return [
        Step(np.sqrt(one - here), np.sqrt(here), np.sqrt(one - after), np.sqrt(after))
        for here, after in pairwise(shares)
    ]


def guided(unconditional: Floats, conditional: Floats, scale: np.float32) -> Floats:
    """Noise predicted with the text, pushed away from that without (Ho and Salimans, arXiv:2207.12598)."""
    return unconditional + scale * (conditional - unconditional)
