"""What LoadGen 6.0 logs of the framework's own runs, and the app's LoadGen does not, is no fault."""

from __future__ import annotations

import pytest

from mlperf_mobile_rounds.official import answers
from mlperf_mobile_rounds.official.app_export import app_file
from mlperf_mobile_rounds.official.checker import check
from mlperf_mobile_rounds.official.findings import Severity
from mlperf_mobile_rounds.official.imported import read


def log(tmp_path, numbers):
    path = tmp_path / "mlperf_log_accuracy.json"
    rows = (f'{{ "seq_id" : {n}, "qsl_idx" : {place}, "data" : "{place:02X}" }}' for place, n in enumerate(numbers))
    path.write_text("[\n" + ",\n".join(rows) + "\n]\n")
    return answers.read([path])


@pytest.mark.parametrize(
    ("numbers", "numbered", "line"),
    [
        ([0, 1, 2, 3], True, None),
        ([2, 3, 0, 1], True, 2),  # two threads answered, two samples at a time
        ([0, 1, 1, 3], False, 4),
        ([0, 1, 2, 4], False, 5),
        ([1, 2, 3, 4], False, 2),
        ([0, 0, 0, 0], False, 3),
    ],
)
def test_responses_are_numbered_in_any_order(tmp_path, numbers, numbered, line):
    found = log(tmp_path, numbers)
    assert (found.numbered, found.misnumbered) == (numbered, line)


def errors(tree, registry):
    report = check(tree.root, registry)
    return {finding.rule for finding in report.findings if finding.severity is Severity.ERROR}


def test_an_empty_trace_is_none(tree, registry):
    folders = {path.parent for path in tree.root.rglob("mlperf_log_detail.txt")}
    for folder in folders:
        (folder / "mlperf_log_trace.json").write_bytes(b"")
    report = check(tree.root, registry)
    assert "trace" not in errors(tree, registry)
    assert any("the trace log is empty" in finding.text for finding in report.findings)


def lines(tree, key, old, new):
    """Replace a value in the detail logs; returns how many had it."""
    count = 0
    for path in tree.root.rglob("mlperf_log_detail.txt"):
        text = path.read_text()
        found = [line for line in text.splitlines() if f'"key": "{key}", "value": {old},' in line]
        for line in found:
            text = text.replace(line, line.replace(f'"value": {old},', f'"value": {new},'))
        path.write_text(text)
        count += bool(found)
    return count


def test_an_expected_latency_is_printed_with_six_digits(tree, registry):
    """97,201 queries, one each 1,234,567 ns, which LoadGen prints as 1.23457e+06, last 120,001,146,967 ns."""
    keys = {
        "requested_single_stream_expected_latency_ns": (("1000000.0", "1e6", "1000000"), "1.23457e+06"),
        "effective_target_qps": (("1000",), "810.001"),
    }
    for key, (olds, new) in keys.items():
        assert any(lines(tree, key, old, new) for old in olds), key
    for made in ("120001", "97201"):
        lines(tree, "generated_query_count", made, "97201")
        lines(tree, "generated_query_duration", f"{int(made) * 10**6}", "120001146967")
    timed = [path for path in tree.root.rglob("mlperf_log_detail.txt") if '"value": 97201,' in path.read_text()]
    assert timed
    found = [
        finding
        for finding in check(tree.root, registry).findings
        if finding.rule == "settings-agree"
        and "generated_query_duration" in finding.text
        and finding.place.path in timed
    ]
    assert found == []


def test_the_file_is_created_after_its_last_run(tree, registry):
    results, _ = read(tree.root, registry)
    one, other = (
        each.model_copy(
            update={
                "created": "2030-01-01T00:00:00+00:00",
                "performance": each.performance.model_copy(update={"duration_s": 60.0}),
                "accuracy": each.accuracy.model_copy(update={"duration_s": seconds}),
            }
        )
        for each, seconds in zip(results, (90.0, 120.5), strict=True)
    )
    assert app_file([one])["meta"]["creation_date"] == "2030-01-01T00:01:30+00:00"
    assert app_file([one, other])["meta"]["creation_date"] == "2030-01-01T00:02:00.500000+00:00"
