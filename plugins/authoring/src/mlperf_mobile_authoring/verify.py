"""``mlperf-mobile verify-plugin``: runs the conformance kit on an installed plugin, and keeps what it found."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlperf_mobile.errors import ExitCode, OutputError, UsageError

if TYPE_CHECKING:
    from mlperf_mobile.conformance import ConformanceRecord, TestOutcome

TIMEOUT_S = 300.0

_EXAMPLES = """examples:
  mlperf-mobile verify-plugin acme                            the plugin with this entry point, distribution or offer
  mlperf-mobile verify-plugin acme --require usable,batch     fail if it lacks these, instead of skipping tests
  mlperf-mobile verify-plugin acme --output conformance.json
"""


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Run the conformance kit on everything that an installed plugin offers."
    command.epilog = _EXAMPLES
    command.add_argument("name", metavar="NAME", help="a plugin as 'list-plugins' shows it, or what it offers")
    command.add_argument(
        "--require", metavar="NAMES", default=os.environ.get("MLPERF_MOBILE_REQUIRE", ""),
        help="capabilities that it must have, such as usable,batch (default: MLPERF_MOBILE_REQUIRE)",
    )  # fmt: skip
    command.add_argument("--backend", metavar="NAME", default="", help="backend that runs the models of tasks")
    command.add_argument("--timeout", metavar="SECONDS", type=float, default=TIMEOUT_S, help="time limit for each test")
    command.add_argument("--output", metavar="FILE", type=Path, help="also write the record to this file")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command; the exit code is 1 if the plugin is not conformant."""
    _check_names(args.require)  # first, because what follows imports pytest
    from mlperf_mobile.picking import pick
    from mlperf_mobile.registry import installed_plugins
    from mlperf_mobile.resources.folder import conformance_record
    from mlperf_mobile_authoring.verification import find, verify

    if not args.timeout > 0:
        raise UsageError("bad-value", f"--timeout {args.timeout:g} is not above 0", "give seconds")
    registry = installed_plugins()
    source = find(registry, args.name)
    if args.backend:
        pick("backend", args.backend, registry.backends, registry, "--backend")
    record = verify(registry, source, args.require, args.timeout, args.backend)
    kept = conformance_record(source.distribution, source.plugin) if record.tests else None
    for path in filter(None, (kept, args.output)):
        _write(record, path)
    if args.json:
        print(json.dumps(_json(record), indent=2))
    else:
        print("\n".join([*lines(record), f"kept in {kept}" if kept else "no test ran, so no record is kept"]))
    return ExitCode.OK if record.conformant else ExitCode.NOT_VALID


def lines(record: ConformanceRecord) -> Iterable[str]:
    """The report as text: failures in full, skipped tests by what the plugin lacks."""
    chosen = f", models on {record.backend}" if record.backend else ""
    yield f"{record.plugin} ({record.distribution} {record.version}), kit of mlperf-mobile {record.core}{chosen}"
    yield from record.problems
    for offer in dict.fromkeys(test.offer for test in record.tests):
        mine = [test for test in record.tests if test.offer == offer]
        yield ""
        yield f"{offer}: {_counted(mine)}"
        for test in mine:
            if test.outcome not in ("passed", "skipped"):
                yield f"  {test.outcome.upper()} {test.test}: {test.about}"
                yield f"    {test.detail}"
        reasons = [test.detail for test in mine if test.outcome == "skipped"]
        for reason in dict.fromkeys(reasons):
            yield f"  skipped {reasons.count(reason)}: {reason}"
    yield ""
    yield "conformant" if record.conformant else "not conformant"


def _counted(tests: list[TestOutcome]) -> str:
    passed, skipped = (sum(test.outcome == name for test in tests) for name in ("passed", "skipped"))
    return f"{passed} passed, {len(tests) - passed - skipped} failed, {skipped} skipped"


def _json(record: ConformanceRecord) -> dict[str, Any]:
    return record.model_dump(mode="json", by_alias=True) | {"conformant": record.conformant} | record.counts


def _write(record: ConformanceRecord, path: Path) -> None:
    """Write the record.

    Raises:
        OutputError: ``output-unwritable``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        record.write(path)
    except OSError as error:
        summary = f"cannot write {path}: {error.strerror or error}"
        raise OutputError("output-unwritable", summary, "choose another --output") from error


def _check_names(text: str) -> None:
    """Refuse unknown capabilities.

    Raises:
        UsageError: ``bad-value``; or ``no-pytest``, which the kit needs.
    """
    from mlperf_mobile.installed import distribution

    if distribution("pytest") is None:
        raise UsageError("no-pytest", "the conformance kit needs pytest", "pip install 'mlperf-mobile[testing]'")
    from mlperf_mobile.testing.capabilities import required

    try:
        required(text)
    except ValueError as error:
        raise UsageError("bad-value", f"--require: {error}") from error
