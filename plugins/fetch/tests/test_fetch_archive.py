"""Unpacking archives that were made to do harm, and some that were not."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.errors import DataError
from mlperf_mobile_fetch import archive as archives
from mlperf_mobile_fetch.archive import Limits, unpack
from mlperf_mobile_fetch.members import Names, UnsafeName, check_directory

Members = dict[str, bytes]


def zipped(members: Members | list[tuple[Any, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as opened:
        for name, data in members.items() if isinstance(members, dict) else members:
            opened.writestr(name, data)
    return packed.getvalue()


def tarred(members: Members | list[tuple[Any, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=form) as opened:
        for name, data in members.items() if isinstance(members, dict) else members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(name, str):
                info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
                info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    return packed.getvalue()


both = pytest.mark.parametrize("pack", [zipped, tarred])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a secret outside and nothing inside."""
    (tmp_path / "secret").write_text("untouched")
    (tmp_path / "inner").mkdir()
    return tmp_path / "inner"


def attempt(place: Path, data: bytes, limits: Limits | None = None) -> dict[str, bytes]:
    source = place.parent / "archive"
    source.write_bytes(data)
    tree = place / "tree"
    sums = unpack(source, tree, limits or Limits())
    found = {p.relative_to(tree).as_posix(): p.read_bytes() for p in tree.rglob("*") if p.is_file()}
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
    assert list(place.iterdir()) == [tree]
    return found


def refused(place: Path, data: bytes, limits: Limits | None = None) -> str:
    """The error's code; that nothing was left behind, or changed outside, is seen to."""
    before = {p.name for p in place.parent.iterdir()} | {"archive"}
    with pytest.raises(DataError) as caught:
        attempt(place, data, limits)
    assert str(place.parent / "archive") in caught.value.summary
    assert caught.value.hint
    assert list(place.iterdir()) == []
    assert {p.name for p in place.parent.iterdir()} == before
    assert (place.parent / "secret").read_text() == "untouched"
    return caught.value.code


@both
def test_files_and_folders(place: Path, pack: Callable[[Members], bytes]) -> None:
    members = {"img/": b"", "img/a.jpg": b"\0" * 3_000_000, "img/deep/er/b": b"b", "./c": b"", "empty/": b""}
    assert attempt(place, pack(members)) == {
        "img/a.jpg": b"\0" * 3_000_000,
        "img/deep/er/b": b"b",
        "c": b"",
    }
    assert (place / "tree" / "empty").is_dir()


@both
def test_unicode_and_long_names(place: Path, pack: Callable[[Members], bytes]) -> None:
    members = {"日本語/ünïcödé name.txt": b"1", f"{'d' * 90}/{'e' * 90}/{'f' * 90}": b"2"}
    assert attempt(place, pack(members)) == members


def test_tar_of_the_older_kinds(place: Path) -> None:
    members = {f"{'x' * 120}.txt": b"1", "b": b"2" * 512, "c": b"3" * 1024}
    assert attempt(place, tarred(members, tarfile.GNU_FORMAT)) == members


def test_stored_zip(place: Path) -> None:
    assert attempt(place, zipped({"a": b"1"}, zipfile.ZIP_STORED)) == {"a": b"1"}


@both
def test_an_empty_archive_is_an_empty_folder(place: Path, pack: Callable[[Members], bytes]) -> None:
    assert attempt(place, pack({})) == {}


def test_a_zip_that_needs_zip64(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)  # the writer then uses zip64 for all
    data = bytearray(zipped({"a": b"1", "b": b"2"}))
    struct.pack_into("<I", data, data.rindex(b"PK\x05\x06") + 12, 0xFFFFFFFF)  # "see there", as for large tables
    assert attempt(place, bytes(data)) == {"a": b"1", "b": b"2"}


def test_permissions_are_of_plain_files(place: Path) -> None:
    info = tarfile.TarInfo("tool")
    info.mode, info.uid, info.size = 0o6777, 12345, 1
    attempt(place, tarred([(info, b"x")]))
    mask = os.umask(0)
    os.umask(mask)
    there = (place / "tree" / "tool").stat()
    assert stat.S_IMODE(there.st_mode) == 0o666 & ~mask
    assert there.st_uid == os.getuid()


def test_the_old_content_gives_way_only_to_good_content(place: Path) -> None:
    attempt(place, zipped({"old": b"1"}))
    with pytest.raises(DataError):
        attempt(place, zipped({"good": b"2", "../bad": b"3"}))
    assert (place / "tree" / "old").read_bytes() == b"1"
    assert attempt(place, zipped({"new": b"2"})) == {"new": b"2"}


def test_remains_of_an_interrupted_try_are_removed(place: Path) -> None:
    (place / ".tree.unpacking" / "sub").mkdir(parents=True)
    (place / ".tree.unpacking" / "a").write_text("stale")
    assert attempt(place, zipped({"a": b"1"})) == {"a": b"1"}


def test_an_interruption_leaves_nothing(place: Path) -> None:
    source = place.parent / "archive"
    source.write_bytes(zipped({"a": b"1", "b": b"2"}))

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(source, place / "tree", Limits(), stop)
    assert list(place.iterdir()) == []


# Names

EVIL = [
    "../secret", "a/../../secret", "/etc/evil", "//evil", "a/..", "..", "a\\..\\b", "C:evil", "C:/evil",
    "new\nline", "tab\t", "esc\x1b[2J", "a/" * 40 + "b", "n" * 256, "m/" + "é" * 128,
]  # fmt: skip


@both
@pytest.mark.parametrize("name", EVIL)
def test_evil_names(place: Path, pack: Callable[[Members], bytes], name: str) -> None:
    assert refused(place, pack({"good": b"1", name: b"evil"})) == "archive-unsafe"


def test_a_nul_in_a_name(place: Path) -> None:
    """zipfile cuts such a name; what follows it must not be overlooked."""
    data = zipped({"good": b"1", "evilXtxt": b"2"}).replace(b"evilXtxt", b"evil\0txt")
    assert refused(place, data) == "archive-unsafe"


def test_a_name_in_no_encoding(place: Path) -> None:
    info = tarfile.TarInfo("bad\udcff")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.USTAR_FORMAT, errors="surrogateescape") as opened:
        opened.addfile(info)
    assert refused(place, packed.getvalue()) == "archive-unsafe"


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@both
@pytest.mark.parametrize(
    "names",
    [("a", "a"), ("a", "./a"), ("a", "A"), ("d/a", "D/b"), ("a", "a/b"), ("a/b", "a"), ("d/", "d"), ("d", "d/"),
     ("\u00e9", "e\u0301"), ("stra\u00dfe", "STRASSE")],
)  # fmt: skip
def test_members_that_overwrite_each_other(place: Path, pack: Any, names: tuple[str, str]) -> None:
    members = [(name, b"" if name.endswith("/") else b"x") for name in names]
    assert refused(place, pack(members)) == "archive-unsafe"


@both
def test_a_member_without_a_name(place: Path, pack: Callable[[Members], bytes]) -> None:
    assert refused(place, pack({".": b"x"})) == "archive-unsafe"


# Links and devices


@pytest.mark.parametrize("target", ["../secret", "good", "/etc/passwd"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_a_tar(place: Path, kind: bytes, target: str) -> None:
    link = tarfile.TarInfo("link")
    link.type, link.linkname = kind, target
    assert refused(place, tarred([("good", b"1"), (link, b"")])) == "archive-unsafe"


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"])
def test_devices_in_a_tar(place: Path, kind: bytes) -> None:
    device = tarfile.TarInfo("device")
    device.type = kind
    assert refused(place, tarred([("good", b"1"), (device, b"")], tarfile.GNU_FORMAT)) == "archive-unsafe"


def test_a_sparse_file_in_a_tar(place: Path) -> None:
    """Five bytes that are said to be a terabyte."""
    sparse = tarfile.TarInfo("sparse")
    sparse.pax_headers = {"GNU.sparse.map": "0,5", "GNU.sparse.size": str(1 << 40)}
    sparse.size = 5
    assert refused(place, tarred([(sparse, b"12345")])) == "archive-unsafe"


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip(place: Path, kind: int) -> None:
    info = zipfile.ZipInfo("link")
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    assert refused(place, zipped([("good", b"1"), (info, b"../secret")])) == "archive-unsafe"


# Sizes

MIB = 1 << 20


@both
def test_too_many_members(place: Path, pack: Callable[[Members], bytes]) -> None:
    many = {f"{n}": b"" for n in range(11)}
    assert refused(place, pack(many), Limits(members=10)) in ("archive-too-large", "archive-damaged")
    assert len(attempt(place, pack(many), Limits(members=11))) == 11


@both
def test_a_member_too_large(place: Path, pack: Callable[[Members], bytes]) -> None:
    assert refused(place, pack({"a": bytes(1001)}), Limits(member_bytes=1000)) == "archive-too-large"
    assert attempt(place, pack({"a": bytes(1000)}), Limits(member_bytes=1000)) == {"a": bytes(1000)}


@both
def test_too_much_in_total(place: Path, pack: Callable[[Members], bytes]) -> None:
    members = {f"{n}": bytes(400) for n in range(3)}
    assert refused(place, pack(members), Limits(total_bytes=1199)) == "archive-too-large"
    assert len(attempt(place, pack(members), Limits(total_bytes=1200))) == 3


@both
def test_a_bomb(place: Path, pack: Callable[[Members], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "RATIO_FLOOR", MIB)
    data = pack({"zeros": bytes(8 * MIB)})
    assert len(data) * 200 < 8 * MIB
    assert refused(place, data) == "archive-too-large"
    assert attempt(place, data, Limits(ratio=2000)) == {"zeros": bytes(8 * MIB)}


def test_a_bomb_that_lies_about_its_size(place: Path) -> None:
    """The size in the header says 10 bytes; what comes is more, and is not written."""
    data = bytearray(zipped({"a": bytes(MIB)}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(signature) + offset, 10)
    assert refused(place, bytes(data)) == "archive-damaged"


def test_a_zip_whose_table_would_fill_the_memory(place: Path) -> None:
    data = bytearray(zipped({"a": b"1"}))
    struct.pack_into("<I", data, data.rindex(b"PK\x05\x06") + 12, 600_000_000)
    assert refused(place, bytes(data)) == "archive-damaged"
    with pytest.raises(zipfile.BadZipFile, match="table of members is too large"):
        check_directory(place.parent / "archive", 1000)


def test_a_zip64_whose_table_would_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)
    data = bytearray(zipped({"a": b"1"}))
    struct.pack_into("<Q", data, data.rindex(b"PK\x06\x06") + 40, 1 << 40)
    struct.pack_into("<I", data, data.rindex(b"PK\x05\x06") + 12, 0xFFFFFFFF)
    (tmp_path / "archive").write_bytes(data)
    with pytest.raises(zipfile.BadZipFile, match="table of members is too large"):
        check_directory(tmp_path / "archive", 1000)


def test_a_tar_whose_header_would_fill_the_memory(place: Path) -> None:
    """A long name of 64 MiB, as a GNU tar may have; tarfile would read it as a whole."""
    long = tarfile.TarInfo("././@LongLink")
    long.type, long.size = tarfile.GNUTYPE_LONGNAME, 64 * MIB
    member = tarfile.TarInfo("a").tobuf(tarfile.GNU_FORMAT)
    packed = gzip.compress(long.tobuf(tarfile.GNU_FORMAT) + b"a" * (64 * MIB) + member, 1, mtime=0)
    assert refused(place, packed) == "archive-damaged"  # had it been read, the name were unsafe


def test_a_tar_that_says_it_is_endless(place: Path) -> None:
    huge = tarfile.TarInfo("a")
    huge.size = 1 << 62
    packed = gzip.compress(huge.tobuf(tarfile.GNU_FORMAT) + bytes(1024), mtime=0)
    assert refused(place, packed) == "archive-damaged"


def test_zeros_behind_a_tar_are_not_read_for_ever(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "RATIO_FLOOR", MIB)
    data = gzip.compress(gzip.decompress(tarred({"a": b"1"})) + bytes(64 * MIB), 9, mtime=0)
    assert refused(place, data, Limits(members=10, ratio=1)) == "archive-damaged"


# Damage


def test_neither_zip_nor_tar(place: Path) -> None:
    for data in (b"", b"PK", b"<html>not found</html>", b"\x28\xb5\x2f\xfd zstandard"):
        assert refused(place, data) == "archive-kind"


@both
def test_truncated_anywhere(place: Path, pack: Callable[[Members], bytes]) -> None:
    data = pack({"a": os.urandom(2000), "b": b"2"})
    for end in range(4, len(data), 97):
        assert refused(place, data[:end]) == "archive-damaged"
    assert refused(place, data[:-1]) == "archive-damaged"


@both
def test_content_that_does_not_fit_its_checksum(place: Path, pack: Callable[[Members], bytes]) -> None:
    data = bytearray(zipped({"a": b"content"}, zipfile.ZIP_STORED) if pack is zipped else pack({"a": os.urandom(999)}))
    data[data.index(b"content") if pack is zipped else 500] ^= 1
    assert refused(place, bytes(data)) == "archive-damaged"


def test_a_tar_with_garbage_among_its_members(place: Path) -> None:
    """tarfile takes garbage between members for the end, and says nothing."""
    plain = gzip.decompress(tarred({"a": b"1", "b": b"2"}))
    assert refused(place, gzip.compress(plain[:1024] + b"garbage!" * 64 + plain[1024:], mtime=0)) == "archive-damaged"


def test_gzip_of_something_else(place: Path) -> None:
    assert refused(place, gzip.compress(b"no tar" * 1000, mtime=0)) == "archive-damaged"


def test_an_encrypted_zip(place: Path) -> None:
    data = bytearray(zipped({"a": b"secret"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    assert refused(place, bytes(data)) == "archive-encrypted"


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_are_read_without_bounds(place: Path, compression: int) -> None:
    assert refused(place, zipped({"a": b"1"}, compression)) == "archive-damaged"


def test_an_overlapping_zip(place: Path) -> None:
    """Two entries of the table share one member: the second is found out by its name."""
    data = zipped({"a": b"1", "b": b"2"})
    second = data.rindex(b"PK\x01\x02")
    doctored = bytearray(data)
    struct.pack_into("<I", doctored, second + 42, 0)
    assert refused(place, bytes(doctored)) == "archive-damaged"


@given(st.data())
def test_any_damage_is_an_error_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([zipped({"a/b": b"1" * 50}), tarred({"a/b": b"1" * 50})])))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    place = tmp_path_factory.mktemp("place") / "inner"
    place.mkdir()
    try:
        attempt(place, bytes(whole))
    except DataError as error:
        assert error.code.startswith("archive-")
        assert list(place.iterdir()) == []


@given(st.lists(st.text(max_size=20), max_size=8))
def test_accepted_names_never_lead_out_or_collide(names: list[str]) -> None:
    seen, accepted = Names(), []
    for name in names:
        try:
            accepted.append("/".join(seen.add(name, is_folder=False)))
        except UnsafeName:
            continue
    base = Path("/base/tree")
    for name in accepted:
        assert name
        assert Path(os.path.normpath(base / name)).is_relative_to(base)
        assert os.path.normpath(base / name) == str(base / name)
    assert len({name.lower() for name in accepted}) == len(accepted)
