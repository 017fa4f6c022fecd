"""What this distribution offers."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import BackendInfo, Capability, EnvFact, Need, Ref, hookimpl


@hookimpl
def mlperf_mobile_backends() -> Iterable[BackendInfo]:
    """Offer the backend ``neuron``."""
    yield BackendInfo(
        name="neuron",
        summary="TensorFlow Lite models, compiled networks and .dla files on MediaTek's NPU, through NeuroPilot",
        vendor="MediaTek",
        backend=Ref("mlperf_mobile_backend_neuron.backend:NeuronBackend"),
        accelerators=("npu", "gpu", "cpu"),
        model_formats=("tflite", "dla"),
        capabilities=frozenset({Capability.QUANTIZED}),
        needs=(
            Need(
                what="a library of MediaTek NeuroPilot, such as libneuron_adapter.so or libneuron_runtime.so",
                fix="it is on MediaTek devices, and in the NeuroPilot packages of Genio's Linux images; elsewhere, "
                "add its folder to LD_LIBRARY_PATH, or give the path: --set adapter=PATH",
                # Those of libraries.py, which is separate because it depends on the SoC.
                libraries=(
                    "libneuronusdk_adapter.mtk.so",
                    "libneuronusdk_adapter.mtk.mt6989.so",
                    "libneuronusdk_adapter.mtk.mt6991.so",
                    "libneuronusdk_adapter.mtk.mt6993.so",
                    "libneuronusdk_adapter.10.mtk.so",
                    "libneuronusdk_adapter.9.mtk.so",
                    "libneuronusdk_adapter.so",
                    "libneuron_adapter_mgvi.so",
                    "libneuron_adapter.mtk.so",
                    "libneuron_adapter.so",
                    "libneuron_runtime.so",
                    "libneuron_runtime.mtk.so",
                    "libneuron_stable_delegate.so",
                ),
                options=("adapter", "runtime", "stable_delegate"),
            ),
        ),
        options=Ref("mlperf_mobile_backend_neuron.options:NeuronOptions"),
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_environment(backend: str) -> Iterable[EnvFact]:
    """Name the SoC and its MDLA in every result of this backend."""
    if backend != "neuron":
        return
    from mlperf_mobile_backend_neuron import soc

    if found := soc.detect():
        yield EnvFact("neuron.soc", found.name)
        if found.mdla:
            yield EnvFact("neuron.mdla", found.mdla)
