"""Writes ``schema.py``, the fields of every table of a .tflite file, from the schema that LiteRT ships.

Usage: ``python tools/make_schema.py > src/mlperf_mobile_tflite_model/schema.py`` with ``ai-edge-litert`` installed.
"""

from __future__ import annotations

import re
import sys
import textwrap
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

SIZES = {"Bool": 1, "Int8": 1, "Uint8": 1, "Uint16": 2, "Int32": 4, "Uint32": 4, "Float32": 4, "Int64": 8, "Uint64": 8}
CLASS = re.compile(r"^class (\w+)\(object\):\n(.*?)(?=^class |^def |\Z)", re.MULTILINE | re.DOTALL)
FIELD = re.compile(
    r"    def (\w+)\(self(?:, j)?\):\n +o = [^\n]*Offset\((\d+)\)\)\n(.*?)(?=\n    #|\n\n|\Z)", re.DOTALL
)
MEMBER = re.compile(r"^    (\w+) = (\d+)$", re.MULTILINE)
UNION_OF = re.compile(r"= (\w+)Creator\(self\.(\w+)Type,")


def token(name: str, body: str, unions: dict[str, str]) -> str:
    """How one field's accessor describes the field, in the words of ``schema.py``."""
    if "Union(obj" in body:
        return f"?{unions[name.lower()]}"
    if "_tab.String" in body:
        return "s"
    item = re.search(r"obj = (\w+)\(\)", body)
    kind = item[1] if item else str(SIZES[re.search(r"number_types\.(\w+)Flags, [ao] \+", body)[1]])  # type: ignore[index]
    return f"[{kind}]" if "_tab.Vector(" in body else kind


def fields(body: str, unions: dict[str, str]) -> str:
    """The fields of one table, in the order of their ids; ``-`` where a deprecated one was."""
    found: dict[int, str] = {}
    for name, slot, code in FIELD.findall(body):
        if not re.search(r"VectorLen|VectorAsNumpy|return o == 0", code):
            found[(int(slot) - 4) // 2] = token(name, code, unions)
    return " ".join(found.get(i, "-") for i in range(max(found, default=-1) + 1))


def read_schema() -> tuple[dict[str, str], dict[str, list[str]]]:
    """The tables with their fields, and the unions with their members in the order of their types."""
    spec = find_spec("ai_edge_litert.schema_py_generated")
    if spec is None or spec.origin is None:
        sys.exit("ai-edge-litert is not installed")
    source = Path(spec.origin).read_text(encoding="utf-8")
    classes = dict(CLASS.findall(source))
    union_of = {field.lower(): union for union, field in UNION_OF.findall(source)}
    tables = {name: fields(body, union_of) for name, body in classes.items() if "def GetRootAs(" in body}
    unions = {}
    for union in sorted(set(union_of.values())):
        members = sorted((int(code), name) for name, code in MEMBER.findall(classes[union]))
        assert [code for code, _ in members] == list(range(len(members))), union
        unions[union] = [name for _, name in members]
    return tables, unions


def entry(name: str, text: str) -> str:
    """One line of a dictionary of strings, folded where it is long."""
    if len(name) + len(text) < 90:
        return f'    "{name}": "{text}",'
    folded = textwrap.wrap(text, 100)
    ended = [f"{line} " for line in folded[:-1]] + folded[-1:]
    return "\n".join([f'    "{name}": (', *(f'        "{line}"' for line in ended), "    ),"])


def main() -> int:
    """Print the module."""
    tables, unions = read_schema()
    lines = [
        '"""The fields of every table of a .tflite file, in the order of their ids.',
        "",
        f"Written by ``tools/make_schema.py`` from the schema (version 3) of LiteRT {version('ai-edge-litert')}.",
        "A field is ``1 2 4 8`` (a number of so many bytes), ``s`` (a string), ``Name`` (a table), ``?Name`` (a union,",
        "whose type is the field before it), ``[1]`` or ``[Name]`` (a vector of those), or ``-`` (deprecated).",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "TABLES = {",
        *(entry(name, text) for name, text in sorted(tables.items()) if text),
        "}",
        '"""A table that is not here has no fields."""',
        "",
        "UNIONS = {",
        *(entry(union, " ".join(members)) for union, members in unions.items()),
        "}",
        '"""The table of each type of a union, in the order of the types."""',
        "",
    ]
    sys.stdout.write("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
