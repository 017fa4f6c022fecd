"""Asking a question changes nothing: requests stay as they are, and a path alone is no need."""

from __future__ import annotations

from mlperf_mobile.config.layers import from_assignments
from mlperf_mobile.config.places import Finder, Place
from mlperf_mobile.config.scoring import resolve_scoring
from mlperf_mobile.config.selection import Request
from mlperf_mobile.registry import Registry
from mlperf_mobile.resources.cache import Cache


def test_resolving_what_scores_a_log_leaves_the_request_alone():
    flags = from_assignments(["tasks=[image_classification]"])
    before = dict(flags)
    request = Request(flags=flags)
    assert resolve_scoring(Registry(), request).task == "image_classification"
    assert request.flags == before


def test_a_path_is_no_need(tmp_path):
    finder = Finder("mlperf_mobile", Cache(tmp_path))
    place = Place(url="https://example.org/model.tflite", sha256="0" * 64)
    path = finder.path(place)
    assert path.is_relative_to(tmp_path)
    assert finder.needed == []
    finder.need(place)
    finder.need(place)
    assert finder.needed == [place.resource]
    finder.need(Place(file="model.tflite"))
    assert finder.needed == [place.resource]
