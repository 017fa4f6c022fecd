"""Compiles a .tflite file with the Neuron adapter, and queries which of its operations the NPU supports."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import CompileRequest
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_neuron.adapter import OPTIMIZATIONS, PREFERENCES, PRIORITIES, Adapter, by_accelerator
from mlperf_mobile_backend_neuron.compiled import Manifest, TensorRecord, digest
from mlperf_mobile_backend_neuron.options import NeuronOptions
from mlperf_mobile_backend_neuron.translating import translate
from mlperf_mobile_neural_networks.build import Model
from mlperf_mobile_neural_networks.compilation import compile_network
from mlperf_mobile_neural_networks.devices import DriverDevice
from mlperf_mobile_neural_networks.graph import Graph
from mlperf_mobile_neural_networks.lower import lower
from mlperf_mobile_neural_networks.placement import place, refused
from mlperf_mobile_tflite_model.reader import TFLiteModel


def compile_model(
    adapter: Adapter, model: TFLiteModel, options: NeuronOptions, request: CompileRequest, soc: str
) -> tuple[Manifest, bytes]:
    """Compile a model; returns the facts about the compiled network, and its bytes.

    Args:
        adapter: The open adapter.
        model: The model to compile.
        options: How to compile it.
        request: The accelerator and the folder.
        soc: The SoC to compile for; empty if unknown.

    Raises:
        ModelError: ``unsupported-operations``; names those that the adapter or the devices do not support.
        BackendError: The adapter failed, or has no such device.
    """
    request.report("reading the model")
    graph = translate(lower(model, adapter.feature_level))
    adapter.check(graph, model.path.name)
    devices = choose(adapter.devices(), request.accelerator, options.devices)
    with (
        target(options.soc, request.directory),
        closing(Model(adapter, graph, allow_fp16=options.allow_fp16)) as network,
    ):
        taken = supported(adapter, network, len(graph.operations), devices)
        operations = _operations(graph, taken, request.accelerator)
        elsewhere = refused(graph, taken)
        if elsewhere and not options.fallback:
            names = ", ".join(sorted({operation.name for operation in elsewhere}))
            summary = f"{_title(devices)} does not support {len(elsewhere)} of {len(graph.operations)} operations"
            hint = "use another model, or set fallback=true and strict_placement=false to run them elsewhere"
            raise ModelError("unsupported-operations", f"{summary} of {model.path}: {names}", hint)
        request.report("compiling")
        # A set of devices is binding; without one, the adapter runs unsupported operations elsewhere.
        places = [] if elsewhere else [device.pointer for device in devices]
        with closing(compile_network(adapter, network, places, calls(options))) as compilation:
            request.report("storing")
            data = adapter.store(compilation)
    compiled = Manifest(
        kind="adapter",
        model=model.path.name,
        accelerator=request.accelerator,
        version=str(adapter.version),
        soc=soc,
        devices=tuple(device.name for device in devices),
        sha256=digest(data),
        inputs=tuple(TensorRecord.of(spec, index) for index, spec in enumerate(graph.input_specs)),
        outputs=tuple(TensorRecord.of(spec, index) for index, spec in enumerate(graph.output_specs)),
        operations=operations,
    )
    return compiled, data


def choose(found: Sequence[DriverDevice], accelerator: str, names: Sequence[str]) -> list[DriverDevice]:
    """The devices to run on: those named, or all of the accelerator.

    Empty if the adapter lists no devices and the accelerator is the NPU, for which the adapter is made.

    Raises:
        BackendError: ``no-device`` or ``no-accelerator``; names the listed devices.
    """
    listed = ", ".join(device.name for device in found) or "no device"
    if names:
        known = {device.name: device for device in found}
        if absent := [name for name in names if name not in known]:
            summary = f"the Neuron adapter has no device {', '.join(absent)}"
            raise BackendError("no-device", summary, f"it lists {listed}")
        return [known[name] for name in names]
    chosen = by_accelerator(found).get(accelerator, [])
    if not chosen and (accelerator != "npu" or found):
        summary = f"the Neuron adapter has no device for accelerator {accelerator}"
        raise BackendError("no-accelerator", summary, f"it lists {listed}")
    return chosen


def supported(adapter: Adapter, network: Model, count: int, devices: Sequence[DriverDevice]) -> tuple[bool, ...]:
    """Which operations the devices support; all, if the adapter cannot report it before it compiles.

    Raises:
        BackendError: The adapter failed.
    """
    if devices and adapter.has("Model_getSupportedOperationsForDevices"):
        return network.supported([device.pointer for device in devices])
    if not adapter.has("Model_getSupportedOperations"):
        return (True,) * count
    answers = (ctypes.c_bool * max(1, count))()
    adapter.call("Model_getSupportedOperations", network.pointer, answers, count)
    return tuple(answers[:count])


def calls(options: NeuronOptions) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The calls that pass the options to a compilation."""
    yield "Compilation_setPreference", (PREFERENCES[options.preference],)
    yield "Compilation_setPriority", (PRIORITIES[options.priority],)
    if options.optimize:
        yield "Compilation_setOptimizationHint", (sum({OPTIMIZATIONS[name] for name in options.optimize}),)
    if options.only_optimization_string:
        yield "Compilation_setOnlyAllowOptimizationString", (True,)
    if options.optimization_string is not None:
        yield "Compilation_setOptimizationString", (options.optimization_string.encode(),)
    if options.l1_kb is not None:
        yield "Compilation_setL1MemorySizeKb", (options.l1_kb,)


@contextmanager
def target(soc: str | None, folder: Path) -> Iterator[None]:
    """Let the SDK's adapter for other machines compile for ``soc``.

    It reads the SoC, and a folder for its temporary files, from the environment variables that LiteRT's compiler plugin
    for MediaTek sets (compiler_plugin.cc, 2026-08-21).
    """
    if soc is None:
        yield
        return
    scratch = folder / "dla"
    scratch.mkdir()
    variables = {"MTKNN_ADAPTER_DLA_PLATFORM": soc.lower(), "MTKNN_ADAPTER_DLA_DIR": str(scratch)}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(scratch, ignore_errors=True)


def _operations(graph: Graph, taken: Sequence[bool], accelerator: str) -> dict[str, dict[str, int]]:
    """Counts of the operations by accelerator and name; unsupported ones count on the CPU."""
    on_device = [operation for operation, yes in zip(graph.operations, taken, strict=True) if yes]
    sources = {source for operation in on_device for source in operation.sources}
    named = dict(place(on_device, accelerator).names)
    rest = {
        source: operation.name
        for operation in refused(graph, taken)
        for source in operation.sources
        if source not in sources
    }
    placed = {where: dict(names) for where, names in named.items() if names}
    for name in rest.values():
        counts = placed.setdefault("cpu", {})
        counts[name] = counts.get(name, 0) + 1
    return placed


def _title(devices: Sequence[DriverDevice]) -> str:
    return " with ".join(device.name for device in devices) or "the Neuron adapter"
