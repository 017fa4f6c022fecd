"""Runs a Plan in a process of its own on this machine; whatever becomes of it, there is a Result."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from mlperf_mobile import events
from mlperf_mobile.errors import ExitCode
from mlperf_mobile.plan import CompilePlan, Plan
from mlperf_mobile.results import store
from mlperf_mobile.results.model import ErrorFacts, Result, Status
from mlperf_mobile.results.recompose import Ending, composed, conclude, partial, program

GRACE_S = 0.5
"""How long a cancelled worker may take to save what it has."""

TAIL_BYTES = 4096


def launch(plan: Plan, output: Path, listen: Callable[[events.Event], None]) -> Result:
    """Run ``plan``, store its result under ``output``, and return it.

    Args:
        plan: What to run.
        output: The folder for results; made when it is not there.
        listen: Called with every event, as it comes.

    Raises:
        OutputError: The result cannot be stored.
    """
    folder = store.Folder(output, plan)
    try:
        run = Run(plan, folder.path, listen)
        status, error = run.until_ended()
        ending = Ending(status, error, str(folder.final), program())
        with store.telling(folder.path):
            conclude(folder.path, ending)
        result = composed(plan, run.parts, ending, store.digests(folder.path))
        folder.commit(result)
    except BaseException:
        folder.discard()
        raise
    return result


class Run:
    """One worker process, from its start to its end.

    Args:
        plan: What it is told to do.
        folder: An existing folder for its logs.
        listen: Called with every event, as it comes.
    """

    def __init__(self, plan: CompilePlan, folder: Path, listen: Callable[[events.Event], None]) -> None:
        self.parts: dict[str, Any] = {}
        self._plan, self._folder, self._listen = plan, folder, listen
        self._failure: events.Failed | None = None
        self._timed: events.Progress | None = None
        self._ended = False
        self._compiling: float | None = None
        """Since when it compiles."""
        self._heard = time.monotonic()

    def until_ended(self) -> tuple[Status, ErrorFacts | None]:
        """Start the worker and listen until it is gone."""
        read_fd, write_fd = os.pipe()
        log_path = self._folder / store.WORKER_LOG
        with store.telling(self._folder):
            log = log_path.open("wb")
        with log:
            process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                [
                    sys.executable, "-P", "-m", "mlperf_mobile.worker",
                    "--events-fd", str(write_fd), "--directory", str(self._folder),
                ],
                stdin=subprocess.PIPE, stdout=log, stderr=log, pass_fds=(write_fd,), start_new_session=True,
            )  # fmt: skip
        os.close(write_fd)
        interrupted = silent = False
        try:
            with os.fdopen(read_fd, "rb", buffering=0) as pipe:
                self._tell_plan(process)
                silent = not self._hear(pipe, process)
        except KeyboardInterrupt:
            interrupted = True
            self._cancel(process)
        finally:
            self._end(process, at_once=silent or interrupted)
        return self._verdict(process.returncode, interrupted, silent, log_path)

    def _tell_plan(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(self._plan.to_json()).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it died at once; its stderr says why

    def _hear(self, pipe: BinaryIO, process: subprocess.Popen[bytes]) -> bool:
        """Take in events until the worker closes its end or ends; False when it said nothing for too long."""
        with store.telling(self._folder):
            journal = (self._folder / store.EVENTS).open("wb", buffering=0)
        with journal:
            for line in _lines(pipe, self._left_s, lambda: process.poll() is not None):
                if line is None or (self._compiling is not None and self._left_s() <= 0):
                    return False
                self._heard = time.monotonic()
                try:
                    event = events.decode(line)
                except ValueError:
                    continue  # not ours: a library wrote to a descriptor it does not own
                with store.telling(self._folder):
                    journal.write(line + b"\n")
                self._take(event)
        return True

    def _left_s(self) -> float:
        """How long it may go on without a word; a compiler may take its time, but not for ever."""
        if self._compiling is not None:
            return self._compiling + self._plan.compile_timeout_s - time.monotonic()
        return self._heard + self._plan.silence_timeout_s - time.monotonic()

    def _take(self, event: events.Event) -> None:
        if isinstance(event, events.Measured):
            self.parts[event.part] = event.value
        elif isinstance(event, events.Failed):
            self._failure = event
        elif isinstance(event, events.Progress) and event.phase == "performance":
            self._timed = event
        elif isinstance(event, events.Phase):
            self._compiling = (self._compiling or time.monotonic()) if event.name == "compile" else None
        elif isinstance(event, events.Ended):
            self._ended = True
        self._listen(event)

    def _cancel(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        try:
            process.stdin.write(b"cancel\n")
            process.stdin.flush()
            process.wait(GRACE_S)
        except (OSError, subprocess.TimeoutExpired, KeyboardInterrupt):
            pass

    def _end(self, process: subprocess.Popen[bytes], *, at_once: bool) -> None:
        """See to it that the process, and all that it started, is gone."""
        if not at_once:
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin:
            with suppress(BrokenPipeError):
                process.stdin.close()

    def _verdict(self, returncode: int, interrupted: bool, silent: bool, log: Path) -> tuple[Status, ErrorFacts | None]:
        if interrupted:
            self._keep_partial()
            error = ErrorFacts(
                code="interrupted", summary="stopped by the user", hint="", exit_code=ExitCode.INTERRUPTED
            )
            return Status.INTERRUPTED, error
        if self._ended and not self._failure:
            return Status.COMPLETED, None
        self._keep_partial()
        tail = _tail(log)
        if self._failure:
            told = self._failure
            return Status.FAILED, ErrorFacts(
                code=told.code, summary=told.summary, hint=told.hint, exit_code=told.exit_code, stderr_tail=tail
            )
        if silent and self._compiling is not None:
            summary = f"compiling took longer than {self._plan.compile_timeout_s:g} s and was stopped"
            hint = "it may need more: --set compile_timeout_s=SECONDS; worker.log has the compiler's words"
            return Status.FAILED, ErrorFacts(
                code="compile-timeout", summary=summary, hint=hint, exit_code=ExitCode.BACKEND, stderr_tail=tail
            )
        if silent:
            summary = f"the worker said nothing for {self._plan.silence_timeout_s:g} s and was stopped"
            hint = "look at worker.log; a slow driver may need more: --set silence_timeout_s=SECONDS"
            return Status.FAILED, ErrorFacts(
                code="worker-silent", summary=summary, hint=hint, exit_code=ExitCode.WORKER_SILENT, stderr_tail=tail
            )
        summary = f"the worker died: {_cause(returncode)}"
        hint = f"the backend {self._plan.backend} or a library it uses crashed; worker.log has its last words"
        return Status.FAILED, ErrorFacts(
            code="worker-died", summary=summary, hint=hint, exit_code=ExitCode.WORKER_DIED, stderr_tail=tail
        )

    def _keep_partial(self) -> None:
        """Put the latencies of a timed run that did not end into the result; the rule ``completed`` fails it."""
        self.parts |= partial(self._folder, self.parts, self._timed)


def _lines(pipe: BinaryIO, left_s: Callable[[], float], is_over: Callable[[], bool]) -> Iterator[bytes | None]:
    """Whole lines as they come; None, and the end, when no time is left. Memory is bounded.

    They end with the pipe, or when nothing more is in it and ``is_over()``: a child of the worker may hold it open.
    """
    held = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            over, left = is_over(), left_s()
            if not selector.select(0 if over else min(max(0.0, left), GRACE_S)):
                if over:
                    return
                if left <= 0:
                    yield None
                    return
                continue
            data = pipe.read(65536)
            if not data:
                return
            held += data
            *lines, rest = held.split(b"\n")
            held = bytearray(rest) if len(rest) <= events.MAX_LINE else bytearray()
            for line in lines:
                yield bytes(line)


def _cause(returncode: int) -> str:
    if returncode >= 0:
        return f"it exited with {returncode} without a word"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
