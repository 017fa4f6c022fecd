"""Label files: one class number a line, or a name and a class number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlperf_mobile.errors import DataError

MAX_BYTES = 1 << 28


def read_labels(path: Path, names: Sequence[str], classes: int) -> list[int]:
    """The class of each image in ``names``, which are sorted file names.

    The app's format has one number a line, for the images in order of their names; it may go on after the last image,
    so a subset has to be the first images. The other format has ``NAME CLASS`` a line, the name with or without its
    suffix, in any order. Empty lines and lines that begin with ``#`` are passed over.

    Raises:
        DataError: The file cannot be read, or does not fit the images; names file and line.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError("labels", f"{path} is larger than {MAX_BYTES} bytes", "give a label file")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError("labels", f"cannot read {path}: {error.strerror}", "check --set labels=FILE") from error
    except UnicodeDecodeError as error:
        raise DataError("labels", f"{path} is not text in UTF-8", "give a label file") from error
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, words) for number, words in lines if words and not words[0].startswith("#")]
    if not lines:
        raise DataError("labels", f"{path} has no labels", "give a label file")
    if len(lines[0][1]) == 1:
        return _by_order(path, lines, names, classes)
    return _by_name(path, lines, names, classes)


def _by_order(path: Path, lines: list[tuple[int, list[str]]], names: Sequence[str], classes: int) -> list[int]:
    if len(lines) < len(names):
        reason = f"{path} has {len(lines)} labels for {len(names)} images"
        raise DataError("labels", reason, "labels go by sorted file name, so a subset must be the first images")
    labels = []
    for number, words in lines:
        if len(words) != 1:
            raise DataError("labels", f"{path}:{number}: expected one class number", "all lines must have one format")
        labels.append(_class(path, number, words[0], classes))
    return labels[: len(names)]


def _by_name(path: Path, lines: list[tuple[int, list[str]]], names: Sequence[str], classes: int) -> list[int]:
    found: dict[str, int] = {}
    for number, words in lines:
        if len(words) != 2:
            raise DataError("labels", f"{path}:{number}: expected 'NAME CLASS'", "all lines must have one format")
        if words[0] in found:
            raise DataError("labels", f"{path}:{number}: {words[0]} has a label already", "keep one of them")
        found[words[0]] = _class(path, number, words[1], classes)
    labels = []
    for name in names:
        label = found.get(name, found.get(Path(name).stem))
        if label is None:
            raise DataError("labels", f"{path} has no label for {name}", "add a line 'NAME CLASS', or remove the image")
        labels.append(label)
    return labels


def _class(path: Path, number: int, word: str, classes: int) -> int:
    digits = word if len(word) <= 9 else ""
    if not (digits.isascii() and digits.isdigit()):
        raise DataError("labels", f"{path}:{number}: {word[:40]!r} is not a class number", "classes are 0, 1, 2, …")
    if int(digits) >= classes:
        reason = f"{path}:{number}: label {digits} is out of range, classes are 0 to {classes - 1}"
        raise DataError("label-range", reason, "set the number of classes with --set classes=N")
    return int(digits)
