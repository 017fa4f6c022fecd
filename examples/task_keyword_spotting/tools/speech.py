"""Synthesises keywords: vowels by a source and a filter, one vowel gliding into the next, with noise.

A train of pulses, whose pitch falls, passes three resonators at the formants of the vowels (Fant 1960; the frequencies
are round numbers near those of Peterson and Barney 1952). It is no speech, but has what tells vowels apart in speech.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile_example_keyword_spotting.sound import LENGTH, RATE

FORMANTS = {"a": (730, 1090, 2440), "i": (270, 2290, 3010), "u": (300, 870, 2240), "o": (570, 840, 2410)}
BANDWIDTHS = (80, 100, 140)
"""Hertz."""


def recording(keyword: str, random: np.random.Generator) -> npt.NDArray[Any]:
    """One recording by a random speaker, 0.6 s, from -1 to 1; ``noise`` has no speech."""
    noise = np.cumsum(random.normal(0, 1, LENGTH)) * 0.02 + random.normal(0, 1, LENGTH)
    noise /= np.abs(noise).max()
    if keyword == "noise":
        return noise * random.uniform(0.05, 0.5)
    length = round(random.uniform(0.6, 0.9) * LENGTH)
    voice = _voice(keyword, length, random)
    start = random.integers(0, LENGTH - length + 1)
    whole = noise * 10 ** (-random.uniform(0, 15) / 20)
    whole[start : start + length] += voice / np.abs(voice).max()
    return whole / np.abs(whole).max() * random.uniform(0.3, 0.95)


def _voice(keyword: str, length: int, random: np.random.Generator) -> npt.NDArray[Any]:
    pitch = random.uniform(90, 240) * np.linspace(1.1, 0.85, length)
    turns = np.cumsum(pitch / RATE)
    pulses = np.diff(np.floor(turns), prepend=0.0)
    places = np.linspace(0, 1, len(keyword))
    glide = np.clip((np.linspace(0, 1, length) - 0.5) * 1.2 + 0.5, 0, 1)  # the outer vowels are held
    tract = random.uniform(0.88, 1.18)  # length of the speaker's vocal tract
    sound = pulses
    for number, bandwidth in enumerate(BANDWIDTHS):
        frequency = np.interp(glide, places, [tract * FORMANTS[vowel][number] for vowel in keyword])
        sound = _resonate(sound, frequency, bandwidth)
    return sound * np.hanning(length) ** 0.3


def _resonate(sound: npt.NDArray[Any], frequency: npt.NDArray[Any], bandwidth: float) -> npt.NDArray[Any]:
    """A resonator of two poles whose frequency changes (Klatt 1980)."""
    c = -np.exp(-2 * np.pi * bandwidth / RATE)
    b = 2 * np.exp(-np.pi * bandwidth / RATE) * np.cos(2 * np.pi * frequency / RATE)
    a = 1 - b - c
    out = np.empty(len(sound))
    one = two = 0.0
    for n in range(len(sound)):
        one, two = float(a[n] * sound[n] + b[n] * one + c * two), one
        out[n] = one
    return out
