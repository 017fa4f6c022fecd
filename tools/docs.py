"""Writes the table of settings into the documentation; with ``--check``, checks that it is current."""

from __future__ import annotations

import argparse
import sys
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from mlperf_mobile.config.settings import Settings

RUNNING = Path(__file__).resolve().parents[1] / "docs" / "running.md"
MARK = "<!-- settings -->\n"


def settings_table() -> str:
    """Every setting with its default and meaning, as a Markdown table."""
    rows = [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in _rows(Settings)]
    return "\n".join(["", "| key | default | meaning |", "|---|---|---|", *rows, ""])


def _rows(model: type[BaseModel], prefix: str = "") -> list[tuple[str, str, str]]:
    rows = []
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            rows += _rows(type(default), f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", _shown(default), field.description or ""))
    return rows


def _shown(default: Any) -> str:
    if default is None or default is PydanticUndefined or default == {}:
        return ""
    return f"`{default.value if isinstance(default, Enum) else default}`"


def main() -> int:
    """Update the document, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if the table is out of date")
    args = parser.parse_args()
    text = RUNNING.read_text()
    before, mark, rest = text.partition(MARK)
    current = before + mark + settings_table() + rest[rest.index("\n## ") :]
    if args.check:
        return int(current != text)
    RUNNING.write_text(current)
    return 0


if __name__ == "__main__":
    sys.exit(main())
