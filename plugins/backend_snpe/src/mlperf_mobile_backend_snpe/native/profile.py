"""SNPE's own profile of a network's runs, written for ``snpe-diagview``."""

from __future__ import annotations

import os
from pathlib import Path

from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_snpe.native.library import Library

MOST_FILES = 100


class Profile:
    """Begins when it is made.

    Args:
        library: SNPE.
        network: The built network.
        directory: Where SNPE writes; made where it is missing.

    Raises:
        SnpeError: SNPE does not begin.
        BackendError: ``profile-directory``: the folder cannot be made.
    """

    def __init__(self, library: Library, network: int, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            summary = f"cannot create profiling_directory {directory}: {error.strerror}"
            raise BackendError("profile-directory", summary, "use another folder") from error
        self._library, self._directory, self._before = library, directory, set(directory.iterdir())
        self._log = library.create("SNPE_GetDiagLogInterface_Ref", network)  # belongs to the network
        with library.owned("Options_Delete", "IDiagLog_GetOptions", self._log) as options:
            library.get("Options_SetLogFileDirectory", options, os.fsencode(directory))
            library.check("IDiagLog_SetOptions", self._log, options)
        library.check("IDiagLog_Start", self._log)
        self._running = True

    def close(self) -> None:
        """Let SNPE write the rest, once."""
        if self._running:
            self._running = False
            self._library.get("IDiagLog_Stop", self._log)

    def files(self) -> list[str]:
        """End the profile; returns the files that SNPE wrote."""
        self.close()
        new = sorted(set(self._directory.iterdir()) - self._before)
        return [str(path) for path in new[:MOST_FILES]]
