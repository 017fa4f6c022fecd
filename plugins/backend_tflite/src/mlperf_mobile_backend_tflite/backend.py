"""The backend ``tflite``: TensorFlow Lite models on LiteRT or tflite-runtime."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from mlperf_mobile.contracts import Artifact, Backend, BatchSession, CompileRequest, Probe
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_tflite import runtime
from mlperf_mobile_backend_tflite.loading import Loader
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_backend_tflite.session import TFLiteBatchSession, TFLiteSession


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
            reason, fix = f"{type(error).__name__}: {error}", f"reinstall it: {runtime.FIX}"
            return Probe(usable=False, versions=versions, runtime=label, reason=reason, fix=fix)
        accelerators = ("cpu", "delegate") if options.delegate else ("cpu",)
        return Probe(usable=True, accelerators=accelerators, versions=versions, runtime=label)

    def compile(self, request: CompileRequest) -> Artifact:
        """The model itself: interpreters compile nothing ahead of time."""
        return Artifact(
            request.model,
            request.accelerator,
            request.batch,
            {"beside": list(request.beside)} if request.beside else {},
            request.input_shapes,
        )

    def load(self, artifact: Artifact) -> TFLiteSession | TFLiteBatchSession:
        """Check the file, then load it; a :class:`TFLiteBatchSession` for ``batch > 1``.

        Raises:
            ModelError: The file is missing, damaged or rejected by the runtime, or does not support the batch size.
            BackendError: The runtime or the delegate fails, or the accelerator does not match the options.
        """
        self._check_accelerator(artifact.accelerator, artifact.facts.get("beside", ()))
        if artifact.batch < 1:
            raise BackendError("batch-size", f"the batch size is {artifact.batch}", "use batch 1 or more")
        loader = Loader(
            runtime=runtime.load(self._options.runtime),
            options=self._options,
            model=artifact.path,
            delegate=self._options.delegate if artifact.accelerator == "delegate" else None,
            batch=artifact.batch,
            input_shapes=artifact.input_shapes,
        )
        return loader.session()

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
    _backend: type[Backend] = TFLiteBackend
    _batch_session: type[BatchSession] = TFLiteBatchSession
