"""The folder of a run: created under a hidden name, and renamed only when its result is complete."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from mlperf_mobile.errors import OutputError
from mlperf_mobile.plan import Plan
from mlperf_mobile.regular_files import read_regular
from mlperf_mobile.results.journal import JournalFile
from mlperf_mobile.terms import misfit
from mlperf_mobile.whole_files import sync_folder, writing

if TYPE_CHECKING:
    from mlperf_mobile.results.model import Result

RESULT = "result.json"
PLAN = "plan.json"
EVENTS = "events.jsonl"
WORKER_LOG = "worker.log"
SIGNATURE = "result.json.sig"
WORK = "work"
"""Compiled files that cannot be cached; removed at the end of the run."""
MOST_BYTES = 64 << 20
"""Maximum bytes of a result or a plan; a larger file is refused."""
PARTIAL = ".partial"
STARTING = ".starting"
NEEDED_BYTES = 16 << 20
"""Free space that a run needs to start."""


class Unstored(OutputError):
    """The error of a result that could not be written; its data is kept in the run's hidden folder."""

    def __init__(self, error: OutputError, result: Result, folder: Path) -> None:
        hint = f"the measurements are kept: free disk space, then run mlperf-mobile recover {shlex.quote(str(folder))}"
        super().__init__(error.code, error.summary, hint)
        self.result = result


class Folder:
    """A run's folder while the run is in progress; the lock on its journal marks the owner."""

    def __init__(self, final: Path, path: Path, journal: JournalFile) -> None:
        self.final, self.path, self.journal = final, path, journal

    @classmethod
    def create(cls, output: Path, plan: Plan) -> Self:
        """Create the folder under its hidden name, owned by this process, with the plan in it.

        It is created under a third name first, so that a hidden folder without an owner is always an abandoned one.

        Raises:
            OutputError: It cannot be created, or the disk has too little space; then nothing is left.
        """
        final = output.resolve() / plan.run_id
        with output_errors(partial(final)):
            for _ in range(3):
                with suppress(FileNotFoundError, BlockingIOError):  # another process removed it as abandoned
                    return cls._made(final, plan)
            return cls._made(final, plan)

    @classmethod
    def _made(cls, final: Path, plan: Plan) -> Self:
        path, starting = partial(final), final.with_name(f".{plan.run_id}{STARTING}")
        starting.parent.mkdir(parents=True, exist_ok=True)
        starting.mkdir()
        try:
            if shutil.disk_usage(starting).free < NEEDED_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            journal = JournalFile.create(starting / EVENTS)
            try:
                write_json(starting / PLAN, plan.to_json())
                if final.exists():
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
                starting.rename(path)
            except BaseException:
                journal.close()
                raise
        except BaseException:
            shutil.rmtree(starting, ignore_errors=True)
            raise
        return cls(final, path, journal)

    @classmethod
    def adopt(cls, path: Path) -> Self:
        """Take over a hidden folder whose launcher is gone.

        Raises:
            OutputError: ``run-alive``: its launcher still runs. Or it cannot be opened.
        """
        with output_errors(path):
            journal = JournalFile.adopt(path / EVENTS)
        return cls(path.with_name(path.name.removeprefix(".").removesuffix(PARTIAL)), path, journal)

    def tidy(self) -> None:
        """Remove what is not part of a result, and give every file the mode by this process's umask.

        A library in the worker may have changed the umask.
        """
        shutil.rmtree(self.path / WORK, ignore_errors=True)
        mask = os.umask(0o077)
        os.umask(mask)
        with suppress(OSError):
            for each in self.path.iterdir():
                if each.is_dir() and not each.is_symlink():
                    each.chmod(0o777 & ~mask)
                elif each.name.startswith("."):
                    each.unlink()  # incomplete: its writer died
        for path in _regular_files(self.path):
            with suppress(OSError):
                path.chmod(0o666 & ~mask)

    def commit(self, result: Result) -> None:
        """Write the result, flush all files to the disk, and then give the folder its final name.

        Raises:
            Unstored: It cannot be written; the folder keeps its hidden name.
        """
        try:
            with output_errors(self.path):
                self.journal.sync()
                if self.journal.trouble and not self.journal.flush():
                    raise self.journal.trouble
                _sync_all(self.path)
                write_json(self.path / RESULT, result.to_json())
                self.path.rename(self.final)
                sync_folder(self.final.parent)
        except OutputError as error:
            kept = result.model_copy(update={"directory": str(self.path)})
            raise Unstored(error, kept, self.path) from error

    def discard(self) -> None:
        """Remove a folder in which nothing was measured."""
        shutil.rmtree(self.path, ignore_errors=True)

    def close(self) -> None:
        """Release the folder."""
        self.journal.close()


def partial(final: Path) -> Path:
    """The hidden name of a run's folder until its result is written."""
    return final.with_name(f".{final.name}{PARTIAL}")


def _sync_all(folder: Path) -> None:
    """Flush every file of a run's folder to the disk."""
    for path in _regular_files(folder):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    for each in (*folder.glob("*/"), folder):
        sync_folder(each)


def _regular_files(folder: Path) -> Iterator[Path]:
    for base, _, names in os.walk(folder):
        for name in names:
            path = Path(base, name)
            with suppress(OSError):
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of writing ``path`` into an OutputError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OutputError(
                "disk-full", f"no space left for {path}", "free disk space, or choose another --output"
            ) from error
        reason = error.strerror or str(error)
        raise OutputError("output-unwritable", f"cannot write {path}: {reason}", "choose another --output") from error


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file atomically."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which only a JSON escape can represent
        text = json.dumps(data, indent=2)
    with writing(path) as file:
        file.write(text + "\n")


def read(place: Path) -> Result:
    """The result in a folder, or in its ``result.json``.

    Raises:
        OutputError: It does not exist, is damaged, or has another schema.
    """
    return read_both(place)[1]


def read_both(place: Path) -> tuple[Any, Result]:
    """The result in a folder as JSON of the current schema and as a model; see :func:`read`."""
    from mlperf_mobile.results.model import (
        SCHEMA,
        Result,
        current,
    )  # many pydantic models, which planning does not need

    path = place
    try:
        path = place / RESULT if place.is_dir() else place
        text = read_regular(path, MOST_BYTES)
        data = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
        schema = data.get("schema") if isinstance(data, dict) else SCHEMA
        if type(schema) is not int or schema not in (1, SCHEMA):
            summary = f"{path} has schema {schema!r}; this version reads 1 to {SCHEMA}"
            raise OutputError("result-schema", summary, "update mlperf-mobile")
        data = current(data)
        return data, Result.model_validate(data)
    except OSError as error:
        raise OutputError("no-result", f"cannot read {path}: {error.strerror}", "give a result folder") from error
    except ValidationError as error:
        raise OutputError("result-damaged", f"{path}: {misfit(error)}", "the file was changed by hand") from error
    except (ValueError, RecursionError) as error:
        raise OutputError("result-damaged", f"{path} is not JSON: {error}", "the file is damaged") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"duplicate key {twice[:80]!r}")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def read_plan(folder: Path) -> Plan:
    """The plan in a result folder.

    Raises:
        OutputError: It does not exist, or is damaged.
    """
    path = folder / PLAN
    try:
        return Plan.model_validate_json(read_regular(path, MOST_BYTES))
    except OSError as error:
        raise OutputError("no-result", f"cannot read {path}: {error.strerror}", "give a result folder") from error
    except ValidationError as error:
        hint = "the file was changed by hand, or is of another version"
        raise OutputError("result-damaged", f"{path}: {misfit(error)}", hint) from error
