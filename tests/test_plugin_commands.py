"""Commands of plugins: listed without being imported, run by name, and never in each other's way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlperf_mobile.cli.main import _OWN, ELSEWHERE
from mlperf_mobile.registry import Registry

PLUGIN = """
from mlperf_mobile.plugin import CommandInfo, Ref, Remark, hookimpl

def add(parser):
    parser.add_argument("text")
    parser.set_defaults(handler=lambda args: print(args.text[::-1]) or 3)

def info(name, path="echo_plugin:add", **more):
    return CommandInfo(**{"name": name, "summary": "says it backwards", "command": Ref(path), "group": "jokes",
                          "hook_api": (2, 0)} | more)

@hookimpl
def mlperf_mobile_commands():
    return [info("backwards"), info("broken", "echo_plugin_missing:add")]
"""


@pytest.fixture
def echo(command):
    command.write_plugin("echo", PLUGIN)
    return command


def test_a_plugins_command_runs(echo):
    done = echo("backwards", "abc")
    assert (done.stdout, done.stderr, done.returncode) == ("cba\n", "", 3)


def test_the_help_lists_it_under_its_group(echo):
    done = echo("--help")
    assert "jokes:\n  backwards" in done.stdout
    assert re.search(r"^  broken +says it backwards$", done.stdout, re.MULTILINE)
    assert done.returncode == 0


def test_a_command_that_cannot_be_loaded_is_an_error_of_its_own(echo):
    done = echo("broken", "abc")
    assert "error[command-failed]: the command 'broken' cannot be loaded: ModuleNotFoundError" in done.stderr
    assert done.returncode == 2
    assert echo("list-tasks").returncode == 0


@pytest.mark.parametrize("code", ["return 1 / 0", "return None", "return 'fine'"])
def test_a_handler_that_fails_is_reported_against_its_command(command, code):
    handler = f"def handler(args):\n    {code}\n"
    command.write_plugin("echo", PLUGIN.replace("lambda args: print(args.text[::-1]) or 3", "handler") + handler)
    done = command("backwards", "abc")
    assert done.stderr.startswith("mlperf-mobile: error[command-failed]: the command 'backwards' failed: ")
    assert done.returncode == 70


def test_a_module_that_exits_takes_nothing_along(command):
    command.write_plugin("echo", PLUGIN, files={"echo_plugin_missing.py": "print('hello')\nraise SystemExit(9)"})
    assert "error[command-failed]" in command("broken", "abc").stderr
    assert command.json("list", "plugins")[0]["problems"][0]["code"] == "command-failed"


def test_the_listing_of_plugins_names_a_command_that_cannot_be_loaded(echo):
    told, _ = echo.json("list", "plugins")
    assert [(each["code"], each["source"]) for each in told["problems"]] == [("command-failed", "echo 1.0")]
    assert "'broken'" in told["problems"][0]["reason"]


def test_a_command_cannot_take_the_place_of_one_of_the_core(command):
    """The core's own command runs, and the listing names the plugin that offers another."""
    command.write_plugin("echo", PLUGIN.replace('info("backwards")', 'info("list-tasks")'))
    told, _ = command.json("list-tasks")
    assert [task["name"] for task in told["tasks"] if task["name"] == "product"]
    assert [problem["code"] for problem in told["problems"]] == ["duplicate"]
    assert told["problems"][0]["reason"] == "the command 'list-tasks' is one of the core's, which is used"
    assert told["problems"][0]["source"] == "echo 1.0"
    assert command("--help").stdout.count("list-tasks") == 1


@pytest.mark.parametrize("group", ["", " "])
def test_commands_without_a_group_have_a_heading(command, group):
    command.write_plugin("echo", PLUGIN.replace('"jokes"', f'"{group}"'))
    assert "\n\nother commands:\n  backwards" in command("--help").stdout


@pytest.mark.parametrize("wrong", ["summary=7", "command='echo_plugin:add'", "group=None"])
def test_a_malformed_offer_leaves_the_others(command, wrong):
    command.write_plugin("echo", PLUGIN.replace('info("broken", "echo_plugin_missing:add")', f'info("x", {wrong})'))
    told, _ = command.json("list-tasks")
    assert [(problem["code"], problem["source"]) for problem in told["problems"]] == [("hook-failed", "echo 1.0")]
    assert "list-tasks" in command("--help").stdout


def test_a_remark_stands_on_the_card(command):
    """On the terminal only: result.json stays as it was measured."""
    remark = """
@hookimpl
def mlperf_mobile_remarks(result):
    return [Remark("lab", f"shelf 7, {result.task}")]
"""
    command.write_plugin("echo", PLUGIN + remark)
    result, _ = command.run("--mode", "performance")
    assert "shelf 7" not in str(result)
    shown = command("show", result["directory"])
    assert re.search(r"lab +shelf 7, product", shown.stdout)


def test_a_remark_that_fails_takes_nothing_away(command):
    command.write_plugin("echo", PLUGIN + "\n@hookimpl\ndef mlperf_mobile_remarks(result):\n    return 1 / 0\n")
    result, _ = command.run("--mode", "performance")
    shown = command("show", result["directory"])
    assert (shown.returncode, "product" in shown.stdout) == (0, True)


@pytest.mark.parametrize(
    ("name", "distribution"),
    [("check", "mlperf-mobile-rounds"), ("compare", "mlperf-mobile-report"), ("fetch", "mlperf-mobile-fetch")],
)
def test_a_known_command_that_is_not_installed(name, distribution, monkeypatch, capsys):
    from mlperf_mobile.cli import main

    monkeypatch.setenv("MLPERF_MOBILE_BLOCK", "rounds,report,fetch")
    monkeypatch.setattr(main, "distribution", lambda _: None)
    assert main.main([name, "x"]) == 2
    assert capsys.readouterr().err == (
        f"mlperf-mobile: error[not-installed]: the command {name!r} is in {distribution}, which is not installed; "
        f"pip install {distribution}\n"
    )


@pytest.mark.parametrize(
    "code", ["return 256", "return -1", "return 2**40", "return 0.5", "raise Panic('no')", "raise BrokenPipeError"]
)
def test_an_invalid_exit_code_is_never_success(command, code):
    handler = f"class Panic(BaseException): pass\ndef handler(args):\n    {code}\n"
    command.write_plugin("echo", PLUGIN.replace("lambda args: print(args.text[::-1]) or 3", "handler") + handler)
    done = command("backwards", "abc")
    assert done.stderr.startswith("mlperf-mobile: error[command-failed]: the command 'backwards' failed: ")
    assert done.returncode == 70


@pytest.mark.parametrize(("given", "code", "text"), [("'no server'", 1, "no server\n"), ("5", 5, ""), ("", 0, "")])
def test_sys_exit_ends_a_command_as_it_ends_a_program(command, given, code, text):
    handler = f"import sys\ndef handler(args):\n    sys.exit({given})\n"
    command.write_plugin("echo", PLUGIN.replace("lambda args: print(args.text[::-1]) or 3", "handler") + handler)
    done = command("backwards", "abc")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", text)


def test_threads_of_a_command_finish(installed):
    handler = """
def handler(args):
    import threading, time
    threading.Thread(target=lambda: time.sleep(0.2) or print("sent", flush=True)).start()
    return 0
"""
    installed.write_plugin("echo", PLUGIN.replace("lambda args: print(args.text[::-1]) or 3", "handler") + handler)
    assert installed("backwards", "abc").stdout == "sent\n"


def test_a_summary_is_one_line_of_the_help_as_it_is_written(command):
    summary = "all of %(prog)s, 100 %\\nof it"
    command.write_plugin("echo", PLUGIN.replace("says it backwards", summary))
    done = command("--help")
    assert re.search(r"^  backwards +all of %\(prog\)s, 100 % of it$", done.stdout, re.MULTILINE)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("argument", "given", "told"),
    [('"text", help="100% of"', "--help", "the command 'backwards' failed: "),
     ('"--debug"', "abc", "the command 'backwards' cannot be loaded: ArgumentError")],
)  # fmt: skip
def test_arguments_that_argparse_refuses_are_the_commands_failure(command, argument, given, told):
    command.write_plugin("echo", PLUGIN.replace('add_argument("text"', f"add_argument({argument}"))
    assert f"error[command-failed]: {told}" in command("backwards", given).stderr


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("parser.add_argument('--debug')", "ArgumentError: argument --debug: conflicting option string: --debug"),
        ("pass", "TypeError: it sets no handler; "),
        ("parser.add_subparsers().add_parser('now').set_defaults(handler=print)", "TypeError: it sets no handler; "),
        ("parser.add_subparsers(required=True).add_parser('now')", "TypeError: it sets no handler; "),
        ("parser.add_argument('text', help='100% of'); parser.set_defaults(handler=print)", ""),
    ],
)
def test_the_listing_of_plugins_names_a_command_that_cannot_be_called(command, body, told):
    command.write_plugin("echo", f"{PLUGIN}\ndef add(parser):\n    {body}\n")
    listed = command("list-plugins").stderr
    assert f"problem[command-failed] echo 1.0: command 'backwards' cannot be loaded: {told}" in listed


def test_a_command_has_its_own_arguments_of_any_name(command):
    """Also those that the program has itself, and a handler in each subcommand."""
    body = """
def add(parser):
    part = parser.add_subparsers(required=True).add_parser("up")
    part.add_argument("command")
    part.add_argument("--version")
    part.set_defaults(handler=lambda args: print(args.command, args.version) or 0)
"""
    command.write_plugin("echo", PLUGIN + body)
    assert "'backwards'" not in command("list-plugins").stderr
    assert command("backwards", "up", "a", "--version", "3").stdout == "a 3\n"


def test_only_the_help_loads_plugins(command):
    command.write_plugin("slow", "print('loading'.upper())")
    assert command("--version").stderr == ""
    assert "--versoin" in command("--versoin").stderr
    assert "LOADING" in command("--help").stderr


def test_every_command_of_this_project_is_known_without_its_distribution():
    homes = {name: offer.source.distribution for name, offer in Registry().commands.items() if name not in _OWN}
    assert {name: f"mlperf-mobile-{home}" for name, home in ELSEWHERE.items()} == homes


def test_what_a_module_prints_is_not_the_commands_output(command):
    command.write_plugin("echo", PLUGIN.replace("def add(parser):", "def add(parser):\n    print('loading')"))
    done = command("backwards", "abc")
    assert (done.stdout, done.stderr) == ("cba\n", "loading\n")


def test_a_command_of_a_distribution_that_is_not_installed_may_be_anothers(command, monkeypatch):
    monkeypatch.setattr("mlperf_mobile.cli.main.ELSEWHERE", {"backwards": "elsewhere"})
    assert "pip install mlperf-mobile-elsewhere" in command("backwards", "abc").stderr
    command.write_plugin("echo", PLUGIN)
    assert command("backwards", "abc").stdout == "cba\n"


def test_nothing_to_run_names_what_to_install(inside):
    everything, _ = inside.json("list-plugins")
    names = ",".join({each["name"] for each in everything["plugins"]} - {"core"})
    done = inside("run", env={"MLPERF_MOBILE_BLOCK": names})
    assert "error[no-task]: there is nothing to run; none is installed; pip install 'mlperf-mobile[all]'" in done.stderr
    assert done.returncode == 2


def test_a_remark_changes_nothing_of_what_is_shown(command):
    (folder,) = (Path(__file__).parent / "schema1/results").glob("*-7cc714df")
    command.write_plugin(
        "remarker",
        """
        from mlperf_mobile.plugin import Remark, hookimpl

        @hookimpl
        def mlperf_mobile_remarks(result):
            result.rules.clear()
            return [Remark("seen", "yes")]
        """,
    )
    shown = command("show", folder).stdout
    assert re.search(r"seen +yes", shown)
    assert "min-duration" in shown
