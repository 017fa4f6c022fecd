"""Writes results as a submission: logs, the app's result file, and descriptions that are partly to be filled in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlperf_mobile import loadgen
from mlperf_mobile.errors import OutputError, UsageError
from mlperf_mobile.names import RULE, is_file_name
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.store import output_errors, write_json
from mlperf_mobile.user_paths import expand
from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import app_export
from mlperf_mobile_rounds.official.checks.descriptions import TO_FILL_IN
from mlperf_mobile_rounds.official.trace_log import TRACE_LOG

_SCENARIOS = {"single-stream": "SingleStream", "offline": "Offline"}
_RUNS = {"performance": "log_performance", "accuracy": "log_accuracy"}
_LOGS = (loadgen.DETAIL_LOG, loadgen.SUMMARY_LOG, loadgen.ACCURACY_LOG, TRACE_LOG)


@dataclass(frozen=True, slots=True)
class Header:
    """Who submits what, and in which division."""

    submitter: str
    device: str
    division: str = "closed"

    def __post_init__(self) -> None:
        for flag, name in (("--submitter", self.submitter), ("--device", self.device)):
            if not is_file_name(name):
                raise UsageError("bad-name", f"{flag} {name!r} cannot be the name of a folder", RULE)


def write_submission(results: Sequence[tuple[Path, Result]], output: Path, header: Header) -> Path:
    """Write the tree ``output/division/submitter/…``; returns the submitter's folder.

    Args:
        results: Result folders and what they hold.
        output: Where the division goes; what is there stays as it is.
        header: The names of folders.

    Raises:
        OutputError: Logs are missing, the submitter's folder is already there, or it cannot be written.
    """
    content = app_export.app_file([result for _, result in results])
    for folder, result in results:
        for what, name in (("benchmark", result.benchmark), ("backend", result.backend)):
            if not is_file_name(name):
                summary = f"{folder}: its {what} {name!r} cannot be the name of a folder"
                raise OutputError("bad-name", summary, "leave it out; names are never paths")
        if result.accuracy and result.accuracy.logged == "digests":
            summary = f"{folder}: LoadGen's accuracy log holds digests of outputs, and a submission needs the responses"
            raise OutputError("accuracy-log-digests", summary, "run it with --runner python")
        if result.performance and not (folder / "performance" / loadgen.DETAIL_LOG).is_file():
            raise OutputError("log-missing", f"{folder} has no logs of LoadGen", "only runs of this program have them")
    final = expand(output, "--output").resolve() / header.division / header.submitter
    if os.path.lexists(final):
        raise OutputError("output-exists", f"{final} is already there", "choose another --output")
    staging = final.with_name(f".{header.submitter}-{os.getpid()}.partial")
    with output_errors(final):
        try:
            device = staging / "results" / header.device
            device.mkdir(parents=True)
            write_json(device / "result.json", content)
            for folder, result in results:
                _copy_logs(folder, result, device)
                _describe_model(result, staging, header)
            _describe_system(results[0][1], staging, header)
            if os.path.lexists(final):
                raise OutputError("output-exists", f"{final} is already there", "choose another --output")
            staging.rename(final)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return final


def _place(result: Result) -> Path:
    name = benchmarks.canonical(result.benchmark, _SCENARIOS[result.scenario]) or ""
    known = benchmarks.of(name)
    return Path(known.folder if known and known.folder else result.benchmark) / _SCENARIOS[result.scenario]


def _copy_logs(folder: Path, result: Result, device: Path) -> None:
    for run, name in _RUNS.items():
        found = [path for path in (folder / run / log for log in _LOGS) if path.is_file()]
        found = [path for path in found if path.name != TRACE_LOG or path.stat().st_size]  # empty: nothing was traced
        if found:
            target = device / _place(result) / name
            target.mkdir(parents=True)
            for log in found:
                shutil.copyfile(log, target / log.name)


def _describe_model(result: Result, staging: Path, header: Header) -> None:
    scenario = _SCENARIOS[result.scenario]
    folder = staging / "measurements" / header.device / _place(result)
    folder.mkdir(parents=True)
    inputs = ", ".join(result.system.inputs if result.system else ())
    write_json(
        folder / f"{header.device}_{result.backend}_{scenario}.json",
        {
            "input_data_types": inputs or f"{TO_FILL_IN}: data types of the model's inputs",
            "retraining": f"{TO_FILL_IN}: none, or what was done",
            "starting_weights_filename": f"{TO_FILL_IN}: URL of the checkpoint that {result.model.name} is made of",
            "weight_data_types": f"{TO_FILL_IN}: int8, fp16, …",
            "weight_transformations": f"{TO_FILL_IN}: none, or how the weights were converted",
        },
    )


def _describe_system(result: Result, staging: Path, header: Header) -> None:
    """What the environment says, and marks where it says nothing."""
    facts = result.environment
    memory = facts.get("memory.total_bytes")
    folder = staging / "systems"
    folder.mkdir()
    write_json(
        folder / f"{header.device}.json",
        {
            "division": header.division,
            "submitter": header.submitter,
            "status": f"{TO_FILL_IN}: available, SoC R&D or SoC integration",
            "System": f"{TO_FILL_IN}: maker and name of the device that {header.device} stands for",
            "Processor Name": f"{TO_FILL_IN}: the SoC",
            "CPU": facts.get("cpu.model") or f"{TO_FILL_IN}: cores and clocks",
            "Graphics": f"{TO_FILL_IN}: GPU, or none",
            "Accelerator": f"{TO_FILL_IN}: NPU or DSP ({result.accelerator} was used), or none",
            "DRAM": f"{memory / 2**30:.1f} GiB" if isinstance(memory, int) else f"{TO_FILL_IN}: size and kind",
            "OS Version": facts.get("os.name") or f"{TO_FILL_IN}: name, version and build",
            "Framework": f"{result.backend} ({result.runtime})" if result.runtime else result.backend,
            "Vendor SDK": f"{TO_FILL_IN}: name and version, or none",
        },
    )
