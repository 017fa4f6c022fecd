"""One requested benchmark: its layers of settings, its data and its model, before a backend is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from mlperf_mobile.config import layers, placing
from mlperf_mobile.config.catalogue import SECTIONS, Catalogue, DataEntry
from mlperf_mobile.config.document import Layer, Setting
from mlperf_mobile.config.homes import Home, Homed
from mlperf_mobile.config.model_folder import files_of
from mlperf_mobile.config.places import Finder, Place
from mlperf_mobile.config.plugin_options import as_data, plugin_options
from mlperf_mobile.config.selection import Request
from mlperf_mobile.config.settings import Settings
from mlperf_mobile.config.suites import Benchmark
from mlperf_mobile.config.tunings import Tuned
from mlperf_mobile.errors import DataError, ModelError, UsageError, did_you_mean
from mlperf_mobile.offer_fields import Info
from mlperf_mobile.picking import pick
from mlperf_mobile.plan import DatasetRef
from mlperf_mobile.plugin import DatasetInfo
from mlperf_mobile.registry import Offer, Registry
from mlperf_mobile.resources.cache import Cache
from mlperf_mobile.resources.folder import default_folder
from mlperf_mobile.resources.resource import Resource
from mlperf_mobile.terms import Mode
from mlperf_mobile.user_paths import expand, kind_of

InfoT = TypeVar("InfoT", bound=Info)


@dataclass(frozen=True, slots=True)
class Data:
    """A data set: the name that the user knows, the plugin's offer, and the catalogue's entry, if there is one."""

    name: str
    offer: Offer[DatasetInfo]
    entry: DataEntry | None


class ModelRequest:
    """A requested model, and its layers of settings, weakest first.

    Args:
        registry: The installed plugins.
        request: What the user set.
        catalogue: The models known by name, and the weakest settings.
        of_suite: Settings stronger than the catalogue's and weaker than the user's.
        tuned: A vendor's tuning, stronger than the suite's settings.
        prefixes: Prefixes of the user's settings for this benchmark.
    """

    def __init__(
        self,
        registry: Registry,
        request: Request,
        catalogue: Catalogue,
        of_suite: Sequence[Homed] = (),
        tuned: Tuned | None = None,
        prefixes: Sequence[str] = (),
    ) -> None:
        self.registry, self.swept = registry, request.swept
        here = Home(folder=Path.cwd())
        given = (Homed(request.file, Home(folder=request.folder)), Homed(request.environment, here),
                 Homed(request.flags, here))  # fmt: skip
        own = [
            Homed(layer, home)
            for whole, home, _ in given
            for layer in (whole, *(_of_task(whole, prefix) for prefix in prefixes))
        ]
        self.tuned = tuned
        of_vendor = tuned.layers if tuned else ()
        self.catalogue = catalogue.extended((*of_suite, *of_vendor, *own))
        self.own = {id(setting) for each in own for setting in each.layer.values()}
        """The user's settings, by identity, because their keys may change."""
        self.of_suite = [without_selection(each.layer) for each in of_suite]
        between = [*self.of_suite, *(without_selection(each.layer) for each in of_vendor)]
        self.above = [*between, *(without_selection(each.layer) for each in own)]
        self.peek = layers.merge([catalogue.defaults, *self.above])
        cache = self.peek.get("cache")
        folder = expand(Path(str(cache.value)), cache.source) if cache and cache.value else default_folder()
        self.placed = placing.place(registry, self.peek, chosen_later=request.chosen_later)
        self.finder = Finder(catalogue.package, Cache(folder.absolute()))
        self.model_name = str(self.peek["model"].value) if "model" in self.peek else None
        self.entry = self.catalogue.models.get(self.model_name or "")
        self.folder = None if self.entry or not self.model_name else self._folder(self.peek["model"])
        """The folder that the user gave as the model."""
        self.files = files_of(self.folder, self.peek["model"].source) if self.folder else {}
        """Its files by name."""

    @staticmethod
    def _folder(setting: Setting) -> Path | None:
        path = expand(Path(str(setting.value)), setting.source)
        return path.resolve() if kind_of(path) == "folder" else None

    def pick(self, kind: str, offers: Mapping[str, Offer[InfoT]], default: str = "") -> Offer[InfoT]:
        """The offer that the setting ``kind`` names."""
        setting = self.peek.get(kind, Setting(default, "defaults"))
        return pick(kind, str(setting.value), offers, self.registry, setting.source)

    def settings(
        self, option_models: Mapping[str, type[BaseModel] | None], first: Layer, *, lenient: bool = False
    ) -> tuple[Layer, Layer]:
        """All layers merged: the settings with their full names, and the ``runs`` of all scenarios.

        Args:
            option_models: The options of the chosen plugins, by kind.
            first: The weakest layer.
            lenient: Leave out the options of all other plugins.
        """
        stack = [first, self.catalogue.defaults, *self._implied_layers(), *self.above]
        stack = [_drop_overridden_doubts(layer, stack[number + 1 :]) for number, layer in enumerate(stack)]
        plain = [{k: s for k, s in layer.items() if not k.startswith("runs.")} for layer in stack]
        resolved = [layers.resolve_names(layer, option_models, lenient=lenient) for layer in plain]
        return layers.merge(resolved), layers.merge([layers.under(layer, "runs.") for layer in stack])

    def _implied_layers(self) -> Sequence[Layer]:
        """The settings that the model and the data set imply."""
        return ()


class BenchmarkRequest(ModelRequest):
    """A requested benchmark, as far as the settings alone describe it.

    Raises:
        UsageError: A name is unknown, or settings cannot be read.
    """

    def __init__(self, registry: Registry, request: Request, benchmark: Benchmark, tuned: Tuned | None = None) -> None:
        self.benchmark = benchmark
        self.task = registry.tasks[benchmark.task]
        catalogue = Catalogue.of(self.task.info.settings, f"task {benchmark.task}")
        prefixes = dict.fromkeys((f"tasks.{benchmark.task}.", f"tasks.{benchmark.name}."))
        super().__init__(registry, request, catalogue, benchmark.homed(), tuned, tuple(prefixes))
        stack = [catalogue.defaults, *self.above]
        self.dataset = self._data("dataset")
        self.performance_dataset = self._data("performance_dataset") if _times_other_data(stack) else None
        if self.performance_dataset and str(self.peek["mode"].value if "mode" in self.peek else "") == Mode.PERFORMANCE:
            self.dataset, self.performance_dataset = self.performance_dataset, None
            self.above = [_renamed(layer, "performance_data_path", "data_path") for layer in self.above]

    def _implied_layers(self) -> Sequence[Layer]:
        return self._model_layer(), self._data_layer(self.dataset)

    def dataset_ref(self, data: Data, options: BaseModel | None, setting: Setting | None, flag: str) -> DatasetRef:
        """The data set with its path: the one given in ``setting``, or the catalogue's.

        Raises:
            DataError: It needs a path and has none, or the path does not exist.
        """
        path, info = None, data.offer.info
        if setting and setting.value is not None:
            path = expand(Path(setting.value), setting.source)
            if not kind_of(path):
                raise DataError("data-missing", f"{setting.source}: {path} does not exist", "check the path")
            path = path.resolve()
        elif data.entry and data.entry.path:
            self.finder.need(data.entry.path)
            path = self.finder.path(data.entry.path)
        elif info.needs_path:
            raise DataError("data-path", f"data set {data.name} needs the folder it is in", f"give it with {flag}")
        return DatasetRef(name=data.name, offer=info.name, path=path, options=as_data(options))

    def performance_ref(self, settings: Settings, layer: Layer) -> DatasetRef | None:
        """The data set of the timed run; None if it is the same one."""
        data = self.performance_dataset
        if data is None or settings.mode is not Mode.BOTH:
            return None
        options = plugin_options("dataset", data.offer, self._data_layer(data))
        key = "performance_data_path"
        return self.dataset_ref(data, options, layer.get(key), f"--set {key}=DIR")

    def resources(self) -> list[Resource]:
        """Everything that must be in the cache before the benchmark can run."""
        if self.entry:
            named = str(self.peek["backend"].value) if "backend" in self.peek else ""
            offer = self.registry.backends.get(named)
            for place in self.entry.in_format(offer.info.model_formats if offer else ()).places.values():
                self.finder.need(place)
        for data in filter(None, (self.dataset, self.performance_dataset)):
            if data.entry and data.entry.path and not (data is self.dataset and "data_path" in self.peek):
                self.finder.need(data.entry.path)
            self._data_layer(data)
        return self.finder.needed

    def described(self, kind: str, name: object, entry: Place | DataEntry) -> str:
        """Where the values of a model or data known by name come from: a task's settings, or a place in a file."""
        return f"{kind} {name} of {entry.origin.source if entry.origin else f'task {self.task.info.name}'}"

    def _data(self, key: str) -> Data:
        """The data set that ``key`` names: an entry of the catalogue, or an installed data set."""
        task, known, entries = self.task.info.name, self.registry.datasets, self.catalogue.data
        if key not in self.peek:
            raise UsageError("no-dataset", f"task {task} has no default data set", "give one with --dataset")
        setting = self.peek[key]
        name = str(setting.value)
        entry = entries.get(name)
        offer = pick("dataset", entry.dataset if entry else name, known, self.registry, setting.source, entries)
        if task not in offer.info.tasks:
            hint = did_you_mean("", {*(n for n in known if task in known[n].info.tasks), *entries})
            raise UsageError("unknown-dataset", f"data set {name} does not serve task {task}", hint)
        return Data(name, offer, entry)

    def _model_layer(self) -> Layer:
        """What the model sets: task options, its files that the task reads, the quality target on the chosen data."""
        if not self.entry:
            return self._task_files()
        source = self.described("model", self.model_name, self.entry)
        layer = {f"task_options.{key}": Setting(value, source) for key, value in self.entry.task_options.items()}
        for option, name in self.entry.task_files.items():
            place = self.entry.place_of(name)
            self.finder.need(place)
            layer[f"task_options.{option}"] = Setting(str(self.finder.path(place)), source)
        for quality in self.entry.quality:
            if quality.dataset == self.dataset.name:
                values = quality.model_dump(exclude={"dataset"}, exclude_none=True)
                layer |= {f"quality.{key}": Setting(value, source) for key, value in values.items()}
        return layer

    def _task_files(self) -> Layer:
        """The options of the task that name files of a model given as a folder.

        Raises:
            ModelError: ``model-files``: the folder has no such file.
        """
        layer: Layer = {}
        given = {key.removeprefix("task_options.") for each in self.above for key in each}
        for option, setting in layers.under(self.peek, "task_files.").items() if self.folder else ():
            name = str(setting.value)
            if name in self.files:
                layer[f"task_options.{option}"] = Setting(str(self.files[name]), setting.source)
            elif option not in given:
                summary = f"{setting.source}: {self.folder} has no {name}, which the task needs as {option}"
                names = ", ".join([*self.files][:8])
                raise ModelError("model-files", summary, f"name it with --set task_files.{option}=NAME; it has {names}")
        return layer

    def _data_layer(self, data: Data) -> Layer:
        """The settings of a named data set: the options to read it with."""
        if not data.entry:
            return {}
        source = self.described("data", data.name, data.entry)
        given = {key.removeprefix("dataset_options.") for layer in self.above for key in layer}
        values = {key: value for key, value in data.entry.options.items() if key not in given}
        places = {key: place for key, place in data.entry.places().items() if key in values}
        for place in places.values():
            self.finder.need(place)
        values |= {key: str(self.finder.path(place)) for key, place in places.items()}
        return {f"dataset_options.{key}": Setting(value, source) for key, value in values.items()}


def _of_task(layer: Layer, prefix: str) -> Layer:
    """The settings of one task, without the key that says which task a name of the user's stands for."""
    return {key: setting for key, setting in layers.under(layer, prefix).items() if key != "task"}


def without_selection(layer: Layer) -> Layer:
    """The layer without the keys that select what runs, or describe models and data."""
    return {key: s for key, s in layer.items() if key.split(".")[0] not in {*layers.SELECTION, *SECTIONS}}


def _times_other_data(stack: Sequence[Layer]) -> bool:
    """Whether the strongest layer that names a data set also names one for the timed run alone."""
    keys = ("performance_dataset", "dataset")
    naming = next((layer for layer in reversed(stack) if any(key in layer for key in keys)), {})
    setting = naming.get("performance_dataset")
    return setting is not None and setting.value is not None


def _drop_overridden_doubts(layer: Layer, stronger: Sequence[Layer]) -> Layer:
    """The layer without its ``unverified`` entries for settings that a stronger layer sets."""
    overridden = {key for each in stronger for key in each}

    def stands(key: str) -> bool:
        head, _, about = key.partition(".")
        return head != "unverified" or not any(k == about or k.startswith(f"{about}.") for k in overridden)

    return {key: setting for key, setting in layer.items() if stands(key)}


def _renamed(layer: Layer, old: str, new: str) -> Layer:
    return {new if key == old else key: setting for key, setting in layer.items()}
