"""A correct observer, and broken ones for each test of the kit; run by ``test_kit_proofs.py``."""

from __future__ import annotations

from itertools import count
from typing import ClassVar

from defects import Offered, Proofs

from mlperf_mobile.contracts import Graph, Listing, ObservedPart, Observer, Rule
from mlperf_mobile.plugin import HOOK_API, ObserverInfo, Ref, Remark
from mlperf_mobile.testing.observer import ObserverConformance


class Meter(Observer):
    def start(self, run):
        self.file = (run.directory / "meter.txt").open("w")

    def begin(self, phase):
        self.interval_s = 0.05

    def sample(self):
        print(1.5, file=self.file, flush=True)

    def stop(self):
        self.file.close()


class Power(ObservedPart):
    columns: ClassVar = {"meter_watts": "power by the meter, in watts"}
    watts: float

    @classmethod
    def of(cls, folder):
        path = folder / "meter.txt"
        return cls(watts=max(map(float, path.read_text().split()))) if path.is_file() else None

    def rules(self, plan):
        yield Rule("power", self.watts <= 2, self.watts, 2, "watts")

    def lines(self):
        yield Remark("power", f"{self.watts} W")

    def values(self):
        return {"meter_watts": self.watts}

    def listings(self):
        yield Listing("Readings", ("what", "watts"), [("largest", self.watts)])

    def graphs(self, folder):
        if (folder / "meter.txt").is_file():
            yield Graph("Power", "W", {"meter": ([0.0], [self.watts])}, (0.0, 1.0))


OFFER = ObserverInfo(
    name="meter",
    summary="power by a meter",
    observer=Ref("observer_defects:Meter"),
    part=Ref("observer_defects:Power"),
    file="meter.txt",
    options=Ref("defects:Options"),
    hook_api=HOOK_API,
)


class TestCorrect(Offered, ObserverConformance):
    offer = OFFER


PROOFS = Proofs(TestCorrect, "observer")
PARTS = Proofs(TestCorrect, "part")


def part(name, **methods):
    """A test class for a part whose methods are these."""
    return PARTS.broken(name, type(f"{name}Power", (Power,), {"__module__": __name__, **methods}))


def raises(*arguments):
    raise OSError("no meter")


def closed_badly(self):
    Meter.stop(self)
    raise OSError("no meter")


def giving(value):
    """A method that returns the value."""
    return lambda self, *arguments: value


CALLS = count()
DRIFTING = classmethod(lambda cls, folder: cls(watts=next(CALLS)) if (folder / "meter.txt").is_file() else None)
INFINITE = classmethod(lambda cls, folder: cls(watts=float("inf")) if (folder / "meter.txt").is_file() else None)
DEFECTS = {
    **PROOFS.of_any_offer("test_watches_a_run"),
    "test_watches_a_run": PROOFS.broken("Unplugged", type("UnpluggedMeter", (Meter,), {"sample": raises})),
    "test_no_file_is_no_part": part("Certain", of=classmethod(lambda cls, folder: cls(watts=1.0))),
    "test_the_part_is_made_of_the_file": part("Drifting", of=DRIFTING),
    "test_cells_are_those_of_its_columns": part("Other", values=giving({"watts": 1.0})),
    "test_lines_are_remarks": part("Failing", lines=raises),
    "test_listings_and_graphs_are_drawn": part("Gone", graphs=lambda self, folder: (folder / "meter.txt").read_text()),
}
MORE = [
    *PROOFS.more_of_any_offer(),
    ("test_watches_a_run", PROOFS.broken("Dead", type("DeadMeter", (Meter,), {"stop": closed_badly}))),
    ("test_the_part_is_made_of_the_file", PROOFS.broken("Elsewhere", file="power.txt")),
    ("test_the_part_is_made_of_the_file", part("Infinite", of=INFINITE)),
    ("test_the_part_is_made_of_the_file", part("Lawless", rules=giving(None))),
    ("test_the_part_is_made_of_the_file", part("Core", rules=giving([Rule("min-duration", True, 1, 1)]))),
    ("test_cells_are_those_of_its_columns", part("Cells", values=giving({"meter_watts": object()}))),
    ("test_cells_are_those_of_its_columns", part("Valueless", values=raises)),
    ("test_cells_are_those_of_its_columns", part("Undescribed", columns={"meter_watts": ""})),
    ("test_cells_are_those_of_its_columns", part("Clashing", columns={"score": "its own"}, values=giving({}))),
    ("test_lines_are_remarks", part("Mute", lines=giving(None))),
    ("test_lines_are_remarks", part("Bare", lines=giving(["1.5 W"]))),
    ("test_lines_are_remarks", part("Factless", facts=raises)),
    ("test_listings_and_graphs_are_drawn", part("Ragged", listings=giving([Listing("Readings", ("a",), [(1, 2)])]))),
    ("test_listings_and_graphs_are_drawn", part("Rows", listings=giving([(1, 2)]))),
    (
        "test_listings_and_graphs_are_drawn",
        part("Short", graphs=giving([Graph("Power", "W", {"meter": ([0.0, 1.0], [1.5])}, (0.0, 1.0))])),
    ),
]
"""Further defects that a test of the kit catches."""

PASSES = [
    ("test_lines_are_remarks", part("Speechless", lines=giving(()))),
    ("test_cells_are_those_of_its_columns", part("Empty", values=giving({"meter_watts": None}))),
]
"""What a test of the kit does not mind."""
PROOFS.publish(*DEFECTS.values(), *(case for _, case in [*MORE, *PASSES]))
