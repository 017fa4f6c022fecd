from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile_backend_snpe.qnn import profile

DETAILED = """\
Msg Timestamp,Message,Time,Unit of Measurement,Timing Source,Event Level,Event Identifier
0,BACKEND,371,US,BACKEND,ROOT,Accelerator (load binary) time
0,BACKEND,10000,CYCLES,BACKEND,ROOT,Accelerator (execute) time (cycles)
0,NODE,400,CYCLES,BACKEND,SUB-EVENT,Input OpId_2 (cycles)
0,NODE,8000,CYCLES,BACKEND,SUB-EVENT,add:OpId_16 (cycles)
0,NODE,1600,CYCLES,BACKEND,SUB-EVENT,"Output, OpId_3 (cycles)"
0,EXECUTE,4700,US,BACKEND,ROOT,QNN (execute) time
0,BACKEND,20000,CYCLES,BACKEND,ROOT,Accelerator (execute) time (cycles)
0,NODE,600,CYCLES,BACKEND,SUB-EVENT,Input OpId_2 (cycles)
0,NODE,12000,CYCLES,BACKEND,SUB-EVENT,add:OpId_16 (cycles)
0,NODE,2400,CYCLES,BACKEND,SUB-EVENT,"Output, OpId_3 (cycles)"
0,EXECUTE,5300,US,BACKEND,ROOT,QNN (execute) time
"""
"""As QNN 2.51 writes it, with round numbers."""


def test_phases_and_nodes_are_summed_up() -> None:
    found = profile.summarise(DETAILED.splitlines(keepends=True))
    assert found == {
        "phases": {
            "Accelerator (load binary) time": {"count": 1, "total": 371, "mean": 371.0, "unit": "us"},
            "Accelerator (execute) time (cycles)": {"count": 2, "total": 30000, "mean": 15000.0, "unit": "cycles"},
            "QNN (execute) time": {"count": 2, "total": 10000, "mean": 5000.0, "unit": "us"},
        },
        "node_count": 3,
        "nodes": [
            {"node": "add:OpId_16 (cycles)", "mean": 10000.0, "unit": "cycles", "share": 0.8},
            {"node": "Output, OpId_3 (cycles)", "mean": 2000.0, "unit": "cycles", "share": 0.16},
            {"node": "Input OpId_2 (cycles)", "mean": 500.0, "unit": "cycles", "share": 0.04},
        ],
    }


def test_the_slowest_nodes_of_many_are_reported() -> None:
    lines = [f"0,NODE,{n},CYCLES,BACKEND,SUB-EVENT,node {n}\n" for n in range(100)]
    found = profile.summarise(lines)
    assert found["node_count"] == 100
    assert [each["node"] for each in found["nodes"]] == [f"node {n}" for n in range(99, 79, -1)]


@pytest.mark.parametrize(
    "line", ["0,NODE\n", "0,NODE,-3,US,B,R,x\n", "0,NODE,1e3,US,B,R,x\n", f"0,NODE,{'9' * 30},US,B,R,x\n"]
)
def test_lines_that_are_no_events_are_counted(line: str) -> None:
    assert profile.summarise([line]) == {"phases": {}, "skipped": 1}


def test_a_long_profile_is_cut(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(profile, "MAX_BYTES", 200)
    (tmp_path / "p.csv").write_text(DETAILED)
    assert profile.read(tmp_path / "p.csv")["truncated"] is True


def test_events_without_end_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "MAX_NODES", 10)
    found = profile.summarise(f"0,NODE,1,CYCLES,BACKEND,SUB-EVENT,node {n}\n" for n in range(25))
    assert (found["node_count"], found["skipped"]) == (10, 15)


def test_no_profile_is_no_failure(tmp_path: Path) -> None:
    assert "No such file" in profile.read(tmp_path / "absent.csv")["problem"]


@given(st.binary(max_size=400))
def test_any_file_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(data)
    assert "phases" in profile.read(path)
