"""Lists public names without a docstring: those of ``docs/api.md``, with the fields and methods of their classes."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import griffe
from griffe_reference import PUBLIC, ROOT

_OF_PYDANTIC = frozenset({"model_config"})


def undocumented() -> Iterator[str]:
    """The names, as ``mlperf_mobile.contracts.Probe.usable``, in order."""
    package = griffe.load("mlperf_mobile", search_paths=[ROOT / "core/src"], resolve_aliases=True)
    for name in sorted(PUBLIC):
        path = name.removeprefix("mlperf_mobile.")
        own = "." not in path  # of the package itself, which takes them from its module ``api``
        yield from _lacking(package["api"][path] if own else package[path], name)


def _lacking(found: griffe.Object | griffe.Alias, name: str) -> Iterator[str]:
    if not found.docstring:
        yield name
    for part in found.members.values() if found.is_class else ():
        if not (part.name.startswith("_") or part.name in _OF_PYDANTIC or part.docstring or _is_explained(found, part)):
            yield f"{name}.{part.name}"


def _is_explained(owner: griffe.Object | griffe.Alias, part: griffe.Object | griffe.Alias) -> bool:
    """Whether a base class explains it, or the class does as an argument of the same name."""
    arguments = owner.docstring.value if owner.docstring else ""
    return f"\n    {part.name}: " in arguments or any(
        part.name in base.members and base.members[part.name].docstring for base in owner.mro()
    )


def main() -> int:
    """Print them; the exit code is 1 if there are any."""
    names = list(undocumented())
    for name in names:
        print(f"{name} has no docstring", file=sys.stderr)
    return int(bool(names))


if __name__ == "__main__":
    sys.exit(main())
