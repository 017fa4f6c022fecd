"""The stand-in for ``libQnnLpai.so``: an empty shared library, written if LiteRT's compiler needs the real one.

LiteRT's Qualcomm plugin is linked against QNN's library for the low-power AI engine, which onnxruntime-qnn does not
include. The dynamic loader only requires that the file exists; compiling for the HTP calls nothing in it. It exists in
a private folder while a model is compiled, and every result records it. Layout: System V ABI, ELF-64, and its AMD64
supplement.
"""

from __future__ import annotations

from pathlib import Path
from struct import pack

NAME = "libQnnLpai.so"
REMARK = f"{NAME}: an empty stand-in for the loader; nothing in it is called"

_HEADER, _PROGRAM = 64, 56
_LOAD, _DYNAMIC = 1, 2
_HASH, _STRTAB, _SYMTAB, _STRSZ, _SYMENT, _SONAME = 4, 5, 6, 10, 11, 14


def write(folder: Path) -> Path:
    """Write the stand-in into ``folder``, which must be private.

    Raises:
        FileExistsError: A library of that name exists; it is never overwritten.
    """
    path = folder / NAME
    with path.open("xb") as file:
        file.write(_library())
    return path


def _library() -> bytes:
    """An x86-64 shared library with a name and no symbols."""
    strings = b"\0" + NAME.encode("ascii") + b"\0"
    strings += bytes(-len(strings) % 8)
    symbols = bytes(24)  # the undefined symbol, which every table begins with
    table = pack("<4I", 1, 1, 0, 0)  # one bucket and one chain, both empty
    at_dynamic = _HEADER + 2 * _PROGRAM
    at_strings = at_dynamic + 7 * 16
    at_symbols = at_strings + len(strings)
    at_hash = at_symbols + len(symbols)
    size = at_hash + len(table)
    entries = (
        (_SONAME, 1), (_HASH, at_hash), (_STRTAB, at_strings), (_SYMTAB, at_symbols), (_STRSZ, len(strings)),
        (_SYMENT, 24), (0, 0),
    )  # fmt: skip
    dynamic = b"".join(pack("<QQ", *entry) for entry in entries)
    ident = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    header = ident + pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, _HEADER, 0, 0, _HEADER, _PROGRAM, 2, 0, 0, 0)
    load = pack("<IIQQQQQQ", _LOAD, 6, 0, 0, 0, size, size, 4096)
    where = pack("<IIQQQQQQ", _DYNAMIC, 6, at_dynamic, at_dynamic, at_dynamic, len(dynamic), len(dynamic), 8)
    return header + load + where + dynamic + strings + symbols + table
