"""Whatever number of a log or of the app's result file is replaced, the import reads the submission or refuses it."""

from __future__ import annotations

import json
import math

import pytest

from mlperf_mobile.errors import MobileError
from mlperf_mobile_rounds.official.checker import check
from mlperf_mobile_rounds.official.imported import read

NUMBERS = (-1, 5e-324, 1e308)


def imported(tree, registry):
    """The results, each with a possible score or none; nothing if the submission is refused."""
    try:
        results, _ = read(tree.root, registry)
    except MobileError:
        return []
    for result in results:
        if result.performance and (score := result.performance.score):
            assert 0 < score.value < math.inf
    return results


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize("benchmark", ["single", "offline"])
@pytest.mark.parametrize("with_app_file", [True, False])
def test_each_result_of_a_log(tree, registry, benchmark, value, with_app_file):
    if not with_app_file:
        tree.result.unlink()
    path = getattr(tree, benchmark) / "mlperf_log_detail.txt"
    lines = path.read_text().splitlines(keepends=True)
    entries = [json.loads(line.removeprefix(":::MLLOG ")) for line in lines]
    for number, entry in enumerate(entries):
        if not isinstance(entry["value"], int | float) or not entry["key"].startswith(("result_", "early_stopping")):
            continue
        changed = f":::MLLOG {json.dumps(entry | {'value': value})}\n"
        path.write_text("".join([*lines[:number], changed, *lines[number + 1 :]]))
        imported(tree, registry)


def test_a_negative_percentile_is_no_latency(tree, registry):
    path = tree.single / "mlperf_log_detail.txt"
    lines = path.read_text().splitlines(keepends=True)
    (line,) = [line for line in lines if '"result_90.00_percentile_latency_ns"' in line]
    entry = json.loads(line.removeprefix(":::MLLOG ")) | {"value": -1}
    path.write_text("".join(lines).replace(line, f":::MLLOG {json.dumps(entry)}\n"))
    (result,) = [each for each in imported(tree, registry) if each.scenario == "single-stream"]
    assert all(value >= 0 for value in result.performance.latency_ns.values())


@pytest.mark.parametrize("count", [10**400, 1e300])
def test_a_count_of_hundreds_of_digits_is_a_finding(tree, registry, count):
    path = tree.single / "mlperf_log_detail.txt"
    lines = []
    for line in path.read_text().splitlines(keepends=True):
        entry = json.loads(line.removeprefix(":::MLLOG "))
        if entry["key"].endswith(("_min_query_count", "_samples_per_query")):
            entry["value"] = count
        lines.append(f":::MLLOG {json.dumps(entry)}\n")
    path.write_text("".join(lines))
    assert any("larger than 64 bits" in str(finding) for finding in check(tree.root, registry).findings)


@pytest.mark.parametrize("benchmark", ["single", "offline"])
def test_the_largest_number_in_any_place_is_checked(tree, registry, benchmark):
    """Hundreds of it, and sums of two, are infinite."""
    path = getattr(tree, benchmark) / "mlperf_log_detail.txt"
    lines = path.read_text().splitlines(keepends=True)
    entries = [json.loads(line.removeprefix(":::MLLOG ")) for line in lines]
    changed = [entry for entry in entries if type(entry["value"]) in (int, float)]
    assert len(changed) > 20
    for entry in changed:
        text = f":::MLLOG {json.dumps(entry | {'value': 1e308})}\n"
        path.write_text("".join(text if other is entry else line for line, other in zip(lines, entries, strict=True)))
        assert check(tree.root, registry).findings
