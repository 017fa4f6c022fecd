"""Sends a job's files to hosts, and brings results back as folders; neither is ever held in memory as a whole."""

from __future__ import annotations

import asyncio
import hashlib
import io
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from mlperf_mobile.errors import OutputError
from mlperf_mobile.results import store
from mlperf_mobile_farm.connection import Farm
from mlperf_mobile_farm.packing import CHUNK, pack, unpack
from mlperf_mobile_farm.work import Job, SessionEnd

FETCHING = ".fetching"


class Transfer:
    """The transfers of a job.

    Args:
        farm: The farm.
        job: The job.
        output: The user's folder of results.
    """

    def __init__(self, farm: Farm, job: Job, output: Path) -> None:
        self._farm, self._job, self._output = farm, job.id, output
        for left in output.glob(f".{job.id}-*{FETCHING}"):  # by a command that was killed
            shutil.rmtree(left, ignore_errors=True)
        self._text = job.model_dump_json(by_alias=True).encode()
        self.spec = hashlib.sha256(self._text).hexdigest()
        self._files: Mapping[str, str] = {sha256: path for path, sha256 in job.files.items()}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._keeping = threading.Lock()

    async def send(self, host: str, digests: Iterable[str]) -> None:
        """Send what a host lacks of these; several calls for the same host wait for each other.

        Raises:
            HostUnreachable: The host cannot be reached.
            MobileError: It cannot keep them.
        """
        for sha256 in digests:
            lock = self._locks.setdefault((host, sha256), asyncio.Lock())
            async with lock:
                if (await self._farm.ask(host, "has", digests=[sha256]))["missing"]:
                    await self._send(host, sha256)

    async def _send(self, host: str, sha256: str) -> None:
        if sha256 == self.spec:
            await self._farm.ask(host, "put", self._text, sha256=sha256, kind="job")
            return
        path = Path(self._files[sha256])
        with tempfile.TemporaryFile() as file:
            try:
                names = [path.name] if path.is_file() else sorted(each.name for each in path.iterdir())
                await asyncio.to_thread(pack, path.parent if path.is_file() else path, names, file)
            except OSError as error:
                reason = error.strerror or str(error)
                hint = f"check that it can be read, and the space in {tempfile.gettempdir()}"
                raise OutputError("farm-transfer", f"cannot pack {path}: {reason}", hint) from error
            size, offset = file.tell(), 0
            file.seek(0)
            while offset < size:
                part = await asyncio.to_thread(file.read, CHUNK)
                last = offset + len(part) >= size
                await self._farm.ask(host, "put", part, sha256=sha256, kind="files", offset=offset, last=last)
                offset += len(part)

    async def fetch(self, end: SessionEnd) -> None:
        """Bring the runs of an attempt into the user's folder; those that are there are left alone.

        Raises:
            HostUnreachable: The host cannot be reached.
            MobileError: It has no such runs, or they are damaged, or cannot be written here.
        """
        runs = [run for run in end.runs if not (self._output / run).exists()]
        if not runs:
            return
        with tempfile.TemporaryFile() as file:
            size, offset = 1, 0
            while offset < size:
                answer = await self._farm.ask(
                    end.host, "read", session=end.session, attempt=end.attempt, runs=runs, offset=offset
                )
                size, data = int(answer["size"]), bytes(answer["data"])
                if not data:
                    raise OutputError(
                        "farm-transfer", f"host {end.host} sent nothing at {offset} of {size}", "try again"
                    )
                with store.output_errors(Path(tempfile.gettempdir())):
                    file.write(data)
                offset += len(data)
            file.seek(0)
            await asyncio.to_thread(self._keep, file, runs, end.host)

    async def keep(self, data: bytes, runs: list[str], host: str) -> None:
        """Put runs that a host packed into the user's folder; those that are there are left alone.

        Raises:
            MobileError: They are damaged, or cannot be written here.
        """
        await asyncio.to_thread(self._keep, io.BytesIO(data), runs, host)

    def _keep(self, file: IO[bytes], runs: list[str], host: str) -> None:
        hidden = self._output / f".{self._job}-{host}-{uuid.uuid4().hex[:8]}{FETCHING}"
        with store.output_errors(hidden):
            hidden.mkdir(parents=True)
            try:
                unpack(file, hidden)
                with self._keeping:  # a host that is found again may report a run while an earlier report is kept
                    for run in runs:
                        if not (hidden / run / store.RESULT).is_file():
                            raise OutputError("farm-transfer", f"host {host} sent no result of {run}", "try again")
                        if not (self._output / run).exists():
                            (hidden / run).rename(self._output / run)
            finally:
                shutil.rmtree(hidden, ignore_errors=True)
