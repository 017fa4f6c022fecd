"""Addresses and credentials of a farm, and a client's connection to its scheduler and hosts."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from distributed import Client
from distributed.comm.core import CommClosedError
from distributed.security import Security

from mlperf_mobile.errors import ExitCode, MobileError, UsageError
from mlperf_mobile_farm import token
from mlperf_mobile_farm.dask_settings import configure
from mlperf_mobile_farm.work import OPERATION

PORT = 8786
LOST = (OSError, CommClosedError, TimeoutError, RuntimeError)
"""Exceptions of a connection that broke; Dask raises RuntimeError once it has given up connecting again."""
_CONNECT_S = 20
_SILENT_S = 120.0
"""How long a scheduler that is connected may take to answer; on an overloaded machine that is long."""
_JOBS = "mlperf-mobile-farm-jobs"
FORGOTTEN_S = 60.0
"""A job whose client was silent for so long is not shown any more."""


class FarmError(MobileError):
    """The farm cannot be used."""

    def __init__(self, code: str, summary: str, hint: str = "") -> None:
        super().__init__(code, summary, hint, ExitCode.DEVICE)


class HostUnreachable(ConnectionError):
    """A host of the farm cannot be reached now."""


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine and nothing else."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse(address: str, *, has_token: bool) -> str:
    """The address as Dask writes it: ``tcp://HOST:PORT`` or ``tls://HOST:PORT``.

    Without a scheme it is TLS, except on loopback without a token.

    Raises:
        UsageError: ``farm-address``: it cannot be read.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        scheme, rest = "", address
    host, colon, port = rest.rpartition(":") if not rest.endswith("]") else (rest, "", "")
    if not colon:
        host, port = rest, str(PORT)
    if scheme not in ("", "tcp", "tls") or not host or not host.isprintable() or not port.isdigit() or "/" in host:
        raise UsageError("farm-address", f"{address[:100]!r} is not the address of a farm", f"write tls://HOST:{PORT}")
    scheme = scheme or ("tcp" if is_loopback(host) and not has_token else "tls")
    return f"{scheme}://{host}:{int(port)}"


def security_for(address: str, given: Path | None) -> Security | None:
    """The credentials for an address; None without TLS.

    Raises:
        MobileError: ``farm-token``: the address needs a token, and there is none, or it is damaged.
    """
    if address.startswith("tcp://"):
        return None
    path = token.find(given)
    if path is None:
        raise _no_token(f"{address} needs the farm's token")
    return token.read(path)


def _no_token(summary: str) -> FarmError:
    hint = "copy the token file from the host that made it, and give it with --token FILE or MLPERF_FARM_TOKEN=FILE"
    return FarmError("farm-token", summary, hint)


def unreachable(address: str, error: BaseException) -> FarmError:
    """The error for a scheduler that does not answer, or that refuses the token."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    words = " ".join(str(each) for each in chain).lower()
    if (address.startswith("tls://") and any(isinstance(each, ssl.SSLError) for each in chain)) or "ssl" in words:
        return _no_token(f"the farm at {address} does not accept this token, or has none")
    if address.startswith("tcp://") and any(isinstance(each, CommClosedError) for each in chain):
        return _no_token(f"the farm at {address} closed the connection, as one does that needs a token")
    return FarmError(
        "farm-unreachable",
        f"no farm answers at {address}",
        "check the address; mlperf-mobile farm serve --new starts one",
    )


def gone(address: str) -> FarmError:
    """The error for a scheduler that answered before and does not any more."""
    hint = "the hosts keep what they measured; start the scheduler again, then mlperf-mobile run --farm … --resume FILE"
    return FarmError("farm-gone", f"the farm at {address} no longer answers", hint)


async def probe(address: str, security: Security | None) -> None:
    """Connect once before Dask does, which would try again and again, also what cannot succeed.

    Raises:
        FarmError: ``farm-unreachable``: nothing listens there. ``farm-token``: it has another token, or none.
    """
    host, _, port = address.partition("://")[2].rpartition(":")
    context = security.get_connection_args("client")["ssl_context"] if security else None
    try:
        async with asyncio.timeout(_CONNECT_S):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
    except (OSError, ssl.SSLError, TimeoutError) as error:
        raise unreachable(address, error) from error
    try:
        async with asyncio.timeout(_CONNECT_S):
            if not await reader.read(1):  # a scheduler speaks first, unless it expects TLS
                raise _no_token(f"the farm at {address} closed the connection, as one does that needs a token")
    except (ssl.SSLError, TimeoutError, ConnectionError) as error:
        raise _no_token(f"the farm at {address} does not accept this token, or needs one") from error
    finally:
        writer.close()


class Farm:
    """A client's connection to a farm, opened by ``async with``.

    Args:
        address: As the user wrote it.
        token_file: The token that the user gave, or None.
        debug: Show Dask's log.
    """

    def __init__(self, address: str, token_file: Path | None, *, debug: bool = False) -> None:
        configure(debug=debug)
        self.address = parse(address, has_token=token.find(token_file) is not None)
        self._security = security_for(self.address, token_file)
        self.hosts: dict[str, str] = {}
        """The Dask address of each host's own worker, by the host's name."""

    async def __aenter__(self) -> Self:
        await probe(self.address, self._security)
        try:
            self.client = await Client(
                self.address, asynchronous=True, security=self._security, timeout=_CONNECT_S, set_as_default=False
            )
        except (*LOST, ValueError) as error:
            raise unreachable(self.address, error) from error
        await self.find_hosts()
        return self

    async def __aexit__(self, *raised: object) -> None:
        try:
            async with asyncio.timeout(5):
                await self.client.close()
        except LOST:
            return

    async def find_hosts(self) -> None:
        """Look which hosts the farm has now.

        Raises:
            FarmError: ``farm-gone``.
        """
        try:
            async with asyncio.timeout(_SILENT_S):
                self.hosts = await self.client.scheduler.mlperf_mobile_farm_hosts()
        except (*LOST, AttributeError) as error:
            raise gone(self.address) from error

    async def ask(self, host: str, what: str, data: bytes = b"", **given: Any) -> dict[str, Any]:
        """The answer of a host.

        Raises:
            HostUnreachable: It is not there, or does not answer.
            MobileError: The host answered with an error.
        """
        address = self.hosts.get(host)
        if address is None:
            raise HostUnreachable(f"host {host} is not there")
        message = {"op": OPERATION, "what": what, "given": json.dumps(given), "data": data}
        try:
            answers: Mapping[str, Any] = await self.client.scheduler.broadcast(
                msg=message, workers=[address], on_error="return"
            )
            answer = answers.get(address)
        except LOST as error:
            raise HostUnreachable(f"host {host} does not answer") from error
        if not isinstance(answer, dict):
            raise HostUnreachable(f"host {host} does not answer: {answer!r:.100}")
        if "error" in answer:
            failed = answer["error"]
            raise MobileError(failed["code"], failed["summary"], failed["hint"], failed["exit_code"])
        return answer

    async def look(self) -> list[dict[str, Any]]:
        """What every host reports about its devices; a host that does not answer is left out."""
        found = await asyncio.gather(*(self.ask(host, "look") for host in self.hosts), return_exceptions=True)
        return [each for each in found if isinstance(each, dict)]

    async def publish(self, job: str, facts: dict[str, Any] | None) -> None:
        """Let the status of the farm show a job; None when it is over."""
        text = json.dumps({"job": job, "seen": time.time(), **facts}) if facts else ""
        await self.client.set_metadata([_JOBS, job], text)

    async def jobs(self) -> list[dict[str, Any]]:
        """The jobs of all clients that are there now."""
        texts = await self.client.get_metadata([_JOBS], default={})
        found = [json.loads(text) for text in texts.values() if text]
        return [job for job in found if time.time() - job["seen"] < FORGOTTEN_S]


def user() -> str:
    """The name of the user, for the status of the farm."""
    return os.environ.get("USER") or f"uid {os.getuid()}"
