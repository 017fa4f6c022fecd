"""Results: composed from what was told, written whole or not at all, read with suspicion, and shown as they are."""

from __future__ import annotations

import errno
import io
import json
import os
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar, get_args

import numpy as np
import pytest
from rich.console import Console

from mlperf_mobile import events, whole_files
from mlperf_mobile.contracts import Listing, Rule, ScenarioPart
from mlperf_mobile.errors import ExitCode, OutputError
from mlperf_mobile.plan import DatasetRef, ModelRef, Plan
from mlperf_mobile.plugin import Remark
from mlperf_mobile.results import observed, recompose, scenario_part, store
from mlperf_mobile.results.measured import Parts
from mlperf_mobile.results.model import ErrorFacts, Result, Status, compose
from mlperf_mobile.results.observed import Observed
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile.terminal.card import result_panel
from mlperf_mobile.terminal.plans import plan_text
from mlperf_mobile.terms import Load, Mode, QualitySettings, Seeds

PARTS = {
    "environment": {"cpu.model": "a processor", "cpu.governor": None},
    "versions": {"numpy": "2.0"},
    "model": {"sha256": "ab" * 32, "bytes": 14},
    "backend": {"runtime": "toy 1.0", "versions": {"sdk": "2"}},
    "placement": {"operations": {"npu": 64, "cpu": 2}, "kernels": {"xnnpack": 2}, "names": {"cpu": {"SOFTMAX": 2}}},
    "system": {"inputs": ["float32[1,4]"], "sessions": 1},
    "performance": {
        "latency_ns": {"p50": 1.5e6, "p90": 2e6, "p99": 3e6, "mean": 1.6e6, "min": 1e6, "max": 4e6},
        "throughput": 600.0, "queries": 1024, "samples": 1024, "duration_s": 1.7,
        "rules": [{"name": "min-duration", "ok": True, "observed": 1.7, "required": 1.0, "note": "seconds"}],
        "loadgen": {"version": "6", "valid": True, "reason": None},
    },
    "accuracy": {"metric": "top-1", "value": 0.75, "samples": 100, "duration_s": 2.0, "details": {}, "sessions": 2},
}  # fmt: skip


def a_plan(**more):
    fields = {
        "schema": 1, "run_id": "20300101T000000-task-single-stream-0a1b2c3d", "created": "2030-01-01T00:00:00+00:00",
        "task": "task", "benchmark": "task", "suite": None,
        "model": ModelRef(name="model", path="/m.toy", format="toy"), "dataset": DatasetRef(name="data", offer="data"),
        "backend": "toy", "accelerators": {"npu": None}, "scenario": "single-stream",
        "mode": Mode.BOTH, "rules": "quick", "batch": 1, "warmup_s": 0.5,
        "silence_timeout_s": 300, "compile_timeout_s": 3600,
        "strict_placement": True, "quality": QualitySettings(metric="top-1", reference=0.76, ratio=0.98),
        "load": Load(
            min_query_count=1024, min_duration_s=1, max_duration_s=0, percentile=0.9, performance_sample_count=0,
            expected_latency_ns=0, seeds=Seeds(qsl=1, sample_index=2, schedule=3),
        ),
        "backend_options": {"threads": 4}, "task_options": {}, "scenario_options": {},
        "offered_by": {}, "cache": Path("/cache"), "encoded_cache_mb": 0, "unverified": {},
        "sources": {"batch": "run.yaml:1:1"},
    }  # fmt: skip
    return Plan(**(fields | more))


def a_result(parts=PARTS, status=Status.COMPLETED, error=None, **more):
    return compose(a_plan(**more), sound(parts), status, error, "/results/x")


def sound(parts):
    """The parts; all of them can be held."""
    found, unsound = Parts.read(parts)
    assert unsound == ""
    return found


def without(*names):
    return {key: value for key, value in PARTS.items() if key not in names}


class TestCompose:
    def test_keys_that_users_rely_on(self):
        told = a_result().to_json()
        assert told["schema"] == 2
        assert (told["task"], told["model"]["name"], told["backend"]) == ("task", "model", "toy")
        assert (told["runtime"], told["accelerator"]) == ("toy 1.0", "npu")
        assert (told["scenario"], told["mode"], told["rule_set"]) == ("single-stream", "both", "quick")
        assert (told["valid"], told["status"], told["error"]) == (True, "completed", None)
        assert [(rule["name"], rule["ok"], rule["observed"], rule["required"]) for rule in told["rules"]] == [
            ("min-duration", True, 1.7, 1.0), ("quality-target", True, 0.75, pytest.approx(0.7448)),
        ]  # fmt: skip
        performance = told["performance"]
        assert set(performance["latency_ns"]) == {"p50", "p90", "p99", "mean", "min", "max"}
        assert (performance["throughput"], performance["queries"], performance["samples"]) == (600.0, 1024, 1024)
        assert performance["duration_s"] == 1.7
        accuracy = told["accuracy"]
        assert (accuracy["metric"], accuracy["value"], accuracy["reference"]) == ("top-1", 0.75, 0.76)
        assert (accuracy["target"], accuracy["passed"], accuracy["samples"]) == (pytest.approx(0.7448), True, 100)
        assert told["placement"] == PARTS["placement"]
        assert told["load"]["seeds"] == {"qsl": 1, "sample_index": 2, "schedule": 3}
        assert told["versions"] == {"numpy": "2.0", "sdk": "2"}
        assert told["environment"] == PARTS["environment"]
        assert told["model"]["sha256"] == "ab" * 32
        assert told["directory"] == "/results/x"

    def test_it_is_json(self):
        assert json.loads(json.dumps(a_result().to_json(), allow_nan=False)) == a_result().to_json()

    def test_missed_quality(self):
        result = a_result(PARTS | {"accuracy": PARTS["accuracy"] | {"value": 0.7447}})
        assert (result.valid, result.accuracy.passed) == (False, False)
        assert result.verdict == "INVALID because quality-target: 0.7447 of 0.7448"

    def test_no_target(self):
        result = a_result(quality=None)
        assert (result.valid, result.accuracy.passed, result.accuracy.target) == (True, None, None)

    def test_a_target_for_another_metric_is_not_met(self):
        """As after a metric was renamed: the run must not be valid without its target."""
        result = a_result(quality=QualitySettings(metric="other", reference=1))
        assert (result.valid, result.accuracy.passed, result.accuracy.target) == (False, None, None)
        assert result.verdict == "INVALID because quality-target: top-1 of other"

    def test_a_rule_of_numpy_numbers(self):
        """What a comparison with a mean of an array gives must not switch the rule off."""
        rule = observed._rule(Rule("cool", np.bool_(False), np.float32(61.5), np.int64(60), "°C"))
        assert (rule.ok, rule.observed, rule.required, rule.note) == (False, 61.5, 60, "°C")

    def test_a_rule_that_fails(self):
        rule = {"name": "min-query-count", "ok": False, "observed": 3, "required": 1024, "note": ""}
        result = a_result(PARTS | {"performance": PARTS["performance"] | {"rules": [rule]}})
        assert result.verdict == "INVALID because min-query-count: 3 of 1024"

    @pytest.mark.parametrize("lost", ["performance", "accuracy"])
    def test_a_part_that_was_never_reported(self, lost):
        """The worker said that it was done, and was not."""
        result = a_result(without(lost))
        assert not result.valid
        assert [rule.ok for rule in result.rules if rule.name == "completed"] == [False]
        mode = Mode.ACCURACY if lost == "performance" else Mode.PERFORMANCE
        assert a_result(without(lost), mode=mode).valid

    @pytest.mark.parametrize(
        ("lacks", "status", "observed"),
        [
            (["accuracy"], Status.COMPLETED, "no accuracy"),
            (["performance"], Status.COMPLETED, "no performance"),
            (["performance", "accuracy"], Status.COMPLETED, "no performance and no accuracy"),
            (["accuracy"], Status.INTERRUPTED, "interrupted"),
        ],
    )
    def test_what_is_missing_is_named(self, lacks, status, observed):
        (rule,) = (rule for rule in a_result(without(*lacks), status).rules if rule.name == "completed")
        assert (rule.ok, rule.observed, rule.required) == (False, observed, "completed")

    def test_a_worker_that_died_at_once(self):
        error = ErrorFacts(code="worker-died", summary="killed", exit_code=7)
        result = a_result({}, Status.FAILED, error)
        assert (result.valid, result.verdict) == (False, "FAILED worker-died")
        assert (result.performance, result.accuracy, result.placement, result.runtime) == (None, None, None, None)
        assert result.load.seeds["qsl"] == 1

    def test_interrupted(self):
        result = a_result(without("accuracy"), Status.INTERRUPTED)
        assert (result.valid, result.verdict) == (False, "INTERRUPTED")
        assert result.performance.queries == 1024


class TestFolder:
    def test_a_result_gets_its_name_when_it_is_whole(self, tmp_path):
        folder = store.Folder.create(tmp_path / "new" / "results", a_plan())
        assert folder.path.name.startswith(".")
        assert json.loads((folder.path / store.PLAN).read_text())["run_id"] == a_plan().run_id
        (folder.path / "work").mkdir()
        (folder.path / "work" / "compiled.bin").touch()
        folder.tidy()
        folder.commit(a_result())
        assert [path.name for path in folder.final.parent.iterdir()] == [a_plan().run_id]
        assert sorted(path.name for path in folder.final.iterdir()) == [store.EVENTS, store.PLAN, store.RESULT]
        assert store.read(folder.final) == store.read(folder.final / "result.json") == a_result()

    def test_a_discarded_folder_is_gone(self, tmp_path):
        folder = store.Folder.create(tmp_path, a_plan())
        (folder.path / "deep").mkdir()
        folder.discard()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("place", ["file", "file/below", "/proc/results", "x" * 300, "a/" * 3000 + "b"])
    def test_places_that_cannot_be_written(self, tmp_path, place):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(OutputError) as caught:
            store.Folder.create(tmp_path / place, a_plan())
        assert (caught.value.code, caught.value.exit_code) == ("output-unwritable", ExitCode.OUTPUT)
        assert "--output" in caught.value.hint
        assert (tmp_path / "file").read_text() == "mine"

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
    def test_full_from_the_start(self, tmp_path, monkeypatch, code):
        def fail(fd):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OutputError) as caught:
            store.Folder.create(tmp_path, a_plan())
        assert caught.value.code == "disk-full"
        assert list(tmp_path.iterdir()) == []

    def test_too_little_space_to_begin_with(self, tmp_path, monkeypatch):
        monkeypatch.setattr(store, "NEEDED_BYTES", 1 << 62)
        with pytest.raises(OutputError) as caught:
            store.Folder.create(tmp_path, a_plan())
        assert caught.value.code == "disk-full"
        assert list(tmp_path.iterdir()) == []

    def test_full_when_the_result_is_written(self, tmp_path, monkeypatch):
        """Half of it fits; there is no result, and nothing that looks like one."""
        folder = store.Folder.create(tmp_path, a_plan())

        @contextmanager
        def full(path):
            with whole_files.writing(path) as file:
                yield SimpleNamespace(write=lambda text: half(file, text))

        def half(file, text):
            file.write(text[:500])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(store, "writing", full)
        with pytest.raises(OutputError) as caught:
            folder.commit(a_result())
        assert caught.value.code == "disk-full"
        assert sorted(path.name for path in folder.path.iterdir()) == [store.EVENTS, store.PLAN]
        assert not folder.final.exists()

    def test_an_old_file_survives_a_failed_write(self, tmp_path):
        path = tmp_path / "x.json"
        store.write_json(path, {"old": 1})
        with pytest.raises(TypeError):
            store.write_json(path, {"new": object()})
        assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
        assert json.loads(path.read_text()) == {"old": 1}

    @pytest.mark.parametrize("name", ["modèle", "模型"])
    def test_names_in_any_script(self, tmp_path, name):
        plan = a_plan(model=ModelRef(name=name, path=f"/{name}.toy", format="toy"))
        folder = store.Folder.create(tmp_path, plan)
        folder.commit(compose(plan, sound(PARTS), Status.COMPLETED, None, str(folder.final)))
        assert store.read(folder.final).model.path == f"/{name}.toy"


class TestRead:
    @pytest.fixture
    def stored(self, tmp_path):
        path = tmp_path / store.RESULT
        store.write_json(path, a_result().to_json())
        return path

    def refusal(self, path):
        with pytest.raises(OutputError) as caught:
            store.read(path)
        assert caught.value.exit_code == ExitCode.OUTPUT
        assert str(path) in caught.value.summary
        assert len(caught.value.line()) < 1000
        return caught.value

    @pytest.mark.parametrize("name", ["absent", "absent/result.json", "x" * 300])
    def test_nothing_there(self, tmp_path, name):
        assert self.refusal(tmp_path / name).code == "no-result"

    def test_a_folder_without_a_result(self, tmp_path):
        with pytest.raises(OutputError) as caught:
            store.read(tmp_path)
        assert caught.value.code == "no-result"

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
    def test_cut_off(self, stored, share):
        data = stored.read_bytes()
        stored.write_bytes(data[: int(len(data) * share)])
        assert self.refusal(stored).code == "result-damaged"

    @pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"[" * 100_000, b"null", b"[]", b"7", b'"x"', b"9" * 10_000])
    def test_rubbish(self, stored, data):
        stored.write_bytes(data)
        assert self.refusal(stored).code == "result-damaged"

    def test_a_result_that_says_it_is_of_the_schema_before(self, stored):
        """Results of schema 1 have no observers."""
        stored.write_text(json.dumps(json.loads(stored.read_text()) | {"schema": 1}))
        assert self.refusal(stored).code == "result-damaged"

    @pytest.mark.parametrize("schema", [0, 3, "1", None, [1], True, 1.0, 2.0])
    def test_another_schema(self, stored, schema):
        told = json.loads(stored.read_text()) | {"schema": schema}
        stored.write_text(json.dumps(told))
        error = self.refusal(stored)
        assert error.code == "result-schema"
        assert repr(schema) in error.summary

    @pytest.mark.parametrize(
        ("change", "where"),
        [
            ({"surprise": 1}, "surprise"),
            ({"valid": "perhaps"}, "valid"),
            ({"performance": {"latency_ns": 5}}, "performance.latency_ns"),
            ({"status": "excellent"}, "status"),
            ({"rules": [{"name": "x"}]}, "rules.0.ok"),
            ({"load": {"min_duration_s": 1e300}}, "load.min_duration_s"),
            ({"load": {"max_duration_s": -1.0}}, "load.max_duration_s"),
        ],
    )
    def test_changed_by_hand(self, stored, change, where):
        stored.write_text(json.dumps(json.loads(stored.read_text()) | change))
        error = self.refusal(stored)
        assert error.code == "result-damaged"
        assert where in error.summary


def shown(result, full=True, width=150, listings=()):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(result_panel(result, listings=listings, full=full))
    return console.file.getvalue()


class Combos(ScenarioPart):
    """A scenario's own part."""

    columns: ClassVar = {"rate": "a rate"}
    rate: float

    def lines(self):
        return [Remark("rate", f"{self.rate}")]

    def listings(self):
        if self.rate < 0:
            raise ZeroDivisionError("a defect")
        return [
            Listing("Rates \x1b[31m", ("name", "rate"), [("a", self.rate), (None, 1234.5678), ("b" * 999, 0.00012345)])
        ]


class TestScenarioParts:
    """``performance.part``, which only its scenario can read."""

    def registry(self, name="single-stream"):
        info = SimpleNamespace(part=SimpleNamespace(load=lambda: Combos))
        return SimpleNamespace(scenarios={name: SimpleNamespace(info=info)})

    def result(self, part):
        timed = PARTS["performance"] | ({"part": part} if part else {})
        return a_result(PARTS | {"performance": timed})

    def test_a_result_has_it(self):
        """As it was measured; other results do not mention it."""
        result = self.result({"rate": 0.5})
        assert result.to_json()["performance"]["part"] == {"rate": 0.5}
        assert "part" not in self.result(None).to_json()["performance"]
        found = scenario_part.load(self.registry(), result)
        assert found.part == Combos(rate=0.5)
        assert [line.text for line in found.lines] == ["0.5"]
        assert scenario_part.columns(self.registry().scenarios["single-stream"]) == {"rate": "a rate"}

    @pytest.mark.parametrize("part", [None, {"rate": "fast"}, {"other": 1.0}, {"rate": 0.5, "more": 1}])
    def test_what_its_scenario_cannot_read_is_left_out(self, part):
        assert scenario_part.load(self.registry(), self.result(part)) is None

    def test_without_its_scenario_nothing_is_shown(self):
        assert scenario_part.load(self.registry("other"), self.result({"rate": 0.5})) is None

    def test_a_defect_costs_only_its_own_view(self):
        found = scenario_part.load(self.registry(), self.result({"rate": -1.0}))
        assert found.listings == []
        assert [line.text for line in found.lines] == ["-1.0"]
        assert [(told.label, told.text) for told in found.failed()] == [
            ("single-stream", "listings() failed: ZeroDivisionError: a defect")
        ]

    @pytest.mark.parametrize(("given", "why"), [(None, "'NoneType' object is not iterable"), (["fast"], "a Remark")])
    def test_lines_that_are_none_are_told(self, given, why, monkeypatch):
        monkeypatch.setattr(Combos, "lines", lambda self: given)
        (told,) = scenario_part.load(self.registry(), self.result({"rate": 0.5})).lines
        assert told.label == "single-stream"
        assert told.text.startswith("lines() failed: TypeError: ")
        assert why in told.text

    def test_its_tables_are_on_the_card(self):
        listings = scenario_part.load(self.registry(), self.result({"rate": 0.5})).listings
        text = shown(self.result(None), listings=listings, width=100)
        assert "Rates" in text
        assert "\x1b" not in text
        for cell in ("0.5", "1235", "0.0001234"):
            assert cell in text
        many = [Listing("Many", ("n",), [(n,) for n in range(150)])]
        assert "and 50 more rows" in shown(self.result(None), listings=many)


class TestPanel:
    def test_numbers_in_the_users_units(self):
        text = shown(a_result())
        for part in ("p50 1.500  p90 2.000  p99 3.000", "600.0 samples/s", "top-1 0.7500 of 100 samples",
                     "target 0.7448 reached (reference 0.7600)", "64 on npu, 2 on cpu (2 xnnpack)", "VALID",
                     "min-duration", "quality-target", "toy (toy 1.0) on npu", "seed schedule", "numpy"):  # fmt: skip
            assert part in text
        assert "INVALID" not in text

    @pytest.mark.parametrize(
        ("seconds", "shown_as"), [(0.0311, "3215.4 samples/s"), (10.0, "10.0 samples/s"), (160.0, "0.625 samples/s")]
    )
    def test_rates_of_slow_models_keep_their_digits(self, seconds, shown_as):
        parts = json.loads(json.dumps(PARTS))
        parts["accuracy"]["duration_s"] = seconds
        assert f"; {shown_as}" in shown(a_result(parts))

    def test_failures(self):
        error = ErrorFacts(code="worker-died", summary="it died", exit_code=7, stderr_tail="a\nlast words")
        text = shown(a_result({}, Status.FAILED, error))
        for part in ("FAILED", "worker-died: it died", "last words", "NO"):
            assert part in text

    def test_nothing_is_taken_for_markup(self):
        """Texts of plugins and runtimes stay as they are, and crash nothing."""
        odd = "[/red] [bold]x[/] [link=y]"
        parts = json.loads(json.dumps(PARTS).replace("a processor", odd))
        parts["environment"][odd] = odd
        parts["versions"][odd] = odd
        parts["backend"]["runtime"] = odd
        parts["placement"]["operations"][odd] = 1
        parts["performance"]["rules"] = [{"name": odd, "ok": False, "observed": odd, "required": odd, "note": odd}]
        parts["accuracy"]["metric"] = odd
        error = ErrorFacts(code="worker-died", summary=odd, exit_code=7, stderr_tail=odd)
        plan = a_plan(task=odd, scenario=odd, backend=odd, model=ModelRef(name=odd, path="/m", format="toy"))
        text = shown(compose(plan, sound(parts), Status.FAILED, error, odd), width=400)
        assert text.count(odd) >= 18

    @pytest.mark.parametrize(
        ("part", "value"),
        [
            ("placement", {"operations": {"cpu": 1}}),
            ("performance", PARTS["performance"] | {"loadgen": {"note": "a load generator of its own"}}),
            ("performance", PARTS["performance"] | {"latency_ns": {}}),
            ("accuracy", PARTS["accuracy"] | {"duration_s": 0.0}),
        ],
    )
    def test_parts_of_another_shape(self, part, value):
        """A scenario may come with a load generator of its own, and a file may have been changed by hand."""
        assert "task" in shown(a_result(PARTS | {part: value}))

    def test_a_target_without_a_reference(self):
        result = a_result()
        told = result.to_json()
        told["accuracy"]["reference"] = None
        assert "target 0.7448" in shown(Result.model_validate(told))

    def test_text_that_no_terminal_can_print(self):
        assert "task" in shown(a_result(PARTS | {"environment": {"x": "\ud800"}})).encode("utf-8", "replace").decode()


def test_plan_text_names_sources():
    text = plan_text(a_plan())
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.startswith("  ")}
    assert lines["batch"] == ["1", "run.yaml:1:1"]
    assert lines["warmup_s"] == ["0.5", "defaults"]
    assert lines["seeds.qsl"][0] == "1"
    assert lines["backend_options.threads"][0] == "4"
    assert "target top-1 0.7448" in text
    assert "at least 1 s" in text
    assert "accuracy run" not in plan_text(a_plan(mode=Mode.PERFORMANCE))


class TestUnsoundParts:
    """What a plugin reports and no result can hold fails the run, and costs nothing else that was measured."""

    @pytest.mark.parametrize(
        ("part", "value"),
        [
            ("report", {"npu": {"cycles": float("nan")}}),
            ("report", ["not", "by", "accelerator"]),
            ("placement", {"operations": {"npu": "many"}}),
            ("system", {"sessions": 2**70}),
            ("environment", {"driver": {"version": 3}}),
            ("backend", {"runtime": 3}),
            ("backend", {"versions": {"sdk": 2}}),
            ("model", {"bytes": -(2**70)}),
        ],
    )
    def test_the_numbers_stay(self, tmp_path, part, value):
        ending = recompose.Ending(Status.COMPLETED, None, "/results/x")
        result = recompose.of_journal(
            tmp_path, a_plan(), recompose.Journal(ended=True, parts=PARTS | {part: value}), ending, {}
        )
        assert (result.status, result.error.code, result.valid) == (Status.FAILED, "plugin-broken", False)
        assert part in result.error.summary
        who = "a plugin" if part in ("environment", "model") else "backend toy"
        assert result.error.summary.startswith(f"{who} reported an invalid value: ")
        assert result.performance.latency_ns["p90"] == 2e6
        assert result.accuracy.value == 0.75

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), "fast", None])
    def test_an_invalid_number_is_left_out(self, tmp_path, value):
        ending = recompose.Ending(Status.COMPLETED, None, "/results/x")
        parts = PARTS | {"performance": PARTS["performance"] | {"throughput": value}}
        result = recompose.of_journal(tmp_path, a_plan(), recompose.Journal(ended=True, parts=parts), ending, {})
        assert (result.status, result.error.code, result.performance) == (Status.FAILED, "plugin-broken", None)
        assert result.error.summary.startswith("scenario single-stream reported an invalid value: performance.")
        assert result.accuracy.value == 0.75

    def test_a_worker_names_parts_that_have_a_type(self):
        assert set(Parts.model_fields) - {"telemetry"} == set(get_args(events.PartName))  # of earlier versions


def test_a_rule_name_belongs_to_the_first_observer():
    rules = [RuleResult(name=name, ok=True, observed=1, required=1) for name in ("power", "heat")]
    found = Observed()
    found.add("meter", Observed(parts={"meter": {}}, rules=rules[:1]))
    found.add("camera", Observed(parts={"camera": {}}, rules=rules))
    assert (list(found.parts), found.rules) == (["meter", "camera"], rules)
    assert found.warnings == ["observer camera: another observer adds a rule power; only the first one counts"]
