"""Feeds mutated results to every command that reads one: each has to answer, or to refuse with an error of its own.

``python benchmarks/fuzz_results.py RESULT_FOLDER [--inputs 100000] [--seed 1]``: the inputs are mutations of the
folder's result.json; prints how many were read and refused, and every foreign exception with the input that caused it.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mlperf_mobile.cli import main as command
from mlperf_mobile.errors import ExitCode, MobileError
from mlperf_mobile.results import store

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 0.0, -0.0, 1.5, -1e308, 1e308, 5e-324, 1e17,
    "", "x", "../../x", "/etc/passwd", "\x1b[31m\x9b\u202e\r\n", "[/red]", "=1+1", "\ud800", "0", "nan", "a" * 5000,
    [], {}, [1], ["x"], {"x": 1}, [[]], {"": None},
    "offline", "single-stream", "2026-13-45T99:99:99", "official", "image_classification",
)  # fmt: skip


def leaves(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value, containers included."""
    if place:
        yield place
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from leaves(value, (*place, key))


def mutated(data: Any, chance: random.Random) -> Any:
    """A copy with one to four changes: another value, a value from elsewhere, a key or an item less, a key more."""
    data = copy.deepcopy(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        places = list(leaves(data))
        if not places:
            return data
        place = chance.choice(places)
        holder = data
        for key in place[:-1]:
            holder = holder[key]
        kind = chance.randrange(10)
        if kind == 0:
            del holder[place[-1]]
        elif kind == 1 and isinstance(holder, dict):
            holder[chance.choice(("x", "", "p90", "accelerators", "\x1b", *map(str, holder)))] = chance.choice(STRANGE)
        elif kind == 2:
            other = data
            for key in chance.choice(places):
                try:
                    other = other[key]
                except (KeyError, IndexError, TypeError):
                    break
            holder[place[-1]] = copy.deepcopy(other)
        elif kind < 8 and (same := [each for each in STRANGE if type(each) is type(holder[place[-1]])]):
            holder[place[-1]] = copy.deepcopy(chance.choice(same))  # a value of the same kind is read more often
        else:
            holder[place[-1]] = copy.deepcopy(chance.choice(STRANGE))
    return data


def commands(folder: Path, other: Path, out: Path) -> list[list[str]]:
    """Every command that reads a result, in every form."""
    result, page = str(folder), str(out / "page.html")
    submission = ["--format", "submission", "--submitter", "A", "--device", "d"]
    return [
        ["show", result], ["show", result, "--json"], ["compare", result, str(other)],
        ["compare", str(other), result, "--json"], ["compare", result, str(other), "--csv"],
        ["compare", result, str(other), "--table", "backends", "--markdown"], ["compare", result, result],
        ["leaderboard", "--with", result, "--json"],
        ["leaderboard", "--with", result, "--task", "image_classification"],
        ["report", result, str(other), "--output", page], ["report", result, "--csv"], ["report", result, "--markdown"],
        ["export", result, "--format", "app", "--output", str(out / "app.json")],
        ["export", result, *submission, "--output", str(out / "tree")],
        ["check", result], ["check", result, "--json"],
    ]  # fmt: skip


def answers(arguments: list[str]) -> int:
    """The exit code of a command; what it prints is thrown away, and its own errors become exit codes."""
    with contextlib.redirect_stdout(io.StringIO()) as told, contextlib.redirect_stderr(io.StringIO()) as errors:
        code = command.main(arguments)
    if code == ExitCode.INTERNAL:
        raise RuntimeError(errors.getvalue()[-500:])
    for text in (told.getvalue(), errors.getvalue()):
        if any(not (c.isprintable() or c in "\n\t\u3000\u00a0") for c in text.replace("\x1b[", "")):
            raise RuntimeError(f"a control character was printed: {text[:200]!r}")
    return code


def fuzz(source: Path, inputs: int, seed: int, failed: Callable[[str, Any, str], None]) -> Counter[str]:
    """Try ``inputs`` mutations, one command each, in turn; returns how many were read, refused and answered."""
    chance, counts = random.Random(seed), Counter[str]()
    whole = json.loads((source / store.RESULT).read_text())
    with tempfile.TemporaryDirectory() as place:
        folder, other, out = Path(place, "mutated"), Path(place, "whole"), Path(place, "out")
        shutil.copytree(source, folder)
        shutil.copytree(source, other)
        forms = len(commands(folder, other, out))
        for number in range(inputs):
            data = mutated(whole, chance)
            (folder / store.RESULT).write_text(json.dumps(data))
            with contextlib.suppress(MobileError):
                store.read(folder)
                counts["read"] += 1
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            arguments = commands(folder, other, out)[number % forms]
            try:
                counts[f"exit {answers(arguments)}"] += 1
                outside = {each.name for each in Path(place).iterdir()} - {"mutated", "whole", "out"}
                if outside:
                    raise RuntimeError(f"written outside of --output: {outside}")
            except Exception:  # noqa: BLE001  every kind is what is looked for
                counts["foreign exceptions"] += 1
                failed(" ".join(arguments[:1]), data, traceback.format_exc())
    return counts


def main() -> int:
    """Run the fuzzer; 1 when there was a foreign exception."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the inputs that failed")
    args = parser.parse_args()
    seen: Counter[str] = Counter()

    def failed(name: str, data: Any, trace: str) -> None:
        line = trace.strip().splitlines()[-1][:300]
        seen[f"{name}: {line}"] += 1
        if seen[f"{name}: {line}"] == 1:
            print(f"{name}: {trace[-1500:]}", file=sys.stderr)
            if args.keep:
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / f"{sum(seen.values())}.json").write_text(json.dumps(data))

    counts = fuzz(args.result, args.inputs, args.seed, failed)
    print(f"{args.inputs} inputs: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    return 1 if counts["foreign exceptions"] else 0


if __name__ == "__main__":
    sys.exit(main())
