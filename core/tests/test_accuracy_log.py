"""LoadGen's accuracy log in every layout of JSON, in parts, damaged, and larger than memory should ever hold."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.errors import DataError
from mlperf_mobile.loadgen import accuracy_log

ITEMS = [{"seq_id": n, "qsl_idx": 5 - n, "data": f"{n:02X}" * n} for n in range(5)]
LAYOUTS = {
    "one line": json.dumps(ITEMS),
    "no spaces": json.dumps(ITEMS, separators=(",", ":")),
    "many lines": json.dumps(ITEMS, indent=4),
    "of Windows": json.dumps(ITEMS, indent=1).replace("\n", "\r\n"),
    "other order of keys": json.dumps([dict(reversed(item.items())) for item in ITEMS]),
    "escapes": json.dumps(ITEMS).replace("data", "d\\u0061ta"),
    "byte-order mark": "\ufeff" + json.dumps(ITEMS),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("chunk", [1, 7, 1 << 18])
def test_layouts(layout, chunk, tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy_log, "_CHUNK", chunk if layout != "byte-order mark" else max(chunk, 4))
    path = tmp_path / "log.json"
    path.write_text(LAYOUTS[layout], newline="", encoding="utf-8")
    found = [(item.seq_id, item.index, item.data.hex().upper()) for item in accuracy_log.read([path])]
    assert found == [(item["seq_id"], item["qsl_idx"], item["data"]) for item in ITEMS]


@given(cut=st.integers(1, 150))
def test_parts(cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts", numbered=True)
    text = LAYOUTS["one line"]
    for name, part in (("aa", text[:cut]), ("ab", text[cut:])):
        (folder / name).write_text(part)
    assert sum(1 for _ in accuracy_log.read([folder / "aa", folder / "ab"])) == len(ITEMS)


DAMAGE = {
    "cut": (LAYOUTS["many lines"][:-2], 26),
    "more": (LAYOUTS["many lines"] + "\n[]", 28),
    "no comma": (LAYOUTS["many lines"].replace("},", "}", 1), 7),
    "twice": ('[\n{"seq_id": 0, "qsl_idx": 1, "qsl_idx": 2, "data": ""}\n]', 2),
    "a flag": ('[\n{"seq_id": 0, "qsl_idx": true, "data": ""}\n]', 2),
    "spaces": ('[\n{"seq_id": 0, "qsl_idx": 1, "data": "AA BB"}\n]', 2),
    "an object": ('{"seq_id": 0}', 1),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_has_a_line(kind, tmp_path):
    text, line = DAMAGE[kind]
    path = tmp_path / "log.json"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        list(accuracy_log.read([path]))
    assert caught.value.summary.startswith(f"{path}:{line}: ")


def test_one_long_line_takes_little_memory(tmp_path):
    path = tmp_path / "log.json"
    with path.open("w") as file:
        file.write("[")
        for number in range(400):
            file.write(f'{"," if number else ""}{{"seq_id":{number},"qsl_idx":{number},"data":"{"AB" * 20_000}"}}')
        file.write("]")
    tracemalloc.start()
    count = sum(1 for _ in accuracy_log.read([path]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 400
    assert path.stat().st_size > 16_000_000
    assert peak < 4_000_000


def test_a_log_that_is_not_there(tmp_path):
    """As the command says it for a result of a timed run alone."""
    path = tmp_path / "mlperf_log_accuracy.json"
    with pytest.raises(DataError) as caught:
        list(accuracy_log.read([path]))
    assert caught.value.line() == (
        f"error[accuracy-log]: cannot read {path}: No such file or directory; "
        "an accuracy run writes it: --mode accuracy, or both"
    )
