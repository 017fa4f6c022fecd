"""An accuracy log says the same in LoadGen's own layout, which is read faster, as in any other that JSON allows."""

from __future__ import annotations

import json

import pytest

from mlperf_mobile.errors import DataError
from mlperf_mobile.loadgen import accuracy_log
from mlperf_mobile.loadgen.accuracy_log import Item

COUNT = 9000
"""Items enough for several pieces of the file."""
LINES = [f'{{ "seq_id" : {n}, "qsl_idx" : {COUNT - n}, "data" : "{n:016X}" }}' for n in range(COUNT)]
EXPECTED = [Item(n + 2, n, COUNT - n, n.to_bytes(8, "big")) for n in range(COUNT)]


def read(tmp_path, text):
    path = tmp_path / "log.json"
    path.write_text(text)
    return list(accuracy_log.read([path]))


def test_as_loadgen_writes_it(tmp_path):
    assert read(tmp_path, "[\n" + ",\n".join(LINES) + "\n]\n") == EXPECTED


def test_in_other_layouts(tmp_path):
    items = [json.loads(line) for line in LINES]
    assert [(i.index, i.data) for i in read(tmp_path, json.dumps(items))] == [(i.index, i.data) for i in EXPECTED]
    other = [line.lower() if n % 3 else line for n, line in enumerate(LINES)]
    assert read(tmp_path, "[\n" + ",\n".join(other) + "\n]\n") == EXPECTED
    spaced = read(tmp_path, "[\n\n" + ",\n\n".join(LINES) + "\n]\n")
    assert [i.line for i in spaced[:3]] == [3, 5, 7]


DAMAGE = [
    ("},\n", "}\n"),
    ('"qsl_idx" : 8500', '"qsl_idx" : 08500'),
    ('"qsl_idx" : 8500', '"qsl_idx" : "8500"'),
    ('"qsl_idx" : 8500', '"qsl_idx" : 1, "qsl_idx" : 2'),
    ('01F4" }', '01F" }'),
    ('"seq_id" : 500,', '"seq_id" : -,'),
]


@pytest.mark.parametrize(("old", "new"), DAMAGE)
def test_damage_is_found_at_its_line(tmp_path, old, new):
    lines = [f"{line},\n" for line in LINES]
    assert old in lines[500]
    lines[500] = lines[500].replace(old, new)
    with pytest.raises(DataError) as caught:
        read(tmp_path, "[\n" + "".join(lines).rstrip(",\n") + "\n]\n")
    assert ":502:" in caught.value.summary or ":503:" in caught.value.summary
