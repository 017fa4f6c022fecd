"""A model, loaded by ONNX Runtime's QNN provider."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np

from mlperf_mobile.contracts import Placement, Tensors, TensorSpec
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_snpe.qnn import profile
from mlperf_mobile_backend_snpe.qnn.runtime import errors, told


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a session is made of."""

    session: Any
    """ONNX Runtime's ``InferenceSession``."""
    ort: Any
    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    feeds: tuple[str, ...]
    """The inputs' names in the compiled model."""
    fetches: tuple[str, ...]
    placement: Placement
    profile: Path | None = None
    scratch: Path | None = None
    """A folder that goes with the session."""


class QnnSession:
    """A model loaded for one sample a call."""

    run: Callable[[Tensors], Tensors]
    """See :meth:`mlperf_mobile.contracts.Session.run`; a closure, because that costs less than a method."""

    def __init__(self, loaded: Loaded) -> None:
        self.inputs, self.outputs = loaded.inputs, loaded.outputs
        self._loaded: Loaded | None = loaded
        self._name, self._placement = loaded.name, loaded.placement
        self.run = self._runner(loaded)

    def _runner(self, loaded: Loaded) -> Callable[[Tensors], Tensors]:
        infer, fetches, feeds, fail = loaded.session.run, list(loaded.fetches), loaded.feeds, self._fail
        failures = errors(loaded.ort)
        shapes = tuple((spec.shape, spec.dtype) for spec in loaded.inputs)

        def run(inputs: Tensors) -> Tensors:
            try:
                if tuple([(tensor.shape, tensor.dtype) for tensor in inputs]) != shapes:
                    fail(inputs, ValueError("an input does not fit"))
                return tuple(infer(fetches, dict(zip(feeds, inputs, strict=True))))
            except (*failures, AttributeError) as error:
                fail(inputs, error)

        return run

    def placement(self) -> Placement:
        """Read from the loaded model; the operations inside a context binary as the compiler told them."""
        return self._placement

    def report(self) -> Mapping[str, Any]:
        """QNN's profile, where ``profiling_level`` asks for one."""
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
        raise BackendError("session-closed", f"the session of {self._name} is closed", "load the model again")

    def _fail(self, inputs: Tensors, error: Exception) -> NoReturn:
        if isinstance(error, BackendError):
            raise error
        if misfit := self._misfit(inputs):
            summary = f"{self._name}: {misfit}"
            raise BackendError("input-mismatch", summary, "encode samples as the inputs ask") from error
        raise BackendError("invoke-failed", f"{self._name} failed to run: {told(error)}", "see the log") from error

    def _misfit(self, inputs: Tensors) -> str | None:
        """How one sample differs from the input specs, or None."""
        if not isinstance(inputs, Sequence) or len(inputs) != len(self.inputs):
            given = str(len(inputs)) if isinstance(inputs, Sequence) else type(inputs).__name__
            return f"it takes {len(self.inputs)} input tensors, not {given}"
        for spec, tensor in zip(self.inputs, inputs, strict=True):
            if not isinstance(tensor, np.ndarray):
                return f"input {spec.name} takes an array of {spec}, not {type(tensor).__name__}"
            if tensor.shape != spec.shape or tensor.dtype != spec.dtype:
                return f"input {spec.name} takes {spec}, not {tensor.dtype.name}[{','.join(map(str, tensor.shape))}]"
        return None
