"""The functions of ``import mlperf_mobile``: plan, run, load and tabulate. ``mlperf-mobile run`` uses the same ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from mlperf_mobile.campaigns.start import campaign_of, measured, owned, planned
from mlperf_mobile.config.document import Layer, Setting
from mlperf_mobile.config.layers import merge
from mlperf_mobile.config.resolve import PlannedRuns
from mlperf_mobile.config.selection import Request
from mlperf_mobile.config.sweep import SWEEP
from mlperf_mobile.errors import OutputError, UsageError
from mlperf_mobile.launch.recover import recover_all
from mlperf_mobile.plan import Plan
from mlperf_mobile.resources.cache import missing_resources
from mlperf_mobile.results import store
from mlperf_mobile.results.columns import Kind, table
from mlperf_mobile.results.model import Result
from mlperf_mobile.terminal import tables
from mlperf_mobile.terminal.plans import dry_run_text
from mlperf_mobile.terminal.progress import shown
from mlperf_mobile.user_paths import expand

if TYPE_CHECKING:
    import pandas as pd

MOST_RESULTS = 10_000
"""Read from one folder."""
_DTYPES = {Kind.NUMBER: "float64", Kind.COUNT: "Int64", Kind.FLAG: "boolean", Kind.TEXT: "object"}


class Results(Sequence[Result]):
    """Results in order: a sequence, a data frame, and a table in a notebook."""

    def __init__(self, results: Sequence[Result]) -> None:
        self._results = tuple(results)

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: int | slice) -> Result | Results:
        """A result, or some of them."""
        return Results(self._results[index]) if isinstance(index, slice) else self._results[index]

    def __len__(self) -> int:
        return len(self._results)

    @property
    def valid(self) -> bool:
        """Whether all are valid."""
        return all(result.valid for result in self)

    def frame(self) -> pd.DataFrame:
        """A pandas data frame with a row for each result, and the columns of ``mlperf-mobile report --csv``.

        Numbers are numbers, booleans are nullable booleans, and what was not measured is missing. Latencies are in
        nanoseconds. Swept settings and options are columns, too: ``swept.threads``, ``option.backend.threads``.

        Raises:
            UsageError: ``not-installed``: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            hint = "pip install 'mlperf-mobile[pandas]'"
            raise UsageError("not-installed", "a data frame needs pandas, which is not installed", hint) from error
        heads, rows = table(self)
        columns = {}
        for place, (name, kind) in enumerate(heads):
            cells = pd.Series([row[place] for row in rows], dtype="object")
            columns[name] = cells.astype(_DTYPES[kind or _kind(cells.dropna())])
        frame = pd.DataFrame(columns)
        frame["created"] = pd.to_datetime(frame["created"], utc=True, errors="coerce", format="ISO8601")
        return frame

    def __repr__(self) -> str:
        return f"<{len(self)} results, {sum(result.valid for result in self)} valid>"

    def _repr_html_(self) -> str:
        return tables.results_html(self)


@dataclass(frozen=True, slots=True)
class Plans(Sequence[Plan]):
    """What would run: a sequence of plans, shown as ``mlperf-mobile run --dry-run`` shows them."""

    resolved: PlannedRuns
    repeat: int = 1

    @overload
    def __getitem__(self, index: int) -> Plan: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Plan]: ...
    def __getitem__(self, index: int | slice) -> Plan | Sequence[Plan]:
        """A plan, or some of them."""
        return self.resolved.plans[index]

    def __len__(self) -> int:
        return len(self.resolved.plans)

    def __str__(self) -> str:
        return dry_run_text(self.resolved, campaign_of(self.resolved, self.repeat))

    def _repr_html_(self) -> str:
        return tables.plans_html(self)


def plan(
    *tasks: str,
    suite: str | None = None,
    config: str | os.PathLike[str] | None = None,
    sweep: Mapping[str, Sequence[Any]] | None = None,
    repeat: int = 1,
    **settings: Any,
) -> Plans:
    """What :func:`run` would do with the same arguments; nothing is loaded.

    Raises:
        MobileError: As :func:`run`, except for missing files.
    """
    return Plans(planned(_request(tasks, suite, config, sweep, settings), repeat), repeat)


def run(
    *tasks: str,
    suite: str | None = None,
    config: str | os.PathLike[str] | None = None,
    sweep: Mapping[str, Sequence[Any]] | None = None,
    repeat: int = 1,
    progress: bool = True,
    **settings: Any,
) -> Results:
    """Measure, as ``mlperf-mobile run`` does: each run in a process of its own, with its result in a folder.

    Args:
        tasks: Names of tasks, or of benchmarks of the suite; none for the quickstart, or for a model alone.
        suite: A suite.
        config: A run file in YAML.
        sweep: Several values by setting; every combination is measured: ``sweep={"threads": [1, 2, 4]}``.
        repeat: How often each run is measured.
        progress: Whether to show progress: a bar in a notebook and on a terminal, lines elsewhere.
        settings: Every setting of the run file, and options of plugins by their short names: ``model="my.tflite"``,
            ``threads=2``, ``seeds={"qsl": 3}``. Environment variables are weaker.

    Returns:
        The results in the order of measuring; a run that failed or was interrupted has a result that says why.

    Raises:
        UsageError: A name, a key or a value is wrong; nothing was started.
        MobileError: Something named is missing or cannot be used; or a result cannot be stored.
    """
    resolved = planned(_request(tasks, suite, config, sweep, settings), repeat)
    if resolved.missing:
        raise missing_resources(resolved.missing, resolved.cache.folder)
    campaign = campaign_of(resolved, repeat)
    with owned(campaign):
        list(recover_all(campaign.output))
        return Results(list(measured(campaign, shown(quiet=not progress))))


def load(folder: str | os.PathLike[str]) -> Result:
    """The result in a folder, or in its ``result.json``.

    Raises:
        OutputError: It does not exist, is damaged, or is of another schema.
    """
    return store.read(expand(Path(folder), "folder"))


def results(folder: str | os.PathLike[str] = "mlperf-mobile-results") -> Results:
    """All results in a folder of results, by time; those that cannot be read are an error.

    Raises:
        OutputError: The folder does not exist, has too many results, or one that is damaged.
    """
    path = expand(Path(folder), "folder")
    if not path.is_dir():
        raise OutputError("no-result", f"{path} is not a folder of results", "give the folder of a run's --output")
    found = sorted(each.parent for each in path.glob(f"*/{store.RESULT}") if not each.parent.name.startswith("."))
    if (path / store.RESULT).is_file():
        found.append(path)
    if len(found) > MOST_RESULTS:
        raise OutputError("too-many", f"{path} has {len(found)} results", f"at most {MOST_RESULTS} are read at once")
    return Results([store.read(each) for each in found])


def _kind(values: Iterable[object]) -> Kind:
    """What all values of a setting are, where they are given."""
    kinds = {type(value) for value in values}
    found = {frozenset({bool}): Kind.FLAG, frozenset({int}): Kind.COUNT}.get(frozenset(kinds), Kind.TEXT)
    return Kind.NUMBER if found is Kind.TEXT and kinds and kinds <= {int, float} else found


def _request(
    tasks: Sequence[str],
    suite: str | None,
    config: str | os.PathLike[str] | None,
    sweep: Mapping[str, Sequence[Any]] | None,
    settings: Mapping[str, Any],
) -> Request:
    given = {**settings, **({"suite": suite} if suite is not None else {}), **({SWEEP: sweep} if sweep else {})}
    if isinstance(given.get("device"), list | tuple):
        raise UsageError("bad-device", "device: expected one address", "run one device after the other")
    flags = merge([_layer(given), {"tasks": Setting(list(tasks), "argument tasks")} if tasks else {}])
    return Request.of_user(expand(Path(config), "config") if config is not None else None, flags)


def _layer(values: Mapping[str, Any], prefix: str = "") -> Layer:
    """Keyword arguments as settings; mappings by dotted keys, paths as text."""
    layer: Layer = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            layer |= _layer(value, f"{name}.")
        else:
            layer[name] = Setting(_plain(value), f"argument {name}")
    return layer


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return [_plain(each) for each in value] if isinstance(value, list | tuple | range) else value
