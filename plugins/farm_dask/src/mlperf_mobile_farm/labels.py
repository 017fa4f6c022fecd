"""Labels of devices: what a host announces, and what ``--where`` requires."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from mlperf_mobile.contracts import DeviceFacts
from mlperf_mobile.errors import UsageError

DEVICE = "device"
"""The label with the address of a device; also the resource that every session needs."""
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}")
_LONGEST = 100
_MOST_SHOWN = 12


def of(facts: DeviceFacts, host: str, own: Mapping[str, str]) -> dict[str, str]:
    """The labels of a device: from its facts, its host, and those that the lab gave; empty ones are left out."""
    known = {
        DEVICE: facts.address,
        "host": host,
        "kind": facts.address.partition(":")[0],
        "soc": facts.soc,
        "model": facts.model,
        "manufacturer": facts.manufacturer,
        "os": facts.os,
        "abi": facts.abi,
    }
    cleaned = {key: " ".join(value.split())[:_LONGEST] for key, value in known.items()}
    return {key: value for key, value in (cleaned | dict(own)).items() if value}


def parse(texts: Iterable[str], flag: str) -> dict[str, str]:
    """The labels in ``["soc=SM8750,lab=north", "os=Android 15"]``.

    Raises:
        UsageError: ``farm-label``: one is not ``KEY=VALUE``, or two have the same key.
    """
    found: dict[str, str] = {}
    for text in (part for each in texts for part in each.split(",")):
        key, equals, value = (part.strip() for part in text.partition("="))
        if not (equals and value and value.isprintable() and len(value) <= _LONGEST and _KEY.fullmatch(key)):
            raise UsageError("farm-label", f"{flag}: {text[:80]!r} is not KEY=VALUE", f"write {flag} soc=SM8750")
        if found.setdefault(key, value) != value:
            raise UsageError("farm-label", f"{flag}: {key} is given twice", "a device has one value of each label")
    return found


def resource(key: str, value: str) -> str:
    """The name of the Dask resource for a label."""
    return f"{key}={value}"


def match(labels: Mapping[str, str], where: Mapping[str, str]) -> bool:
    """Whether a device has all of these labels."""
    return all(labels.get(key) == value for key, value in where.items())


def listed(devices: Iterable[Mapping[str, str]], keys: Iterable[str]) -> str:
    """The values of labels among devices: ``soc: SM8650 (2), SM8750 (3)``; of all labels if none has these keys."""
    every = [dict(labels) for labels in devices]
    if not every:
        return "the farm has no devices"
    known = {key for labels in every for key in labels}
    chosen = [key for key in keys if key in known] or sorted(known - {DEVICE})
    parts = []
    for key in chosen:
        counts = Counter(labels[key] for labels in every if key in labels)
        shown = [f"{value} ({count})" for value, count in sorted(counts.items())[:_MOST_SHOWN]]
        more = [f"and {len(counts) - _MOST_SHOWN} more"] if len(counts) > _MOST_SHOWN else []
        parts.append(f"{key}: {', '.join(shown + more)}")
    return "; ".join(parts)


def text(where: Mapping[str, str]) -> str:
    """Labels as ``soc=SM8750, lab=north``; ``any device`` for none."""
    return ", ".join(f"{key}={value}" for key, value in where.items()) or "any device"
