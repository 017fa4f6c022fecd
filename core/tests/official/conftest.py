"""A small submission to v3.1, written from numbers that were made up so that they agree with one another."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pytest

SEEDS = {
    "qsl": 148687905518835231,
    "sample_index": 520418551913322573,
    "schedule": 811580660758947900,
}
"""Of v3.1 (mobile_open, rules/mobile_inference_rules.adoc)."""
PERCENTILES = ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90")

SINGLE_STREAM = {
    "requested_scenario": "SingleStream",
    "requested_test_mode": "PerformanceOnly",
    "requested_single_stream_expected_latency_ns": 1e6,
    "requested_single_stream_target_latency_percentile": 0.9,
    "requested_min_duration_ms": 60000,
    "requested_max_duration_ms": 600000,
    "requested_min_query_count": 1024,
    "effective_scenario": "SingleStream",
    "effective_test_mode": "PerformanceOnly",
    "effective_samples_per_query": 1,
    "effective_target_latency_percentile": 0.9,
    "effective_min_duration_ms": 60000,
    "effective_max_duration_ms": 600000,
    "effective_min_query_count": 1024,
    "effective_performance_sample_count": 3321,
    "generated_query_count": 240001,
    "power_begin": "09-01-2023 14:05:20.000",
    "power_end": "09-01-2023 14:06:20.010",
    "early_stopping_result": " * Processed at least 64 queries (60001).",
    "early_stopping_latency_ss": 1100100,
    "result_validity": "VALID",
    "result_min_duration_met": True,
    "result_min_queries_met": True,
    "early_stopping_met": True,
    "result_query_count": 60001,
    "result_qps_with_loadgen_overhead": 999.9,
    "result_qps_without_loadgen_overhead": 1010.1,
    "result_min_latency_ns": 900000,
    "result_max_latency_ns": 5000000,
    "result_mean_latency_ns": 990001,
    "result_50.00_percentile_latency_ns": 980000,
    "result_90.00_percentile_latency_ns": 1100000,
    "result_95.00_percentile_latency_ns": 1200000,
    "result_97.00_percentile_latency_ns": 1300000,
    "result_99.00_percentile_latency_ns": 1400000,
    "result_99.90_percentile_latency_ns": 2000000,
}
"""60,001 queries in 60.006 s: 60,000 / 999.9."""

OFFLINE = {
    "requested_scenario": "Offline",
    "requested_test_mode": "PerformanceOnly",
    "requested_min_duration_ms": 0,
    "requested_max_duration_ms": 0,
    "requested_min_query_count": 24576,
    "effective_scenario": "Offline",
    "effective_test_mode": "PerformanceOnly",
    "effective_samples_per_query": 24576,
    "effective_min_duration_ms": 0,
    "effective_max_duration_ms": 0,
    "effective_min_query_count": 1,
    "effective_performance_sample_count": 3321,
    "generated_query_count": 1,
    "power_begin": "09-01-2023 14:12:00.000",
    "power_end": "09-01-2023 14:12:08.000",
    "result_validity": "VALID",
    "result_samples_per_second": 3072,
    "result_min_duration_met": True,
    "result_min_queries_met": True,
    "early_stopping_met": True,
    "result_query_count": 1,
    "result_min_latency_ns": 8000000000,
    "result_max_latency_ns": 8000000000,
    "result_mean_latency_ns": 8000000000,
    **dict.fromkeys((f"result_{p}_percentile_latency_ns" for p in PERCENTILES), 8000000000),
}
"""24,576 samples in 8 s are 3,072 a second."""


def detail(values, when, seeds=SEEDS, version="3.1 @ NA"):
    """A detail log with these keys, in LoadGen's form."""
    start = {"loadgen_version": version, "test_datetime": when}
    start |= {f"effective_{name}_rng_seed": seed for name, seed in seeds.items()}
    lines = []
    for number, (key, value) in enumerate((start | values).items()):
        about = {"is_error": False, "is_warning": False, "file": "loadgen.cc", "line_no": number, "pid": 1, "tid": 1}
        record = {"key": key, "value": value, "time_ms": float(number), "namespace": "mlperf::logging"}
        lines.append(":::MLLOG " + json.dumps(record | {"event_type": "POINT_IN_TIME", "metadata": about}) + "\n")
    return "".join(lines)


def summary(values):
    """The summary log that belongs to it."""
    lines = [f"Scenario : {values['effective_scenario']}", f"Mode     : {values['effective_test_mode']}"]
    if values["effective_test_mode"] == "PerformanceOnly":
        p90 = values["result_90.00_percentile_latency_ns"]
        if values["effective_scenario"] == "Offline":
            lines.append(f"Samples per second: {values['result_samples_per_second']}")
        else:
            lines.append(f"90th percentile latency (ns) : {p90}")
        lines += [f"Result is : {values['result_validity']}", f"90.00 percentile latency (ns)   : {p90}"]
    return "\n".join([*lines, "", "No warnings encountered during test.", "", "No errors encountered during test.", ""])


def accuracy_values(scenario):
    return {
        "requested_test_mode": "AccuracyOnly", "effective_scenario": scenario, "effective_test_mode": "AccuracyOnly",
        "qsl_reported_total_count": 50000,
    }  # fmt: skip


def write_logs(folder, values, when, **more):
    """Detail and summary log of one run."""
    folder.mkdir(parents=True)
    (folder / "mlperf_log_detail.txt").write_text(detail(values, when, **more))
    (folder / "mlperf_log_summary.txt").write_text(summary(values))


def app_run(**told):
    empty = {"throughput": None, "accuracy": None, "accuracy2": None, "loadgen": None}
    data = {"name": "ImageNet", "type": "IMAGENET", "data_path": "", "groundtruth_path": ""}
    rest = {"dataset": data, "measured_duration": 61.0, "start_datetime": "2023-09-01T14:05:19"}
    return empty | rest | told


def app_loadgen(queries, mean, p90):
    return {
        "query_count": queries, "latency_mean": mean, "latency90": p90, "is_min_duration_met": True,
        "is_min_query_met": True, "is_early_stopping_met": True, "is_result_valid": True,
    }  # fmt: skip


def app_benchmark(name, scenario, performance, accuracy):
    return {
        "benchmark_id": name, "benchmark_name": name, "loadgen_scenario": scenario,
        "backend_settings": {
            "accelerator_code": "npu", "accelerator_desc": "NPU", "framework": "F", "delegate": "D",
            "model_path": "local:///ic.bin", "batch_size": 1, "extra_settings": [],
        },
        "backend_info": {
            "filename": "libx", "vendor_name": "ACME", "backend_name": "acme", "accelerator_name": "npu",
        },
        "performance_run": performance, "accuracy_run": accuracy, "min_duration": 60.0,
        "min_samples": 24576 if scenario == "Offline" else 1024,
    }  # fmt: skip


def app_file():
    """A result file of the app, as since v4.0."""
    accuracy = app_run(accuracy={"normalized": 0.7532399892807007, "formatted": "75.32%"}, measured_samples=50000)
    single = app_run(
        throughput={"value": 1 / 0.0011}, measured_samples=60001, loadgen=app_loadgen(60001, 0.000990001, 0.0011)
    )
    offline = app_run(throughput={"value": 24576 / 8.0}, measured_samples=24576, loadgen=app_loadgen(1, 8.0, 8.0))
    return {
        "meta": {
            "uuid": "9a26a185-bc1a-4f43-b58b-33402c0afb13", "creation_date": "2023-09-01T15:00:00", "upload_date": None,
        },
        "results": [
            app_benchmark("image_classification", "SingleStream", single, accuracy),
            app_benchmark("image_classification_offline", "Offline", offline, accuracy),
        ],
        "environment_info": {
            "platform": "android",
            "value": {
                "android": {
                    "os_version": "14", "manufacturer": "ACME", "model_code": "P1", "model_name": "Phone 1",
                    "board_code": "b", "proc_cpuinfo_soc_name": "soc", "props": [],
                },
                "ios": None, "windows": None,
            },
        },
        "build_info": {
            "version": "3.1.0", "build_number": "1", "build_date": "2023-08-25T09:39:20", "official_release_flag": True,
            "dev_test_flag": False, "backend_list": ["libx"], "git_branch": "b", "git_commit": "c",
            "git_dirty_flag": False,
        },
    }  # fmt: skip


class Tree:
    """A submission of one device with two benchmarks; a test may spoil a part of it."""

    def __init__(self, root):
        self.root = root
        self.submitter = root / "closed" / "ACME"
        self.device = self.submitter / "results" / "phone"
        self.result = self.device / "result.json"
        self.single = self.device / "mobilenetEdgeTPU" / "SingleStream" / "log_performance"
        self.offline = self.device / "mobilenetEdgeTPU" / "Offline" / "log_performance"
        self.system = self.submitter / "systems" / "phone.json"
        self.measurement = self.submitter / "measurements/phone/mobilenetEdgeTPU/SingleStream/phone_acme.json"

    def write(self):
        write_logs(self.single, SINGLE_STREAM, "2023-09-01T14:05:20Z")
        write_logs(self.offline, OFFLINE, "2023-09-01T14:12:00Z")
        for folder, scenario, minute in ((self.single, "SingleStream", 20), (self.offline, "Offline", 40)):
            accuracy = folder.with_name("log_accuracy")
            write_logs(accuracy, accuracy_values(scenario), f"2023-09-01T14:{minute}:00Z")
        self.json(self.result, app_file())
        told = {"Processor Name": "P", "Accelerator": "NPU", "DRAM": "8 GB", "OS Version": "14", "Vendor SDK": "S 1"}
        self.json(self.system, told)
        keys = ("input_data_types", "retraining", "starting_weights_filename", "weight_data_types")
        for path in (self.measurement, self.submitter / "measurements/phone/mobilenetEdgeTPU/Offline/phone_acme.json"):
            self.json(path, dict.fromkeys((*keys, "weight_transformations"), "x"))
        return self

    def json(self, path, data):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=2))

    def log(self, folder, **changes):
        """Write both logs of a run once more, with other values."""
        values = (OFFLINE if folder == self.offline else SINGLE_STREAM) | changes
        (folder / "mlperf_log_detail.txt").write_text(detail(values, "2023-09-01T14:05:20Z"))
        (folder / "mlperf_log_summary.txt").write_text(summary(values))

    def edit(self, path, *keys, value):
        """Change one value of a JSON file."""
        data = json.loads(path.read_text())
        place = data
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        self.json(path, data)


@pytest.fixture
def tree(tmp_path):
    """The submission, whole and right."""
    return Tree(tmp_path / "v3.1").write()


@pytest.fixture
def make_detail():
    return detail


@pytest.fixture
def single_stream():
    return dict(SINGLE_STREAM)


@pytest.fixture
def offline():
    return dict(OFFLINE)


@pytest.fixture
def make_app_file():
    return app_file


@pytest.fixture(scope="session")
def registry():
    from mlperf_mobile.registry import Registry

    return Registry()


@pytest.fixture
def command(capsys):
    """Runs one of the commands in this process: its exit code, and what it printed."""

    def run(module, *arguments):
        top = argparse.ArgumentParser()
        module.add(top.add_subparsers())
        args = top.parse_args([*map(str, arguments)])
        code = args.handler(args)
        return int(code), capsys.readouterr().out

    return run


@pytest.fixture(scope="session")
def official_results():
    """Results of official rounds, where they are at hand."""
    folder = Path(os.environ.get("MLPERF_MOBILE_SHARED", "/nowhere")) / "official_results"
    if not folder.is_dir():
        pytest.skip("MLPERF_MOBILE_SHARED/official_results is not here")
    return folder
