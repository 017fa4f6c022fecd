"""The conformance tests of a scenario; each run is in a separate process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from mlperf_mobile.plugin import ScenarioInfo
from mlperf_mobile.testing.kit import Conformance, lacks

__all__ = ["ScenarioConformance"]


class ScenarioConformance(Conformance):
    """Subclass once per scenario; define ``plugin_module`` and ``info``."""

    @pytest.fixture
    def info(self) -> ScenarioInfo:
        raise NotImplementedError

    scenario_options: Mapping[str, Any] = MappingProxyType({})
    """Options of the scenario for the tests: a rate, for one whose queries arrive on a schedule of at least 100 and at
    most 500 queries per second."""

    @pytest.fixture
    def logs(self, tmp_path: Path) -> Path:
        """The folder for LoadGen's logs."""
        folder = tmp_path / "logs"
        folder.mkdir()
        return folder

    def drive(self, info: ScenarioInfo, logs: Path, **settings: Any) -> dict[str, Any]:
        """Run the scenario against a stand-in system; see :mod:`mlperf_mobile.testing.stand_in`."""
        if info.tokens:
            lacks("tokens", "the scenario is for language models, and the stand-in system runs no language model")
        request = {"scenario": info.scenario.path, "logs": str(logs), **settings}
        if info.options:
            request |= {"options": info.options.path, "given": {**self.scenario_options, **settings.get("given", {})}}
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(str(Path(each).absolute()) for each in sys.path if each)
        }
        done = subprocess.run(
            [sys.executable, "-m", "mlperf_mobile.testing.stand_in"],
            input=json.dumps(request), capture_output=True, text=True, check=False, timeout=240, env=environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return report

    def test_settings_give_the_three_rules(self, info: ScenarioInfo) -> None:
        """``normal``, ``quick`` and ``rapid`` each have a count and durations."""
        from mlperf_mobile.config.document import read_resource
        from mlperf_mobile.terms import Counts

        layer = read_resource(info.settings, info.name)
        for rules in ("normal", "quick", "rapid"):
            for key in Counts.model_fields:
                assert f"runs.{info.name}.{rules}.{key}" in layer

    def test_answers_at_least_the_minimum(self, info: ScenarioInfo, logs: Path) -> None:
        """At least the minimum count is completed, and every sample has its latency."""
        report = self.drive(info, logs, min_query_count=300)
        assert report["samples"] >= 300
        assert report["answered"] == report["samples"] == report["latencies"]

    def test_runs_at_least_the_minimum_duration(self, info: ScenarioInfo, logs: Path) -> None:
        """The timed region lasts at least the minimum duration."""
        report = self.drive(info, logs, min_query_count=1, min_duration_s=0.4, latency_s=0.002)
        assert report["duration_s"] >= 0.4

    def test_uses_loaded_samples_only(self, info: ScenarioInfo, logs: Path) -> None:
        """Samples are loaded before they are issued, at most the performance sample count."""
        report = self.drive(info, logs, min_query_count=200, performance_sample_count=7)
        assert report["unloaded_used"] == 0
        assert report["most_loaded"] <= 7
        assert set(report["issued"]) <= set(report["loaded"])

    def test_seeds_decide_the_order(self, info: ScenarioInfo, logs: Path) -> None:
        """The same seeds issue the same samples, and other seeds other samples."""
        first = self.drive(info, logs, min_query_count=100, sessions=1)["issued"][:100]
        again = self.drive(info, logs, min_query_count=100, sessions=1)["issued"][:100]
        other = self.drive(info, logs, min_query_count=100, sessions=1, seed=99)["issued"][:100]
        assert first == again
        assert first != other

    def test_threads_outlive_the_run(self, info: ScenarioInfo, logs: Path) -> None:
        """No thread that completed queries has ended: LoadGen may crash then; see :mod:`mlperf_mobile.threads`."""
        assert self.drive(info, logs, min_query_count=300, sessions=3, batch=2)["ended_threads"] == 0

    def test_never_pads(self, info: ScenarioInfo, logs: Path) -> None:
        """With a batch that does not divide the count, no sample is counted twice."""
        report = self.drive(info, logs, min_query_count=101, batch=4, sessions=2)
        assert report["answered"] == report["samples"] == report["latencies"]
        assert report["samples"] >= 101

    def test_measures_what_the_system_takes(self, info: ScenarioInfo, logs: Path) -> None:
        """Latency and throughput are those of a system of known speed: 2 ms per sample, one session."""
        report = self.drive(info, logs, min_query_count=100, latency_s=0.002, sessions=1)
        assert report["latency_ns"]["min"] >= 2e6
        assert 10 < report["throughput"] <= 500
        assert report["throughput"] == pytest.approx(report["samples"] / report["duration_s"], rel=0.01)

    def test_reports_the_latencies_a_result_needs(self, info: ScenarioInfo, logs: Path) -> None:
        """``p50 p90 p99 mean min max`` are consistent."""
        latency = self.drive(info, logs, min_query_count=100)["latency_ns"]
        assert latency["min"] <= latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
        assert latency["min"] <= latency["mean"] <= latency["max"]

    def test_reports_its_score(self, info: ScenarioInfo, logs: Path) -> None:
        """A score above zero; a percentile lies between the minimum and the maximum latency."""
        report = self.drive(info, logs, min_query_count=100)
        score = report["score"]
        assert score is not None
        assert score["value"] > 0
        if score["percentile"] is not None and score["unit"] == "ns":
            assert report["latency_ns"]["min"] <= score["value"] <= report["latency_ns"]["max"]

    def test_arrivals_belong_to_latencies(self, info: ScenarioInfo, logs: Path) -> None:
        """One time of arrival for each latency, and if they arrive on a schedule, the reported rate."""
        report = self.drive(info, logs, min_query_count=200)
        arrivals, rate = report["arrivals_ns"], report["rate"]
        if not arrivals:
            assert rate is None
            pytest.skip("the scenario does not report when its queries arrive")
        assert len(arrivals) == report["samples"]
        assert min(arrivals) == 0
        assert max(arrivals) / 1e9 <= report["duration_s"]
        if rate is None:
            return
        assert (len(arrivals) - 1) / max(arrivals) * 1e9 == pytest.approx(rate["scheduled"], rel=0.05)
        assert rate["target"] == pytest.approx(rate["scheduled"], rel=0.5)

    def test_names_the_rules(self, info: ScenarioInfo, logs: Path) -> None:
        """The rules are minimum count, minimum and maximum duration, with observed and required values."""
        rules = self.drive(info, logs, min_query_count=100)["rules"]
        assert {"min-query-count", "min-duration", "max-duration"} <= set(rules)
        assert rules["min-query-count"]["required"] == 100
        for name, rule in rules.items():
            assert rule["ok"], f"rule {name} is broken: observed {rule['observed']}, required {rule['required']}"

    def test_reports_its_first_and_last_calls(self, info: ScenarioInfo, logs: Path) -> None:
        """The first and last calls of a session, if the scenario reports them, have their real responses."""
        for number, settings in enumerate(({"sessions": 1}, {"sessions": 2, "batch": 4})):
            folder = logs / str(number)
            folder.mkdir()
            report = self.drive(info, folder, min_query_count=101, **settings)
            if not report["answered_calls"]:
                lacks("answered-calls", "the scenario does not report its calls")
            for session, indices, responses in report["answered_calls"]:
                assert 0 <= session < settings["sessions"]
                assert 1 <= len(indices) <= settings.get("batch", 1)
                assert responses == [index.to_bytes(4, "little").hex() for index in indices]
            if settings["sessions"] == 1:
                ends = [report["answered_calls"][0][1][0], report["answered_calls"][-1][1][-1]]
                assert ends == [report["issued"][0], report["issued"][report["answered"] - 1]]

    def test_failures_are_raised(self, info: ScenarioInfo, logs: Path) -> None:
        """An error of the system in any thread ends the run, and is raised."""
        for sessions in (1, 2):
            report = self.drive(info, logs, min_query_count=5000, sessions=sessions, fail_after=50)
            assert report["raised"] == "BackendError"
            assert report["answered"] < 5000

    def test_writes_into_its_folder_only(
        self, info: ScenarioInfo, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Logs are written to the requested folder only."""
        here = tmp_path / "here"
        here.mkdir()
        monkeypatch.chdir(here)
        self.drive(info, logs, min_query_count=64)
        assert not list(here.iterdir())
