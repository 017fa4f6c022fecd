"""Sessions on a host: each attempt in a folder of its own, carried out once, and its end kept there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlperf_mobile.campaigns.campaign import Campaign, again
from mlperf_mobile.config.document import Setting
from mlperf_mobile.config.placing import place
from mlperf_mobile.contracts import DeviceError
from mlperf_mobile.errors import MobileError, OutputError, described
from mlperf_mobile.launch.recover import recover_all
from mlperf_mobile.plan import CHOSEN_LATER
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.resources.folder import default_folder
from mlperf_mobile.results import store as results
from mlperf_mobile.results.model import Result, Status
from mlperf_mobile.results.recompose import program
from mlperf_mobile_farm import simulated
from mlperf_mobile_farm.attempt import Tell, carry_out
from mlperf_mobile_farm.rewriting import rewritten
from mlperf_mobile_farm.simulated.launching import launch_until
from mlperf_mobile_farm.store import Store
from mlperf_mobile_farm.work import Job, Order, SessionEnd

LOST = frozenset({"device-lost"})
"""Codes of errors after which a session is tried again; whatever was measured is never measured again."""
BUSY_S = 2.0
"""Seconds between two tries to take a device that a local run has."""
_END, _CAMPAIGN = "end.json", "campaign.json"


@dataclass
class Running:
    """A session in progress."""

    order: Order
    user: str
    device: str
    since: float = field(default_factory=time.time)
    cancelled: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    progress: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What status shows."""
        who = {"session": self.order.session, "job": self.order.job, "user": self.user, "device": self.device}
        return who | {"since": self.since} | self.progress


class Sessions:
    """The sessions of a host.

    Args:
        host: The name of the host.
        folder: The folder for sessions and files.
    """

    def __init__(self, host: str, folder: Path) -> None:
        self._host, self._folder = host, folder / "sessions"
        self.store = Store(folder / "store")
        self.running: dict[str, Running] = {}
        self._lock = threading.Lock()
        self._registry = installed_plugins()
        program()  # found once, not by a hundred threads at the same time
        self._stopped = False

    def carry_out(self, order: Order, device: str, begun: Callable[[], None]) -> SessionEnd:
        """Carry out a session on a device, in this thread, unless it was carried out here before.

        Args:
            order: The session.
            device: The device.
            begun: Called when it is in progress.
        """
        job = self.store.job(order.spec)
        needs = [order.spec] if job is None else self._missing(job, device)
        if job is None or needs:
            return self._end(order, device, "needs", needs=needs)
        while True:
            with self._lock:
                other = self.running.get(order.session)
                if other is None:
                    running = self.running[order.session] = Running(order, job.user, device)
                    break
            other.ended.wait()  # the scheduler lost sight of this host for a while
        if self._stopped:
            running.cancelled.set()
        begun()
        try:
            return self._earlier(order) or self._attempt(order, job, running)
        except MobileError as error:
            return self._end(order, device, "refused", error=error.record())
        except Exception as error:  # noqa: BLE001  a defect ends a session, not the host
            record = MobileError("internal", described(error), f"see the host {self._host}").record()
            return self._end(order, device, "refused", error=record)
        finally:
            with self._lock:
                del self.running[order.session]
            running.ended.set()

    def cancel(self, sessions: list[str]) -> int:
        """Interrupt sessions; what they measured is kept. Returns the number of those that ran."""
        found = [self.running[name] for name in sessions if name in self.running]
        for each in found:
            each.cancelled.set()
        return len(found)

    def stop(self) -> None:
        """Interrupt all sessions, also those that begin later."""
        self._stopped = True
        self.cancel(list(self.running))

    def ends(self, job: str) -> list[SessionEnd]:
        """The attempts at the sessions of a job that ended here, the earliest first."""
        return [
            SessionEnd.model_validate_json(path.read_bytes())
            for path in sorted(self._folder.glob(f"{job}-*/*/{_END}"))
            if path.parent.parent.name not in self.running
        ]

    def attempt(self, session: str, attempt: str) -> Path:
        """The folder of an attempt."""
        return self._folder / session / attempt

    def recover(self) -> None:
        """Create the results of sessions that a stop of this host cut off, and keep how they ended."""
        for folder in sorted(self._folder.glob("*/*/")):
            if not (folder / _END).exists() and (folder / _CAMPAIGN).exists():
                list(recover_all(folder))
                order = Order(job="unknown", spec="0" * 64, session=folder.parent.name)
                plan = Campaign.model_validate_json((folder / _CAMPAIGN).read_bytes()).steps[0].plan
                error = DeviceError("host-lost", f"the host {self._host} stopped during the session").record()
                self._write_end(folder, self._end(order, plan.device or "", "lost", folder, error=error, cut_off=True))

    def _missing(self, job: Job, device: str) -> list[str]:
        if device.startswith(f"{simulated.NAME}:"):
            return []
        return [sha256 for sha256 in dict.fromkeys(job.files.values()) if not self.store.has(sha256)]

    def _earlier(self, order: Order) -> SessionEnd | None:
        """How the session ended here before, if its runs were done."""
        for path in sorted(self._folder.glob(f"{order.session}/*/{_END}")):
            end = SessionEnd.model_validate_json(path.read_bytes())
            if end.state == "done":
                return end
        return None

    def _attempt(self, order: Order, job: Job, running: Running) -> SessionEnd:
        base = self._folder / order.session
        base.mkdir(parents=True, exist_ok=True)
        folder = base / f"attempt-{len(list(base.iterdir())) + 1:03d}"
        campaign = self._placed(job, running.device, folder, order.session)
        folder.mkdir()
        (folder / _CAMPAIGN).write_text(campaign.model_dump_json(by_alias=True))
        error = self._until_ended(campaign, folder, running)
        end = self._ended(order, folder, campaign, running, error)
        self._write_end(folder, end)
        return end

    def _placed(self, job: Job, device: str, folder: Path, session: str) -> Campaign:
        """The campaign of a job on a device of this host, with run IDs of its own."""
        given = job.campaign
        kept = {path: sha256 for path, sha256 in job.files.items() if self.store.has(sha256)}
        places = {path: self.store.path(sha256, Path(path).name) for path, sha256 in kept.items()}
        steps = []
        for step in given.steps:
            layer = {"device": Setting(device, "the farm")}
            if step.plan.runner != CHOSEN_LATER:
                layer["runner"] = Setting(step.plan.runner, "--runner")
            placed = place(self._registry, layer)
            by = step.plan.offered_by | placed.offered_by
            plan = step.plan.model_copy(update={"device": device, "runner": placed.runner, "offered_by": by})
            steps.append(step.model_copy(update={"plan": again(rewritten(plan, places, default_folder()))}))
        return given.model_copy(update={"id": session, "output": folder, "steps": steps})

    def _until_ended(self, campaign: Campaign, folder: Path, running: Running) -> MobileError | None:
        """Carry out the campaign; returns the error if it could not even start or go on."""
        while not running.cancelled.is_set():
            try:
                self._once(campaign, folder, running)
            except KeyboardInterrupt:
                return None
            except MobileError as error:
                if error.code != "device-busy":
                    return error
                running.progress = {"phase": f"waits: {error.summary}"}
                running.cancelled.wait(BUSY_S)
                continue
            return None
        return None

    def _once(self, campaign: Campaign, folder: Path, running: Running) -> None:
        def tell(progress: dict[str, Any]) -> None:
            running.progress = progress
            if running.cancelled.is_set():
                raise KeyboardInterrupt

        if all(step.plan.runner == simulated.NAME for step in campaign.steps):
            carry_out(campaign, tell, launch_until(running.cancelled))
        else:
            _in_process(folder / _CAMPAIGN, running.cancelled, tell)

    def _ended(
        self, order: Order, folder: Path, campaign: Campaign, running: Running, error: MobileError | None
    ) -> SessionEnd:
        list(recover_all(folder))  # if the process died
        found = _results(folder)
        done = {(result.benchmark, result.mode, result.scenario) for result in found}
        record = error.record() if error else None
        if running.cancelled.is_set() or any(result.status is Status.INTERRUPTED for result in found):
            record = DeviceError("host-lost", f"the session was interrupted on {self._host}").record()
            return self._end(order, running.device, "lost", folder, error=record)
        lost = [result.error.model_dump(mode="json") for result in found if result.error and result.error.code in LOST]
        if lost or (error and error.code in LOST):
            return self._end(order, running.device, "lost", folder, error=record or lost[0])
        if error or len(found) < len(campaign.steps) or not done:
            missing = MobileError("farm-incomplete", f"{len(found)} of {len(campaign.steps)} runs have a result")
            return self._end(order, running.device, "refused", folder, error=record or missing.record())
        return self._end(order, running.device, "done", folder)

    def _end(self, order: Order, device: str, state: Any, folder: Path | None = None, **more: Any) -> SessionEnd:
        runs = sorted(path.parent.name for path in folder.glob(f"*/{results.RESULT}")) if folder else []
        name = folder.name if folder else "none"
        return SessionEnd(
            session=order.session, host=self._host, device=device, state=state, attempt=name, runs=runs, **more
        )

    @staticmethod
    def _write_end(folder: Path, end: SessionEnd) -> None:
        temporary = folder / f".{_END}"
        temporary.write_text(end.model_dump_json())
        temporary.replace(folder / _END)


def _results(folder: Path) -> list[Result]:
    found = []
    for path in sorted(folder.glob(f"*/{results.RESULT}")):
        with suppress(OutputError):
            found.append(results.read(path.parent))
    return found


def _in_process(path: Path, cancelled: threading.Event, tell: Tell) -> None:
    """Carry out the campaign in a process of its own, which ends with this one.

    Raises:
        MobileError: The process could not carry it out.
        KeyboardInterrupt: It was cancelled.
    """
    failure: dict[str, Any] | None = None
    with (path.parent / "attempt.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  our own interpreter and module
            [sys.executable, "-P", "-m", "mlperf_mobile_farm.attempt", str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=os.environ, start_new_session=True,
        )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def stop_when_cancelled() -> None:
        while process.poll() is None:
            if cancelled.wait(0.5):
                with suppress(OSError):
                    stdin.close()
                return

    threading.Thread(target=stop_when_cancelled, daemon=True).start()
    for line in stdout:
        with suppress(ValueError):
            found = json.loads(line)
            failure = found.get("error", failure)
            if "error" not in found:
                with suppress(KeyboardInterrupt):
                    tell(found)
    process.wait()
    if failure:
        raise MobileError(failure["code"], failure["summary"], failure["hint"], failure["exit_code"])
    if process.returncode == 130:
        raise KeyboardInterrupt
