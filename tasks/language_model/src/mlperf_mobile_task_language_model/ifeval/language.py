"""The language of a text, by CLD2 as in the reference app, or by langdetect as in the published evaluation."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

from mlperf_mobile.errors import UsageError

Detector = Callable[[str], str]
"""The language's code, such as ``en``; empty if nothing was detected."""
MODULES = {"cld2": "pycld2", "langdetect": "langdetect"}
_CLD2_CODES = {"zh-cn": "zh", "zh-tw": "zh-Hant"}
"""langdetect's codes as CLD2's."""


def app_detector(name: Literal["auto", "cld2", "langdetect"]) -> tuple[Detector, str]:
    """The detector of the reference app's check, and its name.

    Args:
        name: ``auto``: CLD2 if its package is installed, otherwise langdetect.

    Raises:
        UsageError: The package is not installed.
    """
    detectors = ("cld2", "langdetect") if name == "auto" else (name,)
    for each in detectors:
        if (module := _installed(MODULES[each])) is not None:
            return (_cld2(module) if each == "cld2" else _as_cld2(_langdetect(module))), each
    reason = f"checking an answer's language needs the package {MODULES[detectors[0]]}, which is not installed"
    hint = f"pip install 'mlperf-mobile-task-language-model[{detectors[0]}]'"
    raise UsageError("language-detector", reason, hint)


def published_detector() -> Detector | None:
    """langdetect, as the published evaluation uses it; None if it is not installed."""
    module = _installed("langdetect")
    return None if module is None else _langdetect(module)


def _installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _cld2(module: Any) -> Detector:
    def detect(text: str) -> str:
        """The most likely language; English for a text of unknown language, as CLD2's ``DetectLanguage`` has it."""
        try:
            code = str(module.detect(text, isPlainText=True)[2][0][1])
        except module.error:  # it refuses some control characters
            return ""
        return "en" if code == "un" else code

    return detect


def _langdetect(module: Any) -> Detector:
    module.DetectorFactory.seed = 0

    @lru_cache(maxsize=1 << 12)
    def detect(text: str) -> str:
        try:
            return str(module.detect(text))
        except module.LangDetectException:  # a text without letters
            return ""

    return detect


def _as_cld2(detect: Detector) -> Detector:
    def detected(text: str) -> str:
        code = detect(text)
        return _CLD2_CODES.get(code, code) or "en"

    return detected
