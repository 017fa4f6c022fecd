"""Reads the result file of the reference app, in every form that it had since v1.1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlperf_mobile_rounds.official import json_files
from mlperf_mobile_rounds.official.app_node import MAX_RESULTS, Node, empty, facts, plain
from mlperf_mobile_rounds.official.app_results import (
    OFFLINE,
    SINGLE_STREAM,
    Accuracy,
    AppFile,
    AppResult,
    FormError,
    Run,
    accuracy_of_text,
    metric_of,
)


def looks_like(data: Any) -> bool:
    """Whether the content of a JSON file could be a result file of the app."""
    first = data[0] if isinstance(data, list) and data else data
    return isinstance(first, dict) and ("benchmark_id" in first or ("results" in first and "schema" not in first))


def read(path: Path) -> AppFile:
    """Read a result file.

    Raises:
        JsonError: It is not JSON.
        FormError: It is of no known form, or a value is not what it should be.
    """
    return parse(path, json_files.read(path))


def parse(path: Path, data: Any) -> AppFile:
    """The records in the content of a result file.

    Raises:
        FormError: It is of no known form, or a value is not what it should be.
    """
    problems: list[tuple[str, str]] = []
    top = Node(path, "", data, problems)
    if isinstance(data, list):
        if not data:
            raise FormError(path, "", "an empty list")
        if len(data) > MAX_RESULTS:
            raise FormError(path, "", f"more than {MAX_RESULTS} results")
        if isinstance(data[0], dict) and "benchmark_id" in data[0]:
            return AppFile(path, "flat", tuple(_flat(path, top.items())), problems=tuple(problems))
        if len(data) > 1:
            raise FormError(path, "", f"{len(data)} runs in one file")
        return _extended(path, top.items()[0], "list")
    return _extended(path, top, "extended")


def _extended(path: Path, top: Node, form: str) -> AppFile:
    listed = top.get("results")
    if not listed.there:
        raise FormError(path, "", "no results in it")
    if len(listed.items()) > MAX_RESULTS:
        raise FormError(path, "results", f"more than {MAX_RESULTS}")
    meta, build = _or_empty(top.get("meta")), _or_empty(top.get("build_info"))
    platform, device = _device(_or_empty(top.get("environment_info")))
    return AppFile(
        path,
        form,
        tuple(_result(item) for item in listed.items()),
        uuid=meta.get("uuid").text(),
        created=meta.get("creation_date").text(),
        run_mode=meta.get("run_mode").text(),
        platform=platform,
        device=device,
        app_version=build.get("version").text(),
        app_build=tuple((plain(k), plain(v)) for k, v in build.value.items() if not isinstance(v, list | dict)),
        facts=facts(top),
        empty=empty(top),
        problems=tuple(top.problems),
        unknown=tuple(
            sorted({plain(key) for key in top.value} - {"meta", "results", "environment_info", "build_info"})[:20]
        ),
    )


def _or_empty(node: Node) -> Node:
    return node if node.there else Node(node.path, node.key, {}, node.problems)


def _device(node: Node) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Platform and facts; v2.1 has them flat, later forms under the platform's name."""
    platform = node.get("platform", "os_name").text().lower()
    value = node.get("value")
    facts = _or_empty(value.get(platform)) if value.there and platform else node
    if not isinstance(facts.value, dict):
        raise facts.wrong("an object")
    values = {plain(k): plain(v) for k, v in facts.value.items() if v is not None and not isinstance(v, list | dict)}
    props = facts.value.get("props")
    for prop in props if isinstance(props, list) else ():
        if isinstance(prop, dict):
            values[plain(prop.get("name"))] = plain(prop.get("value"))
    return platform, tuple(values.items())


def _result(node: Node) -> AppResult:
    settings, reported = _or_empty(node.get("backend_settings")), _or_empty(node.get("backend_info"))
    least = node.get("min_duration", "min_duration_ms")
    scenario = node.get("loadgen_scenario").text()
    extra = settings.get("extra_settings")
    benchmark = node.get("benchmark_id")
    if not benchmark.text():
        raise benchmark.wrong("the name of a benchmark")
    return AppResult(
        node.key,
        benchmark.text(),
        node.get("benchmark_name").text(),
        {"single_stream": SINGLE_STREAM, "offline": OFFLINE}.get(scenario.lower(), scenario),
        _run(node.get("performance_run"), benchmark.text()),
        _run(node.get("accuracy_run"), benchmark.text()),
        _seconds(least),
        node.get("min_samples").integer(),
        backend=reported.get("backend_name").text(),
        vendor=reported.get("vendor_name").text(),
        library=reported.get("filename").text(),
        accelerator=reported.get("accelerator_name").text() or settings.get("accelerator_desc").text(),
        accelerator_code=settings.get("accelerator_code").text(),
        accelerator_desc=settings.get("accelerator_desc").text(),
        framework=settings.get("framework", "configuration").text(),
        delegate=settings.get("delegate").text(),
        model_path=settings.get("model_path").text(),
        batch=settings.get("batch_size").integer(),
        settings=tuple((s.get("id").text(), s.get("value").text()) for s in extra.items()) if extra.there else (),
    )


def _seconds(node: Node) -> float | None:
    value = node.number()
    return value / 1000 if value is not None and node.key.endswith("_ms") else value


def _run(node: Node, benchmark: str) -> Run | None:
    if not node.there:
        return None
    data = _or_empty(node.get("dataset"))
    load = node.get("loadgen", "loadgen_info")
    more = _or_empty(load)
    throughput = node.get("throughput")
    valid = more.get("is_result_valid", "validity") if load.there else node.get("loadgen_validity")
    return Run(
        (throughput.get("value") if isinstance(throughput.value, dict) else throughput).number(),
        _accuracy(node.get("accuracy"), benchmark),
        _accuracy(node.get("accuracy2"), benchmark),
        data.get("name").text(),
        data.get("type").text(),
        data.get("data_path").text(),
        data.get("groundtruth_path").text(),
        _seconds(node.get("measured_duration", "measured_duration_ms")),
        node.get("measured_samples").integer(),
        node.get("start_datetime").text() or None,
        valid.flag(),
        more.get("query_count").integer(),
        more.get("latency_mean").number(),
        more.get("latency90").number(),
        more.get("is_min_duration_met").flag(),
        more.get("is_min_query_met").flag(),
        more.get("is_early_stopping_met").flag(),
        bool(more.get("is_token_based").flag()),
        more.get("token_throughput").number(),
        more.get("latency_first_token_mean").number(),
        more.get("latency_first_token90").number(),
        busy_s=more.get("duration").number(),
    )


def _accuracy(node: Node, benchmark: str) -> Accuracy | None:
    if not node.there:
        return None
    normalized, formatted = node.get("normalized", "value").number(), node.get("formatted", "string").text()
    return None if normalized is None else Accuracy(normalized, formatted, metric_of(formatted, benchmark))


def _flat(path: Path, items: list[Node]) -> Iterator[AppResult]:
    """One record of each benchmark out of the two of v1.1 and v2.0: one of the timed run, one of the accuracy run."""
    both: dict[str, dict[str, Node]] = {}
    for item in items:
        benchmark, mode = item.get("benchmark_id").text(), item.get("mode").text()
        kind = "accuracy" if mode.startswith(("accuracy", "submission_accuracy")) else "performance"
        if kind in both.setdefault(benchmark, {}):
            raise FormError(path, item.key, f"a second {kind} result of {benchmark}")
        both[benchmark][kind] = item
    for benchmark, nodes in both.items():
        first = next(iter(nodes.values()))
        offline = "offline" in benchmark.lower()
        yield AppResult(
            first.key,
            benchmark,
            benchmark,
            OFFLINE if offline else SINGLE_STREAM,
            _flat_run(nodes.get("performance"), benchmark),
            _flat_run(nodes.get("accuracy"), benchmark),
            _milliseconds(first.get("min_duration")),
            first.get("min_samples").integer(),
            framework=_or_empty(first.get("configuration")).get("runtime").text(),
        )


def _milliseconds(node: Node) -> float | None:
    value = node.number()
    return None if value is None else value / 1000


def _flat_run(node: Node | None, benchmark: str) -> Run | None:
    if node is None:
        return None
    samples = node.get("num_samples").integer()
    score = node.get("score").number()
    accuracy_text = node.get("accuracy").text()
    accuracy = accuracy_of_text(accuracy_text, benchmark)
    if accuracy_text not in ("", "N/A") and accuracy is None:
        raise node.get("accuracy").wrong("an accuracy")
    return Run(
        score if samples else None,
        accuracy,
        None,
        "",
        "",
        "",
        "",
        _milliseconds(node.get("duration")) if samples else None,
        samples or None,
        node.get("datetime").text() or None,
        None,
    )
