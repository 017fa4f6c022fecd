"""The system under test: loaded sessions, and samples encoded into memory on every core."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from types import TracebackType

import numpy as np

from mlperf_mobile.backend_checks import wrong_outputs
from mlperf_mobile.contracts import (
    BatchSession,
    Codec,
    Dataset,
    Session,
    Tensors,
    TensorSpec,
)
from mlperf_mobile.errors import SEE_LOG, BackendError, DataError, MobileError, ModelError, described
from mlperf_mobile.options import shown
from mlperf_mobile.threads import in_threads
from mlperf_mobile.worker.blame import labelled
from mlperf_mobile.worker.encoded import EncodedStore
from mlperf_mobile.worker.samples import EncodedSamples
from mlperf_mobile.worker.watch import Watch

ENCODE = "encode"
"""The phase in which samples are encoded; it is part of others."""


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
        backend: The backend's name, for errors.
        task: The task's name, for errors.
        data: The data set's name, for errors.
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
        backend: str = "",
        task: str = "",
        data: str = "",
    ) -> None:
        self._abandon = abandon
        self._samples: dict[int, Tensors] = {}
        labels = labelled("backend", backend), labelled("task", task)
        self._blamed = partial(
            _blamed, decode=codec.decode, specs=tuple(sessions[0].outputs), labels=labels, samples=self._samples
        )
        self.sessions, self.batch, self.sample_count = len(sessions), batch, len(dataset)
        self.codec, self._watch, self._encoding_s = codec, watch, 0.0
        self._sessions, self.specs = sessions, tuple(sessions[0].outputs)
        self._encoded = EncodedSamples(dataset, codec, store, inputs=self.takes(sessions[0]), data=data, task=task)
        decode = decode or codec.decode
        blamed = partial(self._blamed, decode=decode)
        self.answer = _single(sessions[0], decode, self._samples, blamed)
        self.answer_batch = (
            _batched(sessions, decode, self._samples, batch, blamed)
            if batch > 1
            else _one_by_one(sessions, decode, self._samples, blamed)
        )

    @staticmethod
    def takes(session: Session) -> Sequence[TensorSpec] | None:
        """The tensors of an encoded sample; None if they are prompts, which are checked by themselves."""
        return session.inputs

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
            raise self._blamed(error) from error

    def decode(self, outputs: Tensors) -> bytes:
        """The response for one sample's outputs.

        Raises:
            ModelError: It is not bytes.
        """
        try:
            return response_of(self.codec.decode(outputs))
        except BaseException as error:
            raise self._blamed(error) from error

    def distinct(self, indices: Sequence[int]) -> bool:
        """Whether all of these loaded samples differ from the first one."""
        one, *others = (self._samples[index] for index in indices)
        return all(
            any(not np.array_equal(here, there) for here, there in zip(one, other, strict=True)) for other in others
        )

    def check_sample(self, index: int) -> None:
        """Look whether a loaded sample, and not the backend, may be why its outputs are wrong.

        Raises:
            ModelError: ``task-failed``: an input has NaN.
            DataError: ``dataset-failed``: it is not the same each time.
        """
        held = self._samples[index]
        if any(tensor.dtype.kind == "f" and np.isnan(tensor).any() for tensor in held):
            summary = f"the input for sample {index} has NaN, from the data set or from the task's preparation"
            raise ModelError("task-failed", summary, SEE_LOG)
        for again in (self._encoded.fresh(index), self._encoded.fresh(index)):
            if not all(np.array_equal(here, there) for here, there in zip(held, again, strict=True)):
                summary = f"sample {index} is not the same each time: the data set or the task prepares it differently"
                raise DataError("dataset-failed", summary, "the same index must give the same sample")

    def hold(self, index: int) -> None:
        """Encode one sample into memory, or read it from the store; may be called from several threads."""
        self._samples[index] = self._encoded[index]

    def load_samples(self, indices: Sequence[int]) -> None:
        """Encode samples into memory on all cores; raises the error of the first sample that cannot be encoded.

        The threads share only an iterator: a future for each sample would cost small images as much as their encoding.
        """
        places, failed = iter(range(len(indices))), dict[int, BaseException]()
        threads, seconds = max(1, min(cores(), len(indices))), [0.0] * len(indices)

        def work(_: int, failures: list[BaseException]) -> None:
            for place in places:
                began = time.perf_counter()
                try:
                    self.hold(indices[place])
                except BaseException as error:  # noqa: BLE001  raised below, in the calling thread
                    failed[place] = error
                seconds[place] = time.perf_counter() - began
                if failed or failures:
                    return

        with self._watch.phase(ENCODE, len(indices), lambda: len(self._samples)):
            in_threads(work, threads)
        if failed:
            raise failed[min(failed)]
        self._encoding_s = median(seconds) / threads if seconds else 0.0

    def expect_encoding(self, count: int) -> None:
        """Report how long encoding that many samples will take, judging by those that are loaded.

        Args:
            count: Samples, as in the timed run. The median of the loaded ones counts: the first may take far longer.
        """
        loaded = min(len(self._samples), count)
        self._watch.expect(ENCODE, loaded, count, loaded * self._encoding_s, count * self._encoding_s)

    def unload_samples(self, indices: Sequence[int]) -> None:
        for index in indices:
            self._samples.pop(index, None)


def response_of(decoded: object) -> bytes:
    """What a codec's ``decode`` returned.

    Raises:
        ModelError: ``task-failed``: it is not bytes.
    """
    if not isinstance(decoded, bytes):
        raise ModelError("task-failed", f"decode() of the task returned {shown(decoded)}, bytes were expected", SEE_LOG)
    return decoded


def _as_batch_session(session: Session) -> BatchSession:
    if not isinstance(session, BatchSession):
        summary = "a backend with the capability 'batch' loaded a session without run_batch"
        raise BackendError("plugin-broken", summary, "report it to the backend's vendor, or leave batch at 1")
    return session


def _blamed(
    error: BaseException, decode: Decode, specs: Sequence[TensorSpec], labels: tuple[str, str], samples: Samples
) -> BaseException:
    """The error attributed to the plugin that raised it; a ``try`` costs the timed region nothing.

    If the outputs do not match the session's specs, the backend is to blame, and not the decoder.
    """
    if isinstance(error, (MobileError, KeyboardInterrupt)):
        return error
    of_backend, of_task = labels
    trace, code = error.__traceback__, getattr(decode, "__code__", None)
    if isinstance(error, KeyError) and error.args[0] not in samples and _is_raised_here(trace):
        return BackendError("scenario-failed", f"the scenario asked for sample {error}, which is not loaded", SEE_LOG)
    while trace:
        if trace.tb_frame.f_code is code:
            given = trace.tb_frame.f_locals.get(code.co_varnames[hasattr(decode, "__self__")])
            if wrong := wrong_outputs(given, specs, infinite=True):
                return BackendError("wrong-outputs", f"{of_backend}the outputs cannot be decoded: {wrong}", SEE_LOG)
            return ModelError("task-failed", f"{of_task}the outputs cannot be decoded: {described(error)}", SEE_LOG)
        trace = trace.tb_next
    return BackendError("backend-failed", f"{of_backend}inference failed: {described(error)}", SEE_LOG)


def _is_raised_here(trace: TracebackType | None) -> bool:
    while trace and trace.tb_next:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename == __file__


Decode = Callable[[Tensors], bytes]
Samples = dict[int, Tensors]
Blamed = Callable[[BaseException], BaseException]


def _single(session: Session, decode: Decode, samples: Samples, blamed: Blamed) -> Callable[[int], bytes]:
    """The timed call of single-stream; outputs are dropped within its expression, so the next run may reuse them."""
    run = session.run

    def answer(index: int) -> bytes:
        try:
            return decode(run(samples[index]))
        except BaseException as error:
            raise blamed(error) from error

    return answer


def _one_by_one(
    sessions: Sequence[Session], decode: Decode, samples: Samples, blamed: Blamed
) -> Callable[[Sequence[int], int], Sequence[bytes]]:
    runs = [session.run for session in sessions]

    def answer_batch(indices: Sequence[int], session: int) -> Sequence[bytes]:
        run = runs[session]
        try:
            return [decode(run(samples[index])) for index in indices]
        except BaseException as error:
            raise blamed(error) from error

    return answer_batch


def _batched(
    sessions: Sequence[Session], decode: Decode, samples: Samples, batch: int, blamed: Blamed
) -> Callable[[Sequence[int], int], Sequence[bytes]]:
    batches = [_as_batch_session(session).run_batch for session in sessions]

    def answer_batch(indices: Sequence[int], session: int) -> Sequence[bytes]:
        run_batch, responses = batches[session], []
        try:
            for start in range(0, len(indices), batch):
                ready = [samples[index] for index in indices[start : start + batch]]
                responses += [decode(outputs) for outputs in run_batch(ready)]
        except BaseException as error:
            raise blamed(error) from error
        return responses

    return answer_batch
