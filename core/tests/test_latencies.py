"""Saved latencies come back, and their percentiles are those of a naive implementation."""

from __future__ import annotations

import struct
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.results import latencies

NANOSECONDS = st.integers(0, 2**53)
NAMES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p97": 0.97, "p99": 0.99, "p99_9": 0.999}


def test_the_file_is_little_endian_64_bit(tmp_path):
    path = tmp_path / latencies.FILE
    latencies.append(path, array("q", [1, 2**40]))
    latencies.append(path, array("q", []))
    latencies.append(path, array("q", [3]))
    assert path.read_bytes() == struct.pack("<qqq", 1, 2**40, 3)
    assert list(latencies.read(path)) == [1, 2**40, 3]


@pytest.mark.parametrize(("size", "values"), [(0, []), (7, []), (8, [5]), (15, [5]), (16, [5, 6])])
def test_a_torn_last_value_is_left_out(tmp_path, size, values):
    path = tmp_path / latencies.FILE
    path.write_bytes(struct.pack("<qq", 5, 6)[:size])
    assert list(latencies.read(path)) == values


def test_no_file_is_no_latencies(tmp_path):
    assert list(latencies.read(tmp_path / "absent")) == []


def test_hand_computed():
    """Of 1 … 10, the value at index int(10 p) of the sorted ones."""
    found = latencies.summary([10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    assert found == {
        "p50": 6, "p90": 10, "p95": 10, "p97": 10, "p99": 10, "p99_9": 10, "mean": 5.5, "min": 1, "max": 10,
    }  # fmt: skip


@given(st.lists(NANOSECONDS, min_size=1, max_size=300))
def test_like_numpy(values):
    found = latencies.summary(array("q", values))
    ordered = np.sort(np.array(values, dtype=np.int64))
    for name, share in NAMES.items():
        assert found[name] == ordered[np.floor(len(values) * np.float64(share)).astype(int)]
    assert (found["min"], found["max"]) == (ordered.min(), ordered.max())
    assert found["mean"] == pytest.approx(ordered.astype(np.float64).mean())


def test_of_nothing_there_is_no_summary():
    with pytest.raises(ValueError, match="no latencies"):
        latencies.summary([])


@pytest.mark.parametrize("name", ["\ud800", "a\0b"])
def test_a_folder_that_no_file_system_can_have_has_no_latencies(tmp_path, name):
    """A result that was read from elsewhere may name any text as its folder."""
    assert list(latencies.read(tmp_path / name / "latencies.bin")) == []
