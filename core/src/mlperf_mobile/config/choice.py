"""Chooses which file of a model runs, on which backend, and on which of its accelerators."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from mlperf_mobile import needs
from mlperf_mobile.config.benchmark_request import ModelRequest, expand, kind_of
from mlperf_mobile.config.catalogue import OtherForm
from mlperf_mobile.errors import BackendError, ModelError, UsageError, did_you_mean
from mlperf_mobile.picking import near
from mlperf_mobile.plan import ModelRef
from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.registry import Offer

MAX_SESSIONS = 256


def choose(request: ModelRequest) -> tuple[ModelRef, Offer[BackendInfo]]:
    """The model's file, and the backend that takes its format.

    Raises:
        UsageError: No model is named, or several backends would do.
        ModelError: The file is not there, or no backend takes any of the model's formats.
        BackendError: The backend lacks something that it needs.
    """
    if request.model_name is None:
        raise UsageError("no-model", "no model is named, and the task has no default", "give one with --model")
    if request.entry is None:
        model = _file(request)
        return model, _backend(request, (model.format,), model.path.name)
    offer = _backend(request, [form.format for form in request.entry.forms], request.model_name)
    return _known(request, request.entry.in_format(offer.info.model_formats)), offer


def accelerators(text: str | None, backend: BackendInfo, source: str) -> dict[str, int | None]:
    """``"cpu:2,npu"`` as the number of sessions on each, None where it is not given; the backend's default for None.

    Raises:
        UsageError: One is unknown or named twice, or a number is not a session count.
    """
    found: dict[str, int | None] = {}
    for part in (text or backend.accelerators[0]).split(","):
        name, colon, count = part.strip().partition(":")
        if name not in backend.accelerators:
            hint = did_you_mean(name, backend.accelerators)
            raise UsageError("unknown-accelerator", f"{source}: backend {backend.name} has no {name!r}", hint)
        if name in found:
            raise UsageError("bad-value", f"{source}: {name} is named twice", f"write {name}:2 for two sessions")
        if colon and not (count.isascii() and count.isdigit() and 1 <= int(count) <= MAX_SESSIONS):
            hint = f"write {name}:N, with N from 1 to {MAX_SESSIONS}"
            raise UsageError("bad-value", f"{source}: {count!r} is not a session count", hint)
        found[name] = int(count) if colon else None
    return found


def _file(request: ModelRequest) -> ModelRef:
    """The model that the user names by its path."""
    setting = request.peek["model"]
    path = expand(Path(str(request.model_name)), setting.source)
    named = request.peek.get("model_format")
    _check_file(request, path)
    form = str(named.value) if named else path.suffix.lstrip(".").lower()
    return ModelRef(name=path.stem, path=path.resolve(), format=form)


def _known(request: ModelRequest, form: OtherForm) -> ModelRef:
    """A form of the model that the user names by its name; it may have to be fetched first."""
    request.finder.need(form)
    path, resource, cache = request.finder.path(form), form.resource, request.finder.cache
    sha256 = form.sha256 or (cache.sha256(resource) if resource else None)
    ref = ModelRef(name=str(request.model_name), path=path, format=form.format, sha256=sha256)
    if resource and not cache.has(resource):
        return ref
    _check_file(request, path)
    return ref.model_copy(update={"path": path.resolve()})


def _check_file(request: ModelRequest, path: Path) -> None:
    if (there := kind_of(path)) != "file":
        setting, what = request.peek["model"], "is a folder" if there else "does not exist"
        hint = did_you_mean(str(setting.value), request.catalogue.models) + " Or give the path of a model file"
        raise ModelError("model-missing", f"{setting.source}: model {setting.value} {what}", hint)


def _backend(request: ModelRequest, formats: Iterable[str], model: str) -> Offer[BackendInfo]:
    """The backend that is named, or the one that takes one of the formats here."""
    formats, backends = list(formats), request.registry.backends
    if "backend" in request.peek:
        offer = request.pick("backend", backends)
        if not set(formats) & set(offer.info.model_formats):
            raise _wrong_format(offer.info, formats, model)
        return _usable(offer, {key.removeprefix("backend_options.") for key in request.peek})
    takers = [offer for offer in backends.values() if set(formats) & set(offer.info.model_formats)]
    usable = [offer for offer in takers if not needs.missing(offer.info.needs)]
    plain = [offer for offer in usable if offer.info.accelerators[0] == "cpu"]
    for candidates in (usable, plain):  # of several, the one that asks for no accelerator
        if len(candidates) == 1:
            return candidates[0]
    if usable:
        names = ", ".join(offer.info.name for offer in usable)
        raise UsageError("no-backend", f"several backends can run {model}", f"choose with --backend: {names}")
    if takers:
        return _usable(min(takers, key=_distance))
    known = {f for offer in backends.values() for f in offer.info.model_formats}
    hint = near(formats[0], known, request.registry)
    raise ModelError("model-format", f"no backend takes {_formats(formats)} models ({model})", hint)


def _distance(offer: Offer[BackendInfo]) -> tuple[bool, bool]:
    """How far a backend that lacks something is from use: what pip installs is near, and so is the CPU."""
    lacking = needs.missing(offer.info.needs)
    return not (lacking and lacking.modules), offer.info.accelerators[0] != "cpu"


def _wrong_format(backend: BackendInfo, formats: list[str], model: str) -> ModelError:
    takes = ", ".join(backend.model_formats)
    hint = "convert it, choose another --backend, or say what it is with --set model_format=FORMAT"
    summary = f"backend {backend.name} takes {takes} models, not {_formats(formats)} ({model})"
    return ModelError("model-format", summary, hint)


def _formats(formats: list[str]) -> str:
    return " or ".join(repr(each) if each else "files without a suffix" for each in formats)


def _usable(offer: Offer[BackendInfo], given: Collection[str] = ()) -> Offer[BackendInfo]:
    """The offer, which has all that it needs, here or in the options ``given``.

    Raises:
        BackendError: It has not; says what is missing.
    """
    if lacking := needs.missing(offer.info.needs, given):
        raise BackendError("backend-unusable", f"backend {offer.info.name} needs {lacking.what}", lacking.fix)
    return offer
