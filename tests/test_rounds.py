"""The rounds of MLPerf Mobile as suites, against the published rules and the logs of published results."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile_backend_tflite.diffusion.description import read

SHARED = os.environ.get("MLPERF_MOBILE_SHARED")

ALL = ("v0.7", "v1.0", "v1.1", "v2.0", "v2.1", "v3.0", "v3.1", "v4.0", "v4.1", "v5.0", "v6.0")
EDGE, V4 = ("image_classification", "image_classification_offline"), (
    "image_classification_v2", "image_classification_offline_v2",
)  # fmt: skip
LANGUAGE = {f"llm-{size}{suffix}" for size in ("1b", "3b", "8b") for suffix in ("", "-instruct")}
BENCHMARKS = {
    "v0.7": {*EDGE, "object_detection", "image_segmentation", "natural_language_processing"},
    "v1.0": {*EDGE, "object_detection", "image_segmentation", "natural_language_processing"},
    "v1.1": {*EDGE, "object_detection", "image_segmentation", "natural_language_processing"},
    "v2.0": {*EDGE, "object_detection", "image_segmentation", "image_segmentation_v2", "natural_language_processing"},
    "v2.1": {*EDGE, "object_detection", "image_segmentation_v2", "natural_language_processing"},
    "v3.0": {*EDGE, "object_detection", "image_segmentation_v2", "natural_language_processing", "super_resolution"},
    "v3.1": {*EDGE, "object_detection", "image_segmentation_v2", "natural_language_processing", "super_resolution"},
    "v4.0": {
        *EDGE,
        *V4,
        "object_detection",
        "image_segmentation_v2",
        "natural_language_processing",
        "super_resolution",
    },
    **{
        name: {*V4, "object_detection", "image_segmentation_v2", "natural_language_processing", "super_resolution"}
        for name in ("v4.1", "v5.0", "v6.0")
    },
}
for name in ("v4.1", "v5.0", "v6.0"):
    BENCHMARKS[name].add("stable_diffusion")
BENCHMARKS["v6.0"] |= LANGUAGE
TARGETS = {
    "image_classification": ("top-1", 0.7466),
    "image_classification_v2": ("top-1", 0.8103),
    "object_detection": ("mAP", 0.27075),
    "image_segmentation": ("mIoU", 0.5316),
    "image_segmentation_v2": ("mIoU", 0.5741),
    "natural_language_processing": ("F1", 0.8740),
    "super_resolution": ("PSNR", 33.0),
    "stable_diffusion": ("CLIP", 0.25),
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
        if benchmark in LANGUAGE:
            continue  # none has been published
        quality = plan["quality"]
        target = quality["at_least"] or quality["reference"] * quality["ratio"]
        metric, expected = TARGETS[benchmark.replace("_offline", "")]
        if (name, benchmark) == ("v0.7", "object_detection"):
            expected = 0.22692  # 93 % of 0.244, which no source at hand confirms
        assert (quality["metric"], target) == (metric, pytest.approx(expected, abs=1e-4)), benchmark


def test_what_is_doubtful_never_gates(plans):
    doubtful = {(name, b) for name in ALL for b, plan in plans[name].items() if "quality" in plan["unverified"]}
    without_a_written_target = {(name, b) for name in ("v4.0", "v4.1", "v5.0", "v6.0") for b in V4}
    without_a_written_target |= {("v6.0", benchmark) for benchmark in LANGUAGE}
    without_a_written_target |= {(name, "stable_diffusion") for name in ("v4.1", "v5.0", "v6.0")}
    assert doubtful == {("v0.7", "object_detection")} | without_a_written_target
    assert {name for name in ALL for plan in plans[name].values() if "seeds" in plan["unverified"]} == {"v0.7"}


@pytest.mark.parametrize("name", ALL)
def test_counts_and_durations(plans, name):
    for benchmark, plan in plans[name].items():
        load = plan["load"]
        told = (load["min_query_count"], load["min_duration_s"], load["max_duration_s"])
        if benchmark in LANGUAGE:
            assert (plan["scenario"], told) == ("single-stream", (100, 60, 300))
        elif "offline" in benchmark:
            assert (plan["scenario"], told) == ("offline", (24576, 0, 0))
        elif benchmark == "stable_diffusion":
            assert (plan["scenario"], told) == ("single-stream", (1024, 60, 300))
        else:
            assert (plan["scenario"], told) == ("single-stream", (1024, 60, 600 if name >= "v3.1" else 0))


def test_timed_runs_have_unlabelled_data_of_their_own(plans):
    for name in ALL:
        for benchmark, plan in plans[name].items():
            if benchmark not in {"natural_language_processing", *LANGUAGE}:  # their accuracy set serves both
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


def test_language_models_are_scored_as_the_app_scores_them(plans):
    """Models, tokenizer, data and counts of tasks.pbtxt and the TFLite settings; answers with their stop tokens."""
    for benchmark in LANGUAGE:
        plan = plans["v6.0"][benchmark]
        data, task = (
            ("tiny33_ifeval", "instruction_following") if "instruct" in benchmark else ("tinymmlu", "multiple_choice")
        )
        prefix = {"1b": "", "3b": "3b_", "8b": "8b_"}[benchmark.split("-")[1]]
        assert plan["task"] == task
        assert plan["model"]["path"].endswith(f"models/v6_0/tflite/llama_{prefix}q8_ekv3072.tflite")
        assert plan["dataset"]["path"].endswith(f"datasets/v6_0/{data}.tfrecord")
        options = plan["task_options"]
        assert options["tokenizer"].endswith("datasets/v6_0/llama3_1b.spm.model")
        assert (options["stop_in_text"], options["max_prompt_tokens"]) == (True, 2048)


def test_stable_diffusion_is_that_of_the_app(plans):
    """Models and data of tasks.pbtxt and the TFLite settings of each release; early stopping is ignored."""
    for name, folder, decoder in (
        ("v4.1", "v4_1", "sd_decoder_dynamic"), ("v5.0", "v4_1", "sd_decoder_dynamic"),
        ("v6.0", "v5_0", "sd_decoder_dynamic_fp16"),
    ):  # fmt: skip
        plan = plans[name]["stable_diffusion"]
        files = {file["path"].rpartition("/models/")[2] for file in plan["model"]["files"].values()}
        assert {f"{folder}/tflite/{decoder}.tflite", f"{folder}/tflite/timestep_embeddings_data.bin.ts"} <= files
        assert (plan["task"], plan["model"]["format"], len(files)) == ("text_to_image", "tflite-pipeline", 6)
        assert plan["dataset"]["path"].endswith("v4_1/coco_gen_test.tfrecord")
        assert plan["performance_dataset"]["path"].endswith("v4_1/coco_gen_full.tfrecord")
        assert "clip-vit-large-patch14" in plan["dataset"]["options"]["clip_model"]
        described = json.loads(Path(plan["model"]["path"]).read_text())
        assert set(plan["model"]["files"]) == {Path(plan["model"]["path"]).name} | {
            described[part] for part in ("text_encoder", "denoiser", "decoder", "noise", "time_embeddings")
        }
        assert plan["load"]["early_stopping"] == "ignored"
    others = {plan["load"]["early_stopping"] for of in plans.values() for b, plan in of.items() if "stable" not in b}
    assert others == {"required"}


def test_the_backend_can_read_its_pipelines(plans, tmp_path):
    """With a table of 20 steps in the app's form in the place of the download, and parts that are not opened."""
    table = tmp_path / "table.bin"
    steps = np.arange(1, 1000, 50, dtype="<i4")
    table.write_bytes(np.uint32(20).tobytes() + steps.tobytes() + np.zeros((20, 1280), "<f4").tobytes())
    for name in ("v4.1", "v6.0"):
        model = plans[name]["stable_diffusion"]["model"]
        files = {each: Path(file["path"]) for each, file in model["files"].items()}
        found = read(Path(model["path"]), files | {"timestep_embeddings_data.bin.ts": table})
        assert (found.noise.shape, len(found.steps), found.embeddings.shape) == ((1, 64, 64, 4), 20, (20, 1280))
        assert (found.about.guidance, found.about.unconditional) == (7.5, (49406, 49407))
        assert {path.name.split("_")[1] for path in found.parts.values()} == {"text", "diffusion", "decoder"}
