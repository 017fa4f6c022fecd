"""A run that stood still is known by evidence, and a busy machine is not taken for a stopped one."""

from __future__ import annotations

import os
from io import StringIO

import pytest
from rich.console import Console

from mlperf_mobile.launch.stops import Stops
from mlperf_mobile.results.interruptions import Interruptions, found, rule
from mlperf_mobile.worker.witness import Clocks, Witness, read_clocks, read_waiting, waiting_share

DAY = 86_400.0


class Machine:
    """Clocks that a test sets; all of them go on by the same time unless it says otherwise."""

    def __init__(self):
        self.monotonic, self.wall, self.boot, self.processor = 100.0, 2e9, 100.0, 0.0
        self.done, self.reading = 0, 1e-6
        self.tasks = {"1": (10, 0)}
        self.witness = Witness(lambda: self.done, self.clocks, lambda: dict(self.tasks))

    def clocks(self):
        return Clocks(self.monotonic, self.wall, self.boot, self.processor, self.reading)

    def on(self, seconds=0.25, *, suspended=0.0, jump=0.0, busy=0.5, answered=10, look=True):
        """Time goes on, and the witness looks."""
        self.monotonic += seconds
        self.boot += seconds + suspended
        self.wall += seconds + suspended + jump
        self.processor += busy * seconds
        self.done += answered
        if look:
            self.witness.look()

    def timed(self, *middle):
        """A run of two seconds with something in its middle: what the worker tells."""
        for _ in range(4):
            self.on()
        for each in middle:
            self.on(**each)
        for _ in range(4):
            self.on()
        return self.witness.observations()


def launcher(*stopped, gaps=()):
    return {"stopped": [list(each) for each in stopped], "gaps": [list(each) for each in gaps]}


def seen(*middle, stopped=(), gaps=()):
    return found(Machine().timed(*middle), launcher(*stopped, gaps=gaps))


class TestEvidence:
    def test_nothing_happened(self):
        told = seen()
        assert told == Interruptions(waiting=0.0)
        assert (rule(told).ok, rule(told).observed) == (True, 0)

    def test_a_stop(self):
        """The kernel's word, with the length of the gap that the worker saw: the launcher looks twice a second."""
        told = seen({"seconds": 20.0, "busy": 0.0, "answered": 1}, stopped=[(100.9, 121.3)])
        assert (told.stops, told.stopped_s, told.frozen_s) == (1, 20.0, 0)
        assert (rule(told).ok, rule(told).observed) == (False, 20.0)

    def test_a_stop_that_is_too_short_for_a_gap(self):
        told = seen(stopped=[(100.9, 101.4)])
        assert told.stops == 1
        assert 0 < told.stopped_s < 0.5
        assert not rule(told).ok

    @pytest.mark.parametrize("stop", [(90.0, 99.9), (110.0, 112.0)])
    def test_a_stop_before_or_after_the_timed_region(self, stop):
        assert rule(seen(stopped=[stop])).ok

    def test_a_gap_without_a_stop_is_no_interruption(self):
        """A backend that holds the interpreter for as long, or a machine that is busy with others."""
        assert rule(seen({"seconds": 20.0, "busy": 0.0})).ok
        assert rule(seen({"seconds": 20.0, "busy": 0.9})).ok

    def test_a_frozen_container(self):
        """Launcher and worker stood still together, and neither used a processor."""
        told = seen({"seconds": 20.0, "busy": 0.0}, gaps=[(101.2, 120.9)])
        assert (told.stops, told.frozen_s) == (0, 19.7)
        assert not rule(told).ok
        assert rule(seen({"seconds": 20.0, "busy": 0.9}, gaps=[(101.2, 120.9)])).ok

    def test_a_suspend(self):
        told = seen({"suspended": 3600.0})
        assert (told.suspended_s, told.clock_jumps_s) == (3600.0, [])
        assert "suspended 3600 s" in rule(told).note
        assert not rule(told).ok

    @pytest.mark.parametrize("jump", [-DAY, -0.2, 0.2, DAY])
    def test_a_jump_of_the_clock_is_reported_and_decides_nothing(self, jump):
        told = seen({"jump": jump})
        assert told.clock_jumps_s == [pytest.approx(jump, abs=1e-3)]
        assert rule(told).ok
        assert "the wall clock jumped" in rule(told).note

    def test_slewing_is_no_jump(self):
        assert seen(*[{"jump": 0.000125}] * 100).clock_jumps_s == []

    def test_a_jump_during_a_suspend_is_reported_as_well(self):
        told = seen({"suspended": 60.0, "jump": 2.0})
        assert (told.suspended_s, told.clock_jumps_s) == (60.0, [2.0])

    def test_clocks_that_were_read_far_apart_are_not_compared(self):
        """A thread that loses the processor between two clocks sees a jump that was none."""
        machine = Machine()
        machine.on()
        machine.reading = 0.4
        machine.wall += 0.4
        machine.on()
        machine.wall -= 0.4
        machine.reading = 1e-6
        machine.on()
        assert machine.witness.observations()["jumps"] == []

    def test_what_happens_while_samples_are_encoded_is_not_timed(self):
        machine = Machine()
        machine.on(30.0, busy=0.0, answered=0)
        machine.on(suspended=30.0, answered=0)
        machine.witness.begin()
        assert rule(found(machine.timed(), launcher((101.0, 129.0)))).ok

    def test_the_region_ends_with_the_last_answer(self):
        machine = Machine()
        machine.timed()
        ended = machine.monotonic
        for _ in range(8):
            machine.on(answered=0)
        assert machine.witness.observations()["until"] == ended


class TestWaiting:
    def test_share(self):
        assert waiting_share({"1": (0, 0)}, {"1": (750, 250)}) == 0.25

    def test_threads_that_ended_or_began_meanwhile(self):
        before = {"1": (1000, 1000), "2": (10**9, 10**9)}
        assert waiting_share(before, {"1": (1600, 1100), "3": (200, 100)}) == 0.2

    def test_unknown(self):
        assert waiting_share({}, {}) is None
        assert waiting_share({}, {"1": (1, 1)}) is None

    def test_it_is_reported(self):
        told = Interruptions(waiting=0.3)
        assert "30%" in told.warnings[0]
        assert rule(told).ok
        assert Interruptions(waiting=0.04).warnings == []

    def test_the_kernels_files(self, tmp_path):
        for name, text in {"7": "300 100 5\n", "8": "1 2 3\n", "9": "", "x": "a b c"}.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "schedstat").write_text(text)
        (tmp_path / "10").mkdir()
        assert read_waiting(tmp_path) == {"7": (300, 100), "8": (1, 2)}
        assert read_waiting(tmp_path / "none") == {}

    def test_this_machines_clocks(self):
        first, second = read_clocks(), read_clocks()
        assert second.monotonic >= first.monotonic + first.reading


class Child:
    """What the kernel would say of a child, and a clock."""

    def __init__(self):
        self.time = self.used = 0.0
        self.codes = []
        self.stops = Stops(1, lambda _: self.codes.pop(0) if self.codes else None, lambda: self.time, lambda: self.used)

    def at(self, time, *codes, used=0.01):
        self.time, self.used = time, self.used + used
        self.codes += codes
        self.stops.look()


class TestStops:
    def test_a_stop_and_its_end(self):
        child = Child()
        child.at(0.5)
        child.at(1.0, os.CLD_STOPPED)
        child.at(1.5)
        child.at(21.0, os.CLD_CONTINUED)
        assert child.stops.intervals()["stopped"] == [[0.5, 21.0]]

    def test_both_between_two_looks(self):
        child = Child()
        child.at(0.5)
        child.at(1.0, os.CLD_CONTINUED)
        assert child.stops.intervals()["stopped"] == [[0.5, 1.0]]

    def test_it_never_went_on(self):
        child = Child()
        child.at(0.5, os.CLD_STOPPED)
        child.at(3.0)
        assert child.stops.intervals()["stopped"] == [[0.0, 3.0]]

    def test_gaps_of_its_own(self):
        child = Child()
        child.at(0.5)
        child.at(20.0)
        child.at(40.0, used=15.0)
        assert child.stops.intervals()["gaps"] == [[0.5, 20.0]]

    def test_a_child_that_is_gone(self):
        pid = os.fork()
        if not pid:
            os._exit(0)
        stops = Stops(pid)
        stops.look()
        assert os.waitpid(pid, 0)[0] == pid, "its end stays for whoever waits for it"
        assert stops.intervals()["stopped"] == []


class TestOnADevice:
    """No launcher watches there."""

    def test_a_suspend(self):
        told = found(Machine().timed({"suspended": 60.0}), None)
        assert (told.suspended_s, rule(told).ok) == (60.0, False)

    @pytest.mark.parametrize(("busy", "frozen_s"), [(0.0, 20.0), (0.9, 0.0)])
    def test_an_idle_gap_is_a_pause_where_nothing_else_causes_one(self, busy, frozen_s):
        machine = Machine().timed({"seconds": 20.0, "busy": busy})
        assert found(machine | {"gaps_prove": True}, None).frozen_s == frozen_s
        assert found(machine | {"gaps_prove": False}, None).frozen_s == 0

    def test_there_is_no_rule_without_evidence(self):
        """A system that counts no waiting; a journal of an earlier version."""
        machine = Machine().timed()
        assert found(machine | {"waiting": None}, None) is None
        del machine["gaps_prove"]
        assert found(machine, None) is None


class TestStrange:
    @pytest.mark.parametrize("worker", [
        None, {}, [], 3, {"from": 0.0},
        {"from": "x", "until": 1, "gaps": [], "suspends": [], "jumps": [], "waiting": 0},
        {"from": 0, "until": 1, "gaps": [[1]], "suspends": [], "jumps": [], "waiting": 0},
        {"from": 0, "until": float("nan"), "gaps": [], "suspends": [], "jumps": [], "waiting": 0},
        {"from": 0, "until": 1, "gaps": [], "suspends": [[]], "jumps": [], "waiting": 7},
    ])  # fmt: skip
    def test_of_what_cannot_be_read_there_is_no_rule(self, worker):
        assert found(worker, launcher()) is None

    @pytest.mark.parametrize("told", [{}, {"stopped": [[1]], "gaps": []}, {"stopped": 1, "gaps": []}])
    def test_nor_if_the_launchers_word_cannot_be_read(self, told):
        assert found(Machine().timed(), told) is None


def test_a_report_shows_the_warnings():
    """A jump of the clock and a starved worker stand above the numbers, in words."""
    from types import SimpleNamespace

    from mlperf_mobile_report.html import parts

    seen = Interruptions(waiting=0.4, clock_jumps_s=[-3.0])
    result = SimpleNamespace(functional_only="", error=None, interruptions=seen)
    text = str(parts.warnings(SimpleNamespace(result=result)))
    assert "40%" in text
    assert "-3.000 s" in text


def test_the_card_does_not_repeat_the_warnings_in_the_rule():
    """They stand in lines of their own."""
    from mlperf_mobile.terminal.card import _rules

    seen = Interruptions(stopped_s=2.0, stops=1, waiting=0.4, clock_jumps_s=[-3.0])
    console = Console(width=200, file=StringIO())
    with console.capture() as captured:
        console.print(_rules([rule(seen)], "rule", seen.warnings))
    assert captured.get().rstrip().endswith("seconds that the timed run was paused; stopped 2 s; stopped once")
