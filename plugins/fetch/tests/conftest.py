"""A web server that answers as badly as a test wants."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""Self-signed, of 127.0.0.1, valid until 2120; its key protects nothing."""

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.requests.append((self.path, dict(self.headers.items())))
        answers = self.server.answers.get(self.path)
        if not answers:
            self.send_error(404)
            return
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        with suppress(ConnectionError, ssl.SSLError):  # the client has seen enough
            answer(self)

    def head(self, status: int, headers: dict[str, str | int] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, str(value))
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """``answers`` of a path are given one after the other; the last one for ever."""

    daemon_threads = True

    def __init__(self, *, tls: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.released = threading.Event()
        """What ``holding`` answers wait for."""
        self.scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a handshake that the client broke off

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}{path}"

    def add(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return self.url(path)

    def ranges(self, path: str) -> list[str | None]:
        """The Range of each request for a path so far."""
        return [headers.get("Range") for asked, headers in self.requests if asked == path]

    def file(
        self,
        data: bytes,
        *,
        etag: str = '"v1"',
        modified: str = "",
        ranges: bool = True,
        drop_after: int | None = None,
        length: int | None = None,
        chunked: bool = False,
        unsized: bool = False,
        hold: bool = False,
        headers: dict[str, str | int] | None = None,
        content_range: str = "",
        obeys_if_range: bool = True,
    ) -> Answer:
        """A file, with everything that may be wrong about it.

        ``drop_after`` bytes of the body the connection is cut, or with ``hold`` kept without a word.
        """

        def answer(handler: Handler) -> None:
            known = {"ETag": etag, "Last-Modified": modified}
            told: dict[str, str | int] = {name: value for name, value in known.items() if value}
            told |= headers or {}
            asked = handler.headers.get("Range")
            same = handler.headers.get("If-Range") in (None, etag, modified)
            start = 0
            if asked and ranges and (same or not obeys_if_range):
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                if start >= len(data):
                    handler.head(416, {"Content-Range": f"bytes */{len(data)}", "Content-Length": 0})
                    return
                told["Content-Range"] = content_range or f"bytes {start}-{len(data) - 1}/{len(data)}"
            body = data[start:]
            if chunked:
                told["Transfer-Encoding"] = "chunked"
            elif not unsized:
                told["Content-Length"] = len(body) if length is None else length
            handler.head(206 if "Content-Range" in told else 200, told)
            sent = body if drop_after is None else body[:drop_after]
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(sent), sent) if chunked else sent)
            handler.wfile.flush()
            if hold:
                self.released.wait()
            elif chunked and drop_after is None:
                handler.wfile.write(b"0\r\n\r\n")

        return answer

    def status(self, status: int, headers: dict[str, str | int] | None = None) -> Answer:
        return lambda handler: handler.head(status, {"Content-Length": 0, **(headers or {})})

    def redirect(self, location: str, status: int = 302) -> Answer:
        return self.status(status, {"Location": location})

    def endless(self, *, chunked: bool) -> Answer:
        def answer(handler: Handler) -> None:
            handler.head(200, {"Transfer-Encoding": "chunked"} if chunked else {})
            piece = bytes(65536)
            while not self.released.is_set():
                handler.wfile.write(b"10000\r\n%b\r\n" % piece if chunked else piece)

        return answer

    def drip(self, data: bytes) -> Answer:
        """One byte each 20 ms."""

        def answer(handler: Handler) -> None:
            handler.head(200, {"Content-Length": len(data)})
            for byte in data:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                if self.released.wait(0.02):
                    return

        return answer


def _serving(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    yield from _serving(Server())


@pytest.fixture
def tls_server() -> Iterator[Server]:
    yield from _serving(Server(tls=True))


@pytest.fixture
def certificate() -> Path:
    return CERTIFICATE
