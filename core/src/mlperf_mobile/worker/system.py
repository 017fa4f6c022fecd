"""The system under test: loaded sessions, and samples encoded into memory on every core."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from mlperf_mobile.backend_checks import wrong_outputs
from mlperf_mobile.contracts import (
    BatchSession,
    Codec,
    Dataset,
    Session,
    Tensors,
    TensorSpec,
)
from mlperf_mobile.errors import NOT_FOREIGN, BackendError, DataError, ModelError, described
from mlperf_mobile.threads import in_threads
from mlperf_mobile.worker.encoded import EncodedStore, KeyOf, key_of
from mlperf_mobile.worker.watch import Watch

_HINT = "worker.log in the result folder has the details"


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class System:
    """A :class:`mlperf_mobile.contracts.SystemUnderTest` over sessions of one model.

    Args:
        sessions: One for each thread that may answer.
        batch: Samples per call; above 1, every session is a :class:`BatchSession`.
        codec: Encodes samples, decodes outputs.
        dataset: The data set of the samples.
        watch: Reports the progress of encoding.
        store: Keeps encoded samples between runs.
        decode: Replaces the codec's ``decode``.
        abandon: Ends the process after an error in a load generator's callback.
    """

    answer: Callable[[int], bytes]
    answer_batch: Callable[[Sequence[int], int], Sequence[bytes]]

    def __init__(
        self,
        sessions: Sequence[Session],
        batch: int,
        codec: Codec,
        dataset: Dataset,
        watch: Watch,
        store: EncodedStore | None = None,
        *,
        decode: Decode | None = None,
        abandon: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._abandon = abandon
        self.sessions, self.batch, self.sample_count = len(sessions), batch, len(dataset)
        self.codec, self._dataset, self._watch = codec, dataset, watch
        self._sessions, self.specs = sessions, tuple(sessions[0].outputs)
        self._samples: dict[int, Tensors] = {}
        self._store, self._key_of = store, key_of(dataset, codec) if store else None
        decode = decode or codec.decode
        self.answer = _single(sessions[0], decode, self._samples)
        self.answer_batch = (
            _batched(sessions, decode, self._samples, batch)
            if batch > 1
            else _one_by_one(sessions, decode, self._samples)
        )

    def abandon(self, error: BaseException) -> None:
        """End the process, if a function for that was given."""
        if self._abandon:
            self._abandon(error)

    def session(self, number: int) -> Session:
        """One of the sessions."""
        return self._sessions[number]

    def infer(self, indices: Sequence[int], number: int) -> object:
        """The unchecked result of one call of a session: the outputs for each of the loaded samples.

        Args:
            indices: At most ``batch`` samples.
            number: The session's number.
        """
        samples, session = [self._samples[index] for index in indices], self._sessions[number]
        try:
            if self.batch == 1:
                return [session.run(*samples)]
            return _as_batch_session(session).run_batch(samples)
        except BaseException as error:
            raise _blamed(error, self.codec.decode, self.specs) from error

    def decode(self, outputs: Tensors) -> bytes:
        """The response for one sample's outputs."""
        try:
            return self.codec.decode(outputs)
        except BaseException as error:
            raise _blamed(error, self.codec.decode, self.specs) from error

    def hold(self, index: int) -> None:
        """Encode one sample into memory, or read it from the store; may be called from several threads."""
        if not self._store or not self._key_of:
            self._samples[index] = self._encode(index)
            return
        key = self._key(index, self._key_of)
        if kept := self._store.get(key):
            self._samples[index] = kept
            return
        self._samples[index] = encoded = self._encode(index)
        self._store.put(key, encoded)

    def _key(self, index: int, key_of: KeyOf) -> str:
        try:
            return key_of(index)
        except NOT_FOREIGN:
            raise
        except BaseException as error:
            raise DataError("dataset-failed", f"sample {index} cannot be read: {described(error)}", _HINT) from error

    def _encode(self, index: int) -> Tensors:
        try:
            sample = self._dataset.sample(index)
        except NOT_FOREIGN:
            raise
        except BaseException as error:
            raise DataError("dataset-failed", f"sample {index} cannot be read: {described(error)}", _HINT) from error
        try:
            return self.codec.encode(sample)
        except NOT_FOREIGN:
            raise
        except BaseException as error:
            raise ModelError("task-failed", f"sample {index} cannot be encoded: {described(error)}", _HINT) from error

    def load_samples(self, indices: Sequence[int]) -> None:
        """Encode samples into memory on all cores; raises the error of the first sample that cannot be encoded.

        The threads share only an iterator: a future for each sample would cost small images as much as their encoding.
        """
        places, failed = iter(range(len(indices))), dict[int, BaseException]()

        def work(_: int, failures: list[BaseException]) -> None:
            for place in places:
                try:
                    self.hold(indices[place])
                except BaseException as error:  # noqa: BLE001  raised below, in the calling thread
                    failed[place] = error
                if failed or failures:
                    return

        with self._watch.phase("encode", len(indices), lambda: len(self._samples)):
            in_threads(work, max(1, min(cores(), len(indices))))
        if failed:
            raise failed[min(failed)]

    def unload_samples(self, indices: Sequence[int]) -> None:
        for index in indices:
            self._samples.pop(index, None)


def _as_batch_session(session: Session) -> BatchSession:
    if not isinstance(session, BatchSession):
        summary = "a backend with the capability 'batch' loaded a session without run_batch"
        raise BackendError("plugin-broken", summary, "report it to the backend's vendor, or leave batch at 1")
    return session


def _blamed(error: BaseException, decode: Decode, specs: Sequence[TensorSpec]) -> BaseException:
    """The error attributed to the plugin that raised it; a ``try`` costs the timed region nothing.

    If the outputs do not match the session's specs, the backend is to blame, and not the decoder.
    """
    if isinstance(error, NOT_FOREIGN):
        return error
    trace, code = error.__traceback__, getattr(decode, "__code__", None)
    while trace:
        if trace.tb_frame.f_code is code:
            given = trace.tb_frame.f_locals.get(code.co_varnames[hasattr(decode, "__self__")])
            if wrong := wrong_outputs(given, specs, infinite=True):
                return BackendError("wrong-outputs", f"the outputs cannot be decoded: {wrong}", _HINT)
            return ModelError("task-failed", f"the outputs cannot be decoded: {described(error)}", _HINT)
        trace = trace.tb_next
    return BackendError("backend-failed", f"inference failed: {described(error)}", _HINT)


Decode = Callable[[Tensors], bytes]
Samples = dict[int, Tensors]


def _single(session: Session, decode: Decode, samples: Samples) -> Callable[[int], bytes]:
    """The timed call of single-stream; outputs are dropped within its expression, so the next run may reuse them."""
    run, specs = session.run, session.outputs

    def answer(index: int) -> bytes:
        try:
            return decode(run(samples[index]))
        except BaseException as error:
            raise _blamed(error, decode, specs) from error

    return answer


def _one_by_one(
    sessions: Sequence[Session], decode: Decode, samples: Samples
) -> Callable[[Sequence[int], int], Sequence[bytes]]:
    runs, specs = [session.run for session in sessions], sessions[0].outputs

    def answer_batch(indices: Sequence[int], session: int) -> Sequence[bytes]:
        run = runs[session]
        try:
            return [decode(run(samples[index])) for index in indices]
        except BaseException as error:
            raise _blamed(error, decode, specs) from error

    return answer_batch


def _batched(
    sessions: Sequence[Session], decode: Decode, samples: Samples, batch: int
) -> Callable[[Sequence[int], int], Sequence[bytes]]:
    batches, specs = [_as_batch_session(session).run_batch for session in sessions], sessions[0].outputs

    def answer_batch(indices: Sequence[int], session: int) -> Sequence[bytes]:
        run_batch, responses = batches[session], []
        try:
            for start in range(0, len(indices), batch):
                ready = [samples[index] for index in indices[start : start + batch]]
                responses += [decode(outputs) for outputs in run_batch(ready)]
        except BaseException as error:
            raise _blamed(error, decode, specs) from error
        return responses

    return answer_batch
