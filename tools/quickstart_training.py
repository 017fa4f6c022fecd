"""Shared by the quickstarts' training scripts: set-up, training steps, conversion, and the record."""

import argparse
import hashlib
import importlib.metadata
import json
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from fashion_mnist import Bytes

Floats = npt.NDArray[np.float32]


def training_parser(description: str | None, threads: int = 1) -> argparse.ArgumentParser:
    """A parser with the options of all scripts; the defaults make the published files."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--output", type=Path, required=True, help="output folder")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--threads", type=int, default=threads, help="threads per operation in training")
    return made


def repeatable(arguments: argparse.Namespace) -> None:
    """Make training repeatable: threads, seeds of Python, numpy and TensorFlow, and deterministic kernels."""
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(arguments.seed)
    arguments.output.mkdir(parents=True, exist_ok=True)


def preprocess(pixels: Bytes) -> Floats:
    """Scale bytes to float32 in [-1, 1], by (x - 127.5) / 127.5."""
    scaled: Floats = (pixels.astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
    return scaled


class FusedBatchNorm(tf.keras.layers.Layer):  # type: ignore[misc]
    """Batch normalisation over the channels by one fused operation, several times faster on a CPU.

    The same as keras.layers.BatchNormalization, which Keras 3 composes of many operations.
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


def cosine(highest: float, last: float, steps: int, warm_up: int) -> Any:
    """A learning rate that rises for ``warm_up`` steps to ``highest``, and falls along a cosine to ``last``."""
    return tf.keras.optimizers.schedules.CosineDecay(
        last, decay_steps=steps - warm_up, warmup_target=highest, warmup_steps=warm_up
    )


def descend(
    model: Any, optimizer: Any, loss: Callable[..., Any], batches: Iterable[Sequence[Any]], steps: int, every: int = 100
) -> None:
    """Train ``model`` for ``steps`` batches, and print the mean loss every ``every`` steps.

    Args:
        model: The model; its trainable variables change.
        optimizer: A Keras optimizer.
        loss: ``loss(*batch)``, a scalar tensor.
        batches: At least ``steps`` of them.
        steps: Number of training steps.
        every: Steps between two lines of progress.
    """
    optimizer.build(model.trainable_variables)

    @tf.function  # type: ignore[untyped-decorator]
    def step(*batch: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(*batch)
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return value

    begun, losses = time.monotonic(), []
    for number, batch in zip(range(1, steps + 1), batches, strict=False):
        losses.append(float(step(*batch)))
        if number % every == 0 or number == steps:
            seconds = time.monotonic() - begun
            print(f"step {number}/{steps} loss {np.mean(losses[-every:]):.4f} ({seconds:.0f} s)", flush=True)


def converted(
    answer: Callable[..., Any],
    signature: Sequence[Any],
    owner: Any,
    calibration: Iterable[Any] | None = None,
    *,
    integers: str = "io",
    dense_per_channel: bool = True,
) -> bytes:
    """The TFLite file of a function.

    Args:
        answer: The function to convert.
        signature: The ``tf.TensorSpec`` of its arguments; each batch is 1.
        owner: The ``tf.Module`` whose variables the function reads, or a Keras model.
        calibration: Inputs that calibrate a full integer model; None for a float32 model.
        integers: The int8 tensors of an integer model: ``"i"`` its inputs, ``"o"`` its outputs.
        dense_per_channel: False: one scale per dense layer, as older runtimes require.
    """
    function = tf.function(answer, input_signature=signature).get_concrete_function()
    if not isinstance(owner, tf.Module) or isinstance(owner, tf.keras.Model):
        model, owner = owner, tf.Module()
        owner.state = [variable.value for variable in model.variables]
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], owner)
    converter._experimental_disable_per_channel_quantization_for_dense_layers = not dense_per_channel
    if calibration is not None:
        samples = list(calibration)

        def representative() -> Iterator[Any]:
            yield from samples

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if "i" in integers:
            converter.inference_input_type = tf.int8
        if "o" in integers:
            converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def make_models(
    output: Path,
    name: str,
    convert: Callable[[Any], bytes],
    calibration: Any,
    report: Callable[[Path], dict[str, Any]],
) -> dict[str, Any]:
    """Write ``NAME_float32.tflite`` and ``NAME_int8.tflite``, and return the record of each.

    Args:
        output: The folder for the files.
        name: Prefix of the file names.
        convert: Returns the file of a full integer model from calibration inputs, and of a float32 model from None.
        calibration: The calibration inputs.
        report: Measures a file.
    """
    found = {}
    for numerics, samples in (("float32", None), ("int8", calibration)):
        file = output / f"{name}_{numerics}.tflite"
        file.write_bytes(convert(samples))
        found[numerics] = report(file)
        print(found[numerics], flush=True)
    return found


def sha256(file: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def about(file: Path) -> dict[str, Any]:
    """A file's part of the record: its name, digest and size."""
    return {"file": file.name, "sha256": sha256(file), "bytes": file.stat().st_size}


def folder_digest(folder: Path) -> str:
    """SHA-256 of the lines ``sha256  path`` of all files in a folder, sorted by path, as the tasks check them."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256("".join(f"{sha256(folder / name)}  {name}\n" for name in names).encode()).hexdigest()


def write_record(folder: Path, record: dict[str, Any], packages: Iterable[str]) -> None:
    """Write ``quickstart.json``: the record with the versions of Python and of the packages."""
    versions = {name: importlib.metadata.version(name) for name in packages}
    record["made_with"] = {"python": platform.python_version(), **versions}
    (folder / "quickstart.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
