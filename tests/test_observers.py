"""Observers of plugins: a power meter that was written here is known by every command, and no broken one does harm."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

PLUGIN = """
    from mlperf_mobile.plugin import ObserverInfo, Ref, hookimpl

    @hookimpl
    def mlperf_mobile_observers():
        yield ObserverInfo(
            name="meter", summary="a power meter", observer=Ref("meter_parts:Meter"), part=Ref("meter_parts:Power"),
            file="meter.jsonl", baseline=Ref("meter_parts:rested"), options=Ref("meter_parts:Options"), hook_api=(2, 0),
        )
"""

PARTS = """
    import json
    from collections.abc import Mapping
    from typing import ClassVar

    from pydantic import BaseModel, ConfigDict

    from mlperf_mobile.contracts import Graph, Listing, ObservedPart, Observer, Rule
    from mlperf_mobile.plugin import Remark

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        watts: float = 3.0
        limit: float = 5.0

    class Meter(Observer):
        def start(self, run):
            self.run = run
            self.file = (run.directory / "meter.jsonl").open("w")
            self.write(limit=self.options.limit)

        def write(self, **row):
            print(json.dumps(row), file=self.file, flush=True)

        def begin(self, phase):
            self.write(begin=phase, answered=self.run.answered())
            if phase == "performance":
                self.interval_s = 0.02

        def sample(self):
            self.write(watts=self.options.watts)

        def end(self, phase):
            self.write(end=phase, answered=self.run.answered())
            if phase == "performance":
                self.interval_s = 0.0

        def stop(self):
            self.file.close()

    class Power(ObservedPart):
        title = "Power meter"
        columns = {"meter_watts": "power by the meter, in watts"}
        watts: float
        limit: float
        samples: int

        @classmethod
        def of(cls, folder):
            path = folder / "meter.jsonl"
            if not path.is_file():
                return None
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            watts = [row["watts"] for row in rows if "watts" in row]
            mean = sum(watts) / len(watts) if watts else 0.0
            return cls(watts=mean, limit=rows[0]["limit"], samples=len(watts))

        def rules(self, plan):
            yield Rule("power", self.watts <= self.limit, self.watts, self.limit, "watts by the meter")

        def lines(self):
            yield Remark("power", f"{self.watts:g} W by the meter")

        def values(self):
            return {"meter_watts": self.watts}

        def graphs(self, folder):
            yield Graph("Meter", "W", {"socket": ([0.0, 1.0], [self.watts, self.watts])}, (0.0, 1.0))

        def listings(self):
            yield Listing("Readings of the meter", ("what", "value"), [("samples", float(self.samples))])

    class rested:
        is_known = True

        def is_back(self, now):
            return True
"""

FAST = ("--mode", "performance", "--set", "sleep_s=0.001", "--set", "min_duration_s=0.5")


@pytest.fixture
def meter(command):
    """Installs the power meter, with changes to its code."""

    def install(*changes):
        parts = PARTS
        for old, new in changes:
            assert old in parts
            parts = parts.replace(old, new)
        command.write_plugin("meter", PLUGIN, files={"meter_parts.py": parts})
        return command

    return install


def rows(result):
    return [json.loads(line) for line in (Path(result["directory"]) / "meter.jsonl").read_text().splitlines()]


def test_every_command_knows_it(meter):
    """Its part, rule and file are in the result; show, check, report, export and the listing tell of them."""
    command = meter()
    result, done = command.run(*FAST, "--set", "observer_options.meter.watts=3.5")
    assert (done.returncode, result["valid"], result["warnings"]) == (0, True, [])
    power = result["observers"]["meter"]
    recorded = rows(result)
    assert power == {"watts": 3.5, "limit": 5.0, "samples": sum("watts" in row for row in recorded)}
    assert power["samples"] > 3
    assert [rule for rule in result["rules"] if rule["name"] == "power"] == [
        {"name": "power", "ok": True, "observed": 3.5, "required": 5.0, "note": "watts by the meter", "scope": "result"}
    ]
    assert "meter.jsonl" in result["logs"]
    assert result["options"]["observer_options.meter.watts"] == 3.5
    assert {"telemetry", "observers"} <= result.keys()

    phases = [(kind, row[kind]) for row in recorded for kind in ("begin", "end") if kind in row]
    assert phases[0] == ("begin", "load")
    assert phases[-1] == ("end", "load")
    start, stop = phases.index(("begin", "performance")), phases.index(("end", "performance"))
    assert phases.index(("end", "warm-up")) < start < stop
    answered = {row[kind]: row["answered"] for row in recorded for kind in ("begin", "end") if kind in row}
    assert answered["performance"] == result["performance"]["samples"]
    assert next(row for row in recorded if row.get("begin") == "performance")["answered"] == 0

    folder = result["directory"]
    assert re.search(r"power +3\.5 W by the meter", command("show", folder).stdout)
    checked, done = command.json("check", folder)
    assert (done.returncode, checked["passed"]["own-meter"]) == (0, 1)
    (cells,) = csv.DictReader(io.StringIO(command("report", folder, "--csv").stdout))
    assert cells["meter_watts"] == "3.5"
    page = command("report", folder, "--output", "-").stdout
    for text in ("Power meter", "3.5 W by the meter", "<figcaption>Meter, W</figcaption>", "Readings of the meter"):
        assert text in page
    exported = command("export", folder, "--format", "app", "--output", command.folder / "app.json")
    assert "meter" not in exported.stderr
    plugins, _ = command.json("list-plugins")
    assert "mlperf_mobile_observers" in str(plugins)


def test_its_rule_decides(meter):
    result, done = meter().run(*FAST, "--set", "observer_options.meter.limit=2")
    assert (done.returncode, result["valid"]) == (1, False)
    assert [rule["name"] for rule in result["rules"] if not rule["ok"]] == ["power"]


@pytest.mark.parametrize(
    ("key", "told"),
    [("observer_options.meter.volts=1", "volts"), ("observer_options.metre.watts=1", "did you mean meter?"),
     ("observer_options.meter.watts=high", "observer_options.meter.watts: ")],
)  # fmt: skip
def test_options_that_are_wrong(meter, key, told):
    done = meter()("run", "product", "--backend", "toy", "--set", key, "--dry-run")
    assert done.returncode == 2
    assert told in done.stderr


def test_readings_that_were_changed_are_found(meter):
    command = meter()
    result, _ = command.run(*FAST)
    path = Path(result["directory"]) / "meter.jsonl"
    path.write_text(path.read_text().replace('"watts": 3.0', '"watts": 2.0'))
    told, done = command.json("check", result["directory"])
    wrong = {finding["text"] for finding in told["findings"] if finding["rule"] == "own-meter"}
    assert done.returncode == 1
    assert wrong == {"meter.watts does not match the readings", "the rule power does not match the readings"}


def test_a_result_is_read_where_it_is_not_installed(meter):
    command = meter()
    result, _ = command.run(*FAST)
    away = {"MLPERF_MOBILE_BLOCK": "meter"}
    shown = command("show", result["directory"], env=away)
    assert (shown.returncode, "by the meter" in shown.stdout.replace("watts by the meter", "")) == (0, False)
    told, done = command.json("check", result["directory"], env=away)
    assert done.returncode == 0
    assert "own-meter" not in told["passed"]


def test_a_run_that_is_killed_has_its_part(meter):
    command = meter()
    process = command.start(*FAST, "--set", "min_duration_s=30")
    command.until(lambda told: any(e.get("phase") == "performance" and e["done"] > 100 for e in told), process)
    process.terminate()
    out, _ = process.communicate(timeout=200)
    (result,) = json.loads(out)["results"]
    assert result["status"] == "interrupted"
    assert result["observers"]["meter"]["watts"] == 3.0


CHILD = "[sys.executable, '-c', 'import os; os.kill(os.getpid(), 9)']"
FAILURES = {
    "lacks a method": (
        "def stop(self)", "stop = None\n\n        def stopped(self)",
        "start failed: observer meter: Meter lacks stop()",
    ),
    "is not there": ("class Meter(", "class Other(", "meter_parts has no 'Meter'; did you mean Other?"),
    "raises at start": ("self.run = run", "raise OSError('no meter')", "start failed: OSError: no meter"),
    "raises at a phase": ("self.write(begin=", "1 / 0; self.write(begin=", "begin failed: ZeroDivisionError"),
    "raises in sampling": ("self.write(watts=", "self.fail(watts=", "sample failed: AttributeError"),
    "leaves at the end": ("self.write(end=", "raise SystemExit(3); self.write(end=", "end failed: SystemExit"),
    "raises at stop": ("self.file.close()", "raise KeyboardInterrupt", "stop failed: KeyboardInterrupt"),
    "hangs at stop": ("self.file.close()", "import time; time.sleep(600)", "stop did not return within 5 s"),
    "has a strange interval": ("self.interval_s = 0.02", "self.interval_s = 'often'", "begin failed: ValueError"),
    "loses its own process": (
        "self.write(watts=", f"import subprocess, sys; device = subprocess.Popen({CHILD}, stdin=subprocess.PIPE); "
        "device.wait(); device.stdin.write(b'read'); device.stdin.flush(); self.write(watts=",
        "sample failed: BrokenPipeError",
    ),
    "writes nonsense": ("print(json.dumps(row), ", "print('nonsense', ", "its part cannot be made: JSONDecodeError"),
    "writes another type": ("watts=self.options.watts)", "watts='many')", "its part cannot be made: TypeError"),
    "makes another thing": ("return cls(watts=mean", "return dict(watts=mean", "expected an ObservedPart"),
    "makes no number": ("return cls(watts=mean", "return cls(watts=float('nan')", "ValueError: watts: "),
    "makes no text": ("title = ", "unit: str = '\\udcff'\n        title = ", "surrogates not allowed"),
    "makes too much": ("title = ", "page: str = 'x' * 2_000_000\n        title = ", "characters as JSON"),
    "ends the process while its part is read": (
        'path = folder / "meter.jsonl"', 'import os; os._exit(3); path = ""', "reading its file crashed the process",
    ),
    "uses the name of a core rule": ('Rule("power"', 'Rule("min-duration"', "min-duration is the core's"),
    "uses a name twice": (
        'yield Rule("power"', 'yield Rule("power", True, 1, 1); yield Rule("power"', "several rules have the name",
    ),
    "makes no rule": ('yield Rule("power", ', "yield Rule(7, ", "its part cannot be made: ValidationError"),
}  # fmt: skip


@pytest.mark.sampled(6)
@pytest.mark.parametrize("broken", FAILURES)
def test_one_that_fails_harms_nothing(meter, broken):
    """The measurement counts, telemetry goes on, and a warning names the observer."""
    old, new, told = FAILURES[broken]
    command = meter((old, new))
    result, done = command.run(*FAST, "--set", "telemetry_interval_s=0.05")
    assert (done.returncode, result["status"], result["valid"]) == (0, "completed", True)
    assert result["performance"]["samples"] > 100
    assert result["telemetry"]["rows"] > 3
    (warning,) = result["warnings"]
    assert warning.startswith("observer meter (meter 1.0): ")
    if "JSONDecodeError" in told:
        assert "meter_parts" in (Path(result["directory"]) / "worker.log").read_text()  # the traceback says where
    assert told in warning


def test_one_that_ends_the_process_is_a_suspect(meter):
    """The worker cannot report who ended it; the hint names the backend and the observer."""
    command = meter(("self.write(watts=", "import os; os._exit(3); self.write(watts="))
    result, done = command.run(*FAST)
    assert (done.returncode, result["error"]["code"]) == (7, "worker-died")
    assert result["error"]["hint"].startswith("the backend toy, a library it uses, or the observer meter crashed")
    assert result["observers"]["meter"]["samples"] == 0


@pytest.mark.parametrize("failure", ["1 / 0", "raise SystemExit(3)"])
def test_views_that_fail_leave_the_others(meter, failure):
    """The card, the page and the table do without them, and say so."""
    failing = [
        (f"def {name}(self{more}):", f"def {name}(self{more}):\n            {failure}")
        for name, more in (("lines", ""), ("values", ""), ("graphs", ", folder"), ("listings", ""))
    ]
    command = meter(*failing)
    result, _ = command.run(*FAST)
    assert result["observers"]["meter"]["watts"] == 3.0
    why = "ZeroDivisionError" if "/" in failure else "SystemExit"
    for arguments, methods in (
        (("show",), ["lines"]),
        (("report", "--csv"), ["values"]),
        (("report", "--output", "-"), ["facts", "graphs", "listings"]),
    ):
        done = command(arguments[0], result["directory"], *arguments[1:])
        assert (done.returncode, "product" in done.stdout) == (0, True)
        for method in methods:
            assert f"{method}() failed: {why}" in done.stdout + done.stderr


def test_without_telemetry(command):
    """The result has no telemetry, and a rest until the device is as cool as before has nothing to look at."""
    away = {"MLPERF_MOBILE_BLOCK": "telemetry"}
    done = command(
        "run", "product", "--backend", "toy", *FAST, "--repeat", "2", "--set", "cooldown=baseline",
        "--set", "cooldown_s=1", "--json", env=away,
    )  # fmt: skip
    results = json.loads(done.stdout)["results"]
    assert [result["telemetry"] for result in results] == [None, None]
    (session,) = command.results.glob("*.session.json")
    assert [step["rested_until"] for step in json.loads(session.read_text())["steps"]] == ["", "unknown"]


def test_a_rest_reads_its_baseline(meter):
    """The meter finds the device as it was at once."""
    command = meter()
    command(
        "run", "product", "--backend", "toy", *FAST, "--repeat", "2", "--set", "cooldown=baseline",
        "--set", "cooldown_s=30", "--json", env={"MLPERF_MOBILE_BLOCK": "telemetry"},
    )  # fmt: skip
    (session,) = command.results.glob("*.session.json")
    assert [step["rested_until"] for step in json.loads(session.read_text())["steps"]] == ["", "baseline"]


@pytest.mark.parametrize(("failure", "until"), [("raise SystemExit(3)", "limit"), ("print('noise')", "limit")])
def test_a_rest_outlives_it(meter, failure, until):
    """The second run is measured, and what the meter prints is not in the JSON."""
    command = meter(("            return True", f"            {failure}"))
    done = command(
        "run", "product", "--backend", "toy", *FAST, "--repeat", "2", "--set", "cooldown=baseline",
        "--set", "cooldown_s=1", "--json", env={"MLPERF_MOBILE_BLOCK": "telemetry"},
    )  # fmt: skip
    assert [result["valid"] for result in json.loads(done.stdout)["results"]] == [True, True]
    (session,) = command.results.glob("*.session.json")
    assert [step["rested_until"] for step in json.loads(session.read_text())["steps"]] == ["", until]


def test_what_it_prints_is_in_no_table(meter):
    command = meter(("return {", "print('noise'); return {"), ("yield Remark", "print('noise'); yield Remark"))
    result, _ = command.run(*FAST)
    (cells,) = csv.DictReader(io.StringIO(command("report", result["directory"], "--csv").stdout))
    assert cells["meter_watts"] == "3.0"
    assert "noise" not in command("show", result["directory"]).stdout
