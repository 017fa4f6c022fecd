"""What a phone reports about itself, as :class:`DeviceFacts`: identity, state, and whether it can be used."""

from __future__ import annotations

import time
from collections.abc import Mapping

from mlperf_mobile.contracts.transport import DeviceFacts, Plain
from mlperf_mobile_device_adb import readings

OLDEST_SDK = 26
"""Android 8.0: the first whose shell has sha256sum (and, since 7.0, reports exit codes)."""
OLDEST = "Android 8.0"
_MACHINES = {"arm64-v8a": "aarch64", "armeabi-v7a": "armv7l", "armeabi": "armv7l", "x86_64": "x86_64", "x86": "i686"}
_SHOWN_CORES = 64
_SHOWN_SENSORS = 64


def compose(address: str, outputs: Mapping[str, str], root: str) -> DeviceFacts:
    """The facts in the outputs of the probes (:data:`mlperf_mobile_device_adb.probes.PROBES`).

    Args:
        address: The address of the device.
        outputs: What each probe printed, by name; any may be missing, or be anything.
        root: The folder for our files on the device.
    """
    get = {name: outputs.get(name, "") for name in _NAMES}.__getitem__
    properties = readings.properties(get("properties"))
    battery, thermal = readings.battery(get("battery")), readings.thermal(get("thermal"))
    zones = readings.zones(get("zones"))
    reason, fix = _trouble(properties, get("tools"), readings.mount_options(get("mounts"), root), root)
    android = properties.get("ro.build.version.release", "")
    abi = properties.get("ro.product.cpu.abi", "")
    temperature = battery.temperature_c
    if temperature is None:
        known = [*zones.values(), *(celsius for _, celsius in thermal.temperatures.values())]
        temperature = max(known, default=None)
    return DeviceFacts(
        address=address,
        usable=not reason,
        reason=reason,
        fix=fix,
        manufacturer=properties.get("ro.product.manufacturer", ""),
        model=properties.get("ro.product.model", ""),
        serial=properties.get("ro.serialno", "") or properties.get("ro.boot.serialno", ""),
        soc=_soc(properties, get("soc_file")),
        os=f"Android {android}" if android else "",
        abi=_MACHINES.get(abi, readings.text(get("machine"))),
        boot_id=readings.boot_id(get("boot_id")),
        temperature_c=temperature,
        thermal_status=thermal.status,
        battery_percent=battery.percent,
        charging=battery.is_supplied,
        free_bytes=readings.free_bytes(get("free")),
        more=_more(get, properties, battery, thermal, zones),
    )


_NAMES = (
    "properties", "battery", "thermal", "zones", "cores", "power", "stay_awake", "doze", "airplane", "selinux", "uid",
    "su", "memory", "mounts", "free", "tools", "cpuset", "clock", "machine", "boot_id", "soc_file", "tmp",
)  # fmt: skip


def _soc(properties: Mapping[str, str], machine: str) -> str:
    for name in ("ro.soc.model", "ro.board.platform", "ro.hardware"):
        found = properties.get(name, "")
        if found and found.lower() != "unknown":
            return found
        if name == "ro.soc.model" and (name_of_machine := readings.text(machine)):
            return name_of_machine
    return ""


def _trouble(properties: Mapping[str, str], tools: str, mounted: frozenset[str], root: str) -> tuple[str, str]:
    """Why the device cannot be used, and what to do; empty if it can."""
    sdk = readings.integer(properties.get("ro.build.version.sdk", ""), 1, 10_000)
    if sdk is not None and sdk < OLDEST_SDK:
        release = properties.get("ro.build.version.release", "")
        return (
            f"Android {release} (API {sdk}) is too old: its shell lacks sha256sum, which checks what is copied",
            f"use a device with {OLDEST} or later",
        )
    lacking = ", ".join(readings.text(line) for line in tools.split()[:20])
    if lacking:
        return f"its shell lacks {lacking}", f"use a device with {OLDEST} or later and an unmodified /system/bin"
    if "noexec" in mounted:
        return f"programs cannot run from {root}: its file system is mounted noexec", "mount /data without noexec"
    return "", ""


def _more(
    get: object, properties: Mapping[str, str], battery: readings.Battery, thermal: readings.Thermal,
    zones: Mapping[str, float],
) -> dict[str, Plain]:  # fmt: skip
    assert callable(get)
    doze = readings.doze(get("doze"))
    clock = readings.integer(get("clock"), 0, 1 << 40)
    found: dict[str, Plain | None] = {
        "android.sdk": readings.integer(properties.get("ro.build.version.sdk", ""), 1, 10_000),
        "android.fingerprint": properties.get("ro.build.fingerprint"),
        "android.build": properties.get("ro.build.type"),
        "android.abis": properties.get("ro.product.cpu.abilist"),
        "soc.manufacturer": properties.get("ro.soc.manufacturer"),
        "board": properties.get("ro.board.platform"),
        "kernel.machine": readings.text(get("machine")),
        "memory_bytes": readings.memory_bytes(get("memory")),
        "battery.temperature_c": battery.temperature_c,
        "battery.voltage_mv": battery.voltage_mv,
        "battery.status": battery.status,
        "battery.charger": battery.charger,
        "battery.faked": battery.faked or None,
        "thermal.skin_c": thermal.hottest("skin"),
        "thermal.cpu_c": thermal.hottest("cpu"),
        "thermal.gpu_c": thermal.hottest("gpu"),
        "thermal.npu_c": thermal.hottest("npu"),
        "screen": readings.wakefulness(get("power")),
        "stay_awake": readings.integer(get("stay_awake"), 0, 255),
        "doze.light_enabled": doze.light,
        "doze.deep_enabled": doze.deep,
        "doze.state": doze.state,
        "airplane_mode": {"0": False, "1": True}.get(get("airplane").strip()),
        "selinux": readings.text(get("selinux")).lower(),
        "uid": readings.integer(get("uid"), 0, 1 << 32),
        "su": bool(get("su").strip()),
        "cpuset": readings.text(get("cpuset")),
        "clock.ahead_s": clock - round(time.time()) if clock is not None else None,
    }
    for name, celsius in list(zones.items())[:_SHOWN_SENSORS]:
        found[f"zone.{name}_c"] = celsius
    for name, core in list(readings.cores(get("cores")).items())[:_SHOWN_CORES]:
        found |= {
            f"{name}.governor": core.governor, f"{name}.mhz": core.mhz, f"{name}.cap_mhz": core.cap_mhz,
            f"{name}.max_mhz": core.max_mhz,
        }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None and value != ""}
