"""What a runner without Python needs to run a model as this backend would: LiteRT's C interface."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from mlperf_mobile.contracts import NativeEngine, NativePlace, NativeRequest, TensorSpec
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_tflite import runtime
from mlperf_mobile_backend_tflite.loading import Loader
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_backend_tflite.runtime import LIBRARY, PACKAGE
from mlperf_mobile_backend_tflite.signatures import CACHE
from mlperf_mobile_tflite_model.in_place import updates_slices

ENGINE = "litert"


def engine(options: TFLiteOptions, request: NativeRequest) -> NativeEngine:
    """The engine for a model; its tensors are those that the interpreter of this machine reports.

    Raises:
        ModelError: The model is missing, damaged or rejected by the runtime, or leaves sizes open.
        BackendError: ``native-option``, ``native-library``; or this machine has no runtime.
    """
    _check(options, request)
    library = _library(options.library, request.place)
    here = runtime.load("litert")
    inputs, outputs, context = _tensors(options, request, here)
    in_place = {"in_place": updates_slices(request.model, CACHE)} if request.tokens else {}
    return NativeEngine(
        engine=ENGINE,
        library=library,
        options={"accelerator": "cpu", "threads": options.threads, **in_place},
        context=context,
        sessions=options.shards or max(1, request.place.cores // options.threads),
        inputs=inputs,
        outputs=outputs,
        runtime=str(here) if options.library is None else f"litert, {Path(options.library).name}",
        versions={here.name: here.version} if options.library is None else {},
    )


def _check(options: TFLiteOptions, request: NativeRequest) -> None:
    """Refuse what LiteRT's C interface does not do for the runner."""
    if options.runtime == "tflite-runtime":
        raise _refused("runtime", "tflite-runtime has no C interface", "leave it out, or use --runner python")
    if not options.xnnpack:
        raise _refused("xnnpack", "LiteRT's C interface always applies XNNPACK", "leave it out, or use --runner python")
    if options.profile:
        why = "the native runner does not use LiteRT's profiler"
        raise _refused("profile", why, "leave it out, or use --runner python")
    if request.accelerator != "cpu" or options.delegate:
        summary = "external delegates are loaded by the interpreter, which the native runner does not use"
        raise _refused("delegate", summary, "use --accelerator cpu, or --runner python")


def _refused(option: str, why: str, hint: str) -> BackendError:
    return BackendError("native-option", f"backend tflite, option {option}: {why}", hint)


def _library(named: str | None, place: NativePlace) -> Path | str:
    """The library that the option names, or that of the installed distribution."""
    if named is not None:
        if "/" not in named:
            return named
        path = Path(named)
        if not path.is_file():
            summary = f"there is no library {path}"
            raise BackendError("native-library", summary, f"set the option library to a {LIBRARY}")
        return path
    if not place.same:
        summary = f"the installed LiteRT does not run there: {place}"
        hint = f"--set library=PATH of a {LIBRARY} for it: from its wheel of ai-edge-litert, or for Android from LiteRT"
        raise BackendError("native-library", summary, hint)
    if (installed := runtime.installed_library()) is not None:
        return installed
    summary = (
        f"the installed ai-edge-litert has no {LIBRARY}" if find_spec(PACKAGE) else "ai-edge-litert is not installed"
    )
    raise BackendError("native-library", summary, f"{runtime.FIX}, or --set library=PATH")


def _tensors(
    options: TFLiteOptions, request: NativeRequest, here: runtime.Runtime
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...], int]:
    """Inputs, outputs, and the context of a language model."""
    loader = Loader(
        runtime=here,
        options=options,
        model=request.model,
        delegate=None,
        batch=request.batch,
        input_shapes=request.input_shapes,
    )
    if request.tokens:
        with loader.token_session() as language_model:
            return language_model.inputs, language_model.outputs, language_model.context
    with loader.session() as session:
        return session.inputs, session.outputs, 0
