"""Fetching from good and bad servers; everything is compared with the bytes that the server was given."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlperf_mobile.errors import DataError, ExitCode
from mlperf_mobile.resources.cache import Cache, State
from mlperf_mobile.resources.record import Record
from mlperf_mobile.resources.resource import Resource
from mlperf_mobile_fetch import transfer
from mlperf_mobile_fetch.fetch import FetchError, Phase, Step, fetch
from mlperf_mobile_fetch.web import Client, Limits

DATA = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
MD5 = hashlib.md5(DATA).hexdigest()
FAST = Limits(connect_s=60, read_s=60, tries=3, backoff_s=0)
IMPATIENT = Limits(connect_s=5, read_s=0.2, tries=2, backoff_s=0)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def get(cache: Cache, resource: Resource, limits: Limits = FAST) -> bytes:
    path = fetch([resource], cache, limits=limits)[resource]
    assert path == cache.path(resource)
    return path.read_bytes()


def refused(cache: Cache, resource: Resource, limits: Limits = FAST) -> DataError:
    with pytest.raises(DataError) as caught:
        fetch([resource], cache, limits=limits)
    assert resource.url in caught.value.summary
    assert caught.value.hint
    assert caught.value.exit_code is ExitCode.DATA
    return caught.value


def part(cache: Cache, resource: Resource) -> bytes:
    path = cache.files(resource).part
    return path.read_bytes() if path.exists() else b""


def leftovers(cache: Cache) -> set[str]:
    """The files of the cache, without the locks, which stay."""
    return {p.name for p in cache.folder.rglob("*") if p.is_file() and p.suffix != ".lock"}


# What works


@pytest.mark.parametrize("checksum", [{"sha256": SHA256}, {"md5": MD5}, {}], ids=["sha256", "md5", "none"])
@pytest.mark.parametrize("how", [{}, {"chunked": True}, {"unsized": True}], ids=["length", "chunked", "neither"])
def test_a_file_comes_whole_and_is_recorded(server: Any, cache: Cache, how: Any, checksum: Any) -> None:
    resource = Resource(url=server.add("/v1/m.tflite", server.file(DATA, **how)), **checksum)
    assert cache.state(resource) is State.MISSING
    assert get(cache, resource) == DATA
    assert cache.state(resource) is State.PRESENT
    assert cache.sha256(resource) == SHA256
    record = json.loads(cache.files(resource).record.read_bytes())
    told = (record["url"], record["bytes"], record["sha256"], record["md5"], record["etag"])
    assert told == (resource.url, len(DATA), SHA256, MD5, '"v1"')
    assert leftovers(cache) == {cache.path(resource).name, f".{cache.path(resource).name}.json"}
    assert cache.verify(resource) is bool(checksum)


def test_what_is_present_is_not_requested_again(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA)))
    assert get(cache, resource) == get(cache, resource) == DATA
    assert len(server.requests) == 1


def test_an_archive_is_kept_and_its_content_unpacked(server: Any, cache: Cache) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("img/a.txt", "first")
        archive.writestr("b.txt", "second")
    resource = Resource(url=server.add("/d.zip", server.file(packed.getvalue())), unpack=True)
    tree = fetch([resource], cache, limits=FAST)[resource]
    assert {p.relative_to(tree).as_posix(): p.read_text() for p in tree.rglob("*") if p.is_file()} == {
        "img/a.txt": "first",
        "b.txt": "second",
    }
    assert cache.files(resource).file.read_bytes() == packed.getvalue()
    shutil.rmtree(tree)
    assert cache.state(resource) is State.PACKED
    assert cache.plan([resource])[0].bytes == 0
    fetch([resource], cache, limits=FAST)
    assert (tree / "b.txt").read_text() == "second"
    assert len(server.requests) == 1


def test_several_are_downloaded_at_the_same_time_and_all_are_reported(server: Any, cache: Cache) -> None:
    meeting = threading.Barrier(4)

    def together(data: bytes) -> Any:
        def answer(handler: Any) -> None:
            meeting.wait(200)
            server.file(data)(handler)

        return answer

    resources = [Resource(url=server.add(f"/{n}", together(DATA[:n]))) for n in range(1, 9)]
    steps: list[Step] = []
    paths = fetch(resources, cache, listen=steps.append, workers=4, limits=FAST)
    assert [paths[r].read_bytes() for r in resources] == [DATA[:n] for n in range(1, 9)]
    assert {s.resource for s in steps if s.phase is Phase.DONE} == set(resources)
    ends = {s.resource: (s.done, s.total) for s in steps if s.phase is Phase.DOWNLOADING}
    assert [ends[r] for r in resources] == [(n, n) for n in range(1, 9)]


def test_the_same_resource_twice_is_one_download(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA)))
    steps: list[Step] = []
    fetch([resource, resource.model_copy()], cache, listen=steps.append, limits=FAST)
    assert len(server.requests) == 1
    assert [step.phase for step in steps].count(Phase.DONE) == 1


def test_nothing_to_fetch_is_no_error(cache: Cache) -> None:
    assert fetch([], cache) == {}


# Resuming


def test_a_dropped_connection_is_resumed_where_it_broke(server: Any, cache: Cache) -> None:
    url = server.add(
        "/m", server.file(DATA, drop_after=100_000), server.file(DATA, drop_after=50_000), server.file(DATA)
    )
    assert get(cache, Resource(url=url)) == DATA
    assert server.ranges("/m") == [None, "bytes=100000-", "bytes=150000-"]
    assert [headers.get("If-Range") for _, headers in server.requests] == [None, '"v1"', '"v1"']


def test_a_failed_fetch_keeps_what_came_for_the_next(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA, drop_after=100_000), server.status(503)))
    assert refused(cache, resource).code == "server-error"
    assert part(cache, resource) == DATA[:100_000]
    assert cache.state(resource) is State.PARTIAL
    assert cache.plan([resource])[0].bytes == 200_000
    server.add("/m", server.file(DATA))
    assert get(cache, resource) == DATA
    assert server.ranges("/m")[-1] == "bytes=100000-"


def test_last_modified_serves_where_there_is_no_etag(server: Any, cache: Cache) -> None:
    when = "Mon, 02 Jan 2023 03:04:05 GMT"
    good = {"etag": "", "modified": when}
    url = server.add("/m", server.file(DATA, drop_after=1000, **good), server.file(DATA, **good))
    assert get(cache, Resource(url=url)) == DATA
    assert [headers.get("If-Range") for _, headers in server.requests] == [None, when]


def test_without_any_validator_a_checksum_allows_to_resume(server: Any, cache: Cache) -> None:
    url = server.add("/m", server.file(DATA, drop_after=1000, etag=""), server.file(DATA, etag=""))
    assert get(cache, Resource(url=url, sha256=SHA256)) == DATA
    assert server.ranges("/m") == [None, "bytes=1000-"]


@pytest.mark.parametrize("etag", ["", 'W/"v1"'])
def test_with_nothing_to_tell_it_by_a_download_starts_anew(server: Any, cache: Cache, etag: str) -> None:
    url = server.add("/m", server.file(DATA, drop_after=1000, etag=etag), server.file(DATA, etag=etag))
    assert get(cache, Resource(url=url)) == DATA
    assert server.ranges("/m") == [None, None]


@pytest.mark.parametrize(
    "second",
    [
        {"ranges": False},
        {"etag": '"v2"'},
        {"etag": '"v2"', "obeys_if_range": False},
        {"content_range": "bytes 0-299999/300000"},
        {"content_range": "bytes 1000-299999/999999"},
        {"content_range": "bytes 1000-999999/300000"},
        {"content_range": "nonsense"},
    ],
    ids=["ignores-range", "changed", "changed-and-ignored", "start", "total", "end", "nonsense"],
)
def test_a_range_other_than_the_requested_one_is_refused(server: Any, cache: Cache, second: dict[str, Any]) -> None:
    """The second answer is of another file, so that anything kept of the first would show."""
    url = server.add("/m", server.file(OTHER, drop_after=1000), server.file(DATA, **second), server.file(DATA))
    assert get(cache, Resource(url=url)) == DATA
    assert len(server.requests) <= 3


def test_from_a_server_that_mixes_up_versions_the_whole_file_is_requested(server: Any, cache: Cache) -> None:
    url = server.add("/m", server.file(OTHER, drop_after=1000), server.file(DATA))
    assert get(cache, Resource(url=url, md5=MD5)) == DATA
    assert server.ranges("/m") == [None, "bytes=1000-", None]


def test_a_partial_file_beyond_the_end_is_started_anew(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA, drop_after=100_000), server.status(404)))
    refused(cache, resource)
    server.add("/m", server.file(DATA[:50_000], obeys_if_range=False))
    assert get(cache, resource) == DATA[:50_000]


def test_a_whole_partial_file_needs_no_request(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA)), sha256=SHA256)
    get(cache, resource)
    files = cache.files(resource)
    files.file.rename(files.part)
    files.source.write_text(json.dumps({"url": resource.url, "etag": '"v1"', "total": len(DATA)}))
    assert get(cache, resource) == DATA
    assert len(server.requests) == 1


def test_a_partial_file_of_unknown_origin_is_not_used(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA)), sha256=SHA256)
    files = cache.files(resource)
    files.part.parent.mkdir(parents=True)
    files.part.write_bytes(OTHER[:1000])
    files.source.write_text("{ damaged")
    assert get(cache, resource) == DATA


def test_a_partial_file_of_another_url_is_not_used(server: Any, cache: Cache) -> None:
    """As on a file system where upper and lower case are the same."""
    resource = Resource(url=server.add("/m", server.file(DATA)))
    files = cache.files(resource)
    files.part.parent.mkdir(parents=True)
    files.part.write_bytes(OTHER[:1000])
    files.source.write_text(json.dumps({"url": resource.url.upper(), "etag": '"v1"', "total": len(DATA)}))
    assert get(cache, resource) == DATA
    assert server.ranges("/m") == [None]


def test_nothing_is_written_once_it_is_to_stop(server: Any, cache: Cache) -> None:
    class Stopping:
        def check(self) -> None:
            raise KeyboardInterrupt

        def advance(self, done: int, total: int | None) -> None: ...
        def pause(self, seconds: float) -> None: ...
        def reading(self, response: object) -> None: ...

    resource = Resource(url=server.add("/m", server.file(DATA)))
    files = cache.files(resource)
    files.part.parent.mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt):
        transfer.Transfer(Client(FAST), resource, files, Stopping()).run()
    assert part(cache, resource) == b""


# Failures that pass, and failures that stay


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(server: Any, cache: Cache, status: int) -> None:
    url = server.add("/m", server.status(status), server.status(status), server.file(DATA))
    assert get(cache, Resource(url=url)) == DATA


def test_retry_after_is_obeyed_within_reason(server: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("mlperf_mobile_fetch.fetch._Job.pause", lambda job, seconds: waited.append(seconds))
    url = server.add(
        "/m", server.status(429, {"Retry-After": 7}), server.status(503), server.status(503), server.file(DATA)
    )
    patient = Limits(tries=4, backoff_s=0.5)
    assert get(cache, Resource(url=url), patient) == DATA
    assert waited == [7, 1, 2]
    much = Resource(url=server.add("/n", server.status(429, {"Retry-After": 3600})))
    error = refused(cache, much, patient)
    assert (error.code, "3600 s" in error.hint, len(server.ranges("/n"))) == ("server-busy", True, 1)


def test_a_nonsensical_retry_after_is_ignored(server: Any, cache: Cache) -> None:
    url = server.add("/m", server.status(503, {"Retry-After": "soon"}), server.file(DATA))
    assert get(cache, Resource(url=url)) == DATA


@pytest.mark.parametrize(
    ("status", "code", "requests"),
    [
        (404, "url-not-found", 1),
        (410, "url-not-found", 1),
        (401, "url-forbidden", 1),
        (403, "url-forbidden", 1),
        (418, "url-refused", 1),
        (304, "url-refused", 1),
        (204, "bad-answer", 1),
        (206, "bad-answer", 1),
        (416, "url-refused", 1),
        (500, "server-error", 3),
        (429, "server-busy", 3),
    ],
)
def test_each_status_has_its_error(server: Any, cache: Cache, status: int, code: str, requests: int) -> None:
    error = refused(cache, Resource(url=server.add("/m", server.status(status))))
    assert (error.code, str(status) in error.summary) == (code, True)
    assert len(server.requests) == requests


def test_progress_earns_more_tries(server: Any, cache: Cache) -> None:
    big = random.Random(3).randbytes(8 << 20)
    url = server.add("/m", *[server.file(big, drop_after=(1 << 20) + 5)] * 9)
    assert get(cache, Resource(url=url)) == big
    assert len(server.requests) > FAST.tries


def test_a_server_that_always_begins_anew_and_drops_is_given_up(server: Any, cache: Cache) -> None:
    big = bytes(4 << 20)
    resource = Resource(url=server.add("/m", server.file(big, drop_after=3 << 20, ranges=False)))
    assert refused(cache, resource).code == "connection-dropped"
    assert len(server.requests) <= FAST.tries + 1


def test_a_body_shorter_than_declared_is_dropped(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA, length=len(DATA) + 10)))
    assert refused(cache, resource).code == "connection-dropped"
    assert not cache.has(resource)


def test_a_body_without_length_that_ends_early_is_noticed_by_its_size(server: Any, cache: Cache) -> None:
    url = server.add("/m", server.file(DATA, unsized=True, drop_after=10), server.file(DATA))
    assert get(cache, Resource(url=url, bytes=len(DATA))) == DATA


def test_a_chunked_body_that_breaks_is_noticed(server: Any, cache: Cache) -> None:
    url = server.add("/m", server.file(DATA, chunked=True, drop_after=1000), server.file(DATA))
    assert get(cache, Resource(url=url)) == DATA


@pytest.mark.slow
def test_a_stalled_connection_is_given_up_and_resumed(server: Any, cache: Cache) -> None:
    url = server.add("/m", server.file(DATA, drop_after=1000, hold=True), server.file(DATA))
    assert get(cache, Resource(url=url), Limits(read_s=2, tries=20, backoff_s=0)) == DATA
    assert server.ranges("/m")[:2] == [None, "bytes=1000-"]


def test_a_server_that_never_answers_is_given_up(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/m", lambda handler: server.released.wait()))
    assert refused(cache, resource, IMPATIENT).code == "server-timeout"


@pytest.mark.slow
def test_a_dripping_connection_counts_as_stalled(server: Any, cache: Cache) -> None:
    slow = Limits(tries=1, slow_s=1, slow_bytes=1000)
    resource = Resource(url=server.add("/m", server.drip(DATA)))
    assert refused(cache, resource, slow).code == "server-timeout"
    assert DATA.startswith(part(cache, resource)) and part(cache, resource)


def test_no_address(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    error = refused(cache, Resource(url="https://models.invalid/m"))
    assert (error.code, "models.invalid" in error.summary) == ("host-unknown", True)


def test_nobody_listens(cache: Cache) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    error = refused(cache, Resource(url=f"http://127.0.0.1:{port}/m"))
    assert (error.code, "refused" in error.summary) == ("connection-failed", True)


def test_a_certificate_that_nobody_signed(tls_server: Any, cache: Cache) -> None:
    error = refused(cache, Resource(url=tls_server.add("/m", tls_server.file(DATA))))
    assert (error.code, "self-signed" in error.summary) == ("tls-failed", True)
    assert not tls_server.requests


def test_no_tls_where_it_should_be(server: Any, cache: Cache) -> None:
    url = server.add("/m", server.file(DATA)).replace("http:", "https:")
    assert refused(cache, Resource(url=url)).code == "tls-failed"


def test_the_systems_certificates_count(
    tls_server: Any, cache: Cache, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert get(cache, Resource(url=tls_server.add("/m", tls_server.file(DATA)))) == DATA


def test_not_http_at_all(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/m", lambda handler: handler.wfile.write(b"SSH-2.0-no\r\n\r\n")))
    assert refused(cache, resource).code == "connection-dropped"


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(server: Any, cache: Cache, status: int) -> None:
    server.add("/there", server.file(DATA))
    resource = Resource(url=server.add("/here", server.redirect("/there", status)), sha256=SHA256)
    assert get(cache, resource) == DATA
    assert "here" in cache.path(resource).name


def test_a_redirected_download_resumes(server: Any, cache: Cache) -> None:
    server.add("/there", server.file(DATA, drop_after=1000), server.file(DATA))
    resource = Resource(url=server.add("/here", server.redirect("/there")))
    assert get(cache, resource) == DATA
    assert server.ranges("/there") == [None, "bytes=1000-"]


def test_a_redirect_in_circles(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/a", server.redirect("/b")))
    server.add("/b", server.redirect("/a"))
    assert refused(cache, resource).code == "redirect-loop"
    assert len(server.requests) == FAST.redirects + 1


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/m",
        "http://models.invalid/m",
        "http://[::1/m",
        "https:///m",
        "",
        "data:,x",
    ],
)
def test_a_redirect_to_somewhere_unsafe(server: Any, cache: Cache, location: str) -> None:
    resource = Resource(url=server.add("/m", server.redirect(location)))
    assert refused(cache, resource).code == "redirect-refused"


def test_a_redirect_from_https_to_http(
    tls_server: Any, server: Any, cache: Cache, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    there = server.add("/m", server.file(DATA))
    resource = Resource(url=tls_server.add("/m", tls_server.redirect(there)), sha256=SHA256)
    assert refused(cache, resource).code == "redirect-refused"
    assert not server.requests


def test_a_proxy_is_used(server: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://models.invalid/m"
    server.answers[url] = [server.file(DATA)]  # a proxy is asked for the whole URL
    monkeypatch.setenv("http_proxy", server.url("").replace("http://", "http://me:p%40ss@"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert get(cache, Resource(url=url, sha256=SHA256)) == DATA
    assert server.requests[0][1]["proxy-authorization"] == "Basic bWU6cEBzcw=="  # base64 of me:p@ss


def test_this_machine_needs_no_proxy(server: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert get(cache, Resource(url=server.add("/m", server.file(DATA)))) == DATA


def test_a_proxy_of_an_unknown_kind(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://me:secret@127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(DataError) as caught:
        fetch([Resource(url="https://models.invalid/m")], cache, limits=FAST)
    assert caught.value.code == "proxy-unusable"
    assert "secret" not in caught.value.line()


# Sizes


def test_a_wrong_declared_size_is_refused_before_the_body(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA, drop_after=0, hold=True)), bytes=len(DATA) - 1)
    assert refused(cache, resource).code == "size-mismatch"


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1])
def test_a_wrong_undeclared_size_is_refused(server: Any, cache: Cache, size: int) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA, unsized=True, etag="")), bytes=size)
    assert refused(cache, resource).code == ("size-mismatch" if size < len(DATA) else "connection-dropped")
    assert not cache.has(resource)


def test_a_declared_size_beyond_the_limit(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA, drop_after=0, hold=True)), max_bytes=1000)
    error = refused(cache, resource)
    assert (error.code, "1000" in error.summary) == ("too-large", True)


@pytest.mark.parametrize("chunked", [True, False])
def test_an_endless_body(server: Any, cache: Cache, chunked: bool) -> None:
    resource = Resource(url=server.add("/m", server.endless(chunked=chunked)), max_bytes=1 << 20)
    assert refused(cache, resource).code == "too-large"
    assert leftovers(cache) == set()


def test_content_encoding_is_declined(server: Any, cache: Cache) -> None:
    get(cache, Resource(url=server.add("/m", server.file(DATA))))
    assert server.requests[0][1]["Accept-Encoding"] == "identity"


def test_an_encoded_body_is_taken_as_it_comes_if_a_checksum_says_so(server: Any, cache: Cache) -> None:
    packed = gzip.compress(b"text", mtime=0)
    url = server.add("/m.gz", server.file(packed, headers={"Content-Encoding": "gzip"}))
    assert get(cache, Resource(url=url, sha256=hashlib.sha256(packed).hexdigest())) == packed
    assert refused(Cache(cache.folder / "b"), Resource(url=url)).code == "bad-answer"
    error = refused(Cache(cache.folder / "c"), Resource(url=url, sha256=hashlib.sha256(b"text").hexdigest()))
    assert (error.code, "gzip" in error.summary) == ("checksum-mismatch", True)


# Checksums


@pytest.mark.parametrize("wrong", [{"sha256": "0" * 64}, {"md5": "0" * 32}, {"sha256": SHA256, "md5": "0" * 32}])
def test_a_wrong_checksum_leaves_nothing_to_resume(server: Any, cache: Cache, wrong: dict[str, str]) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA)), **wrong)
    error = refused(cache, resource)
    assert (error.code, "0" * 32 in error.summary) == ("checksum-mismatch", True)
    assert leftovers(cache) == set()
    refused(cache, resource)
    assert server.ranges("/m") == [None, None]


def test_the_older_file_stays_until_the_new_one_is_good(server: Any, cache: Cache) -> None:
    old = Resource(url=server.add("/m", server.file(DATA)), sha256=SHA256)
    get(cache, old)
    new = Resource(url=old.url, sha256=hashlib.sha256(OTHER).hexdigest())
    assert cache.state(new) is State.OUTDATED
    assert refused(cache, new).code == "checksum-mismatch"
    assert cache.path(old).read_bytes() == DATA
    assert cache.has(old)
    server.add("/m", server.file(OTHER, etag='"v2"'))
    assert get(cache, new) == OTHER
    assert not cache.has(old)


def test_an_old_record_never_describes_a_new_file(server: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends after the file took its place, before its record is written."""
    old = Resource(url=server.add("/m", server.file(DATA)), sha256=SHA256)
    get(cache, old)
    new = Resource(url=server.add("/m", server.file(OTHER)), sha256=hashlib.sha256(OTHER).hexdigest())

    def killed(record: Record, path: Path) -> None:
        raise OSError(errno.EIO, "as good as killed", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Record, "write", killed)
        with pytest.raises(DataError, match="as good as killed"):
            fetch([new], cache, limits=FAST)
    assert cache.state(old) is State.UNCHECKED
    assert get(cache, new) == OTHER
    assert len(server.requests) == 2


def test_a_file_put_there_by_hand_is_taken_if_it_is_the_one(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA)), sha256=SHA256)
    file = cache.files(resource).file
    file.parent.mkdir(parents=True)
    file.write_bytes(DATA)
    assert cache.state(resource) is State.UNCHECKED
    assert get(cache, resource) == DATA
    assert not server.requests
    cache.files(resource).record.unlink()
    file.write_bytes(OTHER)
    assert get(cache, resource) == DATA
    assert len(server.requests) == 1


def test_a_damaged_file_comes_anew(server: Any, cache: Cache) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA)))
    get(cache, resource)
    cache.path(resource).write_bytes(DATA[:-1])
    assert cache.state(resource) is State.DAMAGED
    assert get(cache, resource) == DATA
    cache.path(resource).write_bytes(OTHER)  # of the same size: only verifying can tell
    with pytest.raises(DataError) as caught:
        cache.verify(resource)
    assert caught.value.code == "resource-damaged"
    assert cache.state(resource) is State.DAMAGED
    assert get(cache, resource) == DATA


def test_an_unverified_archive_that_cannot_be_unpacked_comes_anew(server: Any, cache: Cache) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", DATA)
    whole = packed.getvalue()
    resource = Resource(url=server.add("/d.zip", server.file(whole[:-30]), server.file(whole)), unpack=True)
    assert refused(cache, resource).code == "archive-damaged"
    assert (fetch([resource], cache, limits=FAST)[resource] / "a").read_bytes() == DATA


def test_the_listed_checksum_of_a_bad_archive_is_believed(server: Any, cache: Cache) -> None:
    sha256 = hashlib.sha256(DATA).hexdigest()
    resource = Resource(url=server.add("/d.zip", server.file(DATA)), unpack=True, sha256=sha256)
    assert refused(cache, resource).code == refused(cache, resource).code == "archive-kind"
    assert len(server.requests) == 1
    assert not (cache.folder / "unpacked").exists() or not any((cache.folder / "unpacked").rglob("*.zip"))


# Several, of which some fail


def test_one_failure_keeps_nobody_else_from_coming(server: Any, cache: Cache) -> None:
    good = [Resource(url=server.add(f"/{n}", server.file(DATA))) for n in range(4)]
    bad = Resource(url=server.url("/nothing"))
    with pytest.raises(DataError) as caught:
        fetch([bad, *good], cache, workers=2, limits=FAST)
    assert caught.value.code == "url-not-found"
    assert all(cache.has(each) for each in good)


def test_several_failures_are_reported_together(server: Any, cache: Cache) -> None:
    bad = [Resource(url=server.url(f"/{n}")) for n in range(3)]
    steps: list[Step] = []
    with pytest.raises(FetchError) as caught:
        fetch([*bad, Resource(url=server.add("/m", server.file(DATA)))], cache, listen=steps.append, limits=FAST)
    assert caught.value.code == "fetch-failed"
    assert "3 of 4" in caught.value.summary
    assert [failure.code for failure in caught.value.failures] == ["url-not-found"] * 3
    assert {s.resource for s in steps if s.phase is Phase.FAILED} == set(bad)


def test_what_must_be_provided_by_hand_is_reported(cache: Cache) -> None:
    resource = Resource(url="local:///sets/imagenet", about="the 50000 images of ILSVRC 2012")
    error = refused(cache, resource)
    assert error.code == "resource-missing"
    assert "50000 images" in error.hint and str(cache.folder / "local/sets/imagenet") in error.hint


def test_what_was_provided_by_hand_is_checked(cache: Cache) -> None:
    resource = Resource(url="local://m.tflite", sha256=SHA256)
    path = cache.location(resource)
    path.parent.mkdir(parents=True)
    path.write_bytes(OTHER)
    with pytest.raises(DataError) as caught:
        fetch([resource], cache)
    assert (caught.value.code, str(path) in caught.value.summary) == ("resource-damaged", True)
    path.write_bytes(DATA)
    assert fetch([resource], cache) == {resource: path}


def test_a_listener_that_fails_ends_it(server: Any, cache: Cache) -> None:
    resources = [Resource(url=server.add(f"/{n}", server.file(DATA, hold=True, drop_after=10))) for n in range(3)]

    def fail(step: Step) -> None:
        raise BrokenPipeError("nobody reads")

    with pytest.raises(BrokenPipeError, match="nobody reads"):
        fetch(resources, cache, listen=fail)


def test_an_end_does_not_wait_for_silent_servers(server: Any, cache: Cache) -> None:
    reading = threading.Event()

    def after_the_other(handler: Any) -> None:
        reading.wait()
        server.file(DATA)(handler)

    silent = Resource(url=server.add("/silent", server.file(DATA, drop_after=10, hold=True)))
    other = Resource(url=server.add("/other", after_the_other))

    def listen(step: Step) -> None:
        if step.resource == silent and step.done == 10:
            reading.set()
        elif step.resource == other:
            raise RuntimeError("that is all")

    with pytest.raises(RuntimeError, match="that is all"):
        fetch([silent, other], cache, limits=Limits(read_s=3600), listen=listen)
    assert part(cache, silent) == DATA[:10]


# The file system


def test_a_full_disk_while_writing(server: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA)), sha256=SHA256)
    write = transfer._write

    def full(writer: Any, data: bytes) -> None:
        write(writer, data[:1000])
        raise OSError(errno.ENOSPC, "No space left on device", "m.part")

    with monkeypatch.context() as patch:
        patch.setattr(transfer, "_write", full)
        with pytest.raises(DataError) as caught:
            fetch([resource], cache, limits=FAST)
    assert (caught.value.code, "m.part" in caught.value.summary) == ("disk-full", True)
    assert part(cache, resource) == DATA[:1000]
    assert get(cache, resource) == DATA
    assert server.ranges("/m") == [None, "bytes=1000-"]


def test_too_little_space_is_reported_before_the_body(
    server: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = Resource(url=server.add("/m", server.file(DATA, drop_after=0, hold=True)))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))
    error = refused(cache, resource)
    assert (error.code, str(len(DATA)) in error.summary) == ("disk-full", True)


def test_a_full_disk_while_unpacking(server: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", DATA)
    resource = Resource(url=server.add("/d.zip", server.file(packed.getvalue())), unpack=True)
    opened = Path.open

    def full(path: Path, *args: Any, **more: Any) -> Any:
        if args == ("xb",):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return opened(path, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(DataError) as caught:
            fetch([resource], cache, limits=FAST)
    assert caught.value.code == "disk-full"
    assert cache.state(resource) is State.PACKED
    assert [p for p in (cache.folder / "unpacked").rglob("*") if p.is_file() or "unpacking" in p.name] == []


def test_the_cache_is_a_file(server: Any, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a folder")
    resource = Resource(url=server.add("/m", server.file(DATA)))
    with pytest.raises(DataError) as caught:
        fetch([resource], Cache(tmp_path / "cache"), limits=FAST)
    assert (caught.value.code, str(tmp_path / "cache") in caught.value.line()) == ("cache-unusable", True)


def test_a_cache_that_cannot_be_written(server: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    present = Resource(url=server.add("/present", server.file(DATA)))
    get(cache, present)

    def read_only(path: Any, flags: int, *args: Any, **more: Any) -> int:
        if flags & (os.O_CREAT | os.O_RDWR):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return os_open(path, flags, *args, **more)

    os_open = os.open
    monkeypatch.setattr(os, "open", read_only)
    assert get(cache, present) == DATA
    with pytest.raises(DataError) as caught:
        fetch([Resource(url=server.add("/absent", server.file(DATA)))], cache, limits=FAST)
    assert (caught.value.code, "Read-only" in caught.value.summary) == ("cache-unusable", True)


def test_a_folder_without_permission(server: Any, cache: Cache, permissions_bind: None) -> None:
    cache.folder.mkdir(mode=0o500)
    with pytest.raises(DataError) as caught:
        fetch([Resource(url=server.add("/m", server.file(DATA)))], cache, limits=FAST)
    assert caught.value.code == "cache-unusable"


def test_one_url_below_another(server: Any, cache: Cache) -> None:
    """``/a`` is a file, so ``/a/b`` has no folder to be in."""
    file = cache.folder / "downloads" / "models.invalid" / "a"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    with pytest.raises(DataError) as caught:
        fetch([Resource(url="https://models.invalid/a/b")], cache, limits=FAST)
    assert (caught.value.code, str(file) in caught.value.summary) == ("cache-unusable", True)


def test_a_file_system_without_locks(server: Any, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*args: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(DataError) as caught:
        fetch([Resource(url=server.add("/m", server.file(DATA)))], cache, limits=FAST)
    assert caught.value.code == "cache-lock"


# Other processes

FETCHER = """
import sys
from pathlib import Path
from mlperf_mobile.resources.cache import Cache
from mlperf_mobile.resources.resource import Resource
from mlperf_mobile_fetch.fetch import fetch
told = lambda step: print(step.phase, step.done, flush=True)
fetch([Resource(url=sys.argv[1])], Cache(Path(sys.argv[2])), listen=told)
"""


def start(resource: Resource, cache: Cache) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", FETCHER, resource.url, str(cache.folder)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read_until(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout
    for told in process.stdout:
        if told.strip() == line:
            return
    pytest.fail(f"{line!r} never came: {process.stderr and process.stderr.read()}")


@pytest.mark.usefixtures("processes")
def test_a_second_process_waits_and_finds_it_done(server: Any, cache: Cache) -> None:
    def slow(handler: Any) -> None:
        handler.head(200, {"Content-Length": len(DATA)})
        handler.wfile.write(DATA[:1000])
        server.released.wait()
        handler.wfile.write(DATA[1000:])

    resource = Resource(url=server.add("/m", slow))
    with start(resource, cache) as first:
        read_until(first, "downloading 1000")
        with start(resource, cache) as second:
            read_until(second, "waiting 0")
            server.released.set()
            assert [first.wait(200), second.wait(200)] == [0, 0]
    assert len(server.requests) == 1
    assert cache.path(resource).read_bytes() == DATA


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.usefixtures("processes")
def test_a_process_that_ends_midway_leaves_something_to_resume(server: Any, cache: Cache, number: int) -> None:
    url = server.add("/m", server.file(DATA, drop_after=1000, hold=True), server.file(DATA))
    resource = Resource(url=url)
    with start(resource, cache) as process:
        read_until(process, "downloading 1000")
        process.send_signal(number)
        _, stderr = process.communicate(timeout=200)
        assert process.returncode == (-number if number == signal.SIGKILL else process.returncode)
        assert process.returncode != 0
    assert ("KeyboardInterrupt" in stderr) is (number == signal.SIGINT)
    assert part(cache, resource) == DATA[:1000]
    assert get(cache, resource) == DATA
    assert server.ranges("/m") == [None, "bytes=1000-"]
