"""The models and data known by name: those of a task's settings file, and those that other layers describe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Self

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from mlperf_mobile.config import layers
from mlperf_mobile.config.document import Layer, read_resource
from mlperf_mobile.config.homes import Home, Homed, Origin
from mlperf_mobile.config.places import Place, own_name
from mlperf_mobile.errors import UsageError
from mlperf_mobile.names import is_file_name
from mlperf_mobile.terms import QualitySettings, Strict

SECTIONS = ("models", "data")
"""Keys that describe models and data, and set nothing."""
MOST_FILES = 1000
"""How many files a model may have."""


class DatasetQuality(QualitySettings):
    """The quality target of a model on one data set."""

    dataset: str


class ModelPart(Place):
    """A file that a model needs beside its main one: a tokenizer, a part of a pipeline."""

    name: str = Field(default="", description="its name in the model; by default its file's")

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not all(map(is_file_name, PurePosixPath(self.called).parts)) or self.called.startswith("/"):
            raise ValueError(f"{self.called[:80]!r} cannot be the name of a model's file")
        return self

    @property
    def called(self) -> str:
        """The file's name in the model, ``/`` between its parts."""
        return self.name or own_name(self)


class OtherForm(Place):
    """The same model in another file format."""

    format: str
    files: tuple[ModelPart, ...] = Field(default=(), max_length=MOST_FILES, description="further files of the model")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [own_name(self), *(part.called for part in self.files)] if self.files else []
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"two files of the model are named {twice!r}")
        every: tuple[Place, ...] = (self, *self.files)
        places = [(place.file, place.url, place.folder) for place in every]
        if again := next((place for place in places if places.count(place) > 1), None):
            raise ValueError(f"{again[0] or again[1]} is two files of the model")
        return self

    def of(self, origin: Origin) -> Self:
        """The same form, described elsewhere."""
        return super().of(origin).model_copy(update={"files": tuple(part.of(origin) for part in self.files)})

    @property
    def places(self) -> dict[str, Place]:
        """The places of all files by their names in the model, the main one first."""
        return {own_name(self): self} | {part.called: part for part in self.files}


class ModelEntry(OtherForm):
    """A model that a task knows by name."""

    also: tuple[OtherForm, ...] = Field(default=(), description="the same model in other formats")
    task_files: dict[str, str] = Field(
        default_factory=dict, description="options of the task that name files of the model: {tokenizer: NAME}"
    )
    datasets: tuple[str, ...] = ()
    task_options: dict[str, Any] = Field(default_factory=dict)
    quality: tuple[DatasetQuality, ...] = ()
    _preferred: int = PrivateAttr(default=0)
    """How many of the forms, from the first on, are chosen before the others."""

    @model_validator(mode="after")
    def _task_files_exist(self) -> Self:
        for option, name in self.task_files.items():
            if not any(name in form.places for form in self.forms):
                raise ValueError(f"task_files: {option} is {name!r}, which is not a file of the model")
        return self

    @property
    def forms(self) -> tuple[OtherForm, ...]:
        """All forms of the model, the main one first."""
        return (self, *self.also)

    def place_of(self, name: str) -> Place:
        """The file of that name, in the first form that has one; :attr:`task_files` are checked."""
        return next(form.places[name] for form in self.forms if name in form.places)

    def in_format(self, formats: Sequence[str]) -> OtherForm:
        """The form in the first of ``formats`` that the model has, preferred forms first; otherwise the main one."""
        groups = (self.forms[: self._preferred], self.forms)
        found = (form for group in groups for each in formats for form in group if form.format == each)
        return next(found, self)

    def of(self, origin: Origin) -> Self:
        """The same entry, described elsewhere."""
        return super().of(origin).model_copy(update={"also": tuple(form.of(origin) for form in self.also)})

    def extended(self, known: ModelEntry | None) -> Self:
        """This entry's forms, preferred to those of ``known``, with what is known about the model."""
        if known is None:
            return self
        more = {name: getattr(known, name) | getattr(self, name) for name in ("task_options", "task_files")}
        same = {name: getattr(known, name) for name in ("quality", "datasets")}
        whole = self.model_copy(update={"also": (*self.also, *known.forms)} | more | same)
        whole._preferred = 1 + len(self.also)
        return whole


class DataEntry(Strict):
    """Data that a task knows by name: the data set that reads it, its location and its options."""

    dataset: str
    path: Place | None = None
    options: dict[str, Any] = Field(default_factory=dict, description="a mapping with file or url is also a place")
    summary: str = ""
    _origin: Origin | None = PrivateAttr(default=None)

    @property
    def origin(self) -> Origin | None:
        """Where it is described; None for the task's settings."""
        return self._origin

    def of(self, origin: Origin) -> Self:
        """The same entry, described elsewhere."""
        placed = self.model_copy(update={"path": self.path and self.path.of(origin)})
        placed._origin = origin
        return placed

    def places(self) -> Mapping[str, Place]:
        """The options that name a place.

        Raises:
            UsageError: One of them is not a place.
        """
        found = {}
        for key, value in self.options.items():
            if isinstance(value, dict) and {"file", "url"} & value.keys():
                try:
                    place = Place.model_validate(value, context=_context(self._origin.home if self._origin else None))
                    found[key] = place.of(self._origin) if self._origin else place
                except ValidationError as error:
                    raise UsageError("bad-value", f"option {key}: {error.errors()[0]['msg']}") from error
        return found


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The content of one task's settings file."""

    package: str
    models: Mapping[str, ModelEntry]
    data: Mapping[str, DataEntry]
    defaults: Layer
    """The task's own settings: everything else in the file."""

    @classmethod
    def of(cls, settings: str, label: str) -> Self:
        """Read the file that a :class:`mlperf_mobile.plugin.TaskInfo` names.

        Raises:
            UsageError: The file does not exist, or an entry is wrong.
        """
        described = read_resource(settings, label)
        defaults = {key: value for key, value in described.items() if key.split(".")[0] not in SECTIONS}
        models = {
            name: layers.check(ModelEntry, own, f"models.{name}.")
            for name, own in _entries(described, "models", ModelEntry)
        }
        data = {
            name: layers.check(DataEntry, own, f"data.{name}.") for name, own in _entries(described, "data", DataEntry)
        }
        return cls(settings.partition(":")[0], models, data, defaults)

    def extended(self, homed: Iterable[Homed]) -> Self:
        """The catalogue with the models and data that layers describe; a later one stands for an earlier one.

        Raises:
            UsageError: An entry is wrong.
        """
        models, data = dict(self.models), dict(self.data)
        for layer, home, extends in homed:
            context = _context(home)
            for name, own in _entries(layer, "models", ModelEntry):
                entry = layers.check(ModelEntry, own, f"models.{name}.", context).of(_origin(own, home))
                models[name] = entry.extended(models.get(name)) if extends else entry
            for name, own in _entries(layer, "data", DataEntry):
                data[name] = layers.check(DataEntry, own, f"data.{name}.", context).of(_origin(own, home))
        return replace(self, models=models, data=data)

    @classmethod
    def empty(cls) -> Self:
        """The catalogue for a model that belongs to no task."""
        return cls("mlperf_mobile", {}, {}, {})

    def places(self) -> dict[str, Place]:
        """The places of all models and data, by what needs them."""
        found: dict[str, Place] = {}
        for name, model in self.models.items():
            for form in model.forms:
                what = f"model {name}" if form is model else f"model {name} as {form.format}"
                found |= {what: form} | {f"{what}, {part.called}": part for part in form.files}
        for name, entry in self.data.items():
            if entry.path:
                found[f"data {name}"] = entry.path
            found |= {f"data {name}, {key}": place for key, place in entry.places().items()}
        return found


def _origin(own: Layer, home: Home) -> Origin:
    return Origin(home, next(setting.source for setting in own.values()))


def _context(home: Home | None) -> dict[str, bool]:
    """What the check of a place depends on: files of a folder of the user's may be anywhere."""
    return {"anywhere": bool(home and home.folder)}


def _entries(layer: Layer, section: str, model: type[Strict]) -> list[tuple[str, Layer]]:
    """The entries of a section by name, each with its settings; a name may have dots, and ends before the first field.

    A key without a field is an error in the entry that it begins with.
    """
    found: dict[str, Layer] = {}
    keys = [key for key in layer if key.startswith(f"{section}.")]
    names = {key: _name(key, model) for key in keys}
    known = sorted(filter(None, names.values()), key=len, reverse=True)
    for key in keys:
        near = (name for name in known if key.startswith(f"{section}.{name}."))
        found.setdefault(names[key] or next(near, key.split(".")[1]), {})[key] = layer[key]
    return sorted(found.items())


def _name(key: str, model: type[Strict]) -> str:
    """The name in the key of an entry's setting: ``a_1.0`` in ``models.a_1.0.file``; empty without a known field."""
    _, *parts = key.split(".")
    return ".".join(parts[: next((n for n, part in enumerate(parts) if n and part in model.model_fields), 0)])
