"""Prints the size of the core: lines, long modules, the median, and the modules that running a plan imports.

``python tools/sizes.py [SOURCE]`` reads the imports of the sources, also those within functions; nothing is imported.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

CORE = Path(__file__).resolve().parents[1] / "core" / "src"
LONG = 300
RUN = (
    "mlperf_mobile.config.resolve", "mlperf_mobile.registry", "mlperf_mobile.campaigns", "mlperf_mobile.launch.local",
    "mlperf_mobile.worker.__main__", "mlperf_mobile.scenarios",
)  # fmt: skip
"""The modules, and packages with all of their modules, that plan, start and carry out runs."""


def modules(source: Path) -> dict[str, Path]:
    """Every module below a source folder, by its dotted name."""
    files = {".".join(file.relative_to(source).with_suffix("").parts): file for file in source.rglob("*.py")}
    return {name.removesuffix(".__init__"): file for name, file in files.items()}


def references(file: Path) -> Iterator[str]:
    """The dotted names that a module imports, and those in strings of the form ``package.module:name``."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and ":" in node.value:
            yield node.value.partition(":")[0]


def closure(known: Mapping[str, Path], roots: tuple[str, ...]) -> set[str]:
    """The modules of ``roots``, and all modules and packages that they import, directly or not."""
    found, queue = set(), [name for name in known if f"{name}.".startswith(tuple(f"{root}." for root in roots))]
    while queue:
        name = queue.pop()
        if name in known and name not in found:
            found.add(name)
            queue += [*references(known[name]), name.rpartition(".")[0]]
    return found


def main() -> int:
    """Print the figures, one per line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", type=Path, default=CORE, help="a source folder (default: the core's)")
    known = modules(parser.parse_args().source)
    lines = {name: len(file.read_text().splitlines()) for name, file in known.items()}
    run = closure(known, RUN)
    sys.stdout.write(f"lines                     {sum(lines.values()):6} in {len(lines)} modules\n")
    sys.stdout.write(f"median module             {median(lines.values()):6g}\n")
    for name in sorted(name for name, count in lines.items() if count > LONG):
        sys.stdout.write(f"over {LONG} lines            {lines[name]:6} {name}\n")
    sys.stdout.write(f"imported to run a plan    {sum(lines[name] for name in run):6} in {len(run)} modules\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
