"""Label files: one class number per line, or a name and a class number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.order import misnumbered

MAX_BYTES = 1 << 28

Line = tuple[int, str]
"""The line number, from 1, and the text."""


def read_labels(path: Path, names: Sequence[str], classes: int, warnings: list[str] | None = None) -> list[int]:
    """The class of each image in ``names``, which are sorted file names.

    The app's format has one number per line, for the images in name order; it may be longer than the list of images,
    so a subset must be the first images. The other format has ``NAME CLASS`` lines in any order, the name with or
    without its suffix. Names of other images, empty lines and lines that begin with ``#`` are ignored.

    If file names are numbered and the app's format assigns an image the label of another number, as happens for a
    subset that is not the beginning of the data set, ``warnings`` receives a sentence about it.

    Raises:
        DataError: The file cannot be read, or does not fit the images; the message names file and line.
    """
    lines = [(number, line.strip()) for number, line in enumerate(_text(path).split("\n"), 1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not lines:
        raise DataError("labels", f"{path} has no labels", "give a label file")
    by_order = len(lines[0][1].split()) == 1
    if by_order and warnings is not None and (wrong := misnumbered(names)):
        place, number = wrong
        mismatch = f"{names[place]}, image {place + 1} by name, has label {place + 1} of {path}, not number {number}"
        warnings.append(
            f"{mismatch}: labels are assigned in name order; if they belong to the numbers, write 'NAME CLASS' lines"
        )
    return (_by_order if by_order else _by_name)(path, lines, names, classes)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError("labels", f"cannot read {path}: {error.strerror}", "check --set labels=FILE") from error
    if len(data) > MAX_BYTES:
        raise DataError("labels", f"{path} is larger than {MAX_BYTES} bytes", "give a label file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("labels", f"{path} is not text in UTF-8", "give a label file") from error


def _by_order(path: Path, lines: Sequence[Line], names: Sequence[str], classes: int) -> list[int]:
    labels = [_class(path, number, text, classes) for number, text in lines]
    if len(labels) < len(names):
        reason = f"{path} has {len(labels)} labels for {len(names)} images"
        raise DataError("labels", reason, "labels are assigned in name order, so a subset must be the first images")
    return labels[: len(names)]


def _by_name(path: Path, lines: Sequence[Line], names: Sequence[str], classes: int) -> list[int]:
    images = _images_by_word(names)
    found: dict[str, int] = {}
    for number, text in lines:
        *words, label = text.rsplit(maxsplit=1)
        if not words:
            raise DataError("labels", f"{path}:{number}: expected 'NAME CLASS'", "all lines must have the same format")
        word, value = words[0], _class(path, number, label, classes)
        named = images.get(word, [word])
        if len(named) > 1:
            raise DataError("labels", f"{path}:{number}: {word} could be {' or '.join(named)}", "write the suffix")
        if named[0] in found:
            raise DataError("labels", f"{path}:{number}: {word} already has a label", "keep one of the lines")
        found[named[0]] = value
    if absent := next((name for name in names if name not in found), None):
        raise DataError("labels", f"{path} has no label for {absent}", "add a line 'NAME CLASS', or remove the image")
    return [found[name] for name in names]


def _images_by_word(names: Iterable[str]) -> dict[str, list[str]]:
    """The files that each word can mean: a full file name that file, a stem every file with that stem."""
    images: dict[str, list[str]] = {}
    for name in names:
        images.setdefault(Path(name).stem, []).append(name)
    return images | {name: [name] for name in names}


def _class(path: Path, number: int, word: str, classes: int) -> int:
    digits = word if len(word) <= 9 else ""
    if not (digits.isascii() and digits.isdigit()):
        hint = "one class number per line, or 'NAME CLASS' on every line; classes are 0, 1, 2, …"
        raise DataError("labels", f"{path}:{number}: {word[:40]!r} is not a class number", hint)
    if int(digits) >= classes:
        reason = f"{path}:{number}: label {digits} is out of range, classes are 0 to {classes - 1}"
        raise DataError("label-range", reason, "set the number of classes with --set classes=N")
    return int(digits)
