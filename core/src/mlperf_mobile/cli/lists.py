"""``list KIND`` and its aliases such as ``list-backends``: what is installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from typing import Any

from mlperf_mobile import needs
from mlperf_mobile.errors import ExitCode, UsageError, described
from mlperf_mobile.plugin import BackendInfo, CommandInfo
from mlperf_mobile.registry import Info, Offer, Registry
from mlperf_mobile.terminal.columns import table

Record = dict[str, Any]


def backend_records(registry: Registry, *, probe: bool) -> list[Record]:
    """Every backend, and whether it is usable: by the needs it declares, or with ``probe`` by loading it."""
    records = [_backend_record(offer) for offer in registry.backends.values()]
    if probe:
        from mlperf_mobile.launch.probe import probe_all

        found = probe_all([record["name"] for record in records])
        for record in records:
            probed = found[record["name"]]
            record |= {key: probed[key] for key in ("usable", "reason", "fix", "runtime", "versions")}
            record["accelerators_found"] = probed["accelerators"]
            record |= {key: probed[key] for key in ("devices", "functional_only")}
    return records


def _backend_record(offer: Offer[BackendInfo]) -> Record:
    info = offer.info
    missing = needs.missing(info.needs)
    return _record(offer) | {
        "vendor": info.vendor,
        "usable": missing is None,
        "reason": f"needs {missing.what}" if missing else "",
        "fix": missing.fix if missing else "",
        "accelerators": list(info.accelerators),
        "model_formats": list(info.model_formats),
        "capabilities": sorted(info.capabilities),
    }


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
    code = _print(args, registry, "backends", records, ("NAME", "VENDOR", "FROM", *columns, "USABLE HERE"), row)
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


def device_lines(record: Record) -> Iterable[str]:
    """The devices and the functional-only accelerators that a probe found."""
    for device in record.get("devices", ()):
        facts = ", ".join(f"{key} {value}" for key, value in device["facts"].items())
        version = f" {device['version']}" if device["version"] else ""
        yield f"{record['name']}/{device['accelerator']}: {device['name']}{version}{f' ({facts})' if facts else ''}"
    for accelerator, reason in record.get("functional_only", {}).items():
        yield f"{record['name']}/{accelerator}: functional only, its speed is meaningless: {reason}"


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
    from mlperf_mobile.config.suites import suites as read

    registry = Registry()
    records = [
        Record(
            name=suite.name,
            summary=suite.summary,
            benchmarks=[
                {"benchmark": name, "task": each.task, "summary": each.summary, "from": str(each.source)}
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
    registry = Registry()
    records = [
        Record(name=source.plugin, distribution=source.distribution, version=source.version, hooks=hooks)
        for source, hooks in registry.plugins
    ]
    for name, offer in registry.commands.items():
        _check_command(registry, name, offer)

    def row(r: Record) -> list[str]:
        hooks = ", ".join(hook.removeprefix("mlperf_mobile_") for hook in r["hooks"])
        return [r["name"], f"{r['distribution']} {r['version']}", hooks]

    return _print(args, registry, "plugins", records, ("NAME", "FROM", "OFFERS"), row)


def _check_command(registry: Registry, name: str, offer: Offer[CommandInfo]) -> None:
    """Load a command's module, which otherwise only calling the command does."""
    try:
        with redirect_stdout(sys.stderr):
            offer.info.command.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  a plugin may raise anything while it is imported
        reason = f"command {name!r} cannot be loaded: {described(error)}"
        fix = f"update or uninstall it, or set MLPERF_MOBILE_BLOCK={offer.source.plugin}"
        registry.leave_out("command-failed", offer.source, reason, fix, ("command", name))


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
        import json

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
    command.set_defaults(handler=_handle)


def _handle(args: argparse.Namespace) -> int:
    if args.probe and args.kind != "backends":
        raise UsageError("bad-flag", f"list {args.kind} does not accept --probe", "use --probe with backends")
    return _KINDS[args.kind][1](args)


def _alias(kind: str) -> Callable[[argparse.ArgumentParser], None]:
    """A function that adds the arguments of ``list-KIND``."""

    def add_alias(command: argparse.ArgumentParser) -> None:
        what, handler = _KINDS[kind]
        command.description = f"List {what}. The same as 'mlperf-mobile list {kind}'."
        command.add_argument("--json", action="store_true", help="print JSON")
        if kind == "backends":
            command.add_argument("--probe", action="store_true", help="load each backend in a separate process")
        command.set_defaults(handler=handler)

    return add_alias


backends, tasks, datasets, scenarios, suites, plugins = map(_alias, _KINDS)
