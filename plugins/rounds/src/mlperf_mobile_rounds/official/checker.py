"""Checks a submission, a part of one, or results of this program: reads everything, and applies every rule."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.registry import Registry
from mlperf_mobile_rounds.official import rounds
from mlperf_mobile_rounds.official.checks import (
    accuracy,
    answers,
    clock,
    descriptions,
    devices,
    loadgen_build,
    logs,
    own,
    pairing,
    result_fields,
    result_file,
    result_schema,
    results,
    samples,
    tokens,
    trace,
)
from mlperf_mobile_rounds.official.checks.context import Context
from mlperf_mobile_rounds.official.findings import Place, Report
from mlperf_mobile_rounds.official.submission import discover


def check(root: Path, registry: Registry, round_name: str | None = None, signers: Path | None = None) -> Report:
    """Check what is in a folder.

    Args:
        root: A tree of a round, a part of it, a result file, or result folders of this program.
        registry: The installed plugins, whose suites say what each round requires.
        round_name: Which round it is of; found by its seeds otherwise.
        signers: Who may have signed results of this program; a file of ``ssh-keygen``'s allowed signers.

    Raises:
        DataError: The folder cannot be read.
        UsageError: The round is unknown, or the file of signers does not exist.
    """
    report = Report(root)
    contexts = read_trees(root, registry, report, round_name)
    for context in contexts:
        _ask(context, registry)
    names = [context.round.name for context in contexts if context.round]
    report.round = ", ".join(dict.fromkeys(names)) or None
    own_folders = [folder for context in contexts for folder in context.submission.own]
    checker = own.Checker(registry, signers)
    for folder in own_folders:
        checker.check(folder, report)
    if not any(not context.submission.empty for context in contexts):
        report.error("no-results", Place(root), "neither logs nor result files nor descriptions were found")
    return report


def read_trees(root: Path, registry: Registry, report: Report, round_name: str | None = None) -> list[Context]:
    """Read everything under ``root``, each tree of divisions separately, without judging it.

    Raises:
        DataError: The folder cannot be read.
        UsageError: The round is unknown.
    """
    known = rounds.all_rounds(registry)
    given = rounds.named(known, round_name) if round_name else None
    found = []
    for tree in discover(root, report).trees():
        context = Context(report, tree, known)
        context.runs = [logs.read_run(folder, report) for folder in tree.logs]
        context.files = [file for each in tree.result_files if (file := results.read_file(each, report))]
        context.round = given or _round(context)
        found.append(context)
    return found


def _ask(context: Context, registry: Registry) -> None:
    logs.check(context)
    samples.check(context)
    tokens.check(context)
    loadgen_build.check(context)
    clock.check(context)
    pairing.check(context)
    results.check(context)
    result_fields.check(context)
    result_file.check(context)
    result_schema.check(context)
    trace.check(context)
    answers.check(context)
    accuracy.check(context, registry)
    if context.runs or context.submission.systems or context.submission.measurements:
        descriptions.check(context)
        devices.check(context)


def _round(context: Context) -> rounds.Round | None:
    """The round by its seeds, by folders' names where two rounds share them, or without logs by the app's version."""
    details = [run.detail for run in context.runs if run.detail]
    if not details and not context.files:
        return None
    place, folders = Place(context.submission.root), context.submission.root.absolute().parts
    names = rounds.detect(context.rounds, details, folders)
    if details and not names:
        context.report.skip("round", place, "the seeds are those of no known round; --round says which it is")
        return None
    if not details:
        versions = {"v" + ".".join(file.content.app_version.split(".")[:2]) for file in context.files}
        names = rounds.hinted(context.rounds, folders) or sorted(versions & set(context.rounds))
    if len(names) != 1 and names:
        why = "have the same seeds" if details else "are all possible"
        context.report.note("round", place, f"{' and '.join(names)} {why}; taken as {names[0]}, --round says otherwise")
    elif names and not details:
        text = f"taken as {names[0]}, by the folder's name or the app's version; there are no logs with seeds"
        context.report.note("round", place, text)
    return context.rounds[names[0]] if names else None
