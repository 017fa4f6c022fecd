"""The backend ``genie``: language models on Genie, the generation library of Qualcomm's AI Runtime SDK."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlperf_mobile.contracts import (
    Artifact,
    Backend,
    CompileRequest,
    CountingSession,
    Probe,
    ReportingSession,
    TokenSession,
)
from mlperf_mobile.errors import BackendError, MobileError, described
from mlperf_mobile_backend_snpe.genie import config
from mlperf_mobile_backend_snpe.genie.library import LIBRARY, MISSING, Library
from mlperf_mobile_backend_snpe.genie.options import GenieOptions
from mlperf_mobile_backend_snpe.genie.session import GenieSession
from mlperf_mobile_backend_snpe.native import sdk
from mlperf_mobile_backend_snpe.native.backend import DRIVERS, doubt_about, has_driver


class GenieBackend:
    """Generates, token ids in and out.

    Args:
        options: See :class:`GenieOptions`.
    """

    def __init__(self, options: GenieOptions) -> None:
        self._options = options

    @property
    def shards(self) -> int:
        """The option ``shards``; 1 by default, because there is one HTP."""
        return self._options.shards

    def probe(self) -> Probe:
        """Open the library, and look for the drivers of the accelerators; never raises."""
        try:
            library = self._library
        except MobileError as error:
            return Probe(usable=False, reason=error.summary, fix=error.hint)
        except Exception as error:  # noqa: BLE001  a probe never raises
            return Probe(usable=False, reason=described(error), fix=MISSING)
        there = [name for name in DRIVERS if library.stand_in or has_driver(name)]
        doubt = doubt_about(library.stand_in)
        names = (*there, "cpu")
        return Probe(
            usable=True,
            accelerators=names,
            versions={"genie": library.version},
            runtime=f"Genie {library.version}",
            functional_only=dict.fromkeys(names, doubt) if doubt else {},
        )

    def compile(self, request: CompileRequest) -> Artifact:
        """Check the configuration and its files; the model was compiled when its context binaries were made.

        Raises:
            ModelError: The configuration is missing, damaged or unsupported, or names something else than its files.
            BackendError: ``genie-only``: the task is not one for language models; ``no-accelerator``: the configuration
                is for another accelerator.
        """
        if not request.tokens:
            summary = "backend genie runs language models only, and the task is not one of them"
            raise BackendError("genie-only", summary, "choose a task for language models, or another --backend")
        found = self._read(request.model, request.files, request.accelerator)
        return Artifact(request.model, request.accelerator, request.batch, {"genie": dict(found.facts)}, tokens=True)

    def load(self, artifact: Artifact) -> GenieSession:
        """Load the model into a dialog of its own.

        Raises:
            ModelError: As :meth:`compile`, or Genie rejects the configuration.
            BackendError: The library is missing or too old, the accelerator is another one, or Genie fails.
        """
        if artifact.batch > 1:
            raise BackendError("batch-size", "a language model takes one prompt per query", "use batch 1")
        found = self._read(artifact.path, artifact.files, artifact.accelerator)
        return GenieSession(self._library, found, artifact.path.name)

    def _read(self, model: Path, files: Mapping[str, Path], accelerator: str) -> config.GenieConfig:
        """The configuration, which must be for the accelerator."""
        found = config.read(model, files)
        if config.ENGINES[found.engine] != accelerator:
            place = config.ENGINES[found.engine]
            summary = f"{model.name} is for {found.engine}, which is accelerator {place}, not {accelerator}"
            raise BackendError("no-accelerator", summary, f"use --accelerator {place}")
        return found

    @cached_property
    def _library(self) -> Library:
        return Library(self._options.library or sdk.library(LIBRARY))


if TYPE_CHECKING:  # lets the type checker compare the classes with the contracts
    _backend: type[Backend] = GenieBackend
    _session: type[TokenSession] = GenieSession
    _counting: type[CountingSession] = GenieSession
    _reporting: type[ReportingSession] = GenieSession
