"""A correct data set, and one broken one for each test of the kit; run by ``test_kit_proofs.py``."""

from __future__ import annotations

from itertools import count

import pytest
from defects import Offered, Proofs

from mlperf_mobile.errors import DataError
from mlperf_mobile.plugin import HOOK_API, DatasetInfo, Ref
from mlperf_mobile.testing.dataset import DatasetConformance


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
    options=Ref("defects:Options"),
    hook_api=HOOK_API,
)


class TestCorrect(Offered, DatasetConformance):
    offer = OFFER

    @pytest.fixture
    def dataset(self, tmp_path):
        (tmp_path / "lines.txt").write_text("one\nthree\nfour\n")
        return self.offer.dataset.load()(tmp_path, {})


PROOFS = Proofs(TestCorrect, "dataset")


def broken(name, dataset=None, **changes):
    """A test class for one defect: what differs from the correct data set."""
    return PROOFS.broken(name, type(f"{name}Lines", (Lines,), dataset) if dataset else None, **changes)


CALLS = count()


def fussy(self, path, options):
    self.lines = (path / "lines.txt").read_text().splitlines()


DEFECTS = {
    **PROOFS.of_any_offer("test_names_its_tasks"),
    "test_names_its_tasks": broken("ForNobody", tasks=()),
    "test_has_samples_with_truths": broken("Unlabelled", {"truth": lambda self, index: None}),
    "test_samples_are_repeatable": broken("Drifting", {"sample": lambda self, index: f"{index} {next(CALLS)}"}),
    "test_indices_past_the_end_are_errors": broken(
        "Endless", {"sample": lambda self, index: self.lines[index % len(self.lines)]}
    ),
    "test_fingerprints_differ_between_samples": broken("Alike", {"fingerprint": lambda self, index: bytes(32)}),
    "test_a_missing_folder_is_a_data_error": broken("Fussy", {"__init__": fussy}),
}
PROOFS.publish(*DEFECTS.values())
