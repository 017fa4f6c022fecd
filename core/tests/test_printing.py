"""What reaches a terminal: text, line feeds and tabs, and never a control sequence of somebody else's."""

from __future__ import annotations

import io
import re
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Group
from rich.panel import Panel
from rich.table import Table

from mlperf_mobile.cli import main as command
from mlperf_mobile.printing import CleanStream, clean, clean_lines, counted
from mlperf_mobile.terminal.console import CleanConsole, text

HOSTILE = "\x1b]0;title\x07\x1b[31mred\x9b31m\u202eesrever\r\nsecond\u2028third\x00\ud800[bold]x[/oops]"
_SGR = re.compile(r"\x1b\[[0-9;]*m")
"""Colours and weights, the only sequences that the product itself draws in a card."""


def _kinds(shown: str) -> set[str]:
    """Unicode's general categories of every character but line feeds and tabs."""
    return {unicodedata.category(c) for c in shown if c not in "\n\t"}


@pytest.mark.slow
@given(st.text())
@example(HOSTILE)
def test_a_line_has_no_character_that_moves_a_cursor(written: str) -> None:
    shown = clean(written)
    assert len(shown) == len(written)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text())
@example(HOSTILE)
def test_a_stream_keeps_line_feeds_and_tabs(written: str) -> None:
    behind = io.StringIO()
    assert CleanStream(behind).write(written) == len(written)
    assert not _kinds(behind.getvalue()) & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert behind.getvalue().count("\n") == written.count("\n")
    assert behind.getvalue().count("\t") == written.count("\t")


@pytest.mark.parametrize("plain", ["µs · 12 %", "a\u00a0b", "深度", "naïve café", "─│╭"])
def test_text_of_any_script_stays(plain: str) -> None:
    assert clean(plain) == clean_lines(plain) == plain


def test_a_character_that_the_terminal_lacks_does_not_end_the_command() -> None:
    bytes_ = io.BytesIO()
    behind = io.TextIOWrapper(bytes_, encoding="ascii")
    stream = CleanStream(behind)
    stream.write("0.2 µs · ok\n")
    stream.flush()
    assert bytes_.getvalue() == b"0.2 ?s ? ok\n"


def test_a_card_is_drawn_without_foreign_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    behind = io.StringIO()
    monkeypatch.setattr(sys, "stdout", CleanStream(behind))
    table = Table(title=HOSTILE)
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    table.add_row(text(HOSTILE))
    CleanConsole().print(Panel(Group(HOSTILE, text(HOSTILE), table), title=text(HOSTILE)))
    shown = _SGR.sub("", behind.getvalue())
    assert not _kinds(shown) & {"Cc", "Cf", "Cs"}
    assert "[/oops]" in shown, "nothing is taken for markup"


def test_an_error_with_a_hostile_name_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["show", "no\x1b[2Jsuch\x9bfolder"]) == 6
    assert not _kinds(capsys.readouterr().err) & {"Cc", "Cf"}


def test_an_argument_that_does_not_parse_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["show", "x", "--no\x1b[2Jsuch"]) == 2
    assert not _kinds(capsys.readouterr().err) & {"Cc", "Cf"}


def test_the_streams_are_those_of_before_when_a_command_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    command.main(["show", "nothing-here"])
    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 results"), (1, "1 result"), (2, "2 results"), (1200, "1,200 results")]
)
def test_numbers_with_their_noun(number, text):
    assert counted(number, "result") == text
