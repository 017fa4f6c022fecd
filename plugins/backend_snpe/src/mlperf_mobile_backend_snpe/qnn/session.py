"""A model, loaded by ONNX Runtime's QNN provider."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np

from mlperf_mobile.backend_checks import batch_misfit, closed, misfit, of_one_sample
from mlperf_mobile.contracts import Placement, Tensors, TensorSpec
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_snpe.qnn import profile
from mlperf_mobile_backend_snpe.qnn.runtime import errors, message


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A loaded model, from which a session is made."""

    session: Any
    """ONNX Runtime's ``InferenceSession``."""
    ort: Any
    name: str
    inputs: tuple[TensorSpec, ...]
    """The inputs of a whole batch."""
    outputs: tuple[TensorSpec, ...]
    feeds: tuple[str, ...]
    """The inputs' names in the compiled model."""
    fetches: tuple[str, ...]
    placement: Placement
    profile: Path | None = None
    scratch: Path | None = None
    """A folder that is deleted with the session."""


class _Session:
    """Base of both kinds of session."""

    run: Callable[[Tensors], Tensors]
    """See :meth:`mlperf_mobile.contracts.Session.run`; a closure, because that costs less than a method."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.inputs, self.outputs = loaded.inputs, loaded.outputs
        self._loaded: LoadedModel | None = loaded
        self._name, self._placement = loaded.name, loaded.placement

    def placement(self) -> Placement:
        """Read from the loaded model; those in a context binary are the ones that the compiler reported."""
        return self._placement

    def report(self) -> Mapping[str, Any]:
        """QNN's profile, if ``profiling_level`` is set."""
        if self._loaded is None or self._loaded.profile is None:
            return {}
        return {"profile": profile.read(self._loaded.profile)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        scratch = self._loaded.scratch if self._loaded else None
        self._loaded = None
        self.run = self._closed
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)

    def _closed(self, *_: object) -> NoReturn:
        raise closed(self._name)

    def _fail(self, inputs: Tensors, error: Exception) -> NoReturn:
        if wrong := misfit(inputs, self.inputs, self._name):
            raise wrong from error
        raise BackendError("invoke-failed", f"{self._name} failed to run: {message(error)}", "see the log") from error


class QnnSession(_Session):
    """A model loaded for one sample per call."""

    def __init__(self, loaded: LoadedModel) -> None:
        super().__init__(loaded)
        self.run = self._runner(loaded)

    def _runner(self, loaded: LoadedModel) -> Callable[[Tensors], Tensors]:
        infer, fetches, feeds, fail = loaded.session.run, list(loaded.fetches), loaded.feeds, self._fail
        failures: tuple[type[Exception], ...] = (*errors(loaded.ort), AttributeError)
        expected = [(spec.shape, spec.dtype) for spec in loaded.inputs]

        def run(inputs: Tensors) -> Tensors:
            try:
                if [(tensor.shape, tensor.dtype) for tensor in inputs] != expected:
                    raise ValueError("an input does not fit")
                return tuple(infer(fetches, dict(zip(feeds, inputs, strict=True))))
            except failures as error:
                fail(inputs, error)

        return run


class QnnBatchSession(_Session):
    """A model loaded for up to ``batch`` samples per call; its tensors have one slot for each sample."""

    run_batch: Callable[[Sequence[Tensors]], Sequence[Tensors]]
    """See :meth:`mlperf_mobile.contracts.BatchSession.run_batch`."""

    def __init__(self, loaded: LoadedModel, batch: int) -> None:
        super().__init__(loaded)
        self.inputs, self.outputs = of_one_sample(self.inputs), of_one_sample(self.outputs)
        self.run_batch = run_batch = self._batch_runner(loaded, batch)
        self.run = lambda inputs: run_batch((inputs,))[0]

    def _batch_runner(self, loaded: LoadedModel, batch: int) -> Callable[[Sequence[Tensors]], Sequence[Tensors]]:
        """Copy every sample into its slot; the remaining slots repeat the last sample."""
        infer, fetches, fail, name = loaded.session.run, list(loaded.fetches), self._fail, self._name
        failures: tuple[type[Exception], ...] = (*errors(loaded.ort), AttributeError)
        slots = [np.zeros(spec.shape, spec.dtype) for spec in loaded.inputs]
        feeds = dict(zip(loaded.feeds, slots, strict=True))
        expected = [(spec.shape, spec.dtype) for spec in self.inputs]

        def run_batch(samples: Sequence[Tensors]) -> Sequence[Tensors]:
            count = len(samples)
            if not 0 < count <= batch:
                raise batch_misfit(count, batch, name)
            sample = samples[0]
            try:
                for index, sample in enumerate(samples):
                    if [(tensor.shape, tensor.dtype) for tensor in sample] != expected:
                        raise ValueError("a sample does not fit")
                    for slot, tensor in zip(slots, sample, strict=True):
                        slot[index] = tensor[0]
                for slot in slots:
                    slot[count:] = slot[count - 1]
                outputs = infer(fetches, feeds)
            except failures as error:
                fail(sample, error)
            return [tuple([output[each : each + 1] for output in outputs]) for each in range(count)]

        return run_batch

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self.run_batch = self._closed
