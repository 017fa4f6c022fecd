"""Generates ``schema.py`` and ``options.py``, the format of .tflite files, from the schema that LiteRT ships.

Usage: ``python tools/make_schema.py`` with ``ai-edge-litert`` installed.
"""

from __future__ import annotations

import re
import sys
import textwrap
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "mlperf_mobile_tflite_model"
SIZES = {"Bool": 1, "Int8": 1, "Uint8": 1, "Uint16": 2, "Int32": 4, "Uint32": 4, "Float32": 4, "Int64": 8, "Uint64": 8}
CODES = {
    "Bool": "?", "Int8": "b", "Uint8": "B", "Int32": "i", "Uint32": "I", "Int64": "q", "Float32": "f"
}  # fmt: skip
CLASS = re.compile(r"^class (\w+)\(object\):\n(.*?)(?=^class |^def |\Z)", re.MULTILINE | re.DOTALL)
FIELD = re.compile(
    r"    def (\w+)\(self(?:, j)?\):\n +o = [^\n]*Offset\((\d+)\)\)\n(.*?)(?=\n    #|\n\n|\Z)", re.DOTALL
)
MEMBER = re.compile(r"^    (\w+) = (\d+)$", re.MULTILINE)
UNION_OF = re.compile(r"= (\w+)Creator\(self\.(\w+)Type,")


def token(name: str, body: str, unions: dict[str, str]) -> str:
    """The notation of ``schema.py`` for one field, from the field's accessor."""
    if "Union(obj" in body:
        return f"?{unions[name.lower()]}"
    if "_tab.String" in body:
        return "s"
    item = re.search(r"obj = (\w+)\(\)", body)
    kind = item[1] if item else str(SIZES[re.search(r"number_types\.(\w+)Flags, [ao] \+", body)[1]])  # type: ignore[index]
    return f"[{kind}]" if "_tab.Vector(" in body else kind


def fields(body: str, unions: dict[str, str]) -> str:
    """The fields of one table, in the order of their ids; ``-`` for deprecated ones."""
    found: dict[int, str] = {}
    for name, slot, code in FIELD.findall(body):
        if not re.search(r"VectorLen|VectorAsNumpy|return o == 0", code):
            found[(int(slot) - 4) // 2] = token(name, code, unions)
    return " ".join(found.get(i, "-") for i in range(max(found, default=-1) + 1))


def schema_source() -> str:
    """The generated Python module that comes with LiteRT."""
    spec = find_spec("ai_edge_litert.schema_py_generated")
    if spec is None or spec.origin is None:
        sys.exit("ai-edge-litert is not installed")
    return Path(spec.origin).read_text(encoding="utf-8")


def read_schema() -> tuple[dict[str, str], dict[str, list[str]]]:
    """The tables with their fields, and the unions with their members in the order of their types."""
    source = schema_source()
    classes = dict(CLASS.findall(source))
    union_of = {field.lower(): union for union, field in UNION_OF.findall(source)}
    tables = {name: fields(body, union_of) for name, body in classes.items() if "def GetRootAs(" in body}
    unions = {}
    for union in sorted(set(union_of.values())):
        members = sorted((int(code), name) for name, code in MEMBER.findall(classes[union]))
        assert [code for code, _ in members] == list(range(len(members))), union
        unions[union] = [name for _, name in members]
    return tables, unions


def option(name: str, code: str) -> str | None:
    """One option as ``name:code=default``, or None if it is neither a number nor a list of numbers."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    kind = re.search(r"number_types\.(\w+)Flags, [ao] \+", code)
    if kind is None or kind[1] not in CODES:
        return None
    if "_tab.Vector(" in code:
        return f"{name}:[{CODES[kind[1]]}]"
    default = re.findall(r"return (\S+)$", code)[-1]
    return f"{name}:{CODES[kind[1]]}" + ("" if default in {"0", "0.0", "False"} else f"={default}")


def read_options() -> tuple[list[str], dict[str, str]]:
    """The operators in the order of their codes, and the options of each table of ``BuiltinOptions``."""
    classes = dict(CLASS.findall(schema_source()))
    operators = sorted((int(code), name) for name, code in MEMBER.findall(classes["BuiltinOperator"]))
    assert [code for code, _ in operators] == list(range(len(operators)))
    options = {}
    for table, _ in MEMBER.findall(classes["BuiltinOptions"]):
        found = {
            (int(slot) - 4) // 2: option(name, code)
            for name, slot, code in FIELD.findall(classes.get(table, ""))
            if not re.search(r"VectorLen|VectorAsNumpy|return o == 0", code)
        }
        options[table] = " ".join(found.get(i) or "-" for i in range(max(found, default=-1) + 1))
    return [name for _, name in operators], options


def entry(name: str, text: str) -> str:
    """One entry of a dictionary of strings, wrapped if it is long."""
    if len(name) + len(text) < 90:
        return f'    "{name}": "{text}",'
    folded = textwrap.wrap(text, 100)
    ended = [f"{line} " for line in folded[:-1]] + folded[-1:]
    return "\n".join([f'    "{name}": (', *(f'        "{line}"' for line in ended), "    ),"])


def schema_module() -> str:
    """The text of ``schema.py``."""
    tables, unions = read_schema()
    return "\n".join([
        '"""The fields of every table of a .tflite file, in the order of their ids.',
        "",
        f"Generated by ``tools/make_schema.py`` from the schema (version 3) of LiteRT {version('ai-edge-litert')}.",
        "A field is ``1 2 4 8`` (a number of that many bytes), ``s`` (a string), ``Name`` (a table), ``?Name`` (a",
        "union, whose type is the field before it), ``[1]`` or ``[Name]`` (a vector of those), or ``-`` (deprecated).",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "TABLES = {",
        *(entry(name, text) for name, text in sorted(tables.items()) if text),
        "}",
        '"""Tables that are not listed have no fields."""',
        "",
        "UNIONS = {",
        *(entry(union, " ".join(members)) for union, members in unions.items()),
        "}",
        '"""The table of each type of a union, in the order of the types."""',
        "",
    ])  # fmt: skip


def options_module() -> str:
    """The text of ``options.py``."""
    operators, options = read_options()
    return "\n".join([
        '"""The names of operators, and the names and defaults of their options.',
        "",
        f"Generated by ``tools/make_schema.py`` from the schema (version 3) of LiteRT {version('ai-edge-litert')}.",
        "An option is ``name:code`` or ``name:code=default``, in the order of the fields' ids; the codes are those of",
        "``struct``, with ``[i]`` for a list, and ``-`` marks a field of another kind.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "OPERATORS = (",
        *(f'    "{line} "' for line in textwrap.wrap(" ".join(operators), 100)),
        ")",
        '"""Operator names in the order of their codes."""',
        "",
        "OPTIONS = {",
        *(entry(name, text) for name, text in sorted(options.items()) if text),
        "}",
        '"""Tables that are not listed have no options."""',
        "",
    ])  # fmt: skip


def main() -> int:
    """Write both modules."""
    for name, text in (("schema", schema_module()), ("options", options_module())):
        (PACKAGE / f"{name}.py").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
