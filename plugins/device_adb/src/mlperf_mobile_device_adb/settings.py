"""Device settings that a run changes: each is written down before, and restored after, also after a crash.

What was changed is written down twice, here and on the device. So the next command finds it, from this computer or
another, even if this one was killed or the cable was pulled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlperf_mobile_device_adb import readings
from mlperf_mobile_device_adb.probes import PROBES

READ = {name: PROBES[name] for name in ("power", "stay_awake", "doze", "airplane")}
"""The probes that read the settings."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a phone.

    Args:
        previous: Its value in the outputs of the probes, as a word; None if it cannot be read, so not restored either.
        words: All words that it can have: what is restored is nothing else, whatever a file on the device says.
        is_set: Whether a word is what a run needs.
        change: The commands that change it.
        back: The commands that restore a word; empty if there is nothing to do.
    """

    previous: Callable[[Mapping[str, str]], str | None]
    words: re.Pattern[str]
    is_set: Callable[[str], bool]
    change: str
    back: Callable[[str], str]


def _number(name: str, high: int) -> Callable[[Mapping[str, str]], str | None]:
    def previous(outputs: Mapping[str, str]) -> str | None:
        word = outputs.get(name, "").strip()
        return word if word == "null" or readings.integer(word, 0, high) is not None else None

    return previous


def _doze(outputs: Mapping[str, str]) -> str | None:
    found = readings.doze(outputs.get("doze", ""))
    if found.light is None and found.deep is None:
        return None
    kinds = [name for name, enabled in (("light", found.light), ("deep", found.deep)) if enabled]
    return "+".join(kinds) or "none"


def _stay_awake_back(word: str) -> str:
    name = "global stay_on_while_plugged_in"
    return f"settings delete {name}" if word == "null" else f"settings put {name} {word}"


SETTINGS: dict[str, Setting] = {
    "airplane": Setting(
        _number("airplane", 1), re.compile("null|0|1"), lambda word: word == "1",
        "cmd connectivity airplane-mode enable",
        lambda word: "" if word == "1" else "cmd connectivity airplane-mode disable",
    ),
    "doze": Setting(
        _doze, re.compile(r"none|light|deep|light\+deep"), lambda word: word == "none",
        "dumpsys deviceidle disable",
        lambda word: "\n".join(f"dumpsys deviceidle enable {kind}" for kind in word.split("+") if kind != "none"),
    ),
    "stay-awake": Setting(
        _number("stay_awake", 255), re.compile("null|[0-9]{1,3}"), lambda word: word not in ("0", "null"),
        "svc power stayon true", _stay_awake_back,
    ),
    "screen": Setting(
        lambda outputs: readings.wakefulness(outputs.get("power", "")) or None,
        re.compile("awake|asleep|dozing|dreaming"), lambda word: word == "awake",
        "input keyevent KEYCODE_WAKEUP\nwm dismiss-keyguard",
        lambda word: "" if word == "awake" else "input keyevent KEYCODE_SLEEP",
    ),
}  # fmt: skip
"""By name, in the order in which they are changed; they are restored in the reverse order."""

USUAL = ("doze", "stay-awake", "screen")
"""Settings that keep a phone from sleeping during a run."""


_RUN = re.compile(r"runs/[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")


@dataclass(frozen=True, slots=True)
class Changed:
    """What was written down before settings were changed."""

    host: str
    """The computer that changed them."""
    pid: int
    """Its process."""
    started: float
    """When that process started, in seconds since the epoch: another one may have its number later."""
    previous: Mapping[str, str]
    """The words to restore, by the setting's name."""
    run: str = ""
    """The run for which they were changed, below our folder on the device: ``runs/NAME``; empty if for none."""

    def record(self) -> dict[str, object]:
        """As JSON."""
        return {
            "schema": 1, "host": self.host, "pid": self.pid, "started": self.started, "previous": dict(self.previous),
            "run": self.run,
        }  # fmt: skip

    @classmethod
    def of(cls, record: object) -> Changed | None:
        """What a record says; None if it is not one. Settings that are unknown or have another word are left out."""
        if not isinstance(record, dict) or record.get("schema") != 1:
            return None
        host, pid, started, previous = (record.get(name) for name in ("host", "pid", "started", "previous"))
        if not (isinstance(host, str) and isinstance(pid, int) and isinstance(previous, dict)):
            return None
        valid = {
            name: word
            for name, word in previous.items()
            if name in SETTINGS and isinstance(word, str) and SETTINGS[name].words.fullmatch(word)
        }
        run = record.get("run")
        run = run if isinstance(run, str) and _RUN.fullmatch(run) else ""
        moment = float(started) if isinstance(started, int | float) and abs(started) < 1e15 else 0.0
        return cls(readings.text(host), pid, moment, valid, run)

    def commands(self) -> str:
        """The shell commands that restore everything."""
        lines = (SETTINGS[name].back(self.previous[name]) for name in reversed(SETTINGS) if name in self.previous)
        return "\n".join(line for line in lines if line)
