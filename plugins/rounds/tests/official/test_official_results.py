"""Result files of the app in every form, imported: the numbers are those that were published."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlperf_mobile.errors import MobileError, OutputError
from mlperf_mobile.results import store
from mlperf_mobile.results.accuracy import Accuracy
from mlperf_mobile_rounds.commands import export as export_command
from mlperf_mobile_rounds.commands import import_results as import_command
from mlperf_mobile_rounds.official import app_export, app_forms, app_results
from mlperf_mobile_rounds.official.imported import read, write

PUBLISHED = {
    "v2.0 SD8G1_Mi_12": {
        "image_classification": (0.450, 0.7532), "object_detection": (0.877, 0.2745),
        "image_segmentation_v2": (1.329, 0.5879), "image_segmentation": (2.038, 0.5453),
        "natural_language_processing": (9.891, 0.9440), "image_classification_offline": (3397.74, 0.7532),
    },
    "v2.0 exynos2200": {
        "image_classification": (0.486, 0.7592), "object_detection": (1.071, 0.2785),
        "image_segmentation_v2": (1.851, 0.5755), "image_segmentation": (2.463, 0.5344),
        "natural_language_processing": (50.33, 0.9398), "image_classification_offline": (3069.83, 0.7592),
    },
    "v3.0 SD8G2": {
        "image_classification": (0.255, 0.7532), "object_detection": (0.562, 0.2743),
        "image_segmentation_v2": (1.075, 0.5791), "natural_language_processing": (5.051, 0.920),
        "super_resolution": (9.489, 33.49), "image_classification_offline": (5226.02, 0.7532),
    },
    "v3.0 SD7PG2": {
        "image_classification": (0.389, None), "object_detection": (0.801, None),
        "image_segmentation_v2": (1.490, None), "natural_language_processing": (7.995, None),
        "super_resolution": (13.542, None), "image_classification_offline": (3960.57, None),
    },
    "v3.0 SDCX8G3_AC": {
        "image_classification": (0.585, None), "object_detection": (1.156, None),
        "image_segmentation_v2": (2.034, None), "natural_language_processing": (6.132, None),
        "super_resolution": (17.92, None), "image_classification_offline": (3143.27, None),
    },
    "v3.0 SDCX8G3_DC": {
        "image_classification": (0.857, None), "object_detection": (1.622, None),
        "image_segmentation_v2": (2.568, None), "natural_language_processing": (6.709, None),
        "super_resolution": (22.86, None), "image_classification_offline": (3072.5, None),
    },
    "v3.1 SD4G2": {
        "image_classification": (13.13, None), "object_detection": (31.79, None),
        "image_segmentation_v2": (129.5, None), "natural_language_processing": (353.5, 0.9126),
        "super_resolution": (1179, 33.12), "image_classification_offline": (78.53, None),
    },
    "v3.1 exynos2400": {
        "image_classification": (0.2126, 0.7564), "object_detection": (0.448, 0.2720),
        "image_segmentation_v2": (0.732, 0.5742), "natural_language_processing": (3.219, 0.934),
        "super_resolution": (6.773, 33.43), "image_classification_offline": (6800.6, 0.7564),
    },
}  # fmt: skip
"""p90 in milliseconds, offline samples per second, and accuracies, as mlcommons.org published them, rounded."""


@pytest.fixture(scope="module")
def imported(official_results, registry):
    results, _ = read(official_results, registry)
    return results


@pytest.mark.parametrize("device", PUBLISHED)
def test_published_scores(device, imported):
    round_, name = device.split()
    found = {r.benchmark: r for r in imported if r.suite == round_ and f"-{name}-" in r.run_id}
    assert set(found) == set(PUBLISHED[device])
    for benchmark, (score, accuracy) in PUBLISHED[device].items():
        result = found[benchmark]
        offline = result.scenario == "offline"
        number = result.performance.throughput if offline else result.performance.latency_ns["p90"] / 1e6
        assert number == pytest.approx(score, rel=2e-3), benchmark
        if accuracy is not None:
            assert result.accuracy.value == pytest.approx(accuracy, rel=3e-4), benchmark
        assert result.valid


def test_the_score_is_that_of_the_file(official_results, registry):
    """Every number of every result file, read here in another way."""
    seen = 0
    for path in sorted(official_results.rglob("result*.json")):
        data = json.loads(path.read_text())
        if isinstance(data, list):
            told = {r["benchmark_id"]: float(r["score"]) for r in data if r["mode"].startswith("performance")}
        else:
            told = {r["benchmark_id"]: r["performance_run"]["throughput"]["value"] for r in data["results"]}
        results, _ = read(path.parent if path.parent.name != "results" else path, registry)
        for result in results:
            published = told[result.origin.benchmark_id]
            assert result.origin.published_score == published
            if result.scenario == "offline":  # the app counts the padding of the last batch, too
                assert published * 0.98 < result.performance.throughput <= published * (1 + 1e-9)
            else:
                assert result.performance.throughput == published
            if result.scenario == "single-stream" and isinstance(data, dict):
                assert result.performance.throughput == 1 / (result.performance.latency_ns["p90"] / 1e9)
            seen += 1
    assert seen == 6 * 7


@pytest.mark.parametrize(
    ("text", "benchmark", "expected"),
    [
        ("75.32%", "IC_tpu_uint8", (0.7532, "top-1")),
        ("0.2745 mAP", "OD_uint8", (0.2745, "mAP")),
        ("0.5879 mIoU", "IS_uint8_mosaic", (0.5879, "mIoU")),
        ("94.4667", "LU_int8", (0.944667, "F1")),
        ("33.39 dB", "super_resolution", (0.3339, "PSNR")),
        ("0.2564", "stable_diffusion", (0.2564, "CLIP")),
        ("43.0000%", "llm-3b", (0.43, "accuracy")),
        ("58.5317%", "llm-8b-instruct", (0.585317, "IFEval accuracy")),
    ],
)
def test_accuracies_as_text(text, benchmark, expected):
    """Read as written by the app (flutter/cpp/datasets), and written in the same way."""
    found = app_results.accuracy_of_text(text, benchmark)
    measured = Accuracy.model_construct(metric=found.metric, value=found.value)
    assert app_export.formatted(measured) == text
    assert (pytest.approx(found.normalized), found.metric) == expected
    assert found.value == pytest.approx(33.39 if found.metric == "PSNR" else expected[0])


@pytest.mark.parametrize("text", ["", "N/A", "good", "1e5", "0x10", "٣"])
def test_what_is_no_accuracy(text):
    assert app_results.accuracy_of_text(text, "IC_tpu_uint8") is None


def test_the_flat_form_of_v2_0(tmp_path):
    one = {
        "benchmark_id": "IC_tpu_uint8", "configuration": {"runtime": ""}, "score": "2221.9656", "accuracy": "N/A",
        "min_duration": "60000.0", "duration": "59648.63", "min_samples": "1024", "num_samples": "140851",
        "mode": "performance_lite_mode", "datetime": "2022-03-04T13:05:40.646",
    }  # fmt: skip
    two = one | {
        "score": "Infinity",
        "accuracy": "75.32%",
        "duration": "0.0",
        "num_samples": "0",
        "mode": "accuracy_mode",
    }
    (result,) = app_forms.parse(tmp_path, [one, two]).results
    assert (result.performance.throughput, result.performance.samples, result.min_duration_s) == (2221.9656, 140851, 60)
    assert (result.accuracy.throughput, result.accuracy.accuracy.normalized) == (None, pytest.approx(0.7532))


def test_the_list_form_of_v2_1(tmp_path):
    run = {
        "throughput": 1194.326449345286, "accuracy": None, "accuracy2": None, "measured_duration_ms": 60123.0,
        "measured_samples": 72303, "loadgen_validity": True, "start_datetime": "2022-08-31T01:02:03",
        "dataset": {"name": "n", "type": "IMAGENET", "data_path": "", "groundtruth_path": ""},
    }  # fmt: skip
    exact = run | {"throughput": None, "accuracy": {"value": 0.753, "string": "75.30%"}}
    one = {
        "benchmark_id": "IC_tpu_uint8", "benchmark_name": "x", "loadgen_scenario": "SingleStream",
        "backend_settings": {"configuration": "SNPE", "batch_size": 0}, "min_duration_ms": 60000.0, "min_samples": 1024,
        "performance_run": run, "accuracy_run": exact,
    }  # fmt: skip
    read_back = app_forms.parse(tmp_path, [{"meta": {}, "results": [one], "build_info": {"version": "2.0.0"}}])
    (result,) = read_back.results
    assert read_back.form == "list"
    assert (result.performance.throughput, result.performance.duration_s) == (1194.326449345286, 60.123)
    assert (result.performance.valid, result.framework, result.min_duration_s) == (True, "SNPE", 60)
    assert result.accuracy.accuracy.formatted == "75.30%"


@pytest.mark.parametrize(
    "data",
    [
        [], {}, 1, None, "x", [1], [[]], {"results": 5}, {"results": [5]}, {"results": [{}]},
        [{"benchmark_id": "a", "mode": "accuracy_mode"}] * 2, {"results": [{"benchmark_id": 5}]},
        {"schema": 2, "version": 9, "runs": []}, {"results": [{"benchmark_id": "a", "performance_run": []}]},
        {"results": [], "meta": []}, [{"results": []}, {"results": []}],
    ],
)  # fmt: skip
def test_other_content_is_refused_or_empty(data, tmp_path):
    try:
        found = app_forms.parse(tmp_path / "result.json", data)
    except MobileError as error:
        assert error.code == "result-form"
        assert str(tmp_path) in error.line()
    else:
        assert found.results == ()


def test_keys_of_a_newer_version_are_named(make_app_file, tmp_path):
    found = app_forms.parse(tmp_path, make_app_file() | {"signature": 5})
    assert found.unknown == ("signature",)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]) | st.just({})


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutated_file_is_read_or_refused(data, tmp_path, make_app_file):
    told = make_app_file()
    for _ in range(data.draw(st.integers(1, 3))):
        place = told
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and data.draw(st.booleans()):
                place = place[key]
                continue
            if data.draw(st.booleans()):
                place[key] = data.draw(leaves)
            else:
                del place[key]
            break
    try:
        found = app_forms.parse(tmp_path / "result.json", told)
    except MobileError as error:
        assert error.code == "result-form"
    else:
        for result in found.results:
            for run in (result.performance, result.accuracy):
                assert run is None or run.throughput is None or run.throughput == run.throughput


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 3000), junk=st.binary(max_size=10))
def test_a_file_cut_short_says_where(cut, junk, tmp_path, make_app_file):
    raw = json.dumps(make_app_file(), indent=1).encode()
    path = tmp_path / "result.json"
    path.write_bytes(raw[:cut] + junk)
    with pytest.raises(MobileError) as caught:
        app_forms.read(path)
    assert caught.value.line().startswith("error[bad-json]")


def test_import_writes_what_store_reads(tree, registry, tmp_path):
    results, report = read(tree.root, registry)
    assert not report.findings
    folders = write(results, tmp_path / "out")
    assert [folder.name for folder in folders] == [
        "official-v3.1-closed-ACME-phone-image_classification",
        "official-v3.1-closed-ACME-phone-image_classification_offline",
    ]
    single, offline = map(store.read, folders)
    assert single.performance.throughput == 1 / 0.0011
    assert (single.performance.latency_ns["p90"], single.performance.queries) == (1100000, 60001)
    assert single.load.seeds["qsl"] == 148687905518835231
    assert (offline.performance.throughput, offline.scenario, offline.valid) == (3072.0, "offline", True)
    assert single.accuracy.passed
    assert single.directory == str(folders[0])


def test_import_never_overwrites(tree, registry, tmp_path):
    results, _ = read(tree.root, registry)
    out = tmp_path / "out"
    write(results[1:], out)
    before = sorted(path.name for path in out.rglob("*"))
    with pytest.raises(OutputError) as caught:
        write(results, out)
    assert caught.value.code == "output-exists"
    assert sorted(path.name for path in out.rglob("*")) == before


def test_import_of_logs_alone(tree, registry):
    tree.result.unlink()
    results, _ = read(tree.root, registry)
    assert [r.performance.throughput for r in results] == [1e9 / 1100000, 3072.0]
    assert all(r.accuracy is None for r in results)


def test_import_of_a_file_alone_says_what_the_app_says(tree, registry, tmp_path):
    path = tmp_path / "elsewhere" / "result.json"
    path.parent.mkdir()
    path.write_bytes(tree.result.read_bytes())
    results, _ = read(path, registry)
    assert {rule.note for r in results for rule in r.rules if rule.name != "quality-target"} == {
        "as the app reports; there is no log"
    }
    assert all(r.valid for r in results)


def test_an_invalid_run_stays_invalid(tree, registry):
    tree.log(tree.single, result_query_count=1000, early_stopping_result="")
    results, _ = read(tree.root, registry)
    assert [r.valid for r in results] == [False, True]


def test_nothing_to_import(tmp_path, registry):
    (tmp_path / "result.json").write_text('{"results": "none"')
    with pytest.raises(MobileError) as caught:
        read(tmp_path, registry)
    assert caught.value.code == "nothing-imported"
    assert re.search(r"result\.json:1:\d+", caught.value.summary)


def test_a_number_that_no_result_can_have_leaves_the_other_results(tree, registry):
    tree.log(tree.single, requested_single_stream_expected_latency_ns=10**40)
    results, report = read(tree.root, registry)
    assert [result.scenario for result in results] == ["offline"]
    (finding,) = [each for each in report.findings if each.rule == "not-imported"]
    assert finding.text.startswith("load.expected_latency_ns is out of range")


def test_the_import_command(tree, tmp_path, command):
    code, text = command(import_command, tree.root, "--output", tmp_path / "out", "--json")
    told = json.loads(text)
    assert (code, told["schema"], len(told["results"])) == (0, 1, 2)
    code, text = command(import_command, tree.result, "--output", tmp_path / "more")
    assert (code, text.splitlines()[-1]) == (0, f"2 results in {tmp_path / 'more'}")


def test_what_is_imported_can_be_exported_and_read_again(tree, tmp_path, command):
    command(import_command, tree.root, "--output", tmp_path / "out")
    folders = sorted((tmp_path / "out").iterdir())
    target = tmp_path / "app.json"
    code, _ = command(export_command, *folders, "--format", "app", "--output", target)
    assert code == 0
    before, after = app_forms.read(tree.result), app_forms.read(target)
    for old, new in zip(before.results, after.results, strict=True):
        assert (new.benchmark_id, new.scenario, new.min_samples) == (old.benchmark_id, old.scenario, old.min_samples)
        for name in ("throughput", "samples", "queries", "mean_s", "p90_s", "valid", "min_queries_met"):
            assert getattr(new.performance, name) == getattr(old.performance, name), name
        assert new.accuracy.accuracy == old.accuracy.accuracy
        assert (new.accelerator, new.backend, new.model_path) == (old.accelerator, old.backend, old.model_path)
    assert dict(after.device)["model_name"] == "Phone 1"
