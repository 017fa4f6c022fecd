"""The conformance tests of a task."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlperf_mobile.config.catalogue import Catalogue
from mlperf_mobile.contracts import Codec, Dataset, GeneratingTask, Metric, Recipe, Task, Tensors, TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile.options import complete
from mlperf_mobile.plugin import TaskInfo
from mlperf_mobile.terms import Mode
from mlperf_mobile.testing.checked import checked
from mlperf_mobile.testing.kit import lacks
from mlperf_mobile.testing.task_settings import SettingsTests
from mlperf_mobile.worker import returned
from mlperf_mobile.worker.encoding_check import EncodingCheck

__all__ = ["TaskConformance"]


class TaskConformance(SettingsTests):
    """Subclass once per task; define ``plugin_module`` and the fixtures that raise ``NotImplementedError``.

    A task whose settings have quality targets also defines ``targets``.
    """

    @pytest.fixture
    def inputs(self) -> Sequence[TensorSpec]:
        """Input specs of a suitable model."""
        raise NotImplementedError

    @pytest.fixture
    def outputs(self) -> Sequence[TensorSpec]:
        """Output specs of a suitable model."""
        raise NotImplementedError

    @pytest.fixture
    def dataset(self) -> Dataset:
        """A data set with at least two samples, whose truths differ."""
        raise NotImplementedError

    @pytest.fixture
    def perfect(self, dataset: Dataset) -> list[Tensors]:
        """The outputs of a perfect model for each sample of ``dataset``."""
        raise NotImplementedError

    @pytest.fixture
    def task(self, info: TaskInfo, options: Any) -> Task:
        """The task with its default options."""
        task: Task = checked(complete, "task", info.name, info.task.load()(options))
        return task

    @pytest.fixture
    def codec(self, info: TaskInfo, task: Task, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """The task, bound to a suitable model."""
        return checked(returned.codec, info.name, task.bind(inputs, outputs))

    @staticmethod
    def _metric(task: Task, dataset: Dataset) -> Metric:
        """A new metric of the task."""
        return checked(returned.metric, "under test", task.metric(dataset))

    def test_encoded_samples_match_the_specs(
        self, task: Task, codec: Codec, inputs: Sequence[TensorSpec], dataset: Dataset
    ) -> None:
        """Shape and dtype are the model's; memory is contiguous, so that backends can copy it.

        A task for language models encodes a prompt to at least one token, and fewer than the context has.
        """
        for index in range(len(dataset)):
            encoded = codec.encode(dataset.sample(index))
            generates = isinstance(task, GeneratingTask)
            if wrong := EncodingCheck(None if generates else inputs).wrong(encoded):
                pytest.fail(f"sample {index}: {wrong}", pytrace=False)
            if generates:
                assert [(t.ndim, t.dtype) for t in encoded] == [(1, np.dtype(np.int32))]
                assert 1 <= len(encoded[0]) < inputs[0].shape[-1]
                assert encoded[0].min() >= 0
            for place, tensor in enumerate(encoded):
                assert tensor.flags.c_contiguous, (
                    f"tensor {place} of sample {index} has the strides {tensor.strides}, and must be C-contiguous: "
                    "use np.ascontiguousarray"
                )

    def test_answers_end(self, task: Task, codec: Codec) -> None:
        """A task for language models limits answers in both modes, and its responses are the answers' token ids."""
        if not isinstance(task, GeneratingTask):
            lacks("tokens", "the task's models generate no tokens")
        for mode in (Mode.PERFORMANCE, Mode.ACCURACY):
            assert task.generation(mode).max_new_tokens >= 1
        ids = np.array([0, 1, 70_000, 2**31 - 1], np.int32)
        assert codec.decode((ids,)) == ids.astype("<i4").tobytes()

    def test_encoding_is_repeatable(self, codec: Codec, dataset: Dataset) -> None:
        """The same sample gives the same tensors, also from several threads."""
        first = codec.encode(dataset.sample(0))
        with ThreadPoolExecutor(4) as pool:
            for again in pool.map(lambda _: codec.encode(dataset.sample(0)), range(16)):
                for one, other in zip(first, again, strict=True):
                    np.testing.assert_array_equal(one, other)

    def test_recipes_differ_between_encodings(
        self, task: Task, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> None:
        """The recipe, by which encoded samples are cached, is constant for a model and names its input dtypes."""
        codec, again = task.bind(inputs, outputs), task.bind(inputs, outputs)
        if not isinstance(codec, Recipe) or not isinstance(again, Recipe):
            lacks("recipe", "the task's encoded samples are not cached")
        assert codec.recipe == again.recipe
        for spec in inputs:
            assert spec.dtype.name in codec.recipe, f"the recipe {codec.recipe!r} does not name {spec.dtype.name}"

    def test_decoding_gives_bytes(self, codec: Codec, perfect: list[Tensors]) -> None:
        """A response is bytes, and the same for the same outputs."""
        for outputs in perfect:
            response = codec.decode(outputs)
            assert isinstance(response, bytes)
            assert response == codec.decode(outputs)

    def test_decoding_keeps_no_reference(self, codec: Codec, perfect: list[Tensors]) -> None:
        """Outputs may be views that a runtime needs back before its next run."""
        copies = tuple(tensor.copy() for tensor in perfect[0])
        alive = [weakref.ref(tensor) for tensor in copies]
        response = codec.decode(copies)
        del copies
        assert response is not None
        assert [ref() for ref in alive] == [None] * len(alive)

    def test_decoding_leaves_outputs_alone(self, codec: Codec, perfect: list[Tensors]) -> None:
        """Outputs belong to the runtime."""
        before = [tensor.copy() for tensor in perfect[0]]
        codec.decode(perfect[0])
        for one, other in zip(before, perfect[0], strict=True):
            np.testing.assert_array_equal(one, other)

    def test_misfit_models_are_refused(
        self, task: Task, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> None:
        """Another number of tensors, another rank or an unusual dtype is a ModelError, before anything runs."""
        odd_shape = [replace(spec, shape=(1, 2, 3, 5, 7, 11)) for spec in inputs]
        odd_dtype = [replace(spec, dtype=np.dtype(np.complex64)) for spec in inputs]
        odd_output = [replace(spec, dtype=np.dtype(np.complex64)) for spec in outputs]
        for ins, outs in (
            ([], outputs),
            (inputs, []),
            (odd_shape, outputs),
            (odd_dtype, outputs),
            (inputs, odd_output),
        ):
            with pytest.raises(ModelError):
                task.bind(ins, outs)

    def test_perfect_responses_beat_wrong_ones(
        self, task: Task, codec: Codec, dataset: Dataset, perfect: list[Tensors]
    ) -> None:
        """The metric scores responses: right ones score higher than those of other samples."""
        right, wrong = self._metric(task, dataset), self._metric(task, dataset)
        responses = [codec.decode(outputs) for outputs in perfect]
        for index, response in enumerate(responses):
            right.update(index, response)
            wrong.update(index, responses[(index + 1) % len(responses)])
        assert right.score().value > wrong.score().value
        assert right.score().samples == len(responses)

    def test_targets_are_in_the_metric_of_the_task(
        self, task: Task, info: TaskInfo, catalogue: Catalogue, codec: Codec, dataset: Dataset, perfect: list[Tensors]
    ) -> None:
        """Quality targets name the task's metric."""
        metric = self._metric(task, dataset)
        for index, outputs in enumerate(perfect):
            metric.update(index, codec.decode(outputs))
        named = {quality.metric for entry in catalogue.models.values() for quality in entry.quality}
        for benchmark in self.benchmarks(info):
            named |= {each["quality.metric"].value for each in benchmark.settings if "quality.metric" in each}
        assert named <= {metric.score().metric}

    def test_order_does_not_matter(self, task: Task, codec: Codec, dataset: Dataset, perfect: list[Tensors]) -> None:
        """The score does not depend on the order of LoadGen's log, which is that of completion."""
        forth, back = self._metric(task, dataset), self._metric(task, dataset)
        responses = [codec.decode(outputs) for outputs in perfect]
        for index, response in enumerate(responses):
            forth.update(index, response)
        for index in reversed(range(len(responses))):
            back.update(index, responses[index])
        assert forth.score().value == pytest.approx(back.score().value)

    def test_foreign_responses_are_refused(self, task: Task, dataset: Dataset) -> None:
        """Bytes that this task never writes are a DataError, not a score."""
        with pytest.raises(DataError):
            self._metric(task, dataset).update(0, b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c")
