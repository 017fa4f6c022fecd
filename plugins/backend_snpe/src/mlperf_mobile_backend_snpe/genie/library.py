"""Opens libGenie.so, and makes errors of its status codes."""

from __future__ import annotations

from typing import Any

from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_snpe.genie import abi
from mlperf_mobile_native_libraries.functions import Functions

LIBRARY = "libGenie.so"
SINCE = "the one of QAIRT 2.45"
MISSING = "install Qualcomm's AI Runtime SDK (QAIRT) and set QAIRT_SDK_ROOT, or give the path: --set library=PATH"
REASON = "worker.log has Genie's reason"


class Library(Functions):
    """Genie's C interface; functions are called by their names without ``Genie``.

    Args:
        path: A path, or a name that the dynamic loader finds.

    Raises:
        BackendError: As :class:`Functions`.
    """

    def __init__(self, path: str) -> None:
        required = tuple(abi.REQUIRED)
        super().__init__(path, "Genie", abi.REQUIRED, required, title="Genie", since=SINCE, missing=MISSING)
        parts = [self.function(f"_getApi{part}Version")() for part in ("Major", "Minor", "Patch")]
        self.version = ".".join(map(str, parts))

    @property
    def stand_in(self) -> str:
        """What a stand-in says of itself; empty for Qualcomm's library."""
        return self.text_of("genie_stand_in")

    def check(self, name: str, model: str, *arguments: Any) -> None:
        """Call a function that returns a status.

        Raises:
            ModelError: ``genie-config``: Genie rejects the configuration.
            BackendError: ``genie-failed``: any other status than success.
        """
        if status := self.function(name)(*arguments):
            raise self.failed(name, model, status)

    def failed(self, name: str, model: str, status: int, more: str = "") -> ModelError | BackendError:
        """The error of a function that returned ``status``.

        Args:
            name: The function, without ``Genie``.
            model: The model's name.
            status: A Genie_Status_t.
            more: What else is known, with its own punctuation before it.
        """
        summary = f"Genie{name} returned {abi.described(status)} for {model}{more}"
        if status in abi.REJECTIONS:
            return ModelError("genie-config", summary, f"correct the configuration; {REASON}")
        return BackendError("genie-failed", summary, REASON)
