"""A name is never a path: what comes from a file, a plugin or a user stays inside of the folder it is written to."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from mlperf_mobile.campaigns.campaign import Step
from mlperf_mobile.config.places import Place
from mlperf_mobile.names import as_file_name, checked_below, is_file_name
from mlperf_mobile.plan import CampaignRef, identity

ESCAPES = ("../up", "/etc/passwd", "..", ".", "", ".hidden", "-rf", "a/b", "a\\b", "a\0b", "a\nb", "x" * 300, "\ud800")


@given(st.text())
@example("../../x")
def test_whatever_it_is_made_of_a_name_stays_in_its_folder(name: str) -> None:
    made = as_file_name(name)
    folder = Path("/results")
    assert (folder / made).resolve().parent == folder
    assert len(made.encode()) <= 150
    assert made == name or not is_file_name(name)


@given(st.text(), st.text())
@example("a/b", "a_b")
@example("a/b", "a:b")
@example("", "_")
def test_names_that_differ_stay_different(one: str, other: str) -> None:
    assert (as_file_name(one) == as_file_name(other)) == (one == other)


@pytest.mark.parametrize("name", ESCAPES, ids=ascii)
def test_a_run_is_called_by_a_plain_name(name: str) -> None:
    assert is_file_name(identity(f"{name}-single-stream")["run_id"])


@pytest.mark.parametrize("name", ESCAPES, ids=ascii)
def test_a_campaign_that_comes_from_elsewhere_names_no_path(name: str) -> None:
    with pytest.raises(ValidationError):
        CampaignRef(id=name, mode="submission", position=1, runs=1)
    with pytest.raises(ValidationError) as refused:
        Step.model_validate({"result": name})
    assert ("result",) in {error["loc"] for error in refused.value.errors()}


@pytest.mark.parametrize("path", ["../up", "/etc", "a/../../b", "a\\b", "a\0"], ids=ascii)
def test_a_place_in_a_package_or_an_archive_stays_below_it(path: str) -> None:
    for field in ({"file": path}, {"url": "https://example.org/a.zip", "unpack": True, "folder": path}):
        with pytest.raises(ValidationError, match="not a path below a folder"):
            Place.model_validate(field)
    assert checked_below("a/b..c/d") == "a/b..c/d"
