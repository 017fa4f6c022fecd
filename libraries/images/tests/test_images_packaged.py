"""The digest of a packaged folder, and folders that are not what was packaged."""

from __future__ import annotations

import pytest

from mlperf_mobile.errors import DataError
from mlperf_mobile_images import packaged


def folder(place):
    """``a``, empty, and ``b/c``, the three letters abc."""
    (place / "b").mkdir()
    (place / "a").write_bytes(b"")
    (place / "b" / "c").write_bytes(b"abc")
    return place


def test_the_digest_is_that_of_sha256sum(tmp_path):
    """As GNU's ``find * ! -type d | LC_ALL=C sort | xargs sha256sum | sha256sum`` prints it for these two files."""
    digest = "daae4b97dc71ac4a743ec55d0492b0580a8cedb836fc1d29f6136042d54b6cf5"
    assert packaged.folder_digest(folder(tmp_path)) == digest


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "a").symlink_to("nowhere")
    with pytest.raises(DataError, match="cannot read"):
        packaged.folder_digest(tmp_path)


def test_a_changed_folder_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "some_package").mkdir()
    (tmp_path / "some_package" / "__init__.py").touch()
    (tmp_path / "some_package" / "data").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    place = folder(tmp_path / "some_package" / "data")
    before = packaged.folder_digest(place)
    assert packaged.packaged_folder("some_package", "data", before) == place
    (place / "b" / "c").write_bytes(b"abd")
    with pytest.raises(DataError, match="differs from the packaged folder") as caught:
        packaged.packaged_folder("some_package", "data", before)
    assert caught.value.code == "data-damaged"
