"""The system under test: loaded sessions, and samples encoded into memory on every core."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from mlperf_mobile.contracts import BatchSession, Codec, Dataset, Session, Tensors
from mlperf_mobile.worker.watch import Watch


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class System:
    """A :class:`mlperf_mobile.contracts.SystemUnderTest` over sessions of one model.

    Args:
        sessions: One for each thread that may answer.
        batch: Samples one call takes; above 1, every session is a :class:`BatchSession`.
        codec: Encodes samples, decodes outputs.
        dataset: Where samples come from.
        watch: Told how the encoding goes.
    """

    answer: Callable[[int], bytes]
    answer_batch: Callable[[Sequence[int], int], Sequence[bytes]]

    def __init__(self, sessions: Sequence[Session], batch: int, codec: Codec, dataset: Dataset, watch: Watch) -> None:
        self.sessions, self.batch, self.sample_count = len(sessions), batch, len(dataset)
        self._codec, self._dataset, self._watch = codec, dataset, watch
        self._samples: dict[int, Tensors] = {}
        self.answer = _single(sessions[0], codec.decode, self._samples)
        self.answer_batch = (_batched if batch > 1 else _one_by_one)(sessions, codec.decode, self._samples)

    def hold(self, index: int) -> None:
        """Encode one sample into memory; may be called from several threads."""
        self._samples[index] = self._codec.encode(self._dataset.sample(index))

    def load_samples(self, indices: Sequence[int]) -> None:
        with (
            self._watch.phase("encode", len(indices), lambda: len(self._samples)),
            ThreadPoolExecutor(cores(), "encode") as pool,
        ):
            for _ in pool.map(self.hold, indices):
                pass

    def unload_samples(self, indices: Sequence[int]) -> None:
        for index in indices:
            self._samples.pop(index, None)


Decode = Callable[[Tensors], bytes]
Samples = dict[int, Tensors]


def _single(session: Session, decode: Decode, samples: Samples) -> Callable[[int], bytes]:
    """The timed call of single-stream; outputs live no longer than its expression, so the next run may reuse them."""
    run = session.run

    def answer(index: int) -> bytes:
        return decode(run(samples[index]))

    return answer


def _one_by_one(
    sessions: Sequence[Session], decode: Decode, samples: Samples
) -> Callable[[Sequence[int], int], Sequence[bytes]]:
    runs = [session.run for session in sessions]

    def answer_batch(indices: Sequence[int], session: int) -> Sequence[bytes]:
        run = runs[session]
        return [decode(run(samples[index])) for index in indices]

    return answer_batch


def _batched(
    sessions: Sequence[Session], decode: Decode, samples: Samples
) -> Callable[[Sequence[int], int], Sequence[bytes]]:
    batches = []
    for session in sessions:
        if not isinstance(session, BatchSession):
            raise TypeError("a backend with the capability 'batch' loaded a session without run_batch")
        batches.append(session.run_batch)

    def answer_batch(indices: Sequence[int], session: int) -> Sequence[bytes]:
        return [decode(outputs) for outputs in batches[session]([samples[index] for index in indices])]

    return answer_batch
