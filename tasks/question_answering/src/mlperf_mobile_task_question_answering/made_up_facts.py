"""The quickstart's questions, which are packaged."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_question_answering.options import WindowOptions
from mlperf_mobile_task_question_answering.squad import DEFAULT_VOCABULARY, Squad

ANNOTATIONS = "made_up_facts.json"
SHA256 = {
    ANNOTATIONS: "adbbe1cee65c92f4625fd12008b94b8a5e34cd27bab290b5db2014de2b463e39",
    DEFAULT_VOCABULARY: "27960082da5468f477bbd776fa59298d3cb72ad15a847c30ae6fed926d0dba9f",
}
"""Digests of the two files that ``quickstart/train.py`` writes."""
WINDOWS = WindowOptions(max_seq_length=128, doc_stride=48, max_query_length=24)
"""Windows of the quickstart's models."""


class MadeUpFacts(Squad):
    """200 questions about 100 passages of made-up people, things and towns; one passage in five needs several windows.

    Args:
        path: A folder with two files of these names; by default the packaged ones, checked by sha256.
        options: None.
    """

    def __init__(self, path: Path | None, options: None) -> None:
        folder = path or Path(str(files("mlperf_mobile_task_question_answering").joinpath("quickstart")))
        if not folder.is_dir():
            raise DataError("data-missing", f"{folder} is not a folder", "check --data-path")
        for name, expected in SHA256.items() if path is None else ():
            if _sha256(folder / name) != expected:
                reason = f"{folder / name} differs from the packaged file (sha256)"
                raise DataError("data-damaged", reason, "reinstall the package")
        self._open(folder / ANNOTATIONS, folder / DEFAULT_VOCABULARY, WINDOWS)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError("data-missing", f"cannot read {path}: {error.strerror}", "reinstall the package") from error
