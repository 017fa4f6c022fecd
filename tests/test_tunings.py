"""A vendor's distribution tunes a benchmark of an existing suite: with its own model file, and options by SoC."""

from __future__ import annotations

import json

import pytest

PLUGIN = """
    from mlperf_mobile.plugin import SuitesInfo, hookimpl

    @hookimpl
    def mlperf_mobile_suites():
        yield SuitesInfo(settings="acme_parts:tunings.yaml", hook_api=(2, 3))
"""
TUNINGS = """\
tunings:
  acme:
    suites: [toys]
    benchmarks: [product]
    backend: toy
    cpu_fallback: false
    models:
      double: {file: double.bin, format: bin}
    settings: {accelerator: npu, after: 2}
    cases:
      flagship:
        when: {soc: ["AC9*"]}
        settings: {backend_options: {after: 9}}
      flagship_offline:
        when: {soc: ["AC9*"], accelerator: [npu], scenario: [offline]}
        settings: {batch: 8}
      large_batches:
        when: {batch: [8]}
        settings: {shards: 4}
"""
DRY = ("run", "--suite", "toys", "--backend", "toy", "--dry-run", "--json")


def install(command, text=TUNINGS, name="acme"):
    files = {"__init__.py": "", "tunings.yaml": text, "double.bin": '{"factor": 2}\n', "other.bin": '{"factor": 2}\n'}
    parts = {f"{name}_parts/{path}": content for path, content in files.items()}
    command.write_plugin(name, PLUGIN.replace("acme", name), files=parts)
    return command


def planned(command, *arguments):
    found, done = command.json(*DRY[:-1], *arguments)
    assert done.returncode == 0, done.stderr or found
    (plan,) = found["plans"]
    return plan


@pytest.fixture
def acme(inside):
    return install(inside)


class TestValues:
    def test_the_vendors_model_file_and_options_are_used(self, acme):
        plan = planned(acme)
        assert plan["model"]["name"] == "double"
        assert plan["model"]["path"] == str(acme.site / "acme_parts/double.bin")
        assert plan["model"]["format"] == "bin"
        assert plan["accelerators"] == {"npu": None}
        assert plan["backend_options"]["after"] == 2
        assert (plan["tuning"], plan["offered_by"]["tuning"]) == ("acme", "acme 1.0")

    def test_each_value_names_its_place(self, acme):
        sources = planned(acme, "--set", "soc=AC950")["sources"]
        assert sources["model.path"] == "model double of tuning acme, acme_parts/tunings.yaml:8:16"
        assert sources["accelerator"] == "tuning acme, acme_parts/tunings.yaml:9:16"
        assert sources["backend_options.after"] == "tuning acme, acme_parts/tunings.yaml:13:38"
        assert sources["tuning"] == "suite acme_parts/tunings.yaml:2:3"

    @pytest.mark.parametrize(
        ("arguments", "after", "batch", "shards"),
        [
            ((), 2, 1, 2),
            (("--set", "soc=ac950"), 9, 1, 2),
            (("--set", "soc=BC950"), 2, 1, 2),
            (("--set", "soc=AC950", "--scenario", "offline"), 9, 8, 4),
            (("--set", "soc=AC950", "--scenario", "offline", "--accelerator", "cpu"), 9, 1, 2),
            (("--set", "soc=AC950", "--scenario", "offline", "--accelerator", "cpu,npu:2"), 9, 8, 4),
            (("--scenario", "offline", "--set", "batch=8"), 2, 8, 4),
        ],
    )
    def test_conditions(self, acme, arguments, after, batch, shards):
        """Of SoC, accelerator, scenario and batch; a later case sees what earlier ones and the user set."""
        plan = planned(acme, *arguments)
        options = plan["backend_options"]
        assert (options["after"], plan["batch"], options["shards"]) == (after, batch, shards)

    def test_the_user_changes_each_value(self, acme):
        plan = planned(acme, "--accelerator", "cpu", "--set", "after=5", "--set", "backend_options.shards=1")
        assert plan["accelerators"] == {"cpu": None}
        assert (plan["backend_options"]["after"], plan["backend_options"]["shards"]) == (5, 1)
        assert plan["sources"]["accelerator"] == "--accelerator"
        own = acme.folder / "own.toy"
        own.write_text('{"factor": 2}')
        assert planned(acme, "--model", own)["model"]["path"] == str(own)

    def test_the_user_leaves_the_tuning_out(self, acme):
        plan = planned(acme, "--set", "tuned=false")
        assert (plan["tuning"], plan["accelerators"], plan["model"]["format"]) == (None, {"cpu": None}, "toy")

    def test_other_benchmarks_are_left_alone(self, acme):
        found, _ = acme.json("run", "product", "--backend", "toy", "--dry-run")
        assert found["plans"][0]["tuning"] is None

    def test_text(self, acme):
        done = acme("run", "--suite", "toys", "--backend", "toy", "--dry-run", "--set", "soc=AC950")
        rows = {line.split()[0]: " ".join(line.split()[1:]) for line in done.stdout.splitlines() if line[:2] == "  "}
        assert rows["tuning"] == "acme suite acme_parts/tunings.yaml:2:3"
        assert rows["soc"] == "AC950 --set soc=AC950"

    def test_a_backend_that_only_the_tuned_model_fits(self, inside):
        """The suite's model is in a format that no backend runs; the vendor's is."""
        text = TUNINGS.replace("suites: [toys]", "suites: [far]") + "benchmarks:\n" + (
            "  product: {task: product, suites: [far], settings: {model: remote, rules: rapid}}\n"
        )  # fmt: skip
        text = text.replace("double: {file", "remote: {file")
        task = "    models: {remote: {file: double.bin, format: unheard-of}}\n"
        shared = f"suites:\n  far:\n    summary: far\n    settings:\n  {task}"
        install(inside, shared + text)
        found, done = inside.json("run", "--suite", "far", "--dry-run")
        assert done.returncode == 0, found
        assert (found["plans"][0]["backend"], found["plans"][0]["model"]["format"]) == ("toy", "bin")


class TestFallback:
    def test_cannot_be_accepted_if_the_vendor_forbids_it(self, acme):
        found, done = acme.json(*DRY[:-1], "--set", "strict_placement=false")
        assert (found["error"]["code"], done.returncode) == ("fallback-forbidden", 2)
        assert found["error"]["summary"].startswith("--set strict_placement=false: tuning acme of acme 1.0 forbids")
        assert planned(acme, "--set", "strict_placement=false", "--set", "tuned=false")["strict_placement"] is False

    def test_can_be_accepted_otherwise(self, inside):
        install(inside, TUNINGS.replace("    cpu_fallback: false\n", ""))
        assert planned(inside, "--set", "strict_placement=false")["strict_placement"] is False


class TestSoC:
    def test_one_that_is_not_known_is_noted(self, acme, monkeypatch):
        monkeypatch.setattr("mlperf_mobile.config.soc.of_this_machine", lambda: "")
        (note,) = planned(acme)["notes"]
        assert note == (
            "the SoC is not known, so tuning acme does not use flagship, flagship_offline; give it with --set soc=NAME"
        )

    def test_this_machines(self, acme, monkeypatch):
        monkeypatch.setattr("mlperf_mobile.config.soc.of_this_machine", lambda: "AC900")
        plan = planned(acme)
        assert (plan["soc"], plan["sources"]["soc"], plan["backend_options"]["after"]) == ("AC900", "this machine", 9)


WRONG = {
    "what is measured": (("after: 2}", "after: 2, min_query_count: 1}"), "9:44: a tuning cannot set min_query_c"),
    "seeds": (("accelerator: npu,", "seeds: {qsl: 1},"), "9:24: a tuning cannot set seeds"),
    "no backend": (("    backend: toy\n", ""), "tunings.acme.backend is missing"),
    "no benchmarks": (("    benchmarks: [product]\n", ""), "tunings.acme.benchmarks is missing"),
    "a condition": (("when: {batch", "when: {butch"), "unknown key tunings.acme.cases.large_batches.when.butch"),
    "a key": (("cpu_fallback", "cpu_fallbak"), "unknown key tunings.acme.cpu_fallbak"),
    "another benchmark": (("[product]", "[prodduct]"), "suite toys has no benchmark 'prodduct'"),
}


@pytest.mark.parametrize(("change", "problem"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_a_problem_of_its_plugin(inside, change, problem):
    install(inside, TUNINGS.replace(*change))
    plan = planned(inside)  # the others work
    assert plan["tuning"] is None
    done = inside("run", "--suite", "toys", "--backend", "toy", "--dry-run")
    assert problem in done.stderr
    assert "acme 1.0" in done.stderr


def test_a_wrong_option_is_named_with_its_place(inside):
    install(inside, TUNINGS.replace("after: 2", "aftr: 2"))
    found, done = inside.json(*DRY[:-1])
    assert done.returncode == 2
    assert found["error"]["summary"] == "tuning acme, acme_parts/tunings.yaml:9:34: unknown key aftr"


def test_they_are_listed_with_their_benchmarks(acme):
    found, _ = acme.json("list-suites")
    (toys,) = [each for each in found["suites"] if each["name"] == "toys"]
    assert toys["benchmarks"][0]["tunings"] == [{"tuning": "acme", "backend": "toy", "from": "acme 1.0"}]


def test_two_vendors_tunings_of_one_benchmark_are_both_left_out(acme):
    install(acme, TUNINGS, "bcme")
    assert "tuning 'toys/product for toy' is offered by acme 1.0 and bcme 1.0" in acme("list-suites").stderr
    assert planned(acme)["tuning"] is None
    done = acme("run", "--suite", "toys", "--backend", "toy", "--dry-run")
    assert "tuning 'toys/product for toy' is offered by acme 1.0 and bcme 1.0" in done.stderr


def test_a_tuned_run(command):
    install(command)
    found, done = command.json(
        "run", "--suite", "toys", "--backend", "toy", "--quiet", "--set", "min_duration_s=0.1", "--set", "soc=AC950",
    )  # fmt: skip
    (result,) = found["results"]
    assert done.returncode == 0, done.stderr
    assert (result["valid"], result["accelerator"]) == (True, "npu")
    plan = json.loads((command.results / result["run_id"] / "plan.json").read_text())
    assert (plan["tuning"], plan["soc"]) == ("acme", "AC950")
