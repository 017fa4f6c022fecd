"""The target of ``ssh:TARGET``: ``HOST``, ``USER@HOST``, ``HOST:PORT`` or both; IPv6 with a port in brackets."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from mlperf_mobile.errors import UsageError

_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.\\+$-]{0,100}")
_HOST = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,200}")
_BRACKETS = re.compile(r"\[(?P<host>[^\]]*)\](?::(?P<port>\d{1,5}))?")
_HINT = "write ssh:HOST, ssh:USER@HOST or ssh:HOST:PORT, and everything else into ~/.ssh/config"


@dataclass(frozen=True, slots=True)
class Target:
    """A host, as the client gets it."""

    host: str
    """A name, an alias of the client's configuration, or an address."""
    user: str = ""
    port: int | None = None

    @property
    def arguments(self) -> list[str]:
        """The options and the host, for the command line of the client."""
        user = ["-l", self.user] if self.user else []
        port = ["-p", str(self.port)] if self.port else []
        return [*user, *port, "--", self.host]


def parse(text: str) -> Target:
    """The parts of a target.

    Raises:
        UsageError: ``bad-device``: it is not one, or could be read in two ways.
    """
    user, at, rest = text.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise _wrong(text, f"{user!r} is not a user")
    if found := _BRACKETS.fullmatch(rest):
        return Target(_address(text, found["host"]), user, _port(text, found["port"]))
    if rest.count(":") > 1:
        return Target(_address(text, rest), user)
    host, _, port = rest.partition(":")
    if not _HOST.fullmatch(host):
        raise _wrong(text, f"{host!r} is not a host")
    return Target(host, user, _port(text, port if ":" in rest else None))


def _address(text: str, host: str) -> str:
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        raise _wrong(text, f"{host!r} is not an IPv6 address") from None


def _port(text: str, port: str | None) -> int | None:
    if port is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise _wrong(text, f"{port!r} is not a port")
    return int(port)


def _wrong(text: str, why: str) -> UsageError:
    return UsageError("bad-device", f"ssh:{text} is not a host: {why}", _HINT)
