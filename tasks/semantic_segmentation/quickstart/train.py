"""Make the quickstart's scenes, and train, convert and measure its segmenter: a small encoder-decoder.

The scenes are those of object_detection's quickstart: run with its folder on PYTHONPATH, as README.md shows.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from quickstart_training import (
    about,
    converted,
    descend,
    folder_digest,
    make_models,
    preprocess,
    repeatable,
    write_record,
)
from scene_training import (
    TEST_SCENES,
    Garments,
    activate,
    adam,
    data_digests,
    parse_arguments,
    project,
    samples,
    separable,
)
from scenes import CLASSES, SIDE, Scene, jpeg

LABELS = 1 + len(CLASSES)
"""0 is the background."""
STEM_CHANNELS = 16
FINE, MIDDLE, COARSE = (48, 48), (96, 96, 96), (160, 160)
"""Output channels of the separable blocks at a quarter, an eighth and a sixteenth of the scene's size."""
DECODER = (96, 64)
"""Channels after an eighth and after a quarter."""
BACKGROUND_WEIGHT = 0.2
"""Weight of a background pixel in training: the benchmark's mIoU ignores false positives there."""
TEST_SEED = 20_000
PACKAGES = ("tensorflow-cpu", "keras", "numpy", "pillow")


def build_model() -> Any:
    """Build the untrained network: float32 [n, 128, 128, 3] to logits [n, 32, 32, 11]."""
    layers = keras.layers

    inputs = layers.Input((SIDE, SIDE, 3))
    tensor = activate(layers.Conv2D(STEM_CHANNELS, 3, strides=2, padding="same", use_bias=False)(inputs))
    maps = []
    for stage in (FINE, MIDDLE, COARSE):
        for number, channels in enumerate(stage):
            tensor = separable(tensor, channels, 1 if number else 2)
        maps.append(tensor)
    for channels, beside in zip(DECODER, (maps[1], maps[0]), strict=True):
        above = layers.UpSampling2D(2)(project(tensor, channels))
        tensor = separable(layers.Add()([above, project(beside, channels)]), channels)
    tensor = separable(tensor, DECODER[-1])
    return keras.Model(inputs, layers.Conv2D(LABELS, 1)(tensor))


def full_size(logits: Any) -> Any:
    """Logits [n, 32, 32, 11] enlarged to [n, 128, 128, 11]."""
    return tf.image.resize(logits, (SIDE, SIDE))


def train(garments: Garments, arguments: argparse.Namespace) -> Any:
    """Train a new model and return its state after the last step: no checkpoint is selected."""
    model = build_model()

    def loss(pixels: Any, masks: Any) -> Any:
        logits = full_size(model(pixels, training=True))
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(masks, logits)
        weights = tf.where(masks > 0, 1.0, BACKGROUND_WEIGHT)
        return tf.reduce_sum(weights * entropy) / tf.reduce_sum(weights)

    def masks_of(batch: list[Scene]) -> tuple[Any, ...]:
        return (np.stack([scene.mask for scene in batch]).astype(np.int32),)

    descend(model, adam(arguments), loss, garments.batches(arguments, masks_of), arguments.steps)
    return model


def convert(model: Any, calibration: list[Scene] | None) -> bytes:
    """Convert to a TFLite file of batch 1.

    Args:
        model: a trained model of `build_model`.
        calibration: training scenes for a full integer model with int8 in and int32 labels [1, 128, 128] out, as in
            the official models; None for a float32 model with logits [1, 128, 128, 11] out.
    """

    def answer(images: Any) -> Any:
        logits = full_size(model(images, training=False))
        return logits if calibration is None else tf.argmax(logits, axis=-1, output_type=tf.int32)

    signature = [tf.TensorSpec((1, SIDE, SIDE, 3), tf.float32, name="images")]
    return converted(answer, signature, model, samples(calibration), integers="i")


def write_scenes(folder: Path, scenes: list[Scene]) -> None:
    """Write each scene as `images/NNNN.jpg` and `annotations/NNNN.png`, whose grey values are the labels."""
    for name in ("images", "annotations"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, scene in enumerate(scenes, 1):
        (folder / "images" / f"{number:04}.jpg").write_bytes(jpeg(scene.pixels))
        Image.fromarray(scene.mask).save(folder / "annotations" / f"{number:04}.png", optimize=True)


def intersections_and_unions(model: bytes, folder: Path) -> tuple[list[int], list[int]]:
    """Run a model over the written scenes; count each class's pixels in both maps, and in either, without background.

    As in the reference app, pixels whose truth is background are ignored.
    """
    interpreter = tf.lite.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    common, either = [0] * LABELS, [0] * LABELS
    for path in sorted((folder / "images").iterdir()):
        pixels = np.asarray(Image.open(path))
        truth = np.asarray(Image.open(folder / "annotations" / f"{path.stem}.png"))
        signed = (pixels.astype(np.int16) - 128).astype(np.int8)
        interpreter.set_tensor(
            source["index"], (signed if source["dtype"] == np.int8 else preprocess(pixels))[np.newaxis]
        )
        interpreter.invoke()
        found = interpreter.get_tensor(sink["index"])[0]
        found = found.argmax(axis=-1) if found.ndim == 3 else found
        for label in range(1, LABELS):
            common[label] += int(((found == label) & (truth == label)).sum())
            either[label] += int((((found == label) & (truth > 0)) | (truth == label)).sum())
    return common[1:], either[1:]


def report(file: Path, folder: Path) -> dict[str, Any]:
    """Measure a TFLite file over the test scenes and return its entry in quickstart.json."""
    common, either = intersections_and_unions(file.read_bytes(), folder)
    shares = [one / other for one, other in zip(common, either, strict=True)]
    return about(file) | {
        "samples": TEST_SCENES,
        "mIoU": round(sum(shares) / len(shares), 6),
        "IoU": {name: round(share, 4) for name, share in zip(CLASSES, shares, strict=True)},
    }


def main() -> None:
    """Write the test scenes, train, write both models and measure them; test images are only used to measure."""
    arguments = parse_arguments(__doc__, steps=3000, rate=0.004)
    repeatable(arguments)
    garments, folder = Garments.read(arguments), arguments.output / "scenes"
    write_scenes(folder, garments.test_scenes(TEST_SEED))
    model = train(garments, arguments)
    summary = make_models(
        arguments.output,
        "fashion_segmenter",
        partial(convert, model),
        garments.calibration(arguments.seed),
        partial(report, folder=folder),
    )
    summary["data"] = data_digests(arguments)
    summary["scenes"] = folder_digest(folder)
    write_record(arguments.output, summary, PACKAGES)


if __name__ == "__main__":
    main()
