"""Chooses the model file, the backend that runs it, and the backend's accelerators."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from mlperf_mobile import needs
from mlperf_mobile.config.benchmark_request import ModelRequest
from mlperf_mobile.config.catalogue import OtherForm
from mlperf_mobile.config.model_folder import has_format, main_of
from mlperf_mobile.config.places import Place
from mlperf_mobile.errors import BackendError, ModelError, UsageError, did_you_mean
from mlperf_mobile.picking import near
from mlperf_mobile.plan import ModelFileRef, ModelRef
from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.registry import Offer
from mlperf_mobile.resources.identity import digest_of_files
from mlperf_mobile.user_paths import expand, kind_of

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
        model = _file(request) if request.folder is None else _folder(request, request.folder)
        return model, backend_of(request, (model.format,), model.path.name)
    offer = backend_of(request, [form.format for form in request.entry.forms], request.model_name)
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
    whole = {f for each in request.registry.backends.values() for f in each.info.model_formats} & {path.name.lower()}
    form = str(named.value) if named else next(iter(whole), path.suffix.lstrip(".").lower())
    return ModelRef(name=path.stem, path=path.resolve(), format=form)


def _folder(request: ModelRequest, folder: Path) -> ModelRef:
    """The model in the folder that the user gave."""
    source = request.peek["model"].source
    named, backends = request.peek.get("model_format"), request.registry.backends
    offer = backends.get(str(request.peek["backend"].value)) if "backend" in request.peek else None
    formats = {f for each in ([offer] if offer else backends.values()) for f in each.info.model_formats}
    plain = {f for each in backends.values() for f in each.info.model_formats if each.info.accelerators[0] == "cpu"}
    if any(has_format(name, form) for form in formats & plain for name in request.files):
        formats &= plain  # the CPU is preferred among several backends
    main, form = main_of(request.files, {str(named.value)} if named else formats, folder, source)
    return _of_files(ModelRef(name=folder.name, path=request.files[main], format=form), request.files, {})


def _of_files(ref: ModelRef, files: Mapping[str, Path], known: Mapping[str, str | None]) -> ModelRef:
    """The model with all its files, and their SHA-256 if they are known; one file alone is a model of one file."""
    if len(files) == 1:
        return ref
    parts = {name: ModelFileRef(path=path, sha256=known.get(name)) for name, path in files.items()}
    digests = {name: part.sha256 for name, part in parts.items() if part.sha256}
    whole = digest_of_files(digests) if len(digests) == len(parts) else None
    return ref.model_copy(update={"files": parts, "sha256": whole})


def _known(request: ModelRequest, form: OtherForm) -> ModelRef:
    """One form of the model that the user named; it may have to be fetched first."""
    found = {name: _placed(request, place) for name, place in form.places.items()}
    path, sha256 = next(iter(found.values()))
    ref = ModelRef(name=str(request.model_name), path=path, format=form.format, sha256=sha256)
    paths = {name: place for name, (place, _) in found.items()}
    return _of_files(ref, paths, {name: known for name, (_, known) in found.items()})


def _placed(request: ModelRequest, place: Place) -> tuple[Path, str | None]:
    """The path of one of the model's files, and its SHA-256 if it is known."""
    request.finder.need(place)
    path, resource, cache = request.finder.path(place), place.resource, request.finder.cache
    sha256 = place.sha256 or (cache.sha256(resource) if resource else None)
    if resource and not cache.has(resource):
        return path, sha256
    _check_file(request, path)
    return path.resolve(), sha256


def _check_file(request: ModelRequest, path: Path) -> None:
    if (there := kind_of(path)) != "file":
        setting, what = request.peek["model"], "is a folder" if there else "does not exist"
        if request.entry:
            summary = f"{setting.source}: model {setting.value}: {path} {what}"
            raise ModelError("model-missing", summary, "reinstall the package, or fetch the model again")
        models, hint = request.catalogue.models, "give the path of a model file"
        hint = f"{did_you_mean(str(setting.value), models)}; or {hint}" if models else hint
        raise ModelError("model-missing", f"{setting.source}: model {setting.value} {what}", hint)


def backend_of(request: ModelRequest, formats: Iterable[str], model: str) -> Offer[BackendInfo]:
    """The named backend, or the only one here that runs one of the formats.

    Args:
        request: The requested model.
        formats: The formats that it has.
        model: Its name, for errors.

    Raises:
        UsageError: Several backends can run it.
        ModelError: No backend runs any of the formats.
        BackendError: Something that the backend needs is missing.
    """
    formats, backends = list(formats), request.registry.backends
    if "backend" in request.peek:
        offer = request.pick("backend", backends)
        if not set(formats) & set(offer.info.model_formats):
            raise _wrong_format(offer.info, formats, model)
        given = {key.removeprefix("backend_options.") for key in request.peek}
        return _usable(offer, given) if request.placed.is_here else offer
    takers = [offer for offer in backends.values() if set(formats) & set(offer.info.model_formats)]
    here = request.placed.is_here
    usable = [offer for offer in takers if not here or not needs.missing(offer.info.needs)]
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
    hint = _left_out(request) or near(formats[0], known, request.registry)
    raise ModelError("model-format", f"no backend runs {_formats(formats)} models ({model})", hint)


def _left_out(request: ModelRequest) -> str:
    """The backends that are left out, any of which might run the format; empty if none is."""
    problems = [each for each in request.registry.problems if each.offer and each.offer[0] == "backend"]
    return "; ".join(
        f"backend {each.offer[1]} is left out: {each.reason}; {each.fix}" for each in problems if each.offer
    )


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
