"""The command itself: output that is cut off, tracebacks on demand, stored results shown again, progress."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
from pathlib import Path

import pytest

from mlperf_mobile.testing.command import PROGRAM


@pytest.fixture
def command(installed):
    """Here, what a process does counts."""
    return installed


@pytest.fixture(scope="module")
def stored(shared_command):
    """A stored result, in its folder."""
    result, _ = shared_command.run("--set", "min_query_count=64")
    return Path(result["directory"])


@pytest.fixture
def copy(stored, tmp_path):
    """The same result, to be changed."""
    path = tmp_path / "result.json"
    path.write_bytes((stored / "result.json").read_bytes())
    return path


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


class TestShow:
    def test_a_folder_and_a_file(self, command, stored):
        whole = json.loads((stored / "result.json").read_text())
        for place in (stored, stored / "result.json"):
            told, done = command.json("show", place)
            assert (done.returncode, done.stderr) == (0, "")
            assert told == whole
        text = command("show", stored).stdout
        for part in ("product · double · single-stream", "VALID", "exact 1.0000 of 100 samples", "seed qsl",
                     "toy.weather", "sunny", "versions ", "LoadGen", str(stored)):  # fmt: skip
            assert part in text

    @pytest.mark.parametrize(
        ("spoil", "code"),
        [
            (lambda path: path.unlink(), "no-result"),
            (lambda path: path.write_bytes(path.read_bytes()[:1000]), "result-damaged"),
            (lambda path: change(path, schema=3), "result-schema"),
            (lambda path: change(path, extra=1), "result-damaged"),
            (lambda path: change(path, valid="very"), "result-damaged"),
        ],
    )
    def test_what_cannot_be_shown(self, command, copy, spoil, code):
        spoil(copy)
        told, done = command.json("show", copy)
        assert (done.returncode, told["error"]["code"], told["error"]["exit_code"]) == (6, code, 6)
        assert str(copy) in done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_texts_in_brackets(self, command, copy):
        """They are no markup, whoever wrote them."""
        odd = "[bold]odd[/] [/nothing] [link=x]"
        change(copy, benchmark=odd, environment={odd: odd}, placement={"operations": {odd: 1}})
        done = command("show", copy)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count(odd) == 4

    def test_a_name_that_is_too_long(self, command):
        done = command("show", "x" * 300)
        assert (done.returncode, "no-result" in done.stderr) == (6, True)


class TestReaderThatLeaves:
    """As ``| head`` does: no traceback, and not the exit code of a failure."""

    def into_nothing(self, command, *arguments):
        read_fd, write_fd = os.pipe()
        os.close(read_fd)
        done = subprocess.run(
            [PROGRAM, *arguments], stdout=write_fd, stderr=subprocess.PIPE,
            env=command.environment(), cwd=command.folder, text=True, check=False,
        )  # fmt: skip
        os.close(write_fd)
        return done.returncode, done.stderr

    @pytest.mark.parametrize(
        "arguments",
        [
            ("list-backends",),
            ("list-tasks", "--json"),
            ("run", "product", "--backend", "toy", "--dry-run"),
            ("show", "RESULT"),
        ],
    )
    def test_from_the_start(self, command, stored, arguments):
        assert self.into_nothing(command, *(str(stored) if a == "RESULT" else a for a in arguments)) == (0, "")


class TestErrors:
    def test_no_arguments(self, command):
        done = command()
        assert done.returncode == 2
        assert done.stdout.startswith("usage: mlperf-mobile")
        for name in ("run", "show", "list-backends", "list-plugins", "doctor"):
            assert name in done.stdout

    def test_version(self, command):
        done = command("--version")
        assert done.returncode == 0
        assert re.fullmatch(r"mlperf-mobile \d+\.\d+\.\d+\n", done.stdout)

    @pytest.mark.parametrize("arguments", [["run", "--fast"], ["run", "--rul", "quick"], ["show"]])
    def test_unknown_arguments(self, command, arguments):
        done = command(*arguments)
        assert done.returncode == 2
        assert "usage: mlperf-mobile" in done.stderr
        assert not command.results.exists()

    @pytest.mark.parametrize(
        ("arguments", "summary", "hint"),
        [
            (["run", "--mdoe", "both"], "unrecognized arguments: --mdoe", "did you mean --mode or --model or --token?"),
            (["cache", "prune", "--dayss=3"], "unrecognized arguments: --dayss=3", "did you mean --days?"),
            (["compare"], "the following arguments are required: [LABEL=]RESULT", "see mlperf-mobile compare --help"),
            (["compare", "a", "--strct", "b"], "unrecognized arguments: --strct b", "did you mean --strict?"),
            (["list-tasks", "--zzz"], "unrecognized arguments: --zzz", "see mlperf-mobile list-tasks --help"),
            (["--verion"], "unrecognized arguments: --verion", "did you mean --version?"),
            (["run", "--repeat", "x"], "argument --repeat: invalid int value: 'x'", "see mlperf-mobile run --help"),
            (["show"], "the following arguments are required: RESULT", "see mlperf-mobile show --help"),
        ],
    )
    def test_arguments_that_do_not_parse(self, command, arguments, summary, hint):
        done = command(*arguments, "--json")
        error = {"code": "bad-arguments", "summary": summary, "hint": hint, "exit_code": 2}
        if arguments == ["--verion"]:
            error["summary"] += " --json"
        assert (done.returncode, json.loads(done.stdout)["error"]) == (2, error)
        assert done.stderr.endswith(f"mlperf-mobile: error[bad-arguments]: {error['summary']}; {hint}\n")

    @pytest.mark.parametrize(
        "arguments",
        [["compare", "x", "--json", "y"], ["compare", "--json", "x", "y"], ["compare", "--json", "--", "x", "y"],
         ["attach", "x", "--json", "y"]],
    )  # fmt: skip
    def test_flags_may_stand_anywhere(self, command, arguments):
        done = command(*arguments)
        found = json.loads(done.stdout)
        errors = found.get("errors") or [found["error"]]
        assert {error["code"] for error in errors} == {"no-result"}
        assert len(errors) == (2 if arguments[0] == "attach" else 1)

    def test_an_action_may_have_flags_before_its_arguments(self, command):
        done = command("devices", "prune", "--dry-run", "--json", "nothing:here")
        (record,) = json.loads(done.stdout)["devices"]
        assert record["address"] == "nothing:here"

    def test_an_unknown_command(self, command):
        done = command("chekc")
        assert done.returncode == 2
        assert done.stderr == (
            "mlperf-mobile: error[unknown-command]: no command is called 'chekc'; did you mean check or cache?\n"
        )

    @pytest.mark.parametrize(
        ("place", "env"), [("before", {}), ("after", {}), (None, {"MLPERF_MOBILE_DEBUG": "1"}), (None, {})]
    )
    def test_debug_adds_the_traceback(self, command, place, env):
        """The line, the JSON and the exit code stay."""
        debug = ["--debug"]
        arguments = ["run", "product", "--backend", "tony", "--json"]
        done = command(*(debug if place == "before" else []), *arguments, *(debug if place == "after" else []), env=env)
        assert done.returncode == 2
        assert json.loads(done.stdout)["error"]["code"] == "unknown-backend"
        assert done.stderr.splitlines()[-1].startswith("mlperf-mobile: error[unknown-backend]: ")
        assert ("Traceback (most recent call last)" in done.stderr) == bool(place or env)

    def test_a_defect_is_reported_in_one_line(self, command, write_plugin):
        """A plugin that replaces a function of the core stands in for a defect of it."""
        write_plugin(
            "odd",
            """
            from mlperf_mobile.campaigns import start
            from mlperf_mobile.plugin import hookimpl

            def resolve(*given):
                raise AttributeError("a defect")

            start.resolve = resolve

            @hookimpl
            def mlperf_mobile_backends():
                return ()
            """,
        )
        told, done = command.json("run", "product", "--backend", "toy")
        assert (done.returncode, told["error"]["code"]) == (70, "internal")
        assert "AttributeError" in told["error"]["summary"]
        assert len(done.stderr.splitlines()) == 1


class TestProgress:
    def test_lines_where_there_is_no_terminal(self, command):
        done = command("run", "product", "--backend", "toy", "--set", "min_duration_s=0.1")
        assert done.returncode == 0
        assert done.stderr.splitlines()[0] == "product double: load"
        assert {line.removeprefix("product double: ") for line in done.stderr.splitlines()} >= {
            "warm-up", "performance", "accuracy",
        }  # fmt: skip
        assert "VALID" in done.stdout

    def test_quiet(self, command):
        done = command("run", "product", "--backend", "toy", "--set", "min_duration_s=0.1", "--quiet")
        assert (done.returncode, done.stderr) == (0, "")

    def test_a_bar_on_a_terminal(self, command):
        """With a model's name that looks like markup."""
        (command.folder / "[bold]m[x].toy").write_text('{"factor": 2}')
        screen, terminal = pty.openpty()
        process = subprocess.Popen(
            [PROGRAM, "run", "product", "--backend", "toy", "--model",
             "[bold]m[x].toy", "--set", "min_duration_s=0.4", "--set", "warmup_s=0.05", "--json"],
            env=command.environment({"TERM": "xterm"}), cwd=command.folder,
            stdout=subprocess.PIPE, stderr=terminal, text=True,
        )  # fmt: skip
        os.close(terminal)
        shown = b""
        while select.select([screen], [], [], 200)[0]:
            try:
                shown += os.read(screen, 65536)
            except OSError:  # the other end is closed
                break
        os.close(screen)
        out, _ = process.communicate(timeout=200)
        assert json.loads(out)["results"][0]["model"]["name"] == "[bold]m[x]"
        assert b"product [bold]m[x]" in shown
        assert b"performance" in shown
        assert b"Traceback" not in shown
