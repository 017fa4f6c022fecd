"""Results of somebody else: what the reader accepts every command answers, and what it refuses it refuses by name."""

from __future__ import annotations

import copy
import importlib.util
import json
import math
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from mlperf_mobile import events
from mlperf_mobile.cli import main as command
from mlperf_mobile.errors import MobileError
from mlperf_mobile.results import store
from mlperf_mobile.results.parts import DEEPEST, Json

FUZZER = Path(__file__).parents[2] / "benchmarks" / "fuzz_commands.py"
INPUTS = 128
"""The script tries as many as one likes."""

RECORD: dict[str, Any] = {
    "schema": 1, "run_id": "20260101T000000-image_classification-single-stream-0a1b2c3d",
    "created": "2026-01-01T00:00:00+00:00", "status": "completed", "valid": True, "submittable": None,
    "task": "image_classification", "benchmark": "image_classification", "suite": None,
    "model": {"name": "mobilenet_edgetpu", "path": "/m.tflite", "format": "tflite", "sha256": "0" * 64, "bytes": 10},
    "dataset": "imagenet", "performance_dataset": None, "backend": "toy", "runtime": "toy 1.0", "accelerator": "npu",
    "scenario": "single-stream", "mode": "both", "rule_set": "normal",
    "load": {"min_query_count": 1024, "min_duration_s": 60.0, "max_duration_s": 600.0, "percentile": 0.9,
             "seeds": {"qsl": 1, "sample_index": 2, "schedule": 3}, "loadgen": {"min_query_count": 1024}},
    "rules": [{"name": "min-duration", "ok": True, "observed": 61.0, "required": 60.0, "note": "", "scope": "result"}],
    "session": {"id": "s-1", "mode": "submission", "position": 1, "runs": 2, "resumed": False, "cooldown_s": None},
    "performance": {
        "latency_ns": {"p50": 2e6, "p90": 3e6, "p99": 4e6, "mean": 2.1e6, "min": 1e6, "max": 5e6},
        "throughput": 476.0, "queries": 29000, "samples": 29000, "duration_s": 61.0,
        "accelerators": {"npu": {"sessions": 1, "samples": 29000, "throughput": 476.0, "busy": 0.9}},
        "loadgen": {"version": "5.0", "valid": True, "reason": None, "errors": []},
    },
    "accuracy": {"metric": "top-1", "value": 0.75, "reference": 0.76, "target": 0.74, "passed": True, "samples": 5000,
                 "duration_s": 10.0, "details": {"correct": 3750.0}},
    "placement": {"accelerators": {"npu": {"operations": {"npu": 64}, "kernels": {"npu": 64}, "names": {}}}},
    "system": {"inputs": ["uint8[1,224,224,3]"], "outputs": ["uint8[1,1001]"], "sessions": 1, "batch": 1},
    "compiled": {"npu": {"path": "/c", "key": "k", "cached": True, "facts": {"soc": "x"}, "seconds": 1.0}},
    "telemetry": {"interval_s": 1.0, "rows": 60, "duration_s": 61.0, "throttled": True, "evidence": ["cap lowered"],
                  "temperature": {"sensor": "soc", "first_celsius": 30.0, "max_celsius": 60.0, "last_celsius": 59.0},
                  "energy": [{"source": "battery", "includes": "all", "watts": 3.0, "joules_per_inference": 0.01}],
                  "throttling": {"watched": ["frequency-cap"], "events": [{"kind": "frequency-cap", "at_s": 3.0}]},
                  "series": {"temperature.soc_celsius": {"min": 30.0, "max": 60.0}}},
    "logs": {}, "report": {"npu": {"cycles": [1, 2]}}, "seeds": {"qsl": 1, "sample_index": 2, "schedule": 3},
    "versions": {"toy": "1.0"}, "environment": {"cpu.model": "a processor", "cpu.mhz": 2000.0}, "unverified": {},
    "error": None, "directory": "/results/x",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "result"
    place.mkdir()
    (place / store.RESULT).write_text(json.dumps(RECORD))
    return place


def refusal(folder: Path, text: str) -> str:
    (folder / store.RESULT).write_text(text)
    with pytest.raises(MobileError) as refused:
        store.read(folder)
    assert refused.value.code == "result-damaged"
    return refused.value.summary


@pytest.fixture(scope="module")
def fuzzer() -> Any:
    spec = importlib.util.spec_from_file_location("fuzz_commands", FUZZER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look for it there
    spec.loader.exec_module(module)
    return module


def test_every_command_answers_or_refuses(folder: Path, fuzzer: Any) -> None:
    failures: list[str] = []
    counts = fuzzer.fuzz(folder, INPUTS, 3, lambda name, data, trace: failures.append(f"{name}: {trace}"))
    assert not failures, failures[0]
    assert counts["exit 0"] >= INPUTS // 8, "nearly all of them are refused, and nothing is tried"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" + "0" * 400])
@pytest.mark.parametrize("key", ["throughput", "p90", "samples", "value", "observed", "cpu.mhz", "at_s", "seconds"])
def test_a_number_that_is_not_finite_is_refused(folder: Path, key: str, number: str) -> None:
    name = f'"{key}": '
    before, _, after = json.dumps(RECORD).partition(name)
    rest = after[len(after) - len(after.lstrip("-+.0123456789e")) :]
    assert refusal(folder, f"{before}{name}{number}{rest}")


@pytest.mark.parametrize("value", [4.7, "min_query_count", ["min_query_count"]])
def test_loadgen_settings_that_are_no_mapping_are_refused(folder: Path, value: Any) -> None:
    record = copy.deepcopy(RECORD)
    record["load"]["loadgen"] = value
    assert "load.loadgen" in refusal(folder, json.dumps(record))


def test_a_key_that_stands_twice_is_refused(folder: Path) -> None:
    text = json.dumps(RECORD).replace('"valid": true,', '"valid": false, "valid": true,', 1)
    assert "duplicate key 'valid'" in refusal(folder, text)


def test_a_file_without_end_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_BYTES", 1000)
    with pytest.raises(MobileError, match="more than"):
        store.read(folder)


def test_a_pipe_is_no_result(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / store.RESULT)
    with pytest.raises(MobileError) as refused:
        store.read(tmp_path)
    assert refused.value.code == "no-result"


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"x": [-math.inf]}, 2**65, [[2**70]]], ids=repr)
def test_json_of_a_plugin_is_finite(value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Json).validate_python(value)


def test_json_of_a_plugin_is_bounded_in_depth() -> None:
    deep: Any = 1
    for _ in range(DEEPEST):
        deep = [deep]
    assert TypeAdapter(Json).validate_python(deep) == deep
    with pytest.raises(ValidationError, match="levels deep"):
        TypeAdapter(Json).validate_python([deep])


@pytest.mark.parametrize("name", ["../../../pwned", "..", "/etc", "a/b", "", "\x1b[2J"], ids=ascii)
@pytest.mark.parametrize("field", ["benchmark", "backend"])
def test_an_export_writes_below_its_output_alone(folder: Path, tmp_path: Path, field: str, name: str) -> None:
    (folder / store.RESULT).write_text(json.dumps(RECORD | {field: name, "performance": None}))
    output = tmp_path / "deep" / "er" / "output"
    arguments = ["export", str(folder), "--format", "submission", "--submitter", "A", "--device", "d"]
    assert command.main([*arguments, "--output", str(output)]) != 0
    assert [each.name for each in tmp_path.iterdir()] == ["result"]


@pytest.mark.parametrize("scenario", ["single-stream", "offline"])
@pytest.mark.parametrize(
    "change",
    [{"throughput": 0.0, "latency_ns": {}}, {"samples": 0}, {"throughput": -1.0, "latency_ns": {"p90": -1.0}}],
    ids=["none", "no samples", "negative"],
)
def test_an_export_without_a_number_is_refused(folder: Path, tmp_path: Path, scenario: str, change: Any) -> None:
    record = copy.deepcopy(RECORD) | {"scenario": scenario}
    record["performance"] |= change
    (folder / store.RESULT).write_text(json.dumps(record))
    output = tmp_path / "app.json"
    assert command.main(["export", str(folder), "--format", "app", "--output", str(output)]) == 6
    assert not output.exists()


def test_the_fuzzer_changes_what_it_is_given(fuzzer: Any) -> None:
    chance = random.Random(0)
    changed = [fuzzer.mutated(RECORD, chance) for _ in range(50)]
    assert sum(each != RECORD for each in changed) > 40
    assert RECORD["schema"] == 1


@pytest.mark.parametrize("when", ["1e18", "-1e18", "-1", "253402300800", "1e999"])
def test_an_event_without_a_valid_date_is_ignored(when: str) -> None:
    with pytest.raises(ValueError, match="time"):
        events.decode(f'{{"event":"ended","time":{when}}}'.encode())
    assert events.decode(b'{"event":"ended","time":253402300799}').time == 253_402_300_799


def test_half_of_a_surrogate_pair_is_written_as_json_can(tmp_path: Path) -> None:
    store.write_json(tmp_path / "a.json", {"µ": "\ud800"})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"µ": "\ud800"}
    store.write_json(tmp_path / "b.json", {"µ": "深度"})
    assert (tmp_path / "b.json").read_text(encoding="utf-8") == '{\n  "µ": "深度"\n}\n'
