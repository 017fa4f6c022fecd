"""A task's settings file: the models and data that the task knows by name, and where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from mlperf_mobile.config import layers
from mlperf_mobile.config.document import Layer, read_resource
from mlperf_mobile.errors import UsageError
from mlperf_mobile.names import checked_below
from mlperf_mobile.resources.cache import Cache
from mlperf_mobile.resources.resource import Resource
from mlperf_mobile.terms import QualitySettings, Strict

SECTIONS = ("models", "data")


class Place(Strict):
    """The location of a file or folder: in the task's package, downloaded, or provided by hand."""

    file: str | None = Field(default=None, description="path in the task's package")
    url: str | None = Field(default=None, description="https://…, or local://… for a file or folder provided by hand")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    md5: str | None = Field(default=None, pattern="^[0-9a-f]{32}$")
    bytes: int | None = Field(default=None, ge=1)
    unpack: bool = Field(default=False, description="whether to unpack the download, which is an archive")
    folder: str = Field(default="", description="the folder or file in the unpacked archive")
    about: str = Field(default="", description="for local://: which files belong there, and where to get them")

    @model_validator(mode="after")
    def _file_or_url(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise ValueError("either 'file' or 'url' is needed")
        checked_below(self.file or "")
        checked_below(self.folder)
        _ = self.resource  # raises for a URL that cannot be used
        return self

    @property
    def resource(self) -> Resource | None:
        """The resource that must be in the cache; None for a file in the package."""
        if self.url is None:
            return None
        known = self.model_dump(include={"url", "sha256", "md5", "bytes", "unpack", "about"}, exclude_none=True)
        return Resource(**known)


class DatasetQuality(QualitySettings):
    """The quality target of a model on one data set."""

    dataset: str


class OtherForm(Place):
    """The same model in another file format."""

    format: str


class ModelEntry(OtherForm):
    """A model that a task knows by name."""

    also: tuple[OtherForm, ...] = Field(default=(), description="the same model in other formats")
    datasets: tuple[str, ...] = ()
    task_options: dict[str, Any] = Field(default_factory=dict)
    quality: tuple[DatasetQuality, ...] = ()

    @property
    def forms(self) -> tuple[OtherForm, ...]:
        """All forms of the model, the main one first."""
        return (self, *self.also)

    def in_format(self, formats: Sequence[str]) -> OtherForm:
        """The form in the first of ``formats`` that the model has; otherwise the main one."""
        return next((form for each in formats for form in self.forms if form.format == each), self)


class DataEntry(Strict):
    """Data that a task knows by name: the data set that reads it, its location and its options."""

    dataset: str
    path: Place | None = None
    options: dict[str, Any] = Field(default_factory=dict, description="a mapping with file or url is also a place")
    summary: str = ""

    def places(self) -> Mapping[str, Place]:
        """The options that name a place.

        Raises:
            UsageError: One of them is not a place.
        """
        found = {}
        for key, value in self.options.items():
            if isinstance(value, dict) and {"file", "url"} & value.keys():
                try:
                    found[key] = Place.model_validate(value)
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
        models = {name: layers.check(ModelEntry, described, f"models.{name}.") for name in _names(described, "models")}
        data = {name: layers.check(DataEntry, described, f"data.{name}.") for name in _names(described, "data")}
        return cls(settings.partition(":")[0], models, data, defaults)

    @classmethod
    def empty(cls) -> Self:
        """The catalogue for a model that belongs to no task."""
        return cls("mlperf_mobile", {}, {}, {})

    def places(self) -> dict[str, Place]:
        """The places of all models and data, by what needs them."""
        found: dict[str, Place] = {}
        for name, model in self.models.items():
            found |= {f"model {name}": model} | {f"model {name} as {form.format}": form for form in model.also}
        for name, entry in self.data.items():
            if entry.path:
                found[f"data {name}"] = entry.path
            found |= {f"data {name}, {key}": place for key, place in entry.places().items()}
        return found


@dataclass(slots=True)
class Finder:
    """Finds the places of a task, and collects the resources that a run needs."""

    package: str
    cache: Cache
    needed: list[Resource] = field(default_factory=list)

    def path(self, place: Place) -> Path:
        """The path of the file or folder, even before it has been fetched."""
        resource = place.resource
        if resource is None:
            return Path(str(files(self.package).joinpath(str(place.file))))
        return self.cache.location(resource) / place.folder

    def need(self, place: Place) -> None:
        """Record that the run needs the place's resource, if it has one."""
        if (resource := place.resource) and resource not in self.needed:
            self.needed.append(resource)


def _names(described: Layer, section: str) -> list[str]:
    return sorted({key.split(".")[1] for key in described if key.startswith(f"{section}.")})
