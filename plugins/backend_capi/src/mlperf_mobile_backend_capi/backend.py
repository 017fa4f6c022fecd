"""The backend ``capi``: a vendor's library for the MLPerf Mobile app, unmodified."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlperf_mobile.contracts import (
    Artifact,
    Backend,
    BatchSession,
    CompileRequest,
    NativeBackend,
    NativeEngine,
    NativeRequest,
    Probe,
    ReportingSession,
    TokenSession,
)
from mlperf_mobile.errors import BackendError, MobileError, ModelError, UsageError, described
from mlperf_mobile_backend_capi import device, native, shapes
from mlperf_mobile_backend_capi.accelerators import ACCELERATORS, kinds
from mlperf_mobile_backend_capi.generating import CTokenSession, context_of
from mlperf_mobile_backend_capi.instance import Instance
from mlperf_mobile_backend_capi.library import MAX_SETTINGS, Library
from mlperf_mobile_backend_capi.options import COptions
from mlperf_mobile_backend_capi.session import CBatchSession, CSession
from mlperf_mobile_backend_capi.settings import Choice, Settings, configure, read


class CBackend:
    """Runs models in a shared library with the ``mlperf_backend_*`` functions.

    Args:
        options: See :class:`COptions`.
    """

    def __init__(self, options: COptions) -> None:
        self._options = options

    @property
    def shards(self) -> int:
        """One: these libraries hold one model at a time, and split a batch themselves."""
        return 1

    def probe(self) -> Probe:
        """Load the library and check that it supports this device; never raises."""
        versions, runtime = {}, ""
        try:
            library = self._library
            versions, runtime = {library.name: _fingerprint(library.path)}, library.name
            accelerators = self._accelerators(self._settings)
        except MobileError as error:
            return Probe(usable=False, versions=versions, runtime=runtime, reason=error.summary, fix=error.hint)
        except Exception as error:  # noqa: BLE001  a probe never raises
            reason, fix = described(error), "report it to the library's vendor"
            return Probe(usable=False, versions=versions, runtime=runtime, reason=reason, fix=fix)
        return Probe(usable=True, accelerators=accelerators, versions=versions, runtime=runtime)

    def compile(self, request: CompileRequest) -> Artifact:
        """Select the settings for the library; it compiles the model when it loads it.

        Raises:
            BackendError: The library or its settings do not support the request.
        """
        choice = self._choice(request.accelerator, request.batch)
        facts = {
            "library": self._library.name,
            "framework": choice.framework,
            "delegate": choice.delegate,
            "accelerator": choice.accelerator,
            "accelerator_description": choice.description,
            "settings": [list(pair) for pair in choice.pairs],
            "settings_batch": choice.settings_batch,
        }
        return Artifact(request.model, request.accelerator, request.batch, facts, request.input_shapes, request.tokens)

    def load(self, artifact: Artifact) -> CSession | CBatchSession | CTokenSession:
        """Create the library's instance; a :class:`CTokenSession` for ``tokens``, a batch session for ``batch > 1``.

        Raises:
            ModelError: The file is missing, or the library rejects it.
            BackendError: The library, its settings or the accelerator do not match, or a model is already loaded.
        """
        if artifact.batch < 1:
            raise BackendError("batch-size", f"the batch size is {artifact.batch}", "use batch 1 or more")
        if not artifact.path.exists():
            raise ModelError("model-missing", f"{artifact.path} does not exist", "check the path of the model")
        options, library = self._options, self._library
        choice = self._choice(artifact.accelerator, artifact.batch)
        if artifact.tokens:
            return self._load_tokens(artifact, choice)
        inputs, outputs = shapes.of_model(artifact.path, None if options.inputs else artifact.input_shapes)
        instance = Instance(library, artifact.path, choice, self._native_lib_path)
        try:
            ins = shapes.specs("input", instance.inputs, options.inputs, inputs, artifact.path.name)
            outs = shapes.specs("output", instance.outputs, options.outputs, outputs, artifact.path.name)
        except BaseException:
            instance.close()
            raise
        return (CSession if artifact.batch == 1 else CBatchSession)(
            instance,
            ins,
            outs,
            batch=artifact.batch,
            library_buffers=options.library_buffers,
            convert_outputs=options.convert_outputs,
        )

    def _load_tokens(self, artifact: Artifact, choice: Choice) -> CTokenSession:
        """A language model, whose prompts are generated from one at a time."""
        if artifact.batch > 1:
            raise BackendError("batch-size", "a language model takes one prompt per query", "use batch 1")
        instance = Instance(self._library, artifact.path, choice, self._native_lib_path, vectors=True)
        try:
            return CTokenSession(instance, context_of(instance, self._options.context))
        except BaseException:
            instance.close()
            raise

    def native(self, request: NativeRequest) -> NativeEngine:
        """See :meth:`mlperf_mobile.contracts.NativeBackend.native`; a library of this machine is asked for tensors."""
        path = native.check(self._options, request)
        settings = self._options.settings
        there = self._settings_file(settings) if settings is not None and not request.place.same else None
        choice, context = self._choice(request.accelerator, request.batch, there), 0
        if request.place.same:
            with self.load(
                Artifact(
                    request.model, request.accelerator, request.batch, {}, request.input_shapes, request.tokens,
                    request.files,
                )
            ) as one:  # fmt: skip
                tensors = one.inputs, one.outputs
                context = one.context if isinstance(one, CTokenSession) else 0
        elif request.tokens:
            context, tensors = native.described_tokens(self._options)
        else:
            tensors = native.described(self._options, request)
        return native.engine(self._options, request, choice, tensors, _fingerprint(path), context)

    @cached_property
    def _library(self) -> Library:
        if self._options.library is None:
            fix = "set it to the vendor's .so file: --set library=PATH"
            raise BackendError("capi-library", "the option library is not set", fix)
        return Library(self._options.library)

    @property
    def _native_lib_path(self) -> str:
        return str(self._options.native_lib_path or self._library.path.resolve().parent)

    @cached_property
    def _settings(self) -> Settings:
        """The settings for this device, from the library or from the file in the option ``settings``.

        Raises:
            BackendError: ``capi-device``: the library does not support this device; quotes the vendor's message.
        """
        options, library = self._options, self._library
        model = device.model() if options.device_model is None else options.device_model
        maker = device.manufacturer() if options.device_manufacturer is None else options.device_manufacturer
        match = library.matches(model, maker, self._native_lib_path)
        detail = f": {match.message}" if match.message else ""
        if match.matched and match.message is not None:
            summary = f"{library.name} recognises this device but does not support it{detail}"
            raise BackendError("capi-device", summary, "this is the vendor's decision; use another backend")
        if not match.matched:
            name = f"{maker or 'unknown maker'} {model or 'unknown model'}"
            summary = f"{library.name} is not for this device ({name}){detail}"
            hint = "use another vendor's library; device_model and device_manufacturer override the names passed to it"
            raise BackendError("capi-device", summary, hint)
        if options.settings is None:
            return read(match.settings or "", library.name)
        return self._settings_file(options.settings)

    @staticmethod
    def _settings_file(path: Path) -> Settings:
        return read(_file(path), str(path))

    def _choice(self, accelerator: str, batch: int, settings: Settings | None = None) -> Choice:
        """The configuration; ``settings`` replaces those for this machine."""
        if accelerator not in ACCELERATORS:
            known = ", ".join(ACCELERATORS)
            raise BackendError("no-accelerator", f"backend capi has no accelerator {accelerator!r}", known)
        options = self._options
        return configure(
            settings or self._settings,
            accelerator=accelerator,
            batch=batch,
            benchmark=options.benchmark,
            delegate=options.delegate,
            accelerator_name=options.accelerator_name,
            own=options.custom_settings,
        )

    def _accelerators(self, settings: Settings) -> tuple[str, ...]:
        """The accelerators in the settings, the default first; all if the settings name none."""
        name = self._options.benchmark
        benchmarks = settings.benchmarks if name is None else (settings.benchmark(name),)
        texts = [
            delegate.accelerator
            for benchmark in benchmarks
            for delegate in sorted(benchmark.delegates, key=lambda one: one.name != benchmark.selected)
        ]
        found = dict.fromkeys(kind for text in texts for kind in kinds(text))
        return tuple(found) or ACCELERATORS


def _fingerprint(path: Path) -> str:
    """Identifies a build of a library, which has no version."""
    with path.open("rb") as file:
        return f"sha256 {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"


def _file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SETTINGS + 1)
        if len(data) > MAX_SETTINGS:
            summary = f"{path} has more than {MAX_SETTINGS} bytes"
            raise UsageError("capi-settings", summary, "check the option settings: this is not a settings file")
        return data.decode()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError("capi-settings", f"cannot read {path}: {reason}", "check the option settings") from error


if TYPE_CHECKING:  # the type checker holds the classes to the contracts here
    _backend: type[Backend] = CBackend
    _native: type[NativeBackend] = CBackend
    _batch: type[BatchSession] = CBatchSession
    _reporting: type[ReportingSession] = CSession
    _tokens: type[TokenSession] = CTokenSession
