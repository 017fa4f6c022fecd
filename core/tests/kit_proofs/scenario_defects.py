"""One broken scenario for each test of the kit; run by ``test_kit_proofs.py``."""

from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path
from threading import Thread

from defects import Offered, Proofs

from mlperf_mobile.contracts import Seeds
from mlperf_mobile.plugin import HOOK_API, Ref, ScenarioInfo
from mlperf_mobile.scenarios.offline import Offline
from mlperf_mobile.scenarios.single_stream import SingleStream
from mlperf_mobile.testing.scenario import ScenarioConformance

OFFER = ScenarioInfo(
    name="single-stream",
    summary="the built-in one, broken",
    scenario=Ref("mlperf_mobile.scenarios.single_stream:SingleStream"),
    settings="mlperf_mobile.scenarios:single_stream.yaml",
    hook_api=HOOK_API,
)


class TestCorrect(Offered, ScenarioConformance):
    offer = OFFER


PROOFS = Proofs(TestCorrect, "scenario")


def broken(scenario):
    """A test class of a broken scenario."""
    return PROOFS.broken(scenario.__name__, scenario)


class TooFew(SingleStream):
    def run(self, system, load, latencies_ns, logs):
        return super().run(
            system, load.model_copy(update={"min_query_count": load.min_query_count // 2}), latencies_ns, logs
        )


class TooShort(SingleStream):
    def run(self, system, load, latencies_ns, logs):
        return super().run(system, load.model_copy(update={"min_duration_s": 0.0}), latencies_ns, logs)


class Forgetful(SingleStream):
    """Lets go of samples that it goes on to use."""

    def run(self, system, load, latencies_ns, logs):
        load_samples = system.load_samples

        def load_and_drop(indices):
            load_samples(indices)
            system.unload_samples(indices[:1])

        system.load_samples = load_and_drop
        return super().run(system, load, latencies_ns, logs)


class Deaf(SingleStream):
    """Has seeds of its own."""

    def run(self, system, load, latencies_ns, logs):
        return super().run(
            system, load.model_copy(update={"seeds": Seeds(qsl=1, sample_index=2, schedule=3)}), latencies_ns, logs
        )


class Padded(Offline):
    """Counts the padding of the last batch, as the reference app does."""

    def run(self, system, load, latencies_ns, logs):
        told = super().run(system, load, latencies_ns, logs)
        return replace(told, samples=-(-told.samples // system.batch) * system.batch)


class Threaded(SingleStream):
    """Completes its queries in a thread that ends."""

    def run(self, system, load, latencies_ns, logs):
        told = []
        thread = Thread(target=lambda: told.append(super(Threaded, self).run(system, load, latencies_ns, logs)))
        thread.start()
        thread.join()
        return told[0]


class Flattering(SingleStream):
    """Reports twice the throughput."""

    def run(self, system, load, latencies_ns, logs):
        told = super().run(system, load, latencies_ns, logs)
        return replace(told, throughput=2 * told.throughput)


class NoTail(SingleStream):
    """Puts its 99th percentile below its median."""

    def run(self, system, load, latencies_ns, logs):
        told = super().run(system, load, latencies_ns, logs)
        return replace(told, latency_ns={**told.latency_ns, "p99": told.latency_ns["min"] - 1})


class Boastful(SingleStream):
    """Claims a percentile that no query was as fast as."""

    def run(self, system, load, latencies_ns, logs):
        told = super().run(system, load, latencies_ns, logs)
        return replace(told, score=replace(told.score, value=told.latency_ns["min"] / 2))


class Untimely(SingleStream):
    """Reports when the first sample arrived, and no other."""

    def run(self, system, load, latencies_ns, logs):
        return replace(super().run(system, load, latencies_ns, logs), arrivals_ns=array("q", [0]))


class Lawless(SingleStream):
    """Leaves a rule out."""

    def run(self, system, load, latencies_ns, logs):
        told = super().run(system, load, latencies_ns, logs)
        return replace(told, rules=tuple(rule for rule in told.rules if rule.name != "max-duration"))


class Swallowing(SingleStream):
    """Goes on after an error, with an empty answer."""

    def run(self, system, load, latencies_ns, logs):
        answer = system.answer

        def careful(index):
            try:
                return answer(index)
            except Exception:
                return b""

        system.answer = careful
        return super().run(system, load, latencies_ns, logs)


class Forgetting(SingleStream):
    """Tells the first query twice."""

    def run(self, system, load, latencies_ns, logs):
        told = super().run(system, load, latencies_ns, logs)
        return replace(told, answered=told.answered[:1] * 2)


class Littering(SingleStream):
    def run(self, system, load, latencies_ns, logs):
        Path("left_behind.txt").write_text("oops")
        return super().run(system, load, latencies_ns, logs)


DEFECTS = {
    **PROOFS.of_any_offer("test_never_pads"),
    "test_settings_give_the_three_rules": PROOFS.broken("OnlyNormal", settings="kit_settings:only_normal.yaml"),
    "test_answers_at_least_the_minimum": broken(TooFew),
    "test_runs_at_least_the_minimum_duration": broken(TooShort),
    "test_uses_loaded_samples_only": broken(Forgetful),
    "test_seeds_decide_the_order": broken(Deaf),
    "test_threads_outlive_the_run": broken(Threaded),
    "test_never_pads": broken(Padded),
    "test_measures_what_the_system_takes": broken(Flattering),
    "test_reports_the_latencies_a_result_needs": broken(NoTail),
    "test_reports_its_score": broken(Boastful),
    "test_arrivals_belong_to_latencies": broken(Untimely),
    "test_names_the_rules": broken(Lawless),
    "test_reports_its_first_and_last_calls": broken(Forgetting),
    "test_failures_are_raised": broken(Swallowing),
    "test_writes_into_its_folder_only": broken(Littering),
}
PROOFS.publish(*DEFECTS.values())
