"""The data set: ``FOLDER/KEYWORD/*.wav``, read when it is needed."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_example_keyword_spotting.options import Options
from mlperf_mobile_example_keyword_spotting.sound import Samples, read_wav

PACKAGED = Path(str(files(__package__) / "recordings"))


class Recordings:
    """Recordings in one folder per keyword, in the order of keywords and file names.

    Args:
        path: The folder of the folders; by default the packaged one.
        options: See :class:`Options`.

    Raises:
        DataError: ``data-missing`` or ``data-empty``.
    """

    def __init__(self, path: Path | None, options: Options) -> None:
        folder = path or PACKAGED
        self._samples: list[tuple[Path, int]] = []
        for number, keyword in enumerate(options.keywords):
            place = folder / keyword
            if not place.is_dir():
                raise DataError("data-missing", f"{place} is not a folder", "check --data-path and the option keywords")
            self._samples += [(file, number) for file in sorted(place.glob("*.wav"))]
        if not self._samples:
            raise DataError("data-empty", f"{folder} has no WAV files", "check --data-path")

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, index: int) -> Samples:
        """The recording, float32 from -1 to 1."""
        return read_wav(self._samples[index][0])

    def truth(self, index: int) -> int:
        """The number of its keyword."""
        return self._samples[index][1]

    def fingerprint(self, index: int) -> bytes:
        """A digest of the file."""
        file = self._samples[index][0]
        try:
            return hashlib.blake2b(file.read_bytes(), digest_size=16).digest()
        except OSError as error:
            raise DataError("data-missing", f"{file} cannot be read: {error.strerror}", "check --data-path") from None
