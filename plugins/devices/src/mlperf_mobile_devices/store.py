"""The store of files on a device: each lies under its SHA-256, is pushed once, and is checked there.

::

    store/<sha256>/<name>      a file, or a folder under the digest of its manifest; whole, and never changed
    store/.<sha256>.<host>/    the same while this host is copying it; renamed when it is whole and checked
    runs/<run>/uses            the digests that a run uses, which are not pruned

Each host copies to a place of its own, and renaming is atomic: two hosts that copy the same file do not disturb each
other, and a copy that was cut off is continued by the host that began it.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mlperf_mobile.contracts import Transport
from mlperf_mobile.contracts.transport import DeviceError
from mlperf_mobile_devices.asking import ask
from mlperf_mobile_devices.host_files import HostFile, Item, this_host
from mlperf_mobile_devices.link import Link

RESERVE = 64 << 20
"""Bytes of free storage that a run needs besides its files."""
BATCH = 4 << 20
"""Small files are copied together, up to this many bytes at a time."""

Tick = Callable[[int], None]
"""Called with the bytes of everything copied so far."""

_FREE = r"""
mkdir -p "$1/store" "$1/runs" && chmod 700 "$1" && df -Pk "$1"
"""
_PRESENT = r"""
cd "$1/store" || exit
shift
for each; do
    if [ -e "$each" ]; then
        touch "${each%%/*}"
        echo yes
    else
        echo no
    fi
done
"""
_CHECK = r"""
cd "$1/$2" && LC_ALL=C sha256sum -c 2>/dev/null
exit 0
"""
_FINISH = r"""
cd "$1/store" || exit
if [ -d "$3" ]; then
    [ -e "$3/$4" ] || mv "$2/$4" "$3/$4" || exit
    rm -rf "$2"
else
    mv "$2" "$3" || [ -e "$3/$4" ]
fi
"""
_LIST = r"""
cd "$1/store" 2>/dev/null || exit 0
now=$(date +%s)
for each in * .[0-9a-f]*; do
    [ -d "$each" ] || continue
    set -- $(du -sk "$each")
    echo "$each $((now - $(stat -c %Y "$each"))) $1"
done
"""
_USED = r"""
cd "$1/runs" 2>/dev/null && cat */uses 2>/dev/null
exit 0
"""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ENTRY = re.compile(r"(\.?([0-9a-f]{64})(?:\.[0-9a-f]{1,32})?) (-?\d{1,18}) (\d{1,18})")


@dataclass(frozen=True, slots=True)
class StoredItem:
    """Something in the store."""

    name: str
    """Its folder's name in the store."""
    sha256: str
    age_s: int
    """Seconds since it was last used."""
    bytes: int
    is_whole: bool
    used: bool
    """Whether a run that is still on the device uses it."""


class Store:
    """The store of one device.

    Args:
        link: The connection.
    """

    def __init__(self, link: Link[Transport]) -> None:
        self._link = link
        self.pushed = 0
        """Bytes of files that were copied to the device."""

    def place(self, root: str, item: Item) -> str:
        """Where something is on the device."""
        return f"{root}/store/{item.sha256}/{item.name}"

    def missing(self, items: Iterable[Item]) -> list[Item]:
        """Those that are not on the device; the others are marked as used now."""
        items = list({item.sha256: item for item in items}.values())
        found: list[Item] = []
        for start in range(0, len(items), 500):
            some = items[start : start + 500]
            places = [f"{item.sha256}/{item.name}" for item in some]
            answer = self._ask("look into its store", _PRESENT, *places).split()
            if len(answer) != len(some) or not set(answer) <= {b"yes", b"no"}:
                raise self._nonsense("its store")
            found += [item for item, present in zip(some, answer, strict=True) if present == b"no"]
        return found

    def free_bytes(self) -> int:
        """Free storage, after the folders were made.

        Raises:
            DeviceError: It cannot be written to.
        """
        lines = self._ask("make its folder", _FREE).decode(errors="replace").splitlines()
        return free_of(lines, self._nonsense("its free storage"))

    def provide(self, items: Iterable[Item], tick: Tick = lambda done: None) -> None:
        """Copy what is missing.

        Raises:
            DeviceError: ``device-storage`` if it does not fit; ``device-transfer`` if a copy is not what was sent.
        """
        free = self.free_bytes()
        missing = self.missing(items)
        total = sum(item.bytes for item in missing)
        if total + RESERVE > free:
            raise DeviceError(
                "device-storage",
                f"{self._link.address} has {free / 1e6:,.0f} MB free; {total / 1e6:,.0f} MB have to be copied, and a "
                f"run needs {RESERVE / 1e6:,.0f} MB",
                f"free storage, or remove old files: mlperf-mobile devices prune {self._link.address}",
            )  # fmt: skip
        for item in missing:
            if item.is_folder:
                self._push_folder(item, tick)
            else:
                self._push_file(item, tick)

    def _push_file(self, item: Item, tick: Tick) -> None:
        (file,) = item.files.values()
        part = self._part(item)
        self._ask("make a folder", 'mkdir -p "$1/store/$2"', part)
        self._push_checked(item, {item.name: file}, f"store/{part}", tick)
        self._finish(item, part)

    def _push_folder(self, item: Item, tick: Tick) -> None:
        part = self._part(item)
        inside = f"store/{part}/{item.name}"
        self._ask("make a folder", 'mkdir -p "$1/$2"', inside)
        self._unpack(inside, {}, item.folders)
        self._push_checked(item, dict(item.files), inside, tick)
        self._finish(item, part)

    def _push_checked(self, item: Item, files: Mapping[str, HostFile], folder: str, tick: Tick) -> None:
        """Copy files until all of them have their digests on the device."""
        for attempt in range(3):
            if not (left := self._different(files, folder)):
                return
            if attempt == 2:
                break
            if attempt:
                for name in left:
                    self._remove(f"{folder}/{name}")
            self._push_files(item, {name: files[name] for name in left}, folder, tick)
        name = next(iter(left))
        hint = "its storage or the connection is damaged, or the file changed meanwhile"
        raise DeviceError("device-transfer", f"{self._link.address}: the copy of {files[name].path} differs", hint)

    def _push_files(self, item: Item, files: Mapping[str, HostFile], folder: str, tick: Tick) -> None:
        batch: dict[str, HostFile] = {}
        for name, file in files.items():
            if file.bytes >= BATCH or not item.is_folder:
                self._push_large(file, f"{folder}/{name}", tick)
                continue
            if batch and sum(each.bytes + 1024 for each in batch.values()) + file.bytes > BATCH:
                self._push_batch(folder, batch, tick)
                batch = {}
            batch[name] = file
        if batch:
            self._push_batch(folder, batch, tick)

    def _push_large(self, file: HostFile, target: str, tick: Tick) -> None:
        before = self.pushed

        def progress(done: int) -> None:
            tick(before + done)

        self._link.do(lambda transport: transport.push(file.path, f"{transport.root}/{target}", progress))
        self.pushed = before + file.bytes

    def _push_batch(self, folder: str, files: Mapping[str, HostFile], tick: Tick) -> None:
        self._unpack(folder, files, ())
        self.pushed += sum(file.bytes for file in files.values())
        tick(self.pushed)

    def _unpack(self, folder: str, files: Mapping[str, HostFile], folders: Iterable[str]) -> None:
        """Make folders and small files on the device, as one tar archive."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for name in folders:
                info = tarfile.TarInfo(name)
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(info)
            for name, file in files.items():
                content = file.path.read_bytes()
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(content), 0o644
                archive.addfile(info, io.BytesIO(content))
        if files or folders:
            self._ask("unpack files", 'tar -xof - -C "$1/$2"', folder, stdin=data.getvalue(), timeout_s=600)

    def _different(self, files: Mapping[str, HostFile], folder: str) -> list[str]:
        """The files that are missing or different on the device."""
        names, found = list(files), []
        for start in range(0, len(names), 1000):
            some = names[start : start + 1000]
            lines = "".join(f"{files[name].sha256}  {name}\n" for name in some).encode()
            answer = self._ask("check files", _CHECK, folder, stdin=lines, timeout_s=3600)
            good = {line.removesuffix(b": OK") for line in answer.splitlines() if line.endswith(b": OK")}
            found += [name for name in some if name.encode() not in good]
        return found

    def _finish(self, item: Item, part: str) -> None:
        self._ask("rename a folder", _FINISH, part, item.sha256, item.name)

    def _part(self, item: Item) -> str:
        return f".{item.sha256}.{this_host()}"

    def _remove(self, path: str) -> None:
        self._link.do(lambda transport: transport.remove(f"{transport.root}/{path}"))

    def all(self) -> list[StoredItem]:
        """Everything in the store, least recently used first."""
        used = set(_DIGEST.findall(self._ask("read what runs use", _USED).decode(errors="replace")))
        found = []
        for line in self._ask("list its store", _LIST, timeout_s=600).decode(errors="replace").splitlines():
            if entry := _ENTRY.fullmatch(line):
                name, sha256, age, kilobytes = entry.groups()
                is_whole = name == sha256
                found.append(StoredItem(name, sha256, int(age), int(kilobytes) << 10, is_whole, sha256 in used))
        return sorted(found, key=lambda item: -item.age_s)

    def remove(self, item: StoredItem) -> None:
        """Remove something from the store."""
        self._remove(f"store/{item.name}")

    def _ask(self, what: str, script: str, *arguments: str, stdin: bytes = b"", timeout_s: float = 120.0) -> bytes:
        return ask(self._link, what, script, *arguments, stdin=stdin, timeout_s=timeout_s)

    def _nonsense(self, what: str) -> DeviceError:
        return DeviceError("device-command", f"{self._link.address} does not say what is in {what}", "try again")


def to_prune(items: Iterable[StoredItem], unused_s: float, keep_bytes: int) -> list[StoredItem]:
    """What to remove from a store: the least recently used first, and nothing that a run uses.

    Args:
        items: What is in the store, least recently used first.
        unused_s: Only what was not used for so long.
        keep_bytes: How much may stay.
    """
    items = list(items)
    over = sum(item.bytes for item in items) - keep_bytes
    chosen = []
    for item in items:
        if over > 0 and not item.used and item.age_s >= unused_s:
            chosen.append(item)
            over -= item.bytes
    return chosen


def free_of(lines: list[str], otherwise: Exception) -> int:
    """The free bytes in the output of ``df -Pk`` (POSIX: the fourth field of the second line, in KiB)."""
    fields = lines[1].split() if len(lines) > 1 else []
    if len(fields) < 6 or not re.fullmatch(r"\d{1,15}", fields[3]):
        raise otherwise
    return int(fields[3]) << 10
