"""``mlperf-mobile cache``: lists, verifies and prunes cached compiled models."""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlperf_mobile.errors import DataError, ExitCode, UsageError

if TYPE_CHECKING:
    from mlperf_mobile.resources.compiled import CompiledStore, StoredModel

_EXAMPLES = """examples:
  mlperf-mobile cache list                        compiled models, the most recently used first
  mlperf-mobile cache verify                      read all of them and compare checksums
  mlperf-mobile cache prune --days 30             remove those unused for 30 days, and damaged ones
  mlperf-mobile cache prune --megabytes 500       keep the most recently used, up to this size
  mlperf-mobile cache prune --all
Manage downloads with 'mlperf-mobile fetch'. Encoded samples are evicted automatically.
"""
_ACTIONS = {
    "list": "show the compiled models, the most recently used first",
    "verify": "read all of them, and compare their checksums",
    "prune": "remove those beyond the limits that flags set",
}
_DAY_S = 86400


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    actions = "\n".join(f"  {name:10}{what}" for name, what in _ACTIONS.items())
    command.description = f"Manage the cache of compiled models. ACTION is one of:\n\n{actions}"
    command.epilog = _EXAMPLES
    command.add_argument("action", choices=tuple(_ACTIONS), metavar="ACTION", help="what to do")
    command.add_argument("--cache", metavar="DIR", help="the cache folder (default: the same as for runs)")
    command.add_argument("--days", metavar="N", type=float, help="prune: models unused for this many days")
    command.add_argument(
        "--megabytes", metavar="N", type=float, help="prune: the least recently used, down to this size"
    )
    command.add_argument("--all", action="store_true", help="prune: everything")
    command.add_argument("--dry-run", action="store_true", help="prune: only show what would be removed")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command; ``verify`` returns the exit code of a data error if something is damaged."""
    from mlperf_mobile.resources.compiled import CompiledStore

    if args.action != "prune" and (args.all or args.dry_run or args.days is not None or args.megabytes is not None):
        raise UsageError("bad-flag", f"cache {args.action} does not accept the flags of prune", "see --help")
    if args.action == "prune" and not args.all and args.days is None and args.megabytes is None:
        raise UsageError("bad-flag", "cache prune needs a limit", "give --days, --megabytes or --all")
    if any(value is not None and not value >= 0 for value in (args.days, args.megabytes)):
        raise UsageError("bad-value", "--days and --megabytes must be 0 or more", "see --help")
    store = CompiledStore(_folder(args))
    try:
        return _prune(args, store) if args.action == "prune" else _list(args, store)
    except OSError as error:
        raise DataError("cache-unreadable", f"{store.folder}: {error.strerror or error}", "check --cache") from error


def _folder(args: argparse.Namespace) -> Path:
    from mlperf_mobile.config.layers import load_environment
    from mlperf_mobile.resources.folder import default_folder
    from mlperf_mobile.user_paths import expand

    setting = load_environment().get("cache")
    if args.cache:
        return expand(Path(args.cache), "--cache").absolute()
    return (
        expand(Path(str(setting.value)), setting.source).absolute() if setting and setting.value else default_folder()
    )


def _list(args: argparse.Namespace, store: CompiledStore) -> int:
    """List all compiled models; ``verify`` also compares their checksums."""
    records = [_record(kept, kept.damage() if args.action == "verify" else None) for kept in store.all()]
    _print(args, store, records)
    damaged = [record for record in records if record["state"].startswith("damaged")]
    return ExitCode.DATA if damaged and args.action == "verify" else ExitCode.OK


def _prune(args: argparse.Namespace, store: CompiledStore) -> int:
    """Remove models that are damaged, too old, or above the size limit; the most recently used are kept first."""
    records, left = [], 0
    limit = args.megabytes * 1e6 if args.megabytes is not None else None
    oldest = time.time() - args.days * _DAY_S if args.days is not None else 0.0
    for kept in store.all():
        is_above = limit is not None and left + kept.bytes > limit
        if not args.all and kept.entry and kept.used >= oldest and not is_above:
            left += kept.bytes
            continue
        if not args.dry_run:
            store.remove(kept)
        records.append(_record(kept, None) | {"state": "would be removed" if args.dry_run else "removed"})
    freed = sum(record["bytes"] for record in records) + (0 if args.dry_run else store.sweep())
    _print(args, store, records)
    if not args.json:
        print(f"{len(records)} compiled models, {freed / 1e6:.1f} MB, {'would be ' if args.dry_run else ''}removed")
    return ExitCode.OK


def _record(kept: StoredModel, damage: str | None) -> dict[str, Any]:
    """One compiled model; ``damage`` is None if it was not verified."""
    entry = kept.entry
    state = "kept" if damage is None else f"damaged: {damage}" if damage else "whole"
    used = datetime.fromtimestamp(kept.used, UTC).isoformat(timespec="seconds") if kept.used else ""
    record = {"key": kept.key, "path": str(kept.folder), "bytes": kept.bytes, "used": used, "state": state}
    if entry is None:
        return record | {"state": "damaged: its description cannot be read", "model": "?", "backend": "?"}
    return record | {
        "model": entry.model,
        "backend": str(entry.made_of.get("backend", "?")),
        "accelerator": entry.accelerator,
        "batch": entry.batch,
        "compile_s": entry.compile_s,
        "created": entry.created,
        "made_of": entry.made_of,
        "facts": entry.facts,
    }


def _print(args: argparse.Namespace, store: CompiledStore, records: list[dict[str, Any]]) -> None:
    from mlperf_mobile.terminal.columns import table

    if args.json:
        print(json.dumps({"schema": 1, "folder": str(store.folder), "compiled": records}, indent=2))
        return
    if not records:
        if args.action != "prune":
            print(f"no compiled models in {store.folder}")
        return
    head = ("KEY", "MODEL", "FOR", "MB", "COMPILED IN", "LAST USED", "STATE")
    rows = [
        [
            record["key"][:12], record["model"], "/".join(filter(None, (record["backend"], record.get("accelerator")))),
            f"{record['bytes'] / 1e6:.1f}", f"{record['compile_s']:.2f} s" if "compile_s" in record else "?",
            record["used"], record["state"],
        ]
        for record in records
    ]  # fmt: skip
    print(table(head, rows))
