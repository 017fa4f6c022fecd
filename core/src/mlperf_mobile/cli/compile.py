"""``mlperf-mobile compile``: compiles models ahead of time, and caches them for later runs."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlperf_mobile.errors import ExitCode, MobileError, OutputError, UsageError
from mlperf_mobile.names import as_file_name

if TYPE_CHECKING:
    from mlperf_mobile.plan import CompilePlan

_EXAMPLES = """examples:
  mlperf-mobile compile --model my.tflite --backend snpe --accelerator htp --set soc_model=SM8750
  mlperf-mobile compile image_classification --backend neuron     the model that a run of the task would use
  mlperf-mobile compile --suite NAME --backend snpe               every model of a suite
  mlperf-mobile compile --model my.onnx --backend snpe --export built/    also copy the compiled model
"""


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Compile models for an accelerator. Later runs use the cached models."
    command.epilog = _EXAMPLES
    command.add_argument("tasks", nargs="*", metavar="TASK", help="tasks or benchmarks whose models to compile")
    command.add_argument("--suite", metavar="NAME", help="the models of this suite")
    command.add_argument("--device", metavar="ADDRESS", help="compile on this device, such as ssh:HOST or adb:SERIAL")
    command.add_argument("--backend", metavar="NAME", help="the backend that compiles")
    command.add_argument("--accelerator", metavar="NAME", help="the accelerator to compile for")
    command.add_argument("--model", metavar="NAME|PATH", help="a model file, or the name of a model of TASK")
    command.add_argument(
        "--recompile", action="store_const", const=True, help="compile again, even if the compiled model is cached"
    )
    command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="any other setting or option")
    command.add_argument("--config", metavar="FILE", type=Path, help="a run file in YAML")
    command.add_argument("--export", metavar="DIR", type=Path, help="copy compiled models to this folder")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--quiet", action="store_true", help="do not show progress")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command; the exit code is that of the first model that cannot be compiled."""
    from mlperf_mobile.cli.flags import request
    from mlperf_mobile.config.compile import resolve_compilations
    from mlperf_mobile.launch.compile import compile_model
    from mlperf_mobile.registry import installed_plugins
    from mlperf_mobile.resources.cache import missing_resources
    from mlperf_mobile.terminal.progress import listener

    found = resolve_compilations(installed_plugins(), request(args))
    if found.missing:
        raise missing_resources(found.missing, found.cache.folder)
    if args.export and (there := next((plan.device for plan in found.plans if plan.device), None)):
        summary = f"--export copies from this machine, and the models are compiled on {there}"
        raise UsageError("bad-flag", summary, "leave out --export: runs on the device find the compiled model there")
    records, code = [], ExitCode.OK
    for plan in found.plans:
        record: dict[str, Any] = {
            "model": plan.model.name,
            "backend": plan.backend,
            "accelerators": list(plan.accelerators),
        }
        try:
            with listener(plan.model.name, quiet=args.quiet) as listen:
                parts = compile_model(plan, listen)
            compiled = [
                {"accelerator": name} | each.model_dump(mode="json") for name, each in (parts.compiled or {}).items()
            ]
            if args.export:
                for each in compiled:
                    each["exported"] = str(_export(plan, each, args.export))
            record |= {"compiled": compiled, "runtime": parts.backend.runtime, "error": None}
        except MobileError as error:
            record |= {"compiled": [], "runtime": None, "error": error.record()}
            code = code or error.exit_code
            print(f"mlperf-mobile: {plan.model.name}: {error.line()}", file=sys.stderr)
        records.append(record)
    if args.json:
        print(json.dumps({"schema": 1, "models": records}, indent=2))
    else:
        for record in records:
            _print(record)
    return code


def _print(record: dict[str, Any]) -> None:
    for each in record["compiled"]:
        how = "found in the cache" if each["cached"] else "compiled" if each["kept"] else "compiled, not kept"
        if not each["kept"] and not each["note"]:
            how = "nothing to compile: the backend runs the model file"
        print(f"{record['model']}  {record['backend']}/{each['accelerator']} ({record['runtime']})")
        print(f"  {how}, {each['seconds'] * 1000:.0f} ms")
        if each["note"]:
            print(f"  {each['note']}")
        for key, value in each["facts"].items():
            print(f"  {key}: {value}")
        print(f"  {each.get('exported') or each['path']}")


def _export(plan: CompilePlan, record: dict[str, Any], folder: Path) -> Path:
    """Copy the artifact into ``folder`` without overwriting.

    Raises:
        OutputError: The target exists, or cannot be written.
    """
    source = Path(record["path"])
    name = as_file_name(f"{plan.model.name}-{plan.backend}-{record['accelerator']}")
    target = folder / (name if source.is_dir() else name + source.suffix)
    if target.exists():
        raise OutputError("output-exists", f"{target} exists", "choose another --export, or remove it")
    part = target.with_name(f".{target.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, part)
        else:
            shutil.copyfile(source, part)
        part.rename(target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True) if source.is_dir() else part.unlink(missing_ok=True)
        summary = f"cannot write {target}: {error.strerror or error}"
        raise OutputError("output-unwritable", summary, "choose another --export") from error
    return target
