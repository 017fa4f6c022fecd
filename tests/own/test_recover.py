"""What a launcher that died, or a disk that was full, left behind becomes the result that it would have been."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal

import pytest

from mlperf_mobile.cli.main import main
from mlperf_mobile.errors import OutputError
from mlperf_mobile.launch.interrupts import Interrupts
from mlperf_mobile.launch.recover import recover, recover_all
from mlperf_mobile.results import store
from mlperf_mobile.results.journal import JournalFile
from mlperf_mobile.results.latencies import read, write_at
from mlperf_mobile.results.model import Status
from mlperf_mobile.results.recompose import Ending, read_journal, recompose

KINDS = ("both", "performance", "accuracy", "offline", "failed", "crashed", "interrupted")
ENDED = ("both", "performance", "accuracy", "offline")
NUMBERS = ("performance", "accuracy", "telemetry", "rules")


@pytest.fixture
def cut_short(made, tmp_path):
    """The folder of a kind as its launcher left it when it was killed before it could judge the end."""

    def make(kind, torn=b""):
        hidden = tmp_path / f".{made[kind].name}{store.PARTIAL}"
        shutil.copytree(made[kind], hidden)
        (hidden / store.RESULT).unlink()
        lines = (hidden / store.EVENTS).read_bytes().splitlines(keepends=True)
        (hidden / store.EVENTS).write_bytes(b"".join(lines[:-1]) + torn)
        return hidden

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_a_launcher_that_was_killed(kind, made, cut_short, tmp_path, capsys):
    hidden, before = cut_short(kind, torn=b'{"event":"progr'), store.read(made[kind])
    found = recover(hidden)
    final = tmp_path / made[kind].name
    assert found is not None
    assert (store.read(final), hidden.exists()) == (found, False)
    assert not read_journal(final / store.EVENTS).unknown
    assert recompose(final, Ending(Status.INTERRUPTED, None, "nowhere")) == found
    for name in NUMBERS:
        if name != "rules" or kind in ENDED:
            assert getattr(found, name) == getattr(before, name), name
    if kind in ENDED:
        assert (found.status, found.valid, found.error) == (Status.COMPLETED, before.valid, None)
    elif kind == "failed":
        assert (found.status, found.error.code) == (Status.FAILED, before.error.code)
    else:
        assert (found.status, found.error.code) == (Status.INTERRUPTED, "launcher-died")
        assert "performance" in found.error.summary
    stored = (final / store.RESULT).read_bytes()
    assert main(["recover", str(hidden), str(final), str(tmp_path), "--json"]) == 0
    assert [each["run_id"] for each in json.loads(capsys.readouterr().out)["results"]] == [found.run_id] * 2
    assert (final / store.RESULT).read_bytes() == stored


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk-full"), (errno.EDQUOT, "disk-full"), (errno.EFBIG, "disk-full"),
        (errno.EROFS, "output-unwritable"), (errno.EIO, "output-unwritable"), (errno.EACCES, "output-unwritable"),
    ],
)  # fmt: skip
def test_a_result_that_finds_no_room(number, code, made, cut_short, tmp_path, monkeypatch):
    """The message names the folder and the command, and nothing is lost until there is room."""
    hidden, real = cut_short("both"), store.write_json

    def full(path, data):
        if path.name == store.RESULT:
            raise OSError(number, os.strerror(number))
        real(path, data)

    for _ in range(2):
        with monkeypatch.context() as patch, pytest.raises(store.Unstored) as caught:
            patch.setattr(store, "write_json", full)
            recover(hidden)
        assert caught.value.code == code
        assert f"mlperf-mobile recover {hidden}" in caught.value.hint
        assert caught.value.result.performance == store.read(made["both"]).performance
        assert len(read(hidden / "latencies.bin")) == caught.value.result.performance.samples
    (found,) = recover_all(tmp_path)
    assert (found.status, found.valid) == (Status.COMPLETED, store.read(made["both"]).valid)


def test_logs_that_power_took(cut_short):
    """A worker had said that it was done, and its logs were not on the disk yet: the numbers stay, and do not count."""
    hidden = cut_short("both")
    (hidden / "performance" / "mlperf_log_detail.txt").write_bytes(b"")
    found = recover(hidden)
    assert (found.status, found.valid, found.error.code) == (Status.FAILED, False, "log-incomplete")
    assert found.performance.samples > 0


def test_a_run_that_somebody_works_on(cut_short, tmp_path):
    hidden = cut_short("both")
    owner = JournalFile.adopt(hidden / store.EVENTS)
    with pytest.raises(OutputError) as caught:
        recover(hidden)
    assert caught.value.code == "run-alive"
    assert list(recover_all(tmp_path)) == []
    owner.close()
    assert recover(hidden).status is Status.COMPLETED


def test_a_run_on_a_device_is_left_to_attach(cut_short, tmp_path):
    """It may go on there."""
    hidden = cut_short("both")
    plan = json.loads((hidden / store.PLAN).read_text())
    (hidden / store.PLAN).write_text(json.dumps(plan | {"device": "ssh:board"}))
    assert list(recover_all(tmp_path)) == []
    assert hidden.exists()
    (hidden / store.PLAN).write_text(json.dumps(plan))
    assert len(list(recover_all(tmp_path))) == 1


def test_folders_of_runs_that_never_began(tmp_path):
    """They are swept up, unless somebody is about to begin."""
    empty, abandoned, alive = (tmp_path / f".{name}{store.STARTING}" for name in "abc")
    for folder in (empty, abandoned, alive):
        folder.mkdir()
    (abandoned / store.EVENTS).touch()
    owner = JournalFile.create(alive / store.EVENTS)
    assert list(recover_all(tmp_path)) == []
    assert [path.exists() for path in (empty, abandoned, alive)] == [False, False, True]
    owner.close()


def test_a_journal_on_a_full_disk(tmp_path, monkeypatch):
    """Progress is left out, everything else waits, and comes in order, torn lines included."""
    journal, real, room = JournalFile.create(tmp_path / "j"), os.write, [3]

    def write(fd, data):
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(fd, bytes(data)[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", write)
    journal.write(b"first\n")
    journal.write(b"progress\n", essential=False)
    journal.write(b"second\n")
    assert journal.trouble.errno == errno.ENOSPC
    room[0] = 1000
    journal.sync()
    assert (tmp_path / "j").read_bytes() == b"first\nsecond\n"
    journal.close()


@pytest.mark.parametrize("torn", [b"", b"x", b"x" * 200_000])
def test_a_torn_line_is_dropped(tmp_path, torn):
    path = tmp_path / "j"
    for whole in (b"", b"first\n", b"first\nsecond\n"):
        path.write_bytes(whole + torn)
        journal = JournalFile.adopt(path)
        journal.drop_torn_line()
        journal.write(b"last\n")
        journal.close()
        assert path.read_bytes() == whole + b"last\n"


def test_latencies_are_written_again_after_an_error(tmp_path):
    from array import array

    path = tmp_path / "l"
    write_at(path, 0, array("q", [1, 2]))
    with path.open("ab") as file:
        file.write(b"torn")
    write_at(path, 2, array("q", [3]))
    assert list(read(path)) == [1, 2, 3]


def test_signals_while_a_run_is_stored():
    """The first one interrupts, once; one that comes while the result is stored waits until that is done."""
    handler = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("the handler from before"))
    try:
        with Interrupts():
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
        done = []

        def store_it():
            with Interrupts() as interrupts:
                interrupts.hold()
                signal.raise_signal(signal.SIGINT)
                done.append(True)

        with pytest.raises(KeyboardInterrupt):
            store_it()
        assert done == [True]
    finally:
        signal.signal(signal.SIGTERM, handler)


def test_ignored_signals_stay_ignored():
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
