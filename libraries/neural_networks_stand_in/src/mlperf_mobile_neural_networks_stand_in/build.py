"""Compiles the stand-in libraries with the system's C compiler, once per content."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from mlperf_mobile.errors import BackendError, UsageError

from mlperf_mobile_neural_networks_stand_in.symbols import newer_than

SOURCES = Path(__file__).parent / "c"
_FRONTS = {"neuralnetworks": "nnapi.c", "neuron_adapter": "neuron_adapter.c", "neuron_runtime": "neuron_runtime.c"}
_PROGRAMS = ("timed_loop.c",)
LIBRARIES = tuple(_FRONTS)
# No -march: a built library may be copied to another machine. The inner loops choose wider vectors as they run.
FLAGS = ("-std=gnu11", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra")
_DEVICES = {"neuron_adapter": "stand-in-mdla:accelerator", "neuron_runtime": "stand-in-mdla:accelerator"}


def build(
    folder: Path,
    library: str,
    *,
    without: Iterable[str] = (),
    feature_level: int | None = None,
    flags: Sequence[str] = (),
) -> Path:
    """Compile one stand-in library and return it; a library built before from the same sources and settings is used again.

    Args:
        folder: Where built libraries are kept; created if missing.
        library: One of ``LIBRARIES``; the file is called ``lib<library>.so``.
        without: Symbols to leave out, to try callers on libraries that lack them.
        feature_level: Feature level (1 to 8) of the whole runtime; symbols of later levels are left out. Only NNAPI has levels.
        flags: More flags for the compiler, such as ``-fsanitize=address``.

    Raises:
        UsageError: For an unknown library or feature level.
        BackendError: Without a C compiler, or when it fails.
    """
    if library not in _FRONTS:
        raise UsageError("unknown-stand-in", f"there is no stand-in {library!r}", f"one of {', '.join(LIBRARIES)}")
    if feature_level is not None and (library != "neuralnetworks" or not 1 <= feature_level <= 8):
        raise UsageError("feature-level", f"feature level {feature_level} of {library}", "1 to 8, for neuralnetworks alone")
    # A symbol is left out by giving its function another name.
    absent = sorted({*without, *(newer_than(feature_level) if feature_level else ())})
    defines = [f"-D{name}=nn_absent_{name}" for name in absent]
    if feature_level is not None:
        defines.append(f"-DNN_DEFAULT_LEVEL={feature_level}")
    if library in _DEVICES:
        defines.append(f'-DNN_DEFAULT_DEVICES="{_DEVICES[library]}"')
    others = {*_FRONTS.values(), *_PROGRAMS} - {_FRONTS[library]}
    sources = sorted(path for path in SOURCES.glob("*.c") if path.name not in others)
    return _compile(folder, f"lib{library}.so", sources, ["-shared", *defines, *flags])


def build_timed_loop(folder: Path) -> Path:
    """Compile the program that times calls without Python and return it; see ``c/timed_loop.c`` for its arguments."""
    return _compile(folder, "timed_loop", [SOURCES / "timed_loop.c"], ["-ldl"])


def compiler() -> str:
    """The C compiler: ``$CC``, cc, gcc or clang.

    Raises:
        BackendError: When there is none.
    """
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        found = shutil.which(name) if name else None
        if found:
            return found
    raise BackendError("no-compiler", "the stand-in needs a C compiler and there is none", "install gcc or clang, or set CC")


def _compile(folder: Path, name: str, sources: Sequence[Path], options: Sequence[str]) -> Path:
    tool = compiler()
    digest = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update("\0".join([tool, name, *FLAGS, *options]).encode())
    # A folder per content keeps the file's own name, under which callers look for the library.
    place = folder / digest.hexdigest()[:16]
    target = place / name
    if target.exists():
        return target
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as draft:
        built = Path(draft) / name
        command = [tool, *FLAGS, "-o", str(built), *map(str, sources), *options, "-lm", "-lpthread"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise BackendError("stand-in-build", f"{tool} cannot compile {name}: {done.stderr[-2000:]}", "see the compiler's message")
        built.rename(target)  # at once, so that nobody sees half of it
    return target
