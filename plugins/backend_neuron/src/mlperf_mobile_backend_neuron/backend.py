"""The backend ``neuron``: TensorFlow Lite models, compiled networks and .dla files on MediaTek's NPU."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlperf_mobile.contracts import Artifact, Backend, CompileRequest, Probe, Session
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_neuron import compiled as store
from mlperf_mobile_backend_neuron import libraries, litert_network, ncc, restored, runtime, soc, stable_delegate
from mlperf_mobile_backend_neuron.adapter import Adapter
from mlperf_mobile_backend_neuron.compiled import Manifest, TensorRecord
from mlperf_mobile_backend_neuron.compiling import compile_model
from mlperf_mobile_backend_neuron.dla import describe_file, ends, in_order
from mlperf_mobile_backend_neuron.options import NeuronOptions
from mlperf_mobile_backend_neuron.probing import probe
from mlperf_mobile_backend_neuron.runtime import Runtime
from mlperf_mobile_backend_neuron.session import NeuronSession
from mlperf_mobile_backend_neuron.stable_delegate import StableDelegateSession
from mlperf_mobile_tflite_model.fixed import check_fixed
from mlperf_mobile_tflite_model.reader import TFLiteModel, read


class NeuronBackend:
    """Compiles and runs models with NeuroPilot's libraries.

    Args:
        options: See :class:`NeuronOptions`.
    """

    def __init__(self, options: NeuronOptions) -> None:
        self._options = options

    @property
    def shards(self) -> int:
        """The option ``shards``; 1 by default, because there is one NPU."""
        return self._options.shards

    @cached_property
    def _soc(self) -> soc.Soc | None:
        return soc.detect()

    @cached_property
    def _adapter(self) -> Adapter:
        return Adapter(libraries.adapter(self._options.adapter, self._soc))

    @cached_property
    def _runtime(self) -> Runtime:
        return Runtime(libraries.runtime(self._options.runtime))

    def probe(self) -> Probe:
        """Open the libraries, and list the adapter's devices; never raises."""
        return probe(self._options, self._soc, lambda: self._adapter, lambda: self._runtime)

    def compile(self, request: CompileRequest) -> Artifact:
        """Compile a .tflite file, or extract the network from one that LiteRT compiled; a .dla file stays as it is.

        Raises:
            ModelError: The file is missing or damaged, or has operations that the NPU does not support.
            BackendError: A library or the compiler failed.
        """
        if request.batch != 1:
            summary = f"backend neuron runs one sample per call, not {request.batch}"
            raise BackendError("batch-size", summary, "use batch 1, and shards for throughput")
        form = request.format or request.model.suffix.removeprefix(".").lower()
        if form == "dla":
            runtime.read(request.model)
            return Artifact(request.model, request.accelerator, facts={"format": "dla"})
        model = read(request.model)
        if self._options.via == "stable-delegate":
            return Artifact(request.model, request.accelerator, input_shapes=request.input_shapes)
        check_fixed(model, request.input_shapes, "backend neuron")
        if litert_network.is_compiled(model):
            compiled, network = self._extract(model, request)
        elif self._options.compiler == "ncc-tflite":
            compiled, network = self._compile_with_ncc(model, request)
        else:
            compiled, network = compile_model(self._adapter, model, self._options, request, self._target)
        return Artifact(store.write(request.directory, compiled, network), request.accelerator, facts=facts(compiled))

    def load(self, artifact: Artifact) -> Session:
        """Load a compiled network, a .dla file, or a model for the stable delegate.

        Raises:
            ModelError: The file is damaged, or not of the given format.
            BackendError: It is for another SoC or version, or a library failed.
        """
        if artifact.path.name == store.MANIFEST:
            compiled, network = store.read(artifact.path)
            self._check_accelerator(artifact.accelerator, compiled.accelerator)
            return self._open(compiled, network)
        self._check_accelerator(artifact.accelerator, "npu")
        if artifact.facts.get("format") == "dla" or artifact.path.suffix.lower() == ".dla":
            network = runtime.read(artifact.path)
            return self._open(describe_file(artifact.path, network, self._options, artifact.accelerator), network)
        if self._options.via != "stable-delegate":
            summary = f"{artifact.path} is not compiled"
            raise ModelError("network-damaged", summary, "compile it first, with the same options")
        return stable_delegate.open_model(artifact, self._options)

    @staticmethod
    def _check_accelerator(requested: str, compiled: str) -> None:
        if requested != compiled:
            summary = f"the model was compiled for {compiled}, not for {requested}"
            raise BackendError("no-accelerator", summary, f"use accelerator {compiled}, or compile it for {requested}")

    @property
    def _target(self) -> str:
        """The SoC that networks are compiled for; empty if unknown."""
        return self._options.soc.lower() if self._options.soc else self._soc.name if self._soc else ""

    def _open(self, compiled: Manifest, network: bytes) -> NeuronSession:
        """Open a .dla file with the runtime, others with the adapter, unless the option ``via`` says otherwise."""
        via = self._options.via or ("runtime" if compiled.kind == "dla" else "adapter")
        if via == "adapter":
            restored.check(compiled, str(self._adapter.version), self._soc)
            return restored.open_network(self._adapter, compiled, network, self._options)
        if compiled.kind != "dla" or via != "runtime":
            summary = f"the network of {compiled.model} cannot run via {via}"
            raise ModelError("network-unsupported", summary, "omit the option via")
        restored.check(compiled, str(self._runtime.version), self._soc)
        return runtime.open_file(self._runtime, compiled, network, self._options)

    def _extract(self, model: TFLiteModel, request: CompileRequest) -> tuple[Manifest, bytes]:
        request.report("reading the compiled network")
        found = litert_network.extract(model)
        inputs, outputs = (
            tuple(TensorRecord.of(spec, order) for spec, order in zip(specs, orders, strict=True))
            for specs, orders in ((found.inputs, found.input_order), (found.outputs, found.output_order))
        )
        version = ".".join(map(str, found.version)) if found.version else ""
        where = request.accelerator
        compiled = store.opaque(
            found.kind, model.path, where, found.network, inputs, outputs, version=version, soc=found.soc
        )
        return compiled, found.network

    def _compile_with_ncc(self, model: TFLiteModel, request: CompileRequest) -> tuple[Manifest, bytes]:
        request.report("compiling with ncc-tflite")
        file = ncc.compile_file(request.model, request.directory, self._options, self._soc)
        network = runtime.read(file)
        file.unlink()
        inputs, outputs = map(in_order, ends(model))
        compiled = store.opaque("dla", model.path, request.accelerator, network, inputs, outputs, soc=self._target)
        return compiled, network


def facts(compiled: Manifest) -> Mapping[str, Any]:
    """Facts about a compilation, for the result."""
    values = {
        "kind": compiled.kind,
        "version": compiled.version,
        "soc": compiled.soc,
        "devices": list(compiled.devices),
        "operations": dict(compiled.placement.operations),
    }
    return {name: value for name, value in values.items() if value}


if TYPE_CHECKING:  # lets the type checker compare the classes with the contracts
    _backend: type[Backend] = NeuronBackend
    _session: type[Session] = NeuronSession
    _delegate_session: type[Session] = StableDelegateSession
