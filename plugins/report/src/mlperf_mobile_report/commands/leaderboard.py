"""``mlperf-mobile leaderboard``: the published results in order, with own results among them."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from mlperf_mobile.errors import ExitCode, UsageError, did_you_mean
from mlperf_mobile.printing import clean
from mlperf_mobile.terminal.columns import table

if TYPE_CHECKING:
    from mlperf_mobile_report.compare.board import Board, BoardRow
    from mlperf_mobile_report.compare.entry import ComparedResult
    from mlperf_mobile_rounds.reference.table import PublishedBenchmark

_EXAMPLES = """examples:
  mlperf-mobile leaderboard --task image_classification
  mlperf-mobile leaderboard --benchmark image_classification_v2 --round v4.0 --round v5.0
  mlperf-mobile leaderboard --with mlperf-mobile-results/RUN-ID
Your own results are ranked only among published ones of the same model, and are not verified by MLCommons. For language
models, nothing is published yet: your own are ranked among themselves, by the score that they report.
"""
_TOKEN_HEAD = (
    "", "VALUE", "TTFT P50 MS", "TTFT P90 MS", "TPOT P50 MS", "TPOT P90 MS", "ANSWER", "RUN", "MODEL", "ON",
    "ACCURACY", "RESULT",
)  # fmt: skip
_SOURCE = "published results: github.com/mlcommons, repositories mobile_submission_1.1 and mobile_results_v2.0 to v5.0"


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Show the published results of MLPerf Mobile, the fastest first."
    command.epilog = _EXAMPLES
    command.add_argument("--task", metavar="TASK", help="only the benchmarks of this task")
    command.add_argument("--benchmark", metavar="NAME", help="only this benchmark")
    command.add_argument("--round", metavar="NAME", action="append", default=[], help="only this round; repeatable")
    command.add_argument(
        "--with", metavar="[LABEL=]RESULT", dest="own", action="append", default=[],
        help="a result folder, a folder of them, or a result.json, to rank among them; repeatable",
    )  # fmt: skip
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--csv", action="store_true", help="print CSV, with precision as published")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command."""
    from mlperf_mobile_report.compare.board import boards, own_boards
    from mlperf_mobile_rounds.benchmarks import say_problems

    own, warnings = _own(args.own)
    chosen = _chosen(args, own)
    found = boards(args.round, chosen, own) + own_boards(entry for entry in own if _asked_for(args, entry))
    say_problems()
    shown = {id(each) for board in found for each in (*(place.own for place in board.places), *board.apart)}
    warnings += [_unplaced(entry, chosen) for entry in own if id(entry) not in shown]
    if args.json:
        output = {"schema": 1, "boards": [board.to_json() for board in found], "warnings": warnings, "source": _SOURCE}
        print(json.dumps(output, indent=2, allow_nan=False))
        return ExitCode.OK
    if args.csv:
        _print_csv(found)
    else:
        print("\n\n".join(map(_text, found)) or "no published results")
        print(f"\n{_SOURCE}")
    for text in warnings:
        print(f"mlperf-mobile: warning: {clean(text)}", file=sys.stderr)
    return ExitCode.OK


def _asked_for(args: argparse.Namespace, entry: ComparedResult) -> bool:
    """Whether an own result is of the task, benchmark and rounds that were named."""
    return (
        args.task in (None, entry.task)
        and args.benchmark in (None, entry.benchmark)
        and (not args.round or entry.suite in args.round)
    )


def _chosen(args: argparse.Namespace, own: list[ComparedResult]) -> list[PublishedBenchmark]:
    """The selected benchmarks; a name that neither they nor own language models have is an error with a hint."""
    from mlperf_mobile_rounds.reference.table import benchmarks, published_results

    def check(what: str, name: str | None, known: set[str]) -> None:
        if name is not None and name not in known:
            raise UsageError(f"unknown-{what}", f"no official results for {what} {name!r}", did_you_mean(name, known))

    ours = [entry for entry in own if entry.tokens is not None]
    check("task", args.task, {b.task for b in benchmarks()} | {entry.task for entry in ours})
    check("benchmark", args.benchmark, {b.name for b in benchmarks()} | {entry.benchmark for entry in ours})
    for name in args.round:
        check("round", name, {row.round for row in published_results()} | {entry.suite for entry in ours})
    return [b for b in benchmarks() if args.task in (None, b.task) and args.benchmark in (None, b.name)]


def _own(places: list[str]) -> tuple[list[ComparedResult], list[str]]:
    """Imported only for ``--with``: the table alone needs no library."""
    if not places:
        return [], []
    from mlperf_mobile_report.compare.sources import read_all

    entries, warnings = read_all(places, intervals=False)
    if any(entry.published for entry in entries):
        raise UsageError(
            "bad-value", "--with accepts your own results", "leave out official ones; they are always shown"
        )
    return entries, warnings


def _unplaced(entry: ComparedResult, chosen: list[PublishedBenchmark]) -> str:
    if entry.published_as:
        names = ", ".join(benchmark.name for benchmark in chosen)
        return f"{entry.label} is {entry.published_as}, {entry.scenario}: not among {names}"
    if entry.tokens is not None and entry.refused:
        return f"{entry.label} ran {entry.model}, {entry.scenario}: not ranked, {entry.refused}"
    return f"{entry.label} ran {entry.model}, {entry.scenario}: there are no official results of that model"


def _text(board: Board) -> str:
    known = board.benchmark
    lines = [clean(f"{known.name}, {known.scenario}: {known.model}, {known.score.name}")]
    if any(place.own and place.own.tokens for place in board.places):
        lines.append(table(_TOKEN_HEAD, [_token_row(place) for place in board.places]))
    elif board.places:
        rows = [_row(place) for place in board.places]
        lines.append(table(("", "VALUE", "PROCESSOR", "DEVICE", "ON", "ACCURACY", "RESULT"), rows))
    if any(place.place is None for place in board.places):
        lines.append("Without a place: the open division, where models may differ.")
    lines += [f"not ranked: {clean(f'{e.label}, {e.text}: {board.why_apart(e)} ({e.source})')}" for e in board.apart]
    return "\n".join(lines)


def _row(place: BoardRow) -> list[str]:
    number = str(place.place) if place.place else "-"
    if place.own:
        own = place.own
        accuracy = f"{own.metric} {own.accuracy:.4f}" if own.accuracy is not None else ""
        cells = (number, own.text, f"> {own.label} (own, {own.state})", "", own.configuration, accuracy, own.source)
        return [clean(cell) for cell in cells]
    row = place.published
    assert row is not None
    return [number, row.text, row.soc, row.device, row.runs_on, row.accuracy, row.name]


def _token_row(place: BoardRow) -> list[str]:
    """A row of a board with language models: both times of tokens in milliseconds, and the mean length of an answer."""
    from mlperf_mobile_report.tables.comparisons import token_time

    number, value, who, _, on, accuracy, source = _row(place)
    tokens = place.own.tokens if place.own else None
    times = [""] * 5
    if tokens is not None:
        times = [
            *(token_time(tokens, tokens.ttft_ns.get(name)) for name in ("p50", "p90")),
            *(token_time(tokens, tokens.tpot_ns.get(name)) for name in ("p50", "p90")),
            f"{tokens.generated.get('mean', 0):.4g}",
        ]
    model = clean(place.own.model) if place.own else ""
    return [number, value, *times, who, model, on, accuracy, source]


def _print_csv(found: list[Board]) -> None:
    from mlperf_mobile_report.tables.grid import as_csv

    head = (
        "benchmark", "scenario", "place", "own", "name", "round", "division", "category", "organisation", "device",
        "soc", "framework", "accelerator", "runs_on", "options", "published", "value", "accuracy", "state", "refused",
        "source", "path", "model", "ttft_p50_ns", "ttft_p90_ns", "ttft_p99_ns", "tpot_p50_ns", "tpot_p90_ns",
        "tpot_p99_ns", "tpot_mean_ns", "new_tokens",
    )  # fmt: skip
    records = [
        board | each
        for board in (board.to_json() for board in found)
        for each in (*board["places"], *({"own": True} | apart for apart in board["apart"]))
    ]
    print(as_csv([head, *([record.get(name) for name in head] for record in records)]))
