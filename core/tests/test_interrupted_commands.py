"""Commands that are interrupted outside of a run: their end is reported like any error, with what was stored before."""

from __future__ import annotations

import argparse
import json
from types import SimpleNamespace

from mlperf_mobile.cli import run
from mlperf_mobile.cli.main import main


def stop(*given, **more):
    raise KeyboardInterrupt


def test_a_command_that_is_stopped_before_its_first_run(monkeypatch, capsys):
    monkeypatch.setattr("mlperf_mobile.campaigns.start.planned", stop)
    assert main(["run", "--json"]) == 130
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert err == "mlperf-mobile: error[interrupted]: stopped by the user\n"


def test_results_that_were_stored_before_are_listed(monkeypatch, capsys):
    """The signal arrives between two runs, or while a result is stored."""
    stored = SimpleNamespace(to_json=lambda: {"run_id": "one"}, run_id="one", error=None, valid=True)

    def runs(args, campaign):
        yield stored
        stop()

    monkeypatch.setattr(run, "_run", runs)
    monkeypatch.setattr("mlperf_mobile.campaigns.repeat.repetitions", lambda results: [])
    args = argparse.Namespace(json=True, resume=None)
    assert run._carry_out(args, SimpleNamespace(steps=[])) == 130
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["results"], found["error"]["code"]) == ([{"run_id": "one"}], "interrupted")
    assert err == "mlperf-mobile: error[interrupted]: stopped by the user\n"
