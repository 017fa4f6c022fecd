"""Samples of a data set, encoded for a model or read from the store of encoded samples."""

from __future__ import annotations

from mlperf_mobile.contracts import Codec, Dataset, Tensors
from mlperf_mobile.errors import NOT_FOREIGN, SEE_LOG, DataError, ModelError, described
from mlperf_mobile.worker.blame import labelled
from mlperf_mobile.worker.encoded import EncodedStore, KeyOf, key_of


class EncodedSamples:
    """The encoded samples of a data set, by index; may be used by several threads.

    Args:
        dataset: The samples.
        codec: Encodes them.
        store: Keeps encoded samples between runs.
        data: The data set's name, for errors.
        task: The task's name, for errors.
    """

    def __init__(
        self, dataset: Dataset, codec: Codec, store: EncodedStore | None = None, *, data: str = "", task: str = ""
    ) -> None:
        self._dataset, self._codec = dataset, codec
        self._of_data, self._of_task = labelled("data set", data), labelled("task", task)
        self._store, self._key_of = store, key_of(dataset, codec) if store else None

    def __getitem__(self, index: int) -> Tensors:
        """Encode one sample, or read it from the store.

        Raises:
            DataError: It cannot be read.
            ModelError: It cannot be encoded.
        """
        if not self._store or not self._key_of:
            return self.fresh(index)
        key = self._key(index, self._key_of)
        if kept := self._store.get(key):
            return kept
        encoded = self.fresh(index)
        self._store.put(key, encoded)
        return encoded

    def _key(self, index: int, key_of: KeyOf) -> str:
        try:
            return key_of(index)
        except NOT_FOREIGN:
            raise
        except BaseException as error:
            raise self._unreadable(index, error) from error

    def fresh(self, index: int) -> Tensors:
        """Encode one sample, whether or not it is in the store.

        Raises:
            DataError: It cannot be read.
            ModelError: It cannot be encoded.
        """
        try:
            sample = self._dataset.sample(index)
        except NOT_FOREIGN:
            raise
        except BaseException as error:
            raise self._unreadable(index, error) from error
        try:
            return self._codec.encode(sample)
        except NOT_FOREIGN:
            raise
        except BaseException as error:
            summary = f"{self._of_task}sample {index} cannot be encoded: {described(error)}"
            raise ModelError("task-failed", summary, SEE_LOG) from error

    def _unreadable(self, index: int, error: BaseException) -> DataError:
        summary = f"{self._of_data}sample {index} cannot be read: {described(error)}"
        return DataError("dataset-failed", summary, SEE_LOG)
