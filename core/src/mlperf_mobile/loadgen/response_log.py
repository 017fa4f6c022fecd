"""The log of responses beside an accuracy log that holds digests: decoded from outputs with these digests.

A runner without Python returns a model's outputs, and LoadGen's accuracy log has the SHA-256 of each sample's: those of
all its tensors, one after the other. The outputs are decoded on the host, and this log keeps each response with the
digest of the outputs that it was decoded from, in the layout of LoadGen's own log.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO, Self

from mlperf_mobile.errors import DataError
from mlperf_mobile.loadgen import accuracy_log
from mlperf_mobile.loadgen.logs import ACCURACY_LOG

RESPONSE_LOG = "mlperf_mobile_responses.json"
DIGEST_BYTES = hashlib.sha256().digest_size


class ResponseLog:
    """Writes a log of responses; a context manager.

    Args:
        folder: The folder of the accuracy log.
    """

    def __init__(self, folder: Path) -> None:
        """Raises: OSError: It cannot be written; the same for :meth:`add` and the end."""
        self._file: IO[str] = (folder / RESPONSE_LOG).open("w", encoding="ascii")
        self._file.write("[")
        self.count = 0

    def add(self, index: int, response: bytes, digest: bytes) -> None:
        """Add the response to a sample, and the SHA-256 of its outputs."""
        ends = ",\n" if self.count else "\n"
        data, outputs = response.hex().upper(), digest.hex().upper()
        self._file.write(
            f'{ends}{{ "seq_id" : {self.count}, "qsl_idx" : {index}, "data" : "{data}", "outputs" : "{outputs}" }}'
        )
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.write("\n]\n")
        self._file.close()


def responses_of(logs: Path) -> Path:
    """The log to score in a folder of an accuracy run: the log of responses if there is one, else LoadGen's."""
    own = logs / RESPONSE_LOG
    return own if own.is_file() else logs / ACCURACY_LOG


def check(logs: Path, total: int) -> None:
    """Compare both logs: each sample has one response, decoded from outputs with the digest that LoadGen logged.

    Args:
        logs: The folder of the accuracy run.
        total: The number of samples.

    Raises:
        DataError: They do not agree, or one is missing or damaged; names the sample.
    """
    logged = digests(logs / ACCURACY_LOG, total)
    path = logs / RESPONSE_LOG
    seen = bytearray(total)
    for item in accuracy_log.read([path]):
        if not 0 <= item.index < total or seen[item.index]:
            why = "is answered twice" if 0 <= item.index < total else f"is not one of the {total} samples"
            raise DataError("accuracy-log", f"{path}:{item.line}: sample {item.index} {why}")
        seen[item.index] = 1
        if item.outputs != logged[item.index * DIGEST_BYTES : (item.index + 1) * DIGEST_BYTES]:
            summary = f"{path}:{item.line}: the response to sample {item.index} does not belong to what LoadGen logged"
            raise DataError("accuracy-log", summary, "one of the logs was changed, or belongs to another run")
    if (answered := sum(seen)) != total:
        raise DataError("accuracy-log", f"{path}: answers {answered} of {total} samples", "the log was cut short")


def digests(path: Path, total: int) -> bytearray:
    """The digests in LoadGen's accuracy log, one after the other in the order of the samples.

    Raises:
        DataError: The log is damaged, does not have every sample once, or holds something else.
    """
    found, seen = bytearray(total * DIGEST_BYTES), bytearray(total)
    for item in accuracy_log.read([path]):
        if not 0 <= item.index < total or seen[item.index]:
            why = "is answered twice" if 0 <= item.index < total else f"is not one of the {total} samples"
            raise DataError("accuracy-log", f"{path}:{item.line}: sample {item.index} {why}")
        if len(item.data) != DIGEST_BYTES:
            raise DataError("accuracy-log", f"{path}:{item.line}: sample {item.index} has no SHA-256")
        seen[item.index] = 1
        found[item.index * DIGEST_BYTES : (item.index + 1) * DIGEST_BYTES] = item.data
    if (answered := sum(seen)) != total:
        raise DataError("accuracy-log", f"{path}: answers {answered} of {total} samples", "the log was cut short")
    return found
