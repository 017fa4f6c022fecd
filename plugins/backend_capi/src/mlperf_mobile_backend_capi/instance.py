"""One instance of a library, created with a model; one at a time, as in the app."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from ctypes import byref
from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_capi.abi import DTYPES, PREFIX, Configuration, Data
from mlperf_mobile_backend_capi.library import Library
from mlperf_mobile_backend_capi.settings import Choice

MAX_TENSORS = 256
MAX_BYTES = 1 << 31
"""Maximum size of one tensor of one sample."""

_guard = threading.Lock()
_busy: set[str] = set()
"""Libraries that have an instance."""


class Instance:
    """A model loaded by a vendor's library.

    Args:
        library: The library; it must have no other instance.
        model: The model file, read by the library only.
        choice: The configuration to create it with.
        native_lib_path: The folder of the vendor's other libraries.
        vectors: Whether tensors are vectors, whose sizes are maxima or 0, as those of language models.

    Raises:
        ModelError: ``model-refused``: the library creates no instance.
        BackendError: ``capi-busy``, or ``capi-tensor``: the library reports impossible tensors.
    """

    def __init__(
        self, library: Library, model: Path, choice: Choice, native_lib_path: str, *, vectors: bool = False
    ) -> None:
        self._least = 0 if vectors else 1
        self.library, self.model = library, model.name
        self._key = os.path.realpath(library.path)
        with _guard:
            if self._key in _busy:
                summary = f"{library.name} has a model loaded, and these libraries hold one at a time"
                raise BackendError("capi-busy", summary, "close the other session first")
            _busy.add(self._key)
        self._configuration = _configuration(choice)  # the library may keep pointers into it
        self.pointer: int | None = None
        try:
            function = library.functions["create"]
            self.pointer = function(os.fsencode(model), byref(self._configuration), native_lib_path.encode())
            if not self.pointer:
                summary = f"{library.name} rejects {model} (delegate {choice.delegate or 'none'})"
                hint = "see its log on stderr or in logcat; check model, delegate and settings"
                raise ModelError("model-refused", summary, hint)
            self.inputs, self.outputs = self._tensors("input"), self._tensors("output")
            self.names = {name: self._name(name) for name in ("vendor_name", "name", "accelerator_name")}
        except BaseException:
            self.close()
            raise

    def failed(self, name: str, status: int) -> BackendError:
        """The error of a function that returned ``status``."""
        summary = f"{self.library.name}: {PREFIX}{name} failed with status {status} ({self.model})"
        return BackendError("capi-failed", summary, "see its log on stderr or in logcat")

    def function(self, name: str) -> Callable[..., Any]:
        """A function of the library, to call with :attr:`pointer`."""
        return self.library.functions[name]

    def close(self) -> None:
        """Delete the instance; further calls do nothing."""
        pointer, self.pointer = self.pointer, None
        try:
            if pointer:
                self.library.functions["delete"](pointer)
        finally:
            with _guard:
                _busy.discard(self._key)

    def _tensors(self, kind: str) -> list[tuple[np.dtype[np.generic], int]]:
        """Type and number of elements of each input or output of one sample."""
        count = self.library.functions[f"get_{kind}_count"](self.pointer)
        if not 1 <= count <= MAX_TENSORS:
            raise self._wrong(f"get_{kind}_count", f"{count} {kind}s")
        return [self._tensor(kind, i) for i in range(count)]

    def _tensor(self, kind: str, i: int) -> tuple[np.dtype[np.generic], int]:
        data: Data = self.library.functions[f"get_{kind}_type"](self.pointer, i)
        if not 0 <= data.type < len(DTYPES):
            raise self._wrong(f"get_{kind}_type", f"the type {data.type} for {kind} {i}")
        dtype = DTYPES[data.type]
        if not self._least <= data.size <= MAX_BYTES // dtype.itemsize:
            raise self._wrong(f"get_{kind}_type", f"{data.size} elements for {kind} {i}")
        return dtype, int(data.size)

    def _wrong(self, name: str, answer: str) -> BackendError:
        summary = f"{self.library.name}: {PREFIX}{name} reports {answer}, which is impossible ({self.model})"
        return BackendError("capi-tensor", summary, "check the model, or report it to the library's vendor")

    def _name(self, name: str) -> str:
        return self.library.text(self.library.functions[name](self.pointer)) or "unknown"


def _configuration(choice: Choice) -> Configuration:
    """Strings that are not set are empty: libraries compare them without a check for NULL."""
    keys = (ctypes.c_char_p * len(Configuration().keys))(*[key.encode() for key, _ in choice.pairs])
    values = (ctypes.c_char_p * len(Configuration().values))(*[value.encode() for _, value in choice.pairs])
    return Configuration(
        choice.delegate.encode(),
        choice.accelerator.encode(),
        choice.description.encode(),
        choice.batch,
        len(choice.pairs),
        keys,
        values,
    )
