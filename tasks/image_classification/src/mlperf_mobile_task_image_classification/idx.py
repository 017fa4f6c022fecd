"""IDX files of unsigned bytes, gzip-compressed: the format of MNIST and its relatives."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlperf_mobile.errors import DataError

MAX_BYTES = 1 << 28
"""Of the uncompressed file."""


def read_idx(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """The array in an IDX file: two zero bytes, type 8, the number of dimensions, their sizes (big-endian), the data.

    Raises:
        DataError: The file is missing, damaged or too large, or has another type or number of dimensions.
    """
    try:
        with gzip.open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise DataError("data-missing", f"{path} does not exist", "check --data-path") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("data-damaged", f"{path} cannot be unpacked: {error}", "replace the file") from error
    return parse_idx(data, dimensions, str(path))


def parse_idx(data: bytes, dimensions: int, source: str) -> npt.NDArray[np.uint8]:
    """The array in the bytes of an IDX file; ``source`` names it in messages."""
    head = 4 + 4 * dimensions
    if len(data) > MAX_BYTES:
        raise DataError("data-damaged", f"{source} unpacks to more than {MAX_BYTES} bytes", "replace the file")
    if len(data) < head or data[:4] != bytes((0, 0, 8, dimensions)):
        raise DataError(
            "data-damaged", f"{source} is not an IDX file of unsigned bytes with {dimensions} dimensions", "replace it"
        )
    shape = struct.unpack(f">{dimensions}I", data[4:head])
    if len(data) - head != math.prod(shape):
        reason = f"{source} holds {len(data) - head} bytes, its header says {math.prod(shape)}"
        raise DataError("data-damaged", reason, "replace the file")
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)
