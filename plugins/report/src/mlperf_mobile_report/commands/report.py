"""``mlperf-mobile report RESULT …``: results as one HTML page, as CSV, or as Markdown."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mlperf_mobile.errors import ExitCode
from mlperf_mobile.printing import clean, counted

_EXAMPLES = """examples:
  mlperf-mobile report mlperf-mobile-results/RUN-ID
  mlperf-mobile report old=results/before new=results/after --output page.html
  mlperf-mobile report mlperf-mobile-results official:v4.0/SD8G3
  mlperf-mobile report mlperf-mobile-results --csv > results.csv
The page needs no network and no other file. Results are named as for 'mlperf-mobile compare'.
"""
_PAGE = "mlperf-mobile-report.html"


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Show results side by side, with charts, on a page that needs no network."
    command.epilog = _EXAMPLES
    command.add_argument(
        "results", metavar="[LABEL=]RESULT", nargs="+",
        help="a result folder, a folder of them, a result.json, or official:ROUND/SYSTEM[/BENCHMARK] to compare with",
    )  # fmt: skip
    command.add_argument(
        "--output", metavar="FILE", help=f"where to write, '-' for standard output (default: {_PAGE}; tables: '-')"
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="CSV with full precision, one row per result")
    form.add_argument("--markdown", action="store_true", help="a Markdown table, one row per result")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command."""
    from mlperf_mobile.user_paths import expand
    from mlperf_mobile_report.compare.sources import read_all
    from mlperf_mobile_report.measures import shown
    from mlperf_mobile_report.tables import results as tables

    entries, warnings = read_all(args.results, whole=True)
    results, warnings = shown(entries, warnings)
    if args.csv or args.markdown:
        text = f"{tables.csv(results) if args.csv else tables.markdown(results)}\n"
        for warning in (*warnings, *(text for each in results for text in each.failures)):
            print(f"mlperf-mobile: warning: {clean(warning)}", file=sys.stderr)
    else:
        from mlperf_mobile_report.html.page import page

        text = page(results, entries, warnings)
    place = args.output or ("-" if args.csv or args.markdown else _PAGE)
    if place == "-":
        sys.stdout.write(text)
        return ExitCode.OK
    written = _write(expand(Path(place), "--output"), text)
    print(f"{place}: {counted(len(results), 'result')}, {written / 1000:,.0f} kB", file=sys.stderr)
    return ExitCode.OK


def _write(path: Path, text: str) -> int:
    """Write the file atomically, in UTF-8; returns its size in bytes."""
    import os
    import tempfile

    from mlperf_mobile.results.store import output_errors

    data = text.encode()
    with output_errors(path):
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    return len(data)
