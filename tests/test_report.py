"""``mlperf-mobile report``: the page as browsers and strict readers see it, and the tables for other programs."""

from __future__ import annotations

import argparse
import base64
import csv
import importlib.util
import io
import json
import re
from array import array
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from mlperf_mobile.errors import MobileError
from mlperf_mobile.registry import Registry
from mlperf_mobile.results.latencies import append, summary
from mlperf_mobile_report.commands import report as command
from mlperf_mobile_report.measures import columns

MS = 1_000_000
ROOT = Path(__file__).resolve().parents[1]
EVIL = "\"'><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>\u202e\x00\ud800=1+1"


def record(**more):
    """A valid single-stream result of image classification, as ``result.json`` has it."""
    told = {
        "schema": 1, "run_id": "x", "created": "2030-01-01T00:00:00+00:00", "status": "completed", "valid": True,
        "task": "image_classification", "benchmark": "image_classification", "suite": "v4.0",
        "model": {"name": "mobilenet_edgetpu_uint8", "path": "/m", "format": "tflite", "sha256": "aa" * 32, "bytes": 1},
        "dataset": "imagenet_val", "performance_dataset": None, "backend": "toy", "runtime": "toy 1.0",
        "accelerator": "cpu", "scenario": "single-stream", "mode": "both", "rule_set": "normal",
        "load": {"min_query_count": 1024, "percentile": 0.9},
        "rules": [
            {"name": "min-duration", "ok": True, "observed": 61.0, "required": 60.0, "note": "seconds"},
            {"name": "one-session", "ok": False, "observed": "a run of its own", "required": "submission",
             "scope": "submission"},
        ],
        "performance": {
            "latency_ns": {"p50": 1.9 * MS, "p90": 2.5 * MS, "p99": 3 * MS, "min": MS, "max": 9 * MS},
            "throughput": 500.0, "queries": 1024, "samples": 1024, "duration_s": 61.0,
            "accelerators": {
                "npu": {"sessions": 1.0, "samples": 768.0, "throughput": 375.0, "busy": 0.97},
                "cpu": {"sessions": 2.0, "samples": 256.0, "throughput": 125.0, "busy": 0.92},
            },
            "loadgen": {"valid": True, "version": "5.0", "reason": None},
        },
        "accuracy": {
            "metric": "top-1", "value": 0.75, "reference": 0.76, "target": 0.7448, "passed": True, "samples": 100,
            "duration_s": 1.0,
        },
        "placement": {"operations": {"npu": 60, "cpu": 4}, "kernels": {"xnnpack": 4}, "names": {"cpu": {"SOFTMAX": 4}}},
        "system": {"batch": 1}, "seeds": {"qsl": 1, "sample_index": 2, "schedule": 3},
        "compiled": {"npu": {"cached": True, "facts": {"layers": 64}}}, "report": {"npu": {"cycles": 12345}},
        "versions": {"numpy": "2.0"}, "environment": {"cpu.model": "a processor", "cpu.load_1min": 0.1},
        "error": None, "directory": "/x",
    }  # fmt: skip
    return told | more


@pytest.fixture
def put(tmp_path):
    """Writes a result folder, with its latencies where ``latencies`` are given."""

    def write(name, latencies=None, queries=None, **more):
        folder = tmp_path / name
        folder.mkdir()
        told = record(**more)
        if latencies:
            values = array("q", latencies)
            told["performance"] |= {
                "latency_ns": summary(values), "queries": queries or len(values), "samples": len(values),
                "throughput": len(values) * 1e9 / sum(values),
            }  # fmt: skip
            append(folder / "latencies.bin", values)
        (folder / "result.json").write_text(json.dumps(told))
        return folder

    return write


@pytest.fixture
def report(capsys, tmp_path, monkeypatch):
    """Runs the command in the folder of the test; returns standard output."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        top = argparse.ArgumentParser()
        command.add(top)
        args = top.parse_args([*map(str, arguments)])
        capsys.readouterr()
        assert args.handler(args) == 0
        return capsys.readouterr().out

    return run


TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "div", "p", "span", "a"),
    *("strong", "code", "ul", "li", "dl", "dt", "dd", "h1", "h2", "h3", "details", "summary", "figure", "figcaption"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "desc", "g", "path", "rect", "text"),
}
"""What a page is made of; nothing that loads or runs anything."""


class Page(HTMLParser):
    """A page as a tree of what was opened, read strictly: everything that is opened is closed, in order."""

    VOID = frozenset({"meta", "br", "hr", "img"})

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes), f"an attribute of {tag} stands twice"
        self.tags.append((tag, dict(attributes), tuple(self.open)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag):
        return [attributes for name, attributes, _ in self.tags if name == tag]

    @property
    def text(self):
        return " ".join(data for tag, data in self.texts if tag != "style")


def timed(count=3000, slow=()):
    return [2 * MS + n * 7 % 1000 * 100 + (50 * MS if n in slow else 0) for n in range(count)]


@pytest.fixture
def page(report, put):
    """The page of results that were put, read."""

    def read(*folders):
        return Page(report(*folders, "--output", "-"))

    return read


class TestOneResult:
    def test_it_says_all_there_is(self, page, put):
        text = page(put("one", timed(1024), submittable=False)).text
        for words in (
            "VALID, not submittable because one-session: a run of its own of submission", "mobilenet_edgetpu_uint8",
            "aa" * 32, "toy 1.0", "Rules of the run", "Rules of the round", "min-duration", "top-1", "0.7448",
            "+0.0052 (+0.70%)", "Distribution of latencies", "Latency over time", "75.0%", "97.0%", "SOFTMAX: 4",
            "npu.facts.layers", "npu.cycles", "12345", "a processor", "VALID (version 5.0)", "official results",
        ):  # fmt: skip
            assert words in text, words

    def test_where_it_stands(self, page, put):
        text = page(put("one", performance=record()["performance"] | {"latency_ns": {"p90": 0.262 * MS}})).text
        assert "between an Exynos 2300 (v2.1, 0.291797 ms) and a Snapdragon 8 Gen 2 (v3.0, 0.255000 ms)" in text

    def test_an_unknown_model_stands_nowhere(self, page, put):
        model = record()["model"] | {"name": "mine"}
        assert "published results" not in page(put("one", model=model)).text

    def test_a_stand_in_is_called_so(self, page, put):
        told = page(put("one", functional_only="npu: a simulator", valid=True)).text
        assert "FUNCTIONAL ONLY. Its responses are real, its speed is meaningless: npu: a simulator" in told.replace(
            "  ", " "
        )

    def test_an_invalid_one(self, page, put):
        rules = [{"name": "min-query-count", "ok": False, "observed": 3, "required": 64}]
        text = page(put("one", valid=False, rules=rules)).text
        assert "✗ INVALID because min-query-count: 3 of 64" in text
        assert "✗ NO" in text

    def test_a_failed_one(self, page, put):
        error = {"code": "worker-died", "summary": "signal 11", "exit_code": 7, "stderr_tail": "last <words>"}
        text = page(put("one", status="failed", valid=False, performance=None, accuracy=None, error=error)).text
        assert "FAILED worker-died" in text
        assert "last <words>" in text
        assert "There was no timed run." in text
        assert "There was no accuracy run." in text

    def test_a_missed_target_and_one_that_decides_nothing(self, page, put):
        accuracy = record()["accuracy"]
        text = page(put("missed", accuracy=accuracy | {"value": 0.7, "passed": False})).text
        assert "✗ MISSED" in text
        assert "-0.0448 (-6.02%)" in text
        text = page(put("open", accuracy=accuracy | {"passed": None, "unverified": "nobody knows"})).text
        assert "! not judged" in text
        assert "nobody knows" in text

    def test_latencies_of_another_run_are_reported(self, page, put):
        folder = put("one", timed())
        append(folder / "latencies.bin", array("q", [5 * MS]))
        text = page(folder).text
        assert "latencies.bin has 3001 latencies, the result says 3000" in text

    def test_latencies_cut_short(self, page, put):
        folder = put("one", timed(100))
        (folder / "latencies.bin").write_bytes((folder / "latencies.bin").read_bytes()[:-3])
        assert "has 99 latencies, the result says 100" in page(folder).text

    def test_no_latencies(self, page, put):
        assert "The result's folder has no latencies" in page(put("one")).text

    def test_more_latencies_than_are_read(self, page, put):
        folder = put("one")
        with (folder / "latencies.bin").open("wb") as file:
            file.truncate(8 * 20_000_001)  # sparse: 160 MB that take no room
        assert "charts show up to 20,000,000" in page(folder).text

    def test_a_slow_answer_is_not_lost(self, page, put):
        text = page(put("one", timed(slow={1234}))).text
        assert "between 2 and 52" in text  # the chart over time, in words

    def test_the_device(self, page, put):
        telemetry = {
            "throttled": True, "evidence": ["cooling device cpu rose from 0 to 3"], "external_power": False,
            "temperature": {"sensor": "soc", "first_celsius": 31.0, "max_celsius": 72.5, "last_celsius": 70.0},
            "energy": [{"source": "battery", "includes": "all of it", "joules_per_inference": 0.012, "watts": 4.0}],
            "series": {"temperature.soc_celsius": {"first": 31.0, "min": 31.0, "mean": 60.0, "max": 72.5}},
        }  # fmt: skip
        folder = put("one", timed(), telemetry=telemetry)
        rows = [{"t_s": float(n), "samples": 50 * n, "temperature.soc_celsius": 31.0 + n} for n in range(60)]
        (folder / "telemetry.jsonl").write_text('{"telemetry": 1}\n' + "".join(json.dumps(row) + "\n" for row in rows))
        text = page(folder).text
        for words in ("THROTTLED. ", "cooling device cpu rose from 0 to 3", "31 → 72.5 → 70 °C",
                      "0.012 J per inference", "on battery", "Temperature, °C", "Speed, samples/s"):  # fmt: skip
            assert words in text, words

    def test_pictures(self, page, put):
        """Those of the run's folder are in the page; what is no picture of a reasonable size is left out."""
        one = put("one", timed())
        folder = one / "accuracy" / "pictures"
        folder.mkdir(parents=True)
        for name, side in (("a-red-<ring>", 2), ("huge", 5000)):
            Image.new("L", (side, 1)).save(folder / f"{name}.png")
        (folder / "b.png").write_bytes(b"<script>")
        (folder / "c.png").symlink_to("/dev/zero")
        found = page(one).all("img")
        assert [each["alt"] for each in found] == ["a red <ring>"]
        data = base64.b64decode(found[0]["src"].removeprefix("data:image/png;base64,"))
        assert data == (folder / "a-red-<ring>.png").read_bytes()


class TestSeveralResults:
    def test_side_by_side(self, page, put):
        first = put("first", timed())
        second = put("second", [2 * n for n in timed()], runtime="toy 2.0")
        text = page(f"old={first}", f"new={second}").text
        assert "≠ runtime" in text
        assert "toy 2.0" in text
        assert "≠ model" not in text
        assert re.search(r"2\.0000\s", text)  # the ratio
        assert "The bar goes from p50 to p90" in text

    def test_official_results_to_compare_with(self, page, put):
        text = page(put("one", timed()), "official:v4.0/SD8G3/image_classification").text
        assert "v4.0/SD8G3" in text
        assert "Snapdragon 8 Gen 3" in text

    def test_runs_of_one_folder_get_names_of_their_own(self, page, put, tmp_path):
        for name, benchmark in (("a", "one"), ("b", "two"), ("c", "two")):
            put(name, benchmark=benchmark)
        headings = [data for tag, data in page(tmp_path).texts if tag == "h2"]
        assert headings == [
            "Overview",
            "A1: one, single-stream, toy/cpu",
            "A2: two, single-stream, toy/cpu",
            "A3: two, single-stream, toy/cpu",
        ]

    def test_what_makes_no_claim_is_drawn_empty(self, page, put):
        read = page(put("a", timed()), put("b", timed(), functional_only="a stand-in"))
        assert [tag["class"] for tag in read.all("rect")].count("claimless") == 1
        assert "An empty bar makes no claim about speed." in read.text

    def test_offline(self, page, put):
        done = [n * MS for n in range(1, 2001)]
        both = [put(name, done, scenario="offline", queries=1) for name in ("a", "b")]
        text = page(*both).text
        assert "Throughput over time" in text
        assert "Throughput of 2 results" in text

    def test_nothing_in_common(self, page, put):
        text = page(put("a", benchmark="one"), put("b", benchmark="two")).text
        assert "≠" not in text

    def test_only_official_results(self, report):
        with pytest.raises(MobileError) as caught:
            report("official:v4.0/SD8G3")
        assert caught.value.code == "no-result"

    def test_too_many(self, report, put, tmp_path):
        for n in range(65):
            put(f"r{n}")
        with pytest.raises(MobileError) as caught:
            report(tmp_path)
        assert caught.value.code == "too-many"


@pytest.fixture
def twelve(put):
    return [put(f"r{n}", timed(2000 + n), runtime=f"toy {n}") for n in range(12)]


class TestStructure:
    @pytest.fixture
    def read(self, page, twelve):
        return page(*twelve)

    def test_ids_are_unique_and_links_lead_to_them(self, read):
        ids = [attributes["id"] for _, attributes, _ in read.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        links = [attributes["href"] for attributes in read.all("a")]
        assert len(links) == 1 + 13 + 12  # skip, navigation, table
        assert {link.removeprefix("#") for link in links} <= set(ids)
        named = [name for _, a, _ in read.tags for name in a.get("aria-labelledby", "").split()]
        assert set(named) <= set(ids)

    def test_headings_go_down_one_by_one(self, read):
        levels = [int(tag[1]) for tag, _, _ in read.tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))

    def test_every_table_has_a_caption_and_heads(self, read):
        tables = len(read.all("table"))
        assert tables > 50
        assert len(read.all("caption")) == tables
        assert all(attributes.get("scope") in ("col", "row") for attributes in read.all("th"))
        assert all(opened[-1] == "tr" for tag, _, opened in read.tags if tag in ("td", "th"))

    def test_every_picture_has_words_and_numbers(self, read):
        pictures = [a for a in read.all("svg") if a.get("role") == "img"]
        assert len(pictures) == len(read.all("figure")) == 1 + 12 * 2
        assert all(len(a["aria-labelledby"].split()) == 2 for a in pictures)
        assert all(a.get("aria-hidden") == "true" for a in read.all("svg") if a not in pictures)
        inside = [opened for tag, _, opened in read.tags if tag == "table" and "figure" in opened]
        assert len(inside) == len(pictures)

    def test_language_title_and_landmarks(self, read):
        assert read.all("html") == [{"lang": "en"}]
        assert [len(read.all(tag)) for tag in ("title", "main", "header", "nav", "footer", "h1")[1:]] == [1] * 5
        assert "MLPerf Mobile: 12 results" in read.text

    def test_wide_tables_scroll_and_can_be_reached(self, read):
        wide = [a for a in read.all("div") if "wide" in a.get("class", "").split()]
        assert len(wide) == 4  # overview, ratios, differences, other facts
        assert all((a["tabindex"], a["role"]) == ("0", "region") and a["aria-label"] for a in wide)


class TestNothingIsLoaded:
    def test_nothing_can_be(self, report, put):
        text = report(put("one", timed()), "--output", "-")
        read = Page(text)
        (policy,) = [a["content"] for a in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        assert "://" not in text
        assert "url(" not in text
        assert "@import" not in text
        assert {tag for tag, _, _ in read.tags} <= TAGS

    def test_results_are_never_markup(self, report, put):
        def spoil(value):
            if isinstance(value, dict):
                return {spoil(k) if k in ("npu", "numpy", "cpu.model", "layers", "cycles", "xnnpack", "SOFTMAX") else k:
                        spoil(v) for k, v in value.items()}  # fmt: skip
            return [spoil(v) for v in value] if isinstance(value, list) else EVIL if isinstance(value, str) else value

        fixed = {"status": "completed", "schema": 1}
        told = spoil(record(
            unverified={"quality": "x"}, telemetry={"evidence": ["x"], "trouble": "x", "temperature":
                {"sensor": "x", "first_celsius": 1.0, "max_celsius": 2.0, "last_celsius": 1.0}},
            error={"code": "x", "summary": "x", "exit_code": 7, "stderr_tail": "x"}, functional_only="x",
            session={"id": "x", "mode": "x", "resumed": True, "position": 1, "runs": 2},
        ))  # fmt: skip
        told["rules"] = [rule | {"scope": "result"} for rule in told["rules"]]
        told["session"]["id"] = "x"  # the name of a file, and refused as anything else
        folders = [put(name, **(told | fixed | {"backend": name + EVIL})) for name in ("a", "b")]
        (folders[0] / "telemetry.jsonl").write_text("\n".join(
            json.dumps({"t_s": n, "samples": n, f"temperature.{'<b>'}_celsius": n}) for n in range(9)
        ))  # fmt: skip
        text = report(*folders, "--output", "-")
        assert "evil.example" in text  # it is shown
        read = Page(text)
        assert not read.all("script")
        assert not read.all("img")
        assert not read.all("b")
        assert not [a for _, a, _ in read.tags for name in a if name.startswith("on") or name in ("style", "src")]
        assert all(a["href"].startswith("#") and re.fullmatch(r"#\w+", a["href"]) for a in read.all("a"))
        assert not re.search("[\u202e\x00\ud800]", text)
        text.encode("utf-8")

    def test_deep_and_huge_values_are_cut(self, report, put):
        deep: object = "end"
        for _ in range(7):
            deep = {"k": [deep]}
        told = {"deep": deep, "long": "x" * 1_000_000, "many": {str(n): n for n in range(50_000)}}
        text = report(put("one", report=told, system={"numbers": list(range(100_000))}), "--output", "-")
        assert len(text) < 200_000
        assert "more rows" in text

    @pytest.mark.parametrize("depth", [20, 300, 100_000])
    def test_what_is_nested_too_deeply_is_no_result(self, report, put, depth):
        folder = put("one", report={"deep": None})
        text = (folder / "result.json").read_text()
        (folder / "result.json").write_text(text.replace('"deep": null', f'"deep": {"[" * depth}{"]" * depth}'))
        with pytest.raises(MobileError) as refused:
            report(folder, "--output", "-")
        assert refused.value.code == "result-damaged"

    @pytest.mark.parametrize(
        "number", ["NaN", "Infinity", "-Infinity", "1e308", "5e-324", "-1.0", "0.0", "1" + "0" * 400]
    )
    def test_strange_numbers(self, report, put, number):
        folder = put("one", [2 * MS] * 50)
        text = (folder / "result.json").read_text()
        for key in (
            "p50",
            "p90",
            "p99",
            "min",
            "max",
            "throughput",
            "value",
            "target",
            "busy",
            "duration_s",
            "observed",
        ):
            text = re.sub(rf'"{key}": [\d.e+-]+', f'"{key}": {number}', text)
        assert text.count(number) >= 10
        (folder / "result.json").write_text(text)
        try:
            told = report(folder, folder, "--output", "-")
        except MobileError as error:  # what is no number of a result is told, too
            assert error.code == "result-damaged"
        else:
            Page(told)
            report(folder, "--csv")
            report(folder, "--markdown")


def luminance(colour):
    """Relative luminance as WCAG 2.2 defines it."""
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


class TestColours:
    CSS = (ROOT / "plugins/report/src/mlperf_mobile_report/html/style.css").read_text()

    @pytest.fixture(params=["light", "dark"])
    def palette(self, request):
        blocks = re.findall(r":root \{(.*?)\}", self.CSS, re.DOTALL)
        light, dark = (dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block)) for block in blocks[:2])
        assert set(light) == set(dark)
        return {"light": light, "dark": dark}[request.param]

    def test_the_formula(self):
        assert contrast("#ffffff", "#000000") == pytest.approx(21)
        assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the well-known grey that just fails

    @pytest.mark.parametrize("ground", ["page", "panel", "different"])
    @pytest.mark.parametrize("text", ["text", "soft", "link", "good", "bad", "care"])
    def test_texts_can_be_read(self, palette, text, ground):
        assert contrast(palette[text], palette[ground]) >= 4.5

    @pytest.mark.parametrize("line", ["line1", "line2", "line3", "line4", "line5", "soft", "text"])
    def test_lines_can_be_seen(self, palette, line):
        assert min(contrast(palette[line], palette[ground]) for ground in ("panel", "timed")) >= 3

    def test_bands_can_be_seen_and_so_can_medians_on_them(self, palette):
        assert contrast(palette["band"], palette["panel"]) >= 3
        assert contrast(palette["text"], palette["band"]) >= 3

    def test_colours_are_only_named_in_the_palette(self):
        rest = re.sub(r":root \{.*?\}", "", self.CSS, flags=re.DOTALL)
        assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", rest)


class TestTables:
    def test_csv_has_a_row_for_each_result(self, report, put):
        text = report(put("one", timed()), put("two", functional_only="a stand-in"), "--csv")
        first, second = csv.DictReader(io.StringIO(text))
        assert list(first) == [column.name for column in columns(Registry())]
        assert (first["label"], first["verdict"], first["valid"], first["scenario"]) == (
            "A",
            "VALID",
            "yes",
            "single-stream",
        )
        assert float(first["latency_p90_ns"]) == summary(timed())["p90"]
        assert float(first["accuracy_margin"]) == 0.75 - 0.7448
        assert second["functional_only"] == "a stand-in"
        assert first["official_of"] == "20"
        assert second["official_of"] == ""

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n="])
    def test_no_cell_is_a_formula(self, report, put, start):
        formula = f'{start}HYPERLINK("x")'
        text = report(put("one", backend=formula, runtime=formula, created=formula), "--csv")
        (row,) = csv.reader(io.StringIO(text.partition("\n")[2]))
        assert len(row) == len(columns(Registry()))
        for cell in row:
            assert not cell.startswith(("=", "+", "@", "\t", "\r", "\n"))
            assert not cell.startswith("-") or float(cell) < 0
        assert any("HYPERLINK" in cell for cell in row)

    def test_negative_numbers_stay_numbers(self, report, put):
        (row,) = csv.DictReader(
            io.StringIO(report(put("one", accuracy=record()["accuracy"] | {"value": 0.5}), "--csv"))
        )
        assert float(row["accuracy_margin"]) == pytest.approx(-0.2448)

    def test_what_is_missing_is_empty(self, report, put):
        (row,) = csv.DictReader(io.StringIO(report(put("one", performance=None, accuracy=None), "--csv")))
        assert {row[f"latency_{name}_ns"] for name in ("mean", "p50", "p99_9")} == {""}
        assert row["accuracy"] == row["throughput"] == row["throttled"] == ""

    def test_markdown(self, report, put):
        text = report(put("one", timed()), put("two", backend="a|b", functional_only="a stand-in"), "--markdown")
        lines = text.strip().splitlines()[2:]
        assert len(lines) == 4
        assert {line.replace("\\|", "").count("|") for line in lines} == {lines[0].count("|")}
        assert "a\\|b/cpu" in lines[3]
        assert "FUNCTIONAL ONLY, VALID" in lines[3]
        assert "+0.0052 reached" in lines[2]

    def test_the_same_numbers_everywhere(self, report, put):
        folder = put("one", timed())
        (row,) = csv.DictReader(io.StringIO(report(folder, "--csv")))
        p90 = float(row["latency_p90_ns"]) / 1e6
        assert f"{p90:.6g}" in report(folder, "--markdown")
        assert f"{p90:.3f} ms" in report(folder, "--output", "-")


class TestFiles:
    def test_the_page_is_written(self, report, put, tmp_path, capsys):
        report(put("one"))
        text = (tmp_path / "mlperf-mobile-report.html").read_text(encoding="utf-8")
        assert text.startswith('<!DOCTYPE html>\n<html lang="en">')

    def test_tables_can_be_written_too(self, report, put, tmp_path):
        assert report(put("one"), "--csv", "--output", "x.csv") == ""
        assert (tmp_path / "x.csv").read_text().startswith("label,run_id")

    @pytest.mark.parametrize("place", ["none/page.html", "."])
    def test_what_cannot_be_written(self, report, put, place):
        with pytest.raises(MobileError) as caught:
            report(put("one"), "--output", place)
        assert caught.value.code == "output-unwritable"

    def test_a_page_is_replaced_whole(self, report, put, tmp_path):
        (tmp_path / "page.html").write_text("old")
        report(put("one"), "--output", "page.html")
        assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE")
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []

    def test_damaged_results(self, report, put, tmp_path):
        folder = put("one")
        for text, code in (("", "result-damaged"), ('{"schema": 3}', "result-schema"), ("\0" * 99, "result-damaged")):
            (folder / "result.json").write_text(text)
            with pytest.raises(MobileError) as caught:
                report(folder)
            assert caught.value.code == code


def load(path):
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser():
    chromium = load(ROOT / "benchmarks/chromium.py")
    program = chromium.find()
    if program is None:
        pytest.skip("there is no Chromium on PATH")
    with chromium.browser(program) as running:
        yield running


class TestInChromium:
    @pytest.fixture
    def opened(self, browser, report, twelve, tmp_path):
        def show(width=1440, height=900, dark=False, folders=twelve):
            report(*folders, "--output", "page.html")
            browser.screen(width, height, dark=dark)
            browser.open(tmp_path / "page.html")
            return browser

        return show

    def test_it_loads_nothing_and_nothing_is_forbidden(self, opened):
        browser = opened()
        assert [url for url in browser.requests() if not url.startswith("file:")] == []
        assert len(browser.requests()) == 1
        assert browser.complaints() == []
        assert browser.value("document.title") == "MLPerf Mobile: 12 results"

    def test_the_policy_holds(self, opened, tmp_path):
        """What should get in somehow would neither run nor be loaded."""
        opened()
        text = (tmp_path / "page.html").read_text()
        bad = "<script>document.title = 'run'</script><img src='https://127.0.0.1:1/x'><b style='color:red'>b</b>"
        (tmp_path / "bad.html").write_text(text.replace("<footer>", f"{bad}<footer>"))
        browser = opened()
        browser.open(tmp_path / "bad.html")
        assert browser.value("document.title") == "MLPerf Mobile: 12 results"
        assert browser.value("getComputedStyle(document.querySelector('b')).color") != "rgb(255, 0, 0)"
        assert len(browser.complaints()) >= 3

    @pytest.mark.parametrize("width", [1440, 390])
    def test_only_boxes_scroll_sideways(self, opened, width):
        browser = opened(width, 844)
        assert browser.value("document.documentElement.scrollWidth") == width
        told = browser.value("""[...document.querySelectorAll('figure, dl, p, summary, nav')]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1).length""")
        assert told == 0

    @pytest.mark.parametrize("width", [1440, 390])
    def test_the_first_column_stays(self, opened, width):
        browser = opened(width, 844)
        told = browser.value("""(() => {
            const box = [...document.querySelectorAll('.wide')].find(b => b.scrollWidth > b.clientWidth + 50);
            const head = box.querySelector('tbody th'), other = box.querySelector('tbody td');
            const before = [head.getBoundingClientRect().left, other.getBoundingClientRect().left];
            box.scrollLeft = 50;
            return [head.getBoundingClientRect().left - before[0], other.getBoundingClientRect().left - before[1]];
        })()""")
        assert told == [0, -50]

    @pytest.mark.parametrize("width", [1440, 390])
    def test_letters_of_charts_are_large_enough(self, opened, width):
        browser = opened(width, 844)
        least = browser.value("""Math.min(...[...document.querySelectorAll('svg[role=img]')].map(
            s => 11.5 * s.getBoundingClientRect().width / s.viewBox.baseVal.width))""")
        assert least >= 9

    def test_labels_of_charts_stay_inside(self, opened):
        told = opened().value("""[...document.querySelectorAll('svg[role=img]')].flatMap(s => {
            const box = s.getBoundingClientRect();
            return [...s.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()])
                .filter(([, r]) => r.left < box.left - 1 || r.right > box.right + 1).map(([name]) => name);
        })""")
        assert told == []

    def test_dark_is_dark(self, opened):
        colours = [opened(dark=dark).value("getComputedStyle(document.body).backgroundColor") for dark in (False, True)]
        assert colours == ["rgb(255, 255, 255)", "rgb(20, 23, 27)"]

    def test_the_keyboard_reaches_everything_and_leaves_again(self, opened, twelve):
        browser = opened(folders=twelve[:2])
        expected = browser.value("""[...document.querySelectorAll('a, summary, [tabindex="0"]')]
            .filter(e => e.checkVisibility()).length""")
        seen = []
        for _ in range(expected + 5):
            browser.press("Tab", 9)
            told = browser.value("""(() => {
                const e = document.activeElement;
                window.numbers ??= new Map();
                if (!numbers.has(e)) numbers.set(e, numbers.size);
                const {outlineStyle: line, outlineWidth: width} = getComputedStyle(e);
                return [e.tagName, numbers.get(e), line, parseFloat(width), e.textContent.slice(0, 30)];
            })()""")
            if told[0] == "BODY":
                break
            seen.append(told)
        assert seen[0][4] == "Skip to the results"
        assert len({each[1] for each in seen}) >= expected
        assert all(each[2] == "solid" and each[3] >= 2 for each in seen)

    def test_details_open_with_the_keyboard(self, opened, twelve):
        browser = opened(folders=twelve[:1])
        browser.value("document.querySelector('summary').focus()")
        browser.press("Enter", 13, "\r")
        browser.value("new Promise(done => requestAnimationFrame(() => done(0)))")
        assert browser.value("document.querySelector('details').open") is True

    @pytest.mark.slow
    @pytest.mark.parametrize("count", [1, 12])
    def test_a_hundred_thousand_latencies_are_small_and_fast(self, opened, put, tmp_path, count):
        folders = [put(f"big{n}", timed(100_000, slow={99, 50_000})) for n in range(count)]
        browser = opened(folders=folders)
        assert (tmp_path / "page.html").stat().st_size < 3_000_000
        times = []
        for _ in range(3):
            browser.open(tmp_path / "page.html")
            times.append(browser.value("performance.now()"))  # everything is laid out and drawn by now
        assert min(times) < 1000
