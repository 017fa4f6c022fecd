"""Every data set passes these tests to be called conformant."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlperf_mobile.contracts import Dataset, FingerprintedDataset
from mlperf_mobile.errors import DataError
from mlperf_mobile.plugin import DatasetInfo
from mlperf_mobile.testing.kit import Conformance

__all__ = ["DatasetConformance"]


class DatasetConformance(Conformance):
    """Subclass once per data set; give ``plugin_module``, ``info`` and ``dataset``."""

    @pytest.fixture
    def info(self) -> DatasetInfo:
        raise NotImplementedError

    @pytest.fixture
    def dataset(self) -> Dataset:
        """A small data set of this kind, labelled, with at least two samples."""
        raise NotImplementedError

    @staticmethod
    def same(one: Any, other: Any) -> bool:
        """Whether two samples are the same; override for samples that ``==`` does not compare."""
        return bool(one == other)

    def test_names_its_tasks(self, info: DatasetInfo) -> None:
        """A data set serves at least one task."""
        assert info.tasks
        assert all(isinstance(task, str) for task in info.tasks)

    def test_has_samples_with_truths(self, dataset: Dataset) -> None:
        """Every sample can be read and has a truth."""
        assert len(dataset) >= 2
        for index in range(len(dataset)):
            assert dataset.sample(index) is not None
            assert dataset.truth(index) is not None

    def test_samples_are_repeatable(self, dataset: Dataset) -> None:
        """The same index gives the same sample, also from many threads at once."""
        count = min(len(dataset), 8)
        first = [dataset.sample(index) for index in range(count)]
        with ThreadPoolExecutor(4) as pool:
            for index, again in zip(
                list(range(count)) * 4, pool.map(dataset.sample, list(range(count)) * 4), strict=True
            ):
                assert self.same(first[index], again)

    def test_there_is_nothing_past_the_end(self, dataset: Dataset) -> None:
        """An index that is not there is an error, not another sample."""
        for index in (len(dataset), len(dataset) + 1000):
            with pytest.raises((IndexError, DataError)):
                dataset.sample(index)

    def test_fingerprints_tell_samples_apart(self, dataset: Dataset) -> None:
        """A digest is always the same for the same sample, and not for all: encoded samples are found by it."""
        if not isinstance(dataset, FingerprintedDataset):
            pytest.skip("the data set has no fingerprints")
        indices = range(min(len(dataset), 8))
        prints = [dataset.fingerprint(index) for index in indices]
        assert all(isinstance(each, bytes) and 16 <= len(each) <= 64 for each in prints)
        assert prints == [dataset.fingerprint(index) for index in indices]
        assert len(set(prints)) > 1

    def test_a_missing_folder_is_told(self, info: DatasetInfo, options: Any, tmp_path: Path) -> None:
        """A path without data is a DataError that names it."""
        with pytest.raises(DataError) as caught:
            info.dataset.load()(tmp_path / "absent", options)
        assert "absent" in caught.value.summary
