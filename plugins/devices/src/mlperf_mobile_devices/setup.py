"""Sets up a board for the Python worker: an environment with this machine's versions, from wheels that it sends."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import Transport
from mlperf_mobile.contracts.transport import DeviceError, Output
from mlperf_mobile.resources.folder import default_folder
from mlperf_mobile_devices import hello, wheels
from mlperf_mobile_devices.host_files import Digests
from mlperf_mobile_devices.link import Link
from mlperf_mobile_devices.store import Store

PYTHONS = ("python3", "python3.13", "python3.12", "python3.11")
OLDEST = (3, 11)
_INSTALL_S = 1800.0

_FIND = r"""
for each; do
    "$each" -c 'import platform, sys; print(sys.executable, platform.python_version(), platform.machine(),
"-".join(platform.libc_ver()) or "-")' 2>/dev/null
done
exit 0
"""
_MAKE = r"""
cd "$1" || exit
python=$2 pip=$3
shift 3
rm -rf env
"$python" -m venv --without-pip env || { rm -rf env; exit 1; }
env/bin/python "$pip/pip" install --quiet --no-index --no-deps --no-compile --no-warn-script-location \
    --disable-pip-version-check --root-user-action ignore "$@" || { rm -rf env; exit 1; }
"""
_BUILD = r"""
cd "$1" || exit
python=$2 pip=$3 sdist=$4
shift 4
rm -rf build && mkdir build && "$python" -m venv --without-pip build/env || exit
python=build/env/bin/python
"$python" "$pip/pip" install --quiet --no-index --no-deps "$@" || exit
"$python" "$pip/pip" wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir build/out "$sdist" || exit
ls "$PWD"/build/out/*.whl
"""
_BUILD_NEEDS = ("setuptools", "wheel", "pybind11", "packaging")
"""What LoadGen's source distribution needs to be built."""
_FOUND = re.compile(r"(/\S+) (\d+\.\d+\.\d+)\S* (\w+) (\S+)")


@dataclass(frozen=True, slots=True)
class Board:
    """The Python that a board has."""

    executable: str
    python: str
    machine: str
    libc: str

    @property
    def is_like_this(self) -> bool:
        """Whether this machine's builds run there: the same machine type and Python, and no older C library."""
        here = platform.python_version_tuple()[:2]
        libc = "-".join(platform.libc_ver())
        same = (self.machine, *self.python.split(".")[:2]) == (platform.machine(), *here)
        return same and _version(self.libc) >= _version(libc) and self.libc.split("-")[0] == libc.split("-")[0]


@dataclass(frozen=True, slots=True)
class Done:
    """What a setup did."""

    python: str
    installed: list[str]
    """``name==version`` of everything in the environment; empty if it was current already."""
    pushed: int
    """Bytes of the files that were copied."""


def set_up(link: Link[Transport], tell: Callable[[str], None]) -> Done:
    """Make the environment of a board, unless it is current.

    Args:
        link: The connection.
        tell: Called with what is done.

    Raises:
        DeviceError: ``device-setup``: something that is needed is missing, on the board or here.
    """
    board = find(link)
    names = wheels.for_runs()
    if not _differs(link, names):
        tell("the environment is current")
        return Done(board.python, [], 0)
    cache = default_folder() / "device-wheels"
    store = Store(link)
    store.free_bytes()
    tell("collecting wheels")
    pip = wheels.pip_wheel(cache)
    chosen = _wheels(link, store, board, pip, names, cache, tell)
    tell(f"copying {len(chosen)} wheels")
    pip_there, *there = _provide(store, link, [pip, *chosen])
    tell("installing")
    _run(link, "make its environment", _MAKE, board.executable, pip_there, *there)
    if wrong := _differs(link, names):
        raise DeviceError("device-setup", f"{link.address}: the new environment differs: {', '.join(wrong[:5])}", "")
    return Done(board.python, [f"{name}=={metadata.version(name)}" for name in names], store.pushed)


def find(link: Link[Transport]) -> Board:
    """The first sufficient Python of a board.

    Raises:
        DeviceError: ``device-setup``: it has none.
    """
    output = link.do(lambda t: t.run(["sh", "-c", _FIND, "sh", *PYTHONS]))
    boards = [
        Board(found[1], found[2], found[3], "" if found[4] == "-" else found[4])
        for line in output.stdout.decode(errors="replace").splitlines()
        if (found := _FOUND.fullmatch(line))
    ]
    for board in boards:
        if tuple(map(int, board.python.split(".")[:2])) >= OLDEST:
            return board
    has = f"only Python {boards[0].python}" if boards else "no Python"
    oldest = ".".join(map(str, OLDEST))
    raise DeviceError("device-setup", f"{link.address} has {has}", f"install Python {oldest} or later there")


def _wheels(
    link: Link[Transport],
    store: Store,
    board: Board,
    pip: Path,
    names: Sequence[str],
    cache: Path,
    tell: Callable[[str], None],
) -> list[Path]:
    """A wheel of every distribution, for the board."""
    if board.is_like_this:
        return wheels.installed(names, cache / "here")
    own = [name for name in names if wheels.editable(name) or wheels.is_pure(name)]
    others = [name for name in names if name not in own and name != hello.LOADGEN]
    found = wheels.installed(own, cache / "here")
    keep = cache / f"cp{''.join(board.python.split('.')[:2])}-{board.machine}"
    tell(f"finding {len(others)} wheels for {board.machine}")
    starts = {f"{name.replace('-', '_')}-{metadata.version(name)}-" for name in others}
    for wheel in wheels.downloaded(others, board.machine, board.python, board.libc, cache):
        if any(wheel.name.lower().startswith(each) for each in starts):
            found.append(wheel)
    return [*found, _loadgen(link, store, board, pip, keep, tell)]


def _loadgen(
    link: Link[Transport], store: Store, board: Board, pip: Path, keep: Path, tell: Callable[[str], None]
) -> Path:
    """LoadGen's wheel for a board: one that is kept, or one that is built there.

    Raises:
        DeviceError: ``device-setup``: the board has no compiler, or building failed.
    """
    version = metadata.version(hello.LOADGEN)
    name = f"{hello.LOADGEN.replace('-', '_')}-{version}-"
    if kept := sorted(keep.glob(f"{name}*.whl")):
        return kept[0]
    if link.do(lambda t: t.run(["sh", "-c", "command -v c++"])).returncode:
        raise DeviceError(
            "device-setup",
            f"{link.address} has no C++ compiler, and LoadGen {version} has no wheel for {board.machine}",
            f"install one there (Debian: apt-get install g++ python3-dev), or put a wheel into {keep}",
        )
    tell(f"building LoadGen {version} on the board, which takes minutes")
    sources = keep / "sources"
    wheels.pip(
        ["download", "--no-deps", "--no-binary", ":all:", "--dest", sources, f"{hello.LOADGEN}=={version}"],
        f"get the sources of LoadGen {version}",
    )
    wheels.pip(["download", "--only-binary", ":all:", "--dest", sources, *_BUILD_NEEDS], "get what builds LoadGen")
    (sdist,) = sources.glob(f"{name[:-1]}*.tar.gz")
    pip_there, sdist_there, *needs = _provide(store, link, [pip, sdist, *sorted(sources.glob("*.whl"))])
    output = _run(link, "build LoadGen", _BUILD, board.executable, pip_there, sdist_there, *needs)
    built = output.stdout.decode(errors="replace").strip().splitlines()[-1:]
    place = keep / Path(built[0]).name if built else keep
    if not re.fullmatch(rf"{re.escape(name)}[\w.+-]+\.whl", place.name):
        raise DeviceError(
            "device-setup", f"{link.address}: building LoadGen left no wheel", "see whether pip works there"
        )
    link.do(lambda transport: transport.pull(built[0], place))
    link.do(lambda transport: transport.remove(f"{transport.root}/build"))
    return place


def _provide(store: Store, link: Link[Transport], files: Sequence[Path]) -> list[str]:
    """Copy files to the device; returns their paths there."""
    with Digests(default_folder() / "device-digests.sqlite") as digests:
        items = [digests.item(file) for file in files]
    store.provide(items)
    root = link.do(lambda transport: transport.root)
    return [store.place(root, item) for item in items]


def _differs(link: Link[Transport], names: Sequence[str]) -> list[str]:
    """What the environment lacks or has in another version; one that does not work lacks everything."""
    try:
        there = hello.ask(link)
    except DeviceError as error:
        if error.code != "device-setup":
            raise
        there = None
    return hello.differing(names, hello.here(), there) if there else ["everything"]


def _run(link: Link[Transport], what: str, script: str, *arguments: str) -> Output:
    def work(transport: Transport) -> Output:
        return transport.run(["sh", "-c", script, "sh", transport.root, *arguments], timeout_s=_INSTALL_S)

    output = link.do(work)
    if output.returncode:
        lines = output.stderr.decode(errors="replace").strip().splitlines()
        why = " ".join((lines[-1] if lines else f"exit code {output.returncode}").split())[:300]
        hint = "see whether python3 -m venv works there (Debian: apt-get install python3-venv)"
        raise DeviceError("device-setup", f"{link.address}: cannot {what}: {why}", hint)
    return output


def _version(libc: str) -> tuple[Any, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", libc))
