"""Results of the conformance kit, kept for each installed plugin, and whether they still describe its files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from mlperf_mobile.editable import code_digest
from mlperf_mobile.problems import Source
from mlperf_mobile.resources.folder import conformance_record
from mlperf_mobile.resources.record import JsonFile


class TestOutcome(BaseModel):
    """One test of the kit on one offer."""

    __test__: ClassVar[bool] = False  # it is no class of tests
    offer: str
    """Kind and name: ``"backend acme"``."""
    test: str
    outcome: Literal["passed", "failed", "skipped", "crashed", "hung"]
    about: str = ""
    """What the test requires."""
    detail: str = ""
    """Why it failed or was skipped."""


class ConformanceRecord(JsonFile):
    """What the kit found out about a plugin."""

    MAX: ClassVar[int] = 1 << 22

    schema_version: Literal[1] = Field(alias="schema")
    plugin: str
    distribution: str
    version: str
    files_sha256: str
    """Of all files in the plugin's package."""
    core: str
    """The version of the core, and so of the kit."""
    python: str
    machine: str
    created: str
    """UTC, ISO 8601."""
    required: list[str] = Field(default_factory=list)
    """The capabilities in ``MLPERF_MOBILE_REQUIRE``."""
    backend: str = ""
    """The backend that ran the models of tasks; empty if none was named."""
    problems: list[str] = Field(default_factory=list)
    """Why parts of the plugin are not offered at all."""
    tests: list[TestOutcome]

    @property
    def counts(self) -> dict[str, int]:
        """How many tests passed, failed and were skipped; a crash or a hang is a failure."""
        outcomes = [each.outcome for each in self.tests]
        passed, skipped = outcomes.count("passed"), outcomes.count("skipped")
        return {"passed": passed, "failed": len(outcomes) - passed - skipped, "skipped": skipped}

    @property
    def conformant(self) -> bool:
        """Whether tests passed, and none failed."""
        return not self.problems and bool(self.counts["passed"]) and not self.counts["failed"]


def files_digest(module: str) -> str:
    """The SHA-256 of all files in the top-level package of an imported module; empty if it has none."""
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None)
    if not isinstance(file, str):
        return ""
    path = Path(file)
    return code_digest(path.parent.parent if path.name == "__init__.py" else path.parent, [top])


def status(source: Source, module: str) -> dict[str, Any] | None:
    """The state of an installed plugin for listings; None if it was never verified.

    Args:
        source: The plugin.
        module: The module that its entry point names.
    """
    record = ConformanceRecord.read(conformance_record(source.distribution, source.plugin))
    if record is None:
        return None
    current = record.version == source.version and bool(record.files_sha256)
    if not current or record.files_sha256 != files_digest(module):
        state = "changed since it was verified"
    else:
        state = "conformant" if record.conformant else "not conformant"
    return {"state": state, "verified": record.created, "core": record.core, **record.counts}
