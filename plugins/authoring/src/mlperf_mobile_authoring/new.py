"""``mlperf-mobile new``: starts the project of a plugin."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

from mlperf_mobile.errors import ExitCode, UsageError

_EXAMPLES = """examples:
  mlperf-mobile new backend acme-npu
  mlperf-mobile new task gesture-recognition --output plugins
"""


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    from mlperf_mobile_authoring.kinds import KINDS

    command.description = "Start a plugin project: code that works at once, tests, packaging, README and CI."
    command.epilog = _EXAMPLES
    command.add_argument("kind", metavar="KIND", choices=KINDS, help=f"what it offers: {', '.join(KINDS)}")
    command.add_argument("name", metavar="NAME", help="name of the new distribution, such as acme-npu")
    command.add_argument(
        "--output", metavar="DIR", type=Path, default=Path(), help="where the new folder goes (default: here)"
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command."""
    from mlperf_mobile.installed import version
    from mlperf_mobile.problems import CORE
    from mlperf_mobile.registry import installed_plugins
    from mlperf_mobile_authoring.kinds import KINDS, values
    from mlperf_mobile_authoring.naming import project_name
    from mlperf_mobile_authoring.rendering import put, rendered

    name, kind = project_name(args.name), KINDS[args.kind]
    if taken := getattr(installed_plugins(), kind.offers).get(kind.offer(name)):
        summary = f"{taken.source} offers {kind.noun} of the name {kind.offer(name)!r}"
        raise UsageError("project-name", summary, "choose another name")
    folder = args.output.absolute() / name.distribution
    project = rendered(args.kind, values(kind, name, version(CORE)))
    put(project, folder)
    if args.json:
        print(json.dumps({"schema": 1, "folder": str(folder), "files": list(project)}, indent=2))
    else:
        print(f"{folder}: {len(project)} files\n")
        print(f"cd {shlex.quote(str(args.output / name.distribution))}\npip install --editable '.[test]'\npytest")
    return ExitCode.OK
