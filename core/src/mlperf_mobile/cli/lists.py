"""``list-backends``, ``list-tasks``, ``list-suites`` and their like: what is installed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mlperf_mobile import needs
from mlperf_mobile.cli.tables import table
from mlperf_mobile.errors import ExitCode
from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.registry import Info, Offer, Registry

Record = dict[str, Any]


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    for name, what, handler in (
        ("list-backends", "inference backends, and whether each can be used here", _backends),
        ("list-tasks", "benchmark tasks", _tasks),
        ("list-datasets", "data sets, and the tasks they serve", _datasets),
        ("list-scenarios", "ways of issuing queries", _scenarios),
        ("list-suites", "suites, with their benchmarks", _suites),
        ("list-plugins", "installed plugins, with the hooks they implement", _plugins),
    ):
        command = commands.add_parser(name, help=what, description=f"List {what}.", allow_abbrev=False)
        command.add_argument("--json", action="store_true", help="print JSON")
        if name == "list-backends":
            command.add_argument(
                "--probe", action="store_true", help="really load each backend, in a process of its own"
            )
        command.set_defaults(handler=handler)


def backend_records(registry: Registry, *, probe: bool) -> list[Record]:
    """Every backend, with whether it can be used: by what it declares it needs, or by really loading it."""
    return [_backend_record(offer, probe=probe) for offer in registry.backends.values()]


def _backend_record(offer: Offer[BackendInfo], *, probe: bool) -> Record:
    info = offer.info
    lacking = needs.missing(info.needs)
    record = _record(offer) | {
        "vendor": info.vendor,
        "usable": lacking is None,
        "reason": f"needs {lacking.what}" if lacking else "",
        "fix": lacking.fix if lacking else "",
        "accelerators": list(info.accelerators),
        "model_formats": list(info.model_formats),
        "capabilities": sorted(info.capabilities),
    }
    if probe:
        from mlperf_mobile.launch.probe import probe as really_load

        found = really_load(info.name)
        record |= {key: found[key] for key in ("usable", "reason", "fix", "runtime", "versions")}
        record["accelerators_found"] = found["accelerators"]
    return record


def _record(offer: Offer[Any]) -> Record:
    return {
        "name": offer.info.name,
        "summary": offer.info.summary,
        "distribution": offer.source.distribution,
        "version": offer.source.version,
    }


def _backends(args: argparse.Namespace) -> int:
    registry = Registry()
    records = backend_records(registry, probe=args.probe)

    def row(r: Record) -> list[str]:
        state = "yes" if r["usable"] else f"no: {r['reason']} ({r['fix']})"
        found: list[str] = r.get("accelerators_found") or r["accelerators"]
        return [r["name"], r["vendor"], f"{r['distribution']} {r['version']}", ",".join(found), state]

    return _print(args, registry, "backends", records, ("NAME", "VENDOR", "FROM", "ACCELERATORS", "USABLE HERE"), row)


def _tasks(args: argparse.Namespace) -> int:
    registry = Registry()
    return _simple(args, registry, "tasks", registry.tasks, lambda _: {})


def _datasets(args: argparse.Namespace) -> int:
    registry = Registry()

    def more(info: Any) -> Record:
        return {"tasks": list(info.tasks), "needs_path": info.needs_path}

    return _simple(args, registry, "datasets", registry.datasets, more)


def _scenarios(args: argparse.Namespace) -> int:
    registry = Registry()
    return _simple(args, registry, "scenarios", registry.scenarios, lambda _: {})


def _suites(args: argparse.Namespace) -> int:
    from mlperf_mobile.config.selection import benchmarks

    registry = Registry()
    common = {offer.info.suite: offer for offer in registry.suites.values() if not offer.info.task}
    records = []
    for suite, found in benchmarks(registry).items():
        offers = {name: registry.suites[f"{suite}/{name}"] for name in found}
        records.append(Record(
            name=suite,
            summary=common[suite].info.summary if suite in common else "",
            benchmarks=[
                {"benchmark": name, "task": found[name].task, "summary": offer.info.summary, "from": str(offer.source)}
                for name, offer in offers.items()
            ],
        ))  # fmt: skip

    def row(r: Record) -> list[str]:
        return [r["name"], ", ".join(each["benchmark"] for each in r["benchmarks"])]

    return _print(args, registry, "suites", sorted(records, key=lambda r: r["name"]), ("NAME", "BENCHMARKS"), row)


def _plugins(args: argparse.Namespace) -> int:
    registry = Registry()
    records = [
        Record(name=source.plugin, distribution=source.distribution, version=source.version, hooks=hooks)
        for source, hooks in registry.plugins
    ]

    def row(r: Record) -> list[str]:
        hooks = ", ".join(hook.removeprefix("mlperf_mobile_") for hook in r["hooks"])
        return [r["name"], f"{r['distribution']} {r['version']}", hooks]

    return _print(args, registry, "plugins", records, ("NAME", "FROM", "OFFERS"), row)


def _simple(
    args: argparse.Namespace,
    registry: Registry,
    kind: str,
    offers: Mapping[str, Offer[Any]],
    more: Callable[[Info], Record],
) -> int:
    records = [_record(offer) | more(offer.info) for offer in offers.values()]

    def row(r: Record) -> list[str]:
        return [r["name"], f"{r['distribution']} {r['version']}", r["summary"]]

    return _print(args, registry, kind, records, ("NAME", "FROM", "SUMMARY"), row)


def _print(
    args: argparse.Namespace,
    registry: Registry,
    kind: str,
    records: Iterable[Record],
    head: tuple[str, ...],
    row: Callable[[Record], list[str]],
) -> int:
    """Records on stdout, as a table or JSON; problems on stderr, or inside the JSON."""
    records = list(records)
    if args.json:
        problems = [problem.record() for problem in registry.problems]
        print(json.dumps({"schema": 1, kind: records, "problems": problems}, indent=2))
        return ExitCode.OK
    if records:
        print(table(head, [row(record) for record in records]))
    else:
        print(f"no {kind} installed", file=sys.stderr)
    for problem in registry.problems:
        print(problem.line(), file=sys.stderr)
    return ExitCode.OK
