"""QNN's part of the backend: .tflite and .onnx models, and context binaries in .onnx files."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mlperf_mobile.contracts import Artifact, CompileRequest, Device, Probe, Session
from mlperf_mobile.errors import BackendError, ModelError, described
from mlperf_mobile_backend_snpe import socs
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn import compile_onnx, identity, loading, onnx_file, runtime
from mlperf_mobile_backend_snpe.qnn.compile_tflite import compile_tflite
from mlperf_mobile_backend_snpe.qnn.runtime import FIX, SIMULATOR, Runtime

FUNCTIONAL_ONLY = {SIMULATOR: "Qualcomm's x86 simulator computes on the CPU what an HTP would"}
_HTP = ("htp", SIMULATOR)


class QnnExecutor:
    """Compiles and runs models with QNN.

    Args:
        options: The backend's options.
    """

    def __init__(self, options: SnpeOptions) -> None:
        self._options = options

    def probe(self) -> Probe:
        """Register the provider and look for devices; never raises."""
        try:
            found = runtime.load(self._options.qnn_libraries)
            accelerators = found.accelerators()
        except BackendError as error:
            return Probe(usable=False, reason=error.summary, fix=error.hint)
        except Exception as error:  # noqa: BLE001  a probe never raises, even if the runtime does
            return Probe(usable=False, reason=described(error), fix=f"reinstall it: {FIX}")
        versions = dict(found.versions) | _compiler()
        if accelerators == ("cpu",) and not found.has_qnn_cpu:
            reason = "this machine is neither a Snapdragon whose drivers are there, nor x86-64 Linux with the simulator"
            return Probe(usable=False, versions=versions, runtime=str(found), reason=reason, fix="use one that is")
        return Probe(
            usable=True,
            accelerators=accelerators,
            versions=versions,
            runtime=str(found),
            devices=tuple(self._device(name, found) for name in accelerators),
            functional_only={name: why for name, why in FUNCTIONAL_ONLY.items() if name in accelerators},
        )

    def _device(self, accelerator: str, found: Runtime) -> Device:
        soc = self._soc(accelerator) if accelerator in _HTP else None
        facts: dict[str, str | int | float | bool] = {"library": found.library(accelerator).name}
        if soc:
            facts |= {"soc": soc.name, "soc_model": soc.number, "htp_arch": soc.htp_arch, "vtcm_mb": soc.vtcm_mb}
        if (number := socs.kernel_id()) is not None:
            facts["soc_id"] = number
        if accelerator == "cpu" and not found.has_qnn_cpu:
            return Device(accelerator, "ONNX Runtime's CPU kernels", found.versions["onnxruntime"])
        name = f"simulator of {soc.name}" if soc and accelerator == SIMULATOR else (soc.name if soc else accelerator)
        return Device(accelerator, name, found.versions["qnn"], facts)

    def compile(self, request: CompileRequest) -> Artifact:
        """Compile for the HTP; for GPU and CPU, and for context binaries, the model itself.

        Raises:
            ModelError: The model is missing, damaged, or has operations that cannot be compiled.
            BackendError: The runtime or the compiler is missing or fails.
        """
        if request.batch < 1:
            raise BackendError("batch-size", f"the batch size is {request.batch}", "use batch 1 or more")
        if not request.model.is_file():
            raise ModelError("model-missing", f"{request.model} does not exist", "check the path of the model")
        form = request.format or request.model.suffix.lstrip(".").lower()
        found = self._runtime(request.accelerator, to_compile=True)
        soc = self._soc(request.accelerator)
        if form == "tflite":
            if request.accelerator == "cpu":
                facts = {"runtime": "LiteRT, through the backend tflite"}
                return Artifact(request.model, "cpu", request.batch, facts, request.input_shapes)
            if request.accelerator not in _HTP:
                summary = f"QNN's {request.accelerator} runs .onnx models, not .tflite"
                raise ModelError("model-format", summary, "use the accelerator htp, or the backend tflite")
            if request.batch > 1:
                raise onnx_file.no_batch(
                    request.model, request.batch, "LiteRT's compiler takes .tflite models as they are"
                )
            return compile_tflite(request, found, self._options, self._target(soc))
        if form != "onnx":
            raise ModelError("model-format", f"QNN takes .tflite and .onnx models, not {form!r}", "convert the model")
        model = onnx_file.read(request.model)
        if contexts := onnx_file.contexts(model, request.model):
            for each in contexts:
                identity.check(each, request.model, found.versions["qnn"], soc)
            made: dict[str, Any] = {"soc": contexts[0].soc, "qnn": contexts[0].build, "compiler": "", "operations": {}}
            return Artifact(request.model, request.accelerator, request.batch, made, request.input_shapes)
        if request.accelerator not in _HTP:
            return Artifact(request.model, request.accelerator, request.batch, input_shapes=request.input_shapes)
        soc = self._target(soc) if runtime.is_simulator_host() else soc
        return compile_onnx.compile_onnx(request, model, found, self._options, soc)

    def load(self, artifact: Artifact) -> Session:
        """Load a compiled model.

        Raises:
            ModelError: It is damaged.
            BackendError: It is for another QAIRT or SoC, or the accelerator is not available.
        """
        found = self._runtime(artifact.accelerator)
        if artifact.path.suffix.lower() == ".tflite":
            return _tflite(artifact)
        here = socs.detect() if artifact.accelerator == "htp" else None
        return loading.load(artifact, found, self._options, here or self._soc(artifact.accelerator))

    def _runtime(self, accelerator: str, *, to_compile: bool = False) -> Runtime:
        """The runtime, if the accelerator is present; the simulator also has the compiler for the HTP."""
        found = runtime.load(self._options.qnn_libraries)
        if accelerator not in runtime.LIBRARIES:
            hint = ", ".join(runtime.LIBRARIES)
            raise BackendError("no-accelerator", f"backend snpe has no accelerator {accelerator!r}", hint)
        there = found.accelerators()
        if to_compile and accelerator == "htp" and SIMULATOR in there:
            return found
        if accelerator not in there:
            hint = f"available: {', '.join(there) or 'none'}"
            if SIMULATOR in there:
                hint += f"; {SIMULATOR} computes the same, but its speed does not count"
            raise BackendError("no-accelerator", f"QNN finds no {accelerator} on this machine", hint)
        return found

    def _soc(self, accelerator: str) -> socs.Soc | None:
        """The SoC from the options, or this device's, or the one that is simulated by default."""
        if self._options.soc:
            return self._options.soc
        return socs.SOCS[socs.SIMULATED] if accelerator == SIMULATOR else socs.detect()

    def _target(self, soc: socs.Soc | None) -> socs.Soc:
        if soc is None:
            summary = f"the SoC to compile for is not known (this machine's soc_id: {socs.kernel_id() or 'none'})"
            raise BackendError("unknown-soc", summary, "name it with --set soc_model=SM8650, or another")
        return soc


def _tflite(artifact: Artifact) -> Session:
    """Load a .tflite model on the CPU with the backend tflite."""
    try:
        from mlperf_mobile_backend_tflite.backend import TFLiteBackend
        from mlperf_mobile_backend_tflite.options import TFLiteOptions
    except ModuleNotFoundError as error:
        summary = "the backend tflite, which runs .tflite models on the CPU, is not installed"
        raise BackendError("no-runtime", summary, "pip install 'mlperf-mobile-backend-tflite[litert]'") from error
    return TFLiteBackend(TFLiteOptions()).load(artifact)


def _compiler() -> dict[str, str]:
    """The version of LiteRT, which is part of the key of compiled models."""
    try:
        return {"ai-edge-litert": version("ai-edge-litert")}
    except PackageNotFoundError:
        return {}
