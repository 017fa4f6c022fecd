"""Prints the external requirements of the workspace's distributions, for the pinned lists in ``requirements/``."""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MEMBERS = ("core", "libraries/*", "plugins/*", "tasks/*")
ROOT = Path(__file__).resolve().parents[1]


def of_members(members: Sequence[str], extras: frozenset[str]) -> set[str]:
    """The members' requirements with ``extras``, except the members themselves."""
    found: set[str] = set()
    for file in [file for member in members for file in ROOT.glob(f"{member}/pyproject.toml")]:
        project = tomllib.loads(file.read_text())["project"]
        found |= set(project.get("dependencies", []))
        for name, requirements in project.get("optional-dependencies", {}).items():
            found |= set(requirements) if name in extras else set()
    return {requirement for requirement in found if not requirement.startswith("mlperf-mobile")}


def of_group(name: str) -> set[str]:
    """The requirements of a dependency group of the workspace and of the groups that it includes."""
    groups: dict[str, list[Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    found: set[str] = set()
    for item in groups[name]:
        found |= of_group(item["include-group"]) if isinstance(item, dict) else {item}
    return found


def main() -> int:
    """Print one requirement per line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extra", action="append", default=[], help="an optional dependency to include")
    parser.add_argument("--group", action="append", default=[], help="a dependency group of the workspace to include")
    parser.add_argument("--member", action="append", help="a folder of the workspace; by default all members")
    parser.add_argument("--without", action="append", default=[], help="a distribution to leave out")
    args = parser.parse_args()
    found = of_members(args.member or MEMBERS, frozenset(args.extra)).union(*map(of_group, args.group))
    found = {requirement for requirement in found if not requirement.startswith(tuple(args.without))}
    sys.stdout.write("\n".join(sorted(found)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
