"""Train, convert and measure the quickstart image classifier: a small MobileNet on Fashion-MNIST."""

import argparse
import gzip
import hashlib
import importlib.metadata
import json
import platform
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

Images = npt.NDArray[np.uint8]
"""Grey images, shape [n, 28, 28], values 0 to 255, 0 is the background."""
Labels = npt.NDArray[np.uint8]
"""Class numbers, shape [n], values 0 to 9."""
Floats = npt.NDArray[np.float32]

SIDE = 28
CLASSES = 10
STEM_CHANNELS = 32
BLOCKS = ((192, 2), (192, 1), (192, 1), (256, 2), (256, 1))
"""Output channels and stride of every depthwise-separable block, in order."""
DATA_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
PACKAGES = ("tensorflow-cpu", "keras", "numpy")
LARGEST_SHIFT = 2
"""Largest random shift in training, in pixels along each axis."""
LABEL_SMOOTHING = 0.1
WARM_UP_EPOCHS = 1
CALIBRATION_IMAGES = 1000
"""Number of training images, the first ones, that set the value ranges of the int8 model."""


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Read a gzip-compressed IDX file of unsigned bytes (format: http://yann.lecun.com/exdb/mnist/).

    Raises:
        ValueError: the file is not IDX, does not hold unsigned bytes, or has the wrong length.
    """
    raw = gzip.decompress(path.read_bytes())
    if raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    rank = raw[3]
    shape = np.frombuffer(raw, ">u4", count=rank, offset=4).astype(np.int64)
    values = np.frombuffer(raw, np.uint8, offset=4 + 4 * rank)
    if values.size != shape.prod():
        raise ValueError(f"{path}: holds {values.size} bytes, its header promises {shape.prod()}")
    return values.reshape(shape)


def preprocess(images: Images) -> Floats:
    """Scale bytes [n, 28, 28] to float32 [n, 28, 28, 1] in [-1, 1], by (x - 127.5) / 127.5."""
    return ((images.astype(np.float32) - 127.5) / 127.5)[..., np.newaxis]


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


class FusedBatchNorm(keras.layers.Layer):  # type: ignore[misc]
    """Batch normalisation over the channels by one fused operation, several times faster on a CPU.

    The same computation as keras.layers.BatchNormalization, which Keras 3 composes of many operations.
    """

    MOMENTUM = 0.98
    EPSILON = 1e-3

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Create the scale, the offset and the moving statistics, one value per channel."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        self.mean = self.add_weight(name="mean", shape=shape, initializer="zeros", trainable=False)
        self.variance = self.add_weight(name="variance", shape=shape, initializer="ones", trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Normalise float32 [n, h, w, c] by the batch in training and by the moving statistics otherwise."""
        parameters = [self.gamma, self.beta]
        if not training:
            parameters += [self.mean, self.variance]
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, *map(tf.convert_to_tensor, parameters), epsilon=self.EPSILON, is_training=training
        )
        if not training:
            return outputs
        self.mean.assign(self.MOMENTUM * self.mean + (1 - self.MOMENTUM) * mean)
        self.variance.assign(self.MOMENTUM * self.variance + (1 - self.MOMENTUM) * variance)
        return outputs


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
    """Train a new model and return it as it is after the last epoch: no checkpoint is selected.

    The last `validation` images are only watched, never trained on; 0 trains on all of them.
    """
    count = len(images) - validation
    targets = np.eye(CLASSES, dtype=np.float32)[labels]
    starts = range(0, count, arguments.batch)
    rate = keras.optimizers.schedules.CosineDecay(
        arguments.rate / 100,
        decay_steps=(arguments.epochs - WARM_UP_EPOCHS) * len(starts),
        warmup_target=arguments.rate,
        warmup_steps=WARM_UP_EPOCHS * len(starts),
    )
    model = build_model()
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=arguments.decay),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=LABEL_SMOOTHING),
    )
    random = np.random.default_rng(arguments.seed)
    for epoch in range(arguments.epochs):
        begun = time.monotonic()
        order = random.permutation(count)
        inputs = preprocess(augment(images[order], random))
        batches = [slice(start, start + arguments.batch) for start in starts]
        losses = [float(model.train_on_batch(inputs[batch], targets[order[batch]])) for batch in batches]
        text = f"epoch {epoch + 1}/{arguments.epochs} loss {np.mean(losses):.4f}"
        if validation:
            logits = model.predict(preprocess(images[count:]), verbose=0)
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

    def samples(images: Images) -> Iterator[list[Floats]]:
        for image in preprocess(images):
            yield [image[np.newaxis]]

    signature = tf.TensorSpec((1, SIDE, SIDE, 1), tf.float32, name="images")
    function = tf.function(scores, input_signature=[signature]).get_concrete_function()
    owner = tf.Module()
    owner.state = [variable.value for variable in model.variables]
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], owner)
    # One scale for the dense layer, as TFLite's 8-bit specification had it when older runtimes were made.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = partial(samples, calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def count_correct(model: bytes, images: Images, labels: Labels) -> int:
    """Count the images [n, 28, 28] whose highest score, the first one on a tie, is that of their label."""
    interpreter = tf.lite.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    signed = (images.astype(np.int16) - 128).astype(np.int8)[..., np.newaxis]
    inputs = signed if source["dtype"] == np.int8 else preprocess(images)
    correct = 0
    for image, label in zip(inputs, labels, strict=True):
        interpreter.set_tensor(source["index"], image[np.newaxis])
        interpreter.invoke()
        correct += int(interpreter.get_tensor(sink["index"])[0].argmax() == label)
    return correct


def report(file: Path, images: Images, labels: Labels) -> dict[str, str | int | float]:
    """Measure a TFLite file over the test images and return its entry in quickstart.json."""
    model = file.read_bytes()
    correct = count_correct(model, images, labels)
    return {
        "file": file.name,
        "sha256": hashlib.sha256(model).hexdigest(),
        "bytes": len(model),
        "correct": correct,
        "samples": len(labels),
        "top1": correct / len(labels),
    }


def parse_arguments() -> argparse.Namespace:
    """Read the command line; the defaults make the published models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--output", type=Path, required=True, help="folder for what it makes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=9, help=f"more than {WARM_UP_EPOCHS}")
    parser.add_argument("--batch", type=int, default=128, help="images per training step")
    parser.add_argument("--rate", type=float, default=0.004, help="highest learning rate")
    parser.add_argument("--decay", type=float, default=0.02, help="weight decay of AdamW")
    parser.add_argument("--threads", type=int, default=2, help="threads of one operation in training")
    parser.add_argument("--validation", type=int, default=0, help="training images to hold out and watch")
    return parser.parse_args()


def main() -> None:
    """Train, write both models and measure them; the test images are touched only by the measuring."""
    arguments = parse_arguments()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(arguments.seed)
    images, labels, test_images, test_labels = (read_idx(arguments.data / name) for name in DATA_FILES)
    model = train(images, labels, arguments.validation, arguments)
    arguments.output.mkdir(parents=True, exist_ok=True)
    summary: dict[str, Any] = {}
    for numerics, calibration in (("float32", None), ("int8", images[:CALIBRATION_IMAGES])):
        file = arguments.output / f"fashion_mobilenet_{numerics}.tflite"
        file.write_bytes(convert(model, calibration))
        summary[numerics] = report(file, test_images, test_labels)
        print(summary[numerics], flush=True)
    files = {name: arguments.data / name for name in DATA_FILES}
    summary["data"] = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    summary["made_with"] = {"python": platform.python_version(), **versions}
    text = json.dumps(summary, indent=2) + "\n"
    (arguments.output / "quickstart.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
