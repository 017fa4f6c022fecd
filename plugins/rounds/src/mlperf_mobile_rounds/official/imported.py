"""Imports official results, with or without their logs: each into a separate result folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from mlperf_mobile.errors import DataError, OutputError
from mlperf_mobile.registry import Registry
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.store import RESULT, output_errors, write_json
from mlperf_mobile.user_paths import expand
from mlperf_mobile_rounds.official.as_result import ResultBuilder
from mlperf_mobile_rounds.official.checker import read_trees
from mlperf_mobile_rounds.official.checks.context import Context
from mlperf_mobile_rounds.official.findings import Place, Report, Severity
from mlperf_mobile_rounds.official.submission import ACCURACY, PERFORMANCE


def read(root: Path, registry: Registry, round_name: str | None = None) -> tuple[list[Result], Report]:
    """The results in an official result file or a tree; unreadable parts are in the report.

    The score is the published one: of single-stream 1 / p90, offline the app's samples per second.

    Raises:
        DataError: The tree has no official result.
        UsageError: The round is unknown.
    """
    report = Report(root)
    found: list[Result] = []
    for context in read_trees(root, registry, report, round_name):
        found += _results(context)
    if not found:
        first = next((f for f in report.findings if f.severity is Severity.ERROR), None)
        why = f": {first.place.text(root)}: {first.text}" if first else ""
        raise DataError(
            "nothing-imported",
            f"no official result was found in {root}{why}",
            "run mlperf-mobile check on it",
        )
    return _distinct(found), report


def write(results: Iterable[Result], output: Path) -> list[Path]:
    """Write each result into a separate folder; none of them if one exists already.

    Raises:
        OutputError: A folder exists, or cannot be written.
    """
    output = expand(output, "--output").resolve()
    targets = [(result, output / result.run_id) for result in results]
    for _, folder in targets:
        if os.path.lexists(folder):
            raise OutputError("output-exists", f"{folder} is already there", "choose another --output")
    made: list[Path] = []
    staging = output / f".import-{os.getpid()}.partial"
    with output_errors(output):
        try:
            staging.mkdir(parents=True)
            for result, folder in targets:
                place = staging / result.run_id
                place.mkdir()
                write_json(place / RESULT, result.model_copy(update={"directory": str(folder)}).to_json())
            for result, folder in targets:
                folder.mkdir()  # fails where another process was quicker
                made.append(folder)
                (staging / result.run_id).replace(folder)
        except OSError:
            for folder in made:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return made


def _results(context: Context) -> list[Result]:
    performance, accuracy = context.of(PERFORMANCE), context.of(ACCURACY)
    found, done = [], set()
    for file, claimed, key, place in context.results():
        done.add(key)
        maker = ResultBuilder(context, *key, file, claimed, performance.get(key), accuracy.get(key))
        found.append(_made(maker, place, context.report))
    for key in (performance | accuracy).keys() - done:
        runs = performance.get(key), accuracy.get(key)
        folder = next(run.folder.path for run in runs if run)
        found.append(_made(ResultBuilder(context, *key, None, None, *runs), Place(folder), context.report))
    return sorted((result for result in found if result), key=lambda result: result.run_id)


def _made(maker: ResultBuilder, place: Place, report: Report) -> Result | None:
    """The result; None, and an error in the report, if a log or file has a number that no result can have."""
    try:
        return maker.make()
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        report.error("not-imported", place, f"{field} is out of range: {first['msg']}")
        return None


def _distinct(results: list[Result]) -> list[Result]:
    """Number results that would have the same name."""
    seen: dict[str, int] = {}
    named = []
    for result in results:
        seen[result.run_id] = count = seen.get(result.run_id, 0) + 1
        named.append(result if count == 1 else result.model_copy(update={"run_id": f"{result.run_id}-{count}"}))
    return named
