"""Frequencies of processors and their limits: CPU frequency policies, and devfreq for GPUs, NPUs and memory.

Formats: Documentation/admin-guide/pm/cpufreq.rst and Documentation/ABI/testing/sysfs-class-devfreq of Linux 6.6;
``gpuclk`` of Qualcomm's kgsl and ``gt_act_freq_mhz`` of Intel's i915.
"""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile_telemetry.files import Gauges, folders, name

_MOST_MHZ = 20_000.0
_OTHERS = (
    ("sys/class/devfreq", "*/cur_freq", 1e-6),
    ("sys/class/kgsl", "kgsl-3d*/gpuclk", 1e-6),
    ("sys/class/drm", "card[0-9]/gt_act_freq_mhz", 1.0),
)


def _policies(root: Path) -> list[Path]:
    """One folder for the CPUs that share a clock; on old kernels one for each CPU."""
    cpus = root / "sys/devices/system/cpu"
    return [*folders(cpus, "cpufreq/policy[0-9]*")] or [*folders(cpus, "cpu[0-9]*/cpufreq")]


def _named(policy: Path) -> str:
    return policy.parent.name if policy.name == "cpufreq" else policy.name


def frequencies(root: Path) -> Gauges:
    """Current frequencies in MHz, by policy and device: as set by the driver, or as reported by the hardware."""
    gauges = Gauges()
    for policy in _policies(root):
        for file in ("scaling_cur_freq", "cpuinfo_cur_freq"):  # the second reads the hardware, which takes longer
            if gauges.add(f"frequency.{_named(policy)}", "mhz", policy / file, 1e-3, 1.0, _MOST_MHZ) is not None:
                break
    for folder, pattern, scale in _OTHERS:
        for path in folders(root / folder, pattern):
            gauges.add(f"frequency.{name(path.parent.name)}", "mhz", path, scale, 0.0, _MOST_MHZ)
    return gauges


def caps(root: Path) -> Gauges:
    """The current maximum frequency of each policy, and the maximum of its hardware, in MHz."""
    gauges = Gauges()
    for policy in _policies(root):
        gauges.add(f"cap.{_named(policy)}", "mhz", policy / "scaling_max_freq", 1e-3, 1.0, _MOST_MHZ)
        gauges.add(f"hardware.{_named(policy)}", "mhz", policy / "cpuinfo_max_freq", 1e-3, 1.0, _MOST_MHZ)
    return gauges
