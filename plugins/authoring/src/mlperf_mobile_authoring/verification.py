"""Runs the conformance kit on an installed plugin, in processes of their own: a crash or a hang costs one test."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlperf_mobile.conformance import ConformanceRecord, TestOutcome, files_digest
from mlperf_mobile.errors import MobileError, UsageError, did_you_mean
from mlperf_mobile.installed import distribution, version
from mlperf_mobile.problems import CORE, Source
from mlperf_mobile.registry import Registry
from mlperf_mobile_authoring.offered import sources as sources_of
from mlperf_mobile_authoring.recorder import DONE, JOURNAL

MOST_PROCESSES = 50
"""A plugin that crashes this often is not tested further."""

_MODULE = """
from pathlib import Path
from mlperf_mobile_authoring.cases import classes
globals().update(classes({plugin!r}, {distribution!r}, Path(__file__).parent / "models", {backend!r}))
"""


def find(registry: Registry, name: str) -> Source:
    """The plugin of a name: that of its entry point, of its distribution, or of something that it offers.

    Raises:
        UsageError: ``unknown-plugin``: no plugin has this name, or several do.
    """
    sources = [source for source, _ in registry.plugins]
    sources += [problem.source for problem in registry.problems if problem.source not in sources]
    for matches in (
        [source for source in sources if source.plugin == name],
        [source for source in sources if source.distribution == name],
        sources_of(registry, name),
    ):
        found = list(dict.fromkeys(matches))
        if len(found) == 1:
            return found[0]
        if found:
            both = ", ".join(f"{source.plugin} ({source})" for source in found)
            raise UsageError("unknown-plugin", f"{name!r} may be {both}", "give the name of one of their entry points")
    hint = did_you_mean(name, [source.plugin for source in sources])
    raise UsageError("unknown-plugin", f"no installed plugin is called {name!r}", hint)


def verify(registry: Registry, source: Source, required: str, timeout_s: float, backend: str = "") -> ConformanceRecord:
    """Run every test of the kit that applies to what the plugin offers.

    Args:
        registry: The installed plugins.
        source: The plugin.
        required: Capabilities that it must not lack, with commas between them.
        timeout_s: How long one test may take.
        backend: The backend that runs the models of tasks; if empty, the one that a run would use.

    Raises:
        UsageError: ``no-pytest``: pytest is not installed.
        MobileError: ``kit-failed``: pytest cannot collect the tests.
    """
    if distribution("pytest") is None:
        raise UsageError("no-pytest", "the conformance kit needs pytest", "pip install 'mlperf-mobile[testing]'")
    problems = [problem.line() for problem in registry.problems if problem.concerns(source)]
    admitted = any(each == source for each, _ in registry.plugins)
    digest = files_digest(registry.module(source)) if admitted else ""
    with tempfile.TemporaryDirectory(prefix="mlperf-mobile-") as name:
        tests = _Tests(Path(name).resolve(), source, required, timeout_s, backend).run() if admitted else []
    return ConformanceRecord(
        schema=1,
        plugin=source.plugin,
        distribution=source.distribution,
        version=source.version,
        files_sha256=digest,
        core=version(CORE),
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        required=sorted(filter(None, map(str.strip, required.split(",")))),
        backend=backend,
        problems=problems,
        tests=tests,
    )


class _Tests:
    """The tests of one plugin, in as many processes as it takes."""

    def __init__(self, folder: Path, source: Source, required: str, timeout_s: float, backend: str) -> None:
        self._folder, self._source, self._timeout_s = folder, source, timeout_s
        self._journal = folder / "journal.jsonl"
        self._log = folder / "output.txt"
        (folder / "here").mkdir()
        text = _MODULE.format(plugin=source.plugin, distribution=source.distribution, backend=backend)
        (folder / "test_conformance.py").write_text(text, encoding="utf-8")
        self._environment = os.environ | {
            JOURNAL: str(self._journal), "MLPERF_MOBILE_REQUIRE": required, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "",
        }  # fmt: skip

    def run(self) -> list[TestOutcome]:
        """The outcomes of all tests, in their order."""
        found: list[TestOutcome] = []
        for _ in range(MOST_PROCESSES):
            self._journal.write_text("", encoding="utf-8")
            code = self._process(len(found))
            more, open_test = self._outcomes()
            found += more
            if open_test is None:
                if code not in (0, 1, 5):  # pytest's codes for passed, failed, and nothing to do
                    raise self._failed(code)
                return found
            found.append(_broken_off(open_test, code))
        return found

    def _process(self, done: int) -> int | None:
        """Run the tests after the first ``done``; returns the exit code, None if a test took too long."""
        command = [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "mlperf_mobile_authoring.recorder",
            "-c", os.devnull, "--rootdir", str(self._folder), "--import-mode", "importlib",
            "--basetemp", str(self._folder / "tmp"), str(self._folder / "test_conformance.py"),
        ]  # fmt: skip
        with self._log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                command, cwd=self._folder / "here", env=self._environment | {DONE: str(done)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            size, since = 0, time.monotonic()
            while True:
                with suppress(subprocess.TimeoutExpired):
                    return process.wait(0.1)
                now = self._journal.stat().st_size
                if now != size:
                    size, since = now, time.monotonic()
                if time.monotonic() - since > self._timeout_s:
                    return None
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _outcomes(self) -> tuple[list[TestOutcome], dict[str, Any] | None]:
        """The tests that ended, and the one that was started and did not end."""
        found, started = list[TestOutcome](), None
        for line in self._journal.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            if "started" in record:
                started = record
            elif started and record["ended"] == started["started"]:
                found.append(
                    TestOutcome(
                        offer=started["offer"],
                        test=started["started"],
                        outcome=record["outcome"],
                        about=started["about"],
                        detail=record["detail"],
                    )
                )
                started = None
        return found, started

    def _failed(self, code: int | None) -> MobileError:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
        words = errors[-1] if errors else next(filter(None, reversed(lines)), "")
        summary = (
            f"the tests of {self._source.plugin} cannot be collected: {words[:300] or f'pytest ended with {code}'}"
        )
        return UsageError("kit-failed", summary, f"import its modules in a Python prompt, or update {CORE}")


def _broken_off(test: dict[str, Any], code: int | None) -> TestOutcome:
    if code is None:
        outcome, detail = "hung", "it did not end in time, and was stopped"
    elif code < 0:
        outcome, detail = "crashed", f"the process was killed by {_signal(-code)}"
    else:
        outcome, detail = "crashed", f"the process ended with {code}"
    return TestOutcome.model_validate(
        {"offer": test["offer"], "test": test["started"], "outcome": outcome, "about": test["about"], "detail": detail}
    )


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
