"""Paths that users give, in arguments and in plugins' options."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from mlperf_mobile.errors import UsageError
from mlperf_mobile.option_types import NameOrPath, UserPath
from mlperf_mobile.registry import Registry
from mlperf_mobile.user_paths import expand


@pytest.fixture
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/user")
    return tmp_path


class Options(BaseModel):
    labels: UserPath | None = None
    library: NameOrPath = "liba.so"


def test_a_path_is_absolute(inside):
    assert Options(labels="labels.txt").labels == inside / "labels.txt"
    assert Options(labels="~/labels.txt").labels == Path("/home/user/labels.txt")
    assert Options().labels is None


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("libb.so", "libb.so"),
        ("/opt/libb.so", "/opt/libb.so"),
        ("./libb.so", "{inside}/libb.so"),
        ("~/libb.so", "/home/user/libb.so"),
    ],
)
def test_a_library_with_a_slash_is_a_path(inside, given, used):
    assert Options(library=given).library == used.format(inside=inside)


@pytest.mark.parametrize(
    ("given", "summary", "hint"),
    [
        ("~no_such_user/x", "~no_such_user/x: the user does not exist", "write the path in full"),
        ("x/\udcff", "'x/\\udcff' is not in UTF-8", "rename it"),
    ],
)
def test_what_is_no_path(given, summary, hint):
    for options in ({"labels": given}, {"library": given}):
        with pytest.raises(ValidationError):
            Options.model_validate(options)
    with pytest.raises(UsageError) as caught:
        expand(Path(given), "--output")
    assert (caught.value.code, caught.value.hint) == ("bad-value", hint)
    assert caught.value.summary == f"--output: {summary}"


def test_an_empty_path_is_refused():
    with pytest.raises(ValidationError, match="a path is expected"):
        Options(labels="")


def test_paths_in_the_options_of_all_installed_plugins(inside):
    """A relative path would mean another file when the run is resumed, or carried out elsewhere."""
    registry = Registry()
    kinds = (registry.tasks, registry.datasets, registry.backends, registry.scenarios, registry.observers)
    checked = set()
    for offer in (each for kind in kinds for each in kind.values() if each.info.options):
        for name, field in offer.info.options.load().model_fields.items():
            part = TypeAdapter(field.rebuild_annotation())
            try:
                value = part.validate_python(Path("a", "b"))
            except ValidationError:
                continue
            if isinstance(value, Path):
                assert value == inside / "a" / "b", (offer.info.name, name)
                checked.add(name)
    assert {"labels", "annotations"} <= checked
