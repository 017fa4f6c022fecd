"""What forbids a run on a device, before anything is copied there."""

from __future__ import annotations

from mlperf_mobile.contracts import Transport
from mlperf_mobile.contracts.transport import DeviceError, DeviceFacts
from mlperf_mobile.plan import CompilePlan, Plan
from mlperf_mobile.terms import Mode
from mlperf_mobile_devices.link import Link
from mlperf_mobile_devices.shell import failed

_OTHERS = r"""
cd "$1/runs" 2>/dev/null || exit 0
for each in *; do
    if [ -f "$each/pid" ] && [ ! -f "$each/rc" ]; then echo "$each"; fi
done
"""
_MOST_RUNS = 1000


def check_idle(link: Link[Transport], folder: str) -> None:
    """Refuse a device on which another run takes place.

    Args:
        link: The connection.
        folder: The folder of this run, below the root.

    Raises:
        DeviceError: ``device-busy``.
    """
    output = link.do(lambda t: t.run(["sh", "-c", _OTHERS, "sh", t.root]))
    if output.returncode:
        raise failed(link.address, "list its runs", output)
    for name in output.stdout.decode(errors="replace").split()[:_MOST_RUNS]:
        other = f"runs/{name}"
        if other != folder and link.do(lambda t, other=other: t.signal(f"{t.root}/{other}", "0")):  # type: ignore[misc]
            hint = "wait until it has ended, or follow it: mlperf-mobile attach"
            raise DeviceError("device-busy", f"{link.address} is busy with another run, {name[:150]}", hint)


def check_charger(plan: CompilePlan, facts: DeviceFacts | None) -> None:
    """Refuse a device on its charger for the timed run of a submission.

    Raises:
        DeviceError: ``device-charging``.
    """
    if facts is not None and facts.charging and _is_submitted(plan):
        summary = f"{plan.device} is charging, but a submission must be measured on battery"
        hint = "unplug it; if the USB cable charges it, connect over Wi-Fi instead: adb tcpip 5555"
        raise DeviceError("device-charging", summary, hint)


def _is_submitted(plan: CompilePlan) -> bool:
    """Whether it is a timed run of a round's suite, in a campaign that is to be submitted."""
    if not isinstance(plan, Plan) or plan.session is None or plan.official is None:
        return False
    return plan.session.mode == Mode.SUBMISSION and plan.has_performance
