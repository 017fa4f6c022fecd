"""Language models: what is counted for each answer, and whose answers they are."""

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile import loadgen

ROOT = Path(__file__).resolve().parents[3]
CONTEXT, LIMIT, SHORT = 32, 10, 4
LIMIT_ENDED, STOP_ENDED, CONTEXT_ENDED, OTHER_ENDED = range(4)


def prompts():
    """Prompts of every length of the context."""
    return [np.random.default_rng(n).integers(0, 48, n).astype(np.int32) for n in range(1, CONTEXT)]


def record(ids, size):
    return np.concatenate(([len(ids)], ids, np.zeros(size - len(ids)))).astype(np.int32)


@pytest.fixture
def language(case, tensor):
    """A case of a language model: ``language(options={...}, stop_ids=(20,))``."""

    def make(*, asked=None, limit=LIMIT, short=SHORT, stop_ids=(), context=CONTEXT, scenario="SingleStream", **fields):
        asked = prompts() if asked is None else asked
        made = case(
            inputs=[tensor("int32", 1 + context, name="prompt")],
            outputs=[tensor("int32", 1 + max(limit, short), name="answer")],
            samples=[(record(each, context),) for each in asked],
            generation={
                "context": context,
                "performance": {"max_new_tokens": limit, "stop_ids": list(stop_ids)},
                "accuracy": {"max_new_tokens": short, "stop_ids": list(stop_ids)},
            },
            **fields,
        )
        made.plan["performance"]["settings"] |= {"scenario": scenario, "min_query_count": 64, "min_duration_ms": 0}
        lengths = [len(each) for each in asked]
        made.plan["performance"]["warmup"] = [int(np.argmin(lengths)), int(np.argmax(lengths))]
        return made

    return make


def tokens(outcome):
    """Prompt, new tokens, first token in nanoseconds, and end, of each answer."""
    return np.fromfile(outcome.folder / "tokens.bin", "<i8").reshape(-1, 4)


def answers(outcome):
    """The ids of each answer of the accuracy run."""
    records = np.frombuffer(outcome.outputs(), np.int32).reshape(len(prompts()), -1)
    assert all(not each[1 + each[0] :].any() for each in records)
    return [each[1 : 1 + each[0]].tolist() for each in records]


class TestCounts:
    """With the engine that computes nothing."""

    def test_every_answer_is_counted(self, language):
        outcome = language().run()

        assert outcome.ended, outcome.events
        found, latencies = tokens(outcome), outcome.latencies()
        assert len(found) == len(latencies) == 64
        assert set(found[:, 0]) <= set(range(1, CONTEXT))
        room = np.minimum(LIMIT, CONTEXT - found[:, 0])
        assert found[:, 1].tolist() == room.tolist()
        assert found[:, 3].tolist() == np.where(room < LIMIT, CONTEXT_ENDED, LIMIT_ENDED).tolist()
        assert (found[:, 2] > 0).all()
        assert (found[:, 2] <= latencies).all()
        assert outcome.part("repeated")["responses"] == 2
        assert 0 < outcome.part("runner")["peak_bytes"] <= outcome.part("runner_performance")["peak_bytes"] < 50_000_000

    def test_times_are_those_of_loadgen(self, language):
        outcome = language(options={"latency_ns": 20_000}).run()

        details = loadgen.read_details(outcome.folder / "performance" / loadgen.DETAIL_LOG)
        found, latencies = tokens(outcome), outcome.latencies()
        first = np.sort(found[:, 2])
        assert details["result_first_token_mean_latency_ns"] == int(first.mean())
        assert details["result_first_token_min_latency_ns"] == first[0]
        assert details["result_first_token_90.00_percentile_latency_ns"] == first[int(len(first) * 0.9)]
        several = found[:, 1] > 1
        per_token = (latencies - found[:, 2])[several] // (found[several, 1] - 1)
        assert details["result_time_to_output_token_min"] <= per_token.min()
        assert details["result_time_to_output_token_max"] >= per_token.max()

    def test_both_modes_have_their_limit(self, language):
        outcome = language().run()

        assert [len(each) for each in answers(outcome)] == [min(SHORT, CONTEXT - len(each)) for each in prompts()]

    def test_a_stop_id_ends_an_answer(self, language):
        free = answers(language().run())
        stop = free[0][1]
        outcome = language(stop_ids=[stop]).run()

        cut = [each[: each.index(stop) + 1] if stop in each else each for each in free]
        assert answers(outcome) == cut
        ended = {int(prompt) for prompt, _, _, end in tokens(outcome) if end == STOP_ENDED}
        assert ended <= {len(each) for each in prompts()}
        assert 1 in {int(prompt) for prompt in ended} or 1 not in set(tokens(outcome)[:, 0])

    def test_answers_of_no_tokens_and_of_one(self, language):
        for count in (0, 1):
            outcome = language(options={"tokens": count}).run()

            assert outcome.ended, outcome.events
            found = tokens(outcome)
            assert set(found[:, 1]) == {count}
            assert (found[:, 2] > 0).all() == bool(count)
            assert set(found[:, 3]) <= {OTHER_ENDED, CONTEXT_ENDED}
            details = loadgen.read_details(outcome.folder / "performance" / loadgen.DETAIL_LOG)
            assert details["result_time_to_output_token_min"] >= 0  # LoadGen divided by 1, not by -1 or 0

    def test_responses_of_the_timed_run_are_logged_on_request(self, language):
        made = language(short=LIMIT)
        made.plan["performance"]["settings"] |= {"accuracy_log_probability": 1.0, "accuracy_log_rng_seed": 7}
        outcome = made.run()

        log = json.loads((outcome.folder / "performance" / "mlperf_log_accuracy.json").read_text())
        found, known = tokens(outcome), answers(outcome)
        assert len(log) == len(found)
        for item in log:
            ids = np.frombuffer(bytes.fromhex(item["data"]), "<i4").tolist()
            assert ids == known[item["qsl_idx"]]
            assert item["token_count"] == max(2, len(ids))
        made.plan["performance"]["settings"] |= {"scenario": "Offline"}
        shutil.rmtree(outcome.folder / "performance")
        (outcome.folder / "events.jsonl").unlink()
        assert made.run().failure["code"] == "runner-setting"

    def test_offline_reports_no_first_tokens(self, language):
        outcome = language(scenario="Offline", sessions=2).run()

        found = tokens(outcome)
        assert len(found) == len(outcome.latencies()) >= len(prompts())
        assert not found[:, 2].any()
        assert sorted(set(found[:, 0])) == list(range(1, CONTEXT))

    def test_offline_prepares_samples_for_whole_answers(self, language):
        """Half of 24 ms, for answers that are shorter than those of the warm-up."""
        made = language(scenario="Offline", options={"latency_ns": 1_000_000, "tokens": 24}, limit=24, context=64)
        made.plan["performance"]["settings"]["min_query_count"] = 3
        outcome = made.run()

        details = loadgen.read_details(outcome.folder / "performance" / loadgen.DETAIL_LOG)
        assert 1 < details["requested_offline_expected_qps"] <= 1e9 / 12e6

    @pytest.mark.parametrize("reports", [0, 9])
    def test_a_first_token_that_is_not_reported(self, language, reports):
        failure = language(options={"reports": reports, "tokens": 8}).run().failure

        assert failure["code"] == "first-token"

    def test_a_first_token_that_comes_late(self, language):
        """In the timed run nobody can tell; an answer of one token can."""
        asked = [np.arange(3, dtype=np.int32)]
        late = language(asked=asked, options={"latency_ns": 1_000_000, "late": True}, limit=24, context=64)
        late.plan["performance"]["settings"]["min_query_count"] = 3

        failure = late.run().failure
        assert (failure["code"], "an answer of one token takes" in failure["summary"]) == ("first-token", True)

    def test_answers_that_change(self, language):
        assert language(options={"drift": True}).run().failure["code"] == "outputs-changed"


class TestPlans:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"context": 1}, "generation.context"),
            ({"context": CONTEXT + 1}, "no room for the tokens"),
            ({"performance": {"max_new_tokens": 0, "stop_ids": []}}, "generation.performance.max_new_tokens"),
            ({"performance": {"max_new_tokens": 12, "stop_ids": []}}, "no room for the tokens"),
            ({"accuracy": {"max_new_tokens": 4, "stop_ids": [-1]}}, "generation.accuracy.stop_ids"),
            ({"accuracy": {"max_new_tokens": 4, "stop_ids": [2**31]}}, "generation.accuracy.stop_ids"),
            ({"accuracy": {"max_new_tokens": 4}}, "generation.accuracy.stop_ids is missing"),
            ({"more": 1}, "generation.more is unknown"),
        ],
    )
    def test_what_is_wrong(self, language, change, words):
        made = language()
        made.plan["generation"] |= change

        failure = made.run().failure
        assert (failure["code"], words in failure["summary"]) == ("runner-plan", True), failure

    def test_a_batch(self, language):
        assert language(batch=2, scenario="Offline").run().failure["code"] == "batch-size"

    @pytest.mark.parametrize("count", [0, -1, CONTEXT, 2**31 - 1])
    def test_a_prompt_of_an_impossible_length(self, language, count):
        made = language()
        made.samples[0][0][0] = count
        made.write()

        assert made.run().failure["code"] == "runner-samples"


class TestLiteRt:
    @pytest.fixture
    def reference(self, monkeypatch):
        """The numpy model of the script that wrote the files: another algorithm, in double precision."""
        pytest.importorskip("ai_edge_litert.schema_py_generated")
        monkeypatch.syspath_prepend(ROOT / "plugins" / "backend_tflite" / "tools")
        yield importlib.import_module("language_model")
        for name in ("language_model", "model_graph"):
            del sys.modules[name]

    @pytest.fixture
    def loaded(self, language, litert, models):
        def make(name="language_model", **fields):
            model = str(models / "language" / f"{name}.tflite")
            options = fields.pop("options", {})
            return language(engine="litert", library=litert, model=model, options=options, **fields)

        return make

    @pytest.mark.parametrize(
        ("model", "in_place"),
        [("language_model", False), ("language_model_slices", True), ("language_model_slices", False)],
    )
    def test_answers_are_those_of_the_whole_text(self, loaded, reference, model, in_place):
        """For every length of prompt: shorter than the signatures, equal, longer, and up to the context."""
        outcome = loaded(model, options={"in_place": in_place, "threads": 1}, short=LIMIT, stop_ids=(20,)).run()

        assert outcome.ended, outcome.events
        assert answers(outcome) == [reference.answer(each.tolist(), LIMIT, (20,)) for each in prompts()]
        lengths = {len(each): len(answer) for each, answer in zip(prompts(), answers(outcome), strict=True)}
        assert all(lengths[prompt] == new for prompt, new, _, _ in tokens(outcome))

    def test_another_context(self, loaded):
        failure = loaded(context=CONTEXT - 1, asked=prompts()[:20]).run().failure
        assert (failure["code"], "32 tokens on this device, not 31" in failure["summary"]) == ("model-tensors", True)

    def test_a_model_that_computes_nan(self, loaded):
        assert loaded("language_model_nan").run().failure["code"] == "nan-logits"

    def test_caches_of_another_layout(self, loaded):
        assert loaded("language_model_heads_first").run().failure["code"] == "model-tensors"

    def test_a_model_that_is_no_language_model(self, language, litert, quickstart):
        model = next(iter(sorted(quickstart.glob("*.tflite"))))
        failure = language(engine="litert", library=litert, model=str(model)).run().failure
        assert (failure["code"], "decode" in failure["summary"]) == ("model-tensors", True)


@pytest.fixture(scope="module")
def vendors_library(tmp_path_factory):
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    path = tmp_path_factory.mktemp("vendor") / "liblanguage.so"
    source = ROOT / "plugins" / "backend_capi" / "tests" / "test_language.cc"
    flags = ("-std=c++17", "-O1", "-fPIC", "-shared", "-pthread")
    subprocess.run([compiler, *flags, "-o", path, source], check=True)
    return path


class TestVendor:
    @pytest.fixture
    def loaded(self, language, vendors_library, tmp_path):
        model = tmp_path / "language.bin"
        model.write_text("a stand-in has no weights")

        def make(*settings, **fields):
            options = {"settings": [list(each) for each in settings]}
            return language(engine="mma", library=str(vendors_library), model=str(model), options=options, **fields)

        return make

    @staticmethod
    def answer(prompt, limit):
        """What the stand-in's comment says: the next token is a hash of all tokens before it."""
        ids, room = list(prompt), min(limit, CONTEXT - len(prompt))
        for _ in range(room):
            value = 17
            for each in ids:
                value = (value * 1664525 + int(each) + 1013904223) % 2**32
            ids.append((value >> 9) % 48)
        return ids[len(prompt) :]

    @pytest.mark.parametrize("thread", ["false", "true"])
    def test_answers_are_the_librarys(self, loaded, thread):
        outcome = loaded(("thread", thread), ("reports", str(CONTEXT))).run()

        assert outcome.ended, outcome.events
        assert answers(outcome) == [self.answer(each, SHORT) for each in prompts()]
        assert (tokens(outcome)[:, 2] > 0).all()

    def test_a_stop_id_of_the_task_cuts_an_answer(self, loaded):
        stop = self.answer(prompts()[0], SHORT)[1]
        outcome = loaded(stop_ids=[stop]).run()

        whole = [self.answer(each, SHORT) for each in prompts()]
        assert answers(outcome) == [each[: each.index(stop) + 1] if stop in each else each for each in whole]

    def test_another_context(self, loaded):
        assert loaded(("reports", str(CONTEXT - 1))).run().failure["code"] == "model-tensors"

    @pytest.mark.parametrize(
        ("defect", "code"),
        [
            ("vision", "model-tensors"), ("fail", "backend-failed"), ("flush", "backend-failed"),
            ("null", "backend-failed"), ("silent", "first-token"), ("twice", "first-token"), ("late", "first-token"),
            ("call without tokens", "first-token"), ("long", "wrong-outputs"), ("negative", "wrong-outputs"),
            ("huge", "wrong-outputs"), ("swap", "wrong-outputs"), ("backwards", "wrong-outputs"),
            ("storage", "wrong-outputs"), ("odd", "wrong-outputs"), ("endless", "wrong-outputs"),
            ("size", "wrong-outputs"), ("nowhere", "wrong-outputs"), ("lost", "wrong-outputs"),
        ],
    )  # fmt: skip
    def test_what_breaks_the_contract(self, loaded, defect, code):
        assert loaded(("defect", defect)).run().failure["code"] == code
