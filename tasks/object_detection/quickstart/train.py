"""Make the quickstart's scenes, and train, convert and measure its detector: a small SSD on a MobileNet."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from quickstart_training import (
    Floats,
    about,
    converted,
    descend,
    make_models,
    repeatable,
    write_record,
)
from scene_training import Garments, activate, adam, data_digests, parse_arguments, project, samples, separable
from scenes import CLASSES, SIDE, Scene, write_folder

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_images.image import Image
from mlperf_mobile_images.packaged import folder_digest
from mlperf_mobile_task_object_detection.anchors import ssd_anchors
from mlperf_mobile_task_object_detection.coco import Coco
from mlperf_mobile_task_object_detection.options import CocoOptions, TaskOptions
from mlperf_mobile_task_object_detection.task import ObjectDetection

OPTIONS = {
    "anchor_strides": [8, 16],
    "anchor_min_scale": 0.16,
    "anchor_max_scale": 0.32,
    "anchor_reduced_lowest": False,
    "score_threshold": 0.2,
}
"""The task's options for this model, as in task.yaml."""
CHECKED = TaskOptions.model_validate(OPTIONS)
ANCHORS = ssd_anchors(SIDE, SIDE, CHECKED)
CORNERS = np.concatenate((ANCHORS[:, :2] - ANCHORS[:, 2:] / 2, ANCHORS[:, :2] + ANCHORS[:, 2:] / 2), axis=1)
SHAPES = len(CHECKED.anchor_aspect_ratios) + 1
"""Anchors at one place of a feature map."""
COLUMNS = 1 + len(CLASSES)
"""Scores per anchor: the background's, which is not trained, and the classes'."""

STEM_CHANNELS = 16
BLOCKS = ((32, 2), (32, 1), (96, 2), (96, 1), (96, 1), (160, 2), (160, 1), (160, 1))
"""Output channels and stride of every depthwise-separable block, in order."""
FINE, COARSE = 4, 7
"""The blocks whose outputs are the feature maps."""
NECK_CHANNELS = 96

MATCH, IGNORE = 0.5, 0.4
"""Anchors that overlap a box by more than the first are trained to detect it; those between the two are not trained."""
FOCUS, BALANCE = 2.0, 0.25
"""Gamma and alpha of the focal loss (Lin et al., arXiv:1708.02002)."""
BOX_WEIGHT = 1.0
TEST_SEED = 10_000
PACKAGES = ("tensorflow-cpu", "keras", "numpy", "pillow")


def build_model() -> Any:
    """Build the untrained network: [n, 128, 128, 3] to encodings [n, anchors, 4] and logits [n, anchors, 11]."""
    layers = keras.layers

    def head(tensor: Any, values: int, bias: float) -> Any:
        start = keras.initializers.Constant(bias)
        tensor = layers.Conv2D(SHAPES * values, 1, bias_initializer=start)(tensor)
        return layers.Reshape((-1, values))(tensor)

    inputs = layers.Input((SIDE, SIDE, 3))
    tensor = activate(layers.Conv2D(STEM_CHANNELS, 3, strides=2, padding="same", use_bias=False)(inputs))
    maps = []
    for channels, stride in BLOCKS:
        tensor = separable(tensor, channels, stride)
        maps.append(tensor)
    coarse = maps[COARSE]
    above = project(coarse, NECK_CHANNELS)
    fine = layers.Add()([maps[FINE], layers.UpSampling2D(2)(above)])
    encodings, logits = [], []
    for tensor in (separable(fine, NECK_CHANNELS), separable(coarse, NECK_CHANNELS)):
        encodings.append(head(tensor, 4, 0.0))
        logits.append(head(separable(tensor, NECK_CHANNELS), COLUMNS, -np.log(99.0)))
    return keras.Model(inputs, [layers.Concatenate(axis=1)(encodings), layers.Concatenate(axis=1)(logits)])


def targets(scene: Scene) -> tuple[Floats, npt.NDArray[np.int32]]:
    """The network's targets for a scene: encodings [anchors, 4]; classes from 1, 0 for none, -1 for untrained."""
    encodings = np.zeros((len(ANCHORS), 4), np.float32)
    classes = np.zeros(len(ANCHORS), np.int32)
    if not len(scene.boxes):
        return encodings, classes
    boxes = scene.boxes.astype(np.float32) / SIDE
    low = np.maximum(boxes[:, None, :2], CORNERS[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], CORNERS[None, :, 2:])
    common = np.maximum(high - low, 0).prod(axis=2)
    size = boxes[:, 2:] - boxes[:, :2]
    overlap = common / (size.prod(axis=1)[:, None] + ANCHORS[:, 2:].prod(axis=1) - common)
    best = overlap.argmax(axis=0)
    share = overlap.max(axis=0)
    for box, anchor in enumerate(overlap.argmax(axis=1)):
        best[anchor], share[anchor] = box, 1.0
    classes[share > IGNORE] = -1
    found = share > MATCH
    classes[found] = scene.labels[best[found]] + 1
    centre = (boxes[:, :2] + size / 2)[best]
    encodings[:, :2] = (centre - ANCHORS[:, :2]) / ANCHORS[:, 2:] * np.float32(CHECKED.box_scales[:2])
    encodings[:, 2:] = np.log(size[best] / ANCHORS[:, 2:]) * np.float32(CHECKED.box_scales[2:])
    return encodings, classes


def loss(encodings: Any, logits: Any, expected: Any, classes: Any) -> Any:
    """Focal loss of the classes and Huber loss of the boxes, divided by the number of anchors with an object."""
    found = tf.cast(classes > 0, tf.float32)
    trained = tf.cast(classes >= 0, tf.float32)[..., None]
    truth = tf.one_hot(classes - 1, COLUMNS - 1)
    logits = logits[..., 1:]
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(truth, logits)
    chance = tf.sigmoid(logits)
    wrong = truth * (1 - chance) + (1 - truth) * chance
    weight = truth * BALANCE + (1 - truth) * (1 - BALANCE)
    focal = tf.reduce_sum(trained * weight * wrong**FOCUS * entropy)
    distance = tf.abs(encodings - expected)
    huber = tf.where(distance < 1, distance**2 / 2, distance - 0.5)
    boxes = tf.reduce_sum(found[..., None] * huber)
    return (focal + BOX_WEIGHT * boxes / 4) / tf.maximum(tf.reduce_sum(found), 1.0)


def train(garments: Garments, arguments: argparse.Namespace) -> Any:
    """Train a new model and return its state after the last step: no checkpoint is selected."""
    model = build_model()

    def trained(pixels: Any, expected: Any, classes: Any) -> Any:
        return loss(*model(pixels, training=True), expected, classes)

    def of_scenes(batch: list[Scene]) -> tuple[Any, ...]:
        expected, classes = zip(*map(targets, batch), strict=True)
        return np.stack(expected), np.stack(classes)

    descend(model, adam(arguments), trained, garments.batches(arguments, of_scenes), arguments.steps)
    return model


def convert(model: Any, calibration: list[Scene] | None) -> bytes:
    """Convert to a TFLite file of batch 1 that outputs encodings and logits.

    Args:
        model: a trained model of `build_model`.
        calibration: training scenes for a full integer model, int8 in and out; None for a float32 model.
    """

    def raw(images: Any) -> Any:
        encodings, logits = model(images, training=False)
        return {"boxes": encodings, "scores": logits}

    return converted(raw, [tf.TensorSpec((1, SIDE, SIDE, 3), tf.float32, name="images")], model, samples(calibration))


def report(file: Path, folder: Path) -> dict[str, Any]:
    """Measure a TFLite file over the test scenes and return its entry in quickstart.json."""
    interpreter = tf.lite.Interpreter(model_path=str(file), num_threads=1)
    interpreter.allocate_tensors()
    tensors = [interpreter.get_input_details(), interpreter.get_output_details()]
    specs = [
        [
            TensorSpec(d["name"], tuple(map(int, d["shape"])), np.dtype(d["dtype"]), *map(float, d["quantization"]))
            for d in details
        ]
        for details in tensors
    ]
    task, data = ObjectDetection(TaskOptions.model_validate(OPTIONS)), Coco(folder, CocoOptions())
    codec, metric = task.bind(*specs), task.metric(data)
    for index in range(len(data)):
        sample = data.sample(index)
        assert isinstance(sample, Image)
        interpreter.set_tensor(tensors[0][0]["index"], codec.encode(sample)[0])
        interpreter.invoke()
        metric.update(index, codec.decode(tuple(interpreter.get_tensor(d["index"]) for d in tensors[1])))
    score = metric.score()
    return about(file) | {
        "samples": score.samples,
        "mAP": round(score.value, 6),
        "details": {key: round(value, 6) for key, value in score.details.items()},
    }


def main() -> None:
    """Write the test scenes, train, write both models and measure them; test images are only used to measure."""
    arguments = parse_arguments(__doc__, steps=5000, rate=0.003)
    repeatable(arguments)
    garments, folder = Garments.read(arguments), arguments.output / "scenes"
    write_folder(folder, garments.test_scenes(TEST_SEED))
    model = train(garments, arguments)
    summary = make_models(
        arguments.output,
        "fashion_ssd",
        partial(convert, model),
        garments.calibration(arguments.seed),
        partial(report, folder=folder),
    )
    summary["task_options"] = OPTIONS
    summary["data"] = data_digests(arguments)
    summary["scenes"] = folder_digest(folder)
    write_record(arguments.output, summary, PACKAGES)


if __name__ == "__main__":
    main()
