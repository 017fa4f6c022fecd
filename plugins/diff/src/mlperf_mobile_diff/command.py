"""``mlperf-mobile diff``: the same samples on two backends, models or settings, stage by stage."""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlperf_mobile.errors import ExitCode, OutputError, UsageError

if TYPE_CHECKING:
    from mlperf_mobile.plan import Plan
    from mlperf_mobile_diff.stages import Differences

_EXAMPLES = """examples:
  mlperf-mobile diff image_classification --backend tflite --backend nnapi
  mlperf-mobile diff --backend tflite --backend snpe --model my.tflite --dataset imagenet --data-path val/
  mlperf-mobile diff image_classification --backend tflite --set-a xnnpack=true --set-b xnnpack=false --trace
  mlperf-mobile diff image_classification --backend tflite --model float.tflite --model int8.tflite

Differences are between real values: quantised tensors are converted with their scale and zero point. The relative
difference is the largest one as a share of the tensor's largest absolute value.

exit codes: 0 if no sample differs by more than the tolerance, 1 if one does, others as in docs/errors.md
"""


_COMPARED = {
    "backend", "accelerators", "model", "backend_options", "task_options", "input_shapes", "dataset", "task",
}  # fmt: skip


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = (
        "Run the same samples on two backends, models or settings, and show where their numbers differ first: in the "
        "encoded input, the model's outputs (of a language model, the tokens of its answer), the task's response, or "
        "the score. Nothing is timed."
    )
    command.epilog = _EXAMPLES
    command.add_argument("tasks", nargs="*", metavar="TASK", help="the task or benchmark")
    command.add_argument("--suite", metavar="NAME", help="the suite of the benchmark")
    twice = "; twice to compare two"
    command.add_argument("--backend", metavar="NAME", action="append", default=[], help=f"a backend{twice}")
    command.add_argument("--accelerator", metavar="NAME", action="append", default=[], help=f"an accelerator{twice}")
    command.add_argument("--model", metavar="NAME|PATH", action="append", default=[], help=f"a model{twice}")
    command.add_argument("--model-format", metavar="NAME", action="append", default=[], help=f"a model format{twice}")
    command.add_argument("--dataset", metavar="NAME", help="the data set")
    command.add_argument("--data-path", metavar="PATH", help="where the data set is")
    command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="a setting of both sides")
    command.add_argument(
        "--set-a", metavar="KEY=VALUE", action="append", default=[], help="a setting of the first side"
    )
    command.add_argument(
        "--set-b", metavar="KEY=VALUE", action="append", default=[], help="a setting of the second side"
    )
    command.add_argument("--config", metavar="FILE", type=Path, help="a run file in YAML, for both sides")
    command.add_argument("--samples", metavar="N", type=_count, default=32, help="how many samples (default: 32)")
    command.add_argument(
        "--index", metavar="N", type=_index, action="append", default=[], help="compare this sample; repeatable"
    )
    command.add_argument("--tolerance", metavar="X", type=_tolerance, default=0.01,
                         help="ignore relative differences up to this (default: 0.01)")  # fmt: skip
    command.add_argument("--trace", action="store_true", help="compare the tensors inside the model, of one sample")
    command.add_argument("--output", metavar="DIR", type=Path, help="keep the recorded tensors in this new folder")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--quiet", action="store_true", help="do not show progress")
    command.set_defaults(handler=handle)


def _count(text: str) -> int:
    return _whole(text, least=1)


def _index(text: str) -> int:
    return _whole(text, least=0)


def _whole(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return value


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return value


def handle(args: argparse.Namespace) -> int:
    """Run the command; 1 if a sample differs."""
    from mlperf_mobile.opening import open_dataset, open_task
    from mlperf_mobile.registry import installed_plugins
    from mlperf_mobile.terminal.progress import listener
    from mlperf_mobile_diff import sides
    from mlperf_mobile_diff.recording import RecordRequest
    from mlperf_mobile_diff.stages import compare
    from mlperf_mobile_diff.tables import show

    registry = installed_plugins()
    plans = [sides.plan(registry, args, side) for side in (0, 1)]
    _check(plans)
    samples = RecordRequest(indices=tuple(dict.fromkeys(args.index)), count=args.samples, trace=args.trace)
    with _folder(args.output) as folder:
        recordings = []
        for name, plan in zip("ab", plans, strict=True):
            (folder / name).mkdir()
            with listener(f"{name}: {sides.label(plan)}", quiet=args.quiet) as listen:
                recordings.append(sides.record(plan, folder / name, samples, listen))
        a, b = recordings
        reference = plans[0]
        dataset = open_dataset(registry, reference.dataset)
        task = open_task(registry, reference.task, reference.task_options)
        found = compare(a, b, task, dataset, args.tolerance)
        if args.json:
            print(json.dumps(_record(plans, found, args, [a.facts.report, b.facts.report]), indent=2, allow_nan=False))
        else:
            problems = [f"{name}: {r.facts.trace_problem}" for name, r in zip("ab", recordings, strict=True)]
            shown = [text for text, r in zip(problems, recordings, strict=True) if r.facts.trace_problem]
            show([sides.label(plan) for plan in plans], found, args.tolerance, shown, a.facts.samples)
    return int(ExitCode.NOT_VALID if found.first else ExitCode.OK)


def _check(plans: list[Plan]) -> None:
    """Refuse sides that are the same, or have other samples."""
    a, b = (
        plan.model_dump(
            mode="json",
            include=_COMPARED,
        )
        for plan in plans
    )  # fmt: skip
    if a == b:
        hint = "give --backend, --accelerator or --model twice, or --set-a and --set-b"
        raise UsageError("same-sides", "both sides are the same", hint)
    for name in ("task", "dataset"):
        if a[name] != b[name]:
            raise UsageError("other-samples", f"the sides have different settings of the {name}", "use --set for both")


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="mlperf-mobile-diff-") as name:
            yield Path(name).resolve()
        return
    try:
        kept.mkdir(parents=True)
    except FileExistsError as error:
        raise OutputError("output-exists", f"{kept} exists", "choose another --output, or remove it") from error
    except OSError as error:
        summary = f"cannot make {kept}: {error.strerror}"
        raise OutputError("output-unwritable", summary, "choose another --output") from error
    yield kept.resolve()


def _record(
    plans: list[Plan], found: Differences, args: argparse.Namespace, reports: list[dict[str, object]]
) -> dict[str, object]:
    from mlperf_mobile_diff.stages import as_data

    sides = [
        {
            "backend": plan.backend, "accelerators": list(plan.accelerators), "model": plan.model.name,
            "options": plan.changed_options, "report": report,
        }
        for plan, report in zip(plans, reports, strict=True)
    ]  # fmt: skip
    return {"schema": 1, "task": plans[0].task, "dataset": plans[0].dataset.name, "sides": sides} | as_data(
        found, args.tolerance
    )
