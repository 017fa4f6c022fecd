"""Checks the files of a plan's model before anything opens them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlperf_mobile.errors import ModelError
from mlperf_mobile.plan import CompilePlan
from mlperf_mobile.resources.identity import digest_of_files
from mlperf_mobile.worker.used_files import UsedFiles


def check_model(plan: CompilePlan, files: UsedFiles) -> dict[str, Any]:
    """SHA-256 and size of the model's files, watched from now on; those that the plan knows must match.

    Returns:
        The part ``model`` of a result: ``sha256`` and ``bytes`` of all, and of each of several ``files``.

    Raises:
        ModelError: One cannot be read, or is not the expected one.
    """
    model = plan.model
    if not model.files:
        digest, size = _check_file(model.path, model.sha256, files)
        return {"sha256": digest, "bytes": size}
    each = {name: _check_file(file.path, file.sha256, files) for name, file in model.files.items()}
    digest = digest_of_files({name: found for name, (found, _) in each.items()})
    if model.sha256 not in (None, digest):
        reason = f"the files of {model.name} are not the expected ones: sha256 {digest}, expected {model.sha256}"
        raise ModelError("model-checksum", reason, "reinstall the package, or fetch the model again")
    parts = {name: {"sha256": found, "bytes": size} for name, (found, size) in each.items()}
    return {"sha256": digest, "bytes": sum(size for _, size in each.values()), "files": parts}


def _check_file(path: Path, expected: str | None, files: UsedFiles) -> tuple[str, int]:
    try:
        digest, size = files.model.file(path)
    except OSError as error:
        raise ModelError("model-missing", f"cannot read {path}: {error.strerror}", "check --model") from error
    if expected not in (None, digest):
        reason = f"{path} is not the expected file: sha256 {digest}, expected {expected}"
        raise ModelError("model-checksum", reason, "reinstall the package, or fetch the model again")
    return digest, size


def paths_of(plan: CompilePlan) -> dict[str, Path]:
    """The paths of a model's several files by name; empty for a model of one file."""
    return {name: file.path for name, file in plan.model.files.items()}
