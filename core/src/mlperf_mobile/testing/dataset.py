"""The conformance tests of a data set."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlperf_mobile.contracts import Dataset, FingerprintedDataset
from mlperf_mobile.errors import DataError
from mlperf_mobile.plugin import DatasetInfo
from mlperf_mobile.testing.equality import equal
from mlperf_mobile.testing.kit import Conformance, lacks

__all__ = ["DatasetConformance"]


class DatasetConformance(Conformance):
    """Subclass once per data set; define ``plugin_module``, ``info`` and ``dataset``."""

    @pytest.fixture
    def info(self) -> DatasetInfo:
        raise NotImplementedError

    @pytest.fixture
    def dataset(self) -> Dataset:
        """A small data set of this kind, labelled, with at least two samples."""
        raise NotImplementedError

    @staticmethod
    def same(one: Any, other: Any) -> bool:
        """Whether two samples are the same: arrays by their numbers, records and containers by their parts.

        Override it for samples of another kind that ``==`` does not compare.
        """
        return equal(one, other)

    def test_names_its_tasks(self, info: DatasetInfo) -> None:
        """A data set is for at least one task."""
        assert info.tasks
        for task in info.tasks:
            assert isinstance(task, str), f"tasks has {task!r:.100}, and must have names"

    def test_has_samples_with_truths(self, dataset: Dataset) -> None:
        """Every sample can be read and has a truth; data for performance runs raise ``no-labels`` for each instead."""
        assert len(dataset) >= 2
        without = ""
        for index in range(len(dataset)):
            assert dataset.sample(index) is not None
            try:
                assert dataset.truth(index) is not None
                assert not without, "only some samples have a truth"
            except DataError as error:
                if error.code != "no-labels":
                    raise
                assert without or index == 0, "only some samples have a truth"
                without = error.summary
        if without:
            lacks("labels", without)

    def test_samples_are_repeatable(self, dataset: Dataset) -> None:
        """The same index gives the same sample, also from several threads."""
        count = min(len(dataset), 8)
        first = [dataset.sample(index) for index in range(count)]
        with ThreadPoolExecutor(4) as pool:
            for index, again in zip(
                list(range(count)) * 4, pool.map(dataset.sample, list(range(count)) * 4), strict=True
            ):
                assert self.same(first[index], again)

    def test_indices_past_the_end_are_errors(self, dataset: Dataset) -> None:
        """An index out of range is an error, not another sample."""
        for index in (len(dataset), len(dataset) + 1000):
            with pytest.raises((IndexError, DataError)):
                dataset.sample(index)

    def test_fingerprints_differ_between_samples(self, dataset: Dataset) -> None:
        """A fingerprint is constant for a sample, and differs between samples; encoded samples are cached by it."""
        if not isinstance(dataset, FingerprintedDataset):
            lacks("fingerprints", "the data set has no fingerprints")
        indices = range(min(len(dataset), 8))
        prints = [dataset.fingerprint(index) for index in indices]
        for index, each in zip(indices, prints, strict=True):
            fits = isinstance(each, bytes) and 16 <= len(each) <= 64
            assert fits, f"the fingerprint of sample {index} is {each!r:.200}, and must be 16 to 64 bytes"
        assert prints == [dataset.fingerprint(index) for index in indices]
        assert len(set(prints)) > 1

    def test_a_missing_folder_is_a_data_error(self, info: DatasetInfo, options: Any, tmp_path: Path) -> None:
        """A missing folder is a DataError that names it."""
        with pytest.raises(DataError) as caught:
            info.dataset.load()(tmp_path / "absent", options)
        assert "absent" in caught.value.summary
