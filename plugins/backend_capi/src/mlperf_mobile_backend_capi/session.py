"""A model loaded by a vendor's library: one sample per call, or a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ctypes import byref, c_int64, c_void_p
from typing import Any, NoReturn, Self

import numpy as np

from mlperf_mobile.backend_checks import batch_misfit, closed, misfit
from mlperf_mobile.contracts import Placement, Tensors, TensorSpec
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_capi.abi import PREFIX, FirstToken
from mlperf_mobile_backend_capi.accelerators import kinds
from mlperf_mobile_backend_capi.feeds import Array, Buffers, Feed, feeds, is_image, view_at
from mlperf_mobile_backend_capi.instance import Instance


def claim(instance: Instance) -> Placement:
    """Where the library says that the model runs: one operation per accelerator in its text."""
    text = instance.names["accelerator_name"]
    found = kinds(text) or ("unknown",)
    return Placement(dict.fromkeys(found, 1), names={kind: {f"the library says {text!r}": 1} for kind in found})


class CSession:
    """One sample per call, in the app's order of calls: set, issue, get, and flush once the outputs have been read.

    Outputs are views into the vendor's memory and are read before the next run. The flush after a query is therefore
    the first call of the next query, and part of its time.

    Args:
        instance: Closed with the session.
        inputs: Inputs of one sample.
        outputs: Outputs of one sample.
        batch: Number of slots of the instance.
        library_buffers: Use the library's allocator, if it has one.
        convert_outputs: Let the library convert an output image.
    """

    run: Callable[[Tensors], Tensors]
    """See :meth:`mlperf_mobile.contracts.Session.run`; a closure, because that costs less than a method."""

    def __init__(
        self,
        instance: Instance,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        *,
        batch: int = 1,
        library_buffers: bool = True,
        convert_outputs: bool = False,
    ) -> None:
        self.inputs, self.outputs = inputs, outputs
        self._instance, self._open, self._first_tokens, self._pending = instance, True, 0, False
        self._batch = batch
        self._callback = FirstToken(self._first_token)  # kept alive: the library may call it while it runs
        self._context = c_int64()
        self._buffers = Buffers(instance) if library_buffers and instance.library.has_buffers else None
        try:
            self._put = self._putter(feeds(instance, inputs, batch, self._buffers))
            self._get = self._getter(batch, convert_outputs)
        except BaseException:
            self._release()
            raise
        self._issue, self._finish = self._issuer(), self._flusher()
        self._prepare()

    def _prepare(self) -> None:
        self.run = self._runner()

    def placement(self) -> Placement:
        """The library's claim, as one operation per accelerator in its text; the interface reports no more."""
        if not self._open:
            self._closed()
        return claim(self._instance)

    def report(self) -> Mapping[str, Any]:
        """The library's names for itself, and how often it reported a first token."""
        return {**self._instance.names, "first_tokens": self._first_tokens}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._open:
            return
        try:
            if exc[:1] in ((), (None,)):  # a run that failed has nothing to flush
                self._finish()
        finally:
            self._open, self._pending, self.run = False, True, self._closed
            self._release()

    def _release(self) -> None:
        if self._buffers:
            self._buffers.close()
        self._instance.close()

    def _first_token(self, context: int | None) -> None:
        self._first_tokens += 1

    def _closed(self, *_: object) -> NoReturn:
        raise closed(self._instance.model)

    def _putter(self, found: Sequence[Feed]) -> Callable[[Tensors, int], None]:
        """A function that passes all inputs of one sample."""
        if len(found) == 1:
            (only,) = found

            def put_one(sample: Tensors, slot: int) -> None:
                (tensor,) = sample
                only(tensor, slot)

            return put_one

        def put(sample: Tensors, slot: int) -> None:
            for feed, tensor in zip(found, sample, strict=True):
                feed(tensor, slot)

        return put

    def _getter(self, batch: int, convert: bool) -> Callable[[int], Tensors]:
        """A function for the outputs of a slot; it makes new views only when the library moves its memory."""
        instance, get_output, pointer = self._instance, self._instance.function("get_output"), self._instance.pointer
        place = c_void_p()
        reference = byref(place)
        conversion = self._conversion() if convert else None
        known: list[list[tuple[int, Array | None]]] = [[(0, None)] * len(self.outputs) for _ in range(batch)]
        specs = list(enumerate(self.outputs))

        def get(slot: int) -> Tensors:
            views = known[slot]
            found: list[Array] = []
            for i, spec in specs:
                place.value = None
                if status := get_output(pointer, slot, i, reference):
                    raise instance.failed("get_output", status)
                address = place.value
                if not address:
                    problem = f"{PREFIX}get_output returned NULL for output {i}"
                    summary = f"{instance.library.name}: {problem} ({instance.model})"
                    raise BackendError("capi-output", summary, "check the model, or report it to the library's vendor")
                before, view = views[i]
                if view is None or before != address:
                    view = view_at(address, spec)
                    views[i] = (address, view)
                found.append(view)
            return conversion(found) if conversion else tuple(found)

        return get

    def _conversion(self) -> Callable[[Sequence[Array]], Tensors]:
        """The app converts a copy of the pixels, in place."""
        instance = self._instance
        if len(self.outputs) != 1 or not is_image(self.outputs[0]) or self.outputs[0].dtype != np.uint8:
            listed = ", ".join(map(str, self.outputs))
            summary = f"convert_outputs needs one output uint8[1,height,width,3], but {instance.model} has {listed}"
            hint = "set its shape with the option outputs, or omit convert_outputs"
            raise BackendError("capi-convert", summary, hint)
        if "convert_outputs" not in instance.library.functions:
            summary = f"{instance.library.name} has no function {PREFIX}convert_outputs"
            raise BackendError("capi-symbol", summary, "omit the option convert_outputs")
        function, pointer = instance.function("convert_outputs"), instance.pointer
        height, width = self.outputs[0].shape[1:3]

        def convert(outputs: Sequence[Array]) -> Tensors:
            pixels = outputs[0].copy()
            function(pointer, pixels.nbytes, width, height, pixels.ctypes.data)
            return (pixels,)

        return convert

    def _issuer(self) -> Callable[[], None]:
        """A function that runs the current query."""
        instance, issue, pointer = self._instance, self._instance.function("issue_query"), self._instance.pointer
        callback, context = self._callback, byref(self._context)

        def run() -> None:
            if status := issue(pointer, callback, context):
                raise instance.failed("issue_query", status)
            self._pending = True

        return run

    def _flusher(self) -> Callable[[], None]:
        """A function that flushes the previous query, if any."""
        instance, flush, pointer = self._instance, self._instance.function("flush_queries"), self._instance.pointer

        def finish() -> None:
            if self._pending:
                if not self._open:  # called on a session that was closed
                    self._closed()
                self._pending = False
                if status := flush(pointer):
                    raise instance.failed("flush_queries", status)

        return finish

    def _runner(self) -> Callable[[Tensors], Tensors]:
        put, get, issue, finish, refuse = self._put, self._get, self._issue, self._finish, self._refuse

        def run(inputs: Tensors) -> Tensors:
            finish()
            try:
                put(inputs, 0)
            except (AttributeError, TypeError, ValueError) as error:
                refuse(inputs, error)
            issue()
            return get(0)

        return run

    def _refuse(self, sample: object, error: Exception) -> NoReturn:
        """Raise the reason why a sample does not fit."""
        if wrong := misfit(sample, self.inputs, self._instance.model):
            raise wrong from error
        raise error


class CBatchSession(CSession):
    """Up to ``batch`` samples per call; the last sample fills unused slots, as in the app."""

    run_batch: Callable[[Sequence[Tensors]], Sequence[Tensors]]
    """See :meth:`mlperf_mobile.contracts.BatchSession.run_batch`."""

    def _prepare(self) -> None:
        self.run_batch = run_batch = self._batch_runner()
        self.run = lambda sample: run_batch((sample,))[0]

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self.run_batch = self._closed

    def _batch_runner(self) -> Callable[[Sequence[Tensors]], Sequence[Tensors]]:
        put, get, issue, finish, refuse = self._put, self._get, self._issue, self._finish, self._refuse
        batch, model = self._batch, self._instance.model

        def run_batch(samples: Sequence[Tensors]) -> Sequence[Tensors]:
            count = len(samples)
            if not 0 < count <= batch:
                raise batch_misfit(count, batch, model)
            finish()
            for slot in range(batch):
                sample = samples[min(slot, count - 1)]
                try:
                    put(sample, slot)
                except (AttributeError, TypeError, ValueError) as error:
                    refuse(sample, error)
            issue()
            return [get(slot) for slot in range(count)]

        return run_batch
