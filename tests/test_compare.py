"""``mlperf-mobile compare``: results side by side, what differs, and when it says that one is slower."""

from __future__ import annotations

import argparse
import csv
import errno
import io
import json
import os
import random
from array import array
from pathlib import Path

import pytest

from mlperf_mobile.errors import ExitCode, MobileError
from mlperf_mobile.results.latencies import append
from mlperf_mobile_report.commands import compare as command

MS = 1_000_000


def record(**more):
    """A valid single-stream result of image classification, as ``result.json`` has it."""
    told = {
        "schema": 1, "run_id": "x", "created": "2030-01-01T00:00:00+00:00", "status": "completed", "valid": True,
        "task": "image_classification", "benchmark": "image_classification", "suite": "v4.0",
        "model": {"name": "mobilenet_edgetpu_uint8", "path": "/m", "format": "tflite", "sha256": "aa", "bytes": 1},
        "dataset": "imagenet_val", "performance_dataset": None, "backend": "toy", "runtime": "toy 1.0",
        "accelerator": "cpu", "scenario": "single-stream", "mode": "both", "rule_set": "normal",
        "load": {"min_query_count": 1024, "percentile": 0.9}, "rules": [],
        "performance": {
            "latency_ns": {"p90": 2 * MS}, "throughput": 500.0, "queries": 1024, "samples": 1024, "duration_s": 60.0,
        },
        "accuracy": {
            "metric": "top-1", "value": 0.75, "reference": None, "target": None, "passed": None, "samples": 100,
            "duration_s": 1.0,
        },
        "placement": None, "system": {"batch": 1}, "seeds": {"qsl": 1, "sample_index": 2, "schedule": 3},
        "versions": {"numpy": "2.0"}, "environment": {"cpu.model": "a processor", "cpu.load_1min": 0.1},
        "error": None, "directory": "/x",
    }  # fmt: skip
    return told | more


def performance(p90=2 * MS, throughput=500.0, samples=1024):
    return {"latency_ns": {"p90": p90}, "throughput": throughput, "queries": samples, "samples": samples,
            "duration_s": 60.0}  # fmt: skip


@pytest.fixture
def put(tmp_path):
    """Writes a result folder; with ``around``, latencies near that many nanoseconds, and their 90th percentile."""

    def write(name, around=None, spread=0.02, count=1024, seed=None, **more):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        if around:
            chance = random.Random(seed or name)
            values = [int(around * chance.lognormvariate(0, spread)) for _ in range(count)]
            append(folder / "latencies.bin", array("q", values))
            more["performance"] = performance(sorted(values)[int(count * 0.9)], samples=count)
        (folder / "result.json").write_text(json.dumps(record(**more)))
        return folder

    return write


@pytest.fixture
def compare(capsys):
    """Runs the command: exit code, standard output, standard error."""

    def run(*arguments):
        top = argparse.ArgumentParser()
        command.add(top)
        args = top.parse_args([*map(str, arguments)])
        capsys.readouterr()
        code = int(args.handler(args))
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def refused(compare):
    def run(*arguments):
        with pytest.raises(MobileError) as caught:
            compare(*arguments)
        assert len(caught.value.line()) < 2000
        return caught.value

    return run


def rows(compare, *arguments):
    _, out, _ = compare(*arguments, "--json")
    return {row["label"]: row for group in json.loads(out)["groups"] for row in group["rows"]}


class TestNumbers:
    def test_ratio_interval_and_accuracy(self, put, compare):
        a, b = put("a", 2 * MS), put("b", 2.2 * MS, accuracy=record()["accuracy"] | {"value": 0.74})
        found = rows(compare, a, b)
        assert found["A"]["ratio"] == 1
        expected = found["B"]["value"] / found["A"]["value"]
        assert found["B"]["ratio"] == pytest.approx(expected)
        interval = found["B"]["ratio_interval"]
        assert 1 < interval["low"] < expected < interval["high"] < 1.2
        assert found["A"]["value_interval"]["low"] < found["A"]["value"] < found["A"]["value_interval"]["high"]
        assert found["B"]["accuracy_difference"] == pytest.approx(-0.01)

    def test_offline_is_a_time_too(self, put, compare):
        """400 instead of 500 samples a second is 1.25 times the time."""
        more = {"scenario": "offline", "benchmark": "image_classification_offline"}
        a = put("a", **more, performance=performance(throughput=500.0) | {"queries": 1})
        b = put("b", **more, performance=performance(throughput=400.0) | {"queries": 1})
        found = rows(compare, a, b)
        assert found["B"]["ratio"] == 1.25
        assert (found["B"]["unit"], found["B"]["ratio_interval"]) == ("samples/s", None)

    def test_another_baseline(self, put, compare):
        a, b = put("a", performance=performance(2 * MS)), put("b", performance=performance(4 * MS))
        assert rows(compare, f"one={a}", f"two={b}", "--baseline", "two")["one"]["ratio"] == 0.5

    def test_a_folder_of_results(self, put, compare, tmp_path):
        for name, p90 in (("all/x", 2), ("all/y", 3), ("all/deep/z", 4)):
            put(name, performance=performance(p90 * MS))
        put("all/.hidden.partial", performance=performance(9 * MS))
        found = rows(compare, tmp_path / "all")
        assert sorted(row["value"] for row in found.values()) == [2 * MS, 3 * MS, 4 * MS]
        assert set(found) == {"A #1", "A #2", "A #3"}

    def test_a_result_file(self, put, compare):
        a, b = put("a", 2 * MS), put("b", 2 * MS)
        assert rows(compare, a / "result.json", b / "result.json")["B"]["ratio_interval"]

    def test_one_missing_benchmark_is_reported(self, put, compare):
        a, b = put("s/a"), put("t/a")
        put("s/b", benchmark="object_detection")
        _, out, _ = compare(a.parent, b.parent)
        assert "only A has object_detection, single-stream" in out

    def test_twelve_side_by_side(self, put, compare):
        """Each in a row of its own, no line broken or longer than a wide terminal."""
        folders = [put(f"r{n}", (2 + n / 10) * MS) for n in range(12)]
        code, out, _ = compare(*folders)
        table = out.split("\n\n")[0].splitlines()
        assert code == 0
        assert [line.split()[0] for line in table[2:]] == list("ABCDEFGHIJKL")
        assert max(map(len, table)) <= 150


class TestOfficial:
    def test_with_a_run_of_the_same_model(self, put, compare):
        """0.184322 ms of a Snapdragon 8 Gen 3 in round v4.0."""
        a = put("a", performance=performance(368_644.0))
        found = rows(compare, a, "official:v4.0/SD8G3/image_classification")
        assert found["v4.0/SD8G3"]["ratio"] == pytest.approx(0.5)
        assert found["v4.0/SD8G3"]["accuracy_difference"] == pytest.approx(0.7534 - 0.75)

    def test_whole_submissions(self, compare):
        code, out, _ = compare("official:v4.0/SD8G3", "official:v5.0/SD8Elite", "--csv")
        found = {(r["benchmark"], r["label"]): r for r in csv.DictReader(io.StringIO(out))}
        assert code == 0
        row = found["object_detection", "v5.0/SD8Elite"]
        assert float(row["ratio"]) == pytest.approx(371146 / 406615)
        assert row["source"] == "official:v5.0/SD8Elite/object_detection"

    def test_another_model_is_never_compared(self, put, compare, refused):
        model = record()["model"] | {"name": "fashion_mobilenet_int8"}
        a = put("a", model=model)
        error = refused(a, "official:v4.0/SD8G3/image_classification")
        assert error.code == "nothing-to-compare"
        assert "fashion_mobilenet_int8" in error.summary
        b = put("b")
        _, out, _ = compare(a, b, "official:v4.0/SD8G3/image_classification", "--json")
        told = json.loads(out)
        assert [row["ratio"] for row in told["groups"][0]["rows"]] == [1.0, 1.0, None]
        assert any("ran another model than A" in text for text in told["warnings"])

    def test_under_a_label(self, put, compare):
        a = put("a", performance=performance(368_644.0))
        found = rows(compare, a, "phone=official:v4.0/sd8g3/image_classification", "--baseline", "phone")
        assert found["A"]["ratio"] == pytest.approx(2)

    def test_their_environment_is_unknown(self, put, compare):
        _, out, _ = compare(put("a"), "official:v4.0/SD8G3/image_classification")
        assert "environment, versions and model files of official results are not known" in out

    def test_unknown_names(self, put, refused):
        error = refused(put("a"), "official:v4.0/SD8G4/image_classification")
        assert error.code == "no-official-result"
        assert "v4.0/SD8G3/image_classification" in error.hint


class TestDifferences:
    @pytest.mark.parametrize(
        ("change", "name", "values"),
        [
            ({"environment": {"cpu.model": "another"}}, "environment.cpu.model", ("a processor", "another")),
            ({"environment": {}}, "environment.cpu.model", ("a processor", "unknown")),
            ({"versions": {"numpy": "1.26"}}, "version.numpy", ("2.0", "1.26")),
            ({"model": record()["model"] | {"sha256": "bb"}}, "model.sha256", ("aa", "bb")),
            ({"dataset": "imagenet_tiny"}, "dataset", ("imagenet_val", "imagenet_tiny")),
            ({"rule_set": "quick"}, "rules", ("normal", "quick")),
            ({"seeds": {"qsl": 9, "sample_index": 2, "schedule": 3}}, "seed.qsl", ("1", "9")),
            ({"accelerator": "npu"}, "accelerator", ("cpu", "npu")),
            ({"backend": "other"}, "backend", ("toy", "other")),
            ({"suite": None}, "suite", ("v4.0", "unknown")),
            ({"load": {"min_query_count": 64, "percentile": 0.9}}, "load.min_query_count", ("1024", "64")),
            ({"system": {"batch": 8}}, "system.batch", ("1", "8")),
        ],
    )
    def test_both_values_are_named(self, put, compare, change, name, values):
        _, out, _ = compare(put("a"), put("b", **change))
        assert f"{name} differs: {values[0]} (A), {values[1]} (B)" in out

    def test_what_changes_by_itself(self, put, compare):
        environment = record()["environment"] | {"cpu.load_1min": 7.5}
        _, out, _ = compare(put("a"), put("b", environment=environment))
        assert "differs" not in out


class TestGate:
    def test_slower_and_sure(self, put, compare):
        code, _, err = compare(put("a", 2 * MS), put("b", 2.3 * MS), "--fail-if-slower", "5%")
        assert code == ExitCode.NOT_VALID
        assert "B on image_classification: 1" in err
        assert "the limit is 5 %" in err

    @pytest.mark.parametrize("around", [1.5 * MS, 2 * MS, 2.04 * MS])
    def test_within_the_limit(self, put, compare, around):
        assert compare(put("a", 2 * MS), put("b", around), "--fail-if-slower", "5%", "--strict")[0] == 0

    def test_slower_and_not_sure(self, put, compare):
        """64 latencies between 1 and 4 ms cannot tell 15 % apart; --strict does not ask."""
        a, b = put("a", 2 * MS, 0.4, 64, seed=1), put("b", 2.3 * MS, 0.4, 64, seed=1)
        told = rows(compare, a, b)["B"]
        assert told["ratio"] == pytest.approx(1.15, rel=1e-3)
        assert told["ratio_interval"]["low"] is None or told["ratio_interval"]["low"] < 1
        assert compare(a, b, "--fail-if-slower", "5%")[0] == 0
        assert compare(a, b, "--fail-if-slower", "5%", "--strict")[0] == 1

    def test_without_latencies_the_ratio_decides(self, put, compare):
        a, b = put("a", performance=performance(2 * MS)), put("b", performance=performance(2.2 * MS))
        code, _, err = compare(a, b, "--fail-if-slower", "5 %")
        assert code == 1
        assert "no interval" in err
        assert compare(a, b, "--fail-if-slower", "10.1%")[0] == 0

    @pytest.mark.parametrize("change", [{"functional_only": "a simulator"}, {"valid": False}, {"performance": None}])
    def test_no_claim_is_no_pass(self, put, compare, change):
        for n, pair in enumerate(((put("a"), put("b", **change)), (put("c", **change), put("d")))):
            code, _, err = compare(*pair, "--fail-if-slower", "5%")
            assert code == 1, n
            assert "no claim about speed" in err

    @pytest.mark.parametrize("text", ["5", "0.05", "-5%", "x%", "nan%", "", "%", "5%%", "1e3%"])
    def test_invalid_limits(self, put, refused, text):
        assert refused(put("a"), put("b"), f"--fail-if-slower={text}").code == "bad-value"

    def test_flags_that_do_not_go_together(self, put, refused):
        a, b = put("a"), put("b")
        assert refused(a, b, "--strict").code == "bad-flag"
        assert refused(a, b, "--table", "backends", "--fail-if-slower", "5%").code == "bad-flag"


class TestOptions:
    """A number is compared with all that it depends on in sight."""

    def test_an_option_that_differs_is_warned_of(self, put, compare):
        _, out, _ = compare(put("a", options={"backend.threads": 2}), put("b"))
        assert "warning: option.backend.threads differs: 2 (A), default (B)" in out
        assert "toy/cpu (backend.threads=2)" in out

    def test_options_that_are_the_same_are_not(self, put, compare):
        options = {"scenario.target_qps": 300, "batch": 8}
        _, out, _ = compare(put("a", options=options), put("b", options=options))
        assert "option." not in out

    @pytest.mark.parametrize(("one", "other"), [(300, 3000), (True, 1), ("1", 1), ([1, 2], [2, 1])])
    def test_values_are_distinguished(self, put, compare, one, other):
        _, out, _ = compare(put("a", options={"scenario.x": one}), put("b", options={"scenario.x": other}), "--json")
        names = [each["name"] for each in json.loads(out)["differences"]]
        assert names == ["option.scenario.x"] if str(one) != str(other) else not names

    def test_long_values_that_differ_at_their_end(self, put, compare):
        long = "x" * 500
        _, out, _ = compare(
            put("a", options={"task.p": f"{long}a"}), put("b", options={"task.p": f"{long}b"}), "--json"
        )
        (difference,) = json.loads(out)["differences"]
        assert len(difference["values"]) == 2

    def test_runs_with_other_options_are_another_column(self, put, compare, tmp_path):
        for name, threads, p90 in (("a", 1, 4), ("b", 2, 2), ("c", 2, 2)):
            options = {"backend.threads": threads} if threads > 1 else {}
            put(f"all/{name}", options=options, performance=performance(p90 * MS))
        _, out, _ = compare(tmp_path / "all", "--table", "backends", "--json")
        assert json.loads(out)["columns"] == ["toy/cpu", "toy/cpu (backend.threads=2)"]

    def test_they_are_in_json_and_csv(self, put, compare):
        first, second = put("a", options={"backend.threads": 2}), put("b")
        _, out, _ = compare(first, second, "--json")
        assert json.loads(out)["groups"][0]["rows"][0]["options"] == {"backend.threads": 2}
        _, out, _ = compare(first, second, "--csv")
        rows_ = list(csv.DictReader(io.StringIO(out)))
        assert [row["options"] for row in rows_] == ["backend.threads=2", ""]


class TestNoClaim:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"functional_only": "npu: a simulator"}, "functional only: npu: a simulator"),
            ({"valid": False, "rules": [{"name": "min-duration", "ok": False, "observed": 1, "required": 60}]},
             "INVALID because min-duration: 1 of 60"),
            ({"status": "interrupted", "valid": False}, "INTERRUPTED"),
            ({"performance": None}, "no performance run"),
            ({"performance": performance(0.0)}, "it has no score"),
            ({"performance": performance(-1.0)}, "it has no score"),
            ({"performance": performance() | {"latency_ns": {}}}, "it has no score"),
        ],
    )  # fmt: skip
    def test_it_is_shown_and_not_compared(self, put, compare, change, words):
        code, out, _ = compare(put("a"), put("b", **change))
        assert code == 0
        assert f"B: no claim about speed on image_classification: {words}" in out
        told = rows(compare, put("c"), put("d", **change))["B"]
        assert (told["ratio"], told["ratio_interval"]) == (None, None)
        assert told["refused"]

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
    def test_a_number_that_is_not_finite_is_in_no_result(self, put, compare, number):
        accuracy = record()["accuracy"] | {"value": number}
        for name, change in (("b", {"performance": performance(number)}), ("c", {"accuracy": accuracy})):
            with pytest.raises(MobileError) as refused:
                compare(put("a" + name), put(name, **change))
            assert refused.value.code == "result-damaged"

    def test_other_metrics(self, put, compare):
        told = record()["accuracy"] | {"metric": "top-5", "value": 0.9}
        _, out, _ = compare(put("a"), put("b", accuracy=told))
        assert "accuracies are top-1, top-5, and not compared" in out


class TestLatencies:
    def damaged(self, put, compare, change):
        a, b = put("a", 2 * MS), put("b", 2 * MS)
        change(b / "latencies.bin")
        _, out, _ = compare(a, b, "--json")
        told = json.loads(out)
        assert told["groups"][0]["rows"][1]["ratio_interval"] is None
        (text,) = [text for text in told["warnings"] if text.startswith("B: no interval")]
        return text

    def test_cut_short(self, put, compare):
        assert "1023 latencies" in self.damaged(put, compare, lambda p: p.write_bytes(p.read_bytes()[:-3]))

    def test_empty(self, put, compare):
        assert "no latencies" in self.damaged(put, compare, lambda p: p.write_bytes(b""))

    def test_zeros(self, put, compare):
        assert "a latency of 0 ns" in self.damaged(put, compare, lambda p: p.write_bytes(bytes(8 * 1024)))

    def test_rubbish(self, put, compare):
        assert "no interval" in self.damaged(put, compare, lambda p: p.write_bytes(b"\xff" * 8 * 1024))

    def test_of_another_run(self, put, compare):
        """The number in the result was raised by hand, or the file is another run's."""
        other = put("c", 3 * MS) / "latencies.bin"
        assert "the result says" in self.damaged(put, compare, lambda p: p.write_bytes(other.read_bytes()))

    def test_far_too_many(self, put, compare):
        """A sparse file of 1 TB is not read."""
        assert "more than" in self.damaged(put, compare, lambda p: os.truncate(p, 1 << 40))

    def test_absent(self, put, compare):
        a, b = put("a", 2 * MS), put("b", 2 * MS)
        (b / "latencies.bin").unlink()
        assert rows(compare, a, b)["B"]["ratio_interval"] is None


class TestBadInput:
    def test_nothing_there(self, put, refused, tmp_path):
        assert refused(put("a"), tmp_path / "absent").code == "no-result"

    def test_an_empty_folder(self, put, refused, tmp_path):
        (tmp_path / "empty").mkdir()
        assert refused(put("a"), tmp_path / "empty").code == "no-result"

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            ("{", "result-damaged"),
            ("", "result-damaged"),
            ("\0" * 99, "result-damaged"),
            ('{"schema": 3}', "result-schema"),
            ("[1]", "result-damaged"),
        ],
    )
    def test_damaged(self, put, refused, compare, data, code):
        a, b = put("a"), put("all/b")
        b.joinpath("result.json").write_text(data)
        assert refused(a, b).code == code
        assert refused(a, b.parent).code == code
        put("all/c")
        _, out, _ = compare(a, b.parent)
        assert "B: left out: " in out

    def test_a_folder_without_permission(self, put, refused, monkeypatch):
        """As root there is none, so it is made up."""
        b = put("all/b").parent
        allowed = Path.iterdir

        def iterdir(self):
            if self == b:
                raise PermissionError(errno.EACCES, "Permission denied")
            return allowed(self)

        monkeypatch.setattr(Path, "iterdir", iterdir)
        error = refused(put("a"), b)
        assert (error.code, "Permission denied" in error.summary) == ("no-result", True)

    def test_nothing_in_common(self, put, refused):
        error = refused(put("a"), put("b", benchmark="object_detection"))
        assert error.code == "nothing-to-compare"
        assert "A has image_classification" in error.summary
        assert "B has object_detection" in error.summary

    def test_one_alone(self, put, refused):
        assert refused(put("a")).code == "nothing-to-compare"

    def test_same_label(self, put, refused):
        a, b = put("a"), put("b")
        assert refused(f"x={a}", f"x={b}").code == "same-label"

    @pytest.mark.parametrize("place", ["~nobody-of-this-name/x", "a=" + "x" * 300, "x" * 300, "a=", "=b", "="])
    def test_places_that_cannot_be(self, put, refused, place):
        assert refused(put("a"), place).code == "no-result"

    def test_unknown_baseline(self, put, refused):
        error = refused(f"before={put('a')}", f"after={put('b')}", "--baseline", "befor")
        assert error.code == "no-baseline"
        assert "before" in error.hint

    def test_an_equals_sign_in_a_path(self, put, compare):
        assert set(rows(compare, put("a=b"), put("c"))) == {"A", "B"}

    def test_text_that_would_do_something(self, put, compare):
        """Escape sequences, line ends and markup from a result stay text."""
        odd = "\x1b[31mred\n| x | <b>\u202e"
        _, out, _ = compare(put("a", backend=odd), put("b", environment={odd: odd}))
        assert "\x1b" not in out
        assert "\u202e" not in out
        _, out, _ = compare(put("c", backend=odd), put("d"), "--markdown")
        assert "<b>" not in out.replace("\\<b\\>", "")
        assert len({line.count("|") - line.count("\\|") for line in out.splitlines() if line.startswith("|")}) == 1


class TestForms:
    def test_markdown(self, put, compare):
        _, out, _ = compare(
            put("a", performance=performance(2 * MS)), put("b", performance=performance(3 * MS)), "--markdown"
        )
        lines = out.splitlines()
        assert lines[0].startswith("### image_classification, single-stream")
        assert lines[3].startswith("| --- |")
        assert "| B | toy/cpu | 3 ms | 1.5000 |" in out

    def test_csv(self, put, compare):
        _, out, err = compare(put("a"), put("b", rule_set="quick"), "--csv")
        first, second = csv.DictReader(io.StringIO(out))
        assert (first["label"], first["value"], first["ratio"]) == ("A", "2000000.0", "1.0")
        assert second["state"] == "VALID, quick rules"
        assert "rules differs" in err

    def test_what_a_valid_result_is_not(self, put, compare):
        """Valid, and yet not for a submission."""
        told = rows(compare, put("a"), put("b", submittable=False, rule_set="quick"), put("c", submittable=True))
        states = [told[label]["state"] for label in "ABC"]
        assert states == ["VALID", "VALID, not submittable, quick rules", "VALID"]
        assert all(row["ratio"] == 1 for row in told.values())

    def test_json_is_json(self, put, compare):
        _, out, _ = compare(put("a", performance=performance(-1.0)), put("b", 2 * MS, count=8), "--json")
        told = json.loads(out, parse_constant=pytest.fail)
        assert told["schema"] == 1
        assert told["groups"][0]["baseline"] == "A"


class TestBackends:
    @pytest.fixture
    def folder(self, put, tmp_path):
        for name, benchmark, backend, p90 in (
            ("x", "image_classification", "general", 2.5), ("y", "image_classification", "vendor", 2.0),
            ("z", "object_detection", "general", 5.0), ("w", "object_detection", "vendor", 5.5),
            ("v", "super_resolution", "vendor", 9.0),
        ):  # fmt: skip
            put(f"all/{name}", benchmark=benchmark, backend=backend, performance=performance(p90 * MS))
        return tmp_path / "all"

    def test_change_of_time(self, folder, compare):
        _, out, _ = compare(folder, "--table", "backends", "--baseline", "general/cpu", "--json")
        told = json.loads(out)
        assert told["columns"] == ["general/cpu", "vendor/cpu"]
        found = {row["benchmark"]: row["cells"] for row in told["rows"]}
        assert found["image_classification"]["vendor/cpu"]["change"] == pytest.approx(-0.2)
        assert found["object_detection"]["vendor/cpu"]["change"] == pytest.approx(0.1)
        assert found["super_resolution"] == {"vendor/cpu": found["super_resolution"]["vendor/cpu"]}
        assert found["super_resolution"]["vendor/cpu"]["change"] is None
        assert not [each for each in told["differences"] if each["name"] in ("backend", "accelerator", "runtime")]

    def test_text_and_csv(self, folder, compare):
        _, out, _ = compare(folder, "--table", "backends", "--baseline", "general/cpu")
        assert "2 ms (-20.00%)" in out
        assert "5.5 ms (+10.00%)" in out
        _, out, _ = compare(folder, "--table", "backends", "--csv")
        assert len(list(csv.DictReader(io.StringIO(out)))) == 5

    def test_several_runs_give_the_median(self, folder, put, compare):
        for n, p90 in enumerate((1.0, 2.2)):
            put(f"all/more{n}", backend="vendor", performance=performance(p90 * MS))
        _, out, _ = compare(folder, "--table", "backends", "--baseline", "general/cpu")
        assert "2 ms, median of 3 (-20.00%)" in out

    def test_a_simulator_makes_no_claim(self, folder, put, compare):
        put("all/s", backend="simulated", functional_only="a simulator", performance=performance(0.1 * MS))
        _, out, _ = compare(folder, "--table", "backends")
        assert "0.1 ms [FUNCTIONAL ONLY: no claim]" in out

    def test_unknown_column(self, folder, refused):
        assert "vendor/cpu" in refused(folder, "--table", "backends", "--baseline", "vendor/cpi").hint
