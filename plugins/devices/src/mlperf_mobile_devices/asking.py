"""Runs a short script on a device, below its root."""

from __future__ import annotations

from mlperf_mobile.contracts import Transport
from mlperf_mobile.contracts.transport import Output
from mlperf_mobile_devices.link import Link
from mlperf_mobile_devices.shell import failed


def ask(
    link: Link[Transport], what: str, script: str, *arguments: str, stdin: bytes = b"", timeout_s: float = 60.0
) -> bytes:
    """The output of a script on the device whose first parameter is the root.

    Args:
        link: The connection.
        what: What it does, for the error: ``"make a folder"``.
        script: POSIX sh.
        arguments: Its further parameters.
        stdin: Its input.
        timeout_s: Seconds.

    Raises:
        DeviceError: It failed.
    """

    def work(transport: Transport) -> Output:
        argv = ["sh", "-c", script, "sh", transport.root, *arguments]
        return transport.run(argv, stdin=stdin, timeout_s=timeout_s)

    output = link.do(work)
    if output.returncode:
        raise failed(link.address, what, output)
    return output.stdout
