"""One model on one device: what the device takes of it, compiled and loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mlperf_mobile.contracts import Placement
from mlperf_mobile_backend_nnapi.options import NNAPIOptions
from mlperf_mobile_neural_networks.build import Model
from mlperf_mobile_neural_networks.compilation import PREFERENCES, PRIORITIES, Call, caching, compile_network
from mlperf_mobile_neural_networks.devices import DriverDevice
from mlperf_mobile_neural_networks.driver import Driver, Handle
from mlperf_mobile_neural_networks.execution import Running
from mlperf_mobile_neural_networks.graph import Graph
from mlperf_mobile_neural_networks.lower import lower
from mlperf_mobile_neural_networks.placement import check_supported, place
from mlperf_mobile_neural_networks.session import NetworkSession, open_session
from mlperf_mobile_tflite_model.reader import read

OLDEST_LEVEL = 3
"""Of a device that does not tell: what a library with devices has at least."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how to run."""

    driver: Driver
    device: DriverDevice
    accelerator: str
    options: NNAPIOptions

    @property
    def feature_level(self) -> int:
        return self.device.feature_level or OLDEST_LEVEL


@dataclass(frozen=True, slots=True)
class Network:
    """A model that has been lowered for a target."""

    target: Target
    model: Path
    graph: Graph

    @classmethod
    def read(cls, target: Target, model: Path) -> Self:
        """Check and lower a model file.

        Raises:
            ModelError: It is missing, damaged, or has operations that NNAPI has not.
        """
        return cls(target, model, lower(read(model), target.feature_level))

    @property
    def placement(self) -> Placement:
        """All on the device, once :meth:`compile` has asked it."""
        return place(self.graph.operations, self.target.accelerator)

    def facts(self) -> dict[str, Any]:
        """What the compilation found out."""
        device = self.target.device
        return {"device": device.name, "device_version": device.version, "operations": dict(self.placement.operations)}

    def compile(self, held: ExitStack, cache: Path | None) -> Handle:
        """Build the network, ask the device about it, and compile.

        Args:
            held: Closes what is made.
            cache: An existing folder for the driver.

        Raises:
            ModelError: ``unsupported-operations``: the device does not take all of it.
            BackendError: The driver failed.
        """
        target = self.target
        pointers = (target.device.pointer,)
        network = held.enter_context(closing(Model(target.driver, self.graph, allow_fp16=target.options.allow_fp16)))
        check_supported(self.graph, network.supported(pointers), self.model.name, target.device.name)
        return held.enter_context(closing(compile_network(target.driver, network, pointers, self._calls(cache))))

    def load(self, held: ExitStack, cache: Path | None) -> NetworkSession:
        """As :meth:`compile`, and get ready to run; the session takes ``held`` over."""
        target, graph, options = self.target, self.graph, self.target.options
        compilation = self.compile(held, cache)
        timeout = round((options.run_timeout_s or 0) * 1e9)
        running = Running(options.burst, options.timing, timeout)
        inputs, outputs, name = graph.input_specs, graph.output_specs, self.model.name
        return open_session(held, target.driver, compilation, inputs, outputs, self.placement, running, name)

    def _calls(self, cache: Path | None) -> Iterator[Call]:
        options = self.target.options
        yield "Compilation_setPreference", (PREFERENCES[options.preference],)
        if options.priority:
            yield "Compilation_setPriority", (PRIORITIES[options.priority],)
        if cache:
            yield caching(cache, self._token())

    def _token(self) -> bytes:
        """The name under which the driver keeps the network: by all that decides what it makes."""
        device, options = self.target.device, self.target.options
        with self.model.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        settings = options.model_dump(include={"allow_fp16", "preference", "priority"})
        made_of: Mapping[str, object] = {"model": content, "device": device.name, "version": device.version} | settings
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).digest()
