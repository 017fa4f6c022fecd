"""``mlperf-mobile doctor``: what is installed, what is missing, and facts about this machine."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from mlperf_mobile.cli.arguments import debugging
from mlperf_mobile.cli.backend_records import backend_records, device_lines, device_report
from mlperf_mobile.errors import BackendError, ExitCode
from mlperf_mobile.installed import distribution
from mlperf_mobile.registry import installed_plugins


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = (
        "Show what is usable, what is missing, and facts about this machine or a device. Loads each backend."
    )
    command.add_argument("--device", metavar="ADDRESS", help="examine this device, such as ssh:HOST, instead")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command; the exit code is that of a backend error if no backend can be used."""
    if args.device:
        return _of_device(args)
    from mlperf_mobile.worker import environment

    registry = installed_plugins()
    backends = backend_records(registry, probe=True)
    for name in registry.backends:
        registry.environment(name)  # plugins that fail are among the problems
    loadgen = _loadgen()
    facts = environment.facts()
    advice = _advice(facts, backends, loadgen)
    report = {
        "schema": 1,
        "backends": backends,
        "loadgen": loadgen,
        "versions": environment.versions(),
        "environment": facts,
        "problems": [problem.record() for problem in registry.problems],
        "advice": advice,
    }
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        _print(report)
        for problem in registry.problems if debugging(args) else ():
            print(problem.text(debug=True), file=sys.stderr)
    return _code(report)


def _code(report: dict[str, Any]) -> int:
    ready = report["loadgen"]["usable"] and any(backend["usable"] for backend in report["backends"])
    return ExitCode.OK if ready else ExitCode.BACKEND


def _of_device(args: argparse.Namespace) -> int:
    """The report of the device's own command, with what the device is."""
    report = device_report(installed_plugins(), args.device, "doctor")
    if args.json:
        print(json.dumps(report, indent=2))
        return _code(report)
    device = report["device"]
    print("DEVICE")
    for name in ("address", "manufacturer", "model", "serial", "soc", "os", "abi", "temperature_c", "charging"):
        if device[name] not in ("", None):
            print(f"  {name}: {device[name]}")
    _print(report)
    return _code(report)


def _loadgen() -> dict[str, Any]:
    from mlperf_mobile.loadgen import module

    found = distribution("mlcommons-loadgen")
    try:
        module()
        return {"usable": True, "version": found.version if found else "unknown", "reason": "", "fix": ""}
    except BackendError as error:
        return {"usable": False, "version": None, "reason": error.summary, "fix": error.hint}


def _advice(facts: dict[str, Any], backends: list[dict[str, Any]], loadgen: dict[str, Any]) -> list[str]:
    """Advice for better measurements on this machine."""
    advice = []
    if not loadgen["usable"]:
        advice.append(f"LoadGen is missing, nothing can be measured: {loadgen['fix']}")
    if not backends:
        advice.append("no backend is installed: pip install mlperf-mobile-backend-tflite")
    if facts["cpu.governor"] and facts["cpu.governor"] != "performance":
        advice.append(f"the CPU governor is {facts['cpu.governor']}: latencies vary; 'performance' keeps them steady")
    load, usable = facts["cpu.load_1min"], facts["cpu.usable"]
    if load is not None and usable and load > 0.5 * usable:
        advice.append(f"the machine is busy: load {load} on {usable} processors; close other programs before measuring")
    if facts["memory.available_bytes"] < 1 << 30:
        advice.append("less than 1 GiB of memory is free: lower performance_sample_count")
    return advice


def _print(report: dict[str, Any]) -> None:
    print("BACKENDS")
    for backend in report["backends"]:
        state = "usable" if backend["usable"] else f"not usable: {backend['reason']}; {backend['fix']}"
        found = f" on {', '.join(backend['accelerators_found'])}" if backend["accelerators_found"] else ""
        runtime = f", {backend['runtime']}" if backend["runtime"] else ""
        print(f"  {backend['name']}: {state}{found}{runtime}  [{backend['distribution']} {backend['version']}]")
        for line in device_lines(backend):
            print(f"    {line}")
    if not report["backends"]:
        print("  none")
    loadgen = report["loadgen"]
    print("LOADGEN")
    print(f"  {loadgen['version']}" if loadgen["usable"] else f"  not usable: {loadgen['reason']}; {loadgen['fix']}")
    for title, facts in (("VERSIONS", report["versions"]), ("MACHINE", report["environment"])):
        print(title)
        width = max(map(len, facts), default=0)
        for key, value in facts.items():
            print(f"  {key.ljust(width)}  {'unknown' if value is None else value}")
    print("PROBLEMS")
    for problem in report["problems"]:
        print(f"  [{problem['code']}] {problem['source']}: {problem['reason']}; {problem['fix']}")
    print("  none" if not report["problems"] else "", end="\n" if not report["problems"] else "")
    print("ADVICE")
    for line in report["advice"] or ["none"]:
        print(f"  {line}")
