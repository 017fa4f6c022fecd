"""``list KIND`` and its aliases such as ``list-backends``: what is installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from mlperf_mobile.cli.arguments import debugging
from mlperf_mobile.cli.backend_records import Record, backend_records, device_lines, device_report, offer_record
from mlperf_mobile.command_loading import check
from mlperf_mobile.errors import ExitCode, UsageError, described
from mlperf_mobile.plugin import CommandInfo
from mlperf_mobile.problems import Source
from mlperf_mobile.registry import Offer, Registry, installed_plugins
from mlperf_mobile.terminal.columns import table


def _backends(args: argparse.Namespace) -> int:
    registry = installed_plugins()
    if args.device:
        words = ("list", "backends", *(["--probe"] if args.probe else []))
        records = device_report(registry, args.device, *words)["backends"]
    else:
        records = backend_records(registry, probe=args.probe)

    def row(r: Record) -> list[str]:
        names = ",".join(r["accelerators_found" if args.probe else "accelerators"]) or "none"
        return [
            r["name"],
            r["vendor"],
            f"{r['distribution']} {r['version']}",
            names,
            *([_versions(r)] if args.probe else []),
            "yes" if r["usable"] else "no",
        ]

    columns = ("FOUND", "VERSIONS") if args.probe else ("ACCELERATORS",)
    usable = "USABLE THERE" if args.device else "USABLE HERE"
    code = _print(args, registry, "backends", records, ("NAME", "VENDOR", "FROM", *columns, usable), row)
    if args.json:
        return code
    for line in [line for record in records for line in _details(record)]:
        print(line)
    if records and not args.probe and sys.stderr.isatty():
        print("--probe loads each backend and shows the accelerators that are present, and versions", file=sys.stderr)
    return code


def _versions(record: Record) -> str:
    return ", ".join(f"{name} {version}" for name, version in record["versions"].items()) or "-"


def _details(record: Record) -> Iterable[str]:
    """Lines below the table: what is missing, and what a probe found."""
    if not record["usable"]:
        yield f"{record['name']}: {record['reason']}; {record['fix']}"
    yield from device_lines(record)


def _tasks(args: argparse.Namespace) -> int:
    registry = installed_plugins()
    return _simple(args, registry, "tasks", registry.tasks)


def _datasets(args: argparse.Namespace) -> int:
    registry = installed_plugins()
    records = [
        offer_record(offer) | {"tasks": list(offer.info.tasks), "needs_path": offer.info.needs_path}
        for offer in registry.datasets.values()
    ]

    def row(r: Record) -> list[str]:
        return [r["name"], ",".join(r["tasks"]), f"{r['distribution']} {r['version']}", r["summary"]]

    return _print(args, registry, "datasets", records, ("NAME", "TASKS", "FROM", "SUMMARY"), row)


def _scenarios(args: argparse.Namespace) -> int:
    registry = installed_plugins()
    return _simple(args, registry, "scenarios", registry.scenarios)


def _suites(args: argparse.Namespace) -> int:
    from mlperf_mobile.config.suites import suites as read
    from mlperf_mobile.config.suites import tunings
    from mlperf_mobile.config.tunings import listed

    registry = installed_plugins()
    known = tunings(registry)
    records = [
        Record(
            name=suite.name,
            summary=suite.summary,
            benchmarks=[
                {"benchmark": name, "task": each.task, "summary": each.summary, "from": str(each.source)}
                | listed(known, suite.name, name)
                for name, each in suite.benchmarks.items()
            ],
        )
        for suite in read(registry).values()
        if suite.benchmarks
    ]

    def row(r: Record) -> list[str]:
        return [r["name"], ", ".join(each["benchmark"] for each in r["benchmarks"])]

    return _print(args, registry, "suites", sorted(records, key=lambda r: r["name"]), ("NAME", "BENCHMARKS"), row)


def _plugins(args: argparse.Namespace) -> int:
    registry = installed_plugins()
    records = [
        Record(
            name=source.plugin, distribution=source.distribution, version=source.version, hooks=hooks,
            conformance=_conformance(source, registry.module(source)),
        )
        for source, hooks in registry.plugins
    ]  # fmt: skip
    for name, offer in registry.commands.items():
        _check_command(registry, name, offer)

    def row(r: Record) -> list[str]:
        hooks = ", ".join(hook.removeprefix("mlperf_mobile_") for hook in r["hooks"])
        return [r["name"], f"{r['distribution']} {r['version']}", *([_verified(r)] if any_verified else []), hooks]

    any_verified = any(record["conformance"] for record in records)
    columns = ("NAME", "FROM", *(("CONFORMANCE",) if any_verified else ()), "OFFERS")
    return _print(args, registry, "plugins", records, columns, row)


def _conformance(source: Source, module: str) -> dict[str, Any] | None:
    """The state of a plugin that was verified; None for any other, of which nothing heavy is imported."""
    from mlperf_mobile.resources.folder import conformance_record

    with suppress(UsageError):  # a user without a home
        if conformance_record(source.distribution, source.plugin).exists():
            from mlperf_mobile.conformance import status

            return status(source, module)
    return None


def _verified(record: Record) -> str:
    if not (found := record["conformance"]):
        return "-"
    counts = ", ".join(f"{found[key]} {key}" for key in ("passed", "failed", "skipped"))
    return f"{found['state']} ({counts}; {found['verified'][:10]})"


def _check_command(registry: Registry, name: str, offer: Offer[CommandInfo]) -> None:
    """Leave out a command that cannot be loaded."""
    try:
        check(offer.info)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  a plugin may raise anything while it is imported
        reason = f"command {name!r} cannot be loaded: {described(error)}"
        registry.leave_out("command-failed", offer.source, reason, offer.source.remedy, ("command", name), error)


def _simple(args: argparse.Namespace, registry: Registry, kind: str, offers: Mapping[str, Offer[Any]]) -> int:
    records = [offer_record(offer) for offer in offers.values()]

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
        import json

        problems = [problem.record() for problem in registry.problems]
        print(json.dumps({"schema": 1, kind: records, "problems": problems}, indent=2))
        return ExitCode.OK
    if records:
        print(table(head, [row(record) for record in records]))
    else:
        print(f"no {kind} installed", file=sys.stderr)
    for problem in registry.problems:
        print(problem.text(debug=debugging(args)), file=sys.stderr)
    return ExitCode.OK


_KINDS: dict[str, tuple[str, Callable[[argparse.Namespace], int]]] = {
    "backends": ("inference backends, and whether each is usable here", _backends),
    "tasks": ("benchmark tasks", _tasks),
    "datasets": ("data sets, and the tasks that use them", _datasets),
    "scenarios": ("ways of issuing queries", _scenarios),
    "suites": ("suites, with their benchmarks", _suites),
    "plugins": ("installed plugins, with the hooks they implement", _plugins),
}


def add(command: argparse.ArgumentParser) -> None:
    """Add the arguments of ``list``."""
    kinds = "\n".join(f"  {kind:12}{what}" for kind, (what, _) in _KINDS.items())
    command.description = f"List what is installed. KIND is one of:\n\n{kinds}"
    command.add_argument("kind", metavar="KIND", choices=_KINDS, help="what to list")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--probe", action="store_true", help="backends: load each in a separate process")
    command.add_argument("--device", metavar="ADDRESS", help="backends: those of this device, such as ssh:HOST")
    command.set_defaults(handler=_handle)


def _handle(args: argparse.Namespace) -> int:
    for flag in ("probe", "device"):
        if getattr(args, flag) and args.kind != "backends":
            raise UsageError("bad-flag", f"list {args.kind} does not accept --{flag}", f"use --{flag} with backends")
    return _KINDS[args.kind][1](args)


def _alias(kind: str) -> Callable[[argparse.ArgumentParser], None]:
    """A function that adds the arguments of ``list-KIND``."""

    def add_alias(command: argparse.ArgumentParser) -> None:
        what, handler = _KINDS[kind]
        command.description = f"List {what}. The same as 'mlperf-mobile list {kind}'."
        command.add_argument("--json", action="store_true", help="print JSON")
        if kind == "backends":
            command.add_argument("--probe", action="store_true", help="load each backend in a separate process")
            command.add_argument("--device", metavar="ADDRESS", help="those of this device, such as ssh:HOST")
        command.set_defaults(handler=handler)

    return add_alias


backends, tasks, datasets, scenarios, suites, plugins = map(_alias, _KINDS)
