"""The reference app's ground truth: objects of images in protobuf's text format.

Schema: TensorFlow Lite, tools/evaluation/proto/evaluation_stages.proto (ObjectDetectionGroundTruth). Text format:
https://protobuf.dev/reference/protobuf/textformat-spec/, of which these files use a part.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_object_detection.files import MAX_CLASS, image_key, read_text
from mlperf_mobile_task_object_detection.truth import Truth, as_boxes

SIDES = ("normalized_top", "normalized_left", "normalized_bottom", "normalized_right")

Schema = Mapping[str, Any]
"""The content of each field: a type, a message's schema, or a list with the schema of a repeated message."""
BOX: Schema = dict.fromkeys(SIDES, float)
OBJECT: Schema = {"class_id": int, "bounding_box": BOX, "score": float}
RESULT: Schema = {"objects": [OBJECT], "image_name": str, "image_id": int}
GROUND_TRUTH: Schema = {"detection_results": [RESULT]}

TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)|(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?P<word>[A-Za-z_]\w*)"""
    r"""|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[fF]?)|(?P<sign>[{}<>:;,\[\]-])"""
)
ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|(.))")
LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_HINT = "give the app's coco_val_full.pbtxt or a similar file, or correct it"


def read_ground_truth(path: Path) -> dict[str, Truth]:
    """The truth of each image in the file, by :func:`~files.image_key`.

    Raises:
        DataError: The file cannot be read or is damaged; the message names file and line.
    """
    found: dict[str, Truth] = {}
    for result in _Parser(str(path), read_text(path)).file().fields.get("detection_results", []):
        name = result.fields.get("image_name", "")
        if not (key := image_key(name)):
            raise DataError("annotations", f"{path}:{result.line}: the image has no name", _HINT)
        if key in found:
            reason = f"{path}:{result.line}: {name} appears twice, apart from the suffix"
            raise DataError("image-names", reason, "keep one of them")
        objects = result.fields.get("objects", [])
        boxes = as_boxes([_box(each, path) for each in objects])
        found[key] = Truth(boxes, np.array([_class(each, path) for each in objects], np.int64))
    return found


@dataclass(slots=True)
class _Message:
    line: int
    fields: dict[str, Any] = field(default_factory=dict)


def _box(found: _Message, path: Path) -> list[float]:
    box = found.fields.get("bounding_box")
    sides = [box.fields.get(side, 0.0) for side in SIDES] if box else [math.nan]
    if not all(math.isfinite(side) and abs(side) < 1e6 for side in sides):
        raise DataError("annotations", f"{path}:{found.line}: the object has no box of four finite numbers", _HINT)
    return sides


def _class(found: _Message, path: Path) -> int:
    category = found.fields.get("class_id", -1)
    if not 0 <= category < MAX_CLASS:
        raise DataError("class-range", f"{path}:{found.line}: class_id {category} is out of range", _HINT)
    return int(category)


class _Parser:
    """Parses one file; the schema bounds the nesting depth."""

    def __init__(self, source: str, text: str) -> None:
        self._source, self._text = source, text
        self._place, self._line = 0, 1
        self._kind, self._word = "", ""
        self._next()

    def file(self) -> _Message:
        return self._message(GROUND_TRUTH, "")

    def _next(self) -> None:
        while True:
            token = TOKEN.match(self._text, self._place)
            if token is None:
                self._kind, self._word = (
                    ("end", "") if self._place == len(self._text) else ("", self._text[self._place])
                )
                return
            self._place = token.end()
            self._kind, self._word = str(token.lastgroup), token.group()
            if self._kind != "space":
                return
            self._line += self._word.count("\n")

    def _message(self, schema: Schema, end: str) -> _Message:
        message = _Message(self._line)
        while not (self._word == end and self._kind in ("sign", "end")):
            name, holds = self._word, schema.get(self._word)
            if self._kind != "word" or holds is None:
                raise self._error(f"{', '.join(schema)}" + (f" or {end}" if end else ""))
            self._next()
            repeated = isinstance(holds, list)
            if not repeated and name in message.fields:
                raise self._error(f"one {name} only")
            value = self._value(holds[0] if repeated else holds)
            if repeated:
                message.fields.setdefault(name, []).append(value)
            else:
                message.fields[name] = value
            if self._kind == "sign" and self._word in ",;":
                self._next()
        self._next()
        return message

    def _value(self, holds: Any) -> Any:
        colon = self._word == ":"
        if colon:
            self._next()
        if isinstance(holds, dict):
            end = {"{": "}", "<": ">"}.get(self._word)
            if end is None or self._kind != "sign":
                raise self._error("{")
            self._next()
            return self._message(holds, end)
        if not colon:
            raise self._error(":")
        return self._string() if holds is str else self._number(holds)

    def _string(self) -> str:
        parts = []
        while self._kind == "string":
            parts.append(ESCAPE.sub(_unescaped, self._word[1:-1]))
            self._next()
        if not parts:
            raise self._error("a string")
        return "".join(parts)

    def _number(self, holds: type[int] | type[float]) -> int | float:
        sign = ""
        if self._word == "-":
            sign = "-"
            self._next()
        word = sign + (self._word.rstrip("fF") if self._kind == "number" else self._word)
        try:
            if self._kind not in ("number", "word") or len(word) > 100:
                raise ValueError
            value = holds(word)
        except ValueError:
            raise self._error("a whole number" if holds is int else "a number") from None
        self._next()
        return value

    def _error(self, expected: str) -> DataError:
        got = f"{self._word[:40]!r}" if self._kind != "end" else "the end"
        return DataError("annotations", f"{self._source}:{self._line}: expected {expected}, found {got}", _HINT)


def _unescaped(match: re.Match[str]) -> str:
    octal, hexadecimal, letter = match.groups()
    if letter is not None:
        return LETTERS.get(letter, letter)
    return chr(int(octal, 8) & 255) if octal else chr(int(hexadecimal, 16))
