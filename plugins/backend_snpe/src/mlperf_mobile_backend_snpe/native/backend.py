"""Probes, compiles and loads .dlc models with the SNPE runtime of an installed SDK."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlperf_mobile.contracts import Artifact, BatchSession, CompileRequest, Device, Probe, ReportingSession, Session
from mlperf_mobile.errors import BackendError, MobileError, described
from mlperf_mobile_backend_snpe.native import abi, dlc, net_run, sdk
from mlperf_mobile_backend_snpe.native.library import Library
from mlperf_mobile_backend_snpe.native.network import build, user_errors
from mlperf_mobile_backend_snpe.native.options import NativeOptions, Runtime
from mlperf_mobile_backend_snpe.native.placement import ACCELERATORS, DEFAULT, runtimes
from mlperf_mobile_backend_snpe.native.prepare import prepare
from mlperf_mobile_backend_snpe.native.profile import Profile
from mlperf_mobile_backend_snpe.native.session import LoadedModel, SnpeBatchSession, SnpeSession

DRIVERS: Mapping[str, tuple[str, ...]] = {
    "htp": ("/dev/fastrpc-cdsp", "/dev/fastrpc-cdsp-secure", "/dev/adsprpc-smd", "/dev/adsprpc-smd-secure"),
    "gpu": ("/dev/kgsl-3d0",),
}
"""Device files of the kernel drivers that the runtimes need."""

ON_A_HOST = "Qualcomm's x86 libraries are for checking models: they simulate the DSP and use reference CPU kernels"


class NativeExecutor:
    """Compiles and runs models of format ``dlc``."""

    def __init__(self, options: NativeOptions) -> None:
        self._options = options
        self._library: Library | None = None

    def probe(self) -> Probe:
        """Open the library and query its runtimes, or query the program's version; never raises."""
        try:
            return self._probe()
        except MobileError as error:
            return Probe(usable=False, reason=error.summary, fix=error.hint)
        except Exception as error:  # noqa: BLE001  a probe never raises
            return Probe(usable=False, reason=described(error), fix=sdk.HINT)

    def _probe(self) -> Probe:
        library = self._opened()
        if library is None:
            version, label = net_run.version(), net_run.PROGRAM
            names = tuple(name for name in DEFAULT if name == "cpu" or has_driver(name))
            doubts = dict.fromkeys(names, net_run.NOTE)
            devices: tuple[Device, ...] = ()
        else:
            version, label = library.version, "SNPE"
            there = [runtime for runtime in ACCELERATORS if library.available(runtime)]
            names = tuple(name for name in DEFAULT if name in map(ACCELERATORS.__getitem__, there))
            devices = tuple(Device(ACCELERATORS[runtime], runtime, version) for runtime in there)
            doubt = doubt_about(library.stand_in)
            doubts = dict.fromkeys(names, doubt) if doubt else {}
        if not names:
            return Probe(
                usable=False,
                versions={"snpe": version},
                runtime=f"{label} {version}",
                reason=f"SNPE {version} reports that none of its runtimes is available here",
                fix="set LD_LIBRARY_PATH and ADSP_LIBRARY_PATH as the SDK's setup describes",
            )
        return Probe(
            usable=True,
            accelerators=names,
            versions={"snpe": version},
            runtime=f"{label} {version}",
            devices=devices,
            functional_only=doubts,
        )

    def compile(self, request: CompileRequest) -> Artifact:
        """Compile with the options ``htp_socs`` or ``init_cache``; without them, use the model unchanged.

        Raises:
            ModelError: The model is missing, damaged, not a .dlc, or cannot be placed.
            BackendError: The compiler is missing or fails.
        """
        options = self._options
        order = runtimes(options, request.accelerator)
        found = dlc.check(request.model, content=True)
        path, how = request.model, "as it is"
        if options.htp_socs and request.accelerator == "htp":
            request.report(f"compiling for {', '.join(options.htp_socs)}")
            path, how = prepare(request.model, request.directory, options), "snpe-dlc-graph-prepare"
        elif options.init_cache and (library := self._opened()):
            request.report("compiling on this device")
            path, how = request.directory / "cached.dlc", "init_cache"
            self._check_available(library, order)
            library.get("SNPE_Delete", build(library, request.model, order, options, request.batch, path).handle)
            dlc.check(path)
        facts = {"compiled": how, "runtimes": list(order), "htp_socs": list(options.htp_socs), "dlc": found.facts()}
        return Artifact(path, request.accelerator, request.batch, facts)

    def load(self, artifact: Artifact) -> Session:
        """Build the network; a :class:`SnpeBatchSession` for ``batch > 1``.

        Raises:
            ModelError: The model is missing, damaged, cannot be placed, or does not support the batch size.
            BackendError: The accelerator is not available, or SNPE fails.
        """
        options, batch = self._options, artifact.batch
        if batch < 1:
            raise BackendError("batch-size", f"the batch size is {batch}", "use batch 1 or more")
        order = runtimes(options, artifact.accelerator)
        dlc.check(artifact.path)
        library = self._opened()
        if library is None:
            if batch > 1:
                raise BackendError(
                    "batch-size", f"{net_run.PROGRAM} runs one sample per call, not {batch}", "use batch 1"
                )
            return net_run.NetRunSession(artifact.path, order, options)
        self._check_available(library, order)
        if options.log_level:
            library.get("Util_InitializeLogging", abi.LOG_LEVELS[options.log_level])
        network = build(library, artifact.path, order, options, batch)
        profile = None
        try:
            with user_errors(artifact.path):
                if options.profiling_directory:
                    profile = Profile(library, network.handle, Path(options.profiling_directory))
                loaded = LoadedModel(library, network, artifact.path.name, order, profile)
                return SnpeSession(loaded) if batch == 1 else SnpeBatchSession(loaded, batch)
        except BaseException:
            if profile:
                profile.close()
            library.get("SNPE_Delete", network.handle)
            raise

    def _opened(self) -> Library | None:
        """The library, opened once; None to use the program.

        Raises:
            UsageError: The program does not support the options.
            BackendError: The library cannot be used, and the program is missing.
        """
        options = self._options
        if options.executor == "net-run":
            net_run.check(options)
            return None
        if self._library is None:
            try:
                self._library = Library(options.library or sdk.library())
            except BackendError as error:
                instead = options.executor == "auto" and options.library is None and error.code == "library-missing"
                if instead and sdk.program(net_run.PROGRAM):
                    net_run.check(options)
                    return None
                raise
        return self._library

    def _check_available(self, library: Library, order: tuple[Runtime, ...]) -> None:
        """Check that all runtimes of the order are available: SNPE would skip a missing one."""
        if missing := [runtime for runtime in order if not library.available(runtime)]:
            summary = f"SNPE {library.version} reports that its runtime {missing[0]} is not available here"
            hint = "set ADSP_LIBRARY_PATH as the SDK's setup describes, or use another accelerator"
            raise BackendError("no-accelerator", summary, hint)


def doubt_about(stand_in: str) -> str:
    """Why the speed of a library is meaningless here, given what a stand-in says of itself; empty if it is not."""
    if stand_in:
        return f"the library is a stand-in: {stand_in}"
    return ON_A_HOST if platform.machine() == "x86_64" else ""


def has_driver(accelerator: str) -> bool:
    """Whether a driver of the accelerator, ``htp`` or ``gpu``, is on this machine."""
    return any(Path(path).exists() for path in DRIVERS[accelerator])


if TYPE_CHECKING:  # lets the type checker compare the classes with the contracts
    _session: type[ReportingSession] = SnpeSession
    _batch_session: type[BatchSession] = SnpeBatchSession
    _net_run_session: type[Session] = net_run.NetRunSession
