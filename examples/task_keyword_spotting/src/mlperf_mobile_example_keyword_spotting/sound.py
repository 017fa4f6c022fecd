"""Sound: WAV files, which nobody has checked, and the spectrogram that models take."""

from __future__ import annotations

import wave
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.errors import DataError

RATE = 8000
"""Samples per second."""
LENGTH = 4800
"""Samples of a recording that are used: 0.6 s."""
WINDOW, STEP, FFT = 256, 128, 256
FRAMES = 1 + (LENGTH - WINDOW) // STEP
BANDS = 20
LONGEST = 60 * RATE
"""Samples of the longest file that is read."""

Samples = npt.NDArray[np.float32]


def read_wav(path: Path) -> Samples:
    """A recording of one channel with 8 or 16 bits, as numbers from -1 to 1.

    Raises:
        DataError: ``data-missing``, or ``data-damaged`` with the reason; the summary names the file.
    """
    try:
        with path.open("rb") as file, wave.open(file) as sound:
            form = (sound.getnchannels(), sound.getframerate(), sound.getsampwidth())
            if form[:2] != (1, RATE) or form[2] not in (1, 2) or not 0 < sound.getnframes() <= LONGEST:
                raise DataError(
                    "data-damaged",
                    f"{path} has {form[0]} channels, {8 * form[2]} bits, {form[1]} Hz and {sound.getnframes()} samples",
                    f"convert it to one channel of 8 or 16 bits at {RATE} Hz, at most 60 s",
                )
            data = sound.readframes(sound.getnframes())
    except FileNotFoundError:
        raise DataError("data-missing", f"{path} does not exist", "check --data-path") from None
    except (OSError, EOFError, wave.Error) as error:
        raise DataError("data-damaged", f"{path} is not a WAV file: {error}", "replace the file") from None
    if form[2] == 1:
        return ((np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128).astype(np.float32)
    return (np.frombuffer(data[: len(data) // 2 * 2], "<i2") / 32768).astype(np.float32)


def spectrogram(samples: Samples) -> Samples:
    """The logarithms of the energies in mel bands, float32 [FRAMES, BANDS], less their mean.

    Windows of 32 ms (Hann), 16 ms apart; shorter recordings are filled with zeros, longer ones cut. The mel scale is
    O'Shaughnessy's, 2595 log10(1 + f / 700).
    """
    whole = np.zeros(LENGTH, np.float32)
    whole[: len(samples)] = samples[:LENGTH]
    frames = np.lib.stride_tricks.sliding_window_view(whole, WINDOW)[::STEP] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames, FFT)) ** 2
    energies = np.log(power @ _bands() + 1e-3)
    centred: Samples = (energies - energies.mean()).astype(np.float32)
    return centred


@cache
def _bands() -> npt.NDArray[Any]:
    """Triangular filters [FFT // 2 + 1, BANDS], evenly spaced on the mel scale from 80 Hz to 3800 Hz."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (80, 3800))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(FFT, 1 / RATE)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rising, falling), 0, None)
