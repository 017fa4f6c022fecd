"""Samples of a data set, encoded for a model or read from the store of encoded samples."""

from __future__ import annotations

from collections.abc import Sequence

from mlperf_mobile.contracts import Codec, Dataset, Tensors, TensorSpec
from mlperf_mobile.errors import NOT_FOREIGN, SEE_LOG, DataError, ModelError, described
from mlperf_mobile.worker.blame import labelled
from mlperf_mobile.worker.encoded import EncodedStore, KeyOf, key_of
from mlperf_mobile.worker.encoding_check import EncodingCheck


class EncodedSamples:
    """The encoded samples of a data set, by index; may be used by several threads.

    Args:
        dataset: The samples.
        codec: Encodes them.
        store: Keeps encoded samples between runs.
        inputs: What the model takes; None if samples are prompts.
        data: The data set's name, for errors.
        task: The task's name, for errors.
    """

    def __init__(
        self,
        dataset: Dataset,
        codec: Codec,
        store: EncodedStore | None = None,
        *,
        inputs: Sequence[TensorSpec] | None = None,
        data: str = "",
        task: str = "",
    ) -> None:
        self._dataset, self._codec = dataset, codec
        self._of_data, self._of_task = labelled("data set", data), labelled("task", task)
        self._wrong = EncodingCheck(inputs).wrong
        self._store, self._key_of = store, key_of(dataset, codec) if store else None

    def __getitem__(self, index: int) -> Tensors:
        """Encode one sample, or read it from the store.

        Raises:
            DataError: It cannot be read.
            ModelError: It cannot be encoded, or is encoded to something that the model does not take.
        """
        if not self._store or not self._key_of:
            return self.fresh(index)
        key = self._key(index, self._key_of)
        if (kept := self._store.get(key)) and not self._wrong(kept):
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
            ModelError: It cannot be encoded, or is encoded to something that the model does not take.
        """
        try:
            sample = self._dataset.sample(index)
        except NOT_FOREIGN:
            raise
        except BaseException as error:
            raise self._unreadable(index, error) from error
        try:
            encoded = self._codec.encode(sample)
        except NOT_FOREIGN:
            raise
        except BaseException as error:
            summary = f"{self._of_task}sample {index} cannot be encoded: {described(error)}"
            raise ModelError("task-failed", summary, SEE_LOG) from error
        if wrong := self._wrong(encoded):
            summary = f"{self._of_task}sample {index} is encoded wrongly: {wrong}"
            raise ModelError("task-failed", summary, "report it to the author of the task")
        return encoded

    def _unreadable(self, index: int, error: BaseException) -> DataError:
        summary = f"{self._of_data}sample {index} cannot be read: {described(error)}"
        return DataError("dataset-failed", summary, SEE_LOG)
