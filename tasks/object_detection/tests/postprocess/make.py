"""Make the two models that hold nothing but TFLite_Detection_PostProcess; needs tensorflow-cpu 2.21.

Both take encodings [1, 60, 4], scores [1, 60, 4] (background first) and have the anchors of a 32x32 image with
feature maps of 4x4 (three anchors a place) and 2x2 and 1x1 and 1x1 (two anchors a place) as a constant.
"""

import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

CLASSES = 3


def anchors() -> Any:
    """By the definition, written out: (centre y, centre x, height, width)."""
    rows = []
    scales = [0.2, 0.45, 0.7, 0.95, 1.0]
    for level, side in enumerate((4, 2, 1, 1)):
        lowest = [(0.1, 1.0), (scales[0], 2.0), (scales[0], 0.5)]
        others = [(scales[level], 1.0), (math.sqrt(scales[level] * scales[level + 1]), 1.0)]
        for y in range(side):
            for x in range(side):
                for scale, ratio in others if level else lowest:
                    root = math.sqrt(ratio)
                    rows.append([(y + 0.5) / side, (x + 0.5) / side, scale / root, scale * root])
    return np.array(rows, np.float32)


def make(regular: bool) -> bytes:
    """One model."""
    attributes = {
        "max_detections": "i: 10", "max_classes_per_detection": "i: 1", "detections_per_class": "i: 100",
        "use_regular_nms": f"b: {str(regular).lower()}", "nms_score_threshold": "f: 0.3", "nms_iou_threshold": "f: 0.6",
        "num_classes": f"i: {CLASSES}", "y_scale": "f: 10", "x_scale": "f: 10", "h_scale": "f: 5", "w_scale": "f: 5",
    }  # fmt: skip
    told = " ".join(f'attr {{ key: "{key}" value {{ {value} }} }}' for key, value in attributes.items())
    name = f'name: "TFLite_Detection_PostProcess" {told}'

    @tf.function(experimental_implements=name)
    def operation(encodings: Any, scores: Any, table: Any) -> Any:
        zero = tf.reduce_sum(encodings) + tf.reduce_sum(scores) + tf.reduce_sum(table)
        return zero, zero + 1, zero + 2, zero + 3

    table = anchors()
    shapes = [tf.TensorSpec((1, len(table), 4), tf.float32), tf.TensorSpec((1, len(table), CLASSES + 1), tf.float32)]
    holder = tf.Module()
    holder.run = tf.function(
        lambda encodings, scores: dict(zip("abcd", operation(encodings, scores, tf.constant(table)), strict=True)),
        shapes,
    )
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(holder, folder, signatures=holder.run.get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.allow_custom_ops = True
        return bytes(converter.convert())


if __name__ == "__main__":
    for kind in ("regular", "fast"):
        (Path(sys.argv[1]) / f"{kind}.tflite").write_bytes(make(kind == "regular"))
