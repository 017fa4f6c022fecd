"""In the key of a compiled model, files and folders that options name count by their content."""

from __future__ import annotations

import shutil

import pytest

from mlperf_mobile.worker import option_content
from mlperf_mobile.worker.option_content import content_options


@pytest.fixture(params=["file", "folder"])
def place(request, tmp_path):
    path = tmp_path / "lut"
    if request.param == "folder":
        (path / "deep").mkdir(parents=True)
    file = path / "deep" / "a.txt" if request.param == "folder" else path
    file.write_text("one")
    return path, file


@pytest.mark.parametrize("around", [lambda path: path, lambda path: {"a": [path]}], ids=["plain", "nested"])
def test_the_content_counts_and_not_the_path(place, tmp_path, around):
    path, file = place
    before = content_options({"lut": around(str(path))})
    assert str(path) not in str(before)
    copy = tmp_path / "copy"
    (shutil.copytree if path.is_dir() else shutil.copyfile)(path, copy)
    assert content_options({"lut": around(str(copy))}) == before
    file.write_text("two")
    assert content_options({"lut": around(str(path))}) != before


def test_names_in_a_folder_count(tmp_path):
    (tmp_path / "a").write_text("one")
    before = content_options({"lut": str(tmp_path)})
    (tmp_path / "a").rename(tmp_path / "b")
    assert content_options({"lut": str(tmp_path)}) != before


def test_of_large_files_size_and_time_count(place, monkeypatch):
    monkeypatch.setattr(option_content, "LARGEST", 2)
    path, file = place
    before = content_options({"lut": str(path)})
    assert content_options({"lut": str(path)}) == before
    file.write_text("three")
    assert content_options({"lut": str(path)}) != before


def test_other_values_stay():
    options = {"threads": 2, "library": "liba.so", "missing": "/no/such/file", "odd": "/\0", "none": None}
    assert content_options(options) == options
