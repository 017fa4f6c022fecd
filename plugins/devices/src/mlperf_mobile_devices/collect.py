"""Copies the files of a run from its device: each is compared with its SHA-256 there."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path, PurePosixPath

from mlperf_mobile.contracts import Transport
from mlperf_mobile.contracts.transport import DeviceError
from mlperf_mobile.errors import OutputError
from mlperf_mobile.names import is_file_name
from mlperf_mobile.results.store import output_errors
from mlperf_mobile_devices import libraries
from mlperf_mobile_devices.link import Link
from mlperf_mobile_devices.shell import failed

MAP = "maps"
"""The memory map of the run's process, in its folder."""
_LEFT = f"plan.json events.jsonl result.json result.json.sig worker.log work stdin uses pid boot_id born rc {MAP}"
OURS = frozenset(_LEFT.split())
"""What lies in a run's folder besides the worker's files."""
MOST_FILES = 10_000
LOG_BYTES = 1 << 20
"""Bytes of the beginning and of the end of a log that are kept on the device, and copied."""
SLACK_BYTES = 4096
"""Besides them, so that the line about the omission causes no further cut."""

_DIGESTS = r"""
cd "$1" || exit
find . -type f ! -path './.*' ! -path './work/*' -exec sha256sum {} +
"""
_SIZES = r"""
cd "$1" || exit
find . -type f ! -path './.*' ! -path './work/*' -exec wc -c {} +
"""
_TRIM = r"""
cd "$1" && size=$(wc -c <worker.log) && [ "$size" -gt $((4 * $2)) ] || exit 0
trap 'rm -f .log' EXIT
left=$(cat .left_out 2>/dev/null || echo 0)
left=$((left + size - 2 * $2))
{
    head -c "$2" worker.log && printf '\n[... %s bytes are left out here ...]\n' "$left" && tail -c "$2" worker.log
} >.log && echo "$left" >.left_out && cat .log >worker.log
"""
"""The process appends: what it writes meanwhile goes to the new end."""
_DIGEST = re.compile(r"([0-9a-f]{64}) [ *]\./(.+)")
_SIZE = re.compile(r"\s*(\d{1,18}) \./(.+)")


def collect(link: Link[Transport], folder: str, target: Path) -> int:
    """Copy the worker's files from a run's folder on a device; returns their number.

    Args:
        link: The connection.
        folder: The run's folder, below the root.
        target: The run's folder on this machine.

    Raises:
        DeviceError: ``device-transfer``: a copy differs from the file, or the names cannot be those of a run.
        OutputError: There is too little space for them.
    """
    digests = _listed(link, folder, _DIGESTS, _DIGEST)
    sizes = {name: int(size) for size, name in _listed(link, folder, _SIZES, _SIZE)}
    chosen = {name: sha256 for sha256, name in digests if name.partition("/")[0] not in OURS}
    if len(chosen) > MOST_FILES or not all(map(_is_safe, chosen)) or chosen.keys() - sizes.keys():
        raise DeviceError("device-transfer", f"{link.address} lists files that are not those of a run", "run it again")
    total = sum(sizes[name] for name in chosen)
    if total > shutil.disk_usage(target).free:
        summary = f"no space left for {target}: the run on {link.address} has {total / 1e6:,.0f} MB"
        raise OutputError("disk-full", summary, "free disk space, or choose another --output")
    for name, sha256 in chosen.items():
        _pull(link, f"{folder}/{name}", target / name, sha256)
    return len(chosen)


def _listed(link: Link[Transport], folder: str, script: str, line: re.Pattern[str]) -> list[tuple[str, str]]:
    output = link.do(lambda t: t.run(["sh", "-c", script, "sh", f"{t.root}/{folder}"], timeout_s=600))
    if output.returncode:
        raise failed(link.address, "read the files of the run", output)
    lines = output.stdout.decode("utf-8", "replace").splitlines()
    return [found.groups() for text in lines if (found := line.fullmatch(text))]  # type: ignore[misc]


def _is_safe(name: str) -> bool:
    """Whether a path stays below the folder and has only names that any file system takes."""
    parts = PurePosixPath(name).parts
    return bool(parts) and len(parts) <= 8 and "/".join(parts) == name and all(map(is_file_name, parts))


def _pull(link: Link[Transport], source: str, target: Path, sha256: str) -> None:
    for _ in range(2):
        with output_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            link.do(lambda transport: transport.pull(f"{transport.root}/{source}", target))
            with target.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                    return
            target.unlink()
    summary = f"the copy of {source} from {link.address} differs from the file there"
    raise DeviceError("device-transfer", summary, "check the connection and the storage, and run it again")


def log(link: Link[Transport], path: str) -> bytes:
    """The beginning and the end of a log on the device."""
    head = link.do(lambda t: t.read(f"{t.root}/{path}", 0, LOG_BYTES))
    if len(head) < LOG_BYTES:
        return head
    output = link.do(lambda t: t.run(["sh", "-c", 'wc -c <"$1"', "sh", f"{t.root}/{path}"]))
    text = output.stdout.strip()
    size = int(text) if re.fullmatch(rb"\d{1,18}", text) else LOG_BYTES
    left_out = size - 2 * LOG_BYTES
    if left_out <= SLACK_BYTES:
        return head + link.do(lambda t: t.read(f"{t.root}/{path}", LOG_BYTES, LOG_BYTES + SLACK_BYTES))
    start = max(LOG_BYTES, size - LOG_BYTES)
    tail = link.do(lambda t: t.read(f"{t.root}/{path}", start, LOG_BYTES))
    return head + f"\n[... {left_out} bytes are left out here ...]\n".encode() + tail


def trim_log(link: Link[Transport], folder: str) -> None:
    """Leave out the middle of a run's log on the device if it is large, while the run goes on."""
    link.do(lambda t: t.run(["sh", "-c", _TRIM, "sh", f"{t.root}/{folder}", str(LOG_BYTES)]))


def memory_map(link: Link[Transport], folder: str) -> str:
    """The memory map that the run's process saved after its timed run; empty if it did not."""
    return link.do(lambda t: t.read(f"{t.root}/{folder}/{MAP}", 0, libraries.MOST_BYTES)).decode(errors="replace")
