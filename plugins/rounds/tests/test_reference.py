"""Published results: every number as its log has it, and where a number stands among them."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlperf_mobile.errors import UsageError
from mlperf_mobile_rounds.reference import benchmark_of, benchmarks, find, published_results, standing

MS = 1_000_000


@pytest.fixture(scope="module")
def logs():
    place = os.environ.get("MLPERF_MOBILE_SHARED")
    if not place or not (folder := Path(place) / "official_results").is_dir():
        pytest.skip("the official results are not here")
    return folder


class TestTable:
    def test_every_row_is_whole(self):
        rows = published_results()
        assert len(rows) == 165
        known = {(b.name, b.scenario) for b in benchmarks()}
        for row in rows:
            assert bool(row.p90_ns) != bool(row.samples_per_s)
            assert bool(row.p90_ns) == (row.scenario == "single-stream")
            assert row.value > 0
            assert row.division in ("closed", "open")
            assert row.repository.startswith("mlcommons/mobile_")
            assert row.path.startswith(row.division)
            assert (row.benchmark, row.scenario) in known
            assert row.soc
            assert row.device

    def test_names_are_unique(self):
        assert len({row.name for row in published_results()}) == len(published_results())

    @pytest.mark.parametrize(
        ("name", "text", "accuracy"),
        [  # as the tables of the result repositories show them
            ("v3.0/SD8G2/image_classification", "0.255000 ms", 0.7532),
            ("v2.0/exynos2200/natural_language_processing", "50.326250 ms", 0.939833),
            ("v2.0/SD8G1_Mi_12/image_segmentation_v2", "1.329010 ms", 0.5879),
            ("v3.1/SD4G2/super_resolution", "1179.121562 ms", 33.12),
            ("v4.0/SD8G3/image_classification_offline_v2", "1628.38 samples/s", 0.8218),
            ("v4.1/SD8G3/stable_diffusion", "4224.347811 ms", 0.2566),
            ("v5.0/SD8Elite/object_detection", "0.371146 ms", 0.2741),
            ("v1.1/TGL-i7-1195G7-OpenVINO/image_classification", "1.796200 ms", 0.7607),
            ("v1.1/TGL-i7-1195G7-OpenVINO/natural_language_processing_offline", "45.3535 samples/s", 0.8929334526),
        ],
    )
    def test_published_digits(self, name, text, accuracy):
        (row,) = find(name)
        assert row.text == text
        assert row.accuracy_value == pytest.approx(accuracy, abs=1e-9)

    def test_against_the_logs(self, logs):
        """Every performance log that is there is in the table, digit by digit."""
        seen = 0
        for summary in logs.rglob("mlperf_log_summary.txt"):
            text = summary.read_text()
            if "PerformanceOnly" not in text:
                continue
            number, *place = summary.parent.relative_to(logs).parts
            rows = [r for r in published_results() if (r.round, r.path) == (number, "/".join(place))]
            assert len(rows) == 1, summary
            latency = re.search(r"90(?:th|\.00) percentile latency \(ns\)\s*: (\d+)", text)
            throughput = re.search(r"Samples per second: (\S+)", text)
            offline = rows[0].scenario == "offline"
            assert ("Offline" in re.search(r"Scenario : (.*)", text)[1]) == offline
            assert (rows[0].samples_per_s, rows[0].p90_ns) == ((throughput[1], "") if offline else ("", latency[1]))
            seen += 1
        assert seen >= 30

    def test_against_the_result_files(self, logs):
        """The app's single-stream score is the inverse of the latency, and its accuracy is the table's."""
        seen = 0
        for file in logs.glob("v3.*/closed/*/results/**/result*.json"):
            base = file.parent.relative_to(logs)
            for told in json.loads(file.read_text())["results"]:
                rows = [
                    row for row in published_results()
                    if row.benchmark == told["benchmark_id"] and row.round == base.parts[0]
                    and f"{row.path}/".startswith("/".join(base.parts[1:]) + "/")
                ]  # fmt: skip
                assert len(rows) == 1, told["benchmark_id"]
                assert rows[0].accuracy == told["accuracy_run"]["accuracy"]["formatted"]
                if rows[0].scenario == "single-stream":
                    score = told["performance_run"]["throughput"]
                    score = score["value"] if isinstance(score, dict) else score
                    assert score == pytest.approx(1e9 / rows[0].value, rel=1e-12)
                seen += 1
        assert seen >= 20

    def test_it_is_light(self):
        code = "import sys, mlperf_mobile_rounds.reference as r; r.published_results()"
        code += "; print({'numpy', 'pydantic'} & set(sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "set()"


class TestFind:
    def test_a_whole_submission(self):
        assert {row.benchmark for row in find("official:v4.1/sd8g3")} == {
            "image_classification_v2", "image_classification_offline_v2", "object_detection", "image_segmentation_v2",
            "natural_language_processing", "super_resolution", "stable_diffusion",
        }  # fmt: skip

    def test_every_name_finds_its_row(self):
        for row in published_results():
            assert find(f"official:{row.name}") == [row]

    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [
            ("v3.1/SD4G3/image_classification", "v3.1/SD4G2/image_classification"),
            ("v5.0/SD8Elit", "v5.0/SD8Elite"),
            ("v5.0/SD8Elite/image_clasification_v2", "v5.0/SD8Elite/image_classification_v2"),
            ("nonsense", "ROUND/SYSTEM/BENCHMARK"),
            ("", "ROUND/SYSTEM/BENCHMARK"),
        ],
    )
    def test_did_you_mean(self, wrong, hint):
        with pytest.raises(UsageError) as caught:
            find(f"official:{wrong}")
        assert caught.value.code == "no-official-result"
        assert hint in caught.value.hint
        assert len(caught.value.hint) < 400


class TestModels:
    @pytest.mark.parametrize(
        ("model", "scenario", "benchmark"),
        [
            ("mobilenet_edgetpu_uint8", "single-stream", "image_classification"),
            ("mobilenet_edgetpu_uint8", "offline", "image_classification_offline"),
            ("mobilenet_edgetpu_224_1.0_uint8.tflite", "single-stream", "image_classification"),
            ("MobileNetV4-Conv-Large-int8-ptq", "offline", "image_classification_offline_v2"),
            ("mobiledet", "single-stream", "object_detection"),
            ("mobile_segmenter_r4_quant_argmax_uint8", "single-stream", "image_segmentation_v2"),
            ("mobilebert_int8_384_20200602", "single-stream", "natural_language_processing"),
            ("stable_diffusion_dynamic_int8", "single-stream", "stable_diffusion"),
            ("stable_diffusion_dynamic", "single-stream", "stable_diffusion"),
        ],
    )
    def test_the_same_model(self, model, scenario, benchmark):
        assert benchmark_of(model, scenario).name == benchmark

    @pytest.mark.parametrize(
        "model",
        ["photo_edsr_int8", "edsr_small", "mobilenet_edgetpu_v2", "mobilenet_edgetpu_224_0.75_uint8", "mobilenet",
         "ssd_mobilenet_v2_uint8", "fashion_mobilenet_int8", "mobiledetector", "mobilebert_tiny", "", "_", "模型"],
    )  # fmt: skip
    def test_another_model(self, model):
        assert benchmark_of(model, "single-stream") is None

    def test_another_scenario(self):
        assert benchmark_of("mobilenet_edgetpu_uint8", "sustained") is None


class TestStanding:
    def test_between(self):
        found = standing("image_classification", "single-stream", 0.2 * MS)
        assert (found.slower.soc, found.slower.round) == ("Exynos 2400", "v3.1")
        assert (found.faster.soc, found.faster.round) == ("Snapdragon 8 Gen 3", "v4.0")
        assert (found.place, found.of) == (2, 20)
        assert found.sentence == (
            "between an Exynos 2400 (v3.1, 0.212578 ms) and a Snapdragon 8 Gen 3 (v4.0, 0.184322 ms)"
        )

    def test_offline_is_better_when_more(self):
        found = standing("image_classification_offline_v2", "offline", 1700)
        assert (found.slower.name, found.faster.name) == (
            "v4.1/SD8G3/image_classification_offline_v2",
            "v5.0/SD8Elite/image_classification_offline_v2",
        )
        assert found.place == 3

    def test_equal(self):
        found = standing("image_classification", "single-stream", 255_000)
        assert [row.name for row in found.equal] == ["v3.0/SD8G2/image_classification"]
        assert found.sentence == "equal to a Snapdragon 8 Gen 2 (v3.0, 0.255000 ms)"
        assert found.place == 4

    @pytest.mark.parametrize(
        ("value", "place", "words"),
        [(1, 1, "faster than all 20 official results"), (1e12, 21, "slower than all 20 official results")],
    )
    def test_beyond_all(self, value, place, words):
        found = standing("image_classification", "single-stream", value)
        assert found.place == place
        assert words in found.sentence
        assert ("Snapdragon 8 Gen 3 (v4.0" if value == 1 else "Snapdragon 4 Gen 2 (v3.1") in found.sentence

    @pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, -math.inf])
    def test_no_number(self, value):
        assert standing("image_classification", "single-stream", value) is None

    @pytest.mark.parametrize(
        ("benchmark", "scenario"), [("image_clasification", "offline"), ("image_classification", "offline"), ("", "")]
    )
    def test_nothing_published(self, benchmark, scenario):
        assert standing(benchmark, scenario, 1000) is None

    def test_the_open_division_alone(self):
        """Nobody else published object detection offline."""
        assert standing("object_detection", "offline", 1).faster.division == "open"

    def test_every_result_stands_at_its_own_place(self):
        for row in published_results():
            assert row in standing(row.benchmark, row.scenario, row.value).equal

    def test_as_json(self):
        told = standing("super_resolution", "single-stream", 1).to_json()
        assert json.loads(json.dumps(told, allow_nan=False))["faster"] is None
