"""Sends what a run needs to its device: the program, the model and libraries, and encoded samples; and starts it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlperf_mobile.contracts.transport import DeviceError
from mlperf_mobile.errors import BackendError
from mlperf_mobile_devices import libraries
from mlperf_mobile_devices.host_files import Digests, Item
from mlperf_mobile_devices.progress import HostProgress
from mlperf_mobile_devices.store import RESERVE
from mlperf_mobile_native_runner import binary, sample_files
from mlperf_mobile_native_runner.chunks import Chunk
from mlperf_mobile_native_runner.prompts import Samples
from mlperf_mobile_native_runner.runner_plan import SAMPLES, WAITING, Places, encoded

if TYPE_CHECKING:
    from mlperf_mobile_native_runner.run import NativeRun


class Sending:
    """The beginning of one run.

    Args:
        run: The run, connected and prepared.
    """

    def __init__(self, run: NativeRun) -> None:
        self._run, self._prepared = run, run.prepared

    def start(self) -> None:
        """Send the program and see whether it works, then everything else, and start it.

        Raises:
            MobileError: Something does not fit.
        """
        run, prepared, engine = self._run, self._prepared, self._prepared.engine
        program = binary.path(run.place)
        with Digests(run.plan.cache / "device-digests.sqlite") as digests:
            first = digests.item(program)
            there = self._provided([first])[program]
            self._check_program(there)
            timed, warm_up, chunks = self._write_samples()
            paths = [path for path, _ in timed] + [path for path, _ in chunks]
            model = engine.model or prepared.plan.model.path
            paths += [model, *engine.files]
            paths += [engine.library] if isinstance(engine.library, Path) else []
            places = self._provided([first, *(digests.item(path) for path in dict.fromkeys(paths))])
        streamed = run.feed is not None and run.feed.is_streaming
        sent = [(places[path], chunk) for path, chunk in chunks]
        plan = encoded(prepared, Places(
            library=places[engine.library] if isinstance(engine.library, Path) else engine.library,
            model=places[model],
            options=_replaced(engine.options, {str(path): place for path, place in places.items()}),
            timed=[(places[path], indices) for path, indices in timed],
            warm_up=warm_up,
            chunks=sent or [(f"{SAMPLES}/{chunk.number}.bin", chunk) for chunk in run.chunks],
            streamed=streamed,
            wait_s=run.plan.device_timeout_s,
        ))  # fmt: skip
        run.ask("make its folders", 'mkdir -p "$1/$2/$3"', run.folder, SAMPLES)
        run.write("plan.json", plan)
        if streamed and run.feed:
            run.feed.send_first()
        run.watching.begin()
        run.start([there, "--plan", "plan.json"], self._variables(places), pipe=True)

    def _write_samples(self) -> tuple[list[tuple[Path, list[int]]], list[int], list[tuple[Path, Chunk]]]:
        """Encode samples: the files of the timed run, the samples of its warm-up, and the chunks that are kept."""
        run, feed = self._prepared, self._run.feed
        folder = self._run.directory / "work" / "encoded"
        folder.mkdir(parents=True, exist_ok=True)
        chunks, timed = list[tuple[Path, Chunk]](), list[tuple[Path, list[int]]]()
        warm_up: list[int] = []
        if feed and not feed.is_streaming:
            chunks = [(folder / f"chunk-{chunk.number}.bin", chunk) for chunk in self._run.chunks]
            for path, chunk in chunks:
                self._encode(path, run.samples(run.dataset), list(chunk.indices))
        if run.plan.has_performance:
            indices, warm_up = run.timed_indices()
            if chunks and run.timed is run.dataset and len(indices) == len(run.timed):
                timed = [(path, list(chunk.indices)) for path, chunk in chunks]
            else:
                timed = [(folder / "timed.bin", indices)]
                self._encode(timed[0][0], run.samples(run.timed), indices)
        self._check_storage()
        return timed, warm_up, chunks

    def _encode(self, path: Path, samples: Samples, indices: list[int]) -> None:
        progress = HostProgress(self._run.channel, self._run.control, "encode", len(indices))
        sample_files.write(path, samples, indices, self._prepared.inputs, self._run.plan.model.name, progress)

    def _check_storage(self) -> None:
        """Refuse a device without space for the chunks that wait there."""
        run, prepared, feed = self._run, self._prepared, self._run.feed
        if feed is None:
            return
        most = max(chunk.count for chunk in run.chunks)
        inputs = sample_files.stride(prepared.inputs) if feed.is_streaming else 0
        needed = (WAITING + 1) * most * (inputs + sample_files.stride(prepared.outputs)) + RESERVE
        free = run.store.free_bytes()
        if needed > free:
            summary = f"{run.link.address} has {free / 1e6:,.0f} MB free; samples and outputs need {needed / 1e6:,.0f}"
            hint = f"free storage, or remove old files: mlperf-mobile devices prune {run.link.address}"
            raise DeviceError("device-storage", summary, hint)

    def _provided(self, items: list[Item]) -> dict[Path, str]:
        """Where files are on the device, after they were copied there; on this machine, where they are."""
        if self._run.plan.device is None:
            self._run.provide([])
            return {item.path: str(item.path.absolute()) for item in items}
        self._run.provide(items)
        return {item.path: self._run.store.place(self._run.root, item) for item in items}

    def _check_program(self, there: str) -> None:
        """Run the program on the device to see whether it works there, and fits.

        Raises:
            BackendError: ``runner-broken``, ``runner-version`` or ``runner-engine``.
        """
        script = 'chmod 755 "$1" 2>/dev/null; exec "$1" --version'
        output = self._run.link.do(lambda transport: transport.run(["sh", "-c", script, "sh", there]))
        if output.returncode:
            words = output.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it prints nothing"]
            summary = f"{self._run.link.address}: the native runner does not run there: {words[0][:200]}"
            raise BackendError("runner-broken", summary, "it needs another build: another machine, or an older libc")
        binary.check(output.stdout, self._run.link.address, self._prepared.engine.engine)

    def _variables(self, places: Mapping[Path, str]) -> dict[str, str]:
        """The environment of the program; on a device, its loader looks into the folders of what was sent."""
        engine, found = self._prepared.engine, {"LC_ALL": "C"}
        if self._run.plan.device is None:
            return found
        sent = [*([engine.library] if isinstance(engine.library, Path) else []), *engine.files]
        folders = [places[path] if path.is_dir() else places[path].rpartition("/")[0] for path in sent]
        return found | libraries.environment(dict.fromkeys(folders), dict.fromkeys(folders))


def _replaced(value: Any, places: Mapping[str, str]) -> Any:
    """The options of an engine with the paths of files on the device."""
    if isinstance(value, Mapping):
        return {key: _replaced(inner, places) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(inner, places) for inner in value]
    return places.get(value, value) if isinstance(value, str) else value
