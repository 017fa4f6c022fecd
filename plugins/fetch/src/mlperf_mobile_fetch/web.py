"""Requests to web servers: safe redirects, proxies, timeouts, and every failure as an error, transient or final."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Never
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3 import exceptions as failures
from urllib3.response import BaseHTTPResponse

from mlperf_mobile.errors import DataError
from mlperf_mobile.resources.resource import is_loopback, may_use

REDIRECTS = frozenset({301, 302, 303, 307, 308})
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses for which another try may succeed."""

AGAIN = "fetch again; it resumes where it broke off"
CHECK_NETWORK = "check the network, and whether a proxy is needed (HTTPS_PROXY)"


@dataclass(frozen=True, slots=True)
class Limits:
    """Timeouts, tries and pauses of a download."""

    connect_s: float = 15.0
    read_s: float = 30.0
    """Silence after which a connection is dead."""
    slow_s: float = 60.0
    slow_bytes: int = 60 << 10
    """A connection with less than ``slow_bytes`` in ``slow_s`` is dead as well."""
    tries: int = 6
    """Consecutive tries without progress."""
    backoff_s: float = 0.5
    """Pause before the second try; doubled before each further one."""
    backoff_max_s: float = 30.0
    retry_after_max_s: float = 120.0
    """Longest ``Retry-After`` to wait for; with a longer one, the download fails."""
    redirects: int = 5


class TransientError(Exception):
    """A failure that may disappear with another try; holds the error to raise if it does not."""

    def __init__(self, error: DataError, after_s: float | None = None) -> None:
        super().__init__(error.summary)
        self.error = error
        self.after_s = after_s


class Client:
    """Connections to web servers; safe for several threads."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._timeout = urllib3.Timeout(connect=limits.connect_s, read=limits.read_s)
        self._direct = urllib3.PoolManager(timeout=self._timeout, retries=False)
        self._proxies: dict[str, urllib3.ProxyManager] = {}

    def get(self, url: str, headers: Mapping[str, str], *, checked: bool) -> BaseHTTPResponse:
        """Request ``url`` and follow redirects; the caller reads the body and closes the response.

        Raises:
            TransientError: Another try may succeed.
            DataError: No other try will.
        """
        requested, here = url, url
        headers = {"User-Agent": "mlperf-mobile", "Accept-Encoding": "identity", **headers}
        for _ in range(self.limits.redirects + 1):
            with connection_errors(requested):
                response = self._pool(here).request(
                    "GET", here, headers=headers, redirect=False, preload_content=False, decode_content=False
                )
            if response.status not in REDIRECTS:
                return response
            location = response.headers.get("Location")
            response.close()
            here = _next(requested, here, location, checked=checked)
        summary = f"{requested} is redirected more than {self.limits.redirects} times"
        raise DataError("redirect-loop", summary, "the server is misconfigured; try later, or provide the file by hand")

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        host = parts.hostname or ""
        proxies = getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all")
        if not proxy or is_loopback(host) or proxy_bypass(host):
            return self._direct
        if proxy not in self._proxies:
            self._proxies[proxy] = self._proxy(proxy)
        return self._proxies[proxy]

    def _proxy(self, url: str) -> urllib3.ProxyManager:
        url = url if "://" in url else f"http://{url}"
        parts = urlsplit(url)
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        headers = urllib3.make_headers(proxy_basic_auth=login) if login else None
        try:
            return urllib3.ProxyManager(url, proxy_headers=headers, timeout=self._timeout, retries=False)
        except (failures.ProxySchemeUnknown, failures.LocationParseError, ValueError) as error:
            shown = f"{parts.scheme}://{parts.hostname}"
            hint = "set HTTPS_PROXY to http://HOST:PORT, or unset it"
            raise DataError("proxy-unusable", f"the proxy {shown} cannot be used: {error}", hint) from error


def _next(requested: str, here: str, location: str | None, *, checked: bool) -> str:
    if not location:
        raise DataError(
            "redirect-refused", f"{requested} is redirected without a location", "the server is misconfigured"
        )
    try:
        there = urljoin(here, location)
        allowed = may_use(there, checked=checked) and bool(urlsplit(there).hostname)
    except ValueError:
        there, allowed = location, False
    downgrade = here.startswith("https:") and not there.startswith("https:")
    if downgrade or not allowed or not there.isprintable():
        hint = "redirects must lead to https://; find out where the file is now, and correct the URL"
        raise DataError("redirect-refused", f"{requested} is redirected to {there[:200]!a}, which is not safe", hint)
    return there.partition("#")[0]


@contextmanager
def connection_errors(url: str) -> Iterator[None]:
    """Turn connection failures into errors that name the URL."""
    try:
        yield
    except failures.HTTPError as error:
        _tell(url, error)


def _tell(url: str, error: failures.HTTPError) -> Never:
    host = urlsplit(url).netloc
    if isinstance(error, failures.SSLError):
        _tell_tls(url, error)
    if isinstance(error, failures.NameResolutionError):
        failure = DataError("host-unknown", f"no address is known for {host} ({url})", CHECK_NETWORK)
    elif isinstance(error, failures.ReadTimeoutError):
        failure = DataError("server-timeout", f"{host} stopped sending {url}", AGAIN)
    elif isinstance(error, failures.NewConnectionError | failures.ProxyError):
        failure = DataError("connection-failed", f"cannot connect to {host} ({url}): {_reason(error)}", CHECK_NETWORK)
    elif isinstance(error, failures.ConnectTimeoutError):
        failure = DataError("server-timeout", f"{host} does not answer ({url})", CHECK_NETWORK)
    elif isinstance(error, failures.ProtocolError):
        failure = DataError("connection-dropped", f"the connection broke during {url}", AGAIN)
    else:
        raise DataError("connection-failed", f"cannot fetch {url}: {_reason(error)}", CHECK_NETWORK) from error
    raise TransientError(failure) from error


def _tell_tls(url: str, error: failures.SSLError) -> Never:
    cause = next((arg for arg in error.args if isinstance(arg, ssl.SSLError)), None)
    reason = getattr(cause, "verify_message", "") or getattr(cause, "reason", None) or str(error)
    summary = f"no secure connection to {urlsplit(url).netloc} ({url}): {reason}"
    if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        raise TransientError(DataError("tls-failed", summary, CHECK_NETWORK)) from error
    hint = "check this machine's clock, and its CA certificates (package ca-certificates, or SSL_CERT_FILE)"
    raise DataError("tls-failed", summary, hint) from error


def _reason(error: Exception) -> str:
    cause: BaseException = error
    while isinstance(inner := cause.__cause__ or getattr(cause, "original_error", None), Exception):
        cause = inner
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def refusal(url: str, response: BaseHTTPResponse, limits: Limits) -> TransientError | DataError:
    """The error for a status other than success."""
    status = response.status
    if status in TRANSIENT:
        code, what = ("server-busy", "is busy") if status == 429 else ("server-error", "has a problem")
        after = _retry_after(response)
        failure = DataError(code, f"{urlsplit(url).netloc} {what} (HTTP {status}): {url}", "try again later")
        if after is not None and after > limits.retry_after_max_s:
            return DataError(code, failure.summary, f"try again in {after:.0f} s, as the server requests")
        return TransientError(failure, after)
    if status in (404, 410):
        hint = "the file has moved; update mlperf-mobile and its plugins, or correct the URL"
        return DataError("url-not-found", f"{url} does not exist (HTTP {status})", hint)
    if status in (401, 403, 407, 451):
        hint = "the server requires a login or a licence; download it by hand, or check the proxy"
        return DataError("url-forbidden", f"{url} may not be fetched (HTTP {status})", hint)
    return DataError("url-refused", f"{url} is answered with HTTP {status}", "correct the URL, or try later")


def _retry_after(response: BaseHTTPResponse) -> float | None:
    try:
        return urllib3.Retry().get_retry_after(response)
    except failures.InvalidHeader:
        return None
