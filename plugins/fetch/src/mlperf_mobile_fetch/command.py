"""``mlperf-mobile fetch``: downloads and verifies the models and data that runs need."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

from mlperf_mobile.errors import ExitCode, MobileError, UsageError

if TYPE_CHECKING:
    from mlperf_mobile.config.selection import Request
    from mlperf_mobile.registry import Registry
    from mlperf_mobile.resources.cache import Cache
    from mlperf_mobile.resources.resource import Resource

Selection: TypeAlias = "dict[Resource, str]"
"""Resources, with the names of the models and data sets that they are."""

_EXAMPLES = """examples:
  mlperf-mobile fetch --suite NAME                            models and data of a suite
  mlperf-mobile fetch image_classification --model mobilenet_v4_int8 --dataset imagenet_tiny
  mlperf-mobile fetch question_answering                      everything that the task offers
  mlperf-mobile fetch --suite NAME --dry-run                  what exists, and what would be downloaded
  mlperf-mobile fetch --suite NAME --verify                   read all files and compare checksums
"""


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Download models and data into the cache. Interrupted downloads resume when fetched again."
    command.epilog = _EXAMPLES
    command.add_argument("tasks", nargs="*", metavar="TASK", help="tasks, or benchmarks of the suite")
    command.add_argument("--suite", metavar="NAME", help="models and data of this suite")
    command.add_argument("--model", metavar="NAME", help="only this model of the task")
    command.add_argument("--dataset", metavar="NAME", help="only this data set of the task")
    command.add_argument("--mode", metavar="MODE", help="only what this mode needs: performance, accuracy or both")
    command.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="any other setting, such as cache=DIR"
    )
    command.add_argument("--workers", metavar="N", type=int, default=4, help="downloads at a time (default: 4)")
    command.add_argument("--verify", action="store_true", help="verify the checksums of existing files")
    command.add_argument("--dry-run", action="store_true", help="show what exists, and what would be downloaded")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--quiet", action="store_true", help="do not show progress")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command."""
    from mlperf_mobile.cli.flags import request
    from mlperf_mobile.registry import installed_plugins

    if not args.tasks and not args.suite:
        raise UsageError("no-task", "nothing to fetch", "name a task or a --suite; see --help")
    everything = not (args.suite or args.model or args.dataset)
    cache, resources = _selected(installed_plugins(), request(args), everything=everything)
    if args.dry_run:
        return _show(args, cache, resources)
    return _verify(args, cache, resources) if args.verify else _fetch(args, cache, resources)


def _selected(registry: Registry, request: Request, *, everything: bool) -> tuple[Cache, Selection]:
    """The cache, and the resources of the selected benchmarks, or all that their tasks offer."""
    from mlperf_mobile.config.selection import select
    from mlperf_mobile.config.tuned import requested

    found = [requested(registry, request, benchmark) for benchmark in select(registry, request)]
    resources: Selection = {}
    for setting in found:
        names: dict[Resource, list[str]] = {}
        for name, place in setting.catalogue.places().items():
            if place.resource:
                names.setdefault(place.resource, []).append(name)
        for resource in names if everything else setting.resources():
            resources[resource] = "; ".join(names.get(resource, []))
    return found[0].finder.cache, resources


def _fetch(args: argparse.Namespace, cache: Cache, resources: Selection) -> int:
    from mlperf_mobile_fetch.fetch import FetchError, fetch
    from mlperf_mobile_fetch.progress import listener

    try:
        with listener(quiet=args.quiet) as listen:
            fetch([each for each in resources if not each.is_local], cache, listen=listen, workers=args.workers)
    except FetchError as error:
        for failure in error.failures:
            print(f"mlperf-mobile: {failure.line()}", file=sys.stderr)
        raise
    _show(args, cache, resources)
    return ExitCode.OK if all(cache.has(each) for each in resources if each.is_local) else ExitCode.DATA


def _verify(args: argparse.Namespace, cache: Cache, resources: Selection) -> int:
    """Verify every existing file, and report all that are damaged."""
    records, code = [], ExitCode.OK
    for resource, what in resources.items():
        state, note = str(cache.state(resource)), ""
        if cache.has(resource):
            try:
                published = cache.verify(resource)
                note = (
                    "its checksum is the published one"
                    if published
                    else "unchanged since the download; no checksum is published"
                )
            except MobileError as error:
                state, note, code = "damaged", f"{error.summary}; {error.hint}", error.exit_code
        records.append(_record(cache, resource, what) | {"state": state, "note": note})
    _print(args, records, cache)
    return code


def _show(args: argparse.Namespace, cache: Cache, resources: Selection) -> int:
    records = []
    for need in cache.plan(resources):
        by_hand = need.resource.is_local and not cache.has(need.resource)
        note = f"by hand: {need.resource.about or 'to be provided'}" if by_hand else ""
        record = {"state": str(need.state), "bytes_to_download": need.bytes, "note": note}
        records.append(_record(cache, need.resource, resources[need.resource]) | record)
    _print(args, records, cache)
    return ExitCode.OK


def _record(cache: Cache, resource: Resource, what: str) -> dict[str, Any]:
    path = str(cache.location(resource))
    return {"what": what, "url": resource.url, "path": path, "checked": resource.is_checked}


def _print(args: argparse.Namespace, records: list[dict[str, Any]], cache: Cache) -> None:
    if args.json:
        print(json.dumps({"schema": 1, "cache": str(cache.folder), "resources": records}, indent=2))
        return
    for record in records:
        print(f"{record['state']:9}  {record['what']}\n           {record['path']}")
        if record["note"]:
            print(f"           {record['note']}")
