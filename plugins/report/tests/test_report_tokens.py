"""The page's section about tokens, from the files in a result's folder."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pytest

from mlperf_mobile.results.tokens import TokenFacts
from mlperf_mobile_report.html import parts, tokens
from mlperf_mobile_report.tables import comparisons


def charts(folder, first_ns):
    """Those of two answers of three tokens that took 9 ms."""
    (folder / "latencies.bin").write_bytes(struct.pack("<2q", 9_000_000, 9_000_000))
    (folder / "tokens.bin").write_bytes(struct.pack("<8q", *(5, 3, first_ns, 0) * 2))
    return "".join(tokens._charts(SimpleNamespace(folder=folder, key="a"), 2))


def test_answers_without_a_first_token_have_no_times(tmp_path):
    """A result of an interrupted offline run may not say that they are not defined."""
    assert "Time to first token" in charts(tmp_path, 1_000_000)
    found = charts(tmp_path, 0)
    assert "tokens.bin has 0 answers with a first token, the result 2 queries" in found
    assert "Time to first token" not in found


@pytest.mark.parametrize(
    ("samples", "queries", "text"), [(1, 1, "1 sample, 1 query"), (1200, 150, "1,200 samples, 150 queries")]
)
def test_one_sample_is_not_samples(samples, queries, text):
    assert parts._counts(SimpleNamespace(samples=samples, queries=queries)) == text


def test_the_decode_rate_of_a_comparison_is_the_score():
    """Not the ratio of sums, in which short answers count for less."""
    facts = TokenFacts(decode_per_s=110.0, decode_total_per_s=99.0)
    entry = SimpleNamespace(label="A", tokens=facts)
    group = SimpleNamespace(
        benchmark="b", scenario="single-stream", baseline=entry, rows=[SimpleNamespace(entry=entry, ratio=None)]
    )
    found = comparisons._token_grid(group)
    assert found.rows[0][found.head.index("DECODE/S")] == "110"
