"""Train, convert and measure the quickstart image classifier: a small MobileNet on Fashion-MNIST."""

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from fashion_mnist import DATA_FILES, FOLDER, read_idx
from quickstart_training import (
    FusedBatchNorm,
    about,
    converted,
    cosine,
    make_models,
    preprocess,
    repeatable,
    sha256,
    training_parser,
    write_record,
)

Images = npt.NDArray[np.uint8]
"""Greyscale images, shape [n, 28, 28], values 0 to 255, 0 is the background."""
Labels = npt.NDArray[np.uint8]
"""Class numbers, shape [n], values 0 to 9."""
Floats = npt.NDArray[np.float32]

SIDE = 28
CLASSES = 10
STEM_CHANNELS = 32
BLOCKS = ((192, 2), (192, 1), (192, 1), (256, 2), (256, 1))
"""Output channels and stride of every depthwise-separable block, in order."""
PACKAGES = ("tensorflow-cpu", "keras", "numpy")
LARGEST_SHIFT = 2
"""Largest random shift in training, in pixels along each axis."""
LABEL_SMOOTHING = 0.1
WARM_UP_EPOCHS = 1
CALIBRATION_IMAGES = 1000
"""Number of training images, the first ones, that calibrate the int8 model."""


def network_input(images: Images) -> Floats:
    """Bytes [n, 28, 28] as float32 [n, 28, 28, 1] in [-1, 1]."""
    return preprocess(images)[..., np.newaxis]


def augment(images: Images, random: np.random.Generator) -> Images:
    """Mirror half of the images and shift each by up to LARGEST_SHIFT pixels, filling with background."""
    count = len(images)
    mirrored = random.integers(0, 2, size=(count, 1, 1)).astype(bool)
    images = np.where(mirrored, images[:, :, ::-1], images)
    margin = (LARGEST_SHIFT, LARGEST_SHIFT)
    padded: Images = np.pad(images, ((0, 0), margin, margin))
    corners = random.integers(0, 2 * LARGEST_SHIFT + 1, size=(2, count, 1))
    rows, columns = corners + np.arange(SIDE)
    shifted: Images = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return shifted


def build_model() -> Any:
    """Build the untrained network: float32 [n, 28, 28, 1] to logits [n, 10]."""

    def activate(tensor: Any) -> Any:
        return keras.layers.ReLU(6.0)(FusedBatchNorm()(tensor))

    inputs = keras.layers.Input((SIDE, SIDE, 1))
    tensor = activate(keras.layers.Conv2D(STEM_CHANNELS, 3, padding="same", use_bias=False)(inputs))
    for channels, stride in BLOCKS:
        tensor = keras.layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(tensor)
        tensor = keras.layers.Conv2D(channels, 1, use_bias=False)(activate(tensor))
        tensor = activate(tensor)
    tensor = keras.layers.GlobalAveragePooling2D()(tensor)
    return keras.Model(inputs, keras.layers.Dense(CLASSES)(tensor))


def train(images: Images, labels: Labels, validation: int, arguments: argparse.Namespace) -> Any:
    """Train a new model and return its state after the last epoch: no checkpoint is selected.

    The last `validation` images are only evaluated, never trained on; 0 trains on all images.
    """
    count = len(images) - validation
    targets = np.eye(CLASSES, dtype=np.float32)[labels]
    starts = range(0, count, arguments.batch)
    steps, warm_up = arguments.epochs * len(starts), WARM_UP_EPOCHS * len(starts)
    rate = cosine(arguments.rate, arguments.rate / 100, steps, warm_up)
    model = build_model()
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=arguments.decay),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=LABEL_SMOOTHING),
    )
    random = np.random.default_rng(arguments.seed)
    for epoch in range(arguments.epochs):
        begun = time.monotonic()
        order = random.permutation(count)
        inputs = network_input(augment(images[order], random))
        batches = [slice(start, start + arguments.batch) for start in starts]
        losses = [float(model.train_on_batch(inputs[batch], targets[order[batch]])) for batch in batches]
        text = f"epoch {epoch + 1}/{arguments.epochs} loss {np.mean(losses):.4f}"
        if validation:
            logits = model.predict(network_input(images[count:]), verbose=0)
            text += f" validation accuracy {np.mean(logits.argmax(axis=1) == labels[count:]):.4f}"
        print(f"{text} ({time.monotonic() - begun:.0f} s)", flush=True)
    return model


def convert(model: Any, calibration: Images | None) -> bytes:
    """Convert to a TFLite file of batch 1 that outputs softmax scores [1, 10].

    Args:
        model: a trained model of `build_model`.
        calibration: training images for a full integer model, int8 in and out; None for a float32 model.
    """

    def scores(images: Any) -> Any:
        return tf.nn.softmax(model(images, training=False))

    samples = None if calibration is None else [[image[np.newaxis]] for image in network_input(calibration)]
    signature = [tf.TensorSpec((1, SIDE, SIDE, 1), tf.float32, name="images")]
    return converted(scores, signature, model, samples, dense_per_channel=False)


def count_correct(model: bytes, images: Images, labels: Labels) -> int:
    """Count the images [n, 28, 28] whose label has the highest score, the first one on a tie."""
    interpreter = tf.lite.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    signed = (images.astype(np.int16) - 128).astype(np.int8)[..., np.newaxis]
    inputs = signed if source["dtype"] == np.int8 else network_input(images)
    correct = 0
    for image, label in zip(inputs, labels, strict=True):
        interpreter.set_tensor(source["index"], image[np.newaxis])
        interpreter.invoke()
        correct += int(interpreter.get_tensor(sink["index"])[0].argmax() == label)
    return correct


def report(file: Path, images: Images, labels: Labels) -> dict[str, Any]:
    """Measure a TFLite file over the test images and return its entry in quickstart.json."""
    correct = count_correct(file.read_bytes(), images, labels)
    return about(file) | {"correct": correct, "samples": len(labels), "top1": correct / len(labels)}


def parse_arguments() -> argparse.Namespace:
    """Read the command line; the defaults make the published models."""
    parser = training_parser(__doc__, threads=2)
    parser.add_argument("--data", type=Path, default=FOLDER)
    parser.add_argument("--epochs", type=int, default=9, help=f"more than {WARM_UP_EPOCHS}")
    parser.add_argument("--batch", type=int, default=128, help="images per training step")
    parser.add_argument("--rate", type=float, default=0.004, help="highest learning rate")
    parser.add_argument("--decay", type=float, default=0.02, help="weight decay of AdamW")
    parser.add_argument("--validation", type=int, default=0, help="training images to hold out and evaluate")
    return parser.parse_args()


def main() -> None:
    """Train, write both models and measure them; the test images are only used to measure."""
    arguments = parse_arguments()
    repeatable(arguments)
    images, labels, test_images, test_labels = (read_idx(arguments.data / name) for name in DATA_FILES)
    model = train(images, labels, arguments.validation, arguments)
    measured = partial(report, images=test_images, labels=test_labels)
    calibration = images[:CALIBRATION_IMAGES]
    summary = make_models(arguments.output, "fashion_mobilenet", partial(convert, model), calibration, measured)
    summary["data"] = {name: sha256(arguments.data / name) for name in DATA_FILES}
    write_record(arguments.output, summary, PACKAGES)


if __name__ == "__main__":
    main()
