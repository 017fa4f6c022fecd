"""``mlperf_mobile.testing.command``: what the command sees, and what a test gets back."""

from __future__ import annotations

import pytest

from mlperf_mobile.testing.command import Command


def test_nothing_of_the_developers_reaches_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("MLPERF_MOBILE_RULES", "rapid")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("XDG_CACHE_HOME", "/my/cache")
    monkeypatch.setenv("ANDROID_HOME", "/sdk")
    environment = Command(tmp_path).environment()
    assert not {"MLPERF_MOBILE_RULES", "PYTHONPATH"} & set(environment)
    assert environment["XDG_CACHE_HOME"] == str(tmp_path / "cache")
    assert environment["ANDROID_HOME"] == "/sdk"


def test_variables_of_a_call_come_on_top(tmp_path):
    command = Command(tmp_path, {"A": "fixture", "B": "fixture", "COLUMNS": "80"})
    environment = command.environment({"B": "call", "MLPERF_MOBILE_RULES": "quick"})
    assert (environment["A"], environment["B"]) == ("fixture", "call")
    assert (environment["COLUMNS"], environment["MLPERF_MOBILE_RULES"]) == ("80", "quick")


@pytest.mark.slow
def test_it_runs_the_installed_command_in_its_folder(tmp_path):
    command = Command(tmp_path)
    (tmp_path / "run.yaml").write_text("ruls: quick\n")
    done = command("run", "--config", "run.yaml", "--dry-run")
    assert done.returncode == 2
    assert "run.yaml:1:1" in done.stderr
    listed, done = command.json("list-scenarios")
    assert done.returncode == 0
    assert "offline" in {each["name"] for each in listed["scenarios"]}
    with pytest.raises(AssertionError, match="unknown-task"):
        command.run("no_such_task")


@pytest.mark.slow
def test_a_process_under_way(tmp_path):
    with Command(tmp_path).start("list-scenarios", env={"COLUMNS": "40"}) as process:
        out, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    assert "offline" in out
