"""Measures label maps of 512x512: decoding, which is in the timed region, and scoring."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import harness
import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_task_semantic_segmentation.ade20k import ADE20K
from mlperf_mobile_task_semantic_segmentation.metric import MeanIoU
from mlperf_mobile_task_semantic_segmentation.options import ADE20KOptions, TaskOptions
from mlperf_mobile_task_semantic_segmentation.task import SemanticSegmentation

SIDE, LABELS = 512, 32
TYPES = ("float32", "float16", "int8", "uint8")


class OneTruth:
    """A data set of one annotation, in memory."""

    classes = LABELS - 1

    def __init__(self, labels: npt.NDArray[np.uint8]) -> None:
        self._labels = labels

    def __len__(self) -> int:
        return 1

    def sample(self, index: int) -> object:
        raise NotImplementedError("only scoring is measured")

    def truth(self, index: int) -> npt.NDArray[np.uint8]:
        return self._labels


def pieces(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """An annotation like those of photographs: about thirty pieces with ragged outlines, and ignored rows below."""
    y, x = np.mgrid[:SIDE, :SIDE]
    centres = rng.integers(0, SIDE, (30, 2))
    wave = 8 * np.sin(y / 9) + 8 * np.sin(x / 7)
    nearest = np.argmin([np.hypot(y - a + wave, x - b - wave) for a, b in centres], axis=0)
    labels: npt.NDArray[np.uint8] = rng.integers(0, 60, 30).astype(np.uint8)[nearest]
    labels[SIDE * 3 // 4 :] = 255
    return labels


def main() -> None:
    """Print milliseconds: decoding by type next to numpy's time, and scoring with and without the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds

    def show(what: str, work: Callable[[], object]) -> None:
        print(f"{what:52} {harness.milliseconds(work, rounds):8.2f} ms")

    rng = np.random.default_rng(0)
    image = TensorSpec("image", (1, SIDE, SIDE, 3), np.dtype(np.uint8))
    for dtype in ("int32", "int64", "uint8", "float32"):
        spec = TensorSpec("labels", (1, SIDE, SIDE), np.dtype(dtype))
        codec = SemanticSegmentation(TaskOptions()).bind([image], [spec])
        outputs = (rng.integers(0, LABELS, spec.shape).astype(dtype),)
        show(f"decode labels, {dtype}", lambda codec=codec, outputs=outputs: codec.decode(outputs))  # type: ignore[misc]
    for classes in (LABELS, 21):
        for dtype in TYPES:
            spec = TensorSpec("scores", (1, SIDE, SIDE, classes), np.dtype(dtype))
            codec = SemanticSegmentation(TaskOptions()).bind([image], [spec])
            values = rng.normal(60, 15, spec.shape).clip(0, 120).astype(dtype)
            show(f"{dtype}[1,512,512,{classes}]: numpy reads it once (max)", values.max)
            show(f"{dtype}[1,512,512,{classes}]: numpy's argmax", lambda values=values: values.argmax(-1))  # type: ignore[misc]
            show(f"{dtype}[1,512,512,{classes}]: decode", lambda codec=codec, values=values: codec.decode((values,)))  # type: ignore[misc]
    truth = pieces(rng)
    found = np.where(rng.random(truth.shape) < 0.8, truth, 3).astype(np.uint8).tobytes()
    metric = MeanIoU(OneTruth(truth))
    show("score a response against labels in memory", lambda: metric.update(0, found))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("images", "annotations"):
            (folder / part).mkdir()
        Pillow.new("RGB", (SIDE, SIDE)).save(folder / "images" / "a.jpg")
        Pillow.fromarray(truth).save(folder / "annotations" / "a.png")
        data = ADE20K(folder, ADE20KOptions())
        show("read an annotation", lambda: data.truth(0))
        read = MeanIoU(data)
        show("score a response, annotation read from its file", lambda: read.update(0, found))


if __name__ == "__main__":
    main()
