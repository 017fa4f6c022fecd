"""The charts of a report: round ticks, reduction that loses nothing that is seen, drawings that tell the truth."""

from __future__ import annotations

import math
import re
from array import array
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlperf_mobile.contracts import Curves, Graph
from mlperf_mobile.results.latencies import summary
from mlperf_mobile_report.html import curves, graph, latency, tokens
from mlperf_mobile_report.html.axis import drawable, linear, logarithmic, spread
from mlperf_mobile_report.html.chart import COLUMNS, HEIGHT, WIDTH, Chart
from mlperf_mobile_report.html.reduce import envelope, extremes

MS = 1_000_000
FINITE = st.floats(-1e18, 1e18, allow_nan=False)


ANY = st.integers(0, 12) | st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(ANY, ANY, ANY, ANY, ANY), min_size=2, max_size=12))
@example([(3, 2, 1, 0, 2**62)] * 3)
@example([(3, 2, 5, 0, 5)] * 3)
def test_answers_of_a_damaged_file_are_drawn_or_left_out(tmp_path_factory, found):
    """Sums beyond 64 bits, answers that took no time after their first token, and negative numbers."""
    folder = tmp_path_factory.mktemp("result")
    (folder / "tokens.bin").write_bytes(array("q", [number for answer in found for number in answer[:4]]).tobytes())
    (folder / "latencies.bin").write_bytes(array("q", [answer[4] for answer in found]).tobytes())
    for chart in tokens._charts(SimpleNamespace(folder=folder, key="x"), len(found)):
        assert "nan" not in str(chart)
        assert "inf" not in re.sub("info", "", str(chart))


class TestAxes:
    @pytest.mark.parametrize(("low", "high", "texts"), [
        (0, 100, ["0", "20", "40", "60", "80", "100"]),
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (2.78, 11.66, ["2", "4", "6", "8", "10", "12"]),
        (0, 23456, ["0", "5,000", "10,000", "15,000", "20,000", "25,000"]),
        (-3, 3, ["-4", "-2", "0", "2", "4"]),
    ])  # fmt: skip
    def test_ticks_are_round(self, low, high, texts):
        axis = linear("x", low, high)
        assert [axis.text(tick) for tick in axis.ticks] == texts

    def test_bounds_can_stay(self):
        axis = linear("x", 0.0, 23.0, widen=False)
        assert (axis.low, axis.high, axis.ticks) == (0.0, 23.0, (0, 5, 10, 15, 20))

    @pytest.mark.parametrize(("low", "high", "texts"), [
        (2.1, 5.2, ["3", "4", "5"]),
        (0.9, 40, ["1", "2", "5", "10", "20"]),
        (0.002, 3000, ["0.01", "0.1", "1", "10", "100", "1,000"]),
    ])  # fmt: skip
    def test_ticks_of_powers_of_ten(self, low, high, texts):
        axis = logarithmic("x", low, high)
        assert [axis.text(tick) for tick in axis.ticks] == texts

    def test_the_same_ratio_is_the_same_distance(self):
        axis = logarithmic("x", 1, 100)
        assert axis.share(10) - axis.share(1) == pytest.approx(axis.share(100) - axis.share(10))

    def test_what_has_no_logarithm_is_linear(self):
        assert not spread("x", 0.0, 1e6).log
        assert not spread("x", -1.0, 1e6).log
        assert spread("x", 1.0, 1e6).log
        with pytest.raises(ValueError, match="no logarithm"):
            logarithmic("x", 0.0, 1.0)

    @given(FINITE, FINITE, st.booleans())
    def test_any_two_bounds_make_an_axis(self, one, other, widen):
        low, high = sorted((one, other))
        axis = linear("x", low, high, widen=widen)
        assert axis.low < axis.high
        assert len(axis.ticks) <= 12
        room = (axis.high - axis.low) * 1e-3  # of rounding, where the values are large and near each other
        assert axis.low - room <= low <= high <= axis.high + room
        assert all(axis.low - room <= tick <= axis.high + room for tick in axis.ticks)
        assert all(math.isfinite(axis.share(value)) for value in (low, high, *axis.ticks))
        assert all(axis.text(tick) for tick in axis.ticks)

    @given(st.floats(1e-12, 1e24, exclude_min=True, exclude_max=True), st.floats(1, 1e12))
    def test_any_two_powers_make_an_axis(self, low, factor):
        axis = spread("x", low, low * factor)
        assert 0 <= axis.share(low) <= axis.share(low * factor) <= 1
        assert len(axis.ticks) <= 40

    @pytest.mark.parametrize("value", [None, math.nan, math.inf, -1.0, 0.0, 1e300, 5e-324])
    def test_what_no_axis_can_show(self, value):
        assert not drawable(value)


class TestReduction:
    @given(st.lists(st.integers(1, 10**10), min_size=1, max_size=300), st.integers(1, 40))
    def test_an_envelope_counts_everything_and_holds_the_extremes(self, values, columns):
        numbers = np.asarray(values, float)
        found = envelope(np.cumsum(numbers), numbers, columns)
        assert len(found) <= columns
        assert sum(column.count for column in found) == len(values)
        assert min(column.least for column in found) == min(values)
        assert max(column.greatest for column in found) == max(values)
        assert all(column.least <= column.median <= column.greatest for column in found)

    def test_an_envelope_by_hand(self):
        found = envelope(np.array([1.0, 2, 3, 4, 5, 6, 7, 8]), np.array([5.0, 1, 9, 2, 2, 2, 8, 4]), 2)
        assert [(c.at, c.count, c.least, c.median, c.greatest) for c in found] == [
            (2.0, 3, 1.0, 5.0, 9.0), (6.0, 5, 2.0, 2.0, 8.0),
        ]  # fmt: skip

    def test_one_slow_answer_among_a_million_is_seen(self):
        values = np.full(1_000_000, 2.0)
        values[654_321] = 99.0
        found = envelope(np.cumsum(values), values, COLUMNS)
        assert [c.greatest for c in found].count(99.0) == 1
        assert {c.median for c in found} == {2.0}

    def test_a_line_keeps_its_ends_and_extremes(self):
        times = [float(n) for n in range(10_000)]
        values = [math.sin(n / 50) for n in range(10_000)]
        values[5_000], values[7_000] = 7.0, -7.0
        found = extremes(times, values, 100)
        assert len(found) <= 400
        assert found == sorted(found)
        assert {(5_000.0, 7.0), (7_000.0, -7.0), (times[0], values[0]), (times[-1], values[-1])} <= set(found)

    def test_a_short_line_is_left_alone(self):
        assert extremes([0.0, 1.0], [3.0, 4.0], 10) == [(0.0, 3.0), (1.0, 4.0)]


def chart():
    return Chart("k", "title", "words", linear("across", 0, 10), linear("up", 0, 4))


class TestDrawing:
    def test_corners_are_where_the_axes_say(self):
        drawing = chart()
        assert (drawing.x(0), drawing.x(10)) == (50, WIDTH - 14)
        assert (drawing.y(0), drawing.y(4)) == (HEIGHT - 40, 24)
        drawing.line([(0, 0), (5, 2), (10, 4)])
        assert '<path d="M50 210L228 117L406 24" class="line line1"></path>' in drawing.svg()

    def test_what_is_outside_is_held_at_the_edge(self):
        assert chart().x(1e9) == WIDTH - 14
        assert chart().y(-5) == HEIGHT - 40

    def test_one_among_many_is_a_pixel_high(self):
        drawing = Chart("k", "t", "d", linear("x", 0, 10), linear("y", 0, 1e6))
        drawing.bar((1, 0), (2, 1))
        assert 'height="1"' in drawing.svg()

    def test_it_is_a_picture_with_words(self):
        text = chart().svg()
        assert 'role="img" aria-labelledby="k-title k-text"' in text
        assert '<title id="k-title">title</title>' in text
        assert '<desc id="k-text">words</desc>' in text

    def test_texts_are_escaped(self):
        drawing = Chart("k", "<script>", '"&', linear("</svg>", 0, 1), linear("y", 0, 1))
        drawing.upright(0.5, "<b>")
        text = drawing.svg()
        assert "<script>" not in text
        assert "<b>" not in text
        assert text.count("</svg>") == 1


def drawn(values, kind="sequential", percentiles=None):
    """Charts of queries that follow one another, of the samples of one query, or of queries that overlap."""
    duration_s = sum(values) / 1e9 * (0.5 if kind == "overlapping" else 1.0)
    return latency.figures(
        "k", array("q", values), percentiles or {}, one_query=kind == "one query", duration_s=duration_s
    )


class TestLatencies:
    def test_all_of_few_are_drawn(self):
        figures = drawn([2 * MS + n for n in range(100)])
        assert len(figures) == 2
        assert "All 100 latencies are drawn." in figures[1]

    def test_of_many_the_note_says_what_is_drawn(self):
        values = [2 * MS + n % 1000 for n in range(5000)]
        (_, text) = drawn(values)
        columns = int(re.search(r"5,000 latencies in (\d+) columns", text)[1])
        assert columns <= COLUMNS
        assert 'class="band"' in text
        assert 'class="median"' in text

    def test_the_bars_count_every_latency(self):
        values = [1 * MS] * 70 + [2 * MS] * 25 + [50 * MS] * 5
        text = drawn(values, percentiles=summary(values))[0]
        rows = re.findall(r'<th scope="row">([\d.]+) to ([\d.]+)</th>\n?<td class="number">([\d,]+)</td>', text)
        assert sum(int(row[2]) for row in rows) == 100
        assert sorted(int(row[2]) for row in rows) == [5, 25, 70]
        assert all(f"{name} {value}" in text for name, value in (("p50", 1), ("p90", 2), ("p99", 50)))

    def test_a_percentile_that_is_nowhere_near_is_not_drawn(self):
        text = drawn([2 * MS + n for n in range(100)], percentiles={"p90": 999.0 * MS})[0]
        assert "p90" not in text

    def test_offline_it_is_the_throughput(self):
        done = [n * MS for n in range(1, 1001)]  # one each millisecond
        (text,) = drawn(done, "one query")
        rows = re.findall(r'<td class="number">([\d,]+)</td><td class="number">([\d,.]+)</td></tr>', text)
        assert sum(int(count) for count, _ in rows) == 1000
        assert all(float(rate.replace(",", "")) == pytest.approx(1000, rel=0.03) for _, rate in rows)  # 50 ± 1 each

    def test_queries_that_follow_one_another_are_drawn_over_time(self):
        assert "seconds, as the sum of the latencies so far" in drawn([5 * MS] * 10 + [6 * MS])[1]

    def test_queries_that_overlap_are_drawn_by_number(self):
        assert "sample number" in drawn([5 * MS] * 10 + [6 * MS], "overlapping")[1]

    @pytest.mark.parametrize("values", [
        [], [1], [0, 0, 0], [-5, 3, 8], [-(2**63), 2**63 - 1], [1] * 3000, [2**62] * 5000, [1, 2**62],
    ], ids=str)  # fmt: skip
    @pytest.mark.parametrize("kind", ["sequential", "one query", "overlapping"])
    def test_strange_values_do_no_harm(self, values, kind):
        values = values[:5000]
        with np.errstate(all="raise"):
            for text in drawn(values, kind, {"p50": math.nan, "p90": math.inf, "p99": -1.0}):
                assert not re.search(r"\b(nan|inf)\b", text)

    @given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50), st.sampled_from(["sequential", "one query"]))
    def test_any_values_do_no_harm(self, values, kind):
        for text in drawn(values, kind):
            assert not re.search(r"[ML ](nan|inf)", text)


class TestGraphs:
    """What observers recorded: lines of one unit over the time of the run."""

    def drawn(self, lines, marks=(), title="Temperature", unit="°C"):
        return graph.figures("k", [Graph(title, unit, lines, (10.0, 20.0), marks)])

    def rising(self, first=40.0, step=1.0, count=30):
        return [float(n) for n in range(count)], [first + step * n for n in range(count)]

    def test_a_line_is_drawn_in_the_time_of_the_run(self):
        (text,) = self.drawn({"soc": self.rising()})
        assert re.search("<figcaption>(.*?)</figcaption>", text)[1] == "Temperature, °C"
        assert "soc from 40 to 69, at most 69" in text
        assert "seconds since the clock was started" in text
        rows = re.findall(r"<tr><t[hd].*?</tr>", text.replace("\n", ""))
        first, last = (re.findall(r">([^<>]+)</t[hd]>", rows[place]) for place in (1, -1))
        assert (first, last) == (["-10", "40"], ["19", "69"])  # its first value is ten seconds before the clock

    def test_moments_are_marked(self):
        (text,) = self.drawn({"soc": self.rising()}, [(12.0, "frequency-cap"), (1e308, "never")])
        assert ">frequency-cap</text>" in text
        assert "never" not in text

    def test_more_lines_than_can_be_distinguished_are_counted(self):
        (text,) = self.drawn({f"t{n}": self.rising(30.0 + n) for n in range(9)})
        assert "4 lower series are left out" in text
        assert "t8" in text
        assert ">t0<" not in text

    @pytest.mark.parametrize("lines", [
        {}, {"one": ([1.0], [2.0])}, {"none": ([], [])}, {"nan": ([1.0, 2.0], [math.nan, math.inf])},
        {"when": ([math.nan, 2.0], [1.0, 2.0])},
    ])  # fmt: skip
    def test_what_is_no_line_is_no_chart(self, lines):
        assert self.drawn(lines) == []

    def test_strange_values_do_no_harm(self):
        for lines in ({"x": self.rising(0.0, 1e17)}, {"x" * 1000: ([0.0, 0.0], [-1e300, 1e300])}):
            (text,) = self.drawn(lines, title="T" * 1000, unit="<b>")
            assert not re.search(r"\b(nan|inf)\b", text)
            assert "<b>" not in text
            assert len(text) < 100_000


class TestCurves:
    """What a scenario measures against a number of its own."""

    def drawn(self, lines, title="Decode", along="tokens", unit="tokens/s"):
        return curves.figures("k", [Curves(title, along, unit, lines)])

    def test_lines_with_their_numbers(self):
        (text,) = self.drawn({"short": [(64, 20.0), (16, 40.0)], "long": [(16, 30.0), (64, 10.0)]})
        assert re.search("<figcaption>(.*?)</figcaption>", text)[1] == "Decode, tokens/s"
        assert "short from 40 at 16 to 20 at 64; long from 30 at 16 to 10 at 64" in text
        rows = re.findall(r"<tr><t[hd].*?</tr>", text.replace("\n", ""))
        assert [re.findall(r">([^<>]+)</t[hd]>", row) for row in rows[1:3]] == [
            ["short", "16", "40"], ["short", "64", "20"],
        ]  # fmt: skip

    def test_all_lines_are_in_the_table(self):
        (text,) = self.drawn({f"t{n}": [(1, 1.0 + n), (9, 2.0)] for n in range(7)})
        assert "2 more lines are in the table only" in text
        assert ">t6<" in text

    @pytest.mark.parametrize("lines", [
        {}, {"one": [(1, 2)]}, {"none": []}, {"one": [(1, 2)], "other": [(3, 4)]},
        {"nan": [(1, math.nan), (2, math.inf)]}, {"zero": [(0, 1), (2, 0), (3, -1)]},
    ])  # fmt: skip
    def test_what_is_no_line_is_no_chart(self, lines):
        assert self.drawn(lines) == []

    def test_strange_values_do_no_harm(self):
        strange = {
            "x" * 1000: [(5.0, 1e-11), (5.0, 1e23)],
            "<b>": [(1e-11, 1.0), (1e23, 1.0)],
            "n": [(n, 1) for n in range(5000)],
        }
        (text,) = self.drawn(strange, "T" * 1000, "<i>", "<u>")
        assert not re.search(r"\b(nan|inf)\b", text)
        assert not re.search("<[biu]>", text)
        assert len(text) < 400_000
