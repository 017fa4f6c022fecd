"""One run of the native runner: from its files to its result, on a device or on this machine."""

from __future__ import annotations

import json
import platform
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from mlperf_mobile import events, loadgen
from mlperf_mobile.contracts import NativePlace, Transport
from mlperf_mobile.contracts.transport import DeviceError
from mlperf_mobile.plan import CompilePlan
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.results import latencies
from mlperf_mobile.results.tokens import TOKENS
from mlperf_mobile.worker import environment
from mlperf_mobile.worker.measurements import samples_per_query
from mlperf_mobile.worker.outputs import checking
from mlperf_mobile.worker.system import cores
from mlperf_mobile_devices.detached import Detached
from mlperf_mobile_devices.libraries import MOST_LIBRARIES, MOST_PATH
from mlperf_mobile_native_runner import composing, sample_files
from mlperf_mobile_native_runner.chunks import Chunk, Responses
from mlperf_mobile_native_runner.feed import Feed
from mlperf_mobile_native_runner.local import LocalTransport
from mlperf_mobile_native_runner.prepared import PreparedRun, prepare
from mlperf_mobile_native_runner.prompts import answers
from mlperf_mobile_native_runner.sending import Sending
from mlperf_mobile_native_runner.watching import Watching

KEPT_BYTES = 512 << 20
"""Maximum encoded bytes of a data set that stays on the device; a larger one is sent in chunks, removed after use."""
_REPORTED = "runner"
"""Parts with this prefix are the runner's, for the driver."""


class NativeRun(Detached):
    """A run of the native runner."""

    prepared: PreparedRun
    watching: Watching

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._after = ExitStack()
        self._reported: dict[str, Any] = {}
        """The runner's parts."""
        self._is_timed = False
        """Whether the timed run is over and its numbers are not composed yet."""
        self._phase = ""
        self.feed: Feed | None = None
        self._responses: Responses | None = None
        self.chunks: list[Chunk] = []

    @classmethod
    def reach(cls, plan: CompilePlan, directory: Path) -> Transport:
        return LocalTransport(str(directory / "work")) if plan.device is None else super().reach(plan, directory)

    def connect(self) -> None:
        """Reach the device, and prepare the run on this machine."""
        super().connect()
        self.place = self._where()
        self.prepared = prepare(self.plan, self.place, self.channel, self.directory)
        self._report_facts()
        if self.prepared.plan.has_accuracy:
            self._prepare_accuracy()
        self.watching = Watching(self.prepared.plan, self.channel, self.directory, is_here=self.plan.device is None)
        self._after.callback(self.watching.end)

    def begin(self) -> None:
        """Send what the run needs, and start it.

        Raises:
            MobileError: Something does not fit; what can be found out before the model is sent, is.
        """
        Sending(self).start()

    def take_up(self) -> None:
        super().take_up()
        if self.feed:
            self.feed.take_up()

    def take(self, event: events.Event) -> None:
        """Keep what the runner reports for the driver; hand everything else on."""
        if isinstance(event, events.Phase):
            self._phase = event.name
        self.watching.take(event)
        if isinstance(event, events.Measured) and event.part.startswith(_REPORTED):
            if event.part != "runner_libraries" and not isinstance(event.value, dict):
                return
            self._reported[event.part] = event.value
            if event.part == "runner":
                self._report_runner()
            elif event.part == "runner_placement" and "operations" in event.value:
                self.channel.measured("placement", composing.placement(event.value))
            elif event.part == "runner_performance":
                self._is_timed = True
            return
        super().take(event)

    def take_other(self, line: bytes) -> None:
        """Take the runner's own lines: the outputs of a chunk are complete."""
        with suppress(ValueError, KeyError, TypeError):
            found = json.loads(line)
            if found["event"] == "chunk" and self.feed:
                self.feed.answered(int(found["number"]))

    def work(self) -> bool:
        """Compose the timed run's numbers as soon as it is over; then send samples and take outputs."""
        self._compose_performance()
        if self._phase == "performance" and "runner_performance" not in self._reported:
            return False
        return self.feed.work() if self.feed and self._phase == "accuracy" else False

    def complete(self, code: int) -> None:
        """Compose what is left of the result."""
        if code:
            return
        self._compose_performance()
        if self.feed and self._responses:
            self.feed.finish()
            part = composing.accuracy(
                self.prepared, self.directory, self._responses, self.chunks, self._reported["runner_accuracy"]
            )
            self.channel.measured("accuracy", part)
            self._responses.remove()
        self.prepared.files.check()
        loaded = self._reported.get("runner_libraries")
        if self.plan.device and isinstance(loaded, list):
            self._device.add(libraries=tuple(str(each)[:MOST_PATH] for each in loaded[:MOST_LIBRARIES]))

    def close(self) -> None:
        """Stop everything of this process."""
        with suppress(DeviceError):
            self._after.close()
        super().close()

    def _where(self) -> NativePlace:
        """What kind of machine the device is."""
        facts = self.facts
        system = "android" if facts.os.startswith("Android") else "linux"
        if self.plan.device is None:
            return NativePlace(system="linux", machine=platform.machine(), same=True, here=True, cores=cores())
        counted = self.ask("count its processors", "nproc 2>/dev/null || echo 1").split()
        count = int(counted[0]) if counted and counted[0].isdigit() else 1
        same = system == platform.system().lower() and facts.abi == platform.machine()
        return NativePlace(system=system, machine=facts.abi, same=same, cores=min(max(1, count), 1024))

    def _report_facts(self) -> None:
        plan, engine = self.prepared.plan, self.prepared.engine
        found: dict[str, Any] = {"cpu.machine": self.place.machine, "os.name": self.facts.os}
        if plan.device is None:
            found = {**environment.facts(), **installed_plugins().environment(plan.backend)}
        self.channel.measured("environment", found)
        self.channel.measured("versions", environment.versions())
        facts = {"runtime": engine.runtime or None, "versions": dict(engine.versions)}
        self.channel.measured("backend", facts | {"functional_only": engine.functional_only})

    def _report_runner(self) -> None:
        """The system and the runtime, as the runner loaded them."""
        found, engine = self._reported["runner"], self.prepared.engine
        self.channel.measured("system", composing.system(self.prepared, float(found.get("load_s", 0.0))))
        self.channel.measured("samples_per_query", samples_per_query(self.prepared.scenario))
        versions = {**composing.versions(found), **engine.versions, "mlperf-mobile-runner": str(found["version"])}
        facts = {"runtime": engine.runtime or str(found.get("runtime", "")) or None, "versions": versions}
        stand_in = engine.functional_only or str(found.get("stand_in", ""))
        self.channel.measured("backend", facts | {"functional_only": stand_in})

    def _prepare_accuracy(self) -> None:
        run = self.prepared
        self.chunks = run.chunks()
        checked = (
            answers(run.codec, run.generations, run.plan.backend)
            if run.generations
            else checking(run.codec, run.outputs, run.plan.backend)
        )
        self._responses = Responses(self.directory / ".responses", run.outputs, checked)
        is_large = sample_files.stride(run.inputs) * len(run.dataset) > KEPT_BYTES
        samples = run.samples(run.dataset)

        def encode(chunk: Chunk, path: Path) -> None:
            sample_files.write(path, samples, chunk.indices, run.inputs, run.plan.model.name)

        place = self.directory / "work" / "chunks"
        self.feed = Feed(self, self.chunks, self._responses, encode if is_large else None, place)
        self._after.callback(self.feed.close)

    def _compose_performance(self) -> None:
        if not self._is_timed:
            return
        self._is_timed = False
        self.watching.timed_run_is_over()
        self.timed_run_is_over(self._reported["runner_performance"])
        logs = [loadgen.DETAIL_LOG, loadgen.SUMMARY_LOG, *([loadgen.ACCURACY_LOG] if self.prepared.generations else [])]
        own = [latencies.FILE, *([TOKENS] if self.prepared.generations else [])]
        for name in (*(f"performance/{log}" for log in logs), *own):
            target = self.directory / name
            target.parent.mkdir(exist_ok=True)
            source = f"{self.folder_there}/{name}"
            self.link.do(lambda transport, source=source, target=target: transport.pull(source, target))  # type: ignore[misc]
        part = composing.performance(self.prepared, self.directory, self._reported)
        self.channel.measured("performance", part)
        report = {name: value for name, value in self._reported.items() if name != "runner_performance"}
        self.channel.measured("report", {"native runner": report})
