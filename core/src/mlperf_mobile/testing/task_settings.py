"""Tests of a task's settings: the models and data that they name, quality targets, suites and the quickstart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from decimal import Decimal
from importlib import import_module
from importlib.resources import files
from importlib.resources.abc import Traversable

import pytest
from pydantic import BaseModel, ValidationError

from mlperf_mobile.config import layers
from mlperf_mobile.config.catalogue import Catalogue
from mlperf_mobile.config.layers import merge
from mlperf_mobile.config.places import Place
from mlperf_mobile.config.selection import DEFAULT_SUITE
from mlperf_mobile.config.suites import Benchmark, read_suites
from mlperf_mobile.plugin import DatasetInfo, TaskInfo
from mlperf_mobile.problems import Source
from mlperf_mobile.testing.kit import Conformance, lacks

__all__ = ["Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """The quality target of a model on one data set: a share of a reference, or a value."""

    model: str
    """The model's name in the settings."""
    dataset: str
    """The data set's name in the settings."""
    metric: str
    """As :attr:`mlperf_mobile.contracts.Score.metric`."""
    reference: float
    """The accuracy of the reference model, in full precision; settings may round it."""
    ratio: float = 1.0
    """The share of the reference that is required."""
    at_least: float | None = None
    """The required value, where the source gives one instead of a share."""


class SettingsTests(Conformance):
    """The file of ``TaskInfo.settings``, compared with the package and the plugin's other offers."""

    @pytest.fixture
    def info(self) -> TaskInfo:
        raise NotImplementedError

    @pytest.fixture
    def targets(self) -> Sequence[Target]:
        """The quality targets of the models, taken from their source, not from the settings."""
        return ()

    @pytest.fixture
    def catalogue(self, info: TaskInfo) -> Catalogue:
        """The settings."""
        return Catalogue.of(info.settings, info.name)

    def test_settings_can_be_read(self, catalogue: Catalogue) -> None:
        """The settings name a default data set, and their models are complete."""
        assert "dataset" in catalogue.defaults
        assert "model" not in catalogue.defaults or catalogue.defaults["model"].value in catalogue.models
        catalogue.places()

    def test_settings_hold_known_keys_only(self, info: TaskInfo, catalogue: Catalogue) -> None:
        """Every setting is one that the core or the task's options know."""
        plain = {key: s for key, s in catalogue.defaults.items() if not key.startswith("runs.")}
        layers.resolve_names(plain, {"task": _options_model(info)})

    def test_models_set_known_options(self, info: TaskInfo, catalogue: Catalogue) -> None:
        """The task options of a model are valid options of the task."""
        model = _options_model(info)
        for name, entry in catalogue.models.items():
            options = entry.task_options | dict.fromkeys(entry.task_files, "/file")
            try:
                _ = model.model_validate(options) if model else None
            except ValidationError as error:
                pytest.fail(f"model {name}: {error}")
            assert model or not options, f"model {name} sets options, but the task has none"

    def test_packaged_models_are_named(self, catalogue: Catalogue) -> None:
        """Every model file of the package is in the settings; otherwise it cannot be used."""
        forms = [form for entry in catalogue.models.values() for form in entry.forms]
        suffixes = tuple(f".{form.format}" for form in forms)
        packaged = {path for path in _packaged_files(files(catalogue.package)) if path.endswith(suffixes)}
        named = {place.file for form in forms for place in form.places.values() if place.file}
        assert packaged == {path for path in named if path.endswith(suffixes)}

    def test_packaged_files_have_their_checksums(self, catalogue: Catalogue) -> None:
        """Files of the package have the sha256 and the size in the settings."""
        for what, place in catalogue.places().items():
            if place.file:
                data = files(catalogue.package).joinpath(place.file).read_bytes()
                assert place.sha256 == hashlib.sha256(data).hexdigest(), f"{what}: the sha256 of {place.file}"
                assert place.bytes in (None, len(data)), f"{what}: the size of {place.file}"

    def test_targets_are_those_measured(self, catalogue: Catalogue, targets: Sequence[Target]) -> None:
        """Quality targets are those of the fixture ``targets``, rounded to the digits in the settings."""
        written = [
            Target(name, each.dataset, each.metric, each.reference, each.ratio, each.at_least)
            for name, entry in catalogue.models.items()
            for each in entry.quality
        ]
        measured = {astuple(each)[:3]: each for each in targets}
        assert {astuple(each)[:3] for each in written} == set(measured), "give the fixture targets"
        for each in written:
            source = measured[astuple(each)[:3]]
            assert each.reference == _rounded_like(source.reference, each.reference), each.model
            assert each.ratio == _rounded_like(source.ratio, each.ratio), each.model
            assert each.at_least == source.at_least, each.model

    def test_suites_name_known_models_and_data(self, info: TaskInfo, catalogue: Catalogue) -> None:
        """The models and data sets of the plugin's suites are in the settings or offered by the plugin."""
        offered = {each.name for each in self._datasets(info)}
        for benchmark in self.benchmarks(info):
            layer = merge(benchmark.settings)
            for key, known in (
                ("model", set(catalogue.models)),
                ("dataset", offered | set(catalogue.data)),
                ("performance_dataset", offered | set(catalogue.data)),
            ):
                assert key not in layer or layer[key].value in known, f"{benchmark.suite}/{benchmark.name}: {key}"

    def test_the_quickstart_needs_no_download(self, info: TaskInfo, catalogue: Catalogue) -> None:
        """The quickstart uses a matching model and data set of the package, and short run rules."""
        quickstart = [each for each in self.benchmarks(info) if each.suite == DEFAULT_SUITE]
        if not quickstart:
            lacks("quickstart", "the plugin has no benchmark in the quickstart")
        for benchmark in quickstart:
            layer = merge([catalogue.defaults, *benchmark.settings])
            place = f"{benchmark.suite}/{benchmark.name}"
            for key in ("model", "dataset", "rules"):
                assert key in layer, f"{place}: set {key}, in the suite or as a default of the task"
            name, dataset, rules = (layer[key].value for key in ("model", "dataset", "rules"))
            assert name in catalogue.models, f"{place}: model {name!r} is not in the settings"
            model = catalogue.models[name]
            assert any(form.file for form in model.forms), f"{place}: no file of model {name} is in the package"
            assert dataset in model.datasets, f"{place}: model {name} has no data set {dataset!r}: {model.datasets}"
            assert self._is_packaged(info, catalogue, dataset), f"{place}: data set {dataset!r} is not in the package"
            assert rules in ("quick", "rapid"), f"{place}: rules is {rules!r}, and must be quick or rapid"

    def benchmarks(self, info: TaskInfo) -> list[Benchmark]:
        """The task's benchmarks in the suites that the plugin lists."""
        offer = getattr(import_module(self.plugin_module), "mlperf_mobile_suites", tuple)
        files = [read_suites(each.settings, Source(self.plugin_module, "", "")) for each in offer()]
        return [benchmark for file in files for benchmark, _ in file.benchmarks if benchmark.task == info.name]

    def _datasets(self, info: TaskInfo) -> list[DatasetInfo]:
        """The plugin's data sets for the task."""
        offer = getattr(import_module(self.plugin_module), "mlperf_mobile_datasets", tuple)
        return [each for each in offer() if info.name in each.tasks]

    def _is_packaged(self, info: TaskInfo, catalogue: Catalogue, dataset: str) -> bool:
        if entry := catalogue.data.get(dataset):
            places: list[Place] = [*([entry.path] if entry.path else []), *entry.places().values()]
            return all(place.file for place in places)
        return any(each.name == dataset and not each.needs_path for each in self._datasets(info))


def _options_model(info: TaskInfo) -> type[BaseModel] | None:
    return info.options.load() if info.options else None  # type: ignore[return-value]  # options are pydantic models


def _packaged_files(folder: Traversable, above: str = "") -> Iterator[str]:
    """Paths of all files in a package, relative to it."""
    for each in folder.iterdir():
        path = f"{above}{each.name}"
        if each.is_dir():
            yield from _packaged_files(each, f"{path}/")
        else:
            yield path


def _rounded_like(value: float, written: float) -> float:
    """``value``, rounded to the decimal places of ``written``."""
    exponent = Decimal(repr(written)).as_tuple().exponent
    return round(value, -exponent) if isinstance(exponent, int) else value
