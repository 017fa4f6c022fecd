"""What plugins need of a machine, and whether it is there, without importing or loading anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable
from importlib.machinery import PathFinder

from mlperf_mobile.records import Record, record

_LIBRARY_FOLDERS = (
    "/lib", "/usr/lib", "/usr/local/lib", "/lib64", "/usr/lib64",
    "/vendor/lib64", "/system/lib64", "/system/vendor/lib64", "/odm/lib64",
)  # fmt: skip


@record
class Need(Record):
    """Something a plugin cannot work without; met when any one of the listed things is present or given.

    The check (:func:`missing`) imports nothing.
    """

    what: str
    """In the user's words: ``"a TensorFlow Lite runtime"``."""
    fix: str
    """What to do when it is missing: a command, or where to get it."""
    modules: tuple[str, ...] = ()
    """Top-level Python modules."""
    libraries: tuple[str, ...] = ()
    """Shared libraries, by the file name that the dynamic loader would look for."""
    programs: tuple[str, ...] = ()
    """Programs on ``PATH``."""
    platforms: tuple[str, ...] = ()
    """``sys.platform`` values, optionally with a machine: ``"linux"``, ``"linux-aarch64"``."""
    options: tuple[str, ...] = ()
    """Options of a backend that locate it if it is not found automatically: ``"library"``."""


def missing(needs: Iterable[Need], given: Collection[str] = ()) -> Need | None:
    """The first need that neither this machine nor one of the options ``given`` meets, or None."""
    return next((need for need in needs if not is_met(need) and not set(need.options) & set(given)), None)


def is_met(need: Need) -> bool:
    """Whether this machine has any one of the things that ``need`` lists."""
    return (
        any(_has_module(name) for name in need.modules)
        or any(_has_program(name) for name in need.programs)
        or any(_runs_on(name) for name in need.platforms)
        or any(_has_library(name) for name in need.libraries)
    )


def _has_module(name: str) -> bool:
    return name in sys.modules or PathFinder.find_spec(name) is not None


def _has_program(name: str) -> bool:
    from shutil import which

    return which(name) is not None


def _runs_on(name: str) -> bool:
    system, _, machine = name.partition("-")
    return sys.platform.startswith(system) and machine in ("", _machine())


def _machine() -> str:
    return os.uname().machine


def _has_library(name: str) -> bool:
    if "/" in name:
        return os.path.isfile(name)  # noqa: PTH113  importing pathlib takes longer than most listings do
    triplet = f"{_machine()}-linux-gnu"
    folders = [*os.environ.get("LD_LIBRARY_PATH", "").split(":"), *_LIBRARY_FOLDERS]
    folders += [f"/lib/{triplet}", f"/usr/lib/{triplet}"]
    if any(folder and os.path.isfile(f"{folder}/{name}") for folder in folders):  # noqa: PTH113
        return True
    try:  # the dynamic loader's own cache: NUL-terminated names and paths; a name may be the end of a path
        with open("/etc/ld.so.cache", "rb") as file:  # noqa: PTH123
            cache = file.read()
    except OSError:
        return False
    return any(before + name.encode() + b"\0" in cache for before in (b"\0", b"/"))
