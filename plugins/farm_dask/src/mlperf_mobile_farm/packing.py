"""Folders as tar files and back; what comes out of one is checked, because it comes from another computer."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from mlperf_mobile.errors import OutputError
from mlperf_mobile.names import checked_below

CHUNK = 4 << 20
"""Bytes that are sent at a time."""
MOST_MEMBERS = 2_000_000
MOST_BYTES = 1 << 40


def files_below(root: Path) -> Iterator[tuple[str, Path]]:
    """The regular files in a folder by their paths below it, sorted; the file itself, by its name, if it is one."""
    if root.is_file():
        yield root.name, root
        return
    for place, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file():
                yield path.relative_to(root).as_posix(), path


def digest(root: Path) -> str:
    """SHA-256 of a file or folder: of the names, lengths and digests of all files."""
    whole = hashlib.sha256()
    for name, path in files_below(root):
        with path.open("rb") as file:
            one = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{name}\0{path.stat().st_size}\0{one}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def pack(root: Path, names: Sequence[str], target: IO[bytes]) -> None:
    """Write the named files and folders of ``root`` as a tar file."""
    pack_several([(root, names)], target)


def pack_several(parts: Iterable[tuple[Path, Sequence[str]]], target: IO[bytes]) -> None:
    """Write the named files and folders of several roots as one tar file; no name may be in two of them."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for root, names in parts:
            for top in names:
                single = (root / top).is_file()
                for name, path in files_below(root / top):
                    info = tarfile.TarInfo(name if single else f"{top}/{name}")
                    with path.open("rb") as file:
                        info.size = os.fstat(file.fileno()).st_size
                        info.mode = 0o644
                        tar.addfile(info, file)


def unpack(source: IO[bytes], folder: Path) -> None:
    """Write the regular files of a tar file below an existing folder; everything else in it is refused.

    Raises:
        OutputError: ``farm-transfer``: it is damaged, too large, or has something that does not belong there.
    """
    total = count = 0
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            for member in tar:
                total, count = total + max(0, member.size), count + 1
                if not member.isreg() or total > MOST_BYTES or count > MOST_MEMBERS:
                    raise ValueError(f"{member.name[:80]!r} is not a file, or too large")
                path = folder / checked_below(member.name)
                path.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(member)
                assert content is not None
                with path.open("xb") as file:
                    while data := content.read(1 << 20):
                        file.write(data)
    except (tarfile.TarError, ValueError, FileExistsError, EOFError) as error:
        raise OutputError("farm-transfer", f"the transferred data is not valid: {error}", "try again") from error
