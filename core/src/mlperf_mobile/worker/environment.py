"""Facts about the machine that a result needs to be meaningful, and the versions of all software involved."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import psutil

from mlperf_mobile.hook_specs import PROJECT
from mlperf_mobile.installed import distributions

Fact = str | int | float | bool | None

_CPU = Path("/sys/devices/system/cpu")


def facts() -> dict[str, Fact]:
    """CPU, frequency, governor, memory, operating system, clock; None for a fact that cannot be read."""
    memory = psutil.virtual_memory()
    clock = time.get_clock_info("perf_counter")
    return {
        "cpu.model": cpu_model(),
        "cpu.machine": platform.machine(),
        "cpu.logical": os.cpu_count(),
        "cpu.usable": usable_cores(),
        "cpu.governor": governor(),
        **_frequencies(),
        "cpu.load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "memory.total_bytes": memory.total,
        "memory.available_bytes": memory.available,
        "os.system": platform.system(),
        "os.release": platform.release(),
        "os.name": _os_name(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "clock.source": clock_source(),
        "clock.python": clock.implementation,
        "clock.resolution_s": clock.resolution,
    }


def usable_cores() -> int:
    """The processors that this process may use; 0 if unknown."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0


def versions() -> dict[str, str]:
    """Names and versions of the core, of all its plugins, and of their direct requirements."""
    installed = {each.key: each for each in distributions()}
    ours = {key for key, each in installed.items() if key == "mlperf-mobile" or any(each.entry_points(PROJECT))}
    required = {key for name in ours for key in installed[name].requires}
    return {key: installed[key].version for key in sorted(ours | required) if key in installed}


def governor() -> str | None:
    """The active CPU frequency governors, joined by commas if processors differ."""
    names = {_read(path) for path in _CPU.glob("cpu[0-9]*/cpufreq/scaling_governor")} - {None}
    return ",".join(sorted(str(name) for name in names)) or None


def clock_source() -> str | None:
    """The kernel's clock source: ``tsc``, ``kvm-clock``, ``arch_sys_counter``."""
    return _read(Path("/sys/devices/system/clocksource/clocksource0/current_clocksource"))


def cpu_model() -> str | None:
    """The processor's name, from ``/proc/cpuinfo`` or the system."""
    text = _read(Path("/proc/cpuinfo")) or ""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    return fields.get("model name") or fields.get("Hardware") or fields.get("Processor") or platform.processor() or None


def _frequencies() -> dict[str, Fact]:
    try:
        frequency = psutil.cpu_freq()
    except (OSError, NotImplementedError):
        frequency = None
    if frequency is None:
        return {"cpu.mhz": None, "cpu.mhz_max": None}
    return {"cpu.mhz": round(frequency.current, 1), "cpu.mhz_max": round(frequency.max, 1) or None}


def _os_name() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return platform.platform()


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None
