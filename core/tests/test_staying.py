"""A plugin's code cannot end the process of a command; everything else that calls ``os._exit`` can."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

import pytest

from mlperf_mobile.cli import main
from mlperf_mobile.staying import kept_alive


def test_this_threads_code_does_not_end_the_process():
    real = os._exit
    with kept_alive(), kept_alive(), pytest.raises(RuntimeError, match=rf"^{__name__} called os._exit\(0\), which"):
        os._exit(0)
    assert os._exit is real


def test_a_forked_child_ends():
    with kept_alive():
        child = os.fork()
        if not child:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


class EndedError(Exception):
    """Stands for the end of the process."""


def test_another_thread_and_a_later_call_end_the_process(monkeypatch):
    ended = []

    def end(status):
        ended.append(status)
        raise EndedError

    def elsewhere():
        with suppress(EndedError):
            os._exit(1)

    monkeypatch.setattr(os, "_exit", end)
    with kept_alive():
        kept = os._exit
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    with pytest.raises(EndedError):
        kept(2)
    assert ended == [1, 2]


def test_a_command_reports_it(monkeypatch, capsys):
    """Whatever code of a plugin calls it, such as an options model; exit code 0 would say that all is well."""
    monkeypatch.setattr(main, "_handled", lambda args: os._exit(0))
    assert main.main(["--version"]) == 70
    assert f"RuntimeError: {__name__} called os._exit(0)" in capsys.readouterr().err
