"""The simulated phone's files: its commands, and what ``/sys``, ``/proc`` and the services show."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from importlib.resources import files
from pathlib import Path

from mlperf_mobile_device_adb.testing import services
from mlperf_mobile_device_adb.testing.processes import VARIABLE
from mlperf_mobile_device_adb.testing.profile import Body

TMP = "/data/local/tmp"
_SIMULATED = re.compile(
    r"(?<![\w./-])(/sys/|/data/local/tmp\b|/system/bin/|/sdcard\b|/vendor\b"
    r"|/proc/(?:sys/kernel/random/boot_id|uptime|cpuinfo|meminfo|mounts)\b)"
)
"""Paths in a command that mean the simulated phone's. Others are this machine's, such as ``/proc/self``."""
_NEVER = ("halt", "poweroff", "reboot", "shutdown", "init")
"""Commands that would reach this machine."""
_TOYS = (
    "base64", "basename", "cat", "chmod", "cksum", "cmp", "cp", "cut", "date", "dd", "df", "dirname", "du", "echo",
    "env", "expr", "false", "find", "getconf", "grep", "head", "ls", "md5sum", "mkdir", "mkfifo", "mktemp", "mv",
    "nice", "nohup", "od", "printenv", "printf", "ps", "pwd", "readlink", "realpath", "rm", "rmdir", "sed", "seq",
    "setsid", "sha256sum", "sleep", "sort", "split", "stat", "sync", "tail", "tee", "test", "timeout", "touch",
    "tr", "true", "uname", "uniq", "wc", "xargs",
)  # fmt: skip
"""Commands of toybox that are safe to execute on this machine."""
_BEHAVIOURS = {
    "missing": "echo '/system/bin/sh: COMMAND: inaccessible or not found' >&2; exit 127",
    "denied": "echo 'COMMAND: Permission denied' >&2; exit 1", "nothing": "exit 0", "hang": "exec sleep 100000",
    "garbage": "exec head -c 20000 /dev/urandom", "flood": "while :; do echo 'Temperature{mValue=1'; done",
}  # fmt: skip
_SENSORS = ("battery", "skin-therm", "cpu-0-0", "gpuss-0", "nspss-0")


class System:
    """The folder of one simulated phone.

    Args:
        folder: An empty folder of this machine.
        body: What the phone's sensors measure.
        toybox: Path of toybox, to have the commands of Android instead of this machine's.
    """

    def __init__(self, folder: Path, body: Body, toybox: str | None = None) -> None:
        self.folder, self.body = folder, body
        self.tmp = folder / TMP[1:]
        self.state = folder / "state"
        self.extra_used = 0
        self._missing: set[str] = set()
        for path in (
            self.tmp,
            self.state / "settings/global",
            folder / "sdcard",
            folder / "vendor",
            folder / "system/bin",
        ):
            path.mkdir(parents=True)
        self._install(toybox)
        self._describe()
        self.boot()

    def boot(self) -> None:
        """Start again: another boot id, and everything that is not stored is forgotten."""
        self._write("proc/sys/kernel/random/boot_id", f"{uuid.uuid4()}\n")
        shutil.rmtree(self.state / "until_reboot", ignore_errors=True)
        (self.state / "until_reboot").mkdir()
        self.refresh()

    def place(self, path: str) -> Path:
        """The file of this machine for an absolute path of the phone."""
        path = os.path.normpath("/" + path.lstrip("/"))  # text only: no link is followed
        own = str(self.folder)
        return Path(path) if path == own or path.startswith(own + "/") else Path(own + path)

    def command(self, line: str) -> str:
        """A command line with the paths that are simulated replaced."""
        return _SIMULATED.sub(lambda found: str(self.folder) + found[0], line)

    def env(self, marker: str) -> dict[str, str]:
        """The environment of commands. ``TMPDIR`` is the folder that stands for /data/local/tmp, as adbd sets it."""
        return {
            "PATH": f"{self.folder}/system/bin:{os.environ.get('PATH', os.defpath)}", "TMPDIR": str(self.tmp),
            "HOME": "/", "USER": "shell", "LOGNAME": "shell", "ANDROID_DATA": "/data", "ANDROID_ROOT": "/system",
            "LC_ALL": "C", "STAND_IN": str(self.state), VARIABLE: marker,
        }  # fmt: skip

    def used(self) -> int:
        """Bytes that the files in the folder for temporary files take, and what a fault filled."""
        sizes = 0
        for parent, _, names in os.walk(self.tmp):
            for name in names:
                try:
                    sizes += os.lstat(os.path.join(parent, name)).st_blocks * 512  # noqa: PTH118
                except OSError:
                    continue
        return sizes + self.extra_used

    def room(self) -> int:
        """Free bytes of the storage."""
        return max(0, self.body.profile.storage_bytes - self.used())

    def set_property(self, name: str, value: str) -> None:
        self._properties[name] = value
        self._write("state/properties", "".join(f"{key}={text}\n" for key, text in self._properties.items()))

    def replace(self, command: str, behaviour: str) -> None:
        """Let a command be ``missing`` or ``denied``, print ``garbage``, ``nothing`` or a ``flood``, or ``hang``.

        Raises: ValueError: The command is not a name, or the behaviour is unknown.
        """
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", command) or behaviour not in _BEHAVIOURS:
            raise ValueError(f"replace a command's name by one of {', '.join(_BEHAVIOURS)}")
        script = self.folder / "system/bin" / command
        script.unlink(missing_ok=True)
        script.write_text("#!/bin/sh\n" + _BEHAVIOURS[behaviour].replace("COMMAND", command) + "\n")
        script.chmod(0o755)

    def remove(self, path: str) -> None:
        """Let a simulated file or folder of ``/sys`` or ``/proc`` not exist."""
        self._missing.add(path.strip("/"))
        target = self.place(path)
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)

    def refresh(self) -> None:
        """Show the present values of the body in files and services."""
        body = self.body
        temperatures = (body.battery_c, body.skin_c, body.skin_c + 18, body.skin_c + 12, body.skin_c + 10)
        for number, celsius in enumerate(temperatures):
            self._write(f"sys/class/thermal/thermal_zone{number}/temp", f"{round(celsius * 1000)}\n")
        for number, maximum in enumerate(body.profile.cores):
            self._write(
                f"sys/devices/system/cpu/cpu{number}/cpufreq/scaling_cur_freq", f"{int(maximum * body.speed)}\n"
            )
        self._write("state/dumpsys/battery", services.battery(body, (self.state / "until_reboot/unplugged").exists()))
        self._write("state/dumpsys/thermalservice", services.thermal(body))

    def measure(self) -> None:
        """Show the present use of the storage."""
        size, used = self.body.profile.storage_bytes // 1024, self.used() // 1024
        share = min(100, round(100 * used / size))
        self._write(
            "state/df",
            "Filesystem       1K-blocks     Used Available Use% Mounted on\n"
            f"/dev/block/dm-50 {size:9d} {used:8d} {max(0, size - used):9d} {share:3d}% /data\n",
        )

    def _install(self, toybox: str | None) -> None:
        bin_ = self.folder / "system/bin"
        for script in files(__package__).joinpath("bin").iterdir():
            (bin_ / script.name).write_text(script.read_text())
            (bin_ / script.name).chmod(0o755)
        if not self.body.profile.rooted:
            (bin_ / "su").unlink()
        for name in _NEVER:
            (bin_ / name).write_text(f"#!/bin/sh\necho '{name}: not permitted on a stand-in' >&2\nexit 1\n")
            (bin_ / name).chmod(0o755)
        for name in _TOYS if toybox else ():
            if not (bin_ / name).exists():
                (bin_ / name).symlink_to(str(toybox))

    def _describe(self) -> None:
        profile = self.body.profile
        self._properties = services.properties(profile)
        self.set_property("ro.serialno", self._properties["ro.serialno"])
        self._write("state/enforce", profile.security + "\n")
        self._write("state/wakefulness", "Asleep\n")
        self._write("state/settings/global/airplane_mode_on", "0\n")
        for number, kind in enumerate(_SENSORS):
            self._write(f"sys/class/thermal/thermal_zone{number}/type", f"{kind}\n")
        for number, maximum in enumerate(profile.cores):
            cpu = f"sys/devices/system/cpu/cpu{number}/cpufreq"
            self._write(f"{cpu}/scaling_governor", "schedutil\n")
            self._write(f"{cpu}/cpuinfo_max_freq", f"{maximum}\n")
            self._write(f"{cpu}/scaling_max_freq", f"{maximum}\n")
        self._write("sys/devices/soc0/machine", f"{profile.soc}\n")
        self._write("proc/cpuinfo", f"processor\t: 0\nHardware\t: {profile.soc_manufacturer} {profile.soc}\n")
        self._write("proc/meminfo", f"MemTotal:       {profile.memory_bytes // 1024} kB\n")
        self._write(
            "proc/mounts",
            "/dev/block/dm-50 /data f2fs rw,lazytime,seclabel,nosuid,nodev,noatime 0 0\n"
            "/dev/fuse /storage/emulated fuse rw,lazytime,nosuid,nodev,noexec,noatime 0 0\n",
        )

    def _write(self, path: str, text: str) -> None:
        if any(path == missing or path.startswith(missing + "/") for missing in self._missing):
            return
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(target.name + ".new")
        temporary.write_text(text)
        temporary.replace(target)
