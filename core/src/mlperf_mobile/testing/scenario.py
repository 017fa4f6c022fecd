"""Every scenario passes these tests to be called conformant; each run is in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlperf_mobile.plugin import ScenarioInfo
from mlperf_mobile.testing.kit import Conformance

__all__ = ["ScenarioConformance"]


class ScenarioConformance(Conformance):
    """Subclass once per scenario; give ``plugin_module`` and ``info``."""

    @pytest.fixture
    def info(self) -> ScenarioInfo:
        raise NotImplementedError

    @pytest.fixture
    def logs(self, tmp_path: Path) -> Path:
        """The folder for the load generator's logs."""
        folder = tmp_path / "logs"
        folder.mkdir()
        return folder

    def drive(self, info: ScenarioInfo, logs: Path, **settings: Any) -> dict[str, Any]:
        """Run the scenario against a stand-in system; see :mod:`mlperf_mobile.testing.stand_in`."""
        request = {"scenario": info.scenario.path, "logs": str(logs), **settings}
        if info.options:
            request["options"] = info.options.path
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run(
            [sys.executable, "-m", "mlperf_mobile.testing.stand_in"],
            input=json.dumps(request), capture_output=True, text=True, check=False, timeout=240, env=environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return told

    def test_settings_give_the_three_rules(self, info: ScenarioInfo) -> None:
        """``normal``, ``quick`` and ``rapid`` each have a count and durations."""
        from mlperf_mobile.config.document import read_resource
        from mlperf_mobile.terms import Counts

        layer = read_resource(info.settings, info.name)
        for rules in ("normal", "quick", "rapid"):
            for key in Counts.model_fields:
                assert f"runs.{info.name}.{rules}.{key}" in layer

    def test_answers_at_least_the_minimum(self, info: ScenarioInfo, logs: Path) -> None:
        """The minimum count is answered, and every answer has its latency."""
        told = self.drive(info, logs, min_query_count=300)
        assert told["samples"] >= 300
        assert told["answered"] == told["samples"] == told["latencies"]

    def test_runs_at_least_the_minimum_duration(self, info: ScenarioInfo, logs: Path) -> None:
        """The timed region lasts as long as asked."""
        told = self.drive(info, logs, min_query_count=1, min_duration_s=0.4, latency_s=0.002)
        assert told["duration_s"] >= 0.4

    def test_uses_loaded_samples_only(self, info: ScenarioInfo, logs: Path) -> None:
        """Samples are loaded before they are asked for, no more of them than the performance sample count."""
        told = self.drive(info, logs, min_query_count=200, performance_sample_count=7)
        assert told["unloaded_used"] == 0
        assert told["most_loaded"] <= 7
        assert set(told["issued"]) <= set(told["loaded"])

    def test_seeds_decide_the_order(self, info: ScenarioInfo, logs: Path) -> None:
        """The same seeds issue the same samples; other seeds others."""
        first = self.drive(info, logs, min_query_count=100, sessions=1)["issued"][:100]
        again = self.drive(info, logs, min_query_count=100, sessions=1)["issued"][:100]
        other = self.drive(info, logs, min_query_count=100, sessions=1, seed=99)["issued"][:100]
        assert first == again
        assert first != other

    def test_never_pads(self, info: ScenarioInfo, logs: Path) -> None:
        """With a batch that does not divide the count, no sample is counted twice."""
        told = self.drive(info, logs, min_query_count=101, batch=4, sessions=2)
        assert told["answered"] == told["samples"] == told["latencies"]
        assert told["samples"] >= 101

    def test_measures_what_the_system_takes(self, info: ScenarioInfo, logs: Path) -> None:
        """Latency and throughput are those of a system of known speed: 2 ms a sample, one session."""
        told = self.drive(info, logs, min_query_count=100, latency_s=0.002, sessions=1)
        assert told["latency_ns"]["min"] >= 2e6
        assert 10 < told["throughput"] <= 500
        assert told["throughput"] == pytest.approx(told["samples"] / told["duration_s"], rel=0.01)

    def test_reports_the_latencies_a_result_needs(self, info: ScenarioInfo, logs: Path) -> None:
        """``p50 p90 p99 mean min max``, in order of size."""
        latency = self.drive(info, logs, min_query_count=100)["latency_ns"]
        assert latency["min"] <= latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
        assert latency["min"] <= latency["mean"] <= latency["max"]

    def test_says_what_its_score_is(self, info: ScenarioInfo, logs: Path) -> None:
        """A number over zero; a percentile lies between the least and the greatest latency."""
        told = self.drive(info, logs, min_query_count=100)
        score = told["score"]
        assert score is not None
        assert score["value"] > 0
        if score["percentile"] is not None and score["unit"] == "ns":
            assert told["latency_ns"]["min"] <= score["value"] <= told["latency_ns"]["max"]

    def test_names_the_rules(self, info: ScenarioInfo, logs: Path) -> None:
        """Minimum count, minimum and maximum duration are told with what was seen and what is required."""
        rules = self.drive(info, logs, min_query_count=100)["rules"]
        assert {"min-query-count", "min-duration", "max-duration"} <= set(rules)
        assert rules["min-query-count"]["required"] == 100
        assert all(rule["ok"] for rule in rules.values())

    def test_tells_what_it_answered_first_and_last(self, info: ScenarioInfo, logs: Path) -> None:
        """A scenario that tells which calls were the first and the last of a session tells their real responses."""
        for number, settings in enumerate(({"sessions": 1}, {"sessions": 2, "batch": 4})):
            folder = logs / str(number)
            folder.mkdir()
            told = self.drive(info, folder, min_query_count=101, **settings)
            if not told["told"]:
                pytest.skip("the scenario does not tell")
            for session, indices, responses in told["told"]:
                assert 0 <= session < settings["sessions"]
                assert 1 <= len(indices) <= settings.get("batch", 1)
                assert responses == [index.to_bytes(4, "little").hex() for index in indices]
            if settings["sessions"] == 1:
                ends = [told["told"][0][1][0], told["told"][-1][1][-1]]
                assert ends == [told["issued"][0], told["issued"][told["answered"] - 1]]

    def test_failures_come_out(self, info: ScenarioInfo, logs: Path) -> None:
        """An error of the system ends the run, whichever thread it came up in, and is raised."""
        for sessions in (1, 2):
            told = self.drive(info, logs, min_query_count=5000, sessions=sessions, fail_after=50)
            assert told["raised"] == "BackendError"
            assert told["answered"] < 5000

    def test_writes_into_its_folder_only(self, info: ScenarioInfo, logs: Path) -> None:
        """Logs go where they were asked to go."""
        before = set(Path.cwd().iterdir())
        self.drive(info, logs, min_query_count=64)
        assert set(Path.cwd().iterdir()) == before
