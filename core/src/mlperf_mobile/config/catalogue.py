"""What a task's settings file describes: the models and data that it knows by name, and where each of them is."""

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
    """Where a file or folder is: in the task's package, to be downloaded, or to be provided by hand."""

    file: str | None = Field(default=None, description="path in the package of the task")
    url: str | None = Field(default=None, description="https://…, or local://… for what must be provided by hand")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    md5: str | None = Field(default=None, pattern="^[0-9a-f]{32}$")
    bytes: int | None = Field(default=None, ge=1)
    unpack: bool = Field(default=False, description="unpack the download, which is an archive")
    folder: str = Field(default="", description="which folder or file of the archive's content")
    about: str = Field(default="", description="for local://: which files belong there, and where to get them")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise ValueError("either 'file' or 'url' is needed")
        checked_below(self.file or "")
        checked_below(self.folder)
        _ = self.resource  # raises for a URL that cannot be used
        return self

    @property
    def resource(self) -> Resource | None:
        """What has to be in the cache; None for a file of the package."""
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
        """Every form of it, the main one first."""
        return (self, *self.also)

    def in_format(self, liked: Sequence[str]) -> OtherForm:
        """The form whose format comes first among ``liked``; the main one if none does."""
        return next((form for each in liked for form in self.forms if form.format == each), self)


class DataEntry(Strict):
    """Data that a task knows by name: which data set reads it, where it is, and with which options."""

    dataset: str
    path: Place | None = None
    options: dict[str, Any] = Field(default_factory=dict, description="a mapping with file or url is a place, too")
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
    """Everything else: the task's own settings."""

    @classmethod
    def of(cls, settings: str, label: str) -> Self:
        """Read the file that a :class:`mlperf_mobile.plugin.TaskInfo` names.

        Raises:
            UsageError: It is not there, or an entry is wrong.
        """
        described = read_resource(settings, label)
        defaults = {key: value for key, value in described.items() if key.split(".")[0] not in SECTIONS}
        models = {name: layers.check(ModelEntry, described, f"models.{name}.") for name in _names(described, "models")}
        data = {name: layers.check(DataEntry, described, f"data.{name}.") for name in _names(described, "data")}
        return cls(settings.partition(":")[0], models, data, defaults)

    @classmethod
    def empty(cls) -> Self:
        """Of a model that belongs to no task."""
        return cls("mlperf_mobile", {}, {}, {})

    def places(self) -> dict[str, Place]:
        """Everywhere that a model or data is, by what needs it."""
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
    """Where the places of a task are, and which resources a run needs."""

    package: str
    cache: Cache
    needed: list[Resource] = field(default_factory=list)

    def path(self, place: Place) -> Path:
        """Where the file or folder is, or will be once it has been fetched."""
        resource = place.resource
        if resource is None:
            return Path(str(files(self.package).joinpath(str(place.file))))
        return self.cache.location(resource) / place.folder

    def need(self, place: Place) -> None:
        """Add the place's resource, if it has one, to those that the run needs."""
        if (resource := place.resource) and resource not in self.needed:
            self.needed.append(resource)


def _names(described: Layer, section: str) -> list[str]:
    return sorted({key.split(".")[1] for key in described if key.startswith(f"{section}.")})
