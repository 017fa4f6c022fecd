"""The custom operator that turns a detector's raw outputs into boxes."""

from __future__ import annotations

import numpy as np

from mlperf_mobile_neural_networks.codes import OperandCode, OperationCode
from mlperf_mobile_neural_networks.lower.builder import Refused
from mlperf_mobile_neural_networks.lower.op import Op
from mlperf_mobile_neural_networks.lower.rules import rule
from mlperf_mobile_tflite_model.flatbuffer import Damaged
from mlperf_mobile_tflite_model.flexbuffer import read_map

BOXES, CLASSES, SCORES, NUMBER = range(4)
"""The operator's outputs; the API's are scores, boxes, classes, number."""


@rule("TFLite_Detection_PostProcess")
def detection_postprocess(op: Op) -> None:
    """Inputs: box encodings, scores, anchors. Classes and the number of boxes are float32 here and int32 in the API.

    The API always passes over the first class, so that a model without a background class gets a column of zeros.
    """
    try:
        options = read_map(op.operator.custom_options)
    except Damaged as damage:
        raise Refused(f"its options are damaged: {damage}") from damage
    (batch, anchors, coordinates), scores = _three(op, 0), _three(op, 1)
    most, classes = _integer(options, "max_detections"), _integer(options, "num_classes")
    if (
        scores[:2] != (batch, anchors)
        or op.shape(2) != (anchors, 4)
        or coordinates < 4
        or scores[2] - classes not in {0, 1}
    ):
        raise Refused(f"its inputs have the shapes {[list(op.shape(k)) for k in range(3)]} for {classes} classes")
    outputs = [op.output(BOXES, (batch, most, 4)), op.output(CLASSES, (batch, most)), op.output(SCORES, (batch, most))]
    if batch != 1:
        raise Refused("it takes more than one sample")
    outputs.append(op.output(NUMBER, op.result(NUMBER).shape or (1,)))
    score_operand = op.real_input(1)
    if scores[2] == classes:
        scores = (batch, anchors, classes + 1)
        paddings = op.made(OperandCode.TENSOR_INT32, np.array([[0, 0], [0, 0], [1, 0]], np.int32))
        score_operand = op.computed(OperationCode.PAD, score_operand, paddings, dimensions=scores)
    regular = bool(options.get("use_regular_nms", False))
    labels = op.builder.tensor(OperandCode.TENSOR_INT32, (batch, most))
    number = op.builder.tensor(OperandCode.TENSOR_INT32, (batch,))
    inputs = [
        score_operand, op.real_input(0), op.real_input(2),
        *(op.float32(_real(options, name)) for name in ("y_scale", "x_scale", "h_scale", "w_scale")),
        op.bool8(regular),
        op.int32(most),
        op.int32(_integer(options, "max_classes_per_detection")),
        op.int32(_integer(options, "detections_per_class", 100)),
        op.float32(_real(options, "nms_score_threshold")),
        op.float32(_real(options, "nms_iou_threshold")),
        op.bool8(False),
    ]  # fmt: skip
    op.emit(OperationCode.DETECTION_POSTPROCESSING, inputs, [outputs[SCORES], outputs[BOXES], labels, number])
    op.emit(OperationCode.CAST, [labels], [outputs[CLASSES]])
    op.emit(OperationCode.CAST, [number], [outputs[NUMBER]])


def _three(op: Op, k: int) -> tuple[int, int, int]:
    if len(op.shape(k)) != 3:
        raise Refused(f"its input {k} has the shape {list(op.shape(k))}")
    a, b, c = op.shape(k)
    return a, b, c


def _integer(options: dict[str, bool | int | float], name: str, default: int = 0) -> int:
    value = options.get(name, default)
    if not isinstance(value, int) or not 0 < value < 2**20:
        raise Refused(f"its option {name} is {value}")
    return int(value)


def _real(options: dict[str, bool | int | float], name: str) -> float:
    value = options.get(name, float("nan"))
    if not np.isfinite(value):
        raise Refused(f"its option {name} is {value}")
    return float(value)
