"""The folder of a run: made under a hidden name, filled, and renamed only when its result is whole."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlperf_mobile.errors import OutputError
from mlperf_mobile.plan import Plan
from mlperf_mobile.results import latencies
from mlperf_mobile.results.model import Result
from mlperf_mobile.whole_files import writing

RESULT = "result.json"
PLAN = "plan.json"
EVENTS = "events.jsonl"
WORKER_LOG = "worker.log"
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
        shutil.rmtree(self.path / "work", ignore_errors=True)
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
    """SHA-256 of LoadGen's logs and of the latencies in a run's folder, by their paths there."""
    found = {}
    for path in sorted([*folder.glob("performance/*"), *folder.glob("accuracy/*"), folder / latencies.FILE]):
        with suppress(OSError), path.open("rb") as file:
            found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def read(place: Path) -> Result:
    """The result in a folder, or in its ``result.json``.

    Raises:
        OutputError: There is none, or it is damaged or of another schema.
    """
    path = place
    try:
        path = place / RESULT if place.is_dir() else place
        data = json.loads(path.read_bytes())
        if isinstance(data, dict) and data.get("schema") != 1:
            found = data.get("schema")
            raise OutputError("result-schema", f"{path} has schema {found!r}, this is schema 1", "update mlperf-mobile")
        return Result.model_validate(data)
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
        return Plan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise OutputError("no-result", f"cannot read {path}: {error.strerror}", "give a result folder") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        hint = "the file was changed by hand, or is of another version"
        raise OutputError("result-damaged", f"{path}: {where}: {first['msg']}", hint) from error
