"""Where the files and folders of models and data are: in a package, in a folder of the user's, or downloaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from mlperf_mobile.config.homes import Home, Origin
from mlperf_mobile.names import checked_below
from mlperf_mobile.resources.cache import Cache
from mlperf_mobile.resources.resource import Resource
from mlperf_mobile.terms import Strict


class Place(Strict):
    """The location of a file or folder: in a package, downloaded, or provided by hand."""

    file: str | None = Field(default=None, description="path in the package; in a run file, from the run file's folder")
    url: str | None = Field(default=None, description="https://…, or local://… for a file or folder provided by hand")
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    md5: str | None = Field(default=None, pattern="^[0-9a-f]{32}$")
    bytes: int | None = Field(default=None, ge=1)
    unpack: bool = Field(default=False, description="whether to unpack the download, which is an archive")
    folder: str = Field(default="", description="the folder or file in the unpacked archive")
    about: str = Field(default="", description="for local://: which files belong there, and where to get them")

    _origin: Origin | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _file_or_url(self, info: ValidationInfo) -> Self:
        if (self.file is None) == (self.url is None):
            raise ValueError("either 'file' or 'url' is needed")
        if not (info.context and info.context.get("anywhere")):
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

    @property
    def origin(self) -> Origin | None:
        """Where it is described; None for the task's settings."""
        return self._origin

    def of(self, origin: Origin) -> Self:
        """The same place, described elsewhere."""
        placed = self.model_copy()
        placed._origin = origin
        return placed


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
            return (place.origin.home if place.origin else Home(self.package)).path(str(place.file))
        return self.cache.location(resource) / place.folder

    def need(self, place: Place) -> None:
        """Record that the run needs the place's resource, if it has one."""
        if (resource := place.resource) and resource not in self.needed:
            self.needed.append(resource)


def own_name(place: Place) -> str:
    """The last part of a place's path or address."""
    return PurePosixPath(place.folder or place.file or urlsplit(place.url or "").path).name
