"""Compiles the stand-in libraries with the system's C compiler, once per content."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mlperf_mobile.errors import BackendError, UsageError
from mlperf_mobile_neural_networks_stand_in.symbols import newer_than

SOURCES = Path(__file__).parent / "c"
# The sources that are not part of every library: those with the functions of one ABI.
_FRONTS = {
    "neuralnetworks": ("nnapi.c", "nnapi_run.c"),
    "neuron_adapter": ("neuron_adapter.c", "neuron_compilation.c"),
    "neuron_runtime": ("neuron_runtime.c", "neuron_runtime_core.c", "neuron_runtime_v2.c"),
}
_PROGRAM = "timed_loop.c"
LIBRARIES = tuple(_FRONTS)
# No -march: a built library may be copied to another machine. The inner loops choose wider vectors as they run.
FLAGS = (
    "-std=gnu11",
    "-O3",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fPIC",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
)


def build(
    folder: Path,
    library: str,
    *,
    without: Iterable[str] = (),
    feature_level: int | None = None,
    flags: Sequence[str] = (),
) -> Path:
    """Compile one stand-in library and return it; what was compiled before from the same sources is used again.

    Args:
        folder: Where built libraries are kept; created if missing.
        library: One of ``LIBRARIES``; the file is called ``lib<library>.so``.
        without: Symbols to leave out, to try callers on libraries that lack them.
        feature_level: Of the whole runtime, 1 to 8; symbols of later levels are left out. Only NNAPI has levels.
        flags: More flags for the compiler, such as ``-fsanitize=address``.

    Raises:
        UsageError: For an unknown library or feature level.
        BackendError: Without a C compiler, or when it fails.
    """
    if library not in _FRONTS:
        raise UsageError("unknown-stand-in", f"unknown stand-in {library!r}", f"one of {', '.join(LIBRARIES)}")
    if feature_level is not None and (library != "neuralnetworks" or not 1 <= feature_level <= 8):
        raise UsageError(
            "feature-level", f"feature level {feature_level} of {library}", "1 to 8, for neuralnetworks alone"
        )
    # A symbol is left out by giving its function another name.
    absent = sorted({*without, *(newer_than(feature_level) if feature_level else ())})
    defines = [f"-D{name}=nn_absent_{name}" for name in absent]
    if feature_level is not None:
        defines.append(f"-DNN_LEVEL={feature_level}")
    fronts = [SOURCES / name for name in _FRONTS[library]]
    special = {_PROGRAM, *(name for names in _FRONTS.values() for name in names)}
    core = sorted(path for path in SOURCES.glob("*.c") if path.name not in special)
    jobs = [(path, list(flags)) for path in core] + [(path, [*defines, *flags]) for path in fronts]
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        objects = list(pool.map(lambda job: _make(folder, f"{job[0].stem}.o", [job[0]], ["-c", *job[1]]), jobs))
    return _make(folder, f"lib{library}.so", objects, ["-shared", *flags, "-lm", "-lpthread"])


def build_timed_loop(folder: Path, *, flags: Sequence[str] = ()) -> Path:
    """Compile the program that times calls without Python and return it.

    It is called as ``timed_loop LIBRARY HOW COUNT`` and prints the nanoseconds a query; ``c/timed_loop.c`` says more.
    """
    return _make(folder, "timed_loop", [SOURCES / _PROGRAM], [*flags, "-ldl"])


def compiler() -> str:
    """The C compiler: ``$CC``, cc, gcc or clang.

    Raises:
        BackendError: No C compiler was found.
    """
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        found = shutil.which(name) if name else None
        if found:
            return found
    raise BackendError(
        "no-compiler", "the stand-in needs a C compiler, and none was found", "install gcc or clang, or set CC"
    )


def _make(folder: Path, name: str, inputs: Sequence[Path], options: Sequence[str]) -> Path:
    """One run of the compiler. Its result lies in a folder named by the content, so that it keeps its own name."""
    tool = compiler()
    digest = hashlib.sha256("\0".join([tool, name, *FLAGS, *options]).encode())
    for path in [*inputs, *sorted(SOURCES.glob("*.h"))]:
        digest.update(b"\0" + path.name.encode() + b"\0" + path.read_bytes())
    place = folder / digest.hexdigest()[:16]
    target = place / name
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as lock, tempfile.TemporaryDirectory(dir=place) as draft:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be making it
        if target.exists():
            return target
        built = Path(draft) / name
        command = [tool, *FLAGS, "-o", str(built), *map(str, inputs), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise BackendError(
                "stand-in-build", f"{tool} cannot make {name}: {done.stderr[-2000:]}", "see the compiler's message"
            )
        built.rename(target)  # atomic, so that no reader sees half of it
    return target
