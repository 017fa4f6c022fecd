"""Creates results from folders that killed launchers and full disks left behind; runs in progress are skipped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mlperf_mobile import loadgen
from mlperf_mobile.errors import ExitCode, OutputError
from mlperf_mobile.launch import endings
from mlperf_mobile.launch.local import close
from mlperf_mobile.launch.process import end_abandoned
from mlperf_mobile.launch.worker_log import last_words
from mlperf_mobile.plan import Plan
from mlperf_mobile.processes import is_alive
from mlperf_mobile.results import store
from mlperf_mobile.results.journal import JournalFile
from mlperf_mobile.results.model import ErrorFacts, Result, Status
from mlperf_mobile.results.recompose import Ending, Journal, program, read_journal


def left_over(output: Path) -> list[Path]:
    """The hidden run folders in a folder of results, locked or not, oldest first."""
    return _hidden(output, store.PARTIAL)


def recover(hidden: Path) -> Result | None:
    """Create the result of a run that no process owns, and rename its folder.

    Args:
        hidden: The run's folder under its hidden name.

    Returns:
        The result; None if another process has created it meanwhile.

    Raises:
        OutputError: ``run-alive``: a command still works on it. Or its plan cannot be read, and nothing is changed.
        Unstored: There is still not enough disk space.
    """
    plan = store.read_plan(hidden)
    folder = store.Folder.adopt(hidden)
    try:
        if not (hidden / store.PLAN).exists():
            return None
        journal = read_journal(hidden / store.EVENTS)
        if journal.started:
            if not folder.journal.locked and is_alive(journal.started.launcher, journal.started.launcher_created):
                raise OutputError(
                    "run-alive", f"process {journal.started.launcher} is still working on {hidden}", "wait for it"
                )
            end_abandoned(journal.started.pid, journal.started.created, plan.run_id)
        with store.output_errors(hidden):
            folder.journal.drop_torn_line()
        status, error = _verdict(plan, journal, hidden)
        return close(folder, plan, journal, Ending(status, error, str(folder.final), program()))
    finally:
        folder.close()


def _verdict(plan: Plan, journal: Journal, folder: Path) -> tuple[Status, ErrorFacts | None]:
    """The ending of a run that recorded none, from the worker's events and LoadGen's logs."""
    words = last_words(folder)
    if journal.failure:
        return Status.FAILED, endings.failure(journal.failure, words)
    if not journal.ended:
        return Status.INTERRUPTED, endings.launcher_died(journal, words)
    torn = _torn_log(plan, folder)
    return (Status.FAILED, torn) if torn else (Status.COMPLETED, None)


def recover_all(output: Path) -> Iterator[Result | OutputError]:
    """Recover every run in a folder of results that no process owns; errors are reported, and the folder is kept.

    Runs on devices are left out: they may still go on there, and are taken up with ``mlperf-mobile attach``.
    """
    for hidden in left_over(output):
        try:
            if store.read_plan(hidden).device is not None:
                continue
            result = recover(hidden)
        except OutputError as error:
            if error.code != "run-alive":
                yield error
            continue
        if result:
            yield result
    for path in _hidden(output, store.STARTING):
        sweep(path)


def _hidden(output: Path, suffix: str) -> list[Path]:
    try:
        return sorted(path for path in output.glob(f".*{suffix}") if path.is_dir() and not path.is_symlink())
    except OSError:
        return []


def sweep(starting: Path) -> None:
    """Remove the folder of a run that never began, unless it is just starting."""
    with suppress(OSError, OutputError):
        if not starting.is_dir():
            return
        if not (starting / store.EVENTS).exists():
            starting.rmdir()  # fails if it is not empty, and therefore not ours
            return
        journal = JournalFile.adopt(starting / store.EVENTS)
        try:
            shutil.rmtree(starting, ignore_errors=True)
        finally:
            journal.close()


def _torn_log(plan: Plan, folder: Path) -> ErrorFacts | None:
    """The error if LoadGen's logs are incomplete, as after a power loss; None if they are complete."""
    required = [("performance", "result_validity")] if plan.has_performance else []
    required += [("accuracy", "loadgen_version")] if plan.has_accuracy else []
    for name, key in required:
        log = folder / name / loadgen.DETAIL_LOG
        if not log.parent.is_dir():
            continue  # a scenario without LoadGen
        try:
            details = loadgen.read_details(log)
        except OSError:
            details = {}
        if key not in details:
            return ErrorFacts(
                code="log-incomplete",
                summary=f"{log} is incomplete: it was not flushed to disk before the machine went down",
                hint="run it again; the numbers reported so far are kept",
                exit_code=ExitCode.OUTPUT,
            )
    return None
