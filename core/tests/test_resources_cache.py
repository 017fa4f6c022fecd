"""Resources, their places, and what the cache says about them, without a network."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mlperf_mobile.errors import DataError, UsageError
from mlperf_mobile.resources.cache import Cache, Need, State, missing_resources
from mlperf_mobile.resources.folder import default_folder
from mlperf_mobile.resources.resource import Resource, place_of

OFFICIAL = "https://mobile.mlcommons-storage.org/app-resources/datasets/v0_7/imagenet.zip"
DATA = b"abc"
SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
MD5 = "900150983cd24fb0d6963f7d28e17f72"  # RFC 1321, A.5


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def put(cache: Cache, resource: Resource, data: bytes = DATA) -> Path:
    """Write a file and its record as a download leaves them."""
    files = cache.files(resource)
    files.file.parent.mkdir(parents=True, exist_ok=True)
    files.file.write_bytes(data)
    sha256, md5 = hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest()
    files.record.write_text(json.dumps({"url": resource.url, "bytes": len(data), "sha256": sha256, "md5": md5}))
    return files.file


# Resources


@pytest.mark.parametrize(
    "url",
    [
        OFFICIAL, "https://[::1]/m", "https://host:8443/m?version=2", "http://127.0.0.1:80/m", "http://localhost/m",
        "http://[::1]:80/m", "local:///mlperf_datasets/imagenet/img", "local://m.tflite", "local://a folder/x",
    ],
)  # fmt: skip
def test_good_urls(url: str) -> None:
    assert Resource(url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "", "m.tflite", "/m.tflite", "ftp://host/m", "file:///etc/passwd", "HTTPS://host/m", "https:/host/m", "https://",
        "https:///m", "https://host:0/m", "https://host:x/m", "https://host:99999/m", "https://[::1/m",
        "https://me:pw@host/m", "https://host/m#part", "https://host/a b", "https://host/a\nb", "https://host/a\\b",
        "https://host/ä", "https://host/" + "a" * 2048, "http://host/m",
        "local://", "local:///", "local://../m", "local://a/../../m", "local://./m", "local://a//m", "local://a\\m",
        "local://a\0", "local://" + "a/" * 40 + "m", "local://" + "a" * 256,
    ],
)  # fmt: skip
def test_bad_urls(url: str) -> None:
    with pytest.raises(ValidationError):
        Resource(url=url)


@pytest.mark.parametrize(
    "fields",
    [
        {"sha256": "abc"}, {"sha256": SHA256.upper()}, {"md5": SHA256}, {"bytes": 0}, {"bytes": -1}, {"max_bytes": 0},
        {"bytes": 11, "max_bytes": 10}, {"unknown": 1},
    ],
)  # fmt: skip
def test_bad_fields(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Resource.model_validate({"url": OFFICIAL, **fields})


def test_plain_http_is_for_what_a_checksum_proves() -> None:
    assert Resource(url="http://host/m", md5=MD5)
    with pytest.raises(ValidationError, match="checksum"):
        Resource(url="http://host/m")


def test_what_is_provided_by_hand_is_not_unpacked() -> None:
    with pytest.raises(ValidationError, match="unpacked"):
        Resource(url="local://a.zip", unpack=True)


def test_resources_are_values() -> None:
    assert {Resource(url=OFFICIAL), Resource(url=OFFICIAL)} == {Resource(url=OFFICIAL)}
    assert not Resource(url=OFFICIAL).is_checked


# Places


def test_the_place_of_a_plain_url_is_the_url() -> None:
    assert str(place_of(OFFICIAL)) == OFFICIAL.removeprefix("https://")


@pytest.mark.parametrize(
    "url",
    [
        "https://h/../../etc/passwd", "https://h/%2e%2e/%2F", "https://h/.hidden", "https://h", "https://h/", "https://h//",
        "https://h/a?b=/../c", "https://H/a", "https://h:443/a", "https://h/-rf", "https://h/~root", "https://h/a.",
        "https://h/" + "a/" * 50 + "b", "https://h/" + "b" * 1000, "http://h/a", "https://[::1]/a", "https://h/a;b", "https://h/a:b",
    ],
)  # fmt: skip
def test_the_place_of_a_peculiar_url_is_safe_and_its_own(url: str) -> None:
    _is_safe(place_of(url).parts)
    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    assert digest in place_of(url).name


def _is_safe(parts: tuple[str, ...]) -> None:
    assert 2 <= len(parts) <= 32
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+=@~-")
    for part in parts:
        assert set(part) <= allowed
        assert part[0] not in ".-~"
        assert part[-1] != "."
        assert 0 < len(part) <= 200


URL_PARTS = st.one_of(
    st.text(max_size=10).map(quote),
    st.sampled_from(["..", ".", "", "a", "A", "a.zip", "%2e%2e", ".a.json", "~", "a:b"]),
    st.text(alphabet=[chr(c) for c in range(0x21, 0x7F) if chr(c) not in "#\\"], max_size=300),
)
URLS = st.builds(
    lambda scheme, host, parts: f"{scheme}://{host}/{'/'.join(parts)}",
    st.sampled_from(["https", "http"]),
    st.sampled_from(["h", "H", "h:443", "h.org", "[::1]", "127.0.0.1:80"]),
    st.lists(URL_PARTS, max_size=40),
)


@given(st.lists(URLS, min_size=1, max_size=4, unique=True))
def test_every_url_has_a_safe_place_of_its_own(urls: list[str]) -> None:
    for url in urls:
        _is_safe(place_of(url).parts)
    assert len({place_of(url) for url in urls}) == len(urls)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_local_places_never_lead_out(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    root = Path("/cache")
    try:
        resource = Resource(url=f"local://{path}")
    except ValidationError:
        return
    location = Cache(root).location(resource)
    assert Path(os.path.normpath(location)).is_relative_to(root / "local")
    assert location != root / "local"
    assert os.path.normpath(location) == str(location)


# Folders


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_folder() == Path("/home/someone/.cache/mlperf-mobile")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/someone")
    assert default_folder() == Path("/var/cache/someone/mlperf-mobile")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_folder() == Path("/home/someone/.cache/mlperf-mobile")


def test_nobody_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(UsageError) as caught:
        default_folder()
    assert caught.value.code == "no-cache"


def test_locations(cache: Cache) -> None:
    place = OFFICIAL.removeprefix("https://")
    assert cache.location(Resource(url=OFFICIAL)) == cache.folder / "downloads" / place
    assert cache.location(Resource(url=OFFICIAL, unpack=True)) == cache.folder / "unpacked" / place
    by_hand = Resource(url="local:///mlperf_datasets/imagenet/img")
    assert cache.location(by_hand) == cache.folder / "local/mlperf_datasets/imagenet/img"


# States


def test_looking_changes_nothing(cache: Cache) -> None:
    resources = [Resource(url=OFFICIAL), Resource(url=OFFICIAL, unpack=True), Resource(url="local://a")]
    assert [cache.state(each) for each in resources] == [State.MISSING] * 3
    assert not cache.folder.exists()


def test_a_file_is_present_by_its_record(cache: Cache) -> None:
    resource = Resource(url=OFFICIAL, sha256=SHA256, md5=MD5, bytes=3)
    path = put(cache, resource)
    assert cache.path(resource) == path
    assert cache.sha256(resource) == SHA256
    record = cache.files(resource).record
    for damage in ("", "{", "[]", '{"url": 1}', json.dumps({"url": OFFICIAL}), "[" * 100_000):
        record.write_text(damage)
        assert cache.state(resource) is State.UNCHECKED
        assert cache.sha256(resource) is None


def test_a_record_of_another_url_does_not_count(cache: Cache) -> None:
    """As on a file system where upper and lower case are the same."""
    resource = Resource(url=OFFICIAL)
    put(cache, resource)
    record = cache.files(resource).record
    record.write_text(record.read_text().replace("imagenet", "ImageNet"))
    assert cache.state(resource) is State.UNCHECKED


@pytest.mark.parametrize("other", [{"sha256": "0" * 64}, {"md5": "0" * 32}, {"bytes": 4}])
def test_another_version_is_outdated(cache: Cache, other: dict[str, object]) -> None:
    put(cache, Resource(url=OFFICIAL))
    assert cache.state(Resource.model_validate({"url": OFFICIAL, **other})) is State.OUTDATED


def test_a_cache_may_be_moved(cache: Cache, tmp_path: Path) -> None:
    resource = Resource(url=OFFICIAL, md5=MD5)
    put(cache, resource)
    moved = Cache(cache.folder.rename(tmp_path / "elsewhere"))
    assert moved.path(resource).read_bytes() == DATA
    assert moved.verify(resource)
    assert not cache.has(resource)


def test_local_files_and_folders(cache: Cache) -> None:
    folder, file = Resource(url="local://set"), Resource(url="local://m", bytes=3)
    cache.location(folder).mkdir(parents=True)
    assert cache.state(folder) is State.MISSING  # nothing is in it
    (cache.location(folder) / "a").touch()
    assert cache.state(folder) is State.PRESENT
    cache.location(file).write_bytes(b"longer")
    assert cache.state(file) is State.DAMAGED
    cache.location(file).write_bytes(DATA)
    assert cache.state(file) is State.PRESENT
    assert cache.sha256(file) is None


def test_a_plan_lists_what_would_be_fetched(cache: Cache) -> None:
    there, sized, unsized = Resource(url=f"{OFFICIAL}1"), Resource(url=f"{OFFICIAL}2", bytes=10), Resource(url=OFFICIAL)
    partial, by_hand = Resource(url=f"{OFFICIAL}3"), Resource(url="local://x", bytes=5)
    put(cache, there)
    files = cache.files(partial)
    files.part.write_bytes(DATA)
    files.source.write_text(json.dumps({"url": partial.url, "total": 100}))
    assert cache.plan([there, sized, unsized, partial, by_hand, there]) == [
        Need(there, State.PRESENT, 0),
        Need(sized, State.MISSING, 10),
        Need(unsized, State.MISSING, None),
        Need(partial, State.PARTIAL, 97),
        Need(by_hand, State.MISSING, 0),
    ]


# What is missing


def test_the_error_of_a_missing_download(cache: Cache) -> None:
    with pytest.raises(DataError) as caught:
        cache.path(Resource(url=OFFICIAL))
    error = caught.value
    assert error.code == "resource-missing"
    assert OFFICIAL in error.summary and str(cache.folder) in error.summary
    assert "mlperf-mobile fetch" in error.hint


def test_the_error_of_several(cache: Cache) -> None:
    by_hand = [Resource(url="local:///a/b", about="the 5000 images of COCO val2017"), Resource(url="local://c")]
    error = missing_resources([Resource(url=OFFICIAL), *by_hand], cache.folder)
    assert all(each.url in error.summary for each in by_hand)
    assert f"put the 5000 images of COCO val2017 at {cache.folder}/local/a/b" in error.hint
    assert f"{cache.folder}/local/c" in error.hint
    assert "mlperf-mobile fetch" in error.hint
    assert "mlperf-mobile fetch" not in missing_resources(by_hand, cache.folder).hint


def test_a_cache_that_cannot_be_read(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = Resource(url="local://set")
    cache.location(resource).mkdir(parents=True)

    def closed(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", closed)
    with pytest.raises(DataError) as caught:
        cache.state(resource)
    assert (caught.value.code, str(cache.location(resource)) in caught.value.summary) == ("cache-unusable", True)


# Verifying


def test_verifying_names_the_checksum(cache: Cache) -> None:
    assert [cache.verify(r) for r in (Resource(url=OFFICIAL), Resource(url=OFFICIAL, md5=MD5)) if put(cache, r)] == [
        False,
        True,
    ]
    by_hand = Resource(url="local://m")
    cache.location(by_hand).parent.mkdir(parents=True)
    cache.location(by_hand).write_bytes(DATA)
    assert cache.verify(by_hand) is False
    assert cache.verify(Resource(url="local://m", sha256=SHA256)) is True
    for wrong in ({"sha256": "0" * 64}, {"md5": "0" * 32}):
        with pytest.raises(DataError, match="not the expected file"):
            cache.verify(Resource.model_validate({"url": "local://m", **wrong}))


def test_a_folder_where_a_file_was_meant(cache: Cache) -> None:
    resource = Resource(url="local://m", sha256=SHA256)
    cache.location(resource).mkdir(parents=True)
    (cache.location(resource) / "a").touch()
    with pytest.raises(DataError, match="it is a folder"):
        cache.verify(resource)


def test_a_flipped_bit_is_found(cache: Cache) -> None:
    resource = Resource(url=OFFICIAL, md5=MD5)
    path = put(cache, resource)
    path.write_bytes(b"abd")
    with pytest.raises(DataError) as caught:
        cache.verify(resource)
    assert (caught.value.code, str(path) in caught.value.summary) == ("resource-damaged", True)
    with pytest.raises(DataError, match="damaged"):
        cache.path(resource)


def test_a_damaged_file_is_reported_where_nothing_can_be_written(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = Resource(url=OFFICIAL)
    put(cache, resource).write_bytes(b"abd")

    def read_only(path: Path, target: Path) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "replace", read_only)
    with pytest.raises(DataError, match="SHA-256"):
        cache.verify(resource)
