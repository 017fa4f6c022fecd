"""A vendor's library in this process: loaded, its functions found, and asked whether it knows this device."""

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
"""Bytes of a settings text; the largest of mobile_app_open's has 40 thousand."""

MAX_NAME = 4096


@dataclass(frozen=True, slots=True)
class Match:
    """A library's answer to ``matches_hardware``, with its four cases."""

    matched: bool
    message: str | None
    """The vendor's text for the user; one with ``matched`` says that the device is known and not supported."""
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
                hint = "it is no backend library, or one that lacks parts"
                raise BackendError("capi-symbol", summary, hint) from error
            function.restype, function.argtypes = signature.result, signature.arguments
            self.functions[name] = function

    @property
    def has_buffers(self) -> bool:
        """Whether samples can be put into memory that the library allocates; that takes both functions."""
        return {"get_buffer", "release_buffer"} <= self.functions.keys()

    def matches(self, model: str, manufacturer: str, native_lib_path: str) -> Match:
        """Ask the library whether it knows this device.

        Raises:
            BackendError: ``capi-settings``: the settings are too long or no UTF-8.
        """
        message, settings = c_void_p(), c_void_p()
        device = DeviceInfo(model.encode(), manufacturer.encode(), native_lib_path.encode())
        matched = bool(self.functions["matches_hardware"](byref(message), byref(settings), byref(device)))
        text = self.text(message.value)
        if not matched or text is not None:
            return Match(matched, text, None)
        return Match(matched, None, self._settings(settings.value))

    def text(self, address: int | None) -> str | None:
        """A name or message, readable whatever its bytes are, on one line; None for NULL."""
        if not address:
            return None
        return " ".join(_bytes(address, MAX_NAME).decode(errors="replace").split())

    def _settings(self, address: int | None) -> str | None:
        if not address:
            return None
        data = _bytes(address, MAX_SETTINGS + 1)
        hint = "tell the library's vendor, or give a file with the option settings"
        if len(data) > MAX_SETTINGS:
            summary = f"the settings of {self.name} do not end within {MAX_SETTINGS} bytes"
            raise BackendError("capi-settings", summary, hint)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise BackendError("capi-settings", f"the settings of {self.name} are not UTF-8", hint) from error


def _bytes(address: int, limit: int) -> bytes:
    """A C string, or its first ``limit`` bytes; nothing behind its end is read."""
    strnlen = ctypes.CDLL(None).strnlen
    strnlen.restype, strnlen.argtypes = c_size_t, (c_void_p, c_size_t)
    return ctypes.string_at(address, strnlen(address, limit))
