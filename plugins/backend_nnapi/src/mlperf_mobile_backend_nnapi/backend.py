"""The backend ``nnapi``: TensorFlow Lite models on the devices of Android's Neural Networks API."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlperf_mobile import backend_checks
from mlperf_mobile.contracts import (
    Artifact,
    Backend,
    CompileRequest,
    Device,
    NativeBackend,
    NativeEngine,
    NativeRequest,
    Probe,
    ReportingSession,
)
from mlperf_mobile.errors import BackendError, described, did_you_mean
from mlperf_mobile_backend_nnapi import native
from mlperf_mobile_backend_nnapi.interface import NNAPI, accelerator
from mlperf_mobile_backend_nnapi.network import Network, Target
from mlperf_mobile_backend_nnapi.options import NNAPIOptions
from mlperf_mobile_backend_nnapi.plugin import mlperf_mobile_backends
from mlperf_mobile_neural_networks.devices import DriverDevice, devices, feature_level
from mlperf_mobile_neural_networks.driver import Driver
from mlperf_mobile_neural_networks.partial import PartialSession
from mlperf_mobile_neural_networks.session import NetworkSession

CACHE = "driver"
"""The folder for the driver's compiled networks, beside the model."""


class NNAPIBackend:
    """Runs .tflite models on one device of NNAPI.

    Args:
        options: See :class:`NNAPIOptions`.
    """

    def __init__(self, options: NNAPIOptions) -> None:
        self._options = options

    @property
    def shards(self) -> int:
        """The option ``shards``; 1 by default, because there is one accelerator."""
        return self._options.shards

    @property
    def _lets_cache(self) -> bool:
        return self._options.driver_cache is not False

    @cached_property
    def _driver(self) -> Driver:
        return Driver(self._options.library, NNAPI)

    @cached_property
    def _devices(self) -> tuple[DriverDevice, ...]:
        """The devices that the options allow."""
        name, cpu = self._options.device, not self._options.disallow_cpu
        found = [device for device in devices(self._driver) if cpu or accelerator(device) != "cpu"]
        if name is None and found:
            return tuple(found)
        chosen = tuple(device for device in found if device.name == name)
        if not chosen:
            summary = f"NNAPI has no device {name!r}" if name else "NNAPI lists no device"
            hint = did_you_mean(name, [device.name for device in found]) if name else "install the vendor's driver"
            raise BackendError("no-device", summary, hint)
        return chosen

    def probe(self) -> Probe:
        """Open the library and list its devices; never raises."""
        try:
            driver, found = self._driver, self._devices
            level = self._runtime_level()
        except BackendError as error:
            return Probe(usable=False, reason=error.summary, fix=error.hint)
        except Exception as error:  # noqa: BLE001  a probe never raises
            return Probe(usable=False, reason=described(error), fix="see the driver's log")
        (info,) = mlperf_mobile_backends()
        present = {accelerator(device) for device in found}
        accelerators = tuple(name for name in info.accelerators if name in present)
        title = "NNAPI stand-in" if driver.stand_in else "NNAPI"
        versions = {device.name: device.version for device in found}
        return Probe(
            usable=True,
            accelerators=accelerators,
            versions=({"nnapi": str(level)} if level else {}) | versions,
            runtime=f"{title} feature level {level}" if level else title,
            devices=tuple(
                Device(accelerator(each), each.name, each.version, {"feature_level": each.feature_level})
                for each in found
            ),
            functional_only=dict.fromkeys(accelerators, driver.stand_in) if driver.stand_in else {},
        )

    def compile(self, request: CompileRequest) -> Artifact:
        """Query which operations the device supports, and compile; the driver caches the result, if it can.

        Raises:
            ModelError: The file is missing or damaged, or has operations that the device does not support.
            BackendError: The library or the driver failed.
        """
        cache = request.directory / CACHE if self._lets_cache else None
        if cache:
            cache.mkdir(parents=True, exist_ok=True)
        request.report("querying the device")
        with ExitStack() as held:
            network = self._network(request.model, request.accelerator, request.batch, request.input_shapes)
            request.report("compiling")
            network.compile(held, cache)
        facts = network.facts()
        if cache is None or not any(cache.iterdir()):
            if cache:
                cache.rmdir()
            return Artifact(request.model, request.accelerator, request.batch, facts)
        kept = request.directory / request.model.name
        if not (kept.exists() and kept.samefile(request.model)):
            shutil.copyfile(request.model, kept)
        return Artifact(kept, request.accelerator, request.batch, facts | {"cached": True})

    def load(self, artifact: Artifact) -> NetworkSession | PartialSession:
        """Compile again, or let the driver load the cached network, and prepare to run.

        Raises:
            ModelError: As :meth:`compile`.
            BackendError: As :meth:`compile`.
        """
        cache = artifact.path.parent / CACHE if self._lets_cache and artifact.facts.get("cached") else None
        with ExitStack() as held:
            network = self._network(artifact.path, artifact.accelerator, artifact.batch, artifact.input_shapes)
            return network.load(held, cache)
        raise AssertionError  # the stack suppresses no exceptions

    def native(self, request: NativeRequest) -> NativeEngine:
        """The engine ``nnapi``, with the model lowered and written to a file; only this machine's driver is asked.

        Raises:
            ModelError: As :meth:`compile`.
            BackendError: ``native-option``, ``native-library``, ``batch-size``; on this machine, as :meth:`compile`.
        """
        native.check(self._options)
        _check_batch(request.batch)
        level = self._target(request.accelerator).feature_level if request.place.here else self._options.feature_level
        return native.engine(self._options, request, level)

    def _network(self, model: Path, name: str, batch: int, input_shapes: backend_checks.Shapes) -> Network:
        _check_batch(batch)
        return Network.read(self._target(name), model, input_shapes)

    def _target(self, name: str) -> Target:
        """The device for an accelerator."""
        found = [device for device in self._devices if accelerator(device) == name]
        if not found:
            known = sorted({f"{accelerator(device)} ({device.name})" for device in self._devices})
            summary = f"NNAPI has no device for accelerator {name}"
            raise BackendError("no-accelerator", summary, f"it has {', '.join(known)}")
        return Target(self._driver, found[0], name, self._options)

    def _runtime_level(self) -> int:
        """The feature level of the library itself; 0 if it does not report it, which means below level 5."""
        if not self._driver.has("_getRuntimeFeatureLevel"):
            return 0
        return feature_level(int(self._driver.function("_getRuntimeFeatureLevel")()))


def _check_batch(batch: int) -> None:
    if batch != 1:
        summary = f"backend nnapi runs one sample per call, not {batch}"
        raise BackendError("batch-size", summary, "use batch 1, and shards for throughput")


if TYPE_CHECKING:  # lets the type checker compare the classes with the contracts
    _backend: type[Backend] = NNAPIBackend
    _native: type[NativeBackend] = NNAPIBackend
    _session: type[ReportingSession] = NetworkSession
    _partial_session: type[ReportingSession] = PartialSession
