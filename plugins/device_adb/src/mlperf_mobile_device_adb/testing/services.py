"""What a simulated phone's services print, in the format of Android's."""

from __future__ import annotations

import platform

from mlperf_mobile_device_adb.testing.profile import Body, Profile

_ABIS = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64-v8a", "arm64": "arm64-v8a"}
_CHARGERS = (("AC", "ac"), ("USB", "usb"), ("Wireless", "wireless"))
_CHARGING, _DISCHARGING, _FULL = 2, 3, 5
_SKIN = 3


def properties(profile: Profile) -> dict[str, str]:
    """The system properties that describe a profile."""
    abi = profile.abi or _ABIS.get(platform.machine(), platform.machine())
    fingerprint = f"mlperf/{profile.board}/{profile.board}:{profile.android}/STAND.IN/1:user/release-keys"
    found = {
        "ro.serialno": profile.serial, "ro.product.manufacturer": profile.manufacturer,
        "ro.product.model": profile.model, "ro.product.name": profile.board, "ro.product.device": profile.board,
        "ro.board.platform": profile.board, "ro.hardware": profile.board, "ro.product.cpu.abi": abi,
        "ro.product.cpu.abilist": abi, "ro.build.fingerprint": fingerprint,
        "ro.build.version.release": profile.android, "ro.build.version.sdk": str(profile.sdk),
        "ro.build.type": "user", "ro.debuggable": "0", "sys.boot_completed": "1",
    }  # fmt: skip
    if profile.sdk >= 31:  # Android 12 introduced them
        found |= {"ro.soc.manufacturer": profile.soc_manufacturer, "ro.soc.model": profile.soc}
    return found | profile.properties


def battery(body: Body, is_faked: bool) -> str:
    """``dumpsys battery``; ``is_faked`` after ``dumpsys battery unplug``."""
    charger = "none" if is_faked else body.charger
    status = _DISCHARGING if charger == "none" else _FULL if body.battery_percent >= 100 else _CHARGING
    fields = {
        **{f"{name} powered": str(charger == kind).lower() for name, kind in _CHARGERS}, "Dock powered": "false",
        "Max charging current": 500000 if charger != "none" else 0, "Max charging voltage": 5000000,
        "Charge counter": round(body.profile.battery_mah * 10 * body.battery_percent), "status": status, "health": 2,
        "present": "true", "level": int(body.battery_percent), "scale": 100,
        "voltage": round(3500 + 7 * body.battery_percent), "temperature": round(body.battery_c * 10),
        "technology": "Li-ion",
    }  # fmt: skip
    head = "Current Battery Service state:\n"
    if is_faked:
        head += "  (UPDATES STOPPED -- use 'reset' to restart)\n"
    return head + "".join(f"  {name}: {value}\n" for name, value in fields.items())


def thermal(body: Body) -> str:
    """``dumpsys thermalservice``; the types of temperatures are CPU 0, GPU 1, BATTERY 2, SKIN 3, NPU 9."""
    values = (
        (body.skin_c + 18, 0, "cpu-0-0"), (body.skin_c + 12, 1, "gpuss-0"), (body.battery_c, 2, "battery"),
        (body.skin_c, _SKIN, "skin-therm"), (body.skin_c + 10, 9, "nspss-0"),
    )  # fmt: skip
    lines = [
        f"\tTemperature{{mValue={celsius:.1f}, mType={kind}, mName={name}, mStatus={body.status * (kind == _SKIN)}}}\n"
        for celsius, kind, name in values
    ]
    return (
        "IsStatusOverride: false\nThermalEventListeners:\n\tcallbacks: 1\n\tkilled: false\n\tbroadcasts count: -1\n"
        f"Thermal Status: {body.status}\nCached temperatures:\n{lines[_SKIN]}HAL Ready: true\nHAL connection:\n"
        f"\tThermalHAL 2.0 connected: yes\nCurrent temperatures from HAL:\n{''.join(lines)}"
        "Current cooling devices from HAL:\n"
        f"\tCoolingDevice{{mValue={body.status}, mType=2, mName=cpu-cluster0}}\n"
    )
