"""The folder of a run: made under a hidden name, filled, and renamed only when its result is whole."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlperf_mobile.errors import OutputError
from mlperf_mobile.plan import Plan
from mlperf_mobile.regular_files import open_regular, read_regular
from mlperf_mobile.results.model import Result
from mlperf_mobile.whole_files import writing

RESULT = "result.json"
PLAN = "plan.json"
EVENTS = "events.jsonl"
WORKER_LOG = "worker.log"
SIGNATURE = "result.json.sig"
WORK = "work"
"""What the backend compiles and cannot be kept; removed when the run is over."""
_NOT_DIGESTED = (RESULT, SIGNATURE, WORKER_LOG)
MOST_BYTES = 64 << 20
"""Of a result or a plan; more is none of ours."""
NEEDED_BYTES = 16 << 20
"""Free space without which a run is not started."""


class Folder:
    """A run's folder while it is being filled."""

    def __init__(self, output: Path, plan: Plan) -> None:
        self.final = output.expanduser().resolve() / plan.run_id
        self.path = self.final.with_name(f".{plan.run_id}.partial")
        with telling(self.path):
            self.path.mkdir(parents=True)
            try:
                if shutil.disk_usage(self.path).free < NEEDED_BYTES:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                write_json(self.path / PLAN, plan.to_json())
            except OSError:
                self.discard()
                raise

    def commit(self, result: Result) -> None:
        """Write the result and give the folder its name.

        Raises:
            OutputError: It cannot be written; the folder keeps its hidden name.
        """
        shutil.rmtree(self.path / WORK, ignore_errors=True)
        with telling(self.path):
            write_json(self.path / RESULT, result.to_json())
            self.path.rename(self.final)

    def discard(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Turn what can go wrong with writing under ``path`` into errors that say so."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OutputError(
                "disk-full", f"no space left for {path}", "free some, or choose another --output"
            ) from error
        reason = error.strerror or str(error)
        raise OutputError("output-unwritable", f"cannot write {path}: {reason}", "choose another --output") from error


def write_json(path: Path, data: Any) -> None:
    """Write a file so that it is there whole or not at all."""
    with writing(path) as file:
        json.dump(data, file, indent=2, ensure_ascii=False)
        file.write("\n")


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the files in a run's folder that its result is made of, by their paths there.

    These are all files but the result, its signature and the log of the worker's output, which decides nothing. Only
    regular files count; folders are not followed through links.
    """
    each = {name: digest(folder / name) for name in members(folder)}
    return {name: found for name, found in each.items() if found}


def digest(path: Path) -> str | None:
    """SHA-256 of a file; None where it cannot be read, or is none."""
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def members(folder: Path) -> list[str]:
    """What a run's folder holds beside the result, by the paths there: everything that is no folder, in order."""
    found, start = [], len(str(folder)) + 1
    for place, folders, files in os.walk(folder):
        if place == str(folder):
            folders[:] = [name for name in folders if name != WORK]
            names = [name for name in files if name not in _NOT_DIGESTED and not name.startswith(".")]
            found += names
        else:
            found += [f"{place[start:]}/{name}" for name in files]
        links = [f"{place}/{name}"[start:] for name in folders if Path(place, name).is_symlink()]
        found += links
    return sorted(found)


def read(place: Path) -> Result:
    """The result in a folder, or in its ``result.json``.

    Raises:
        OutputError: There is none, or it is damaged or of another schema.
    """
    return read_both(place)[1]


def read_both(place: Path) -> tuple[Any, Result]:
    """The result in a folder twice: as it stands in its file, as JSON, and as it is understood; see :func:`read`."""
    path = place
    try:
        path = place / RESULT if place.is_dir() else place
        data = json.loads(read_regular(path, MOST_BYTES))
        if isinstance(data, dict) and data.get("schema") != 1:
            found = data.get("schema")
            raise OutputError("result-schema", f"{path} has schema {found!r}, this is schema 1", "update mlperf-mobile")
        return data, Result.model_validate(data)
    except OSError as error:
        raise OutputError("no-result", f"cannot read {path}: {error.strerror}", "give a result folder") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise OutputError(
            "result-damaged", f"{path}: {where}: {first['msg']}", "the file was changed by hand"
        ) from error
    except (ValueError, RecursionError) as error:
        raise OutputError("result-damaged", f"{path} is not JSON: {error}", "the file is damaged") from error


def read_plan(folder: Path) -> Plan:
    """The plan in a result folder.

    Raises:
        OutputError: There is none, or it is damaged.
    """
    path = folder / PLAN
    try:
        return Plan.model_validate_json(read_regular(path, MOST_BYTES))
    except OSError as error:
        raise OutputError("no-result", f"cannot read {path}: {error.strerror}", "give a result folder") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        hint = "the file was changed by hand, or is of another version"
        raise OutputError("result-damaged", f"{path}: {where}: {first['msg']}", hint) from error
