"""Finds the parts of a submission in the layouts of the published rounds: log folders, result files, descriptions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import deliverables, json_files
from mlperf_mobile_rounds.official.findings import Place, Report
from mlperf_mobile_rounds.official.loadgen_logs import is_log_folder

PERFORMANCE, ACCURACY = "performance", "accuracy"
MAX_FOLDERS = 50_000
MAX_DEPTH = 20
_DIVISIONS = ("closed", "open", "network")
_LEFT_OUT = frozenset({"code", "calibration", ".git", ".github"})
_MODE = re.compile(r"(?:log_?|run_?)?(performance|accuracy)(?:_log|_?run)?(?:_?\d+)?", re.IGNORECASE)
_SUFFIX = re.compile(r"(.+)[-_](performance|accuracy)", re.IGNORECASE)
_REPETITION = re.compile(r"run_?\d+", re.IGNORECASE)
_RESULT_FILE = re.compile(r"results?\.json|\d{4}-\d\d-\d\dT.*\.json", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class System:
    """A device of a submitter in a division."""

    division: str
    submitter: str
    device: str
    tree: str = ""
    """The folder that holds the divisions: one round's results."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.division, self.submitter, self.device) if part) or "unnamed"


@dataclass(frozen=True, slots=True)
class LogFolder:
    """A folder with LoadGen's logs of one run, and what its path says about it."""

    path: Path
    system: System
    name: str
    """The benchmark's name as the submitter writes it."""
    benchmark: str | None
    scenario: str | None
    mode: str | None


@dataclass(frozen=True, slots=True)
class DescriptionFile:
    """A JSON file that describes a system or how a model was made."""

    path: Path
    system: System


@dataclass(slots=True)
class Submission:
    """The parts of a tree."""

    root: Path
    logs: list[LogFolder] = field(default_factory=list)
    result_files: list[DescriptionFile] = field(default_factory=list)
    systems: list[DescriptionFile] = field(default_factory=list)
    measurements: list[DescriptionFile] = field(default_factory=list)
    own: list[Path] = field(default_factory=list)
    """Result folders of this program."""

    def whole(self, system: System) -> bool:
        """Whether a system's submission has the parts that an excerpt lacks: code, calibration, pictures."""
        return bool(system.tree) and deliverables.of(self.root, system.division, system.submitter).some

    def trees(self) -> list[Submission]:
        """One submission for each tree of divisions, and one for everything outside of them."""
        places = (self.logs, self.result_files, self.systems, self.measurements)
        names = sorted({each.system.tree for listed in places for each in listed})
        own = [Submission(self.root, own=self.own)] if self.own else []
        return own + [
            Submission(
                Path(name) if name else self.root,
                [each for each in self.logs if each.system.tree == name],
                *([d for d in listed if d.system.tree == name] for listed in places[1:]),  # type: ignore[arg-type]
            )
            for name in names
        ]

    @property
    def empty(self) -> bool:
        return not (self.logs or self.result_files or self.systems or self.measurements or self.own)


def discover(root: Path, report: Report) -> Submission:
    """Everything under ``root``; folders that cannot be read become findings.

    Raises:
        DataError: ``root`` cannot be read.
    """
    found = Submission(root)
    try:
        if root.is_file():
            found.result_files.append(DescriptionFile(root, _system(root.absolute().parent.parts)))
            return found
        if not root.is_dir():
            raise DataError("no-submission", f"{root} does not exist", "give a folder or a result file")
        os.scandir(root).close()
    except OSError as error:
        raise DataError("no-submission", f"cannot read {root}: {error.strerror}", "check its permissions") from error
    for folder, folders, files in _walk(root, report):
        _look_at(folder, folders, files, found, report)
    return found


def _walk(root: Path, report: Report) -> Iterator[tuple[Path, list[str], list[str]]]:
    def refused(error: OSError) -> None:
        place = Place(Path(str(error.filename or root)))
        report.error("unreadable", place, f"cannot be read: {error.strerror}")

    for count, (name, folders, files) in enumerate(os.walk(root, onerror=refused)):
        path = Path(name)
        if count >= MAX_FOLDERS:
            report.error("too-large", Place(root), f"more than {MAX_FOLDERS} folders; the rest was not looked at")
            return
        if len(path.parts) - len(root.parts) >= MAX_DEPTH:
            report.error("too-large", Place(path), f"deeper than {MAX_DEPTH} folders; not looked into")
            folders.clear()
        _links(path, folders + files, report)
        folders[:] = sorted(each for each in folders if each.lower() not in _LEFT_OUT)
        yield path, folders, sorted(files)


def _links(folder: Path, names: list[str], report: Report) -> None:
    """Symbolic links lead out of a submission, or to the files of another device."""
    for name in names:
        if (folder / name).is_symlink():
            report.error("symlink", Place(folder / name), "a symbolic link; a submission holds its own files")


def _look_at(folder: Path, folders: list[str], files: list[str], found: Submission, report: Report) -> None:
    parts = folder.absolute().parts
    if "result.json" in files and is_own(folder):
        found.own.append(folder)
        folders.clear()
        return
    if is_log_folder(set(files)):
        found.logs.append(log_folder(folder))
        return
    kind = _kind(parts)
    for name in files:
        path = folder / name
        if not name.lower().endswith(".json") or name.startswith("."):
            continue
        if kind == "systems":
            found.systems.append(DescriptionFile(path, _system(parts, Path(name).stem)))
        elif kind == "measurements":
            found.measurements.append(DescriptionFile(path, _system(parts)))
        elif _RESULT_FILE.fullmatch(name):
            found.result_files.append(DescriptionFile(path, _system(parts)))


def part_of(root: Path) -> str:
    """Which part of a submission ``root`` is: ``all`` of a submitter's or more, ``runs``, or runs of one ``mode``."""
    parts = root.absolute().parts
    *_, start = _head(parts)
    if not start:
        return "all"
    inner = parts[start:]
    if any(_MODE.fullmatch(part) or _SUFFIX.fullmatch(part) for part in inner):
        return "mode"
    return "runs"


def is_own(folder: Path) -> bool:
    """Whether a folder is a result of this program: its ``result.json`` has a schema number and a run id."""
    try:
        data = json_files.read(folder / "result.json")
    except json_files.JsonError:
        return (folder / "plan.json").is_file()
    return isinstance(data, dict) and "schema" in data and "run_id" in data


def _kind(parts: tuple[str, ...]) -> str:
    """Which branch of a submitter's tree a folder is in."""
    lowered = [part.lower() for part in parts]
    places = {name: _last(lowered, name) for name in ("results", "systems", "measurements")}
    name = max(places, key=lambda each: places[each])
    return name if places[name] >= 0 else ""


def _last(parts: list[str], name: str) -> int:
    return max((n for n, part in enumerate(parts) if part == name), default=-1)


def _head(parts: tuple[str, ...]) -> tuple[str, str, str, int]:
    """Tree, division, submitter, and where the submitter's branch begins: the index after ``results`` and its like."""
    lowered = [part.lower() for part in parts]
    branch = max(_last(lowered, name) for name in ("results", "systems", "measurements"))
    division = max((_last(lowered[: branch + 1], name) for name in _DIVISIONS), default=-1)
    if branch < 0 or division < 0:
        submitter = parts[branch - 1] if branch > 0 else ""
        return "", "", submitter, branch + 1
    submitter = parts[division + 1] if branch > division + 1 else ""
    return str(Path(*parts[:division])), lowered[division], submitter, branch + 1


def _system(parts: tuple[str, ...], device: str | None = None) -> System:
    tree, division, submitter, start = _head(parts)
    if device is None:
        names = [name for name in parts[start:] if start and not _understood(name)]
        device = names[0] if names else ""
    return System(division, submitter, device, tree)


def _understood(name: str) -> bool:
    """Whether a folder's name is a mode, a scenario, a repetition or a benchmark, and not a device."""
    return bool(
        _MODE.fullmatch(name)
        or _SUFFIX.fullmatch(name)
        or _REPETITION.fullmatch(name)
        or benchmarks.squeezed(name) in benchmarks.SCENARIOS
        or benchmarks.canonical(name)
    )


def log_folder(folder: Path) -> LogFolder:
    """What the path of a log folder says: system, benchmark, scenario and mode."""
    parts = folder.absolute().parts
    tree, division, submitter, start = _head(parts)
    inner = list(parts[start:]) if start else list(parts[-3:])
    mode = scenario = None
    others: list[str] = []
    name = ""
    for part in inner:
        if found := _MODE.fullmatch(part):
            mode = found[1].lower()
        elif benchmarks.squeezed(part) in benchmarks.SCENARIOS:
            scenario = benchmarks.SCENARIOS[benchmarks.squeezed(part)]
        elif found := _SUFFIX.fullmatch(part):
            name, mode = found[1], found[2].lower()
        elif _REPETITION.fullmatch(part):
            continue
        elif benchmarks.canonical(part) and not name:
            name = part
        else:
            others.append(part)
    if not name and others and start:
        name = others.pop()
    if scenario is None and "offline" in name.lower():
        scenario = "Offline"
    device = others[0] if others and start else ""
    benchmark = benchmarks.canonical(name, scenario)
    return LogFolder(folder, System(division, submitter, device, tree), name, benchmark, scenario, mode)
