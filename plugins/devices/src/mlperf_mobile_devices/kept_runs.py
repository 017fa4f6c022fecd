"""The folders of runs that are still on a device: kept on purpose, or left by a host that never came back."""

from __future__ import annotations

from mlperf_mobile.contracts import Transport
from mlperf_mobile.names import is_file_name
from mlperf_mobile_devices.asking import ask
from mlperf_mobile_devices.link import Link

_LIST = r"""
cd "$1/runs" 2>/dev/null || exit 0
for each in *; do
    if [ -f "$each/pid" ]; then echo "$each"; fi
done
"""


def ended_runs(link: Link[Transport]) -> list[str]:
    """The names of run folders whose processes were started, and have all ended.

    Raises:
        DeviceError: The device does not say.
    """
    names = ask(link, "list its runs", _LIST).decode(errors="replace").splitlines()
    return [
        name
        for name in filter(is_file_name, names)
        if not link.do(lambda t, name=name: t.signal(f"{t.root}/runs/{name}", "0"))  # type: ignore[misc]
    ]


def remove_run(link: Link[Transport], name: str) -> None:
    """Remove the folder of a run from its device.

    Raises:
        DeviceError: It cannot be removed.
    """
    link.do(lambda t: t.remove(f"{t.root}/runs/{name}"))
