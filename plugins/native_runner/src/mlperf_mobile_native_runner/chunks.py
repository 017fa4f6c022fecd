"""The data set in chunks: how many samples each has, and the responses decoded from its outputs.

::

    <folder>/000012    the responses of chunk 12: for each sample its length, the SHA-256 of its outputs, the response

A chunk's file is complete or not there, so a driver that takes up a run knows what an earlier one has decoded.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlperf_mobile.contracts import Tensors, TensorSpec
from mlperf_mobile.errors import BackendError
from mlperf_mobile.loadgen import ResponseLog
from mlperf_mobile_native_runner.sample_files import stride, tensors_of

CHUNK_BYTES = 32 << 20
"""Maximum bytes of the inputs, and of the outputs, of a chunk; but a chunk has one sample at least."""
_HEAD = struct.Struct("<I32s")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive samples of a data set."""

    number: int
    first: int
    count: int

    @property
    def indices(self) -> range:
        """The samples."""
        return range(self.first, self.first + self.count)


def chunks(total: int, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], at_once: int) -> list[Chunk]:
    """Divide a data set.

    Args:
        total: Its samples.
        inputs: The model's.
        outputs: The model's.
        at_once: The samples that all sessions process at the same time; chunks have a multiple of it, if they can.
    """
    most = max(1, CHUNK_BYTES // max(1, stride(inputs), stride(outputs)))
    count = max(1, most - most % at_once if most > at_once else most)
    return [Chunk(n, first, min(count, total - first)) for n, first in enumerate(range(0, total, count))]


class Responses:
    """The responses of the chunks that were decoded.

    Args:
        folder: Where they are kept until the run ends; made if missing.
        outputs: The model's outputs.
        decode: Checks and decodes one sample's outputs.
    """

    def __init__(self, folder: Path, outputs: Sequence[TensorSpec], decode: Callable[[Tensors], bytes]) -> None:
        self._folder, self._specs, self._decode = folder, outputs, decode
        self._stride = stride(outputs)
        folder.mkdir(exist_ok=True)

    def has(self, chunk: Chunk) -> bool:
        """Whether a chunk was decoded."""
        return self._path(chunk).is_file()

    def decode(self, chunk: Chunk, outputs: Path) -> None:
        """Decode the outputs of a chunk, and keep its responses.

        Raises:
            BackendError: ``wrong-outputs``: the file has another size, or outputs cannot be those of the model.
            MobileError: They cannot be decoded.
            OSError: The responses cannot be written.
        """
        size = outputs.stat().st_size
        if size != self._stride * chunk.count:
            summary = f"the outputs of samples {chunk.first} to {chunk.indices[-1]} have {size} bytes"
            hint = f"{self._stride * chunk.count} are expected: the runner or the engine is damaged"
            raise BackendError("wrong-outputs", summary, hint)
        records = np.memmap(outputs, np.uint8, "r", shape=(chunk.count, self._stride))
        part = self._path(chunk).with_suffix(".part")
        with part.open("wb") as file:
            for record in records:
                response = self._decode(tensors_of(record, self._specs))
                file.write(_HEAD.pack(len(response), hashlib.sha256(record).digest()) + response)
        part.replace(self._path(chunk))

    def write(self, log: ResponseLog, done: Sequence[Chunk]) -> None:
        """Write all responses into the log of responses.

        Raises:
            OSError: They cannot be read or written.
        """
        for chunk in done:
            for index, (digest, response) in zip(chunk.indices, self._read(chunk), strict=True):
                log.add(index, response, digest)

    def remove(self) -> None:
        """Remove what is kept."""
        for path in self._folder.iterdir():
            path.unlink()
        self._folder.rmdir()

    def _path(self, chunk: Chunk) -> Path:
        return self._folder / f"{chunk.number:06}"

    def _read(self, chunk: Chunk) -> Iterator[tuple[bytes, bytes]]:
        with self._path(chunk).open("rb") as file:
            while head := file.read(_HEAD.size):
                length, digest = _HEAD.unpack(head)
                yield digest, file.read(length)
