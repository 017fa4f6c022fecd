"""Reads the arrays in an .npz file that nobody has checked: no pickles, and lengths are compared before allocating."""

from __future__ import annotations

import math
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mlperf_mobile.errors import DataError

MOST_BYTES = 1 << 30
"""Limit for all arrays together: they are in memory during the run."""
MOST_ARRAYS = 64
MOST_SAMPLES = 1 << 20
_HEADER_BYTES = 10_000
"""NumPy's own limit for a header that it evaluates as a literal."""

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]

_HOW = "write it with numpy.savez(FILE, name=array, ...), one array for each input, samples along the first axis"


def read_arrays(path: Path) -> Arrays:
    """All arrays in a file, by name, with the same number of samples along the first axis; floats are finite.

    Raises:
        DataError: ``inputs-file``: the file is missing, damaged or too large, or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _checked(path, {_name(info): _array(path, archive, info) for info in _members(path, archive)})
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _refused(path, f"cannot be read: {reason}") from error


def _members(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if not 0 < len(members) <= MOST_ARRAYS:
        raise _refused(path, f"has {len(members)} arrays, and should have 1 to {MOST_ARRAYS}")
    names = [_name(info) for info in members]
    if len(set(names)) < len(names):
        raise _refused(path, "has two arrays of one name")
    total = sum(info.file_size for info in members)
    if total > MOST_BYTES:
        raise _refused(path, f"has {total / 1e6:.0f} MB, more than {MOST_BYTES / 1e6:.0f} MB", "give fewer samples")
    return members


def _name(info: zipfile.ZipInfo) -> str:
    return info.filename.removesuffix(".npy")


def _array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """One array; its header is checked against its length before memory is allocated."""
    name = _name(info)
    with archive.open(info) as file:
        try:
            shape, by_columns, dtype = _header(file)
        except Exception as error:  # NumPy evaluates the header as a literal, and a hostile one may raise anything
            raise _refused(path, f"{name!r} is not an array in NumPy's format") from error
        if dtype.hasobject:
            raise _refused(path, f"{name!r} holds pickled Python objects, which are not loaded")
        if dtype.kind not in "biuf" or dtype.fields is not None:
            raise _refused(path, f"{name!r} is {dtype}; inputs are numbers")
        size = math.prod(shape) * dtype.itemsize
        if any(length < 0 for length in shape) or file.tell() + size != info.file_size:
            raise _refused(path, f"{name!r} has {info.file_size} bytes, its header says {file.tell() + size}")
        data = bytearray(file.read(size))
        if len(data) != size:
            raise _refused(path, f"{name!r} ends early")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if by_columns else "C")
    return np.ascontiguousarray(array, dtype.newbyteorder("=")).reshape(shape)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file, max_header_size=_HEADER_BYTES)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file, max_header_size=_HEADER_BYTES)
    raise ValueError(version)


def _checked(path: Path, arrays: Arrays) -> Arrays:
    counts = {name: each.shape[0] if each.ndim else 0 for name, each in arrays.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise _refused(path, f"has different numbers of samples: {listed}")
    if not 0 < (samples := next(iter(counts.values()))) <= MOST_SAMPLES:
        raise _refused(path, f"has {samples} samples, and should have 1 to {MOST_SAMPLES}")
    for name, each in arrays.items():
        if each.dtype.kind == "f":
            for index in range(samples):
                if not np.isfinite(each[index]).all():
                    hint = "replace NaN and infinity by numbers"
                    raise _refused(path, f"{name!r} has a value that is not finite, in sample {index}", hint)
    return arrays


def _refused(path: Path, what: str, hint: str = _HOW) -> DataError:
    shown = path
    with suppress(ValueError):
        shown = path.relative_to(Path.cwd())
    return DataError("inputs-file", f"{shown} {what}", hint)
