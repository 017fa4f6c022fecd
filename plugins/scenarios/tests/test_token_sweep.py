"""A sweep over lengths: what is measured, in which order, with which prompts, and what the numbers are."""

from __future__ import annotations

import csv
from array import array
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mlperf_mobile.campaigns.repeat import repetitions
from mlperf_mobile.contracts import Load, Seeds, TimedAnswer
from mlperf_mobile.errors import MobileError, UsageError
from mlperf_mobile.picking import require_language_model
from mlperf_mobile.plugin import Capability
from mlperf_mobile_scenarios import plugin
from mlperf_mobile_scenarios.options import TokenSweepOptions
from mlperf_mobile_scenarios.token_prompts import PromptMaker
from mlperf_mobile_scenarios.token_sweep import TokenSweep
from mlperf_mobile_scenarios.token_sweep_part import Combination, TokenSweepPart

LOAD = Load(min_query_count=3, min_duration_s=0, max_duration_s=0, seeds=Seeds(sample_index=11))
KNOWN = np.arange(100, 200, dtype=np.int32)


class Steady:
    """A stand-in: a prompt takes 1 us a token, and each token after the first 10 us and 1 ns for each one before it.

    The samples are pieces of :data:`KNOWN`.
    """

    sample_count, sessions, batch, context, has_depth = 10, 1, 1, 256, True
    tokens = array("q")
    most = 10**6

    def __init__(self):
        self.loaded, self.asked = set(), []

    def load_samples(self, indices):
        self.loaded |= set(indices)

    def unload_samples(self, indices):
        self.loaded -= set(indices)

    def prompt(self, index):
        assert index in self.loaded
        return KNOWN[10 * index : 10 * index + 10]

    def ask(self, prompt, how, context=None):
        before = context.tolist() if context is not None else []
        self.asked.append((before, prompt.tolist(), how))
        tokens = min(how.max_new_tokens, self.most)
        first = 1000 * prompt.size
        return TimedAnswer(tokens, first if tokens else 0, first + (tokens - 1) * (10_000 + len(before) + prompt.size))

    def stream(self, index, first_token):
        raise NotImplementedError

    def abandon(self, error):
        raise NotImplementedError

    answer = answer_batch = stream


def sweep(tmp_path, system=None, load=LOAD, **options):
    latencies = array("q")
    system = system or Steady()
    measured = TokenSweep(TokenSweepOptions(**options)).run(system, load, latencies, tmp_path)
    return measured, system, latencies


class TestWhatIsMeasured:
    def test_every_combination_as_often_as_the_rules_say(self, tmp_path):
        measured, system, latencies = sweep(tmp_path, prompt_tokens=[8, 20], answer_tokens=[1, 5], depths=[0, 30])
        part = measured.part
        found = [(each.depth, each.prompt, each.answer, each.repetitions) for each in part.combinations]
        assert found == [(d, p, a, 3) for d in (0, 30) for p in (8, 20) for a in (1, 5)]
        assert measured.queries == measured.samples == len(latencies) == 24
        assert len(system.asked) == 24 + 8  # each combination once before
        assert all(rule.ok for rule in measured.rules)
        assert measured.score is None
        assert not system.loaded

    def test_its_answers_are_planned(self, tmp_path):
        scenario = TokenSweep(TokenSweepOptions(prompt_tokens=[8, 250], answer_tokens=[4, 40], repetitions=7))
        assert scenario.planned == 0
        measured = scenario.run(Steady(), LOAD, array("q"), tmp_path)
        assert scenario.planned == measured.queries == 3 * 7

    def test_prompts_have_exact_lengths_and_no_stop_ids(self, tmp_path):
        _, system, _ = sweep(tmp_path, prompt_tokens=[8, 20], answer_tokens=[5], depths=[0, 30], repetitions=1)
        timed = system.asked[4:]
        assert sorted((len(before), len(prompt)) for before, prompt, _ in timed) == [(0, 8), (0, 20), (30, 8), (30, 20)]
        assert {(how.max_new_tokens, how.stop_ids) for _, _, how in timed} == {(5, ())}

    def test_no_prompt_is_repeated(self, tmp_path):
        """A backend that keeps what it knows of earlier prompts gains nothing."""
        _, system, _ = sweep(tmp_path, prompt_tokens=[40], answer_tokens=[2, 3], prompts="random")
        assert len({tuple(prompt) for _, prompt, _ in system.asked}) == len(system.asked) == 8

    def test_each_repetition_has_its_own_order(self, tmp_path):
        _, system, _ = sweep(tmp_path, prompt_tokens=list(range(1, 13)), answer_tokens=[2], repetitions=4)
        lengths = [len(prompt) for _, prompt, _ in system.asked[12:]]
        rounds = [tuple(lengths[start : start + 12]) for start in range(0, 48, 12)]
        assert all(sorted(each) == list(range(1, 13)) for each in rounds)
        assert len(set(rounds)) == 4

    def test_seeds_decide(self, tmp_path):
        other = LOAD.model_copy(update={"seeds": Seeds(sample_index=12)})
        first, again, changed = (
            sweep(tmp_path, load=load, prompt_tokens=[8, 20])[1].asked for load in (LOAD, LOAD, other)
        )
        assert first == again != changed

    def test_the_maximum_duration_ends_it(self, tmp_path):
        """At the first look at the clock, after one answer; the others are left out by name."""
        load = LOAD.model_copy(update={"max_duration_s": 1e-9})
        measured, _, latencies = sweep(tmp_path, load=load, prompt_tokens=[8, 20, 30])
        assert len(latencies) == len(measured.part.combinations) == 1
        assert [each.why for each in measured.part.left_out] == ["the maximum duration was reached"] * 2

    @pytest.mark.parametrize(("repetitions", "ok"), [(1, False), (2, False), (3, True)])
    def test_each_combination_needs_the_count_of_the_rules(self, tmp_path, repetitions, ok):
        """Three combinations with one answer each are not three answers of each."""
        measured, _, latencies = sweep(tmp_path, prompt_tokens=[8, 20, 30], repetitions=repetitions)
        (rule,) = [each for each in measured.rules if each.name == "min-query-count"]
        assert len(latencies) == 3 * repetitions
        assert (rule.ok, rule.observed, rule.required) == (ok, repetitions, 3)
        assert rule.note == "answers of each combination of lengths"

    def test_every_answer_is_in_the_file(self, tmp_path):
        _, _, latencies = sweep(tmp_path, prompt_tokens=[8, 20], answer_tokens=[5], depths=[0, 30])
        rows = list(csv.DictReader((tmp_path / "token_sweep_answers.csv").read_text().splitlines()))
        assert [int(row["latency_ns"]) for row in rows] == latencies.tolist()
        assert {(row["prompt_tokens"], row["depth"], row["first_token_ns"]) for row in rows} == {
            ("8", "0", "8000"), ("8", "30", "8000"), ("20", "0", "20000"), ("20", "30", "20000"),
        }  # fmt: skip

    def test_every_combination_is_in_a_table(self, tmp_path):
        measured, _, _ = sweep(tmp_path, prompt_tokens=[8, 20], answer_tokens=[1, 5])
        rows = list(csv.DictReader((tmp_path / "token_sweep.csv").read_text().splitlines()))
        found = [(row["prompt_tokens"], row["answer_tokens"], row["repetitions"]) for row in rows]
        assert found == [("8", "1", "3"), ("8", "5", "3"), ("20", "1", "3"), ("20", "5", "3")]
        assert [row["decode_per_s_mean"] for row in rows][::2] == ["", ""]  # a single token has no rate
        means = [each.decode_per_s.mean for each in measured.part.combinations if each.answer == 5]
        assert [float(row["decode_per_s_mean"]) for row in rows[1::2]] == means
        assert {row["ttft_ns_sd"] for row in rows} == {"0.0"}


class TestWhatDoesNotFit:
    def test_it_is_left_out_by_name(self, tmp_path):
        measured, system, _ = sweep(tmp_path, prompt_tokens=[200, 250], answer_tokens=[6, 56], repetitions=1)
        assert [(each.prompt, each.answer) for each in measured.part.combinations] == [(200, 6), (200, 56), (250, 6)]
        (lost,) = measured.part.left_out
        assert (lost.prompt, lost.answer, lost.depth) == (250, 56, 0)
        assert lost.why == "306 tokens do not fit into the context of 256"
        assert all(len(prompt) + how.max_new_tokens <= 256 for _, prompt, how in system.asked)

    def test_nothing_to_measure_is_refused(self, tmp_path):
        system = Steady()
        with pytest.raises(UsageError, match="a prompt of 300, an answer of 32, depth 0: 332 tokens") as refused:
            sweep(tmp_path, system, prompt_tokens=[300])
        assert refused.value.code == "bad-options"
        assert not system.asked

    def test_depth_needs_a_backend_that_has_it(self, tmp_path):
        system = Steady()
        system.has_depth = False
        measured, _, _ = sweep(tmp_path, system, prompt_tokens=[8], depths=[0, 16])
        assert [each.depth for each in measured.part.combinations] == [0]
        assert [(each.depth, each.why) for each in measured.part.left_out] == [
            (16, "the backend cannot say when a context is filled")
        ]

    @pytest.mark.parametrize(
        ("context", "prompts"), [(40, [16]), (96, [16, 32, 64]), (160, [16, 32, 64, 128]), (48, [16])]
    )
    def test_default_prompts_fit(self, tmp_path, context, prompts):
        system = Steady()
        system.context = context
        measured, _, _ = sweep(tmp_path, system, answer_tokens=[24])
        assert [each.prompt for each in measured.part.combinations] == prompts
        assert not measured.part.left_out

    def test_a_task_without_language_model_is_refused(self, tmp_path):
        with pytest.raises(UsageError) as refused:
            TokenSweep(TokenSweepOptions()).run(object(), LOAD, array("q"), tmp_path)
        assert refused.value.code == "no-tokens"


class TestWhatIsRefused:
    """Before anything is loaded: see ``mlperf_mobile.picking.require_language_model``."""

    OFFERS = {info.name: SimpleNamespace(info=info) for info in plugin.mlperf_mobile_scenarios()}  # noqa: RUF012

    def refusal(self, capabilities, scenario="token-sweep", generates=True):
        backend = SimpleNamespace(info=SimpleNamespace(name="acme", capabilities=frozenset(capabilities)))
        registry = SimpleNamespace(scenarios=self.OFFERS, backends={"acme": backend})
        try:
            require_language_model(self.OFFERS[scenario], "pictures", backend, registry, generates=generates)
        except MobileError as error:
            return error.code
        return ""

    def test_tasks_without_language_models(self):
        assert self.refusal([], generates=False) == "no-tokens"
        assert self.refusal([], "server", generates=False) == ""

    def test_backends_that_take_no_ids(self):
        assert self.refusal([Capability.TOKEN_STREAM]) == ""
        assert self.refusal([Capability.TEXT_STREAM]) == "text-only"
        assert self.refusal([Capability.BATCH]) == "no-tokens"
        assert self.refusal([], "server") == ""


class TestNumbers:
    def test_of_a_system_of_known_speed(self, tmp_path):
        measured, _, _ = sweep(tmp_path, prompt_tokens=[50], answer_tokens=[11], depths=[100])
        (found,) = measured.part.combinations
        assert (found.ttft_ns.mean, found.ttft_ns.sd, found.ttft_ns.count) == (50_000, 0, 3)
        assert found.prefill_per_s.p50 == pytest.approx(1e6)  # 1 us a token
        assert found.decode_per_s.mean == pytest.approx(1e9 / 10_150)

    def test_spread(self):
        """Of 1, 2 and 6 ms: mean 3, sample standard deviation the root of (4 + 1 + 9) / 2."""
        found = Combination.of(10, 1, 0, [TimedAnswer(1, ms * 10**6, ms * 10**6) for ms in (1, 6, 2)])
        ttft = found.ttft_ns
        assert (ttft.mean, ttft.min, ttft.p50, ttft.max) == (3e6, 1e6, 2e6, 6e6)
        assert ttft.sd == pytest.approx(7**0.5 * 1e6)
        assert found.decode_per_s is None  # nothing after the first token

    def test_short_answers_count_as_they_were(self, tmp_path):
        system = Steady()
        system.most = 4
        measured, _, _ = sweep(tmp_path, system, prompt_tokens=[50], answer_tokens=[3, 20])
        three, twenty = measured.part.combinations
        assert (three.short, twenty.short, twenty.fewest) == (0, 3, 4)
        assert twenty.decode_per_s.mean == three.decode_per_s.mean == pytest.approx(1e9 / 10_050)
        assert any(line.alarm and "3 answers" in line.text for line in measured.part.lines())

    def test_a_sweep_without_tokens_is_not_valid(self, tmp_path):
        system = Steady()
        system.most = 0
        measured, _, _ = sweep(tmp_path, system, prompt_tokens=[50])
        assert {rule.name: rule.ok for rule in measured.rules}["token-count"] is False
        assert measured.part.combinations[0].ttft_ns is None

    def test_tables_and_charts(self, tmp_path):
        measured, _, _ = sweep(tmp_path, prompt_tokens=[10, 20], answer_tokens=[2, 3], depths=[0, 30])
        part = TokenSweepPart.model_validate(measured.part.model_dump(mode="json"))  # as a result has it
        (table,) = part.listings()
        assert len(table.rows) == 8
        assert all(len(row) == len(table.head) for row in table.rows)
        ttft, prefill, decode = part.curves()
        assert ttft.lines == {"depth 0": [(10, 0.01), (20, 0.02)], "depth 30": [(10, 0.01), (20, 0.02)]}
        assert set(prefill.lines) == set(ttft.lines)
        assert [at for at, _ in decode.lines["answers of 3"]] == [10, 20, 40, 50]
        assert "never part of a submission" in " ".join(line.text for line in part.lines())
        assert part.values()["sweep_least_ttft_ns"] == 10_000


def test_repeated_sweeps_are_not_compared():
    """They have no score, by which runs are; an invalid one is still reported."""
    timed = SimpleNamespace(score=None)
    facts = {
        "benchmark": "choice",
        "scenario": "token-sweep",
        "swept_text": "",
        "mode": "performance",
        "performance": timed,
    }
    valid, invalid = (SimpleNamespace(valid=each, **facts) for each in (True, False))
    assert repetitions([valid, valid]) == []
    (again,) = repetitions([valid, invalid])
    assert again.left_out == 2


class TestPrompts:
    @settings(max_examples=30, deadline=None)
    @given(st.integers(1, 400), st.integers(0, 2**64 - 1), st.sampled_from(["samples", "random"]))
    def test_any_length_of_known_ids(self, length, seed, kind):
        maker = PromptMaker(Steady(), kind)
        ids = maker.make(length, seed, 1)
        assert (ids.dtype, ids.shape) == (np.dtype(np.int32), (length,))
        assert np.isin(ids, KNOWN).all()
        if kind == "samples":  # consecutive ids, around the end
            assert set(np.diff(ids)) <= {1, -99}


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("prompt_tokens", [], "prompt_tokens"), ("prompt_tokens", [0], "prompt_tokens"),
        ("prompt_tokens", [16, 16], "16 twice"), ("prompt_tokens", 1.5, "prompt_tokens"),
        ("prompt_tokens", [True], "prompt_tokens"), ("prompt_tokens", [10**9], "prompt_tokens"),
        ("answer_tokens", "32", "answer_tokens"), ("answer_tokens", [-1], "answer_tokens"),
        ("depths", [-1], "depths"), ("depths", [0, 0], "depths"), ("repetitions", 0, "repetitions"),
        ("prompts", "poems", "prompts"), ("prompt_tokens", list(range(1, 1002)), "prompt_tokens"),
        ("unknown", 1, "unknown"),
    ],
)  # fmt: skip
def test_wrong_options(name, value, what):
    with pytest.raises(ValidationError, match=what):
        TokenSweepOptions.model_validate({name: value})


def test_too_many_combinations():
    with pytest.raises(ValidationError, match="1024 combinations"):
        TokenSweepOptions(prompt_tokens=list(range(1, 33)), answer_tokens=list(range(1, 33)))


def test_one_number_is_a_list_of_one():
    assert TokenSweepOptions.model_validate({"prompt_tokens": 64, "depths": 0}).prompt_tokens == [64]
