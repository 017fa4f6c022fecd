"""Checks that a result file has all keys of the app, and that required ones are not empty.

Source: mobile_app_open, tools/extended_result_schema.json, of which every key is required.
"""

from __future__ import annotations

import re
from collections import Counter

from mlperf_mobile_rounds.official.checks.context import Context, FileOf
from mlperf_mobile_rounds.official.findings import Report, Severity

RULE = "result-schema"
_TOP = (
    "meta.uuid", "meta.creation_date", "meta.upload_date", "environment_info.platform",
    "environment_info.value.android", "environment_info.value.ios", "environment_info.value.windows",
    "build_info.version", "build_info.build_number",
    "build_info.build_date", "build_info.official_release_flag", "build_info.dev_test_flag", "build_info.backend_list",
    "build_info.git_branch", "build_info.git_commit", "build_info.git_dirty_flag",
)  # fmt: skip
_RESULT = (
    "benchmark_id", "benchmark_name", "loadgen_scenario", "backend_settings.accelerator_code",
    "backend_settings.accelerator_desc", "backend_settings.framework", "backend_settings.delegate",
    "backend_settings.model_path", "backend_settings.batch_size", "backend_settings.extra_settings",
    "backend_info.filename", "backend_info.vendor_name", "backend_info.backend_name", "backend_info.accelerator_name",
    "performance_run", "accuracy_run", "min_duration", "min_samples",
)  # fmt: skip
_RUN = (
    "throughput", "accuracy", "accuracy2", "dataset.name", "dataset.type", "dataset.data_path",
    "dataset.groundtruth_path", "measured_duration", "measured_samples", "start_datetime",
)  # fmt: skip
_LOADGEN = (
    "query_count", "latency_mean", "latency90", "is_min_duration_met", "is_min_query_met", "is_early_stopping_met",
    "is_result_valid",
)  # fmt: skip
_TOKENS = ("latency_first_token_mean", "latency_first_token90", "token_throughput", "is_token_based")
"""Of language models; the app has them for all benchmarks since v6.0."""
_ANDROID = (
    "os_version", "manufacturer", "model_code", "model_name", "board_code", "proc_cpuinfo_soc_name",
)  # fmt: skip
_FILLED = re.compile(
    r"meta\.(uuid|creation_date)|build_info\.(version|build_number|build_date)|environment_info\.platform"
    r"|environment_info\.value\.android\.(os_version|manufacturer|model_code|model_name|board_code"
    r"|proc_cpuinfo_soc_name|props\[\d+\]\.\w+)"
    r"|results\[\d+\]\.(benchmark_\w+|loadgen_scenario|backend_info\.\w+|\w+_run\.start_datetime"
    r"|backend_settings\.(accelerator_code|accelerator_desc|framework|model_path|extra_settings\[\d+\]\.(id|value))"
    r"|accuracy_run\.accuracy\.formatted|\w+_run\.dataset\.(name|type))"
)
_NULL = re.compile(
    r"meta\.upload_date|environment_info\.value\.(android|ios|windows)"
    r"|results\[\d+\]\.(performance|accuracy)_run(\.(throughput|accuracy2?|loadgen(_info)?(\.\w*token\w*)?))?"
)
"""What may be null; other values of the schema are of one type."""
_SETTING = {"id", "name", "value", "value_name"}
_COMMON = ("num_threads", "configuration", "profiling_level")
"""Settings that the app has once for all benchmarks."""


def _known() -> frozenset[str]:
    """Every key of every version, with ``[]`` for each number."""
    device = "environment_info.value"
    found = {*_TOP, "meta.run_mode", *(f"results[].{name}" for name in _RESULT), f"{device}.windows.cpu_full_name"}
    found |= {f"{device}.{name}.os_version" for name in ("ios", "windows")}
    found |= {f"{device}.ios.{name}" for name in ("model_code", "model_name", "soc_name")}
    found |= {f"{device}.android.{name}" for name in _ANDROID}
    found |= {f"{device}.android.props[].{name}" for name in ("type", "name", "value")}
    found |= {f"results[].backend_settings.extra_settings[].{name}" for name in _SETTING}
    for run in ("results[].performance_run", "results[].accuracy_run"):
        found |= {f"{run}.{name}" for name in (*_RUN, "throughput.value")}
        found |= {f"{run}.{name}.{each}" for name in ("accuracy", "accuracy2") for each in ("normalized", "formatted")}
        found |= {f"{run}.loadgen_info.{name}" for name in ("validity", "duration")}
        found |= {f"{run}.loadgen.{name}" for name in (*_LOADGEN, *_TOKENS)}
    found.add("build_info.backend_list[]")
    return frozenset(part for key in found for part in _parts(key))


def check(context: Context) -> None:
    """Check every result file of the present form."""
    for file in context.files:
        if file.content.form == "extended":
            _keys(file, context.report)
            _settings(file, context.report)
            _props(file, context.report)


def _keys(file: FileOf, report: Report) -> None:
    facts = dict(file.content.facts)
    there = {part for key in facts for part in _parts(key)}
    required = [*_TOP]
    if file.content.platform == "android" and facts.get("environment_info.value.android") is None:
        required += [f"environment_info.value.android.{name}" for name in (*_ANDROID, "props")]
    for result in file.content.results:
        without = "delegate" if file.content.app_version.startswith("3.0") else "-"
        required += [f"{result.key}.{name}" for name in _RESULT if not name.endswith(without)]
        for run, name in ((result.performance, "performance_run"), (result.accuracy, "accuracy_run")):
            if run is None:
                continue
            required += [f"{result.key}.{name}.{each}" for each in _RUN]
            required += [f"{result.key}.{name}.{_loadgen(there, result.key, name)}"]
        if result.accuracy and result.accuracy.accuracy:
            required += [f"{result.key}.accuracy_run.accuracy.{each}" for each in ("normalized", "formatted")]
        if result.performance:
            start = f"{result.key}.performance_run.{_loadgen(there, result.key, 'performance_run')}"
            names = ("validity", "duration") if start.endswith("_info") else _LOADGEN
            of_tokens = _TOKENS if result.performance.token_based else ()
            required += [f"{start}.{name}" for name in (*names, *of_tokens)]
    missing = [key for key in required if key not in there]
    if not missing:
        report.passed[RULE] += 1
    for key in missing[:50]:
        report.error(RULE, file.place(key), "a key of the app is missing")
    for key, value in facts.items():
        if not value and _FILLED.fullmatch(key):
            report.error(RULE, file.place(key), "the app never leaves this empty")
    for key in file.content.empty[:50]:
        if not _NULL.fullmatch(key) and not _FILLED.fullmatch(key):
            report.error(RULE, file.place(key), "the app never writes null or an empty object here")
    for key in sorted({each for each in there if _plural(each) not in _KNOWN and _plural(each)})[:50]:
        report.warning(RULE, file.place(key), "no known version of the app writes this key")


def _plural(key: str) -> str:
    """A key without numbers: ``results[3].min_samples`` is ``results[].min_samples``."""
    return re.sub(r"\[\d+\]", "[]", key)


def _loadgen(there: set[str], result: str, run: str) -> str:
    """``loadgen_info`` until v3.1, ``loadgen`` since v4.0."""
    return "loadgen_info" if f"{result}.{run}.loadgen_info" in there else "loadgen"


def _parts(key: str) -> list[str]:
    """A key and all keys around it."""
    ends = [found.start() for found in re.finditer(r"[.\[]", key)]
    return [key, *(key[:end] for end in ends if end)]


def _settings(file: FileOf, report: Report) -> None:
    """Each setting with its four keys, none twice, and common ones alike."""
    keys: dict[str, set[str]] = {}
    for key in dict(file.content.facts):
        if found := re.fullmatch(r"(results\[\d+\]\.backend_settings\.extra_settings\[\d+\])\.(.+)", key):
            keys.setdefault(found[1], set()).add(found[2])
    for key, names in keys.items():
        report.require(
            RULE, names == _SETTING, file.place(key), f"a setting has the keys {', '.join(sorted(_SETTING))}"
        )
    common: dict[str, list[tuple[str, str]]] = {name: [] for name in _COMMON}
    for result in file.content.results:
        place = file.place(f"{result.key}.backend_settings.extra_settings")
        ids = [name for name, _ in result.settings]
        report.require(RULE, len(set(ids)) == len(ids), place, "a setting occurs twice")
        for name in _COMMON:
            common[name].append((dict(result.settings).get(name, ""), result.key))
    for name, values in common.items():
        usual, count = Counter(value for value, _ in values).most_common(1)[0] if values else ("", 0)
        for value, key in values:
            if value != usual and count > 1:
                words = f"{name} is {value!r}, but {usual!r} in the other benchmarks"
                report.error(RULE, file.place(f"{key}.backend_settings.extra_settings"), words)


def _props(file: FileOf, report: Report) -> None:
    """The chip by its number, as Android's properties have it."""
    props = dict(file.content.device)
    chip, board = (props.get("ro.soc.model") or "").lower(), (props.get("board_code") or "").lower()
    place = file.place("environment_info.value.android.props")
    if re.match(r"(sm|s5e|mt|sdm)\d", chip):
        ok = bool(re.fullmatch(r"(sm|s5e|mt|sdm)\d{4}[a-z]{0,2}", chip)) and not chip.endswith("x")
        report.require(RULE, ok, place, f"{chip[:40]!r} is not a chip number")
    if re.match(r"s5e\d", board) and chip:
        wrong = f"the board is {board[:40]}, but the chip {chip[:40]}"
        report.require(RULE, board == chip, file.place("environment_info.value.android.board_code"), wrong)
    for place_of in {key.rpartition(".")[0] for key, _ in file.content.facts if ".android.props[" in key}:
        keys = {key.rpartition(".")[2] for key, _ in file.content.facts if key.startswith(f"{place_of}.")}
        report.require(
            RULE, keys == {"type", "name", "value"}, file.place(place_of), "a property has type, name and value"
        )
    kinds = {"ro.soc.model": "socName", "ro.soc.manufacturer": "socManufacturer"}
    facts = dict(file.content.facts)
    named = 0
    for key, value in facts.items():
        if re.fullmatch(r"environment_info\.value\.android\.props\[\d+\]\.name", key):
            named += 1
            kind = facts.get(key.removesuffix("name") + "type", "")
            ok = value in kinds and kind in (kinds[value], "soc")
            report.require(RULE, ok, file.place(key), f"the app does not write {value!r} as {kind!r}", Severity.WARNING)
    if file.content.platform == "android" and any(key.startswith("environment_info.value.android.") for key in facts):
        wrong = "the app writes two properties of the chip"
        report.require(RULE, named >= 2, place, wrong, Severity.WARNING)


_KNOWN = _known()
