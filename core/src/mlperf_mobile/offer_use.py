"""Whether the core can use an offer: by its hook API, and by its name."""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from mlperf_mobile.plugin import HOOK_API
from mlperf_mobile.problems import Source

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""A dot would separate the parts of a setting: ``observer_options.NAME.interval_s``."""
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
"""The name of a file with suites: ``package/suites.yaml``."""


class Info(Protocol):
    """The fields that every offered record has."""

    @property
    def name(self) -> str: ...
    @property
    def hook_api(self) -> tuple[int, int]: ...


class Unusable(NamedTuple):
    """Why an offer cannot be used."""

    code: str
    reason: str
    fix: str


def wrong_api(kind: str, info: Info, source: Source) -> Unusable | None:
    """Why an offer's hook API is not one of the core's; None if it is."""
    match info.hook_api:
        case (int(major), int(minor)) if major == HOOK_API[0] and minor <= HOOK_API[1]:
            return None
        case other:
            theirs = ".".join(map(str, other)) if isinstance(other, tuple) else repr(other)
            ours = ".".join(map(str, HOOK_API))
            numbers = isinstance(other, tuple) and all(isinstance(part, int) for part in other)
            newer = numbers and other > HOOK_API
            fix = "pip install -U mlperf-mobile" if newer else f"pip install -U {source.distribution}"
            return Unusable("hook-api", f"{kind} {info.name!r} uses hook API {theirs}, the core uses {ours}", fix)


def misnamed(kind: str, name: object, source: Source) -> Unusable | None:
    """Why an offer's name cannot be used; None if it can."""
    form, marks = (_FILE, "'.', '/', '_'") if kind == "suites file" else (_NAME, "'_'")
    if isinstance(name, str) and form.fullmatch(name):
        return None
    reason = f"{kind} name {name!r:.60} is not letters, digits, {marks} and '-'"
    return Unusable("bad-name", reason, f"report it to its author, or set MLPERF_MOBILE_BLOCK={source.plugin}")
