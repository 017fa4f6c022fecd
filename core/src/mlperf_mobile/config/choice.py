"""Chooses the model file, the backend that runs it, and the backend's accelerators."""

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
    """The model file, and the backend that runs its format.

    Raises:
        UsageError: No model is named, or several backends can run it.
        ModelError: The file does not exist, or no backend runs any of the model's formats.
        BackendError: Something that the backend needs is missing.
    """
    if request.model_name is None:
        raise UsageError("no-model", "no model is named, and the task has no default", "give one with --model")
    if request.entry is None:
        model = _file(request)
        return model, _backend(request, (model.format,), model.path.name)
    offer = _backend(request, [form.format for form in request.entry.forms], request.model_name)
    return _known(request, request.entry.in_format(offer.info.model_formats)), offer


def accelerators(text: str | None, backend: BackendInfo, source: str) -> dict[str, int | None]:
    """Session counts by accelerator from ``"cpu:2,npu"``, None where no count is given; the backend's default for None.

    Raises:
        UsageError: An accelerator is unknown or named twice, or a count is not valid.
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
    """The model file at the path that the user gave."""
    setting = request.peek["model"]
    path = expand(Path(str(request.model_name)), setting.source)
    named = request.peek.get("model_format")
    _check_file(request, path)
    form = str(named.value) if named else path.suffix.lstrip(".").lower()
    return ModelRef(name=path.stem, path=path.resolve(), format=form)


def _known(request: ModelRequest, form: OtherForm) -> ModelRef:
    """One form of the model that the user named; it may have to be fetched first."""
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
        hint = did_you_mean(str(setting.value), request.catalogue.models) + "; or give the path of a model file"
        raise ModelError("model-missing", f"{setting.source}: model {setting.value} {what}", hint)


def _backend(request: ModelRequest, formats: Iterable[str], model: str) -> Offer[BackendInfo]:
    """The named backend, or the only one here that runs one of the formats."""
    formats, backends = list(formats), request.registry.backends
    if "backend" in request.peek:
        offer = request.pick("backend", backends)
        if not set(formats) & set(offer.info.model_formats):
            raise _wrong_format(offer.info, formats, model)
        return _usable(offer, {key.removeprefix("backend_options.") for key in request.peek})
    takers = [offer for offer in backends.values() if set(formats) & set(offer.info.model_formats)]
    usable = [offer for offer in takers if not needs.missing(offer.info.needs)]
    plain = [offer for offer in usable if offer.info.accelerators[0] == "cpu"]
    for candidates in (usable, plain):  # prefer the CPU among several
        if len(candidates) == 1:
            return candidates[0]
    if usable:
        names = ", ".join(offer.info.name for offer in usable)
        raise UsageError("no-backend", f"several backends can run {model}", f"choose with --backend: {names}")
    if takers:
        return _usable(min(takers, key=_distance))
    known = {f for offer in backends.values() for f in offer.info.model_formats}
    hint = near(formats[0], known, request.registry)
    raise ModelError("model-format", f"no backend runs {_formats(formats)} models ({model})", hint)


def _distance(offer: Offer[BackendInfo]) -> tuple[bool, bool]:
    """Sort key: backends that only need something from pip come first, then those that default to the CPU."""
    lacking = needs.missing(offer.info.needs)
    return not (lacking and lacking.modules), offer.info.accelerators[0] != "cpu"


def _wrong_format(backend: BackendInfo, formats: list[str], model: str) -> ModelError:
    supported = ", ".join(backend.model_formats)
    hint = "convert it, choose another --backend, or give its format with --set model_format=FORMAT"
    summary = f"backend {backend.name} runs {supported} models, not {_formats(formats)} ({model})"
    return ModelError("model-format", summary, hint)


def _formats(formats: list[str]) -> str:
    return " or ".join(repr(each) if each else "files without a suffix" for each in formats)


def _usable(offer: Offer[BackendInfo], given: Collection[str] = ()) -> Offer[BackendInfo]:
    """The offer, if everything it needs is installed or set in the options ``given``.

    Raises:
        BackendError: Something is missing; the message says what.
    """
    if lacking := needs.missing(offer.info.needs, given):
        raise BackendError("backend-unusable", f"backend {offer.info.name} needs {lacking.what}", lacking.fix)
    return offer
