"""A result is a function of its folder: composed again from plan, journal and files, it is the one that was written."""

from __future__ import annotations

import json

import pytest

from mlperf_mobile.events import Progress
from mlperf_mobile.results import store
from mlperf_mobile.results.model import ErrorFacts, Status
from mlperf_mobile.results.recompose import Ending, read_journal, recompose

KINDS = ("both", "performance", "accuracy", "offline", "failed", "crashed", "interrupted")
NOWHERE = Ending(Status.INTERRUPTED, None, "nowhere")
"""What no folder that ended well falls back to."""


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_gives_the_result(kind, made):
    folder = made[kind]
    stored = json.loads((folder / "result.json").read_text())
    assert recompose(folder, NOWHERE).to_json() == stored
    assert set(stored["logs"]) == {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("result.json", "worker.log")
    }


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_launchers_word_the_workers_words_decide(kind, made, copied):
    """A journal of an earlier version, or of a launcher that was killed."""
    folder, stored = copied(made[kind]), store.read(made[kind])
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    assert b'"event":"concluded"' in lines[-1]
    (folder / "events.jsonl").write_bytes(b"".join(lines[:-1]))
    lost = ErrorFacts(code="launcher-died", summary="the launcher died", exit_code=130)
    found = recompose(folder, Ending(Status.INTERRUPTED, lost, stored.directory))
    assert (found.performance, found.accuracy) == (stored.performance, stored.accuracy)
    assert found.status is (Status.INTERRUPTED if kind in ("crashed", "interrupted") else stored.status)


def test_a_journal_is_read_with_suspicion(tmp_path):
    journal = tmp_path / "events.jsonl"
    told = Progress(phase="performance", done=5, total=9, fraction=None, elapsed_s=2.0).model_dump_json()
    journal.write_text(f'{told}\nno JSON\n{{"event":"concluded","status":"completed"}}\n{{"event":"other"}}\n')
    found = read_journal(journal)
    assert (found.unknown, found.timed.done, found.concluded) == ([2, 3, 4], 5, None)
