"""Whoever uses results is warned about one that does not follow from its folder, and no leaderboard ranks it."""

from __future__ import annotations

import argparse
import json

import pytest

from mlperf_mobile_report.compare.board import boards
from mlperf_mobile_report.compare.sources import read_all
from mlperf_mobile_rounds.commands import export


def edit(folder, **more):
    path = folder / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


@pytest.fixture
def folder(made, copied):
    return copied(made["performance"])


def about(warnings):
    return [text for text in warnings if "folder" in text]


def test_a_result_as_it_was_made(folder):
    assert about(read_all([str(folder)])[1]) == []


@pytest.mark.parametrize("place", ["", "result.json"])
def test_an_edited_result(folder, place):
    edit(folder, backend="faster")
    (text,) = about(read_all([str(folder / place)])[1])
    assert text.startswith("A: it does not match its folder: backend is")
    (text,) = about(read_all([str(folder.parent)])[1])
    assert "backend" in text


def test_a_missing_journal(folder):
    (folder / "events.jsonl").unlink()
    (text,) = about(read_all([str(folder)])[1])
    assert "events.jsonl" in text


def test_a_result_alone(folder):
    for path in [path for path in folder.rglob("*") if path.is_file() and path.name != "result.json"]:
        path.unlink()
    assert about(read_all([str(folder)])[1]) == ["A: its folder has no plan and no journal to check it against"]


def test_a_board_ranks_no_edited_result(folder):
    for backend, places in (("toy", 1), ("faster", 0)):
        data = json.loads((folder / "result.json").read_text())
        edit(folder, backend=backend)
        (entry,), _ = read_all([str(folder)])
        entry.model, entry.benchmark = "mobilenet_edgetpu_uint8", "image_classification"  # as published ones
        found = [board for board in boards([], own=[entry]) if any(place.own for place in board.places) or board.apart]
        (board,) = found
        assert sum(place.own is not None for place in board.places) == places
        assert ("does not match" in board.why_apart(entry)) == (not places)
        (folder / "result.json").write_text(json.dumps(data))


def test_export_says_it(folder, tmp_path, capsys, monkeypatch):
    edit(folder, backend="faster")
    monkeypatch.setattr("mlperf_mobile_rounds.commands.export._app", lambda results, output: output)
    arguments = [folder, "--format", "app", "--output", tmp_path / "app.json", "--json"]
    parser = argparse.ArgumentParser()
    export.add(parser)
    export.handle(parser.parse_args([*map(str, arguments)]))
    told = json.loads(capsys.readouterr().out)
    assert any("it does not match its folder: backend" in text for text in told["doubts"])
