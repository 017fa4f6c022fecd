"""YAML 1.2's core schema: the type of an unquoted scalar (YAML 1.2.2, section 10.3.2)."""

from __future__ import annotations

import math
import re
from typing import Any

STR, NULL, BOOL, INT, FLOAT, SEQ, MAP = (
    f"tag:yaml.org,2002:{name}" for name in ("str", "null", "bool", "int", "float", "seq", "map")
)
_PATTERNS = {
    NULL: re.compile("null|Null|NULL|~|"),
    BOOL: re.compile("true|True|TRUE|false|False|FALSE"),
    INT: re.compile("[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    FLOAT: re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
}
_MAX_DIGITS = 100
"""More than any setting needs; the time to convert a number grows with the square of its length."""


def tag_of(text: str) -> str:
    """The tag of an unquoted scalar."""
    if text[:1].isalpha() and text[0] not in "nNtTfF":  # most are names, which no pattern matches
        return STR
    return next((tag for tag, pattern in _PATTERNS.items() if pattern.fullmatch(text)), STR)


def value(tag: str, text: str) -> Any:
    """The value of a scalar.

    Raises:
        ValueError: The tag is not in the core schema, or the text is not of its type.
    """
    if tag == STR:
        return text
    if tag not in _PATTERNS or not _PATTERNS[tag].fullmatch(text):
        raise ValueError(f"{text!r:.80} is not a {tag.removeprefix('tag:yaml.org,2002:')!r:.80}")
    if tag == NULL:
        return None
    if tag == BOOL:
        return text[0] in "tT"
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number is longer than {_MAX_DIGITS} characters")
    if tag == INT:
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text if base == 10 else text[2:], base)
    number = float(text.replace(".", "", 1) if text[-1] in "fFnN" else text)
    if math.isinf(number) and text[-1] not in "fF":
        raise ValueError(f"{text!r} is too large for a number")
    return number
