"""Shared by the tasks that train on scenes: their command line, layers and optimizer, and the scenes."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from fashion_mnist import DATA_FILES, FOLDER, Bytes, read_idx
from quickstart_training import FusedBatchNorm, cosine, preprocess, sha256, training_parser
from scenes import Scene, compose, stream

WARM_UP_STEPS = 100
TEST_SCENES = 250
CALIBRATION_SCENES = 200
"""Number of training scenes, the first ones, that calibrate the int8 model."""
HELD_OUT = 5000


def parse_arguments(description: str | None, steps: int, rate: float) -> argparse.Namespace:
    """Read the command line; the defaults make the published models."""
    parser = training_parser(description)
    parser.add_argument("--data", type=Path, default=FOLDER)
    parser.add_argument("--steps", type=int, default=steps, help=f"more than {WARM_UP_STEPS}")
    parser.add_argument("--batch", type=int, default=16, help="scenes per training step")
    parser.add_argument("--rate", type=float, default=rate, help="highest learning rate")
    parser.add_argument("--decay", type=float, default=0.01, help="weight decay of AdamW")
    parser.add_argument("--validation", action="store_true", help="measure on scenes of 5,000 training images held out")
    return parser.parse_args()


@dataclass(frozen=True)
class Garments:
    """The images that scenes are composed of, for training and for testing."""

    images: Bytes
    labels: Bytes
    test_images: Bytes
    test_labels: Bytes

    @classmethod
    def read(cls, arguments: argparse.Namespace) -> "Garments":
        """Read Fashion-MNIST; with ``--validation``, held-out training images are the test images."""
        images, labels, test_images, test_labels = (read_idx(arguments.data / name) for name in DATA_FILES)
        if not arguments.validation:
            return cls(images, labels, test_images, test_labels)
        return cls(images[:-HELD_OUT], labels[:-HELD_OUT], images[-HELD_OUT:], labels[-HELD_OUT:])

    def test_scenes(self, seed: int) -> list[Scene]:
        """The scenes that models are measured with."""
        random = np.random.default_rng(seed)
        return [compose(self.test_images, self.test_labels, random) for _ in range(TEST_SCENES)]

    def calibration(self, seed: int) -> list[Scene]:
        """The first scenes of training."""
        scenes = stream(self.images, self.labels, seed)
        return [next(scenes) for _ in range(CALIBRATION_SCENES)]

    def batches(
        self, arguments: argparse.Namespace, targets: Callable[[list[Scene]], tuple[Any, ...]]
    ) -> Iterator[tuple[Any, ...]]:
        """An endless stream of batches: the network's input, and the ``targets`` of the same scenes."""
        scenes = stream(self.images, self.labels, arguments.seed)
        while True:
            batch = [next(scenes) for _ in range(arguments.batch)]
            yield preprocess(np.stack([scene.pixels for scene in batch])), *targets(batch)


def activate(tensor: Any) -> Any:
    """Batch normalisation, then ReLU6."""
    return keras.layers.ReLU(6.0)(FusedBatchNorm()(tensor))


def separable(tensor: Any, channels: int, stride: int = 1) -> Any:
    """A depthwise 3x3 and a pointwise convolution to ``channels``, each normalised and activated."""
    tensor = keras.layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(tensor)
    return activate(keras.layers.Conv2D(channels, 1, use_bias=False)(activate(tensor)))


def project(tensor: Any, channels: int) -> Any:
    """A pointwise convolution to ``channels``, normalised and activated."""
    return activate(keras.layers.Conv2D(channels, 1, use_bias=False)(tensor))


def adam(arguments: argparse.Namespace) -> Any:
    """The optimizer of both models: AdamW with a cosine schedule and clipped gradients."""
    rate = cosine(arguments.rate, arguments.rate / 100, arguments.steps, WARM_UP_STEPS)
    return keras.optimizers.AdamW(rate, weight_decay=arguments.decay, clipnorm=5.0)


def samples(scenes: list[Scene] | None) -> list[list[Any]] | None:
    """Calibration inputs from scenes; None for None."""
    return None if scenes is None else [[preprocess(scene.pixels)[np.newaxis]] for scene in scenes]


def data_digests(arguments: argparse.Namespace) -> dict[str, str]:
    """SHA-256 of each file of Fashion-MNIST."""
    return {name: sha256(arguments.data / name) for name in DATA_FILES}
