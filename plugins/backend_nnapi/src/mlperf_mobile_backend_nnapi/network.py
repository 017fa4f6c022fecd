"""One model on one device: divided, compiled and loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mlperf_mobile.backend_checks import Shapes
from mlperf_mobile.contracts import Placement
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_nnapi.options import NNAPIOptions
from mlperf_mobile_neural_networks.build import Model
from mlperf_mobile_neural_networks.compilation import PREFERENCES, PRIORITIES, Call, caching, compile_network
from mlperf_mobile_neural_networks.cpu import CPUPart
from mlperf_mobile_neural_networks.devices import DriverDevice
from mlperf_mobile_neural_networks.driver import Driver, Handle
from mlperf_mobile_neural_networks.execution import Execution, Running
from mlperf_mobile_neural_networks.extract import Extractor
from mlperf_mobile_neural_networks.graph import Graph
from mlperf_mobile_neural_networks.lower import lower
from mlperf_mobile_neural_networks.lower.lowering import spec
from mlperf_mobile_neural_networks.partial import PartialSession, Step
from mlperf_mobile_neural_networks.parts import Part, divide, place_parts
from mlperf_mobile_neural_networks.placement import check_supported
from mlperf_mobile_neural_networks.session import NetworkSession
from mlperf_mobile_neural_networks.split import Segment
from mlperf_mobile_tflite_model.fixed import check_fixed
from mlperf_mobile_tflite_model.reader import TFLiteModel, read

OLDEST_LEVEL = 3
"""Assumed for a device that reports no level: the lowest level of a library that lists devices."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how to run."""

    driver: Driver
    device: DriverDevice
    accelerator: str
    options: NNAPIOptions

    @property
    def feature_level(self) -> int:
        """What the model is lowered for: the option, or else what the device has.

        Raises:
            BackendError: ``feature-level``: the device is older than the option.
        """
        requested, there = self.options.feature_level, self.device.feature_level or OLDEST_LEVEL
        if requested and requested > there:
            summary = f"{self.device.name} has feature level {there}, and the option feature_level is {requested}"
            raise BackendError("feature-level", summary, "leave out feature_level, or use another device")
        return requested or there

    def supported(self, graph: Graph) -> tuple[bool, ...]:
        """Which operations the device supports."""
        with closing(Model(self.driver, graph, allow_fp16=self.options.allow_fp16)) as network:
            return network.supported([self.device.pointer])


@dataclass(frozen=True, slots=True)
class Network:
    """A model that has been lowered for a target, whole or in parts."""

    target: Target
    model: TFLiteModel
    parts: tuple[Part, ...]

    @classmethod
    def read(cls, target: Target, path: Path, input_shapes: Shapes) -> Self:
        """Check and lower a model file, and divide it if the option ``partial`` is set.

        Raises:
            ModelError: It is missing, damaged, has open inputs, or has operations that are not supported.
            BackendError: The driver failed.
        """
        model, level = read(path), target.feature_level
        check_fixed(model, input_shapes, "backend nnapi")
        if target.options.partial:
            return cls(target, model, divide(model, level, target.supported))
        whole = Segment(True, tuple(range(len(model.operators))), model.inputs, model.outputs)
        return cls(target, model, (Part(whole, lower(model, level)),))

    @property
    def placement(self) -> Placement:
        """The operations on the device and on the CPU; valid after :meth:`compile`."""
        return place_parts(self.model, self.parts, self.target.accelerator, "nnapi")

    def facts(self) -> dict[str, Any]:
        """Facts about the compilation, for the result."""
        device = self.target.device
        return {"device": device.name, "device_version": device.version, "operations": dict(self.placement.operations)}

    def compile(self, held: ExitStack, cache: Path | None) -> list[Handle | None]:
        """Build the network, check that the device supports it, and compile; None for the CPU's parts.

        Args:
            held: Closes the created objects.
            cache: An existing folder for the driver's cache.

        Raises:
            ModelError: ``unsupported-operations``: the device does not support all operations.
            BackendError: The driver failed.
        """
        return [
            self._compile(held, part.graph, number, cache) if part.graph else None
            for number, part in enumerate(self.parts)
        ]

    def _compile(self, held: ExitStack, graph: Graph, number: int, cache: Path | None) -> Handle:
        driver, device, options = self.target.driver, self.target.device, self.target.options
        network = held.enter_context(closing(Model(driver, graph, allow_fp16=options.allow_fp16)))
        check_supported(graph, network.supported([device.pointer]), self.model.path.name, device.name)
        calls = self._calls(number, cache)
        return held.enter_context(closing(compile_network(driver, network, [device.pointer], calls)))

    def load(self, held: ExitStack, cache: Path | None) -> NetworkSession | PartialSession:
        """Compile as :meth:`compile`, and open a session, which takes over ``held``."""
        name, options = self.model.path.name, self.target.options
        timeout = round((options.run_timeout_s or 0) * 1e9)
        running = Running(options.burst, options.timing, timeout)
        compiled = self.compile(held, cache)
        extractor = Extractor(self.model.path) if None in compiled else None
        steps = []
        for each, compilation in zip(self.parts, compiled, strict=True):
            runner: Execution | CPUPart
            if each.graph and compilation:
                ends = each.graph.input_specs, each.graph.output_specs
                runner = Execution(self.target.driver, compilation.pointer, *ends, running, name)
            else:
                assert extractor is not None
                runner = CPUPart(extractor.extract(each.segment), options.threads)
            held.enter_context(closing(runner))
            steps.append(Step(runner, each.segment.inputs, each.segment.outputs))
        if isinstance(runner, Execution) and len(steps) == 1:
            return NetworkSession(runner, self.placement, held.pop_all())
        model = self.model
        inputs, outputs = ([(i, spec(model.tensors[i])) for i in end] for end in (model.inputs, model.outputs))
        return PartialSession(steps, inputs, outputs, self.placement, held.pop_all(), name)

    def _calls(self, number: int, cache: Path | None) -> Iterator[Call]:
        options = self.target.options
        yield "Compilation_setPreference", (PREFERENCES[options.preference],)
        if options.priority:
            yield "Compilation_setPriority", (PRIORITIES[options.priority],)
        if cache:
            yield caching(cache, self._token(number))

    def _token(self, number: int) -> bytes:
        """The driver's cache key of a part: a hash of everything that affects its compilation."""
        device, options = self.target.device, self.target.options
        with self.model.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        settings = options.model_dump(include={"allow_fp16", "feature_level", "preference", "priority"})
        operators = self.parts[number].segment.operators
        made_of = {"model": content, "part": operators, "device": device.name, "version": device.version} | settings
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).digest()
