"""The packaged files of the quickstart, checked by their digests."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from mlperf_mobile.errors import DataError

FOLDER = "quickstart"
SHA256 = {
    "questions.jsonl": "6e03ef93a3ffcf905d10fedb70bfd7b928d6e6453b1bb6cd8333bca6588989f6",
    "requests.jsonl": "d50d53350d377a1d3c1b29364c9361f585d52c25412a2982b15eaaae968cf68b",
}
"""Digests of what ``quickstart/train.py`` writes."""


def packaged(name: str, path: Path | None) -> Path:
    """A packaged data file, or one of the same name elsewhere, which is not checked.

    Raises:
        DataError: It is missing, or the packaged one has changed.
    """
    if path is not None:
        return path / name if path.is_dir() else path
    file = Path(str(files("mlperf_mobile_task_language_model").joinpath(FOLDER, name)))
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError("data-missing", f"cannot read {file}: {error.strerror}", "reinstall the package") from error
    if digest != SHA256[name]:
        raise DataError("data-damaged", f"{file} differs from the packaged file (sha256)", "reinstall the package")
    return file
