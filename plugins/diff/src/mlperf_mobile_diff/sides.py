"""The two sides of a comparison: their plans, and the recordings that a separate process makes of each."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from mlperf_mobile import events
from mlperf_mobile.cli.flags import request
from mlperf_mobile.config.document import Setting
from mlperf_mobile.config.resolve import resolve
from mlperf_mobile.errors import WORKER_LOG, MobileError, UsageError
from mlperf_mobile.launch.in_folder import RunFailed, run_in
from mlperf_mobile.plan import Plan
from mlperf_mobile.registry import Registry
from mlperf_mobile.resources.cache import missing_resources
from mlperf_mobile_diff.plugin import RECORDER
from mlperf_mobile_diff.recording import REQUEST, Recording, RecordRequest

PAIRED = ("backend", "accelerator", "model", "model_format")
"""Flags that can be given twice, once for each side."""


def plan(registry: Registry, args: argparse.Namespace, side: int) -> Plan:
    """The plan of one side, 0 or 1.

    Raises:
        UsageError: A setting is wrong, or there is not exactly one task.
        MobileError: A model or data must be fetched first.
    """
    own = argparse.Namespace(**vars(args))
    for name in PAIRED:
        given = getattr(args, name)
        if len(given) > 2:
            raise UsageError(
                "bad-arguments", f"--{name.replace('_', '-')} is given {len(given)} times", "there are two sides"
            )
        setattr(own, name, given[min(side, len(given) - 1)] if given else None)
    own.set = [*args.set, *(args.set_a, args.set_b)[side]]
    requested = request(own)
    source = "mlperf-mobile diff"
    requested.flags.update(mode=Setting("accuracy", source), scenario=Setting("single-stream", source))
    found = resolve(registry, requested)
    if len(found.plans) != 1:
        names = ", ".join(each.benchmark for each in found.plans)
        raise UsageError("no-task", f"diff compares one task, not {len(found.plans)}", f"name one: {names}")
    if found.missing:
        raise missing_resources(found.missing, found.cache.folder)
    return found.plans[0].model_copy(update={"runner": RECORDER})


def label(plan: Plan) -> str:
    """A side in one line: ``tflite/cpu mobilenet_v2_int8 threads=2``."""
    prefix = "backend."
    options = [f"{k.removeprefix(prefix)}={v}" for k, v in plan.changed_options.items() if k.startswith(prefix)]
    return " ".join([f"{plan.backend}/{plan.accelerator}", plan.model.name, *options])


def record(plan: Plan, folder: Path, samples: RecordRequest, listen: Callable[[events.Event], None]) -> Recording:
    """Run one side in a separate process, and read what it recorded.

    Args:
        plan: The side.
        folder: An existing folder, for its files.
        samples: Which samples, and whether to trace.
        listen: Called with every event as it arrives.

    Raises:
        MobileError: The backend, the task or the data failed, or the process died.
        KeyboardInterrupt: The user stopped it.
    """
    (folder / REQUEST).write_text(samples.model_dump_json())
    try:
        run_in(folder, plan, listen)
    except RunFailed as error:
        hint = f"{error.hint}; --output keeps its worker.log" if error.last_words else error.hint
        if WORKER_LOG in error.hint:  # there is no result
            hint = "--output DIR keeps its worker.log, which has the details"
        raise MobileError(error.code, f"{label(plan)}: {error.summary}", hint, error.exit_code) from error
    return Recording(folder)
