"""The files that hosts keep for the farm, by their digests, each sent to a host once."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from mlperf_mobile.errors import OutputError
from mlperf_mobile_farm.packing import digest, unpack
from mlperf_mobile_farm.work import Job

_MOST_JOB = 16 << 20


class Store:
    """Files and jobs in a folder of a host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: dict[str, Job] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for part in folder.glob("*.part*"):  # of a transfer that a stop of the host cut off
            shutil.rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink()

    def has(self, sha256: str) -> bool:
        """Whether a file or folder is there."""
        return (self._folder / sha256).is_dir()

    def path(self, sha256: str, name: str) -> Path:
        """The place of a file or folder that :meth:`has`: ``name`` is the client's name for it."""
        place = self._folder / sha256
        single = place / name
        return single if single.is_file() else place

    def job(self, sha256: str) -> Job | None:
        """The job with this digest; None if it was not sent."""
        if sha256 not in self._jobs:
            path = self._folder / f"{sha256}.job.json"
            if not path.is_file():
                return None
            self._jobs[sha256] = Job.model_validate_json(path.read_bytes())
        return self._jobs[sha256]

    def put_job(self, sha256: str, data: bytes) -> None:
        """Keep a job.

        Raises:
            OutputError: It is damaged.
        """
        if len(data) > _MOST_JOB or hashlib.sha256(data).hexdigest() != sha256:
            raise OutputError("farm-transfer", "the job was damaged on its way", "try again")
        self._jobs[sha256] = Job.model_validate_json(data)
        self._write(self._folder / f"{sha256}.job.json", data)

    def put(self, sha256: str, offset: int, data: bytes, *, last: bool) -> None:
        """Add a part of a tar file; after the last one, it is unpacked and checked.

        Raises:
            OutputError: A part is missing, or the content does not have this digest.
        """
        part = self._folder / f"{sha256}.part.tar"
        with part.open("wb" if offset == 0 else "ab") as file:
            if file.tell() != offset:
                raise OutputError("farm-transfer", f"{sha256} continues at {offset}, not {file.tell()}", "try again")
            file.write(data)
        if not last:
            return
        folder = self._folder / f"{sha256}.part"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with part.open("rb") as source:
            unpack(source, folder)
        part.unlink()
        files = list(folder.iterdir())
        single = len(files) == 1 and files[0].is_file()
        if sha256 not in {digest(folder), digest(files[0]) if single else ""}:
            shutil.rmtree(folder)
            raise OutputError("farm-transfer", f"{sha256} was damaged on its way", "try again")
        if not self.has(sha256):
            folder.rename(self._folder / sha256)

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_suffix(".part")
        temporary.write_bytes(data)
        temporary.replace(path)

    def jobs(self) -> Iterator[Job]:
        """The jobs in memory."""
        yield from self._jobs.values()
