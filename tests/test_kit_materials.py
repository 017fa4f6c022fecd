"""``verify-plugin`` has what the kit needs of the installed plugins: options of tasks and scenarios, and answers."""

from __future__ import annotations

import json
from importlib.resources import files
from types import SimpleNamespace

import pytest

from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile.plugin import Capability
from mlperf_mobile.registry import Registry
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile.testing.dataset import DatasetConformance
from mlperf_mobile_authoring.cases import classes
from mlperf_mobile_authoring.task_material import Material


def test_a_language_model_answers_with_its_own_tokenizer(tmp_path):
    """Its answers score what was measured when the quickstart was made."""
    material = Material(Registry(), "multiple_choice", tmp_path)
    task = Registry().tasks["multiple_choice"].info.task.load()(material.options())
    codec = task.bind(material.inputs(), material.outputs())
    metric = task.metric(material.dataset())
    for index, answer in enumerate(material.answers()):
        metric.update(index, codec.decode(answer))
    quickstart = files("mlperf_mobile_task_language_model") / "quickstart/quickstart.json"
    assert metric.score().value == json.loads(quickstart.read_text())["int8"]["multiple_choice"]


def test_options_are_those_of_the_quickstart(tmp_path):
    """Its detector has other anchors than the reference app's."""
    options = Material(Registry(), "object_detection", tmp_path).options()
    changed = options.model_dump(exclude_defaults=True)
    assert any(name.startswith("anchor_") for name in changed)


def test_a_scenario_gets_the_options_of_its_author(tmp_path):
    found = {each.label: each for each in classes("scenarios", "mlperf-mobile-scenarios", tmp_path).values()}
    assert found["scenario server"].scenario_options["target_qps"] > 0
    assert not found["scenario multi-stream"].scenario_options


class Labels:
    """Three samples, of which some have a label."""

    def __init__(self, labelled, code="no-labels"):
        self.labelled, self.code = labelled, code

    def __len__(self):
        return 3

    def sample(self, index):
        return index

    def truth(self, index):
        if index not in self.labelled:
            raise DataError(self.code, "there is none")
        return index


def test_data_for_performance_runs_need_no_labels():
    DatasetConformance().test_has_samples_with_truths(Labels({0, 1, 2}))
    with pytest.raises(pytest.skip.Exception, match="labels: there is none"):
        DatasetConformance().test_has_samples_with_truths(Labels({}))
    for labelled in ({0}, {1, 2}, {0, 1}):
        with pytest.raises(AssertionError, match="only some samples"):
            DatasetConformance().test_has_samples_with_truths(Labels(labelled))
    with pytest.raises(DataError):
        DatasetConformance().test_has_samples_with_truths(Labels({}, "data-damaged"))


@pytest.mark.parametrize("code", ["model-batch", "model-damaged"])
def test_a_batch_that_the_backend_refuses(code, tmp_path):
    """As for other models that it refuses: skipped by its code, while any other error is a failure."""

    class Refusing(BackendConformance):
        __test__ = False

        @classmethod
        def load(cls, *arguments, **more):
            raise ModelError(code, "only one sample at a time")

    info = SimpleNamespace(capabilities={Capability.BATCH})
    expected = pytest.skip.Exception if code == "model-batch" else ModelError
    with pytest.raises(expected, match="only one sample"):
        Refusing().test_batches_are_answered_in_order(None, info, tmp_path, tmp_path)
