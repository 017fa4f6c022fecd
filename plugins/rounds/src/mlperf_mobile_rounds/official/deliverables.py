"""Further parts of a submission: code, the calibration write-up, screenshots of the app.

Source: mobile_open, rules/submissionRuleV3_0.adoc, "Vendor Submission Directory Structure".
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

_CALIBRATION = re.compile(r"calibration(\.\w{1,5})?", re.IGNORECASE)
_PICTURE = re.compile(r".*\.(jpe?g|png|pdf|webp|bmp|gif)|(performance|accuracy)_results?\.txt", re.IGNORECASE)
"""Screenshots of the app; for devices without a screen, the app's output."""
MAX_ENTRIES = 5000


@dataclass(frozen=True, slots=True)
class Deliverables:
    """The ones that a submitter provides."""

    code: bool
    calibration: bool
    pictures: frozenset[str] = field(default=frozenset())
    """Names of the folders in ``results`` with pictures; ``""`` for ``results`` itself."""

    @property
    def some(self) -> bool:
        """Whether this looks like a whole submission; an excerpt has none of them."""
        return self.code or self.calibration or bool(self.pictures)


def of(tree: Path, division: str, submitter: str) -> Deliverables:
    """Look into the branch of a submitter; unreadable files count as missing."""
    top = next((each for each in _list(tree) if each.name.lower() == division), None)
    branch = top / submitter if top else None
    if top is None or branch is None or not branch.is_dir():
        return Deliverables(False, False)
    entries = _list(branch)
    code = any(each.name.lower() == "code" and each.is_dir() and _list(each) for each in entries)
    calibration = any(_CALIBRATION.fullmatch(each.name) and _filled(each) for each in (*entries, *_list(top)))
    pictures = set()
    for results in (each for each in entries if each.name.lower() == "results"):
        listed = _list(results)
        if any(_PICTURE.fullmatch(each.name) and _filled(each) for each in listed):
            pictures.add("")
        for device in listed:
            if device.is_dir() and any(_PICTURE.fullmatch(each.name) and _filled(each) for each in _list(device)):
                pictures.add(device.name)
    return Deliverables(code, calibration, frozenset(pictures))


def _list(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in islice(entries, MAX_ENTRIES)]
    except OSError:
        return []


def _filled(path: Path) -> bool:
    try:
        return bool(_list(path)) if path.is_dir() else path.stat().st_size > 0
    except OSError:
        return False
