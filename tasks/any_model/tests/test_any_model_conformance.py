"""The conformance kit on the task and its data set."""

import numpy as np
import pytest

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile.testing.dataset import DatasetConformance
from mlperf_mobile.testing.task import TaskConformance
from mlperf_mobile_task_any_model import plugin
from mlperf_mobile_task_any_model.dataset import Inputs
from mlperf_mobile_task_any_model.options import InputsOptions

NO_METRIC = "any model has no metric"


class TestTheTask(TaskConformance):
    plugin_module = "mlperf_mobile_task_any_model.plugin"

    @pytest.fixture
    def info(self):
        return next(iter(plugin.mlperf_mobile_tasks()))

    @pytest.fixture
    def inputs(self):
        return [TensorSpec("x", (1, 3), np.dtype(np.float32)), TensorSpec("ids", (1, 4), np.dtype(np.int64))]

    @pytest.fixture
    def outputs(self):
        return [TensorSpec("y", (1, 2), np.dtype(np.float32))]

    @pytest.fixture
    def dataset(self):
        return Inputs(None, InputsOptions(samples=3))

    @pytest.fixture
    def perfect(self, dataset):
        return [(np.full((1, 2), index, np.float32),) for index in range(len(dataset))]

    @pytest.mark.xfail(reason="shapes of any rank fit", raises=pytest.fail.Exception)
    def test_misfit_models_are_refused(self, task, inputs, outputs):
        super().test_misfit_models_are_refused(task, inputs, outputs)

    @pytest.mark.xfail(reason=NO_METRIC, raises=ModelError)
    def test_perfect_responses_beat_wrong_ones(self, task, codec, dataset, perfect):
        super().test_perfect_responses_beat_wrong_ones(task, codec, dataset, perfect)

    @pytest.mark.xfail(reason=NO_METRIC, raises=ModelError)
    def test_targets_are_in_the_metric_of_the_task(self, task, info, catalogue, codec, dataset, perfect):
        super().test_targets_are_in_the_metric_of_the_task(task, info, catalogue, codec, dataset, perfect)

    @pytest.mark.xfail(reason=NO_METRIC, raises=ModelError)
    def test_order_does_not_matter(self, task, codec, dataset, perfect):
        super().test_order_does_not_matter(task, codec, dataset, perfect)

    @pytest.mark.xfail(reason=NO_METRIC, raises=ModelError)
    def test_foreign_responses_are_refused(self, task, dataset):
        super().test_foreign_responses_are_refused(task, dataset)


class DataTests(DatasetConformance):
    plugin_module = "mlperf_mobile_task_any_model.plugin"

    @pytest.fixture
    def info(self):
        return next(iter(plugin.mlperf_mobile_datasets()))

    @pytest.mark.xfail(reason="inputs of any model have no correct answers", raises=DataError)
    def test_has_samples_with_truths(self, dataset):
        super().test_has_samples_with_truths(dataset)


class TestMadeUpInputs(DataTests):
    @pytest.fixture
    def dataset(self, options):
        return Inputs(None, options)


class TestInputsOfAFile(DataTests):
    @pytest.fixture
    def dataset(self, options, tmp_path):
        np.savez(tmp_path / "inputs.npz", x=np.arange(12, dtype=np.float32).reshape(3, 4))
        return Inputs(tmp_path / "inputs.npz", options)
