"""Looks up a library's functions by name, with the types of their arguments and results."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlperf_mobile.errors import BackendError
from mlperf_mobile_native_libraries.loading import load

TYPES: Mapping[str, Any] = {
    "p": ctypes.c_void_p,
    "s": ctypes.c_char_p,
    "i": ctypes.c_int32,
    "u": ctypes.c_uint32,
    "q": ctypes.c_int64,
    "Q": ctypes.c_uint64,
    "z": ctypes.c_size_t,
    "f": ctypes.c_float,
    "b": ctypes.c_bool,
    "B": ctypes.c_uint8,
    "v": None,
}
"""C types by letter; ``p`` is a pointer or a handle, ``i`` can be an enumeration."""

MOST_TEXT = 512
"""Most bytes of a library's text that are shown."""

_MOST_NAMES = 8


class Functions:
    """An open library's functions, by name without their common prefix.

    Args:
        library: A path, or a name that the dynamic loader finds.
        prefix: Prefix of every function: ``"ANeuralNetworks"``.
        prototypes: Argument types in letters of :data:`TYPES`, and, after a blank, the result's unless it is ``i``:
            ``{"Model_create": "p", "Model_free": "p v"}``.
        required: Functions that the library must have.
        title: Its name in messages: ``"NNAPI"``.
        since: The first version with the required functions: ``"Android 10 (API level 29)"``.
        missing: The hint if the library is missing.

    Raises:
        BackendError: ``library-missing``, ``library-architecture``, ``library-broken`` or ``library-too-old``.
    """

    def __init__(
        self,
        library: str,
        prefix: str,
        prototypes: Mapping[str, str],
        required: Sequence[str],
        *,
        title: str,
        since: str,
        missing: str,
    ) -> None:
        self.library, self._prefix, self._prototypes, self._title = library, prefix, prototypes, title
        self._library = load(library, title, missing)
        self._functions: dict[str, Callable[..., Any]] = {}
        if absent := [prefix + name for name in required if not self.has(name)]:
            more = f" and {len(absent) - _MOST_NAMES} more" if len(absent) > _MOST_NAMES else ""
            summary = f"{library} is too old or incomplete: it lacks {', '.join(absent[:_MOST_NAMES])}{more}"
            raise BackendError("library-too-old", summary, f"{title} needs {since} or later")

    def has(self, name: str) -> bool:
        """Whether the library has this function."""
        return hasattr(self._library, self._prefix + name)

    def function(self, name: str) -> Callable[..., Any]:
        """The function, with its types declared.

        Raises:
            BackendError: ``library-symbol``: the library lacks it.
        """
        if found := self._functions.get(name):
            return found
        try:
            bound = getattr(self._library, self._prefix + name)
        except AttributeError as error:
            summary = f"{self.library} has no function {self._prefix}{name}"
            hint = f"use a newer {self._title}, or leave out the option that needs it"
            raise BackendError("library-symbol", summary, hint) from error
        arguments, _, result = self._prototypes[name].partition(" ")
        bound.argtypes, bound.restype = [TYPES[letter] for letter in arguments], TYPES[result or "i"]
        self._functions[name] = bound
        return bound  # type: ignore[no-any-return]

    def text_of(self, name: str) -> str:
        """As :func:`text_of`."""
        return text_of(self._library, name)


def text_of(library: ctypes.CDLL, name: str) -> str:
    """The text that a function without arguments returns, as stand-ins have; empty if the function does not exist."""
    try:
        function = library[name]
    except AttributeError:
        return ""
    function.restype, function.argtypes = ctypes.c_char_p, ()
    return text(function())


def text(data: bytes | None) -> str:
    """A library's text as one short line that can be printed."""
    return printable((data or b"")[:MOST_TEXT].decode("utf-8", "replace"))


def printable(text: str) -> str:
    """One line, with a question mark for each unprintable character."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
