"""What the kit says of a plugin that fails: the value that it found, and what it requires."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mlperf_mobile.config.document import Setting
from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.testing.dataset import DatasetConformance
from mlperf_mobile.testing.task import TaskConformance

MODEL = SimpleNamespace(forms=[SimpleNamespace(file="m.toy")], datasets=["numbers"])
QUICKSTART = {"model": "double", "dataset": "numbers", "rules": "quick"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rules": None}, "quickstart/mine: set rules, in the suite or as a default of the task"),
        ({"model": None}, "quickstart/mine: set model"),
        ({"dataset": None}, "quickstart/mine: set dataset"),
        ({"model": "triple"}, "model 'triple' is not in the settings"),
        ({"dataset": "letters"}, "model double has no data set 'letters': ['numbers']"),
        ({"rules": "normal"}, "rules is 'normal', and must be quick or rapid"),
    ],
)
def test_a_quickstart_that_lacks_something(monkeypatch, change, told):
    values = {key: value for key, value in (QUICKSTART | change).items() if value is not None}
    settings = [{key: Setting(value, "a file") for key, value in values.items()}]
    benchmark = SimpleNamespace(suite="quickstart", name="mine", settings=settings)
    monkeypatch.setattr(TaskConformance, "benchmarks", lambda self, info: [benchmark])
    monkeypatch.setattr(TaskConformance, "_is_packaged", lambda *_: True)
    catalogue = SimpleNamespace(defaults={}, models={"double": MODEL})
    with pytest.raises(AssertionError) as caught:
        TaskConformance().test_the_quickstart_needs_no_download(None, catalogue)
    assert told in str(caught.value)


def test_a_recipe_without_a_dtype():
    spec = TensorSpec("x", (1, 4), np.dtype(np.float32))
    codec = SimpleNamespace(recipe="numbers 1")
    with pytest.raises(AssertionError, match="the recipe 'numbers 1' does not name float32"):
        TaskConformance().test_recipes_differ_between_encodings(
            SimpleNamespace(bind=lambda inputs, outputs: codec), [spec], [spec]
        )


def test_a_short_fingerprint():
    class Data(list):
        def sample(self, index): ...
        def truth(self, index): ...
        def fingerprint(self, index):
            return b"short"

    with pytest.raises(AssertionError, match="of sample 0 is b'short', and must be 16 to 64 bytes"):
        DatasetConformance().test_fingerprints_differ_between_samples(Data([1, 2]))
