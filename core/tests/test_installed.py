"""Metadata of distributions is read as importlib.metadata reads it."""

from __future__ import annotations

import sys
import zipfile
from importlib import metadata

import pytest

from mlperf_mobile.installed import EntryPoint, distribution, distributions, entry_points, normalised, version


def install(folder, name, **files):
    place = folder / name
    place.mkdir(parents=True)
    for file, text in files.items():
        (place / file.replace("_txt", ".txt").replace("PKG_INFO", "PKG-INFO")).write_text(text)


def test_what_is_installed_here_is_what_importlib_finds():
    theirs = {}
    for each in metadata.distributions():
        theirs.setdefault(normalised(each.metadata["Name"]), (each.metadata["Name"], each.version))
    assert {each.key: (each.name, each.version) for each in distributions()} == theirs


@pytest.mark.parametrize("group", ["mlperf_mobile", "console_scripts", "pytest11"])
def test_entry_points_here_are_those_that_importlib_finds(group):
    theirs = sorted((entry.name, entry.value, entry.dist.name) for entry in metadata.entry_points(group=group))
    assert theirs
    assert sorted((entry.name, entry.value, entry.dist.name) for entry in entry_points(group)) == theirs


def test_requirements_without_extras():
    theirs = metadata.requires("mlperf-mobile")
    assert any("extra ==" in text for text in theirs)
    found = distribution("mlperf_mobile").requires
    assert "numpy" in found
    assert "mlcommons-loadgen" in found
    assert "pytest" not in found


@pytest.mark.parametrize("condition", ["extra == 'x'", 'extra=="x"', "python_version > '3' and extra == 'x'"])
def test_requirements_of_an_extra(tmp_path, condition):
    install(
        tmp_path, "d-3.dist-info", METADATA=f"Name: d\nRequires-Dist: A_b[c]<2,>=1; {condition}\nRequires-Dist: e\n"
    )
    (found,) = distributions([str(tmp_path)])
    assert (found.with_extra("x"), found.with_extra("y"), found.requires) == ({"a-b"}, set(), {"e"})


def test_the_first_folder_counts(tmp_path):
    for folder, number in (("first", "1.0"), ("second", "2.0")):
        text = f"Metadata-Version: 2.1\nName: Two.Names\nVersion: {number}\n\nVersion: 9\n"
        install(tmp_path / folder, f"two_names-{number}.dist-info", METADATA=text)
    (found,) = distributions([str(tmp_path / "absent"), str(tmp_path / "first"), str(tmp_path / "second")])
    assert (found.key, found.name, found.version) == ("two-names", "Two.Names", "1.0")


def test_an_egg_info_folder_and_a_file(tmp_path):
    install(tmp_path, "old.egg-info", PKG_INFO="Name: old\nVersion: 0.1\n", entry_points_txt="[g]\na = m\n")
    (tmp_path / "older-0.2-py3.11.egg-info").write_text("Name: older\nVersion: 0.2\n")
    assert {each.name: each.version for each in distributions([str(tmp_path)])} == {"old": "0.1", "older": "0.2"}
    assert [entry.name for entry in entry_points("g", [str(tmp_path)])] == ["a"]


def test_sections_comments_and_continued_fields(tmp_path):
    head = "Name: d\nLicense: some\n  Version: not this\nVersion: 3\nRequires-Dist: A_b.c>=1; python_version > '3'\n"
    text = "[other]\nx = m\n[g]\n# y = m\n\nz = m:a.b [extra]\n[last]\ng = m\n"
    install(tmp_path, "d-3.dist-info", METADATA=head, entry_points_txt=text)
    (found,) = distributions([str(tmp_path)])
    assert found.version == "3"
    assert found.requires == {"a-b-c"}
    assert [(entry.name, entry.value) for entry in found.entry_points("g")] == [("z", "m:a.b [extra]")]


def test_without_metadata(tmp_path):
    install(tmp_path, "half_there-1.dist-info", entry_points_txt="[g]\na = sys:path\n")
    (entry,) = entry_points("g", [str(tmp_path)])
    assert (entry.dist.name, entry.dist.version) == ("half-there", "?")
    assert entry.load() is sys.path


@pytest.mark.parametrize("value", ["", "not a module", "sys:", ":path", "sys:path:more"])
def test_an_entry_point_that_names_nothing(value):
    with pytest.raises(ValueError, match="not 'module' or 'module:attribute'"):
        EntryPoint("e", value, distribution("mlperf-mobile")).load()


def test_extras_and_nested_attributes():
    assert EntryPoint("e", "os : path.join [extra]", distribution("mlperf-mobile")).load() is __import__("os").path.join


def test_an_archive_on_the_path(tmp_path, monkeypatch):
    archive = tmp_path / "site.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("zipped-4.dist-info/METADATA", "Name: zipped\nVersion: 4\n")
        file.writestr("zipped-4.dist-info/entry_points.txt", "[zipped_group]\na = m\n")
    monkeypatch.syspath_prepend(str(archive))
    assert version("zipped") == "4"
    assert [(entry.name, entry.dist.name) for entry in entry_points("zipped_group")] == [("a", "zipped")]


def test_a_finder_with_distributions_of_its_own(tmp_path, monkeypatch):
    install(tmp_path, "hooked-5.dist-info", METADATA="Name: hooked\nVersion: 5\n")

    class Finder(metadata.DistributionFinder):
        def find_spec(self, *given):
            return None

        def find_distributions(self, context=None):
            return [metadata.PathDistribution(tmp_path / "hooked-5.dist-info")]

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert version("hooked") == "5"


def test_what_is_not_installed():
    assert distribution("surely-not-installed") is None
    assert version("surely-not-installed") == "?"
