"""Turns a detector's outputs into a response; part of the timed query."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import Tensors, TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_task_object_detection.anchors import anchor_count, decode_boxes, ssd_anchors
from mlperf_mobile_task_object_detection.options import TaskOptions
from mlperf_mobile_task_object_detection.outputs import Places, Real
from mlperf_mobile_task_object_detection.response import BOX, CLASS, SCORE, new_response
from mlperf_mobile_task_object_detection.suppression import suppress
from mlperf_mobile_task_object_detection.thresholds import Threshold

Floats = npt.NDArray[np.float32]


class PostProcessed:
    """For models that end in TFLite_Detection_PostProcess: their detections are passed on unchanged."""

    def __init__(self, outputs: Sequence[TensorSpec], places: Places, options: TaskOptions) -> None:
        self._boxes, self._classes = places["boxes"], places["classes"]
        self._scores, self._count = places["scores"], places["count"]
        self._real = [Real(spec) for spec in outputs]
        for part in ("classes", "scores", "count"):  # boxes have four columns, the others are one list
            if self._real[places[part]].by_column:
                reason = f"output {outputs[places[part]].name} {outputs[places[part]]} has several scales"
                raise ModelError("model-output", reason, "convert the model with one scale for the output")
        self._offset = np.float32(options.label_offset)

    def decode(self, outputs: Tensors) -> bytes:
        """The detections, as many as the model's count says, at most as many as its outputs hold."""
        real, scores = self._real, outputs[self._scores].reshape(-1)
        counted = float(real[self._count](outputs[self._count].reshape(-1))[0])
        count = int(min(counted, scores.size)) if counted > 0 else 0
        found = new_response(count)
        found[:, BOX] = real[self._boxes](outputs[self._boxes].reshape(-1, 4)[:count])
        found[:, SCORE] = real[self._scores](scores[:count])
        found[:, CLASS] = real[self._classes](outputs[self._classes].reshape(-1)[:count])
        found[:, CLASS] += self._offset
        return found.tobytes()


class Raw:
    """For models that end in box encodings and class scores: threshold, box decoding, suppression.

    Args:
        outputs: All outputs of the model.
        places: Indices of the boxes and of the scores.
        options: How to read them.
        image: Height and width of the model's input.

    Raises:
        ModelError: The outputs do not fit the image size, the anchor options or the background.
    """

    def __init__(
        self, outputs: Sequence[TensorSpec], places: Places, options: TaskOptions, image: tuple[int, int]
    ) -> None:
        self._boxes, self._scores = places["boxes"], places["scores"]
        boxes, scores = outputs[self._boxes], outputs[self._scores]
        made, (_, anchors, self._columns) = anchor_count(*image, options), scores.shape
        if made != anchors:
            model = f"the model has {anchors} anchors ({scores.name} {scores})"
            reason = f"{model}, the options make {made} for images of {image[0]}x{image[1]}"
            raise ModelError(
                "model-anchors", reason, "set the anchor_… options to the values the model was trained with"
            )
        if self._columns <= options.background:
            reason = f"output {scores.name} {scores} has no class besides the background"
            raise ModelError("model-output", reason, "set background=false, or give another model")
        self._anchors = ssd_anchors(*image, options)
        self._real_boxes, self._threshold = Real(boxes), Threshold(scores, options)
        self._box_scales = np.array(options.box_scales, np.float32).astype(np.float64)
        self._fast, self._overlap, self._most = options.nms == "fast", options.iou_threshold, options.max_detections
        self._offset = options.label_offset - options.background

    def decode(self, outputs: Tensors) -> bytes:
        """The best detections by falling score; equal scores in the order of anchors and classes."""
        stored = outputs[self._scores].reshape(-1, self._columns)
        anchors, columns, scores = self._threshold.passing(stored)
        order = np.argsort(-scores, kind="stable")
        if self._fast:  # only each anchor's best class
            _, first = np.unique(anchors[order], return_index=True)
            order = order[np.sort(first)]
        anchors, columns = anchors[order], columns[order]
        encodings = outputs[self._boxes].reshape(-1, 4)

        def boxes_of(part: slice) -> Floats:
            mine = anchors[part]
            return decode_boxes(self._real_boxes(encodings[mine]), self._anchors[mine], self._box_scales)

        groups = None if self._fast else columns
        chosen, boxes = suppress(len(order), boxes_of, groups, self._overlap, self._most)
        found = new_response(len(chosen))
        found[:, BOX], found[:, SCORE] = boxes, scores[order[chosen]]
        found[:, CLASS] = columns[chosen] + self._offset
        return found.tobytes()
