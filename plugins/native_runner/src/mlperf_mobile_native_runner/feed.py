"""Sends the data set of an accuracy run to the runner in chunks, and takes their outputs back, as it goes on.

Storage on the device stays bounded: a few chunks of samples wait to be answered, a few of outputs to be taken. Samples
are encoded in a thread of their own while others are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mlperf_mobile_devices.detached import Detached
from mlperf_mobile_native_runner.chunks import Chunk, Responses
from mlperf_mobile_native_runner.runner_plan import OUTPUTS, SAMPLES, WAITING

_ENCODED = 2
"""Chunks that are encoded ahead of being sent."""
_LIST = r"""
cd "$1/$2" 2>/dev/null && ls
exit 0
"""


class Feed:
    """The chunks of one run.

    Args:
        run: The run.
        chunks: All of them.
        responses: Decodes outputs.
        encode: Encodes a chunk into a file; None if the device has all samples before the run begins.
        folder: For files on this machine; made if missing.
    """

    def __init__(
        self,
        run: Detached,
        chunks: Sequence[Chunk],
        responses: Responses,
        encode: Callable[[Chunk, Path], None] | None,
        folder: Path,
    ) -> None:
        self._run, self._chunks, self._responses, self._encode = run, chunks, responses, encode
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._pool = ThreadPoolExecutor(1, "encode")
        self._encoded: dict[int, Future[Path]] = {}
        self._sent = 0
        self._there: set[str] | None = None
        """The files of samples that were on the device when this driver took up the run."""
        self._answered: set[int] = set()
        self._to_take: list[Chunk] = []
        self.taken_bytes = self.sent_bytes = 0

    @property
    def is_streaming(self) -> bool:
        """Whether samples are sent while the run takes place."""
        return self._encode is not None

    def answered(self, number: int) -> None:
        """The outputs of a chunk are on the device."""
        if 0 <= number < len(self._chunks) and number not in self._answered:
            self._answered.add(number)
            self._to_take.append(self._chunks[number])

    def send_first(self) -> None:
        """Send as many chunks as may wait on the device, before the run begins."""
        while self._send():
            pass

    def work(self) -> bool:
        """Take the outputs of a chunk, or send samples; returns whether something was done."""
        if self._to_take:
            self._take(self._to_take.pop(0))
            return True
        return self._send()

    def finish(self) -> None:
        """Take all outputs that are left."""
        while self._to_take:
            self._take(self._to_take.pop(0))

    def take_up(self) -> None:
        """Look at what an earlier driver has sent."""
        if self._encode:
            self._there = set(
                self._run.ask("list its samples", _LIST, f"{self._run.folder}/{SAMPLES}").decode().split()
            )

    def close(self) -> None:
        """End the encoding."""
        self._pool.shutdown(cancel_futures=True)

    def _take(self, chunk: Chunk) -> None:
        if self._responses.has(chunk):
            return  # an earlier driver decoded it, and was lost before it could remove the outputs
        there = f"{self._run.folder}/{OUTPUTS}/{chunk.number}.bin"
        here = self._folder / f"outputs-{chunk.number}"
        self._run.link.do(lambda transport: transport.pull(f"{transport.root}/{there}", here))
        self.taken_bytes += here.stat().st_size
        self._responses.decode(chunk, here)
        here.unlink()
        self._run.link.do(lambda transport: transport.remove(f"{transport.root}/{there}"))

    def _send(self) -> bool:
        if self._encode is None or self._sent >= len(self._chunks):
            return False
        if self._sent - len(self._answered) >= WAITING:
            self._encode_ahead()
            return False
        chunk = self._chunks[self._sent]
        name = f"{chunk.number}.bin"
        if chunk.number not in self._answered and name not in (self._there or ()):
            self._encode_ahead()
            path = self._encoded.pop(chunk.number).result()
            target = f"{self._run.folder}/{SAMPLES}/{name}"
            self._run.link.do(lambda transport: transport.push(path, f"{transport.root}/{target}"))
            self.sent_bytes += path.stat().st_size
            path.unlink()
        self._sent += 1
        return True

    def _encode_ahead(self) -> None:
        for chunk in self._chunks[self._sent : self._sent + _ENCODED]:
            if chunk.number not in self._encoded and chunk.number not in self._answered:
                self._encoded[chunk.number] = self._pool.submit(self._encoded_file, chunk)

    def _encoded_file(self, chunk: Chunk) -> Path:
        assert self._encode is not None
        path = self._folder / f"samples-{chunk.number}"
        self._encode(chunk, path)
        return path
