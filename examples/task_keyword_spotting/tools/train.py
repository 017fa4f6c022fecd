"""Synthesises the packaged recordings, and trains the packaged model on others.

Usage: ``python tools/train.py`` with this package, ``ai-edge-litert``, ``flatbuffers`` and ``onnx`` installed; about a
minute. It prints the accuracy on the packaged recordings, and the checksums for ``task.yaml``.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
import wave
from typing import Any

import numpy as np
import numpy.typing as npt
from models import onnx_model, tflite_model
from speech import recording

from mlperf_mobile_example_keyword_spotting.options import KEYWORDS
from mlperf_mobile_example_keyword_spotting.recordings import PACKAGED
from mlperf_mobile_example_keyword_spotting.sound import BANDS, FRAMES, RATE, read_wav, spectrogram

HIDDEN, EACH, TESTED = 24, 250, 8
Array = npt.NDArray[Any]


def trained(x: Array, truths: Array, random: np.random.Generator) -> list[Array]:
    """Weights and biases of two layers, by Adam on the cross entropy (Kingma and Ba 2015), with weight decay."""
    sizes = (FRAMES * BANDS, HIDDEN, len(KEYWORDS))
    weights: list[Array] = []
    for before, after in itertools.pairwise(sizes):
        weights += [random.normal(0, np.sqrt(2 / before), (before, after)), np.zeros(after)]
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for step in range(1, 2001):
        chosen = random.integers(0, len(x), 64)
        hidden = np.maximum(x[chosen] @ weights[0] + weights[1], 0)
        scores = hidden @ weights[2] + weights[3]
        shares = np.exp(scores - scores.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        error = (shares - np.eye(len(KEYWORDS))[truths[chosen]]) / len(chosen)
        back = (error @ weights[2].T) * (hidden > 0)
        for n, slope in enumerate((x[chosen].T @ back, back.sum(0), hidden.T @ error, error.sum(0))):
            first[n] = 0.9 * first[n] + 0.1 * slope
            second[n] = 0.999 * second[n] + 0.001 * slope**2
            move = first[n] / (1 - 0.9**step) / (np.sqrt(second[n] / (1 - 0.999**step)) + 1e-8)
            weights[n] = weights[n] - 0.002 * (1 - step / 2001) * (move + 0.01 * weights[n])
    return [w.astype(np.float32) for w in weights]


def write_recordings(random: np.random.Generator) -> None:
    """The packaged recordings, with 8 bits a sample: noise of -48 dB, which the models do not mind."""
    for keyword in KEYWORDS:
        (PACKAGED / keyword).mkdir(parents=True, exist_ok=True)
        for number in range(TESTED):
            with wave.open(str(PACKAGED / keyword / f"{number}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(1)
                file.setframerate(RATE)
                file.writeframes(np.round(recording(keyword, random) * 127 + 128).astype(np.uint8).tobytes())


def main() -> None:
    """Synthesise, train, measure, write."""
    random = np.random.default_rng(8)
    truths = np.repeat(np.arange(len(KEYWORDS)), EACH)
    x = np.stack([spectrogram(recording(KEYWORDS[n], random).astype(np.float32)).ravel() for n in truths])
    weights = trained(x, truths, random)
    write_recordings(random)
    right = 0
    for number, keyword in enumerate(KEYWORDS):
        for path in sorted((PACKAGED / keyword).glob("*.wav")):
            hidden = np.maximum(spectrogram(read_wav(path)).ravel() @ weights[0] + weights[1], 0)
            right += int((hidden @ weights[2] + weights[3]).argmax()) == number
    sys.stdout.write(f"top-1 {right / TESTED / len(KEYWORDS):.4f}\n")
    for suffix, data in (("tflite", tflite_model(weights)), ("onnx", onnx_model(weights))):
        (PACKAGED.parent / f"model.{suffix}").write_bytes(data)
        sys.stdout.write(f"{suffix} {hashlib.sha256(data).hexdigest()}\n")


if __name__ == "__main__":
    main()
