"""What an address ``simulated:NAME?soc=SM8750&lasts=20`` says about a device."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from mlperf_mobile.errors import UsageError, did_you_mean

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SOCS = ("SIM-100", "SIM-200", "SIM-300")
_TEXTS = ("soc", "model", "os")
_NUMBERS = {"seed": 2**63, "lasts": 86_400.0, "loss": 1.0, "absent": 86_400.0, "ambient": 60.0, "percent": 100.0}
_EXAMPLE = "write simulated:NAME?soc=SM8750&lasts=20"


@dataclass(frozen=True, slots=True)
class Target:
    """A simulated device, as its address describes it; everything else follows from the name and the seed."""

    name: str
    soc: str
    model: str
    os: str
    seed: int = 0
    lasts: float | None = None
    """Seconds of each run; None for the minimum duration of its plan."""
    loss: float = 0.0
    """The probability that the device is lost during a run."""
    absent: float = 30.0
    """Seconds until a lost device returns."""
    ambient: float = 25.0
    """Temperature of the room, in degrees Celsius."""
    percent: float = 90.0
    """The battery's charge at first."""

    def random(self, purpose: str) -> random.Random:
        """Random numbers for one purpose, the same each time."""
        return random.Random(f"{self.seed}/{self.name}/{purpose}")  # noqa: S311  a simulation


def parse(target: str) -> Target:
    """The device that an address names.

    Raises:
        UsageError: It cannot be read.
    """
    name, _, query = target.partition("?")
    if not _NAME.fullmatch(name):
        raise UsageError("bad-device", f"{name[:80]!r} cannot be the name of a simulated device", _EXAMPLE)
    try:
        given = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=20))
    except ValueError as error:
        raise UsageError("bad-device", f"simulated:{name}: {query[:80]!r} cannot be read", _EXAMPLE) from error
    values: dict[str, Any] = {}
    for key, text in given.items():
        if key in _TEXTS and text and text.isprintable() and len(text) <= 64:
            values[key] = text
        elif key in _NUMBERS:
            values[key] = _number(name, key, text)
        else:
            hint = did_you_mean(key, (*_TEXTS, *_NUMBERS))
            raise UsageError("bad-device", f"simulated:{name}: {key[:40]!r} is not known, or has no value", hint)
    seed = int(str(values.pop("seed", 0)))
    rng = random.Random(f"{seed}/{name}")  # noqa: S311  a simulation
    soc = rng.choice(_SOCS)
    defaults: dict[str, Any] = {"soc": soc, "model": f"Simulated {soc}", "os": "Simulated OS 1"}
    return Target(name, seed=seed, **(defaults | values))


def _number(name: str, key: str, text: str) -> float | int:
    try:
        value = int(text) if key == "seed" else float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= _NUMBERS[key]:
        summary = f"simulated:{name}: {key}={text[:40]} is not a number from 0 to {_NUMBERS[key]:g}"
        raise UsageError("bad-device", summary, _EXAMPLE)
    return value
