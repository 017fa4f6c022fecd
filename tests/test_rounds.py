"""The rounds of MLPerf Mobile as suites, against the published rules and the logs of published results."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

SHARED = os.environ.get("MLPERF_MOBILE_SHARED")

ALL = ("v0.7", "v1.0", "v1.1", "v2.0", "v2.1", "v3.0", "v3.1", "v4.0", "v4.1", "v5.0", "v6.0")
EDGE, V4 = ("image_classification", "image_classification_offline"), (
    "image_classification_v2", "image_classification_offline_v2",
)  # fmt: skip
BENCHMARKS = {
    "v0.7": {*EDGE, "object_detection", "image_segmentation", "natural_language_processing"},
    "v1.0": {*EDGE, "object_detection", "image_segmentation", "natural_language_processing"},
    "v1.1": {*EDGE, "object_detection", "image_segmentation", "natural_language_processing"},
    "v2.0": {*EDGE, "object_detection", "image_segmentation", "image_segmentation_v2", "natural_language_processing"},
    "v2.1": {*EDGE, "object_detection", "image_segmentation_v2", "natural_language_processing"},
    "v3.0": {*EDGE, "object_detection", "image_segmentation_v2", "natural_language_processing", "super_resolution"},
    "v3.1": {*EDGE, "object_detection", "image_segmentation_v2", "natural_language_processing", "super_resolution"},
    "v4.0": {
        *EDGE, *V4, "object_detection", "image_segmentation_v2", "natural_language_processing", "super_resolution",
    },
    **{
        name: {*V4, "object_detection", "image_segmentation_v2", "natural_language_processing", "super_resolution"}
        for name in ("v4.1", "v5.0", "v6.0")
    },
}  # fmt: skip
TARGETS = {
    "image_classification": ("top-1", 0.7466),
    "image_classification_v2": ("top-1", 0.8103),
    "object_detection": ("mAP", 0.27075),
    "image_segmentation": ("mIoU", 0.5316),
    "image_segmentation_v2": ("mIoU", 0.5741),
    "natural_language_processing": ("F1", 0.8740),
    "super_resolution": ("PSNR", 33.0),
}
"""Metric and target of each benchmark, computed from the rules by hand."""


@pytest.fixture(scope="module")
def plans(shared_command):
    """All plans of all rounds, by round and benchmark."""
    found = {}
    for name in ALL:
        told, done = shared_command.json("run", "--suite", name, "--backend", "tflite", "--dry-run")
        assert done.returncode == 0, told
        found[name] = {plan["benchmark"]: plan for plan in told["plans"]}
    return found


def test_every_round_has_its_benchmarks(plans):
    assert {name: set(of_round) for name, of_round in plans.items()} == BENCHMARKS


@pytest.mark.parametrize("name", ALL)
def test_targets(plans, name):
    for benchmark, plan in plans[name].items():
        quality = plan["quality"]
        target = quality["at_least"] or quality["reference"] * quality["ratio"]
        metric, expected = TARGETS[benchmark.replace("_offline", "")]
        if (name, benchmark) == ("v0.7", "object_detection"):
            expected = 0.22692  # 93 % of 0.244, which no source at hand confirms
        assert (quality["metric"], target) == (metric, pytest.approx(expected, abs=1e-4)), benchmark


def test_what_is_doubtful_never_gates(plans):
    doubtful = {(name, b) for name in ALL for b, plan in plans[name].items() if "quality" in plan["unverified"]}
    without_a_written_target = {(name, b) for name in ("v4.0", "v4.1", "v5.0", "v6.0") for b in V4}
    assert doubtful == {("v0.7", "object_detection")} | without_a_written_target
    assert {name for name in ALL for plan in plans[name].values() if "seeds" in plan["unverified"]} == {"v0.7"}


@pytest.mark.parametrize("name", ALL)
def test_counts_and_durations(plans, name):
    for benchmark, plan in plans[name].items():
        load = plan["load"]
        told = (load["min_query_count"], load["min_duration_s"], load["max_duration_s"])
        if "offline" in benchmark:
            assert (plan["scenario"], told) == ("offline", (24576, 0, 0))
        else:
            assert (plan["scenario"], told) == ("single-stream", (1024, 60, 600 if name >= "v3.1" else 0))


def test_timed_runs_have_unlabelled_data_of_their_own(plans):
    for name in ALL:
        for benchmark, plan in plans[name].items():
            if benchmark != "natural_language_processing":  # its accuracy set serves both
                assert plan["performance_dataset"] is not None, (name, benchmark)


@pytest.mark.skipif(SHARED is None, reason="MLPERF_MOBILE_SHARED is not set: no logs of official results here")
@pytest.mark.parametrize("name", ["v2.0", "v3.0", "v3.1"])
def test_seeds_and_limits_are_those_of_the_logs(plans, name):
    keys = {"qsl": "qsl_rng_seed", "sample_index": "sample_index_rng_seed", "schedule": "schedule_rng_seed"}
    asked = {key: set() for key in (*keys, "max_duration_ms")}
    for log in Path(SHARED or "", "official_results", name).rglob("mlperf_log_detail.txt"):
        text = log.read_text(errors="replace")
        for key, logged in (*keys.items(), ("max_duration_ms", "max_duration_ms")):
            asked[key] |= {int(n) for n in re.findall(rf'"requested_{logged}", "value": (\d+)', text)}
    plan = plans[name]["object_detection"]
    assert {key: {plan["load"]["seeds"][key]} for key in keys} == {key: asked[key] for key in keys}
    assert 1000 * plan["load"]["max_duration_s"] in asked["max_duration_ms"]


def test_models_of_both_kinds_are_known(shared_command):
    """Of every official model a quantised and, where there is one, a floating-point variant, each with its checksum."""
    told, _ = shared_command.json("fetch", "image_classification", "--dry-run")
    files = {resource["url"].rpartition("/")[2] for resource in told["resources"]}
    assert {
        "mobilenet_edgetpu_224_1.0_uint8.tflite", "mobilenet_edgetpu_224_1.0_float.tflite",
        "MobileNetV4-Conv-Large-int8-ptq.tflite", "MobileNetV4-Conv-Large-fp32.tflite",
    } <= files  # fmt: skip
    assert json.dumps(told).count('"checked": true') >= 4
