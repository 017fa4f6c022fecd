"""A correct task, and one broken one for each test of the kit; run by ``test_kit_proofs.py``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict

from mlperf_mobile.contracts import Score, TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile.plugin import Ref, TaskInfo
from mlperf_mobile.testing.task import TaskConformance


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = ""


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


class Numbers:
    """Sample n is the number n, and so is its truth."""

    def __len__(self):
        return 3

    def sample(self, index):
        return index

    def truth(self, index):
        return index


class Codec:
    def encode(self, sample):
        return (np.array([[sample, 1]], np.float32),)

    def decode(self, outputs):
        return int(outputs[0][0, 0]).to_bytes(4, "little")


class Metric:
    def __init__(self, dataset):
        self.dataset, self.right, self.count = dataset, 0, 0

    def update(self, index, response):
        if len(response) != 4:
            raise DataError("response", "not one of ours")
        self.right += int.from_bytes(response, "little") == self.dataset.truth(index)
        self.count += 1

    def score(self):
        return Score("exact", self.right / self.count, self.count)


class Task:
    codec, scorer = Codec, Metric

    def __init__(self, options):
        pass

    def bind(self, inputs, outputs):
        for specs in (inputs, outputs):
            if [(spec.shape, spec.dtype) for spec in specs] != [((1, 2), np.float32)]:
                raise ModelError("model", "does not fit")
        return self.codec()

    def metric(self, dataset):
        return self.scorer(dataset)


OFFER = TaskInfo(
    name="echo",
    summary="say the number",
    task=Ref("task_defects:Task"),
    settings="kit_settings:good.yaml",
    options=Ref("task_defects:Options"),
    hook_api=(2, 0),
)
SPEC = TensorSpec("x", (1, 2), np.dtype(np.float32))


class TestCorrect(TaskConformance):
    plugin_module = "json"
    offer = OFFER

    @pytest.fixture
    def info(self):
        return self.offer

    @pytest.fixture
    def inputs(self):
        return [SPEC]

    @pytest.fixture
    def outputs(self):
        return [SPEC]

    @pytest.fixture
    def dataset(self):
        return Numbers()

    @pytest.fixture
    def perfect(self, dataset):
        return [(np.array([[n, 0]], np.float32),) for n in range(len(dataset))]


def broken(name, /, task=None, codec=None, metric=None, module="json", **changes):
    """A test class for one defect, and the task it needs, put into this module under its name."""
    parts = dict(task or {})
    if codec:
        parts["codec"] = type("Codec", (Codec,), codec)
    if metric:
        parts["scorer"] = type("Metric", (Metric,), metric)
    if parts:
        globals()[f"{name}Task"] = type(f"{name}Task", (Task,), parts)
        changes["task"] = Ref(f"task_defects:{name}Task")
    return type(f"Test{name}", (TestCorrect,), {"plugin_module": module, "offer": replace(OFFER, **changes)})


def noisy(self, sample):
    return (np.array([[sample, np.random.default_rng().random()]], np.float32),)


def keeps(self, outputs):
    self.last = outputs[0]
    return Codec.decode(self, outputs)


def scribbles(self, outputs):
    response = Codec.decode(self, outputs)
    outputs[0][0, 0] += 5
    return response


def update_in_order(self, index, response):
    """Takes responses for those of samples 0, 1, 2, …"""
    self.right += (self.count + 1) * (int.from_bytes(response, "little") == self.dataset.truth(index))
    self.right *= 1 + index
    self.count += 1


DEFECTS = {
    "test_plugin_module_is_light": broken("Heavy", module="numpy"),
    "test_hook_api_is_a_literal": broken("Constant", module="mlperf_mobile.registry"),
    "test_offer_speaks_this_core": broken("Newer", hook_api=(2, 99)),
    "test_offer_tells_what_it_is": broken("Wordy", name="two words"),
    "test_unknown_options_are_refused": broken("Lax", options=Ref("task_defects:Anything")),
    "test_every_test_is_the_kits_own": type(
        "TestOverride", (TestCorrect,), {"test_order_does_not_matter": lambda self: None}
    ),
    "test_settings_can_be_read": broken("NoDefault", settings="kit_settings:no_dataset.yaml"),
    "test_settings_hold_known_keys_only": broken("Typo", settings="kit_settings:typo.yaml"),
    "test_encoded_samples_match_the_specs": broken(
        "Strided", codec={"encode": lambda self, sample: (np.zeros((1, 4), np.float32)[:, ::2],)}
    ),
    "test_encoding_is_repeatable": broken("Noisy", codec={"encode": noisy}),
    "test_recipes_tell_encodings_apart": broken("Vague", codec={"recipe": "numbers"}),
    "test_decoding_gives_bytes": broken("Text", codec={"decode": lambda self, outputs: "7"}),
    "test_decoding_keeps_no_reference": broken("Keeper", codec={"decode": keeps}),
    "test_decoding_leaves_outputs_alone": broken("Scribbler", codec={"decode": scribbles}),
    "test_misfit_models_are_refused": broken("Trusting", {"bind": lambda self, inputs, outputs: Codec()}),
    "test_perfect_responses_beat_wrong_ones": broken(
        "Generous", metric={"score": lambda self: Score("exact", 1.0, self.count)}
    ),
    "test_order_does_not_matter": broken("Ordered", metric={"update": update_in_order}),
    "test_foreign_responses_are_refused": broken("Gullible", metric={"update": lambda self, index, response: None}),
}
globals().update({case.__name__: case for case in DEFECTS.values()})
