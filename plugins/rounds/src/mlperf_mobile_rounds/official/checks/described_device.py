"""Compares the device that the app found with the description of the system: maker, chip, and operating system."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import json_files
from mlperf_mobile_rounds.official.checks.context import FileOf
from mlperf_mobile_rounds.official.checks.result_fields import RULE
from mlperf_mobile_rounds.official.findings import Place, Report, Severity
from mlperf_mobile_rounds.official.submission import DescriptionFile

_ANDROID = {"R": 11, "S": 12, "T": 13, "U": 14, "V": 15, "A": 15, "B": 16}
"""Android's version by the first letter of a build's name (source.android.com, build numbers)."""
_BUILD_NAME = re.compile(r"\b([A-Z])(?:[A-Z]\d[A-Z]|KQ1|P1A|Q\dA)\.\d{6}\.")
SOCS = {
    "sm7325": "778g", "sm8350": "888", "sm8450": "8gen1", "sm8475": "8gen1", "sm7450": "7gen1", "sm8550": "8gen2",
    "sm7475": "7gen2", "sm4450": "4gen2", "sm7550": "7gen3", "sm8635": "8sgen3", "sm8650": "8gen3",
    "sm7635": "7sgen3", "sm8750": "8elite", "s5e9925": "2200", "s5e9935": "2300", "s5e9945": "2400",
}  # fmt: skip
"""Names of chips in system descriptions, by the number that the app finds, as in the published results."""
_MAKERS = (
    "apple", "asus", "google", "honor", "huawei", "lenovo", "motorola", "nokia", "oneplus", "oppo", "realme", "samsung",
    "sony", "vivo", "xiaomi",
)  # fmt: skip
"""Makers of phones; a description that names another one of them than the app is of another device."""
_CHIP_KEYS = ("processorname", "hostprocessormodelname")
_SYSTEM_KEYS = ("operatingsystem", "osversion", "os")
_SYSTEMS = {"ios": r"\b(ios|ipados)\b", "android": r"\bandroid\b", "windows": r"\bwindows\b"}
"""How a description names the operating systems of the app's platforms."""


def check(file: FileOf, described: DescriptionFile, text: str, report: Report) -> None:
    """Compare the device's facts in a result file with a description.

    Args:
        file: The result file.
        described: The description of its system.
        text: The content of the description.
        report: Takes the findings.
    """
    if "TO FILL IN" in text:
        return
    in_file, words = dict(file.content.device), benchmarks.squeezed(text)
    values = _values(described)
    key, place = f"environment_info.value.{file.content.platform}", Place(described.path)
    maker = benchmarks.squeezed((in_file.get("manufacturer") or "").split(" ")[0].split(",")[0])
    if maker and maker != "unknown":
        wrong = f"the app ran on a device of {in_file['manufacturer']!r}, which {described.path.name} does not mention"
        others = [name for name in _MAKERS if re.search(rf"\b{name}\b", text, re.IGNORECASE)]
        wrong += f"; it names {', '.join(others)}" if others else ""
        severity = Severity.ERROR if others else Severity.WARNING
        report.require(RULE, maker in words, file.place(f"{key}.manufacturer"), wrong, severity)
    chip = (in_file.get("ro.soc.model") or "").lower()
    if chip in SOCS:
        wrong = f"the app found the chip {chip}, which {described.path.name} does not mention"
        report.require(RULE, SOCS[chip] in _plain(words), place, wrong)
        for name in _CHIP_KEYS:
            named = _plain(benchmarks.squeezed(values.get(name, "")))
            wrong = f"the app found the chip {chip}, but the processor is {values.get(name, '')[:60]!r}"
            report.require(RULE, not named or SOCS[chip] in named or chip in named, place, wrong)
    _system(file, values, place, report)
    build, android = _BUILD_NAME.search(in_file.get("os_version") or ""), re.search(r"[Aa]ndroid (\d{1,2})", text)
    if build and android and build[1] in _ANDROID:
        wrong = f"the app found Android {_ANDROID[build[1]]} ({build[0]}…), but {described.path.name} says {android[0]}"
        report.require(RULE, int(android[1]) == _ANDROID[build[1]], file.place(f"{key}.os_version"), wrong)


def _system(file: FileOf, values: Mapping[str, str], place: Place, report: Report) -> None:
    """The operating system is not that of another platform."""
    platform = file.content.platform
    said = next((values[name] for name in _SYSTEM_KEYS if values.get(name)), "")
    named = [name for name, pattern in _SYSTEMS.items() if re.search(pattern, said, re.IGNORECASE)]
    wrong = f"the operating system is {said[:60]!r}, but the app ran on {platform}"
    report.require(RULE, platform not in _SYSTEMS or not named or platform in named, place, wrong)


def _plain(words: str) -> str:
    return words.replace("plus", "").replace("+", "")


def _values(described: DescriptionFile) -> dict[str, str]:
    """The texts of a description by their keys, in lower case without punctuation."""
    try:
        data: Any = json_files.read(described.path)
    except json_files.JsonError:
        return {}
    return {benchmarks.squeezed(k): str(v) for k, v in data.items()} if isinstance(data, dict) else {}
