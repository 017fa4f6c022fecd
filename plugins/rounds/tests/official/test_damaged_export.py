"""Whatever one text or one number of a result is replaced by, an export is whole and finite, or refused by name."""

from __future__ import annotations

import copy
import json
import math

import pytest

from mlperf_mobile.errors import MobileError
from mlperf_mobile.results.model import Result
from mlperf_mobile_rounds.official.app_export import app_file
from mlperf_mobile_rounds.official.imported import read

NUMBERS = (0.0, -1.0, 5e-324, 1e-310, 1e308, 2**53 + 1)
"""Zero, negative, subnormal, the largest: their inverses are none, or infinite."""
TEXTS = ("", "\ud800", "\0", "=1+1", "é" * 300)


def places(data, path=()):
    if isinstance(data, dict):
        for key, value in data.items():
            yield from places(value, (*path, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from places(value, (*path, number))
    else:
        yield path, data


def with_value(data, path, value):
    changed = copy.deepcopy(data)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


@pytest.fixture(params=["single-stream", "offline"])
def document(request, tree, registry):
    results, _ = read(tree.root, registry)
    (found,) = [each for each in results if each.scenario == request.param]
    return found.model_dump(mode="json", by_alias=True)


def test_every_place(document):
    exported = 0
    for path, value in places(document):
        odd = NUMBERS if isinstance(value, (int, float)) and not isinstance(value, bool) else TEXTS
        for other in odd if isinstance(value, (int, float, str)) else ():
            try:
                content = app_file([Result.model_validate(with_value(document, path, other))])
            except (MobileError, ValueError):  # a pydantic error is the reader's `result-damaged`
                continue
            exported += 1
            for _, found in places(content):
                assert not isinstance(found, float) or math.isfinite(found), (path, other)
            json.dumps(content, allow_nan=False)
    assert exported > 100
