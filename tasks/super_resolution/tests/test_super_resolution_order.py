"""Pairs that only the order makes, though their names have numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as Pillow

from mlperf_mobile.scoring import warnings_of
from mlperf_mobile_task_super_resolution.options import PairsOptions
from mlperf_mobile_task_super_resolution.pairs import Pairs


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (["in1", "in2"], ["out1", "out2"], ""),
        (["in1", "in2"], ["out1", "out3"], "in2.png with out3.png"),
        (["1x2", "2x2"], ["1", "2"], ""),
        (["a", "b"], ["c", "d"], ""),
    ],
)
def test_order(tmp_path: Path, low: list[str], high: list[str], told: str) -> None:
    for part, names, size in (("lr", low, 16), ("hr", high, 32)):
        (tmp_path / part).mkdir()
        for name in names:
            Pillow.new("RGB", (size, size)).save(tmp_path / part / f"{name}.png")
    warnings = warnings_of(Pairs(tmp_path, PairsOptions()))
    assert [told in warning for warning in warnings] == ([True] if told else [])
