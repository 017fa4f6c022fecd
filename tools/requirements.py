"""Prints what the workspace's distributions require from elsewhere, for the pinned lists in ``requirements/``."""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def external(extras: frozenset[str], *, groups: bool) -> list[str]:
    """Requirements of all members with ``extras``, and of the development group; the members left out."""
    found: set[str] = set()
    for file in sorted(ROOT.glob("core/pyproject.toml")) + sorted(ROOT.glob("*/*/pyproject.toml")):
        project = tomllib.loads(file.read_text())["project"]
        found |= set(project.get("dependencies", []))
        for name, requirements in project.get("optional-dependencies", {}).items():
            found |= set(requirements) if name in extras else set()
    if groups:
        for requirements in tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"].values():
            found |= set(requirements)
    return sorted(requirement for requirement in found if not requirement.startswith("mlperf-mobile"))


def main() -> int:
    """Print one requirement a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extra", action="append", default=[], help="an optional dependency to include")
    parser.add_argument("--groups", action="store_true", help="include the development tools")
    parser.add_argument("--also", action="append", default=[], help="a further requirement")
    args = parser.parse_args()
    sys.stdout.write("\n".join([*external(frozenset(args.extra), groups=args.groups), *args.also]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
