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


def test_tokens_of_language_models(tmp_path):
    """As LoadGen writes them with ``use_token_latencies``; without a first token in offline."""
    line = '{ "seq_id" : 0, "qsl_idx" : 5, "data" : "0708", "token_data" : "07", "token_count" : 2 }'
    other = '{ "seq_id" : 1, "qsl_idx" : 6, "data" : "09", "token_count" : 1 }'
    expected = [Item(2, 0, 5, b"\7\x08", b"", b"\7", 2), Item(3, 1, 6, b"\x09", b"", b"", 1)]
    assert read(tmp_path, f"[\n{line},\n{other},\n{other}\n]\n")[:2] == expected  # the last one is read slowly
    assert read(tmp_path, f"[\n {line},\n {other}\n]\n") == expected
    for wrong in ('"2"', "true", "2.0"):
        with pytest.raises(DataError):
            read(tmp_path, "[\n" + line.replace('"token_count" : 2', f'"token_count" : {wrong}') + "\n]\n")


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
