"""When the device is as cool and as calm as it was before."""

from __future__ import annotations

import pytest

from mlperf_mobile_telemetry import sources
from mlperf_mobile_telemetry.baseline import Baseline, look

COOL = Baseline({"cpu": 35.0, "skin": 30.0}, {"policy0": 600.0})


@pytest.mark.parametrize(
    ("now", "back"),
    [
        (Baseline({"cpu": 37.0, "skin": 32.0}, {"policy0": 660.0}), True),
        (Baseline({"cpu": 37.1, "skin": 30.0}, {"policy0": 600.0}), False),
        (Baseline({"cpu": 20.0, "skin": 20.0}, {"policy0": 540.0}), True),
        (Baseline({"cpu": 35.0, "skin": 30.0}, {"policy0": 539.0}), False),
        (Baseline({}, {}), True),  # what cannot be read any more does not count
        (Baseline({"cpu": 35.0, "skin": 30.0, "new": 90.0}, {"policy0": 600.0}), True),
    ],
)
def test_what_counts_as_back(now, back):
    assert COOL.is_back(now) is back


def test_the_median_of_a_few_looks_at_a_frequency(monkeypatch):
    seen = iter([{"policy0": 600.0}, {"policy0": 2400.0}, {"policy0": 700.0}])
    monkeypatch.setattr(sources, "frequencies", lambda: next(seen))
    monkeypatch.setattr(sources, "temperatures", lambda: {"cpu": 41.0})
    assert look(lambda seconds: None) == Baseline({"cpu": 41.0}, {"policy0": 700.0})
