"""What a Python environment has for mlperf-mobile. It is sent to devices as it is, so it needs only the stdlib."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
from importlib import metadata, util
from pathlib import Path
from typing import Any

PREFIX = "mlperf-mobile"
_SOURCES = (".py", ".yaml")


def inventory() -> dict[str, Any]:
    """The environment of this interpreter: versions by distribution, and digests of the sources of ours.

    Returns:
        ``python``, ``machine``, ``glibc``, ``versions`` by normalised name, and ``sources``: SHA-256 of the source
        files of each distribution that offers plugins or whose name begins with ``mlperf-mobile``.
    """
    versions: dict[str, str] = {}
    sources: dict[str, str] = {}
    for each in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", each.metadata["Name"] or "").lower()
        if not name or name in versions:
            continue
        versions[name] = each.version
        offers = each.entry_points.select(group="mlperf_mobile")
        packages = {entry.value.partition(":")[0].partition(".")[0] for entry in offers}
        if name.startswith(PREFIX):
            packages.add(name.replace("-", "_"))
        if name == PREFIX:
            packages = {"mlperf_mobile"}
        if packages:
            sources[name] = _digest(sorted(packages))
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "libc": "-".join(platform.libc_ver()),
        "versions": versions,
        "sources": sources,
    }


def _digest(packages: list[str]) -> str:
    """SHA-256 of the names and contents of a package's source files."""
    digest = hashlib.sha256()
    for package in packages:
        spec = util.find_spec(package)
        for place in (spec.submodule_search_locations or []) if spec else []:
            for path in sorted(Path(place).rglob("*")):
                if path.suffix in _SOURCES and path.is_file():
                    digest.update(f"{package}/{path.relative_to(place).as_posix()}\0".encode())
                    digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(inventory()))
    sys.stdout.flush()
    os._exit(0)
