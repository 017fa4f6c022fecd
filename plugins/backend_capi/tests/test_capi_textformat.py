"""Expected values are what protobuf 6's own text_format makes of the same texts."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlperf_mobile_backend_capi.textformat import MAX_CHARACTERS, MAX_DEPTH, Malformed, Message, Word, parse


def plain(message: Message) -> list[object]:
    """Fields as nested lists; numbers and names as they were written, marked by ``#``."""
    return [
        [name, plain(value) if isinstance(value, Message) else f"#{value.text}" if isinstance(value, Word) else value]
        for name, value in message.fields
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# alone", []),
        ('a: "x" # told\n b: 5', [["a", "x"], ["b", "#5"]]),
        ("a: 'x' \"y\" 'z'", [["a", "xyz"]]),
        (r'a: "\x41\102\n\t\"\'\\ \u00e9 \U0001F600 \303\251"', [["a", "AB\n\t\"'\\ é 😀 é"]]),
        ('a: "é" ', [["a", "é"]]),
        ('a: ["x", "y"]', [["a", "x"], ["a", "y"]]),
        ("a: []", []),
        ('a: "x", a: "y";', [["a", "x"], ["a", "y"]]),
        ('a: "x" b < a: "y" >', [["a", "x"], ["b", [["a", "y"]]]]),
        ('b: { a: "y" } b { }', [["b", [["a", "y"]]], ["b", []]]),
        ('b [{a: "x"}, {a: "y"}]', [["b", [["a", "x"]]], ["b", [["a", "y"]]]]),
        ("n: 0x10 n: -5 t: true", [["n", "#0x10"], ["n", "#-5"], ["t", "#true"]]),
    ],
)
def test_what_is_understood(text: str, expected: list[object]) -> None:
    assert plain(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "line 1: expected a field name, not '{'"),
        ("a", "line 1: expected ':' or '{', not the end"),
        ('a "x"', "expected ':' or '{'"),
        ("a:", "expected a value, not the end"),
        ('\n\nb {\n a: "x"', "line 4: expected '}', not the end|line 4: expected a field name"),
        ("b { >", "expected a field name, not '>'"),
        ("}", "expected a field name"),
        ('a: ["x" "y', "is not text format"),
        ('a: ["x" b]', "expected ',' or ']', not 'b'"),
        ('a: "x\ny"', "line 1: '\"x"),
        (r'a: "\q"', r"the escape \\q is unknown"),
        (r'a: "\xff"', "a string is not UTF-8"),
        (r'a: "\ud800"', "U.D800 is not a character"),
        (r'a: "\U00110000"', "U.110000 is not a character"),
        (r'a: "\400"', "not UTF-8|no character"),
        ("n: 1.5", "is not text format"),
        ("[x]: 5", "expected a field name"),
        ("5: 5", "expected a field name"),
        (",", "expected a field name"),
        ('a: "x",, a: "y"', "expected a field name, not ','"),
        ("/* c */", "is not text format"),
        ("é: 1", "is not text format"),
    ],
)
def test_what_is_not(text: str, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        parse(text)


def test_bounds() -> None:
    assert plain(parse("a{" * MAX_DEPTH + "}" * MAX_DEPTH))
    with pytest.raises(Malformed, match=f"nest more than {MAX_DEPTH} levels deep"):
        parse("a{" * 100_000)
    parse(" " * MAX_CHARACTERS)
    with pytest.raises(Malformed, match="longer than"):
        parse(" " * (MAX_CHARACTERS + 1))


def quoted(text: str) -> str:
    """As the specification says: bytes that are not plain as three octal digits."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03o}" for b in text.encode()) + '"'


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(texts, lambda inner: st.lists(st.tuples(names, inner), max_size=4), max_leaves=20)


def written(fields: list[tuple[str, object]]) -> str:
    return " ".join(
        f"{name}: {quoted(value)}" if isinstance(value, str) else f"{name} {{ {written(value)} }}"  # type: ignore[arg-type]
        for name, value in fields
    )


@pytest.mark.slow
@given(st.lists(st.tuples(names, values), max_size=5))
def test_what_is_written_is_read(fields: list[tuple[str, object]]) -> None:
    def listed(some: list[tuple[str, object]]) -> list[object]:
        return [[name, value if isinstance(value, str) else listed(value)] for name, value in some]  # type: ignore[arg-type]

    assert plain(parse(written(fields))) == listed(fields)


@given(st.text(st.sampled_from("ab:{}<>[],;#\"'\\\nx0 1-_\x00é"), max_size=60) | st.text(max_size=60))
@example('a: "\\')
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except Malformed as error:
        assert str(error)
    else:
        assert isinstance(found, Message)
