"""Compares the parts of a result file with each other: dates, build, device, and shared fields."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import datetime, timedelta

from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import json_files
from mlperf_mobile_rounds.official.checks import described_device
from mlperf_mobile_rounds.official.checks.context import Context, FileOf
from mlperf_mobile_rounds.official.checks.result_fields import RULE, moment
from mlperf_mobile_rounds.official.findings import Place, Report, Severity
from mlperf_mobile_rounds.official.submission import DescriptionFile

_USUAL = ("backend_info.accelerator_name", "backend_settings.delegate")
"""Fields that are usually the same: one that differs from all others is worth a look."""
_ZONES = timedelta(hours=26)
_LONGEST = timedelta(days=1)
_SHARED = (
    "backend_info.filename", "backend_info.vendor_name", "backend_info.backend_name", "backend_settings.framework",
)  # fmt: skip
"""Fields that all benchmarks of one run of the app share: it has one backend for a device."""
_EARLIER = {"v2.1": "v2.0", "v5.0": "v4.1"}
"""Rounds that were run with the app of the round before."""


def check(context: Context) -> None:
    """Check every result file."""
    uuids: dict[str, FileOf] = {}
    for file in context.files:
        _problems(file, context.report)
        if file.content.form == "flat":
            continue
        _meta(file, uuids, context.report)
        _dates(file, context)
        _build(file, context)
        _alike(file, context.report)
        _models(file, context.report)
        _device(file, context)


def _problems(file: FileOf, report: Report) -> None:
    """Duplicate keys and invalid numbers; each key once."""
    seen = set()
    for problem in file.places.problems:
        rule = "bad-number" if "number" in problem.text else "duplicate-key"
        report.error(rule, Place(file.path, problem.line, key=problem.key), problem.text)
        seen.add(problem.key)
    for key, text in file.content.problems:
        if key not in seen:
            report.error("bad-number", file.place(key), text)


def _meta(file: FileOf, uuids: dict[str, FileOf], report: Report) -> None:
    name = file.content.uuid
    ok = bool(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name, re.IGNORECASE))
    report.require(RULE, ok, file.place("meta.uuid"), f"{name[:60]!r} is not a UUID", Severity.WARNING)
    first = uuids.setdefault(name, file) if name else file
    if first is not file:
        report.error(
            "copied-log", file.place("meta.uuid"), f"the run of the app is the same as that of {first.path.parent.name}"
        )
    in_name = re.search(r"_([0-9a-f-]{36})\.json$", file.path.name)
    if in_name:
        report.require(RULE, in_name[1] == name, file.place("meta.uuid"), f"the file name has {in_name[1]}")


def _dates(file: FileOf, context: Context) -> None:
    """Every test began and ended before the file was written, which was before today."""
    report, now = context.report, datetime.now()
    ends: list[datetime] = []
    for result in file.content.results:
        for run in (result.performance, result.accuracy):
            started = moment(run.started) if run else None
            if run and started:
                try:
                    ends.append(started + timedelta(seconds=run.duration_s or 0))
                except OverflowError:
                    continue
    for key in ("meta.creation_date", "meta.upload_date", "build_info.build_date"):
        text = _fact(file, key)
        when = moment(text)
        if when is None:
            report.require(RULE, not text, file.place(key), f"{key} is not a time: {text[:40]!r}")
            continue
        report.require(RULE, when < now + _ZONES, file.place(key), f"{key} is {text}, which is in the future")
        if key == "meta.upload_date":
            created = moment(file.content.created)
            wrong = f"the file was uploaded at {text}, but created at {file.content.created}"
            report.require(RULE, created is None or when >= created - _ZONES, file.place(key), wrong)
        elif key == "meta.creation_date" and ends:
            wrong = f"the file was created at {text}, but its last test ended at {max(ends).isoformat()}"
            ok = max(ends) - timedelta(seconds=5) <= when <= max(ends) + _LONGEST
            report.require(RULE, ok, file.place(key), wrong)
        elif ends:
            wrong = f"the app was built at {text}, but its first test ended at {min(ends).isoformat()}"
            report.require(RULE, when < min(ends) + _ZONES, file.place(key), wrong)
    _loadgen_date(file, context)


def _loadgen_date(file: FileOf, context: Context) -> None:
    """LoadGen is built into the app, so not after it."""
    app = moment(_fact(file, "build_info.build_date"))
    for run in context.runs:
        loadgen = moment(run.detail.text("loadgen_build_date_local")) if run.detail else None
        if app and loadgen and run.folder.system == file.system:
            wrong = f"the app was built at {app.isoformat()}, before its LoadGen at {loadgen.isoformat()}"
            context.report.require(RULE, app > loadgen - _ZONES, file.place("build_info.build_date"), wrong)
            return


def _build(file: FileOf, context: Context) -> None:
    report, build = context.report, dict(file.content.app_build)
    version = file.content.app_version
    ok = bool(re.fullmatch(r"\d{1,3}\.\d{1,3}(\.\d{1,5})?([+-].*)?", version))
    report.require(RULE, ok, file.place("build_info.version"), f"{version!r} is not a version of the app")
    if ok and context.round and _of_app(file, context):
        named = "v" + ".".join(version.split(".")[:2])
        wrong = f"the app is {version}, but the round {context.round.name}"
        known = named in (context.round.name, _EARLIER.get(context.round.name))
        report.require(RULE, known, file.place("build_info.version"), wrong)
        branch = re.search(r"submission-(v\d+\.\d+)", build.get("git_branch", ""))
        wrong = f"the app was built from the branch {build.get('git_branch')}, but the round is {context.round.name}"
        ok = branch is None or branch[1] == context.round.name
        report.require(RULE, ok, file.place("build_info.git_branch"), wrong)
    commit = build.get("git_commit", "")
    if _of_app(file, context):
        ok = bool(re.fullmatch(r"[0-9a-f]{7,40}", commit)) or not (commit or build.get("git_branch"))
        report.require(
            RULE, ok, file.place("build_info.git_commit"), f"{commit[:60]!r} is not a commit", Severity.WARNING
        )
    wrong = "a developer build, in which checks are disabled"
    report.require(RULE, build.get("dev_test_flag") != "True", file.place("build_info.dev_test_flag"), wrong)
    listed = {value for key, value in file.content.facts if key.startswith("build_info.backend_list[")}
    for result in file.content.results:
        if result.library and (listed or "build_info.backend_list" in dict(file.content.facts)):
            wrong = f"the app has {', '.join(sorted(listed))}, but {result.library} ran"
            ok = result.library.removesuffix(".so") in {each.removesuffix(".so") for each in listed}
            report.require(RULE, ok, file.place(f"{result.key}.backend_info.filename"), wrong)


def _of_app(file: FileOf, context: Context) -> bool:
    """Whether the app ran, and not another program that writes its file."""
    names = [run.detail.text("qsl_name") for run in context.runs if run.detail and run.folder.system == file.system]
    return not names or any(name in benchmarks.known().libraries for name in names)


def _alike(file: FileOf, report: Report) -> None:
    """The shared fields of all benchmarks, and the keys of each."""
    shared: dict[str, dict[str, str]] = defaultdict(dict)
    keys: dict[str, set[str]] = defaultdict(set)
    facts = dict(file.content.facts)
    start = "[0]." if file.content.form == "list" else ""
    for key, value in facts.items():
        if found := re.fullmatch(r"(results\[\d+\])\.(.+)", key.removeprefix("[0].")):
            if found[2] in (*_SHARED, *_USUAL):
                shared[found[2]][found[1]] = value
            if "extra_settings" not in found[2] and "loadgen" not in found[2]:
                keys[found[1]].add(_form(found[2]))
    for name, values in shared.items():
        usual, count = Counter(values.values()).most_common(1)[0]
        for where, value in values.items():
            enough = count == len(values) - 1 > 1 if name in _USUAL else count > 1
            if value != usual and enough and not _own_backend(facts.get(f"{start}{where}.benchmark_id", "")):
                words = f"{name} is {value!r}, but {usual!r} in the other benchmarks"
                severity = Severity.WARNING if name in _USUAL else Severity.ERROR
                report.add(RULE, severity, file.place(f"{start}{where}.{name}"), words)
    common = Counter(key for each in keys.values() for key in each)
    for where, each in keys.items():
        odd = sorted(key for key, n in common.items() if (key in each) == (n * 2 < len(keys)))
        wrong = f"its keys differ from the other benchmarks: {', '.join(odd[:5])}"
        report.require(RULE, not odd, file.place(f"{start}{where}"), wrong)


def _own_backend(benchmark_id: str) -> bool:
    """Whether the app may run a benchmark in another framework than the others: it generates images or text."""
    return benchmarks.is_generative(benchmark_id)


def _form(key: str) -> str:
    """A key, with what is null in one run and an object in another left out."""
    return re.sub(r"\.(accuracy2?|throughput)(\..*)?$", r".\1", key)


def _models(file: FileOf, report: Report) -> None:
    """A model for each task, all in the format of the backend."""
    seen: dict[str, str] = {}
    suffixes = Counter(result.model_path.rstrip("]").rpartition(".")[2] for result in file.content.results)
    usual, count = suffixes.most_common(1)[0] if suffixes else ("", 0)
    for result in file.content.results:
        path, task = result.model_path, benchmarks.task_of(benchmarks.canonical(result.benchmark_id) or "")
        place = file.place(f"{result.key}.backend_settings.model_path")
        if not path or task is None:
            report.require(RULE, bool(path) or task is None, place, "it does not say which model ran")
            continue
        first = seen.setdefault(path, task)
        report.require(RULE, first == task, place, f"the model {path[:80]!r} is also that of {first}")
        suffix = path.rstrip("]").rpartition(".")[2]
        if count > 2 and not benchmarks.is_generative(result.benchmark_id):
            wrong = f"the model has the format {suffix[:20]!r}, but the others {usual!r}"
            report.require(RULE, suffix == usual, place, wrong, Severity.WARNING)


def _device(file: FileOf, context: Context) -> None:
    """The device that the app found is the one that the submitter describes."""
    report, platform = context.report, file.content.platform
    if platform:
        known = ("android", "ios", "windows", "linux", "darwin", "macos", "unknown")
        wrong = f"{platform!r} is not a platform of the app"
        report.require(RULE, platform in known, file.place("environment_info.platform"), wrong)
    values = {k.split(".")[2] for k, v in file.content.facts if k.startswith("environment_info.value.") and v}
    if values and platform in ("android", "ios", "windows"):
        wrong = f"the platform is {platform}, but the device facts are of {', '.join(sorted(values))}"
        report.require(RULE, values == {platform}, file.place("environment_info.platform"), wrong)
    described = _description(file, context)
    if described is None:
        return
    try:
        text = json_files.text(described.path)
    except json_files.JsonError:
        return
    described_device.check(file, described, text, report)


def _description(file: FileOf, context: Context) -> DescriptionFile | None:
    from mlperf_mobile_rounds.official.checks.devices import like

    mine = (file.system.division, file.system.submitter)
    found = [d for d in context.submission.systems if (d.system.division, d.system.submitter) == mine]
    if not file.system.device:
        return found[0] if len(found) == 1 else None
    return next((d for d in found if like(file.system.device, d.system.device)), None)


def _fact(file: FileOf, key: str) -> str:
    start = "[0]." if file.content.form == "list" else ""
    return dict(file.content.facts).get(start + key, "")
