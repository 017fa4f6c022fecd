"""Reads Fashion-MNIST's four files for the quickstarts' training scripts; needs numpy only."""

import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

DATA_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
"""Training images [60000, 28, 28] and their labels [60000], test images [10000, 28, 28] and theirs."""
FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts them."""


def read_idx(path: Path) -> Bytes:
    """Read a gzip-compressed IDX file of unsigned bytes (format: http://yann.lecun.com/exdb/mnist/).

    Raises:
        ValueError: the file is not IDX, does not hold unsigned bytes, or has the wrong length.
    """
    raw = gzip.decompress(path.read_bytes())
    if raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    rank = raw[3]
    shape = np.frombuffer(raw, ">u4", count=rank, offset=4).astype(np.int64)
    values = np.frombuffer(raw, np.uint8, offset=4 + 4 * rank)
    if values.size != shape.prod():
        raise ValueError(f"{path}: has {values.size} bytes, but its header says {shape.prod()}")
    return values.reshape(shape)
