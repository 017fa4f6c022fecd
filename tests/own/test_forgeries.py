"""Edits of plan or journal, with result and digests renewed to fit: logs and other sources contradict them."""

from __future__ import annotations

import json
from array import array
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from mlperf_mobile.results import store
from mlperf_mobile.results.measured import DevicePart
from mlperf_mobile.results.model import Status
from mlperf_mobile.results.recompose import Ending, read_journal, recompose
from mlperf_mobile_rounds.official.checks import own_dates
from mlperf_mobile_rounds.official.checks.own import Checker
from mlperf_mobile_rounds.official.findings import Report, Severity


def renew(folder):
    """Write the result that plan, journal and files give, with fresh digests: no field and no digest is wrong then."""
    result = recompose(folder, Ending(Status.INTERRUPTED, None, ""))
    (folder / "result.json").write_text(json.dumps(result.to_json()))


def part(name, *place, value):
    """Change a value of a part that the worker measured."""

    def spoil(folder):
        path = folder / "events.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        (event,) = [line for line in lines if line.get("part") == name]
        change(event["value"], place, value)
        path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))

    return spoil


def unreported(*names):
    """Remove events: parts, phases or kinds."""

    def spoil(folder):
        path = folder / "events.jsonl"
        kept = [
            line
            for line in path.read_text().splitlines(keepends=True)
            if not {(event := json.loads(line))["event"], event.get("part"), event.get("name")}.intersection(names)
        ]
        assert len(kept) < len(path.read_text().splitlines())
        path.write_text("".join(kept))

    return spoil


def blind(folder):
    """Nobody saw whether the run was paused."""
    unreported("stops")(folder)
    part("interruptions", "waiting", value=None)(folder)


def twice(folder):
    """Two sessions in place of one."""
    part("system", "accelerators", value=lambda counts: dict.fromkeys(counts, 2))(folder)
    part("system", "sessions", value=2)(folder)


def no_telemetry(folder):
    """Remove the readings and the part that was made of them."""
    part("observed", "parts", value={})(folder)
    (folder / "telemetry.jsonl").unlink()


def plan(*place, value):
    """Change a value of the plan."""

    def spoil(folder):
        data = json.loads((folder / "plan.json").read_text())
        change(data, place, value)
        (folder / "plan.json").write_text(json.dumps(data))

    return spoil


def change(data, place, value):
    for key in place[:-1]:
        data = data[key]
    old = data[place[-1]]
    data[place[-1]] = value(old) if callable(value) else value
    assert data[place[-1]] != old


def text(name, old, new):
    """Change a text in a file, once."""

    def spoil(folder):
        path = folder / name
        whole = path.read_text()
        assert old in whole
        path.write_text(whole.replace(old, new, 1))

    return spoil


def without(name):
    """Rules without one of them."""
    return lambda rules: [rule for rule in rules if rule["name"] != name]


def faster(path):
    """Each latency a little shorter."""
    values = array("q", path.read_bytes())
    path.write_bytes(array("q", [value - 1 for value in values]).tobytes())


def fast(path):
    """All latencies below the median as short as the shortest, which no percentile shows."""
    values = array("q", path.read_bytes())
    ordered = sorted(values)
    least, median = ordered[0], ordered[len(values) // 2]
    path.write_bytes(array("q", [least if value < median else value for value in values]).tobytes())


DETAIL = "performance/mlperf_log_detail.txt"
P90, SEED = '"result_90.00_percentile_latency_ns", "value": ', '"effective_qsl_rng_seed", "value": '
TIME, INDEX = '"t_s": ', '"qsl_idx" : '
FORGED = {
    "p50": ("own-logs", part("performance", "latency_ns", "p50", value=lambda ns: ns * 0.9)),
    "p90": ("own-logs", part("performance", "latency_ns", "p90", value=lambda ns: ns * 0.9)),
    "p99.9": ("own-logs", part("performance", "latency_ns", "p99_9", value=lambda ns: ns * 0.9)),
    "the mean": ("own-logs", part("performance", "latency_ns", "mean", value=lambda ns: ns * 0.9)),
    "the target percentile": ("own-logs", part("performance", "latency_ns", "target_percentile", value=1.0)),
    "throughput": ("own-latencies", part("performance", "throughput", value=lambda rate: rate * 2)),
    "samples": ("own-latencies", part("performance", "samples", value=lambda count: count + 1)),
    "duration": ("own-latencies", part("performance", "duration_s", value=lambda seconds: seconds / 2)),
    "LoadGen's verdict": ("own-logs", part("performance", "loadgen", "valid", value=lambda valid: not valid)),
    "LoadGen's version": ("own-logs", part("performance", "loadgen", "version", value="9.9")),
    "a rule": ("own-verdict", part("performance", "rules", 0, "ok", value=lambda ok: not ok)),
    "no rules": ("own-verdict", part("performance", "rules", value=[])),
    "a missing rule": ("own-verdict", part("performance", "rules", value=without("early-stopping"))),
    "another missing rule": ("own-verdict", part("performance", "rules", value=without("min-query-count"))),
    "another rule's name": ("own-verdict", part("performance", "rules", 3, "name", value="more")),
    "a rule's observation": ("own-verdict", part("performance", "rules", 1, "observed", value=lambda n: n + 1)),
    "a rule's requirement": ("own-verdict", part("performance", "rules", 0, "required", value=0.001)),
    "no pauses": ("own-journal", unreported("interruptions", "stops")),
    "no pauses of the worker": ("own-journal", unreported("interruptions")),
    "no pauses, and nobody to see them": ("own-journal", blind),
    "no repeated responses": ("own-journal", unreported("repeated")),
    "no beginning": ("own-journal", unreported("started")),
    "no end": ("own-journal", unreported("ended")),
    "no phases": ("own-journal", unreported("phase")),
    "no observers": ("own-journal", unreported("observed")),
    "no telemetry": ("own-journal", no_telemetry),
    "another model": ("own-plan", part("model", "sha256", value="0" * 64)),
    "no digest of the model": ("own-journal", part("model", "sha256", value=None)),
    "another accelerator": ("own-journal", part("system", "accelerators", value={"npu": 1})),
    "more sessions": ("own-journal", part("system", "accelerators", value={"cpu": 2})),
    "twice the sessions": ("own-journal", twice),
    "a larger batch": ("own-journal", part("system", "batch", value=8)),
    "another name of the run": ("own-dates", plan("run_id", value=lambda name: name[:-1] + "z")),
    "an error of LoadGen": ("own-logs", part("performance", "loadgen", "errors", value=["more"])),
    "telemetry": ("own-telemetry", part("observed", "parts", "telemetry", "rows", value=lambda rows: rows + 1)),
    "accuracy": ("accuracy-recomputed", part("accuracy", "value", value=0.5)),
    "scored samples": ("accuracy-recomputed", part("accuracy", "samples", value=99)),
    "samples of the data set": ("own-logs", part("system", "samples_in_data_set", value=1000)),
    "a seed": ("own-logs", plan("load", "seeds", "qsl", value=5)),
    "the least duration": ("own-logs", plan("load", "min_duration_s", value=0.01)),
    "the least count": ("own-logs", plan("load", "min_query_count", value=1)),
    "the percentile": ("own-logs", plan("load", "percentile", value=0.5)),
    "the target": ("own-plan", plan("quality", "reference", value=0.5)),
    "the model's name": ("own-plan", plan("model", "name", value="mobilenet")),
    "the data set": ("own-plan", plan("dataset", "name", value="imagenet")),
    "the rules": ("own-plan", plan("rules", value="rapid")),
    "the rules of a count": ("own-plan", plan("sources", "max_duration_s", value="task product:14:57 (rules rapid)")),
    "early stopping": ("own-plan", plan("load", "early_stopping", value="ignored")),
    "a source": ("own-plan", plan("sources", "quality.reference", value="suite mlperf:1:1")),
    "an unknown source": ("own-plan", plan("sources", "warmup_s", value="task product:1:1")),
    "no source": ("own-plan", plan("sources", value=lambda old: {k: v for k, v in old.items() if k != "model"})),
    "the date": ("own-dates", plan("created", value="2031-01-01T00:00:00+00:00")),
    "the run's name": ("own-dates", plan("run_id", value="20310101T000000-product-single-stream-0a1b2c3d")),
    "rows": ("own-telemetry", text("telemetry.jsonl", TIME, TIME + "1")),
    "an interval": ("own-telemetry", text("telemetry.jsonl", '"interval_s": 0', '"interval_s": 1')),
    "latencies": ("own-latencies", lambda folder: (folder / "latencies.bin").write_bytes(bytes(8))),
    "faster latencies": ("own-latencies", lambda folder: faster(folder / "latencies.bin")),
    "fast latencies below the median": ("own-latencies", lambda folder: fast(folder / "latencies.bin")),
    "the p90 of a log": ("own-logs", text(DETAIL, P90, P90 + "1")),
    "the seed of a log": ("own-logs", text(DETAIL, SEED, SEED + "1")),
    "a log's date": ("own-dates", text(DETAIL, '"test_datetime", "value": "2', '"test_datetime", "value": "3')),
    "an answer": ("accuracy-recomputed", text("accuracy/mlperf_log_accuracy.json", INDEX + "5,", INDEX + "6,")),
}  # fmt: skip


@pytest.fixture
def checker(registry):
    return Checker(registry)


@pytest.mark.parametrize("name", FORGED)
def test_a_forgery_that_fits_is_contradicted_by_a_source(name, made, copied, checker):
    rule, spoil = FORGED[name]
    folder = copied(made["both"])
    spoil(folder)
    renew(folder)
    report = Report(folder)
    checker.check(folder, report)
    errors = {f.rule for f in report.findings if f.severity is Severity.ERROR}
    assert rule in errors, report.findings
    assert "own-fields" not in errors


def test_renewing_alone_changes_nothing(made, copied, checker):
    folder = copied(made["both"])
    before = json.loads((folder / "result.json").read_text())
    renew(folder)
    assert json.loads((folder / "result.json").read_text()) == before


@pytest.mark.parametrize(("ahead_s", "errors"), [(7200.0, 0), (7150.0, 0), (0.0, 1), (-7200.0, 1), ("7200", 1)])
def test_a_log_of_a_device_whose_clock_is_two_hours_ahead(made, ahead_s, errors):
    """The difference that was measured is part of the result; the journal has the host's time."""
    folder = made["both"]
    device = DevicePart.model_construct(address="adb:1", more={"clock.ahead_s": ahead_s})
    result = store.read(folder).model_copy(update={"device": device})
    said = datetime.fromtimestamp(read_journal(folder / store.EVENTS).first + 7200, UTC)
    log = SimpleNamespace(text=lambda key: f"{said:%Y-%m-%dT%H:%M:%SZ}", path=folder, line=lambda key: 1)
    report = Report(folder)
    own_dates.check(folder, result, read_journal(folder / store.EVENTS), {"performance": log}, report)
    assert len([f for f in report.findings if f.severity is Severity.ERROR]) == errors
