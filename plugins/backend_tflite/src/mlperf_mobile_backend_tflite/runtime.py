"""Finds and loads the TensorFlow Lite runtime, LiteRT or tflite-runtime, and checks that it works."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mlperf_mobile.errors import BackendError, described
from mlperf_mobile_backend_tflite.probe_model import ADD

Array = npt.NDArray[np.generic]

KNOWN = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite-runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
}
"""Name, module and distribution of each runtime; the first that can be imported is the default."""

PACKAGE, LIBRARY = "ai_edge_litert", "libLiteRt.so"
"""The package whose wheel has LiteRT's library, and the library's name."""

_COMPILED = "ai_edge_litert.compiled_model"

FIX = "pip install 'mlperf-mobile-backend-tflite[litert]'"


class Interpreter(Protocol):
    """The part of both runtimes' ``Interpreter`` that this backend uses."""

    def allocate_tensors(self) -> object: ...
    def invoke(self) -> None: ...
    def set_tensor(self, tensor_index: int, value: Array) -> None: ...
    def tensor(self, tensor_index: int) -> Callable[[], Array]: ...
    def get_input_details(self) -> list[dict[str, Any]]: ...
    def get_output_details(self) -> list[dict[str, Any]]: ...
    def get_tensor_details(self) -> list[dict[str, Any]]: ...
    def resize_tensor_input(self, input_index: int, tensor_size: Sequence[int], strict: bool = False) -> None: ...
    def reset_all_variables(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """An imported runtime."""

    name: str
    version: str
    module: Any
    """The module with ``Interpreter``, ``OpResolverType`` and ``load_delegate``."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def compiles(self) -> bool:
        """Whether it has compiled models, whose calls can share buffers (LiteRT 2)."""
        return self.name == "litert" and find_spec(_COMPILED) is not None

    def interpreter(
        self,
        *,
        threads: int = 1,
        xnnpack: bool = True,
        delegates: Sequence[object] = (),
        keep_tensors: bool = False,
        **model: str | bytes,
    ) -> Interpreter:
        """An interpreter of ``model_path=`` or ``model_content=``, without allocated tensors.

        Delegates are applied immediately; ``allocate_tensors`` applies XNNPACK to the remaining operations. With
        ``keep_tensors``, all tensors can be read after a run.
        """
        kinds = self.module.OpResolverType
        interpreter: Interpreter = self.module.Interpreter(
            **model,
            num_threads=threads,
            experimental_op_resolver_type=kinds.BUILTIN if xnnpack else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_delegates=list(delegates) or None,
            experimental_preserve_all_tensors=keep_tensors,
        )
        return interpreter

    def delegate(self, library: str, options: Mapping[str, str]) -> object:
        """Create an external delegate.

        Raises:
            BackendError: ``delegate-failed``; quotes the loader or the delegate.
        """
        try:
            # Checked first: load_delegate causes an exception in __del__ if it cannot load a library.
            symbols = ctypes.CDLL(library)
            if not all(hasattr(symbols, f"tflite_plugin_{what}_delegate") for what in ("create", "destroy")):
                raise OSError(f"{library} is not a TensorFlow Lite delegate: it lacks tflite_plugin_create_delegate")
            return self.module.load_delegate(library, dict(options))
        except (OSError, ValueError, RuntimeError) as error:
            summary = f"delegate {library} cannot be loaded: {error}"
            hint = "check the delegate's path, its own libraries, its driver and delegate_options"
            raise BackendError("delegate-failed", summary, hint) from error


def installed_library() -> Path | None:
    """LiteRT's library with its C interface, as its wheel has it; None without it."""
    spec = find_spec(PACKAGE)
    for folder in spec.submodule_search_locations or () if spec else ():
        if (path := Path(folder, LIBRARY)).is_file():
            return path
    return None


def load(name: str | None = None) -> Runtime:
    """The runtime ``name``, or the first that can be imported.

    Raises:
        BackendError: ``no-runtime``; quotes the import's error.
    """
    reasons = []
    for candidate in [name] if name else KNOWN:
        module, distribution = KNOWN[candidate]
        try:
            return Runtime(candidate, _version(distribution), import_module(module))
        except Exception as error:  # noqa: BLE001  a compiled module may raise anything while it is imported
            reasons.append(f"{candidate}: {error}")
    required = f"the runtime {name}" if name else "a TensorFlow Lite runtime"
    fix = f"pip install {KNOWN[name][1]}" if name else FIX
    raise BackendError("no-runtime", f"{required} cannot be imported ({'; '.join(reasons)})", fix)


def check(runtime: Runtime) -> None:
    """Run ``1 + 1`` on the runtime.

    tflite-runtime 2.14 is compiled for numpy 1: with numpy 2 it can be imported, but fails here.

    Raises:
        BackendError: ``runtime-broken``.
    """
    try:
        interpreter = runtime.interpreter(model_content=ADD)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.ones((1, 4), np.float32))
        interpreter.invoke()
        result = interpreter.tensor(interpreter.get_output_details()[0]["index"])().tolist()
    except Exception as error:
        raise broken(runtime, error) from error
    if result != [[2.0] * 4]:
        raise broken(runtime, ArithmeticError(f"1 + 1 gave {result}"))


def broken(runtime: Runtime, error: Exception) -> BackendError:
    """The error of a runtime that does not work, with the cause if it is known."""
    if runtime.name == "tflite-runtime" and int(np.__version__.split(".")[0]) >= 2:
        reason = f"{runtime} is compiled for numpy 1 and does not work with numpy {np.__version__}"
        return BackendError("runtime-broken", reason, f"pip install 'numpy<2', or use LiteRT: {FIX}")
    reason = f"{runtime} does not work: {described(error)}"
    return BackendError("runtime-broken", reason, f"reinstall it: {FIX}")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:  # installed without metadata, as in some boards' images
        return "unknown"
