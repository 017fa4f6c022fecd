"""Measures each task's ``decode``, which is in the timed region, and numpy's time to read the output once."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any

import harness
import numpy as np

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.options import validated
from mlperf_mobile.registry import Registry

Shape = tuple[int, ...]
CASES: tuple[tuple[str, str, Mapping[str, Any], list[tuple[str, Shape, str]], list[tuple[str, Shape, str]]], ...] = (
    ("MobileNetEdgeTPU 224", "image_classification", {"label_offset": 1},
     [("image", (1, 224, 224, 3), "uint8")], [("classes", (1, 1001), "uint8")]),
    ("MobileNetV4-L 384", "image_classification", {},
     [("image", (1, 384, 384, 3), "float32")], [("classes", (1, 1000), "float32")]),
    ("MobileDet 320, post-processed", "object_detection", {},
     [("image", (1, 320, 320, 3), "uint8")],
     [("boxes", (1, 10, 4), "float32"), ("classes", (1, 10), "float32"), ("scores", (1, 10), "float32"),
      ("count", (1,), "float32")]),
    ("SSD-MobileNetV2 300, raw", "object_detection", {},
     [("image", (1, 300, 300, 3), "float32")],
     [("boxes", (1, 1917, 4), "float32"), ("scores", (1, 1917, 91), "float32")]),
    ("MOSAIC 512, labels", "semantic_segmentation", {},
     [("image", (1, 512, 512, 3), "uint8")], [("labels", (1, 512, 512), "int32")]),
    ("DeepLab 512, scores", "semantic_segmentation", {},
     [("image", (1, 512, 512, 3), "float32")], [("scores", (1, 512, 512, 32), "float32")]),
    ("MobileBERT 384", "question_answering", {},
     [("input_ids", (1, 384), "int32"), ("input_mask", (1, 384), "int32"), ("segment_ids", (1, 384), "int32")],
     [("end_logits", (1, 384), "float32"), ("start_logits", (1, 384), "float32")]),
    ("EDSR 1080x1920, float32", "super_resolution", {},
     [("image", (1, 540, 960, 3), "float32")], [("image", (1, 1080, 1920, 3), "float32")]),
    ("EDSR 1080x1920, int8", "super_resolution", {},
     [("image", (1, 540, 960, 3), "int8")], [("image", (1, 1080, 1920, 3), "int8")]),
)  # fmt: skip


def specs(tensors: list[tuple[str, Shape, str]]) -> list[TensorSpec]:
    """Tensor specifications; int8 images have the scale and zero point of official models."""
    return [
        TensorSpec(name, shape, np.dtype(kind), *((1.0, -128) if kind == "int8" else (0.0, 0)))
        for name, shape, kind in tensors
    ]


def output(rng: np.random.Generator, spec: TensorSpec) -> Any:
    """An output like a model's: few anchors score high, labels are small, images cover all grey values."""
    kind = spec.dtype
    if spec.name == "count":
        return np.array([10], kind)
    if spec.name == "scores" and len(spec.shape) == 3:
        return rng.normal(-6, 1.5, spec.shape).astype(kind)
    if spec.name == "boxes":
        return rng.random(spec.shape).astype(kind)
    if spec.name == "image":
        low = -128 if kind == np.int8 else 0
        return rng.integers(low, low + 256, spec.shape).astype(kind)
    return rng.integers(0, 31, spec.shape).astype(kind)


def microseconds(work: Callable[[], object], rounds: int) -> float:
    """The median of ``rounds`` calls, each result dropped as in the run's loop."""
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        work()
        times.append(1e6 * (time.perf_counter() - started))
    return harness.median(times[1:])


def main() -> None:
    """Print a line a model: decoding, reading the outputs once, and the bytes of the response."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    registry, rng = Registry(), np.random.default_rng(0)
    print(f"{'outputs of':32} {'decode µs':>10} {'read once µs':>13} {'response bytes':>15}")
    for name, task, options, inputs, outputs in CASES:
        if task not in registry.tasks:
            continue
        made = registry.tasks[task].info.task.load()(validated("task", registry.tasks[task], options))
        codec = made.bind(specs(inputs), specs(outputs))
        tensors = tuple(output(rng, spec) for spec in specs(outputs))
        decode = microseconds(lambda: codec.decode(tensors), rounds)  # noqa: B023
        read = microseconds(lambda: [tensor.max() for tensor in tensors], rounds)  # noqa: B023
        print(f"{name:32} {decode:>10.1f} {read:>13.1f} {len(codec.decode(tensors)):>15}")


if __name__ == "__main__":
    main()
