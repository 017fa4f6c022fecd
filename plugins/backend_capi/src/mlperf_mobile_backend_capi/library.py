"""A vendor's library: loads it, finds its functions, and checks whether it supports this device."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import byref, c_size_t, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_capi.abi import OPTIONAL, PREFIX, REQUIRED, DeviceInfo
from mlperf_mobile_native_libraries.loading import load

MAX_SETTINGS = 1 << 20
"""Maximum size of settings in bytes; the largest in mobile_app_open has about 40,000."""

MAX_NAME = 4096


@dataclass(frozen=True, slots=True)
class Match:
    """A library's answer to ``matches_hardware``, with its four cases."""

    matched: bool
    message: str | None
    """The vendor's message; with ``matched``, the device is known but not supported."""
    settings: str | None


class Library:
    """The functions of a library; ``functions["issue_query"]`` is ``mlperf_backend_issue_query``.

    Args:
        path: The shared library.

    Raises:
        BackendError: ``capi-library``, ``capi-architecture`` or ``capi-symbol``.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        try:
            loaded = load(str(path.absolute()), "the vendor's library", "check the option library")
        except BackendError as error:
            code = "capi-architecture" if error.code == "library-architecture" else "capi-library"
            raise BackendError(code, error.summary, error.hint) from error
        self.functions: dict[str, Callable[..., Any]] = {}
        for name, signature in (REQUIRED | OPTIONAL).items():
            try:
                function = loaded[PREFIX + name]
            except AttributeError as error:
                if name in OPTIONAL:
                    continue
                summary = f"{path} has no function {PREFIX}{name}"
                hint = "it is not a complete backend library; check the option library"
                raise BackendError("capi-symbol", summary, hint) from error
            function.restype, function.argtypes = signature.result, signature.arguments
            self.functions[name] = function

    @property
    def has_buffers(self) -> bool:
        """Whether the library has both functions to allocate memory for samples."""
        return {"get_buffer", "release_buffer"} <= self.functions.keys()

    def matches(self, model: str, manufacturer: str, native_lib_path: str) -> Match:
        """Check whether the library supports this device.

        Raises:
            BackendError: ``capi-settings``: the settings are too long or not UTF-8.
        """
        message, settings = c_void_p(), c_void_p()
        device = DeviceInfo(model.encode(), manufacturer.encode(), native_lib_path.encode())
        matched = bool(self.functions["matches_hardware"](byref(message), byref(settings), byref(device)))
        text = self.text(message.value)
        if not matched or text is not None:
            return Match(matched, text, None)
        return Match(matched, None, self._settings(settings.value))

    def text(self, address: int | None) -> str | None:
        """A name or message on one line, with invalid bytes replaced; None for NULL."""
        if not address:
            return None
        return " ".join(_bytes(address, MAX_NAME).decode(errors="replace").split())

    def _settings(self, address: int | None) -> str | None:
        if not address:
            return None
        data = _bytes(address, MAX_SETTINGS + 1)
        hint = "report it to the library's vendor, or set the option settings to a file"
        if len(data) > MAX_SETTINGS:
            summary = f"the settings of {self.name} do not end within {MAX_SETTINGS} bytes"
            raise BackendError("capi-settings", summary, hint)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise BackendError("capi-settings", f"the settings of {self.name} are not UTF-8", hint) from error


def _bytes(address: int, limit: int) -> bytes:
    """A C string, or its first ``limit`` bytes; reads nothing beyond its end."""
    strnlen = ctypes.CDLL(None).strnlen
    strnlen.restype, strnlen.argtypes = c_size_t, (c_void_p, c_size_t)
    return ctypes.string_at(address, strnlen(address, limit))
