"""A small submission to v3.1, written from numbers that were made up so that they agree with one another."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import zlib
from datetime import datetime, timedelta
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
    "generated_query_count": 120001,
    "power_begin": "09-01-2023 14:05:21.000",
    "power_end": "09-01-2023 14:06:21.010",
    "early_stopping_result": (
        " * Processed at least 64 queries (60001).  * Would discard 5831 highest latency queries."
        "  * Early stopping 90th percentile estimate: 1100100  * Early stopping 99th percentile estimate: 1450000"
    ),
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
    "power_begin": "09-01-2023 14:12:01.000",
    "power_end": "09-01-2023 14:12:09.000",
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


FIXED = {
    "max_query_count": 0, "accuracy_log_rng_seed": 0, "accuracy_log_probability": 0, "accuracy_log_sampling_target": 0,
    "print_timestamps": False, "performance_issue_unique": False, "performance_issue_same": False,
    "performance_issue_same_index": 0,
}  # fmt: skip
RETRIES = (
    "logger_swap_request_slots_retry_count", "logger_swap_request_slots_retry_retry_count",
    "logger_swap_request_slots_retry_reencounter_count", "logger_start_reading_entries_retry_count",
    "logger_tls_total_log_cas_fail_count", "logger_tls_total_swap_buffers_slot_retry_count",
)  # fmt: skip


def whole(values, when, seeds=SEEDS, version="3.1 @ NA"):
    """All that LoadGen 3.1 writes into a detail log, around what a test wants in it; ``...`` leaves a key out."""
    single, timed = values["effective_scenario"] != "Offline", "result_validity" in values
    count = values.get("requested_min_query_count", 1024 if single else 24576)
    per_query = values.get("effective_samples_per_query", 1 if single else count)
    least_ms = values.get("requested_min_duration_ms", 60000 if single else 0)
    total = values.get("qsl_reported_total_count", 300)
    memory = values.get("effective_performance_sample_count", 3321)
    loaded = min(total, memory) if timed else total
    head = {
        "loadgen_version": version, "loadgen_build_date_local": "2023-08-25T09:39:20.904574",
        "loadgen_build_date_utc": "2023-08-25T16:39:20.904602", "loadgen_git_commit_date": "NA",
        "loadgen_git_log_message": "NA", "loadgen_git_status_message": "NA", "loadgen_file_sha1": {},
        "test_datetime": when, "sut_name": "acme", "get_sut_name_duration_ns": 274, "qsl_name": "Imagenet",
        "qsl_reported_total_count": total, "qsl_reported_performance_count": memory,
    }  # fmt: skip
    asked = {"scenario": values["effective_scenario"], "test_mode": values["effective_test_mode"]}
    asked |= (
        {"single_stream_expected_latency_ns": 1e6, "single_stream_target_latency_percentile": 0.9}
        if single
        else {"offline_expected_qps": 1}
    )
    asked |= {"min_duration_ms": least_ms, "max_duration_ms": 0, "min_query_count": count}
    drawn = {f"{name}_rng_seed": seed for name, seed in seeds.items()}
    effective = {
        "scenario": values["effective_scenario"], "test_mode": values["effective_test_mode"],
        "samples_per_query": per_query, "target_qps": 1000 if single else 1, "target_latency_ns": 0,
        "target_latency_percentile": 0.9 if single else 0.99, "max_async_queries": 1,
        "target_duration_ms": least_ms if single else 0, "min_duration_ms": least_ms, "max_duration_ms": 0,
        "min_query_count": count if single else 1, "min_sample_count": count if single else per_query,
    }  # fmt: skip
    made = values.get("generated_query_count", (120001 if timed else total) if single else 1)
    rest = {
        "generic_message": f"Starting {'performance' if timed else 'accuracy'} mode",
        "loaded_qsl_set": list(range(loaded)), "generated_query_count": made,
        "generated_samples_per_query": per_query,
        "generated_query_duration": made * (1000000 if single else 1000000000),
        **dict.fromkeys(RETRIES, 0),
        "power_begin": clock(when, 1.0), "power_end": clock(when, 3.0),
    }  # fmt: skip
    found = head | {f"requested_{k}": v for k, v in (asked | drawn | FIXED).items()}
    found |= {"requested_performance_sample_count_override": 0}
    found |= {f"effective_{k}": v for k, v in (effective | drawn | FIXED).items()}
    found |= {"effective_performance_sample_count": memory} | rest
    if timed and single:
        found |= {"early_stopping_result": "", "early_stopping_latency_ss": 0, "early_stopping_latency_ms": 1450000}
    elif timed:
        found |= {"early_stopping_result": ""}
    return {key: value for key, value in (found | values).items() if value is not ...}


def clock(when, later):
    """A time as LoadGen writes it around the timed run."""
    time = datetime.strptime(when, "%Y-%m-%dT%H:%M:%SZ") + timedelta(seconds=later)
    return f"{time:%m-%d-%Y %H:%M:%S}.{time.microsecond // 1000:03d}"


def seconds(values):
    begin, end = (datetime.strptime(values[key], "%m-%d-%Y %H:%M:%S.%f") for key in ("power_begin", "power_end"))
    return (end - begin).total_seconds()


def detail(values, when, seeds=SEEDS, version="3.1 @ NA"):
    """A detail log with these keys, in LoadGen's form; the timed run begins a second after the test."""
    values = whole(values, when, seeds, version)
    lines, now = [], 0.01
    begin = (datetime.strptime(values["power_begin"], "%m-%d-%Y %H:%M:%S.%f")
             - datetime.strptime(values["test_datetime"], "%Y-%m-%dT%H:%M:%SZ")).total_seconds() % 900  # fmt: skip
    pairs = list(values.items())
    if values.get("result_validity") == "VALID":
        naturally = "Ending naturally: Minimum query count and test duration met."
        pairs.insert([key for key, _ in pairs].index(RETRIES[0]), ("generic_message", naturally))
    for key, value in pairs:
        if key == "generated_query_count":
            now = begin * 1000
        elif key == RETRIES[0]:
            now += seconds(values) * 1000
        kind = {"is_error": key.startswith("error"), "is_warning": key.startswith("warning")}
        about = kind | {"file": "loadgen.cc", "line_no": 1 + zlib.crc32(key.encode()) % 2000, "pid": 1, "tid": 1}
        record = {"key": key, "value": value, "time_ms": now, "namespace": "mlperf::logging"}
        lines.append(":::MLLOG " + json.dumps(record | {"event_type": "POINT_IN_TIME", "metadata": about}) + "\n")
    return "".join(lines)


PARAMETERS = (
    "samples_per_query", "target_qps", "target_latency_ns", "max_async_queries", "min_duration_ms", "max_duration_ms",
    "min_query_count", "max_query_count", "qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed",
    *(name for name in FIXED if name != "max_query_count"), "performance_sample_count",
)  # fmt: skip


def summary(values, when="2023-09-01T14:05:20Z", **more):
    """The summary log that belongs to it."""
    values = whole(values, when, **more)
    lines = []
    if values["effective_test_mode"] == "PerformanceOnly":
        single, yes = values["effective_scenario"] != "Offline", {True: "Yes", False: "NO"}
        rule = "=" * 48
        lines += [rule, "MLPerf Results Summary", rule, f"SUT name : {values['sut_name']}"]
        lines += [f"Scenario : {values['effective_scenario']}", f"Mode     : {values['effective_test_mode']}"]
        p90 = values["result_90.00_percentile_latency_ns"]
        if single:
            lines.append(f"90th percentile latency (ns) : {p90}")
        else:
            lines.append(f"Samples per second: {values['result_samples_per_second']}")
        lines.append(f"Result is : {values['result_validity']}")
        lines.append(f"  Min duration satisfied : {yes[values['result_min_duration_met']]}")
        lines.append(f"  Min queries satisfied : {yes[values['result_min_queries_met']]}")
        if "early_stopping_met" in values:
            lines.append(f"  Early stopping satisfied: {yes[values['early_stopping_met']]}")
        if values.get("early_stopping_result"):
            lines += ["Early Stopping Result:", values["early_stopping_result"]]
        lines += ["", rule, "Additional Stats", rule]
        if single:
            for name in ("with", "without"):
                rate = values[f"result_qps_{name}_loadgen_overhead"]
                lines.append(f"QPS w/{'o' if name == 'without' else ''} loadgen overhead : {rate:.2f}")
        for name in ("Min", "Max", "Mean"):
            lines.append(f"{name} latency (ns) : {values[f'result_{name.lower()}_latency_ns']}")
        for each in PERCENTILES:
            lines.append(f"{each} percentile latency (ns)   : {values[f'result_{each}_percentile_latency_ns']}")
        lines += ["", rule, "Test Parameters Used", rule]
        for name in PARAMETERS:
            value = values[f"effective_{name}"]
            named = re.sub("_(ns|ms)$", r" (\1)", name)
            lines.append(f"{named} : {int(value) if isinstance(value, bool) else value}")
    errors = sum(key.startswith("error_") for key in values)
    told = f"{errors} error encountered. See detailed log." if errors else "No errors encountered during test."
    return "\n".join([*lines, "", "No warnings encountered during test.", "", told, ""])


def accuracy_values(scenario):
    return {
        "requested_test_mode": "AccuracyOnly", "effective_scenario": scenario, "effective_test_mode": "AccuracyOnly",
        "qsl_reported_total_count": 50000,
    }  # fmt: skip


def write_logs(folder, values, when, **more):
    """Detail and summary log of one run."""
    folder.mkdir(parents=True)
    (folder / "mlperf_log_detail.txt").write_text(detail(values, when, **more))
    (folder / "mlperf_log_summary.txt").write_text(summary(values, when, **more))


def app_run(**told):
    empty = {"throughput": None, "accuracy": None, "accuracy2": None, "loadgen": None}
    truth = "local:///imagenet/val.txt" if "accuracy" in told else ""
    path = "local:///imagenet/img"
    data = {"name": "ImageNet", "type": "IMAGENET", "data_path": path, "groundtruth_path": truth}
    rest = {"dataset": data, "measured_duration": 61.04, "start_datetime": "2023-09-01T14:05:19"}
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
        "performance_run": performance, "accuracy_run": accuracy,
        "min_duration": 0.0 if scenario == "Offline" else 60.0,
        "min_samples": 24576 if scenario == "Offline" else 1024,
    }  # fmt: skip


def app_file():
    """A result file of the app, as since v4.0."""
    right = {"normalized": 0.7532399892807007, "formatted": "75.32%"}
    accuracies = [
        app_run(
            accuracy=dict(right), measured_samples=50000, measured_duration=3.02,
            start_datetime=f"2023-09-01T14:{minute}:00.5",
        )
        for minute in (20, 40)
    ]  # fmt: skip
    single = app_run(
        throughput={"value": 1 / 0.0011}, measured_samples=60001, loadgen=app_loadgen(60001, 0.000990001, 0.0011)
    )
    offline = app_run(throughput={"value": 24576 / 8.0}, measured_samples=24576, loadgen=app_loadgen(1, 8.0, 8.0),
                      measured_duration=9.03, start_datetime="2023-09-01T14:12:00.1")  # fmt: skip
    return {
        "meta": {
            "uuid": "9a26a185-bc1a-4f43-b58b-33402c0afb13", "creation_date": "2023-09-01T15:00:00", "upload_date": None,
        },
        "results": [
            app_benchmark("image_classification", "SingleStream", single, accuracies[0]),
            app_benchmark("image_classification_offline", "Offline", offline, accuracies[1]),
        ],
        "environment_info": {
            "platform": "android",
            "value": {
                "android": {
                    "os_version": "14", "manufacturer": "ACME", "model_code": "P1", "model_name": "Phone 1",
                    "board_code": "b", "proc_cpuinfo_soc_name": "soc",
                    "props": [
                        {"type": "socName", "name": "ro.soc.model", "value": "A1"},
                        {"type": "socManufacturer", "name": "ro.soc.manufacturer", "value": "ACME"},
                    ],
                },
                "ios": None, "windows": None,
            },
        },
        "build_info": {
            "version": "3.1.0", "build_number": "1", "build_date": "2023-08-25T09:39:20", "official_release_flag": True,
            "dev_test_flag": False, "backend_list": ["libx"], "git_branch": "b", "git_commit": "ea1937f4e3428384",
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
        told = {
            "System": "ACME Phone",
            "Processor Name": "P",
            "Accelerator": "NPU",
            "DRAM": "8 GB",
            "OS Version": "14",
            "Vendor SDK": "S 1",
        }
        self.json(self.system, told)
        made = {
            "input_data_types": "UINT8", "retraining": "none", "starting_weights_filename": "v1/model.pb",
            "weight_data_types": "int8", "weight_transformations": "none",
        }  # fmt: skip
        for path in (self.measurement, self.submitter / "measurements/phone/mobilenetEdgeTPU/Offline/phone_acme.json"):
            self.json(path, made)
        return self

    def json(self, path, data):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=2))

    def log(self, folder, **changes):
        """Write both logs of a run once more, with other values."""
        values = (OFFLINE if folder == self.offline else SINGLE_STREAM) | changes
        when = f"2023-09-01T14:{'12:00' if folder == self.offline else '05:20'}Z"
        (folder / "mlperf_log_detail.txt").write_text(detail(values, when))
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
        module.add(top)
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


def latencies():
    """60,001 latencies in nanoseconds with the percentiles and the mean of ``SINGLE_STREAM``."""
    count = SINGLE_STREAM["result_query_count"]
    steps = {0: SINGLE_STREAM["result_min_latency_ns"], count - 1: SINGLE_STREAM["result_max_latency_ns"]}
    for each in PERCENTILES:
        steps[int(count * float(each) / 100)] = SINGLE_STREAM[f"result_{each}_percentile_latency_ns"]
    places = sorted(steps)
    found = [0] * count
    for low, high in itertools.pairwise(places):
        found[low:high] = [steps[low]] * (high - low)
    found[-1] = steps[count - 1]
    short = SINGLE_STREAM["result_mean_latency_ns"] * count - sum(found)
    for low, high in itertools.pairwise(places):  # raise what lies between two percentiles, until the mean is right
        room = high - low - 1
        more = min(short // room, steps[high] - steps[low]) if room else 0
        found[low + 1 : high] = [steps[low] + more] * room
        short -= more * room
    return found


def trace():
    """A trace log of LoadGen, with these latencies and an issue every 100.01 us after the answer before."""
    lines, now = ['{"traceEvents":[\n'], 1_000_000.0
    told = latencies()
    pause = (60000 / SINGLE_STREAM["result_qps_with_loadgen_overhead"] * 1e9 - sum(told[:-1])) / 60000
    for number, latency in enumerate(told):
        about = f'"sample_seq":{number},"query_seq":{number},"sample_idx":{number % 300},"issue_start_ns":0'
        start = f'{{"name":"Sample","cat":"default","ph":"b","pid":1,"id":{number},"ts":{now:.3f}'
        lines.append(f'{start},"args":{{{about},"complete_ns":{latency}}}}},\n')
        end = now + latency / 1000
        lines.append(f'{{"name":"Sample","cat":"default","ph":"e", "pid":1,"id":{number},"ts":{end:.3f}}},\n')
        now = end + pause / 1000
    return "".join([*lines, '{"name":"LastTrace"}\n],\n"displayTimeUnit":"ns"\n}\n'])


def answer_log(shift):
    """50,000 classes, as the app logs them."""
    classes = [(number * 7 + shift) % 1000 for number in range(50000)]
    items = (
        f'{{ "seq_id" : {n}, "qsl_idx" : {n}, "data" : "{each.to_bytes(4, "little").hex().upper()}" }}'
        for n, each in enumerate(classes)
    )
    return "[\n" + ",\n".join(items) + "\n]\n"


class Whole(Tree):
    """A submission with all that the rules ask for: traces, answers, code, calibration and pictures, too."""

    def write(self):
        super().write()
        (self.single / "mlperf_log_trace.json").write_text(trace())
        for folder in (self.single, self.offline):
            (folder / "mlperf_log_accuracy.json").write_text("[\n]\n")
            (folder.with_name("log_accuracy") / "mlperf_log_accuracy.json").write_text(answer_log(3))
        for name in ("code/mobilenetEdgeTPU/run.cc", "calibration.md", "results/phone/performance.jpg"):
            path = self.submitter / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
        return self


@pytest.fixture(scope="module")
def whole_submission(tmp_path_factory):
    """One for all tests of a module, which leave it as it was."""
    return Whole(tmp_path_factory.mktemp("whole") / "v3.1").write()
