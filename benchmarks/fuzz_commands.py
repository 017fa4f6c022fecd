"""Feeds damaged files to every command that reads them: each must succeed, or fail with one of its own errors.

``python benchmarks/fuzz_commands.py RESULT_FOLDER [--inputs 100000] [--seed 1]``: the folder of a run with a
performance and an accuracy part. An input is one mutation of one file: of its result, plan, journal, logs, latencies or
telemetry, of the result file of the app and the submission that it is exported to, of a run file, of a variable, or of
a session. The commands that measure (``audit``, ``comply``, ``compile``) are left out. Prints the number of
each outcome, and every foreign exception with the input that caused it.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import os
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlperf_mobile.cli import main as command
from mlperf_mobile.errors import ExitCode

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 0.0, -0.0, 1.5, -1e308, 1e308, 5e-324, 1e17,
    "", "x", "../../x", "/etc/passwd", "\x1b[31m\x9b\u202e\r\n", "[/red]", "=1+1", "\ud800", "0", "nan", "a" * 5000,
    [], {}, [1], ["x"], {"x": 1}, [[]], {"": None},
    "offline", "single-stream", "2026-13-45T99:99:99", "official", "image_classification",
)  # fmt: skip
RUN_FILE = """\
tasks: [image_classification]
rules: quick
mode: performance
threads: 2
min_duration_s: 1.5
batch: 1
seeds: {qsl: 1, sample_index: 2, schedule: 3}
quality: {metric: top-1, reference: 0.9, ratio: 0.98}
task_options: {label_offset: 0}
"""
PROGRESS = 1000
"""Inputs between two lines of progress."""
WORDS = (
    b"{", b"}", b"[", b"]", b":", b",", b"&a", b"*a", b"!!python/object", b"\x00", b"\xff", b"\n", b"0x1F", b"1e999",
    b"NaN", b"-1", b"null", b"\xed\xa0\x80", b"- - - -", b"<<: ", b"9" * 400, b'"', b"'", b"%", b"\t", b":::MLLOG ",
)  # fmt: skip


def mutated(data: Any, chance: random.Random) -> Any:
    """A copy of JSON data with one to four changes: a new value, one from elsewhere, an item removed, a key added."""
    data = copy.deepcopy(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        places = list(_places(data))
        if not places:
            return data
        place = chance.choice(places)
        holder = _at(data, place[:-1])
        kind = chance.randrange(10)
        if kind == 0:
            del holder[place[-1]]
        elif kind == 1 and isinstance(holder, dict):
            holder[chance.choice(("x", "", "p90", "accelerators", "\x1b", *map(str, holder)))] = chance.choice(STRANGE)
        elif kind == 2:
            holder[place[-1]] = copy.deepcopy(_at(data, chance.choice(places)))
        elif kind < 8 and (same := [each for each in STRANGE if type(each) is type(holder[place[-1]])]):
            holder[place[-1]] = copy.deepcopy(chance.choice(same))  # a value of the same type gets further
        else:
            holder[place[-1]] = copy.deepcopy(chance.choice(STRANGE))
    return data


def _places(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value, containers included."""
    if place:
        yield place
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from _places(value, (*place, key))


def _at(data: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        data = data[key]
    return data


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Bytes with one to four changes: a part removed, doubled or overwritten, or bytes inserted."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((1, 1, 4, 40, 400)))
        kind = chance.randrange(5)
        part = data[start:end]
        new = (b"", part * 2, chance.choice(WORDS), bytes(chance.randrange(256) for _ in part), part + b"\n")[kind]
        data = data[: start if kind != 4 else 0] + new + data[end:]
    return data


def changed(name: str, data: bytes, chance: random.Random) -> bytes:
    """One mutation of a file: of its JSON, of one line of JSON, or of its bytes."""
    if chance.random() < 0.3:
        return damaged(data, chance)
    try:
        return json.dumps(mutated(json.loads(data), chance)).encode()
    except ValueError:
        pass
    lines = data.splitlines(keepends=True)
    number = chance.randrange(len(lines)) if lines else 0
    prefix = b":::MLLOG "
    try:
        line = lines[number]
        head = prefix if line.startswith(prefix) else b""
        lines[number] = head + json.dumps(mutated(json.loads(line[len(head) :]), chance)).encode() + b"\n"
    except (ValueError, IndexError):
        return damaged(data, chance)
    return b"".join(lines)


@dataclass(frozen=True, slots=True)
class Target:
    """A file to damage, and the commands that read it, in turn."""

    file: Path
    commands: tuple[tuple[str, ...], ...]
    variable: str = ""
    """The environment variable that is set instead of a file."""


def targets(folder: Path, other: Path, out: Path, exported: Path) -> list[Target]:
    """Every file that a command reads, with the commands; results several times, because most commands read them."""
    result = str(folder)
    submission = ("--format", "submission", "--submitter", "A", "--device", "d", "--output", str(out / "tree"))
    of_results = (
        ("show", result), ("show", result, "--json"), ("compare", result, str(other)),
        ("compare", str(other), result, "--json"), ("compare", result, str(other), "--csv"),
        ("compare", result, str(other), "--table", "backends", "--markdown"), ("compare", result, result),
        ("leaderboard", "--with", result, "--json"),
        ("leaderboard", "--with", result, "--task", "image_classification"),
        ("report", result, str(other), "--output", str(out / "page.html")), ("report", result, "--csv"),
        ("report", result, "--markdown"), ("export", result, "--format", "app", "--output", str(out / "app.json")),
        ("export", result, *submission), ("check", result), ("check", result, "--json"), ("recover", result),
    )  # fmt: skip
    of_folders = (
        ("check", result), ("score", result, "--json"), ("compare", result, str(other), "--json"),
        ("report", result, "--output", str(out / "page.html")), ("recover", result),
    )  # fmt: skip
    of_official = (("check", str(exported)), ("import", str(exported), "--output", str(out / "imported")))
    files = [
        path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in ("result.json", "worker.log")
    ]
    found = [Target(folder / "result.json", of_results)] * 8 + [Target(path, of_folders) for path in files]
    found += [Target(path, of_official) for path in sorted(exported.rglob("*")) if path.is_file()]
    run_file = out.parent / "run.yaml"
    dry_run = ("run", "--dry-run", "--config", str(run_file))
    found += [Target(run_file, (dry_run, (*dry_run, "--json")))] * 2
    found.append(
        Target(out.parent / "value.txt", (("run", "image_classification", "--dry-run"),), "MLPERF_MOBILE_THREADS")
    )
    session = str(out.parent / "x.session.json")
    found.append(Target(Path(session), (("run", "--resume", session, "--quiet"),)))
    return found


def answers(arguments: tuple[str, ...]) -> int:
    """The exit code of a command; its output is discarded, and its own errors become exit codes.

    Raises:
        RuntimeError: The command is defective, or printed control characters.
    """
    with contextlib.redirect_stdout(io.StringIO()) as output, contextlib.redirect_stderr(io.StringIO()) as errors:
        try:
            code = command.main(list(arguments))
        except SystemExit as error:  # argparse refuses a flag
            code = int(error.code or 0)
    if code == ExitCode.INTERNAL:
        raise RuntimeError(errors.getvalue()[-1500:])
    for text in (output.getvalue(), errors.getvalue()):
        strange = [c for c in text if not (c.isprintable() or c in "\n\t\u3000\u00a0")]
        if strange:
            raise RuntimeError(f"control characters were printed: {strange[:9]!r}")
    return code


def fuzz(source: Path, inputs: int, seed: int, failed: Callable[[str, bytes, str], None]) -> Counter[str]:
    """Try ``inputs`` mutations, one command each, in turn; returns the number of each outcome."""
    chance, counts = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as own, contextlib.chdir(own):
        place = Path(name)
        out = place / "out"
        every = _prepared(source, place, out)
        whole = {target.file: target.file.read_bytes() for target in every}
        before = {path.name for path in place.iterdir()} | {"out"}
        for number in range(inputs):
            target = every[number % len(every)]
            arguments = target.commands[(number // len(every)) % len(target.commands)]
            data = changed(target.file.name, whole[target.file], chance)
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            try:
                counts[f"exit {_tried(target, data, arguments)}"] += 1
                outside = {path.name for path in place.iterdir()} - before
                if arguments[0] == "run":  # a damaged session or run file may name any folder for its results
                    for each in outside:
                        shutil.rmtree(place / each, ignore_errors=True)
                elif outside:
                    raise RuntimeError(f"written outside of --output: {outside}")
            except Exception:  # noqa: BLE001  the fuzzer looks for every kind
                counts["foreign exceptions"] += 1
                failed(f"{arguments[0]} {target.file.name}", data, traceback.format_exc())
            finally:
                target.file.write_bytes(whole[target.file])
            if (number + 1) % PROGRESS == 0:
                print(f"{number + 1} inputs: {outcomes(counts)}", file=sys.stderr, flush=True)
    return counts


def outcomes(counts: Counter[str]) -> str:
    """The number of each outcome as text."""
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))


def _tried(target: Target, data: bytes, arguments: tuple[str, ...]) -> int:
    target.file.write_bytes(data)
    if not target.variable:
        return answers(arguments)
    os.environ[target.variable] = data.replace(b"\0", b"").decode(errors="surrogateescape")
    try:
        return answers(arguments)
    finally:
        del os.environ[target.variable]


def _prepared(source: Path, place: Path, out: Path) -> list[Target]:
    """Copies of all files to damage."""
    folder, other, exported = place / source.name, place / "whole", place / "exported"
    shutil.copytree(source, folder)
    shutil.copytree(source, other)
    out.mkdir()
    submission = ("--format", "submission", "--submitter", "A", "--device", "d", "--output", str(exported))
    if answers(("export", str(folder), *submission)):
        exported.mkdir()
    (place / "run.yaml").write_text(RUN_FILE)
    (place / "value.txt").write_text("[1, {a: b}, 0x10]")
    plan = json.loads((folder / "plan.json").read_text()) if (folder / "plan.json").is_file() else {}
    session = {
        "schema": 1, "id": "x", "created": "2026-01-01T00:00:00+00:00", "mode": "both", "cooldown": "fixed",
        "cooldown_s": 0.0, "output": str(place), "interruptions": 0,
        "steps": [{"plan": plan, "state": "done", "result": source.name, "rested_s": None, "rested_until": ""}],
    }  # fmt: skip
    (place / "x.session.json").write_text(json.dumps(session))
    return targets(folder, other, out, exported)


def main() -> int:
    """Run the fuzzer; returns 1 after a foreign exception."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the inputs that failed")
    args = parser.parse_args()
    seen: Counter[str] = Counter()

    def failed(name: str, data: bytes, trace: str) -> None:
        line = f"{name}: {trace.strip().splitlines()[-1][:300]}"
        seen[line] += 1
        if seen[line] == 1:
            print(f"{name}: {trace[-2500:]}", file=sys.stderr)
            if args.keep:
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / f"{len(seen)}-{name.replace(' ', '-')}").write_bytes(data)

    counts = fuzz(args.result.resolve(), args.inputs, args.seed, failed)
    print(f"{args.inputs} inputs: {outcomes(counts)}")
    return 1 if counts["foreign exceptions"] else 0


if __name__ == "__main__":
    sys.exit(main())
