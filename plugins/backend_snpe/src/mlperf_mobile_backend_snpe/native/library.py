"""Opens and calls libSNPE.so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_snpe.native import abi, sdk
from mlperf_mobile_native_libraries.functions import Functions, text

TITLE, SINCE = "SNPE", "version 2.10"
MOST_STRINGS = 4096


class SnpeError(Exception):
    """A failed call, with SNPE's code and message.

    Args:
        function: The function, without ``Snpe_``.
        code: A Snpe_ErrorCode_t; 0 if SNPE reports none.
        text: SNPE's message.
    """

    def __init__(self, function: str, code: int, text: str) -> None:
        super().__init__(f"Snpe_{function} failed{f' with code {code}' if code else ''}{f': {text}' if text else ''}")
        self.code = code


class Library(Functions):
    """SNPE's C interface; functions are called by their names without ``Snpe_``.

    Args:
        path: A path, or a name that the dynamic loader finds.

    Raises:
        BackendError: As :class:`Functions`, and ``library-too-old`` for another version.
    """

    def __init__(self, path: str) -> None:
        prototypes = {**abi.REQUIRED, **abi.OPTIONAL}
        super().__init__(path, "Snpe_", prototypes, tuple(abi.REQUIRED), title=TITLE, since=SINCE, missing=sdk.HINT)
        try:
            with self.owned("DlVersion_Delete", "Util_GetLibraryVersion") as version:
                major = self.get("DlVersion_GetMajor", version)
                self.version = text(self.get("DlVersion_ToString", version))
        except SnpeError as error:
            raise BackendError(
                "library-broken", f"{path} does not report its version: {error}", "install the SDK again"
            ) from error
        if major != 2:
            summary = f"{path} is version {self.version}, whose interface is not supported"
            raise BackendError("library-too-old", summary, "use SNPE 2.10 or later, or QAIRT")

    @property
    def stand_in(self) -> str:
        """What a stand-in says of itself; empty for Qualcomm's library."""
        return self.text_of("snpe_stand_in")

    def get(self, name: str, *arguments: Any) -> Any:
        """The function's result as it is."""
        return self.function(name)(*arguments)

    def check(self, name: str, *arguments: Any) -> None:
        """Call a function that returns an error code.

        Raises:
            SnpeError: The code is not SNPE_SUCCESS.
        """
        if code := self.function(name)(*arguments):
            raise self.failure(name, code)

    def create(self, name: str, *arguments: Any) -> int:
        """A handle from a function that returns one.

        Raises:
            SnpeError: It returned none.
        """
        handle: int | None = self.function(name)(*arguments)
        if not handle:
            raise self.failure(name)
        return handle

    def failure(self, name: str, code: int = 0) -> SnpeError:
        """The error of the last call; must be called by the same thread."""
        if not code and self.has("ErrorCode_getLastErrorCode"):
            code = self.get("ErrorCode_getLastErrorCode")
        return SnpeError(name, code, text(self.get("ErrorCode_GetLastErrorString")))

    @contextmanager
    def owned(self, delete: str, create: str, *arguments: Any) -> Iterator[int]:
        """A handle that is deleted at the end."""
        handle = self.create(create, *arguments)
        try:
            yield handle
        finally:
            self.get(delete, handle)

    @contextmanager
    def string_list(self, names: tuple[str, ...]) -> Iterator[int]:
        """A StringList of ``names``."""
        with self.owned("StringList_Delete", "StringList_Create") as handle:
            for name in names:
                self.check("StringList_Append", handle, name.encode())
            yield handle

    def strings(self, name: str, *arguments: Any) -> tuple[bytes, ...]:
        """What a function returns as a StringList that belongs to the caller; names stay the bytes that they are."""
        with self.owned("StringList_Delete", name, *arguments) as handle:
            count = self.get("StringList_Size", handle)
            if count > MOST_STRINGS:
                raise SnpeError(name, 0, f"it gave a list of {count} names")
            return tuple(self.get("StringList_At", handle, index) or b"" for index in range(count))

    def available(self, runtime: str) -> bool:
        """Whether SNPE says that a runtime can be used here; of a DSP, by programs without a signature."""
        number = abi.RUNTIMES[runtime]
        if self.has("Util_IsRuntimeAvailableCheckOption"):
            return bool(self.get("Util_IsRuntimeAvailableCheckOption", number, abi.UNSIGNED_PD_CHECK))
        return bool(self.get("Util_IsRuntimeAvailable", number))
