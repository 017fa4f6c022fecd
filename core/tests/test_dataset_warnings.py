"""What a data set warns of, on its way into the result and the card."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rich.console import Console

from mlperf_mobile.results.model import Result
from mlperf_mobile.scoring import MAX_WARNING, MAX_WARNINGS, warnings_of
from mlperf_mobile.terminal.card import result_panel


class Silent:
    """A data set of before."""

    def __len__(self) -> int:
        return 1

    def sample(self, index: int) -> object:
        return index

    def truth(self, index: int) -> object:
        return index


class Careful(Silent):
    def __init__(self, *texts: str) -> None:
        self.warnings = texts


class Endless(Silent):
    @property
    def warnings(self) -> Iterator[str]:
        while True:
            yield "x" * 10_000


def test_data_sets_may_say_nothing() -> None:
    assert warnings_of(Silent()) == [] and warnings_of(Careful()) == []
    assert warnings_of(Careful("a", "b")) == ["a", "b"]


def test_warnings_are_bounded() -> None:
    assert warnings_of(Endless()) == ["x" * MAX_WARNING] * MAX_WARNINGS  # type: ignore[arg-type]


RESULT = {
    "schema": 1, "run_id": "r", "created": "2030-01-01T00:00:00+00:00", "status": "completed", "valid": True,
    "task": "t", "benchmark": "t", "suite": None, "model": {"name": "m", "path": "/m", "format": "toy"}, "dataset": "d",
    "performance_dataset": None, "backend": "toy", "runtime": None, "accelerator": "cpu", "scenario": "single-stream",
    "mode": "accuracy", "rule_set": "quick", "load": {}, "rules": [], "performance": None, "accuracy": None,
    "placement": None, "system": None, "seeds": {}, "versions": {}, "environment": {}, "error": None, "directory": "/r",
}  # fmt: skip


@pytest.mark.parametrize("warnings", [None, [], ["labels go by the order of names"]])
def test_the_card_shows_them(warnings: list[str] | None) -> None:
    result = Result.model_validate(RESULT | ({} if warnings is None else {"warnings": warnings}))
    console = Console(width=120, record=True, file=None, quiet=True)
    with console.capture() as told:
        console.quiet = False
        console.print(result_panel(result))
    assert ("labels go by the order" in told.get()) == bool(warnings)
    assert ("WARNING" in told.get()) == bool(warnings)
