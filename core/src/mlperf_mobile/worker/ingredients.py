"""What a compiled model is made of, which is its key in the cache."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from mlperf_mobile.contracts import CompileRequest, Probe, Purpose
from mlperf_mobile.editable import code_digest, project_folder
from mlperf_mobile.installed import distributions, normalised
from mlperf_mobile.plan import CompilePlan
from mlperf_mobile.worker.option_content import content_options


def ingredients(
    plan: CompilePlan, sha256: str, distribution: str, probe: Probe, request: CompileRequest
) -> dict[str, Any]:
    """Everything that a compiled model depends on, as plain JSON data.

    Args:
        plan: The plan, with the backend's options.
        sha256: The model file's SHA-256.
        distribution: The distribution of the backend.
        probe: What the backend reports about this device.
        request: What is compiled; a backend that compiles alike for all purposes has none in it.
    """
    versions = _versions(distribution)
    found: dict[str, Any] = {
        "model": sha256,
        "format": plan.model.format,
        "backend": plan.backend,
        "plugin": versions,
        "sdk": {str(name): str(value) for name, value in probe.versions.items()},
        "devices": [[d.name, d.version, dict(d.facts)] for d in probe.devices if d.accelerator == request.accelerator],
        "options": content_options(plan.backend_options),
        "accelerator": request.accelerator,
        "batch": request.batch,
    }
    if request.input_shapes:
        found["input_shapes"] = {name: list(shape) for name, shape in request.input_shapes.items()}
    if request.purpose != Purpose():
        found["purpose"] = asdict(request.purpose)
    if request.tokens:
        found["tokens"] = True
    if code := _edited_code(versions):
        found["code"] = code
    return found


def _versions(distribution: str) -> dict[str, str]:
    """The versions of a plugin's distribution and of the shared libraries that it requires."""
    installed = {each.key: each for each in distributions()}
    found: dict[str, str] = {}
    pending = [distribution]
    while pending:
        name = pending.pop()
        if each := installed.get(normalised(name)):
            found[name] = each.version
            pending += [key for key in each.requires if key.startswith("mlperf-mobile") and key not in found]
        else:
            found[name] = "?"
    return found


def _edited_code(names: Iterable[str]) -> dict[str, str]:
    """The digests of the code of those distributions that are installed editable, by name."""
    by_key = {normalised(name): name for name in names}
    found = {}
    for each in distributions():
        if each.key in by_key and (folder := project_folder(each)):
            found[by_key[each.key]] = code_digest(folder)
    return found
