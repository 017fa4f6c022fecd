"""One detached run on a device: its folder, its start, its end, and what it leaves on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from mlperf_mobile import events
from mlperf_mobile.contracts import Transport
from mlperf_mobile.contracts.transport import DeviceError, DeviceFacts
from mlperf_mobile.plan import CompilePlan, Plan
from mlperf_mobile.results.observed import OBSERVED, TELEMETRY
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.surroundings import MAP
from mlperf_mobile_devices import clock, collect, libraries, refusals, telemetry
from mlperf_mobile_devices.asking import ask
from mlperf_mobile_devices.follow import Follower
from mlperf_mobile_devices.held import Held
from mlperf_mobile_devices.host_files import Item
from mlperf_mobile_devices.link import Control, Link, open_transport
from mlperf_mobile_devices.progress import HostProgress
from mlperf_mobile_devices.reported import Reported
from mlperf_mobile_devices.stopping import stop
from mlperf_mobile_devices.store import Store

PUSH = "push"
"""The phase in which files are copied to the device."""
_TICK_S = 0.5

_MAKE = r"""
mkdir -p "$1/store" "$1/$2" && chmod 700 "$1" && cat >"$1/$2/.uses" && mv "$1/$2/.uses" "$1/$2/uses"
"""
_WRITE = r"""
cat >"$1/$2/.new" && mv "$1/$2/.new" "$1/$2/$3"
"""

DetachedT = TypeVar("DetachedT", bound="Detached")


class Detached:
    """A run on a device, from its files to its end.

    Args:
        plan: What to run.
        directory: The run's folder on this machine.
        channel: Takes the events.
        control: Waits, and is cancelled.
        transport: Reaches the device.
        attach: Whether an earlier driver started it.
    """

    def __init__(
        self,
        plan: CompilePlan,
        directory: Path,
        channel: Channel,
        control: Control,
        transport: Transport,
        *,
        attach: bool = False,
    ) -> None:
        self.plan, self.directory, self.channel, self.control = plan, directory, channel, control
        self.root, self.was_started = transport.root, attach
        address = plan.device or "this machine"
        self.link: Link[Transport] = Link(
            transport, address, plan.device_timeout_s, control, self._lost, self._found, channel.beat
        )
        self.store = Store(self.link)
        self.folder = f"runs/{plan.run_id}"
        self._held: list[events.Event] = []
        """The end of the run and what follows it, which is reported when the files are here."""
        self._device = Reported(channel, is_here=plan.device is None)
        self._settings = Held(self.link, self.folder)
        self._recording: telemetry.Recording | None = None
        if isinstance(plan, Plan) and plan.device and TELEMETRY in plan.observers and plan.has_performance:
            self._recording = telemetry.Recording(directory)
        self._ahead_s = 0.0
        quiet_s = warm_up_s = 0.0
        if isinstance(plan, Plan) and plan.has_performance and plan.device:
            quiet_s, warm_up_s = plan.load.min_duration_s, plan.warm_up_s
        self._follower = Follower(
            self.link, self.folder, self.take, control, quiet_s,
            other=self.take_other, work=self.work, tidy=lambda: collect.trim_log(self.link, self.folder),
            warm_up_s=warm_up_s, beat=channel.beat,
        )  # fmt: skip

    @classmethod
    def reach(cls, plan: CompilePlan, directory: Path) -> Transport:  # noqa: ARG003  others need it
        """The transport to the device of a plan; ``directory`` is the run's folder on this machine."""
        return open_transport(str(plan.device))

    @property
    def facts(self) -> DeviceFacts:
        """What the device reported when it was reached."""
        assert self._device.facts is not None
        return self._device.facts

    @property
    def folder_there(self) -> str:
        """The run's folder on the device."""
        return f"{self.root}/{self.folder}"

    def connect(self) -> None:
        """Reach the device, and report what it is.

        Raises:
            DeviceError: It cannot be reached or used.
        """
        self.channel.phase("connect", self.link.address)
        facts = self._ask_facts()
        self.root = self.link.do(lambda transport: transport.root)
        if not facts.usable:
            raise DeviceError("device-unusable", f"{self.link.address}: {facts.reason}", facts.fix)
        self._ahead_s = clock.ahead_s(self.link)
        self._device.add(facts, {"clock.ahead_s": self._ahead_s})

    def _ask_facts(self) -> DeviceFacts:
        return self.link.do(lambda transport: transport.facts())

    def check_allowed(self) -> None:
        """Refuse a device on which another run takes place, or that may not be measured now.

        Raises:
            DeviceError: ``device-busy``, ``device-charging``.
        """
        refusals.check_idle(self.link, self.folder)
        refusals.check_charger(self.plan, self.facts)

    def hold(self) -> None:
        """Keep the device from sleeping until :meth:`release`.

        Raises:
            DeviceError: Another command holds its settings.
        """
        self._device.add(more=self._settings.take(airplane=self.plan.airplane_mode))

    def release(self) -> None:
        """Restore the device's settings."""
        self._settings.give_back()

    def leave(self) -> None:
        """Keep the device's settings: the run goes on there. Who connects after its end restores them."""
        self._settings.leave()

    def provide(self, items: Iterable[Item]) -> None:
        """Make the run's folder, and copy the files that the device lacks.

        Raises:
            DeviceError: There is too little storage, or a copy differs.
        """
        items = list(items)
        uses = "".join(f"{item.sha256}\n" for item in items)
        self.ask("make the run's folder", _MAKE, self.folder, stdin=uses.encode())
        total = sum(item.bytes for item in self.store.missing(items))
        self.store.provide(items, HostProgress(self.channel, self.control, PUSH, total, _TICK_S))
        self._device.add(more={"pushed_bytes": self.store.pushed})

    def write(self, name: str, content: bytes) -> None:
        """Write a small file into the run's folder on the device, as a whole."""
        self.ask(f"write {name}", _WRITE, self.folder, name, stdin=content)

    def start(self, argv: Sequence[str], environment: Mapping[str, str], *, pipe: bool = False) -> None:
        """Start the process that carries out the run.

        Args:
            argv: The command on the device.
            environment: Its variables.
            pipe: Whether its standard input is a pipe, which ``cancel`` is written to.
        """
        if pipe:
            self.ask("make a pipe", '[ -p "$1/$2/stdin" ] || mkfifo "$1/$2/stdin"', self.folder)
        facts = self._ask_facts()  # after copying, which may have taken minutes
        self._device.add(facts)
        if self._recording:
            self._recording.add(0, facts)
        self.was_started = True
        variables = {MAP: f"{self.folder_there}/{collect.MAP}", **environment}
        self.link.do(lambda transport: transport.start(f"{transport.root}/{self.folder}", argv, variables))

    def take_up(self) -> None:
        """Check that a run which an earlier driver started is still there.

        Raises:
            DeviceError: ``device-run-gone``.
        """
        there = self.ask("look for the run", '[ -f "$1/$2/pid" ] && echo yes; exit 0', self.folder)
        if there.strip() != b"yes":
            summary = f"the run is no longer on {self.link.address}"
            raise DeviceError("device-run-gone", summary, "recover what was received: mlperf-mobile recover")

    def is_alive(self) -> bool:
        """Whether the run goes on there."""
        return self._follower.is_alive()

    def follow(self) -> int:
        """Follow it to its end; see :meth:`Follower.until_ended`."""
        return self._follower.until_ended()

    def cancel(self) -> bool:
        """Stop the run; False if the device cannot be reached now."""
        return stop(self.link, self.folder, self.is_alive)

    def fetch(self, code: int) -> None:
        """Copy its files and its log to this machine; then report its end, if its exit code agrees.

        Raises:
            DeviceError: A copy differs.
        """
        self.fetch_log()
        collect.collect(self.link, self.folder, self.directory)
        self.complete(code)
        if found := libraries.parse(collect.memory_map(self.link, self.folder)):
            self._device.add(libraries=found)
        recorded = self._recording is not None and self._recording.finish()
        for event in self._held:
            if recorded and isinstance(event, events.Measured) and event.part == OBSERVED:
                assert isinstance(self.plan, Plan)
                self.channel.measured(OBSERVED, telemetry.judged(self.plan, self.directory, event.value))
            elif code == 0 or not isinstance(event, events.Ended):
                self.channel.send(event)
        self._held.clear()

    def fetch_log(self) -> None:
        """Append the worker's log to this process's."""
        text = collect.log(self.link, f"{self.folder}/worker.log")
        sys.stderr.flush()
        with suppress(OSError):
            os.write(2, text)

    def clean(self) -> None:
        """Remove its folder from the device, unless the plan keeps it."""
        if not self.plan.keep_on_device:
            self.link.do(lambda transport: transport.remove(f"{transport.root}/{self.folder}"))

    def close(self) -> None:
        """Close the connection."""
        self.link.close()

    def take(self, event: events.Event) -> None:
        """Hand an event of the run on to the launcher; its end waits until the files are here."""
        event = clock.in_time_of_host(event, self._ahead_s)
        if isinstance(event, events.Measured):
            if event.part == "device":
                return  # the driver's own
            if event.part == "performance":
                self.timed_run_is_over(event.value)
        if self._held or isinstance(event, events.Ended):
            self._held.append(event)
        else:
            self.channel.send(event)

    def timed_run_is_over(self, performance: object) -> None:
        """Record what the device reports after the timed run.

        Args:
            performance: What was measured; its ``samples`` tells the recording's end from its beginning.
        """
        if self._recording:
            found = performance.get("samples") if isinstance(performance, dict) else None
            self._recording.add(max(1, found) if isinstance(found, int) else 1, self._ask_facts())

    def take_other(self, line: bytes) -> None:
        """Take a line of the journal that is not an event of a worker; ignored here."""

    def work(self) -> bool:
        """Do something between two looks at the run; returns whether there may be more to do at once."""
        return False

    def complete(self, code: int) -> None:
        """Called when the run is over and its files are here, before its end is reported."""

    def _lost(self, seconds: float) -> None:
        self.channel.phase("reconnect", f"reconnecting to {self.link.address} for {seconds:.0f} s")

    def _found(self) -> None:
        if phase := self._follower.phase:
            self.channel.phase(phase.name, phase.step)

    def ask(self, what: str, script: str, *arguments: str, stdin: bytes = b"") -> bytes:
        """The output of a script on the device whose first parameter is the root.

        Raises:
            DeviceError: It failed.
        """
        return ask(self.link, what, script, *arguments, stdin=stdin)


Prepare = Callable[[DetachedT], None]
"""Pushes what a run needs, and starts it."""
