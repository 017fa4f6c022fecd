"""A complete backend in NumPy: it compiles, runs batches, int8 and open shapes, and fails as its options say."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from mlperf_mobile.backend_checks import sized
from mlperf_mobile.contracts import Artifact, CompileRequest, Placement, Probe, Tensors, TensorSpec
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile.sessions import CheckedSession
from mlperf_mobile_authoring.fakes.model import Model, read_model


class FakeOptions(BaseModel):
    """What the backend does beside computing the model."""

    model_config = ConfigDict(extra="forbid")

    latency_ms: float = Field(default=0.0, ge=0, description="duration of each call, in milliseconds")
    fail_after: int = Field(default=0, ge=0, description="raise an error after this many samples; 0: never")
    crash_after: int = Field(
        default=0, ge=0, description="end the process by SIGSEGV after this many samples; 0: never"
    )
    drift: float = Field(default=0.0, ge=0, description="growth of the outputs with each sample, as a fraction")


class FakeSession(CheckedSession):
    """One loaded model."""

    def __init__(
        self,
        model: Model,
        options: FakeOptions,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        batch: int,
    ) -> None:
        super().__init__("the model", inputs, outputs, batch)
        self._loaded, self._options, self._count = model, options, 0

    def infer(self, samples: Sequence[Tensors]) -> Sequence[Tensors]:
        end = time.perf_counter() + self._options.latency_ms / 1000
        answers = [self._one(sample) for sample in samples]
        while time.perf_counter() < end:
            pass
        return answers

    def _one(self, sample: Tensors) -> Tensors:
        self._count += 1
        options = self._options
        if options.crash_after and self._count > options.crash_after:
            os.kill(os.getpid(), signal.SIGSEGV)
        if options.fail_after and self._count > options.fail_after:
            raise BackendError(
                "fake-failure", f"the fake backend fails after {options.fail_after} samples, as requested"
            )
        outputs = self._loaded.compute(sample[0])
        if options.drift:
            grown = 1 + options.drift * self._count
            outputs = tuple((y * grown).astype(y.dtype) for y in outputs)
        return outputs

    def placement(self) -> Placement:
        return Placement({"cpu": len(self.outputs)})


class FakeBackend:
    """The backend; its shards are one, because NumPy may use all cores."""

    shards = 1

    def __init__(self, options: FakeOptions) -> None:
        self._options = options

    def probe(self) -> Probe:
        version = np.__version__
        return Probe(True, ("cpu",), {"numpy": version}, f"numpy {version}", functional_only={"cpu": "it is a fake"})

    def compile(self, request: CompileRequest) -> Artifact:
        _read(request.model)
        path = request.directory / "model.npz"
        path.write_bytes(request.model.read_bytes())
        return Artifact(path, request.accelerator, request.batch, input_shapes=request.input_shapes)

    def load(self, artifact: Artifact) -> FakeSession:
        if artifact.accelerator != "cpu":
            raise BackendError("no-accelerator", f"the fake backend has no {artifact.accelerator}", "use cpu")
        model = _read(artifact.path)
        dtype = np.dtype(np.int8 if model.quantisation else np.float32)
        axes = tuple(axis for axis, size in enumerate(model.shape) if size < 0)
        x = TensorSpec("x", tuple(max(1, size) for size in model.shape), dtype, open_axes=axes)
        (x,) = sized([x], artifact.input_shapes, "the model")
        shapes = [x.shape] * len(model.factors) if axes else model.output_shapes
        outputs = [TensorSpec("yzuvw"[n : n + 1] or f"y{n}", shape, dtype) for n, shape in enumerate(shapes)]
        if model.quantisation:
            scale, zero, to_scale, to_zero = model.quantisation
            x = replace(x, scale=scale, zero_point=int(zero))
            outputs = [replace(y, scale=to_scale, zero_point=int(to_zero)) for y in outputs]
        return FakeSession(model, self._options, (x,), outputs, artifact.batch)


def _read(path: Path) -> Model:
    try:
        return read_model(path)
    except (OSError, ValueError) as error:
        raise ModelError("fake-model", f"{path} is no fake model: {error}", "see save_model") from error
