"""The scenario sustained: the kit, and both ends of runs whose latencies are known."""

from __future__ import annotations

from array import array

import pytest

from mlperf_mobile.plugin import ScenarioInfo
from mlperf_mobile.scenarios import plugin
from mlperf_mobile.scenarios.sustained import ends, until
from mlperf_mobile.testing.scenario import ScenarioConformance

MS = 1_000_000


@pytest.mark.usefixtures("processes")
class TestConformance(ScenarioConformance):
    plugin_module = "mlperf_mobile.scenarios.plugin"

    @pytest.fixture
    def info(self) -> ScenarioInfo:
        return {offered.name: offered for offered in plugin.mlperf_mobile_scenarios()}["sustained"]

    def test_both_ends_are_reported(self, info, logs):
        """A stand-in of even speed: 2 ms at both ends, beside what LoadGen says about the whole."""
        latency = self.drive(info, logs, min_query_count=100, min_duration_s=0.5, latency_s=0.002)["latency_ns"]
        told = {name: value for name, value in latency.items() if name.startswith(("first", "last"))}
        assert set(told) == {"first_tenth_p50", "first_tenth_p90", "last_tenth_p50", "last_tenth_p90"}
        assert all(2e6 <= value <= latency["max"] for value in told.values())
        assert "target_percentile" in latency


def test_a_run_that_becomes_slower():
    """20 minutes: 10 ms a query in the first ten, 20 ms in the others, every fifth of them 30 ms."""
    fast, slow = [10 * MS] * 60_000, [20 * MS, 20 * MS, 20 * MS, 20 * MS, 30 * MS] * (600_000 // 110)
    assert ends(array("q", fast + slow), (sum(fast) + sum(slow)) / 1e9) == {
        "first_minute_p50": 10 * MS, "first_minute_p90": 10 * MS,
        "last_minute_p50": 20 * MS, "last_minute_p90": 30 * MS,
    }  # fmt: skip


@pytest.mark.parametrize(("limit", "count"), [(0, 1), (1, 1), (3, 3), (3.5, 4), (10, 10), (10.1, 10), (1e9, 10)])
def test_where_a_part_ends(limit, count):
    assert until(array("q", [1] * 10), limit) == count


@pytest.mark.parametrize(
    ("duration", "part"), [(599.9, "tenth"), (599.9999, "minute"), (600.0, "minute"), (3600.0, "minute")]
)
def test_the_part_is_named(duration, part):
    told = ends(array("q", [int(duration * 1e6)] * 1000), duration)
    assert set(told) == {f"{end}_{part}_{name}" for end in ("first", "last") for name in ("p50", "p90")}


def test_time_between_queries_is_part_of_the_minute():
    """Queries of 50 ms, one each 100 ms: the first minute has 600 of them, not 1200."""
    latencies = array("q", [50 * MS] * 700 + [51 * MS] * 5300)
    assert ends(latencies, 600.0)["first_minute_p90"] == 50 * MS


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_queries(count):
    told = ends(array("q", [7 * MS] * count), 0.1)
    assert set(told.values()) == {7 * MS}
