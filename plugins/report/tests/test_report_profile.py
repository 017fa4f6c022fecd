"""The section with a backend's profile."""

from __future__ import annotations

import re

import pytest

from mlperf_mobile_report.html.profile import section_of

LITERT = {
    "phases": {"Invoke": {"count": 2, "total": 80, "mean": 40.0, "unit": "us"}},
    "node_count": 3, "total": 36.5, "unit": "us",
    "nodes": [
        {"node": "Softmax", "index": 2, "mean": 6.5, "unit": "us", "share": 0.1781},
        {"node": "Convolution", "index": 0, "mean": 30.0, "unit": "us", "share": 0.8219},
    ],
}  # fmt: skip
QNN = {"node_count": 1, "nodes": [{"node": "conv:OpId_1 (cycles)", "mean": 900.0, "unit": "cycles", "share": 1.0}]}


def cells(markup: str) -> list[str]:
    return [re.sub("<[^>]+>", "", cell) for cell in re.findall("<t[hd][^>]*>(.*?)</t[hd]>", markup)]


def test_operators_are_listed_largest_first_beside_the_total() -> None:
    markup = str(section_of({"cpu": {"profile": LITERT}}))
    found = cells(markup)
    assert found.index("Convolution") < found.index("Softmax")
    place = found.index("Convolution")
    assert found[place : place + 5] == ["Convolution", "0", "30", "us", "82.2%"]
    assert "2 of 3; all of them together 36.5 us" in markup
    assert found[-3:] == ["Invoke", "40", "us"]


def test_both_backends_share_the_table() -> None:
    found = cells(str(section_of({"cpu": {"profile": LITERT}, "npu": {"profile": QNN}})))
    place = found.index("conv:OpId_1 (cycles)")
    assert found[place : place + 5] == ["conv:OpId_1 (cycles)", "–", "900", "cycles", "100.0%"]


def test_the_reason_for_no_profile_is_a_line() -> None:
    assert "cpu: no &lt;profiler&gt;" in str(section_of({"cpu": {"profile": {"problem": "no <profiler>"}}}))


@pytest.mark.parametrize("report", [
    None, {}, {"cpu": {}}, {"cpu": 1}, {"cpu": {"profile": ["a.log"]}}, {"cpu": {"profile": {}}},
    {"cpu": {"profile": {"nodes": 3, "phases": []}}},
])  # fmt: skip
def test_other_reports_make_no_section(report) -> None:
    assert section_of(report) is None


def test_hostile_values_are_shown_as_text_or_dashes() -> None:
    node = {"node": "<script>", "index": "x", "mean": None, "unit": ["<b>"], "share": 1e308}
    markup = str(section_of({"cpu": {"profile": {"nodes": [node, 3], "phases": {"<i>": {"mean": {}}, "x": 1}}}}))
    assert "<script>" not in markup
    assert "<b>" not in markup
    assert "<i>" not in markup
