"""The commands that read a phone's state, executed in one round trip, each with its own limits of time and output."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Callable, Iterable, Mapping

MOST_BYTES = 1 << 16
"""Maximum output of one command."""
EACH_S = 5
"""Maximum seconds of one command, if the device has ``timeout``."""
TOOLS = ("cat", "chmod", "head", "mkdir", "mv", "rm", "setsid", "sha256sum", "sleep", "stat", "tail", "wc")
"""What the device must have for a run."""


def lacking(tools: Iterable[str]) -> str:
    """A shell command that prints those of the tools that the device lacks, a line each."""
    return f'for t in {" ".join(tools)}; do command -v "$t" > /dev/null || echo "$t"; done'


PROBES: dict[str, str] = {
    "tmp": 'printf "%s" "$TMPDIR"',
    "properties": "getprop",
    "boot_id": "cat /proc/sys/kernel/random/boot_id",
    "machine": "uname -m",
    "battery": "dumpsys battery",
    "thermal": "dumpsys thermalservice",
    "zones": 'for z in /sys/class/thermal/thermal_zone*; do echo "$(cat "$z/type") $(cat "$z/temp")"; done',
    "cores": "for c in /sys/devices/system/cpu/cpu[0-9]*; do f=$c/cpufreq; "
    'echo "${c##*/}|$(cat "$f/scaling_governor")|$(cat "$f/scaling_cur_freq")|$(cat "$f/scaling_max_freq")'
    '|$(cat "$f/cpuinfo_max_freq")"; done',
    "power": "dumpsys power | grep mWakefulness=",
    "stay_awake": "settings get global stay_on_while_plugged_in",
    "doze": "dumpsys deviceidle | grep -E 'Enabled=|State='",
    "airplane": "settings get global airplane_mode_on",
    "selinux": "getenforce",
    "uid": "id -u",
    "su": "command -v su",
    "memory": "cat /proc/meminfo",
    "mounts": "cat /proc/mounts",
    "free": 'df -k "${TMPDIR:-/data/local/tmp}"',
    "tools": lacking(TOOLS),
    "cpuset": "cat /proc/self/cpuset",
    "clock": "date +%s",
    "soc_file": "cat /sys/devices/soc0/machine",
}
"""Shell commands by name. Each may be missing, fail, hang, or print anything."""


def script(nonce: str, probes: Mapping[str, str] = PROBES) -> str:
    """A shell script that executes the probes, and prints what each printed under a line with its name."""
    # `timeout` cannot execute a shell's function or loop, so each probe is a script of its own.
    head = f"if command -v timeout > /dev/null; then t='timeout {EACH_S}'; else t=; fi\n"
    quoted = {name: shlex.quote(command) for name, command in probes.items()}
    each = (
        f"printf '\\n{nonce} {name}\\n'\n$t sh -c {command} 2> /dev/null < /dev/null | head -c {MOST_BYTES}\n"
        for name, command in quoted.items()
    )
    return head + "".join(each) + f"printf '\\n{nonce} end\\n'"


def split(output: bytes, nonce: str) -> dict[str, str]:
    """What each probe printed, by name; of output that was cut off, all that is complete."""
    pieces = re.split(rf"\n{nonce} (\w+)\n", "\n" + output.decode("utf-8", "replace"))
    found = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    found.pop("end", None)
    return found


def read(run: Callable[[str], bytes], probes: Mapping[str, str] = PROBES) -> dict[str, str]:
    """Execute the probes with a function that executes a shell script and returns its output."""
    nonce = secrets.token_hex(8)
    return split(run(script(nonce, probes)), nonce)
