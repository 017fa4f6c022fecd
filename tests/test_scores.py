"""Runs are compared by the score that their scenario reports, a plugin's scenario too; without one they are not."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

import mlperf_mobile
from mlperf_mobile.results import latencies
from mlperf_mobile.scenarios import plugin

SOURCES = Path(mlperf_mobile.__file__).parent
RUN = ("--backend", "toy", "--mode", "performance", "--quiet", "--set", "warmup_s=0", "--set", "sleep_s=0.0005",
       "--set", "min_duration_s=0.05")  # fmt: skip

PLUGIN = """
    from mlperf_mobile.plugin import Ref, ScenarioInfo, hookimpl

    @hookimpl
    def mlperf_mobile_scenarios():
        for name in ("bursts", "arrivals", "scoreless"):
            yield ScenarioInfo(name=name, summary="a test", scenario=Ref(f"load_parts:{name.title()}"),
                               settings=f"load_parts:{name}.yaml", hook_api=(2, 0))
"""
PARTS = '''
    """LoadGen's MultiStream, scored by the 99th percentile, and its Server, scored by queries per second."""

    from dataclasses import replace

    from mlperf_mobile import loadgen, rules
    from mlperf_mobile.contracts import Measurement, PerformanceScore
    from mlperf_mobile.performance_score import latency


    class Bursts:
        parallel = False
        mode, size = "MultiStream", 4

        def __init__(self, options):
            pass

        def run(self, system, load, latencies_ns, logs):
            settings = loadgen.performance_settings(self.mode, load)
            settings.multi_stream_samples_per_query = self.size
            settings.multi_stream_expected_latency_ns = load.expected_latency_ns * self.size
            settings.server_target_qps = 400
            settings.server_target_latency_ns = 10**9
            responder = loadgen.Responder()

            def issue(ids, indices):
                responses = [system.answer(index) for index in indices]
                responder.complete_all(ids, responses)
                latencies_ns.extend([1] * len(ids))  # a placeholder: LoadGen's own come in their place

            details = loadgen.run(settings, loadgen.SampleLibrary.of(system, load), issue, logs, latencies_ns)
            samples = len(latencies_ns)
            duration = sum(latencies_ns) / 1e9 / self.size
            return Measurement(
                latency_ns=loadgen.latencies(details), throughput=samples / duration,
                queries=details["result_query_count"], samples=samples, duration_s=duration,
                rules=(rules.min_query_count(details["result_query_count"], load),),
                loadgen=loadgen.verdict(details), score=self.score(details),
                latency_source=loadgen.latency_source(details),
            )

        def score(self, details):
            return latency(0.99, details["result_99.00_percentile_per_query_latency_ns"])


    class Arrivals(Bursts):
        mode = "Server"

        def score(self, details):
            rate = details["result_completed_samples_per_sec"]
            return PerformanceScore("completed queries", rate, "queries/s", higher_is_better=True)


    class Scoreless(Bursts):
        def score(self, details):
            return None
'''
COUNTS = "".join(
    f"    {rules}: {{min_query_count: 100, min_duration_s: 0, max_duration_s: 0}}\n"
    for rules in ("normal", "quick", "rapid")
)


@pytest.fixture(scope="module")
def measured(shared_command):
    """A real run of each scenario, by name."""
    files = {"load_parts/__init__.py": PARTS}
    files |= {f"load_parts/{name}.yaml": f"runs:\n  {name}:\n{COUNTS}" for name in ("bursts", "arrivals", "scoreless")}
    shared_command.write_plugin("load", PLUGIN, files=files)
    found = {}
    for name in ("bursts", "arrivals", "scoreless"):
        told, done = shared_command.json("run", "product", *RUN, "--scenario", name)
        (found[name],) = told["results"]
        assert found[name]["error"] is None, done.stderr
    return found


@pytest.fixture
def pair(measured, tmp_path):
    """Two results of one scenario, the second with a score that is a quarter higher."""

    def made(name, **changes):
        folders = []
        for label, factor in (("a", 1.0), ("b", 1.25)):
            result = (
                json.loads(json.dumps(measured[name])) | {"functional_only": "", "valid": True, "rules": []} | changes
            )
            result["performance"]["score"]["value"] *= factor
            folder = tmp_path / f"{name}-{label}"
            folder.mkdir()
            (folder / "result.json").write_text(json.dumps(result))
            folders.append(folder)
        return folders

    return made


class TestMeasured:
    def test_scores(self, measured):
        scores = {name: result["performance"]["score"] for name, result in measured.items()}
        assert scores["bursts"] == {
            "name": "99th percentile latency", "unit": "ns", "higher_is_better": False, "percentile": 0.99,
            "value": measured["bursts"]["performance"]["latency_ns"]["p99"],
        }  # fmt: skip
        assert scores["arrivals"]["unit"] == "queries/s"
        assert scores["scoreless"] is None

    @pytest.mark.parametrize("name", ["bursts", "arrivals"])
    def test_latencies_are_those_that_loadgen_counts(self, measured, name):
        """For queries that are scheduled, from when they were due; the scenario itself wrote down none."""
        result = measured[name]
        saved = latencies.read(Path(result["directory"]) / latencies.FILE)
        assert result["performance"]["latency_source"] == "load generator"
        assert len(saved) == result["performance"]["samples"]
        found, told = latencies.summary(saved), result["performance"]["latency_ns"]
        assert {key: value for key, value in found.items() if key != "mean"} == {
            k: told[k] for k in found if k != "mean"
        }
        assert (int(found["mean"]), found["min"] >= 500_000) == (told["mean"], True)

    def test_cards(self, inside, measured):
        shown = {name: inside("show", result["directory"]).stdout for name, result in measured.items()}
        milliseconds = f"{measured['bursts']['performance']['score']['value'] / 1e6:.6g} ms"
        assert f"{milliseconds}, 99th percentile latency" in shown["bursts"]
        assert "queries/s, completed queries" in shown["arrivals"]
        assert "none: cannot be compared or ranked" in shown["scoreless"]


class TestCompared:
    @pytest.mark.parametrize(("name", "slower", "what"), [
        ("bursts", 1.25, "99th percentile latency"), ("arrivals", 0.8, "completed queries"),
    ])  # fmt: skip
    def test_by_its_score(self, inside, pair, name, slower, what):
        """A quarter more latency is slower, a quarter more queries per second is faster."""
        a, b = pair(name)
        done = inside("compare", a, b, "--json")
        (group,) = json.loads(done.stdout)["groups"]
        assert [row["ratio"] for row in group["rows"]] == [1, pytest.approx(slower)]
        assert {row["score"] for row in group["rows"]} == {what}
        assert what in inside("compare", a, b).stdout
        assert inside("compare", a, b, "--fail-if-slower", "5%").returncode == (1 if slower > 1 else 0)

    def test_another_percentile_is_not_compared(self, inside, pair):
        """The 99th percentile of one against the 90th of another is no ratio."""
        a, b = pair("bursts")
        result = json.loads((b / "result.json").read_text())
        result["performance"]["score"] |= {"name": "90th percentile latency", "percentile": 0.9}
        (b / "result.json").write_text(json.dumps(result))
        told = json.loads(inside("compare", a, b, "--json").stdout)
        assert told["groups"][0]["rows"][1]["ratio"] is None
        assert any("not compared" in warning for warning in told["warnings"])

    def test_without_a_score_there_is_no_claim(self, inside, measured):
        folder = measured["scoreless"]["directory"]
        told = json.loads(inside("compare", folder, folder, "--json").stdout)
        assert {row["value"] for group in told["groups"] for row in group["rows"]} == {None}
        assert inside("audit", folder).returncode == 2

    def test_reports(self, inside, pair):
        a, b = pair("arrivals")
        page = a.parent / "page.html"
        assert inside("report", a, b, "--output", page).returncode == 0
        text = re.sub(r"<[^>]+>", " ", page.read_text())
        assert "completed queries" in text
        assert "queries/s" in text

    def test_the_app_has_no_such_scenario(self, inside, measured, tmp_path):
        done = inside("export", measured["bursts"]["directory"], "--format", "app", "--output", tmp_path / "x")
        assert done.returncode != 0
        assert "the app has no scenario bursts" in done.stderr

    def test_another_score_has_no_place_among_published_ones(self, inside, pair):
        """A 99th percentile of a published model in a published scenario stands apart, with the reason."""
        folder, _ = pair("bursts", scenario="single-stream")
        told = json.loads((folder / "result.json").read_text())
        told["model"]["name"] = "mobilenet_edgetpu_uint8"
        (folder / "result.json").write_text(json.dumps(told))
        done = inside("leaderboard", "--benchmark", "image_classification", "--with", folder, "--json")
        (board,) = json.loads(done.stdout)["boards"]
        assert not any(place["own"] for place in board["places"])
        assert "99th percentile latency" in board["apart"][0]["refused"]


class TestAudited:
    def test_sustained_claims_its_percentile(self, shared_command):
        told, _ = shared_command.json("run", "product", *RUN, "--scenario", "sustained", "--set", "sleep_s=0.002",
                                      "--set", "min_query_count=64")  # fmt: skip
        (result,) = told["results"]
        told, _ = shared_command.json("audit", result["directory"], "--quiet", "--cooldown-s", "0", "--tries", "1")
        assert told["audit"]["claim"] == result["performance"]["latency_ns"]["p90"]
        assert (told["audit"]["unit"], told["audit"]["score"]) == ("ns", "90th percentile latency")

    def test_higher_is_better(self, shared_command, measured):
        told, _ = shared_command.json(
            "audit", measured["arrivals"]["directory"], "--quiet", "--cooldown-s", "0", "--tries", "1"
        )
        audit = told["audit"]
        assert (audit["unit"], audit["higher_is_better"]) == ("queries/s", True)
        assert audit["rule"]["required"] == pytest.approx(0.95 * audit["claim"])


def test_no_scenario_has_a_name_in_the_core():
    """A string that is the name of a scenario stands where scenarios are made, and where the app's files are read."""
    names = {info.name for info in plugin.mlperf_mobile_scenarios()}
    found = []
    for path in SOURCES.rglob("*.py"):
        place = path.relative_to(SOURCES)
        if place.parts[0] in ("scenarios", "official") or place == Path("config/settings.py"):
            continue
        found += [
            f"{place}:{node.lineno}"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and node.value in names
        ]
    assert found == []
