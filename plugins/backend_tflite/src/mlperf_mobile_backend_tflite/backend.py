"""The backend ``tflite``: TensorFlow Lite models on LiteRT or tflite-runtime."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from mlperf_mobile.contracts import (
    Artifact,
    BatchSession,
    CompileRequest,
    CountingSession,
    NativeBackend,
    NativeEngine,
    NativeRequest,
    Probe,
    Tensors,
    TensorSpec,
    TokenSession,
    TracingBackend,
)
from mlperf_mobile.errors import BackendError, described
from mlperf_mobile_backend_tflite import native, runtime
from mlperf_mobile_backend_tflite.formats import is_pipeline
from mlperf_mobile_backend_tflite.generating import TFLiteTokenSession
from mlperf_mobile_backend_tflite.loading import Loader
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_backend_tflite.runtime import Array
from mlperf_mobile_backend_tflite.session import TFLiteBatchSession, TFLiteSession

if TYPE_CHECKING:
    from mlperf_mobile_backend_tflite.diffusion.session import DiffusionSession

_PIPELINE = "pipeline"
"""The artifact's fact that it is a pipeline."""


class TFLiteBackend:
    """Runs .tflite models on the CPU, or on an accelerator through an external delegate.

    Args:
        options: See :class:`TFLiteOptions`.
    """

    def __init__(self, options: TFLiteOptions) -> None:
        self._options = options

    @property
    def shards(self) -> int:
        """The option ``shards``, or usable cores divided by ``threads``."""
        return self._options.effective_shards

    def probe(self) -> Probe:
        """Run a tiny model, and create the delegate if the options name one; never raises."""
        options, versions, label = self._options, {}, ""
        try:
            found = runtime.load(options.runtime)
            versions, label = {found.name: found.version}, str(found)
            runtime.check(found)
            if options.delegate:
                found.delegate(options.delegate, options.delegate_options)
        except BackendError as error:
            return Probe(usable=False, versions=versions, runtime=label, reason=error.summary, fix=error.hint)
        except Exception as error:  # noqa: BLE001  a probe never raises
            reason, fix = described(error), f"reinstall it: {runtime.FIX}"
            return Probe(usable=False, versions=versions, runtime=label, reason=reason, fix=fix)
        accelerators = ("cpu", "delegate") if options.delegate else ("cpu",)
        return Probe(usable=True, accelerators=accelerators, versions=versions, runtime=label)

    def compile(self, request: CompileRequest) -> Artifact:
        """The model itself: interpreters compile nothing ahead of time."""
        facts: dict[str, Any] = {"beside": list(request.beside)} if request.beside else {}
        if is_pipeline(request.format, request.model.name):
            facts[_PIPELINE] = True
        return Artifact(
            request.model, request.accelerator, request.batch, facts, request.input_shapes, request.tokens,
            request.files,
        )  # fmt: skip

    def load(self, artifact: Artifact) -> TFLiteSession | TFLiteBatchSession | TFLiteTokenSession | DiffusionSession:
        """Check the file, then load it.

        A :class:`TFLiteTokenSession` for ``tokens``, a :class:`TFLiteBatchSession` for ``batch > 1``, a
        :class:`DiffusionSession` for a pipeline.

        Raises:
            ModelError: The file is missing, damaged or rejected by the runtime, does not support the batch size, or is
                no language model.
            BackendError: The runtime or the delegate fails, or the accelerator does not match the options; or
                ``no-profile``: the option ``profile`` does not go with the model or the other options.
        """
        loader = self._loader(artifact)
        self._check_profile(artifact)
        if artifact.facts.get(_PIPELINE):
            from mlperf_mobile_backend_tflite.diffusion.loading import load  # other models need nothing of it

            return load(artifact, loader)
        return loader.token_session() if artifact.tokens else loader.session()

    def trace(self, artifact: Artifact, inputs: Tensors) -> Iterator[tuple[TensorSpec, Array]]:
        """Run one sample on the built-in kernels, and yield every tensor that an operation computes.

        XNNPACK and external delegates compute inside their partitions, where no tensor can be read.

        Raises:
            ModelError: The file is damaged or rejected by the runtime.
            BackendError: The runtime fails, or does not report its operations.
        """
        if artifact.facts.get(_PIPELINE):
            raise BackendError("no-trace", f"{artifact.path} is a pipeline of several models", "trace one of its parts")
        return self._loader(artifact).trace(inputs)

    def _loader(self, artifact: Artifact) -> Loader:
        self._check_accelerator(artifact.accelerator, artifact.facts.get("beside", ()))
        if artifact.batch < 1:
            raise BackendError("batch-size", f"the batch size is {artifact.batch}", "use batch 1 or more")
        return Loader(
            runtime=runtime.load(self._options.runtime),
            options=self._options,
            model=artifact.path,
            delegate=self._options.delegate if artifact.accelerator == "delegate" else None,
            batch=artifact.batch,
            input_shapes=artifact.input_shapes,
        )

    def native(self, request: NativeRequest) -> NativeEngine:
        """See :meth:`mlperf_mobile.contracts.NativeBackend.native`."""
        if is_pipeline(request.format, request.model.name):
            summary = f"the native runner runs one model, but {request.model} is a pipeline of several"
            raise BackendError("no-native-engine", summary, "leave --runner out")
        return native.engine(self._options, request)

    def _check_profile(self, artifact: Artifact) -> None:
        """Refuse the option ``profile`` where LiteRT's profiler would not run the model as the backend does."""
        if not self._options.profile:
            return
        reasons = {
            f"{artifact.path.name} is run as a language model, by its signatures": artifact.tokens,
            f"{artifact.path.name} is a pipeline of several models": artifact.facts.get(_PIPELINE),
            "external delegates are not loaded by LiteRT's compiled model": artifact.accelerator == "delegate",
            "LiteRT's compiled model always applies XNNPACK": not self._options.xnnpack,
        }
        if why := next((reason for reason, refused in reasons.items() if refused), None):
            raise BackendError("no-profile", f"backend tflite, option profile: {why}", "leave the option profile out")

    def _check_accelerator(self, accelerator: str, beside: Collection[str]) -> None:
        """Check that accelerator and options match: a user who sets a delegate does not mean the CPU alone."""
        library = self._options.delegate
        if accelerator not in ("cpu", "delegate"):
            raise BackendError("no-accelerator", f"backend tflite has no accelerator {accelerator!r}", "cpu, delegate")
        if accelerator == "delegate" and library is None:
            summary = "accelerator delegate needs the option delegate, an external delegate's library"
            raise BackendError("no-accelerator", summary, "set delegate to the library, or use accelerator cpu")
        if accelerator == "cpu" and library is not None and "delegate" not in beside:
            summary = f"the option delegate is {library}, but the accelerator is cpu"
            raise BackendError("no-accelerator", summary, "use accelerator delegate, or omit the option delegate")


if TYPE_CHECKING:  # lets the type checker compare the classes with the contracts
    _backend: type[TracingBackend] = TFLiteBackend
    _native: type[NativeBackend] = TFLiteBackend
    _batch_session: type[BatchSession] = TFLiteBatchSession
    _token_session: type[TokenSession] = TFLiteTokenSession
    _counting_session: type[CountingSession] = TFLiteTokenSession
