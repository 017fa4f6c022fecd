"""The conformance tests of an observer, and of the part that it adds to a result."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pytest

from mlperf_mobile.contracts import Graph, Listing, Load, Mode, ObservedPart, ObservedRun
from mlperf_mobile.plan import DatasetRef, ModelRef, Plan, identity
from mlperf_mobile.plugin import ObserverInfo
from mlperf_mobile.problems import Source
from mlperf_mobile.registry import Offer
from mlperf_mobile.results import observed
from mlperf_mobile.results.columns import COLUMNS
from mlperf_mobile.results.views import remarks
from mlperf_mobile.testing.kit import Conformance, lacks
from mlperf_mobile.testing.observing import watched

__all__ = ["ObserverConformance"]

WATCHED_S = 0.3
_CELLS = (float, int, str, bool, type(None))


class ObserverConformance(Conformance):
    """Subclass once per observer; define ``plugin_module`` and ``info``.

    An observer of something that is not on every machine also defines ``recorded``.
    """

    @pytest.fixture
    def info(self) -> ObserverInfo:
        raise NotImplementedError

    @pytest.fixture
    def recorded(self, info: ObserverInfo, options: Any, tmp_path: Path) -> Path:
        """A folder with the observer's file; by default of a run of a moment, in which nothing is loaded."""
        self._watch(info, options, tmp_path)
        return tmp_path

    @pytest.fixture
    def part(self, info: ObserverInfo, recorded: Path) -> ObservedPart:
        """The part that the file gives; the tests are skipped if there is nothing to report."""
        part = info.part.load().of(recorded)
        if part is None:
            lacks("readings", "nothing could be read here; its author defines the fixture 'recorded'")
        return part

    def test_watches_a_run(self, info: ObserverInfo, options: Any, tmp_path: Path) -> None:
        """No method raises, or takes longer than a run waits for it."""
        assert self._watch(info, options, tmp_path) == ""

    def test_no_file_is_no_part(self, info: ObserverInfo, tmp_path: Path) -> None:
        """A run that was killed early has no file, and its result no part of the observer."""
        assert info.part.load().of(tmp_path) is None

    def test_the_part_is_made_of_the_file(self, info: ObserverInfo, recorded: Path, part: ObservedPart) -> None:
        """The file has the offered name, and gives the same part each time: plain data, with its own rules."""
        assert (recorded / info.file).is_file(), f"it has not written {info.file}"
        offer = Offer(info, Source("under test", "under test", ""))
        for mode in ("performance", "accuracy"):
            one, other = (observed.make(offer, _plan(mode), recorded) for _ in range(2))
            assert one is not None
            assert one == other

    def test_cells_are_those_of_its_columns(self, part: ObservedPart) -> None:
        """Each cell has a column, whose name is not one of the core's, with a description."""
        columns, cells = part.columns, part.values()
        for name, about in columns.items():
            assert isinstance(about, str), f"the description of column {name} is {about!r:.100}, and must be a text"
            assert about, f"column {name} has no description"
        assert set(columns).isdisjoint(column.name for column in COLUMNS)
        assert set(cells) <= set(columns)
        for name, cell in cells.items():
            assert isinstance(cell, _CELLS), f"the cell of {name} is {cell!r:.100}, not a number, a text or None"

    def test_lines_are_remarks(self, part: ObservedPart) -> None:
        """What the card and the report show is made of the part alone."""
        remarks(part.lines())
        remarks(part.facts())

    def test_listings_and_graphs_are_drawn(self, part: ObservedPart, recorded: Path, tmp_path: Path) -> None:
        """Rows have a cell for each heading, lines a value for each time; the file may be gone."""
        for listing in _each(part.listings(), Listing):
            for row in listing.rows:
                assert len(row) == len(listing.head), f"{row!r:.200} has no cell for each of {listing.head}"
        empty = tmp_path / "empty"
        empty.mkdir()
        for folder in (recorded, empty):
            for graph in _each(part.graphs(folder), Graph):
                for name, (seconds, values) in graph.lines.items():
                    found = f"{len(seconds)} times and {len(values)} values"
                    assert len(seconds) == len(values), f"line {name} of {graph.title} has {found}"

    @staticmethod
    def _watch(info: ObserverInfo, options: Any, folder: Path) -> str:
        """Let the observer watch a moment of a run; returns its trouble."""
        begun = time.monotonic()
        run = ObservedRun(_plan("performance"), folder, lambda: int(1000 * (time.monotonic() - begun)), {})
        with watched(info.observer.load()(options), run) as keeper:
            time.sleep(WATCHED_S)
        return keeper.trouble


def _each(given: Iterable[Any], kind: type[Any]) -> list[Any]:
    items = list(given)
    assert all(isinstance(each, kind) for each in items), f"{items!r:.200} is no list of {kind.__name__}"
    return items


def _plan(mode: Literal["performance", "accuracy"]) -> Plan:
    """The plan of a run that is not of a round, and samples often."""
    parts = {
        "schema": 1, "task": "stand-in", "benchmark": "stand-in", "suite": None, "backend": "stand-in",
        "model": ModelRef(name="stand-in", path=Path("stand-in"), format="none"),
        "dataset": DatasetRef(name="stand-in", offer="stand-in"), "accelerators": {"cpu": None},
        "scenario": "stand-in", "mode": Mode(mode), "rules": "quick", "batch": 1, "warmup_s": 0.0,
        "silence_timeout_s": 300.0, "compile_timeout_s": 3600.0, "strict_placement": True, "quality": None,
        "load": Load(min_query_count=1, min_duration_s=WATCHED_S, max_duration_s=0.0),
        "backend_options": {}, "task_options": {}, "scenario_options": {}, "offered_by": {}, "cache": Path(),
        "encoded_cache_mb": 0, "sources": {}, "telemetry_interval_s": WATCHED_S / 10,
    }  # fmt: skip
    return Plan.model_validate(identity("conformance") | parts)
