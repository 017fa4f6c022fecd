"""Files of encoded samples: records of one size, each with the inputs of a sample one after the other.

The runner reads them by their place alone, so it knows nothing of tasks or formats.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlperf_mobile.backend_checks import misfit
from mlperf_mobile.contracts import Tensors, TensorSpec
from mlperf_mobile.threads import in_threads
from mlperf_mobile.worker.system import cores
from mlperf_mobile_native_runner.prompts import Samples

_TELL_S = 0.5
Record = npt.NDArray[np.uint8]
"""The bytes of one sample's tensors."""


def bytes_of(spec: TensorSpec) -> int:
    """The size of one sample's tensor."""
    return int(np.prod(spec.shape, dtype=np.int64)) * spec.dtype.itemsize


def stride(specs: Sequence[TensorSpec]) -> int:
    """The size of a record with these tensors."""
    return sum(map(bytes_of, specs))


def write(
    path: Path,
    samples: Samples,
    indices: Sequence[int],
    specs: Sequence[TensorSpec],
    model: str,
    tell: Callable[[int], None] = lambda done: None,
) -> None:
    """Write samples on all cores, in bounded memory.

    Args:
        path: The file.
        samples: The data set's.
        indices: Which of them, in the order of the file.
        specs: The model's inputs.
        model: The model's name, for errors.
        tell: Called about twice a second with the number of samples that are written.

    Raises:
        MobileError: A sample cannot be read or encoded, or does not fit.
        OSError: The file cannot be written.
    """
    size = stride(specs)
    with path.open("wb") as file:
        file.truncate(size * len(indices))
    records = np.memmap(path, np.uint8, "r+", shape=(len(indices), size))
    places, lock = iter(range(len(indices))), threading.Lock()
    done, reported = 0, time.monotonic()

    def work(_: int, failures: list[BaseException]) -> None:
        nonlocal done, reported
        while not failures:
            with lock:
                place = next(places, None)
            if place is None:
                return
            fill(records[place], samples[indices[place]], specs, model)
            with lock:
                done += 1
                if time.monotonic() - reported >= _TELL_S:
                    reported = time.monotonic()
                    tell(done)

    in_threads(work, max(1, min(cores(), len(indices))))
    records.flush()
    tell(done)


def fill(record: Record, tensors: Tensors, specs: Sequence[TensorSpec], model: str) -> None:
    """Write one sample's tensors into its record.

    Raises:
        BackendError: ``input-mismatch``.
    """
    if wrong := misfit(tensors, specs, model):
        raise wrong
    start = 0
    for tensor in tensors:
        data = np.ascontiguousarray(tensor).reshape(-1).view(np.uint8)
        record[start : start + data.size] = data
        start += data.size


def tensors_of(record: Record, specs: Sequence[TensorSpec]) -> Tensors:
    """The tensors in a record, as views."""
    found, start = [], 0
    for spec in specs:
        end = start + bytes_of(spec)
        found.append(record[start:end].view(spec.dtype).reshape(spec.shape))
        start = end
    return tuple(found)
