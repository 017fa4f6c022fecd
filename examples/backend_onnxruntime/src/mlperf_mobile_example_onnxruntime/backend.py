"""The backend and its session."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime as ort

from mlperf_mobile.backend_checks import batch_misfit, closed, misfit, sized
from mlperf_mobile.contracts import Artifact, CompileRequest, Placement, Probe, Tensors, TensorSpec
from mlperf_mobile.errors import BackendError
from mlperf_mobile_example_onnxruntime.options import Options
from mlperf_mobile_example_onnxruntime.runtime import open_model, specs, try_out


class OnnxRuntimeBackend:
    """Runs ONNX models on ONNX Runtime's CPU kernels."""

    shards = 1
    """One session uses all cores."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def probe(self) -> Probe:
        """The installed runtime; without it, the offer's need says what to install before anything is probed."""
        return Probe(
            usable=True,
            accelerators=("cpu",),
            versions={"onnxruntime": ort.__version__},
            runtime=f"onnxruntime {ort.__version__}",
        )

    def compile(self, request: CompileRequest) -> Artifact:
        """Check the model and the requested shapes; ONNX Runtime compiles when it loads."""
        model = specs(open_model(request.model, self._options).get_inputs())
        sized(model, request.input_shapes, request.model.name)
        return Artifact(request.model, request.accelerator, request.batch, input_shapes=request.input_shapes)

    def load(self, artifact: Artifact) -> OnnxRuntimeSession:
        """Load the model, and run it once to see where its operations run."""
        if artifact.accelerator != "cpu":
            raise BackendError("no-accelerator", f"there is no accelerator {artifact.accelerator!r}", "choose cpu")
        options, purpose = self._options, artifact.purpose
        if purpose.parallel and not options.intra_op_threads:  # sessions that work at the same time share the cores
            threads = max(1, purpose.cores // purpose.sessions)
            options = options.model_copy(update={"intra_op_threads": threads})
        return OnnxRuntimeSession(artifact, options)


class OnnxRuntimeSession:
    """A loaded model, used by one thread at a time."""

    def __init__(self, artifact: Artifact, options: Options) -> None:
        path = artifact.path
        self._session: Any = open_model(path, options)
        self._name, self._batch = path.name, artifact.batch
        arguments = self._session.get_inputs()
        self.inputs = sized(specs(arguments), artifact.input_shapes, path.name)
        self._stacks = all(each.shape and not isinstance(each.shape[0], int) for each in arguments)
        self.outputs, self._placement = self._tried(path, options)

    def _tried(self, path: Path, options: Options) -> tuple[tuple[TensorSpec, ...], Placement]:
        outputs, placement = try_out(path, options, self.inputs)
        names = [each.name for each in self._session.get_outputs()]
        found = zip(names, outputs, strict=True)
        return tuple(TensorSpec(name, tensor.shape, tensor.dtype) for name, tensor in found), placement

    def run(self, inputs: Tensors) -> Tensors:
        """Infer one sample."""
        if self._session is None:
            raise closed(self._name)
        if error := misfit(inputs, self.inputs, self._name):
            raise error
        return self._infer(inputs)

    def run_batch(self, samples: Sequence[Tensors]) -> Sequence[Tensors]:
        """Infer up to ``batch`` samples: in one call if the model leaves the batch open, else one after the other."""
        if self._session is None:
            raise closed(self._name)
        if not 1 <= len(samples) <= self._batch:
            raise batch_misfit(len(samples), self._batch, self._name)
        if not self._stacks:
            return [self.run(sample) for sample in samples]
        for sample in samples:
            if error := misfit(sample, self.inputs, self._name):
                raise error
        outputs = self._infer(tuple(np.concatenate(tensors) for tensors in zip(*samples, strict=True)))
        return [tuple(tensor[n : n + 1] for tensor in outputs) for n in range(len(samples))]

    def _infer(self, inputs: Tensors) -> Tensors:
        feed = {spec.name: tensor for spec, tensor in zip(self.inputs, inputs, strict=True)}
        try:
            return tuple(self._session.run(None, feed))
        except Exception as error:
            raise BackendError("inference-failed", f"{self._name}: {error}", "check the model") from error

    def placement(self) -> Placement:
        """Where the operations ran when the model was tried out."""
        return self._placement

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._session = None
