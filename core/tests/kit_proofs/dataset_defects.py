"""A correct data set, and one broken one for each test of the kit; run by ``test_kit_proofs.py``."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from pydantic import BaseModel, ConfigDict

from mlperf_mobile.errors import DataError
from mlperf_mobile.plugin import DatasetInfo, Ref
from mlperf_mobile.testing.dataset import DatasetConformance


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = ""


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


class Lines:
    """The lines of a file."""

    def __init__(self, path, options):
        try:
            self.lines = (path / "lines.txt").read_text().splitlines()
        except OSError as error:
            raise DataError("data", f"{path} has no lines") from error

    def __len__(self):
        return len(self.lines)

    def sample(self, index):
        return self.lines[index]

    def truth(self, index):
        return len(self.lines[index])


OFFER = DatasetInfo(
    name="lines",
    summary="lines of text",
    dataset=Ref("dataset_defects:Lines"),
    tasks=("count",),
    options=Ref("dataset_defects:Options"),
    hook_api=(2, 0),
)


class TestCorrect(DatasetConformance):
    plugin_module = "json"
    offer = OFFER

    @pytest.fixture
    def info(self):
        return self.offer

    @pytest.fixture
    def dataset(self, tmp_path):
        (tmp_path / "lines.txt").write_text("one\nthree\nfour\n")
        return self.offer.dataset.load()(tmp_path, {})


def broken(name, dataset=None, module="json", **changes):
    """A test class for one defect, and the data set it needs, put into this module under its name."""
    if dataset:
        globals()[f"{name}Lines"] = type(f"{name}Lines", (Lines,), dataset)
        changes["dataset"] = Ref(f"dataset_defects:{name}Lines")
    return type(f"Test{name}", (TestCorrect,), {"plugin_module": module, "offer": replace(OFFER, **changes)})


CALLS = count()


def fussy(self, path, options):
    self.lines = (path / "lines.txt").read_text().splitlines()


DEFECTS = {
    "test_plugin_module_is_light": broken("Heavy", module="numpy"),
    "test_hook_api_is_a_literal": broken("Constant", module="mlperf_mobile.registry"),
    "test_offer_speaks_this_core": broken("Older", hook_api=(0, 9)),
    "test_offer_tells_what_it_is": broken("Long", summary="x" * 121),
    "test_unknown_options_are_refused": broken("Lax", options=Ref("dataset_defects:Anything")),
    "test_every_test_is_the_kits_own": type(
        "TestOverride", (TestCorrect,), {"test_names_its_tasks": lambda self: None}
    ),
    "test_names_its_tasks": broken("ForNobody", tasks=()),
    "test_has_samples_with_truths": broken("Unlabelled", {"truth": lambda self, index: None}),
    "test_samples_are_repeatable": broken("Drifting", {"sample": lambda self, index: f"{index} {next(CALLS)}"}),
    "test_there_is_nothing_past_the_end": broken(
        "Endless", {"sample": lambda self, index: self.lines[index % len(self.lines)]}
    ),
    "test_fingerprints_tell_samples_apart": broken("Alike", {"fingerprint": lambda self, index: bytes(32)}),
    "test_a_missing_folder_is_told": broken("Fussy", {"__init__": fussy}),
}
globals().update({case.__name__: case for case in DEFECTS.values()})
