"""Wheels of what is installed on this machine, and of the same versions for another machine."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlperf_mobile.contracts.transport import DeviceError
from mlperf_mobile.installed import normalised
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile_devices.hello import LOADGEN
from mlperf_mobile_devices.inventory import PREFIX, inventory

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']*)["']""")
_NOT_FOR_DEVICES = ("all", "dev", "docs", "test", "testing")
"""Extras that runs do not need."""
_OF_THE_INSTALLER = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The same for every file, so that the same files give the same wheel."""
_PIP_S = 1800


def for_runs() -> list[str]:
    """The installed distributions that runs use: those that offer what a run names, and what they require.

    What the extras of plugins require is included as far as it is installed, because runtimes are installed so.
    """
    registry = installed_plugins()
    offers = (
        registry.backends, registry.tasks, registry.datasets, registry.scenarios, registry.suites, registry.observers,
    )  # fmt: skip
    plugins = {normalised(offer.source.distribution) for each in offers for offer in each.values()}
    pending = [PREFIX, LOADGEN, *plugins]
    found: set[str] = set()
    while pending:
        name = normalised(pending.pop())
        if name in found:
            continue
        try:
            requires = metadata.distribution(name).requires or []
        except metadata.PackageNotFoundError:
            continue  # of an extra that is not installed, or for another system
        found.add(name)
        for text in requires:
            extra = _EXTRA.search(text)
            if extra and (name not in plugins or extra[1] in _NOT_FOR_DEVICES):
                continue
            if named := _NAME.match(text):
                pending.append(named[0])
    return sorted(found)


def is_pure(name: str) -> bool:
    """Whether a distribution runs on every machine."""
    return all(tag.endswith("-any") for tag in _tags(metadata.distribution(name)))


def editable(name: str) -> Path | None:
    """The checkout that a distribution is installed from in editable mode; None if it is not."""
    text = metadata.distribution(name).read_text("direct_url.json")
    if not text:
        return None
    found = json.loads(text)
    if not found.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlsplit(found["url"]).path))


def installed(names: Iterable[str], cache: Path) -> list[Path]:
    """A wheel of each distribution, from its installed files; editable checkouts are built.

    Args:
        names: Installed distributions.
        cache: A folder that keeps the wheels.

    Raises:
        DeviceError: ``device-setup``: one cannot be built.
    """
    cache.mkdir(parents=True, exist_ok=True)
    sources = inventory()["sources"]
    found, to_build = [], {}
    for name in names:
        if source := editable(name):
            to_build[name] = (source, cache / f"{name}-{sources.get(name, 'unknown')[:16]}")
        else:
            found.append(repacked(metadata.distribution(name), cache))
    missing = {name: each for name, each in to_build.items() if not list(each[1].glob("*.whl"))}
    if missing:
        _build(missing)
    return found + [next(place.glob("*.whl")) for _, place in to_build.values()]


def _build(places: dict[str, tuple[Path, Path]]) -> None:
    """Build checkouts into wheels: by the distribution's name, the checkout and the folder of its wheel."""
    with tempfile.TemporaryDirectory(prefix="mlperf-mobile-wheels-") as folder:
        sources = [source for source, _ in places.values()]
        what = f"build {', '.join(places)}"
        pip(["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, *sources], what[:200])
        for wheel in Path(folder).glob("*.whl"):
            _, place = places[normalised(wheel.name.partition("-")[0])]
            place.mkdir(parents=True, exist_ok=True)
            shutil.move(wheel, place / wheel.name)


def repacked(distribution: metadata.Distribution, folder: Path) -> Path:
    """A wheel of an installed distribution (packaging.python.org, binary distribution format).

    Scripts are left out; the installer makes those of entry points.
    """
    tags = [tag.split("-") for tag in _tags(distribution)]
    joined = "-".join(".".join(dict.fromkeys(tag[place] for tag in tags)) for place in range(3))
    name = re.sub(r"[-_.]+", "_", distribution.metadata["Name"])
    wheel = folder / f"{name}-{distribution.version}-{joined}.whl"
    rows: list[list[object]] = []
    record = ""
    part = wheel.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(path: str, data: bytes) -> None:
            info = zipfile.ZipInfo(path, _EPOCH)
            info.external_attr, info.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, data)

        for file in sorted(distribution.files or (), key=str):
            path = file.as_posix()
            if path.startswith("..") or "__pycache__" in path or path.endswith(".pyc"):
                continue
            folder_name, _, last = path.rpartition("/")
            if folder_name.endswith(".dist-info"):
                record = f"{folder_name}/RECORD" if last == "RECORD" else record
                if last in _OF_THE_INSTALLER:
                    continue
            data = Path(str(file.locate())).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append([path, f"sha256={digest}", len(data)])
            add(path, data)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*rows, [record, "", ""]])
        add(record, text.getvalue().encode())
    part.replace(wheel)
    return wheel


def _tags(distribution: metadata.Distribution) -> list[str]:
    lines = (distribution.read_text("WHEEL") or "").splitlines()
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Tag:")] or ["py3-none-any"]


def downloaded(names: Sequence[str], machine: str, python: str, libc: str, cache: Path) -> list[Path]:
    """Wheels of the installed versions for another machine or Python, from the package index.

    Args:
        names: Installed distributions that are not pure.
        machine: As ``uname -m`` prints it.
        python: The version of the device's Python: ``3.12.3``.
        libc: ``glibc-2.36``.
        cache: A folder that keeps the wheels.

    Raises:
        DeviceError: ``device-setup``: one of them has no such wheel.
    """
    minor = "".join(python.split(".")[:2])
    folder = cache / f"cp{minor}-{machine}"
    folder.mkdir(parents=True, exist_ok=True)
    newest = int(found[1]) if (found := re.fullmatch(r"glibc-2\.(\d{1,2})", libc)) else 17
    tags = [f"manylinux_2_{n}_{machine}" for n in range(newest, 4, -1)] + [f"manylinux2014_{machine}"]
    options = [word for tag in tags for word in ("--platform", tag)]
    options += [
        "--python-version",
        minor,
        "--implementation",
        "cp",
        "--abi",
        f"cp{minor}",
        "--abi",
        "abi3",
        "--abi",
        "none",
    ]
    for name in names:
        version = metadata.version(name)
        pip(
            ["download", "--no-deps", "--only-binary", ":all:", *options, "--dest", folder, f"{name}=={version}"],
            f"find a wheel of {name} {version} for {machine}, Python {python} and {libc or 'an unknown libc'}",
        )
    return sorted(folder.glob("*.whl"))


def pip(arguments: Sequence[object], what: str) -> None:
    """Run this environment's pip.

    Raises:
        DeviceError: ``device-setup``: it failed, or is not installed.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_S, check=False)  # noqa: S603  our own interpreter
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        why = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "pip failed")
        raise DeviceError("device-setup", f"cannot {what}: {why[:300]}", "see python -m pip on this machine")


def pip_wheel(cache: Path) -> Path:
    """A wheel of pip: the one that comes with Python, or that of this environment.

    Raises:
        DeviceError: ``device-setup``: neither Python nor this environment has pip.
    """
    spec = importlib.util.find_spec("ensurepip")
    for place in (spec.submodule_search_locations or []) if spec else []:
        if bundled := sorted(Path(place, "_bundled").glob("pip-*.whl")):
            return bundled[-1]
    try:
        return repacked(metadata.distribution("pip"), cache)
    except metadata.PackageNotFoundError:
        raise DeviceError("device-setup", "this environment has no pip", "python -m ensurepip") from None
