"""The conformance tests of a data set."""

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
        """Whether two samples are the same; override for samples that ``==`` does not compare."""
        return bool(one == other)

    def test_names_its_tasks(self, info: DatasetInfo) -> None:
        """A data set is for at least one task."""
        assert info.tasks
        assert all(isinstance(task, str) for task in info.tasks)

    def test_has_samples_with_truths(self, dataset: Dataset) -> None:
        """Every sample can be read and has a truth."""
        assert len(dataset) >= 2
        for index in range(len(dataset)):
            assert dataset.sample(index) is not None
            assert dataset.truth(index) is not None

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
            pytest.skip("the data set has no fingerprints")
        indices = range(min(len(dataset), 8))
        prints = [dataset.fingerprint(index) for index in indices]
        assert all(isinstance(each, bytes) and 16 <= len(each) <= 64 for each in prints)
        assert prints == [dataset.fingerprint(index) for index in indices]
        assert len(set(prints)) > 1

    def test_a_missing_folder_is_a_data_error(self, info: DatasetInfo, options: Any, tmp_path: Path) -> None:
        """A missing folder is a DataError that names it."""
        with pytest.raises(DataError) as caught:
            info.dataset.load()(tmp_path / "absent", options)
        assert "absent" in caught.value.summary
