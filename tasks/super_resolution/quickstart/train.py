"""Train, convert and measure the quickstart's super-resolution models: one small EDSR in two numerics."""

import argparse
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import photos
import skimage.metrics
import tensorflow as tf
from quickstart_training import (
    about,
    converted,
    cosine,
    descend,
    folder_digest,
    make_models,
    repeatable,
    sha256,
    training_parser,
    write_record,
)
from tensorflow.lite.tools import flatbuffer_utils

SIDE = photos.SIDE // photos.SCALE
"""Height and width of the models' input."""
CHANNELS = 16
BLOCKS = 4
WARM_UP_STEPS = 200
CALIBRATION_IMAGES = 200
PACKAGES = ("tensorflow-cpu", "keras", "numpy", "pillow", "scikit-image")


def build_model() -> Any:
    """EDSR up to its last convolution: RGB [n, h, w, 3] to four pixels per place, [n, h, w, 12].

    Its result is what :func:`upscaled` adds to the four copies of each input pixel, so that the network and its
    quantised activations need not carry the image itself.
    """

    def convolve(tensor: Any, channels: int, scale: float = 2.0, activation: str | None = None) -> Any:
        start = keras.initializers.VarianceScaling(scale)
        layer = keras.layers.Conv2D(channels, 3, padding="same", activation=activation, kernel_initializer=start)
        return layer(tensor)

    inputs = keras.layers.Input((None, None, 3))
    tensor = head = convolve(inputs, CHANNELS)
    for _ in range(BLOCKS):
        inner = convolve(convolve(tensor, CHANNELS, activation="relu"), CHANNELS, 0.1)
        tensor = keras.layers.Add()([tensor, inner])
    tensor = keras.layers.Add()([head, convolve(tensor, CHANNELS, 0.1)])
    return keras.Model(inputs, convolve(tensor, 3 * photos.SCALE**2, 0.1))


def upscaled(model: Any, low: Any, training: bool = False) -> Any:
    """Images [n, h, w, 3] enlarged twofold; a 1x1 convolution copies their pixels."""
    copy = np.tile(np.eye(3, dtype=np.float32), photos.SCALE**2)[np.newaxis, np.newaxis]
    copies = tf.nn.conv2d(low, copy, 1, "SAME")
    return tf.nn.depth_to_space(copies + model(low, training=training), photos.SCALE)


def train(patches: photos.Patches, arguments: argparse.Namespace) -> Any:
    """Train a new model and return its state after the last step: no checkpoint is selected."""
    model = build_model()
    rate = cosine(arguments.rate, arguments.rate / 20, arguments.steps, WARM_UP_STEPS)

    def loss(low: Any, high: Any) -> Any:
        return tf.reduce_mean(tf.abs(upscaled(model, low / 255, training=True) - high / 255))

    def batches() -> Iterator[tuple[Any, ...]]:
        while True:
            low, high = patches.batch(arguments.batch)
            yield low.astype(np.float32), high.astype(np.float32)

    descend(model, keras.optimizers.Adam(rate), loss, batches(), arguments.steps, every=500)
    return model


def in_greys(model: Any) -> Any:
    """The same network for values of 0 to 255 in and out: the factor is folded into the first and last weights."""
    scaled = build_model()
    weights = [weight.copy() for weight in model.get_weights()]
    weights[0] /= 255
    weights[-2] *= 255
    weights[-1] *= 255
    scaled.set_weights(weights)
    return scaled


def convert(model: Any, calibration: Iterable[photos.Pixels] | None) -> bytes:
    """Convert to a TFLite file [1, 128, 128, 3] to [1, 256, 256, 3], values between 0 and 255.

    Args:
        model: Of :func:`in_greys`.
        calibration: Low-resolution images for a full integer model, int8 in and out; None for a float32 model.
    """

    def images(low: Any) -> Any:
        return upscaled(model, low)

    signature = [tf.TensorSpec((1, SIDE, SIDE, 3), tf.float32, name="low")]
    if calibration is None:
        return converted(images, signature, model)
    samples = [[image[np.newaxis].astype(np.float32)] for image in calibration]
    return with_grey_outputs(converted(images, signature, model, samples))


def with_grey_outputs(model: bytes) -> bytes:
    """Give the image that leaves the network scale 1 and zero point -128: its bytes are then grey values minus 128.

    Three tensors get them: the copies of the input's pixels, the sum, and the shuffled sum. The kernels read the scale
    of their results from the file, so nothing else changes; what lies outside of 0 to 255 saturates.

    Raises:
        ValueError: The model does not end that way, or its input is not stored so.
    """
    parsed = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    graph = parsed.subgraphs[0]
    shuffle, addition = graph.operators[-1], graph.operators[-2]
    names = [flatbuffer_utils.opcode_to_name(parsed, operator.opcodeIndex) for operator in (addition, shuffle)]
    copying = [
        operator
        for operator in graph.operators
        if operator.outputs[0] in addition.inputs and list(graph.tensors[operator.inputs[1]].shape[1:3]) == [1, 1]
    ]
    if names != ["ADD", "DEPTH_TO_SPACE"] or len(copying) != 1:
        raise ValueError(f"the model ends with {names}, {len(copying)} of the added tensors are copies")
    entry = graph.tensors[graph.inputs[0]].quantization
    if (list(entry.scale), list(entry.zeroPoint)) != ([1.0], [-128]):
        raise ValueError(f"the input has scale {entry.scale} and zero point {entry.zeroPoint}")
    for operator in (*copying, addition, shuffle):
        quantization = graph.tensors[operator.outputs[0]].quantization
        quantization.scale, quantization.zeroPoint = [1.0], [-128]
        quantization.min, quantization.max = [0.0], [255.0]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(parsed))


def upscale(model: bytes, low: photos.Pixels) -> photos.Pixels:
    """Images [n, 128, 128, 3] through a TFLite file; float values are clipped and truncated."""
    interpreter = tf.lite.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    results = []
    for image in low:
        signed = source["dtype"] == np.int8
        stored = (image.astype(np.int16) - 128).astype(np.int8) if signed else image.astype(np.float32)
        interpreter.set_tensor(source["index"], stored[np.newaxis])
        interpreter.invoke()
        values = interpreter.get_tensor(sink["index"])[0]
        greys = values.astype(np.int16) + 128 if signed else np.clip(values, 0, 255)
        results.append(greys.astype(np.uint8))
    return np.stack(results)


def measure(images: photos.Pixels, high: photos.Pixels) -> dict[str, float]:
    """Mean PSNR in dB and mean SSIM by scikit-image."""
    peaks, similarities = [], []
    for image, truth in zip(images, high, strict=True):
        peaks.append(skimage.metrics.peak_signal_noise_ratio(truth, image, data_range=255))
        similarities.append(
            skimage.metrics.structural_similarity(
                truth, image, data_range=255, channel_axis=2, gaussian_weights=True, sigma=1.5,
                use_sample_covariance=False,
            )
        )  # fmt: skip
    return {"psnr": float(np.mean(peaks)), "psnr_min": float(np.min(peaks)), "ssim": float(np.mean(similarities))}


def parse_arguments() -> argparse.Namespace:
    """Read the command line; the defaults make the published files."""
    parser = training_parser(__doc__)
    parser.add_argument("--steps", type=int, default=8000, help=f"more than {WARM_UP_STEPS}")
    parser.add_argument("--batch", type=int, default=16, help="patches per training step")
    parser.add_argument("--patch", type=int, default=32, help="height and width of low-resolution patches")
    parser.add_argument("--rate", type=float, default=0.003, help="highest learning rate")
    return parser.parse_args()


def main() -> None:
    """Write the pairs, train, write both models and measure them; the pairs are only used to measure."""
    arguments = parse_arguments()
    tf.config.threading.set_inter_op_parallelism_threads(1)
    repeatable(arguments)
    pairs = arguments.output / "pairs"
    photos.write_pairs(pairs)
    names, low, high = photos.read_pairs(pairs)
    summary: dict[str, Any] = {"samples": len(names), "bicubic": measure(photos.bicubic(low), high)}
    print(summary, flush=True)
    patches = photos.Patches(np.random.default_rng(arguments.seed), arguments.patch)
    model = in_greys(train(patches, arguments))
    calibration = patches.calibration(CALIBRATION_IMAGES, SIDE)

    def report(file: Path) -> dict[str, Any]:
        return about(file) | measure(upscale(file.read_bytes(), low), high)

    summary |= make_models(arguments.output, "photo_edsr", partial(convert, model), calibration, report)
    summary["pairs"] = {"sha256": folder_digest(pairs), "bytes": photos.png_bytes(pairs)}
    summary["photos"] = {name: sha256(photos.FOLDER / name) for name in sorted(photos.TEST | photos.TRAINING)}
    write_record(arguments.output, summary, PACKAGES)


if __name__ == "__main__":
    main()
