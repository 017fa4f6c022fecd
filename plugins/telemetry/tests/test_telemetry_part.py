"""What is said of a recording: rules of a round, lines on the card, cells and graphs of a report."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from mlperf_mobile.contracts import Rule
from mlperf_mobile_telemetry import timeline
from mlperf_mobile_telemetry.part import Telemetry

HOT = {
    "temperature": {"sensor": "soc", "first_celsius": 31.0, "max_celsius": 72.5, "last_celsius": 70.0},
    "throttled": True, "evidence": ["cooling device cpu rose from 0 to 3"], "external_power": False,
    "energy": [{"source": "battery", "includes": "all of it", "joules_per_inference": 0.012, "watts": 4.0}],
    "battery_drop_percent": 2.0, "interval_s": 1.0, "rows": 60,
}  # fmt: skip


def plan(official=True, has_performance=True):
    return SimpleNamespace(official=object() if official else None, has_performance=has_performance)


def submission(name, ok, observed, required, note=""):
    return Rule(name, ok, observed, required, note, "submission")


@pytest.mark.parametrize(
    ("told", "rules"),
    [
        ({}, []),
        ({"external_power": True}, [submission("on-battery", False, "external power", "battery")]),
        ({"external_power": False}, [submission("on-battery", True, "battery", "battery")]),
        ({"throttled": False}, [submission("no-throttling", True, False, False)]),
        ({"throttled": True, "evidence": ["a", "b"]}, [submission("no-throttling", False, True, False, "a; b")]),
    ],
)
def test_rules_of_a_round(told, rules):
    assert [*Telemetry.model_validate(told).rules(plan())] == rules


@pytest.mark.parametrize("other", [plan(official=False), plan(has_performance=False)])
def test_other_runs_have_no_rules(other):
    assert [*Telemetry.model_validate(HOT).rules(other)] == []


def test_the_card():
    told = {line.label: line.text for line in Telemetry.model_validate(HOT).lines()}
    assert told == {
        "temperature": "soc: first 31.0 °C  max 72.5 °C  last 70.0 °C",
        "THROTTLED": "cooling device cpu rose from 0 to 3",
        "energy": "12 mJ per inference, 4 W by battery (all of it)",
    }


def test_the_report():
    told = Telemetry.model_validate(HOT)
    assert {remark.label: remark.text for remark in told.facts()} == {
        "THROTTLED": "cooling device cpu rose from 0 to 3", "throttled": "yes",
        "hottest sensor": "soc: 31 → 72.5 → 70 °C (first, highest, last)",
        "energy by battery": "0.012 J per inference, 4 W; all of it", "external power": "on battery",
        "battery": "2 % less at the end", "recorded": "60 rows, initially one every 1 s",
    }  # fmt: skip
    assert [remark.label for remark in told.facts() if remark.alarm] == ["THROTTLED"]
    assert told.values() == {
        "throttled": True,
        "hottest_celsius": 72.5,
        "joules_per_inference": 0.012,
        "joules_per_token": None,
    }
    assert told.values().keys() == told.columns.keys()


def test_nothing_is_known():
    told = Telemetry()
    assert [*told.lines()] == []
    assert {remark.label: remark.text for remark in told.facts()}["throttled"].startswith("unknown")
    assert set(told.values().values()) == {None}


class TestGraphs:
    def recorded(self, folder, **series):
        rows = [
            {"t_s": float(n), "samples": min(max(n - 1, 0), 27) * 10, **{name: of(n) for name, of in series.items()}}
            for n in range(30)
        ]
        (folder / timeline.FILE).write_text("".join(f"{json.dumps(row)}\n" for row in [{"telemetry": 1}, *rows]))

    def test_one_for_each_kind(self, tmp_path):
        self.recorded(tmp_path, **{
            "temperature.soc_celsius": lambda n: 40.0 + n, "frequency.policy0_mhz": lambda n: 2000.0,
            "energy.rapl.package-0_joules": lambda n: 3.0 * n, "battery.BAT0_percent": lambda n: 80.0 - n / 30,
        })  # fmt: skip
        graphs = [*Telemetry().graphs(tmp_path)]
        assert [f"{graph.title}, {graph.unit}" for graph in graphs] == [
            "Temperature, °C", "Frequency, MHz", "Power, W", "Speed, samples/s", "Battery level, %",
        ]  # fmt: skip
        assert set(graphs[2].lines["rapl.package-0"][1]) == {3.0}
        assert set(graphs[3].lines["answered samples"][1]) == {10.0}
        assert {graph.timed for graph in graphs} == {(1.0, 28.0)}

    def test_evidence_of_throttling_is_marked(self, tmp_path):
        self.recorded(tmp_path, **{"temperature.soc_celsius": lambda n: 40.0})
        told = Telemetry.model_validate({
            "throttling": {"events": [{"kind": "frequency-cap", "at_s": 12.0}, {"kind": "firmware"}]}
        })  # fmt: skip
        assert [graph.marks for graph in told.graphs(tmp_path)] == [[(12.0, "frequency-cap")]] * 2

    def test_no_recording_is_no_graph(self, tmp_path):
        assert [*Telemetry().graphs(tmp_path)] == []


def test_a_folder_without_a_recording_has_no_part(tmp_path):
    assert Telemetry.of(tmp_path) is None


def test_trouble_is_read_back(tmp_path):
    """Of a source that failed, and is missing from the rows that follow."""
    rows = [{"telemetry": 1}, {"t_s": 0, "samples": 0}, {"trouble": "ValueError: x"}, {"t_s": 1, "samples": 1}]
    (tmp_path / timeline.FILE).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    told = Telemetry.of(tmp_path)
    assert (told.trouble, told.rows) == ("ValueError: x", 2)
