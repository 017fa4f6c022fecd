"""Cross-references in docstrings, for the reference pages: a role becomes a link, or code if its target is private."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import griffe

ROOT = Path(__file__).resolve().parents[1]
_ROLE = re.compile(r":(?:class|meth|func|attr|data|mod|exc):`([~.]?)([\w.]+)`")
_CODE = re.compile(r"``([^`]+)``")


def public_names(text: str) -> dict[str, list[str]]:
    """The public names of each module, from the table in ``docs/api.md``."""
    rows = re.findall(r"^\| `([\w.]+)` \| (`.*`) \|$", text, re.MULTILINE)
    return {module: re.findall(r"`(\w+)`", names) for module, names in rows if module.startswith("mlperf_mobile")}


PUBLIC = {
    f"{module}.{name}" for module, names in public_names((ROOT / "docs/api.md").read_text()).items() for name in names
}


class RoleLinks(griffe.Extension):  # type: ignore[misc]  # griffe is in the environment of the site alone
    """Rewrites the roles in all docstrings to Markdown."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring:
            value = _ROLE.sub(lambda found: _link(found[2], obj), obj.docstring.value)
            obj.docstring.value = _CODE.sub(r"`\1`", value)


def _link(name: str, obj: griffe.Object) -> str:
    """A link to a public name, or to a part of one; any other name as code."""
    *before, last = name.split(".")
    short = f"{before[-1]}.{last}" if before and last.islower() else last
    places = [name, *(f"mlperf_mobile.{module}.{name}" for module in ("contracts", "plugin", "errors"))]
    found = next((place for place in places if place in PUBLIC or _class_of(place) in PUBLIC), None)
    return f"[`{short}`][{found}]" if found else f"`{short}`"


def _class_of(name: str) -> str:
    """The class that a name is part of; empty if the name before the last dot is no class."""
    before = name.rpartition(".")[0]
    return before if before.rpartition(".")[2][:1].isupper() else ""
