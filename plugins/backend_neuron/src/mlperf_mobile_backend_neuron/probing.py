"""Finds out which of NeuroPilot's libraries this device has."""

from __future__ import annotations

from collections.abc import Callable

from mlperf_mobile.contracts import Device, Probe
from mlperf_mobile.errors import BackendError, described
from mlperf_mobile_backend_neuron import libraries, stable_delegate
from mlperf_mobile_backend_neuron.adapter import Adapter, accelerator_of, by_accelerator
from mlperf_mobile_backend_neuron.options import NeuronOptions
from mlperf_mobile_backend_neuron.runtime import Runtime
from mlperf_mobile_backend_neuron.soc import Soc


def probe(
    options: NeuronOptions, soc: Soc | None, adapter: Callable[[], Adapter], runtime: Callable[[], Runtime]
) -> Probe:
    """Open the library that the options name, or the adapter and the runtime.

    Never raises, even if a library fails.
    """
    facts = {"soc": soc.name, "mdla": soc.mdla} if soc else {}
    versions = {name: value for name, value in facts.items() if value}
    try:
        if options.via == "stable-delegate":
            return _of_delegate(options, versions)
        if options.via == "runtime":
            return _of_runtime(runtime(), versions)
        try:
            return _of_adapter(adapter(), versions, _optional(runtime))
        except BackendError as error:
            # Only a missing adapter lets the runtime take its place: a broken one is reported.
            if options.via == "adapter" or options.adapter or error.code != "library-missing":
                raise
            try:
                return _of_runtime(runtime(), versions)
            except BackendError as other:
                raise (error if other.code == "library-missing" else other) from other
    except BackendError as error:
        return Probe(usable=False, versions=versions, reason=error.summary, fix=error.hint)
    except Exception as error:  # noqa: BLE001  a probe never raises
        return Probe(usable=False, versions=versions, reason=described(error), fix=libraries.FIX)


def _of_adapter(adapter: Adapter, versions: dict[str, str], runtime: Runtime | None) -> Probe:
    """The adapter, and the runtime if it is present; if either is a stand-in, results are marked as such."""
    found = adapter.devices()
    accelerators = tuple(by_accelerator(found)) or ("npu",)
    versions = {**versions, "neuron_adapter": str(adapter.version)} | (
        {"neuron_runtime": str(runtime.version)} if runtime else {}
    )
    stand_in = adapter.stand_in or (runtime.stand_in if runtime else "")
    return Probe(
        usable=True,
        accelerators=accelerators,
        versions=versions,
        runtime=f"{_title('Neuron adapter', adapter.stand_in)} {adapter.version}",
        devices=tuple(Device(accelerator_of(device), device.name, device.version) for device in found),
        functional_only=dict.fromkeys(accelerators, stand_in) if stand_in else {},
    )


def _of_runtime(runtime: Runtime, versions: dict[str, str]) -> Probe:
    return Probe(
        usable=True,
        accelerators=("npu",),
        versions={**versions, "neuron_runtime": str(runtime.version)},
        runtime=f"{_title('Neuron runtime', runtime.stand_in)} {runtime.version}",
        functional_only={"npu": runtime.stand_in} if runtime.stand_in else {},
    )


def _of_delegate(options: NeuronOptions, versions: dict[str, str]) -> Probe:
    library = stable_delegate.Library.open(libraries.stable_delegate(options.stable_delegate))
    found = stable_delegate.runtime()
    return Probe(
        usable=True,
        accelerators=("npu",),
        versions={**versions, "stable_delegate": library.version, found.name: found.version},
        runtime=f"{_title(library.name, library.stand_in)} {library.version} in {found}",
        functional_only={"npu": library.stand_in} if library.stand_in else {},
    )


def _optional(runtime: Callable[[], Runtime]) -> Runtime | None:
    """The runtime, or None if it cannot be opened."""
    try:
        return runtime()
    except BackendError:
        return None


def _title(name: str, stand_in: str) -> str:
    return f"{name} stand-in" if stand_in else name
