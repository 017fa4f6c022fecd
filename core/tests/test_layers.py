"""Layers are merged key by key, names are completed, and every wrong value is told with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from mlperf_mobile.config import layers
from mlperf_mobile.config.document import Setting, read_text
from mlperf_mobile.config.settings import Settings
from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.terms import Counts, QualitySettings, Seeds


class BackendOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    threads: int = Field(default=1, ge=1, description="threads of one session")
    label: str = ""
    table: dict[str, int] = {}


class TaskOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    label: str = ""
    crop: bool = True


MODELS = {"backend": BackendOptions, "task": TaskOptions, "dataset": None, "scenario": None}


def layer(source="test", **values):
    return {key.replace("__", "."): Setting(value, source) for key, value in values.items()}


def values(merged):
    return {key: setting.value for key, setting in merged.items()}


def yaml(text):
    return read_text(text.encode(), "run.yaml")


def refusal(call, *args):
    with pytest.raises(UsageError) as caught:
        call(*args)
    return caught.value


class TestEnvironment:
    def test_names_become_keys(self):
        told = layers.from_environment(
            {
                "MLPERF_MOBILE_RULES": "quick",
                "MLPERF_MOBILE_SEEDS__QSL": "7",
                "MLPERF_MOBILE_TASKS": "[a, b]",
                "MLPERF_MOBILE_MODEL": "null",
                "HOME": "/root",
                "XMLPERF_MOBILE_BATCH": "3",
            }
        )
        assert values(told) == {"rules": "quick", "seeds.qsl": 7, "tasks": ["a", "b"], "model": None}
        assert told["seeds.qsl"].source == "MLPERF_MOBILE_SEEDS__QSL"

    def test_some_variables_are_no_settings(self):
        names = ("BLOCK", "DEBUG", "SHARED")
        assert layers.from_environment({f"MLPERF_MOBILE_{name}": "x" for name in names}) == {}

    def test_empty_variables_are_not_set(self):
        assert layers.from_environment({"MLPERF_MOBILE_RULES": ""}) == {}

    @pytest.mark.parametrize(("name", "known"), [("MLPERF_MOBILE_RULEZ", "rules"), ("MLPERF_MOBILE_SEEDS__QLS", "qsl")])
    def test_typos(self, name, known):
        error = refusal(layers.resolve_names, layers.from_environment({name: "1"}), MODELS)
        assert error.code == "unknown-key"
        assert error.summary.startswith(f"{name}: unknown key")
        assert f"did you mean {known}" in error.hint

    def test_invalid_lists(self):
        error = refusal(layers.from_environment, {"MLPERF_MOBILE_TASKS": "[a, b"})
        assert error.code == "yaml-syntax"
        assert "MLPERF_MOBILE_TASKS" in error.summary


class TestAssignments:
    def test_keys_and_values(self):
        told = layers.from_assignments(["a=1", "b = x=y ", "c=", "d=[1, 2]", "e={k: v}", "f=null", "a=2"])
        assert values(told) == {"a": 2, "b": "x=y", "c": None, "d": [1, 2], "e.k": "v", "f": None}
        assert told["a"].source == "--set a=2"

    @pytest.mark.parametrize("text", ["", "a", "=", "=1", "  =1"])
    def test_what_is_no_assignment(self, text):
        error = refusal(layers.from_assignments, [text])
        assert error.code == "set-syntax"
        assert "is not key=value" in error.summary
        assert "--set" in error.hint

    @pytest.mark.parametrize(
        "value", ["[", "{a", "[" * 5000, "[!!int '']", "{a: !!python/object:os.system []}", "[*a]"]
    )
    def test_values_that_are_no_yaml(self, value):
        assert refusal(layers.from_assignments, [f"a={value}"]).code == "yaml-syntax"


class TestMerge:
    def test_later_layers_win_key_by_key(self):
        merged = layers.merge([layer("one", a=1, b=1), layer("two", b=2, c=2)])
        assert values(merged) == {"a": 1, "b": 2, "c": 2}
        assert [merged[key].source for key in "abc"] == ["one", "two", "two"]

    def test_a_value_replaces_a_mapping_and_reversely(self):
        assert values(layers.merge([layer(a__b=1, a__c=2), layer(a=None)])) == {"a": None}
        assert values(layers.merge([layer(a=1), layer(a__b=2)])) == {"a.b": 2}
        assert values(layers.merge([layer(a__b__c=1, ab=3), layer(a__b=2)])) == {"ab": 3, "a.b": 2}

    KEYS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join)
    LAYERS = st.lists(st.dictionaries(KEYS, st.integers(), max_size=5), max_size=5)

    @given(LAYERS)
    def test_like_assigning_one_after_the_other(self, told):
        """An independent model: nested dictionaries, assigned into in order."""
        expected = {}
        for one in told:
            for key, value in one.items():
                place = expected
                *parents, last = key.split(".")
                for parent in parents:
                    if not isinstance(place.get(parent), dict):
                        place[parent] = {}
                    place = place[parent]
                place[last] = value

        def without_empty(tree):
            pruned = {k: without_empty(v) if isinstance(v, dict) else v for k, v in tree.items()}
            return {k: v for k, v in pruned.items() if v != {}}

        merged = layers.merge([{k: Setting(v, "") for k, v in one.items()} for one in told])
        assert layers.nest(merged) == without_empty(expected)


class TestNames:
    def test_short_names_are_completed(self):
        told = layers.resolve_names(layer(threads=2, crop=False, table__x=1, batch=4), MODELS)
        assert values(told) == {
            "backend_options.threads": 2, "task_options.crop": False, "backend_options.table.x": 1, "batch": 4,
        }  # fmt: skip

    def test_full_names_stay(self):
        told = layer(backend_options__label="a", seeds__qsl=1)
        assert layers.resolve_names(told, MODELS) == told

    def test_ambiguous_names(self):
        error = refusal(layers.resolve_names, yaml("rules: quick\nlabel: x"), MODELS)
        assert error.code == "ambiguous-key"
        assert error.summary == "run.yaml:2:1: label could be backend_options.label or task_options.label"

    @pytest.mark.parametrize(
        ("text", "summary", "hint"),
        [
            ("rules: quick\n\nmin_duraton_s: 5", "run.yaml:3:1: unknown key min_duraton_s", "min_duration_s"),
            ("thread: 5", "run.yaml:1:1: unknown key thread", "did you mean threads?"),
            ("task: x", "run.yaml:1:1: unknown key task", "tasks"),
            ("seeds:\n  qls: 5", "run.yaml:2:3: unknown key seeds.qls", "did you mean qsl?"),
            ("quality: {metrik: x}", "run.yaml:1:11: unknown key quality.metrik", "did you mean metric?"),
            ("rules: {quick: 1}", "run.yaml:1:9: rules has no parts", "write rules: VALUE"),
            ("zzz: 1", "run.yaml:1:1: unknown key zzz", "known: "),
        ],
    )
    def test_unknown_names(self, text, summary, hint):
        error = refusal(layers.resolve_names, yaml(text), MODELS)
        assert (error.code, error.exit_code) == ("unknown-key", 2)
        assert error.summary.startswith(summary)
        assert hint in error.summary + error.hint


class TestCheck:
    def test_texts_become_values(self):
        told = layers.from_assignments(["batch=4", "warmup_s=0.5", "strict_placement=false", "seeds.qsl=7", "output=x"])
        settings = layers.check(Settings, told)
        assert (settings.batch, settings.warmup_s, settings.strict_placement, settings.seeds.qsl) == (4, 0.5, False, 7)
        assert settings.output.name == "x"

    @pytest.mark.parametrize(
        ("text", "summary"),
        [
            ("batch: many", "run.yaml:1:1: batch: Input should be a valid integer"),
            ("batch: 0", "run.yaml:1:1: batch: Input should be greater than or equal to 1 (got 0)"),
            ("batch: 65537", "run.yaml:1:1: batch: Input should be less than or equal to 65536"),
            ("batch: 1.5", "run.yaml:1:1: batch: Input should be a valid integer"),
            ("batch: [1]", "run.yaml:1:1: batch: Input should be a valid integer"),
            ("\n\nwarmup_s: .nan", "run.yaml:3:1: warmup_s: Input should be"),
            ("warmup_s: .inf", "run.yaml:1:1: warmup_s: Input should be less than or equal to 600"),
            ("min_duration_s: -1", "run.yaml:1:1: min_duration_s: Input should be greater than or equal to 0"),
            ("max_duration_s: .inf", "run.yaml:1:1: max_duration_s: Input should be less"),
            ("percentile: 1", "run.yaml:1:1: percentile: Input should be less than 1"),
            ("percentile: .nan", "run.yaml:1:1: percentile: Input should be"),
            ("silence_timeout_s: 0", "run.yaml:1:1: silence_timeout_s: Input should be greater than 0"),
            ("mode: fast", "run.yaml:1:1: mode: Input should be 'performance', 'accuracy', 'both' or 'submission'"),
            ("rules: [quick]", "run.yaml:1:1: rules: Input should be a valid string"),
            ("strict_placement: perhaps", "run.yaml:1:1: strict_placement: Input should be a valid boolean"),
            ("seeds:\n  qsl: -1", "run.yaml:2:3: seeds.qsl: Input should be greater than or equal to 0"),
            ("seeds:\n  qsl: 18446744073709551616", "run.yaml:2:3: seeds.qsl: Input should be less than"),
            ("seeds: 7", "run.yaml:1:1: seeds: Input should be a valid dictionary"),
            ("quality: {metric: x, reference: 0}", "run.yaml:1:22: quality.reference: Input should be greater than 0"),
            ("quality: {metric: x, reference: 1, ratio: 1.1}", "run.yaml:1:36: quality.ratio: Input should be less"),
            ("min_query_count: 1000000000", "run.yaml:1:1: min_query_count: Input should be less"),
        ],
    )
    def test_wrong_values(self, text, summary):
        error = refusal(layers.check, Settings, yaml(text))
        assert (error.code, error.exit_code) == ("bad-value", 2)
        assert error.summary.startswith(summary)

    def test_wrong_values_are_explained(self):
        error = refusal(layers.check, BackendOptions, layer("here", backend_options__threads=0), "backend_options.")
        assert error.summary == ("here: backend_options.threads: Input should be greater than or equal to 1 (got 0)")
        assert error.hint == "threads of one session"

    def test_wrong_values_are_shortened(self):
        error = refusal(layers.check, Settings, layer(batch="9" * 100_000))
        assert len(error.summary) < 300

    def test_what_is_missing(self):
        error = refusal(layers.check, Settings, yaml("quality:\n  metric: top-1"))
        assert error.code == "missing-key"
        assert error.summary == "run.yaml:2:3: quality.reference is missing"

    def test_unknown_options(self):
        told = yaml("task_options:\n  corp: false")
        error = refusal(layers.check, TaskOptions, told, "task_options.")
        assert error.code == "unknown-key"
        assert error.summary == "run.yaml:2:3: unknown key task_options.corp"
        assert error.hint == "did you mean crop?"

    def test_values_that_contradict_each_other(self):
        told = layer(min_query_count=1, min_duration_s=10, max_duration_s=5)
        error = refusal(layers.check, Counts, told)
        assert error.summary == "max_duration_s 5 is less than min_duration_s 10"
        assert layers.check(Counts, told | layer(max_duration_s=0)).max_duration_s == 0

    @pytest.mark.parametrize("key", ["min_duration_s", "max_duration_s"])
    def test_counts_are_finite(self, key):
        told = layer(min_query_count=1, min_duration_s=0, max_duration_s=0) | {
            key: Setting(float("inf"), "run.yaml:1:1")
        }
        assert refusal(layers.check, Counts, told).summary.startswith(f"run.yaml:1:1: {key}: ")


def test_default_seeds_are_those_of_the_app():
    """mobile_app_open v6.0, flutter/cpp/mlperf_driver.cc."""
    assert Seeds().model_dump() == {
        "qsl": 2465351861681999779, "sample_index": 14276810075590677512, "schedule": 3936089224930324775,
    }  # fmt: skip


def test_the_target_is_a_share_of_the_reference():
    assert QualitySettings(metric="top-1", reference=0.8, ratio=0.98).target == pytest.approx(0.784)


def test_hints():
    assert did_you_mean("ofline", ["offline", "single-stream"]) == "did you mean offline?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
    assert did_you_mean("zzz", []) == "none is installed"
