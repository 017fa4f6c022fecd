"""A correct task, and one broken one for each test of the kit; run by ``test_kit_proofs.py``."""

from __future__ import annotations

import numpy as np
import pytest
from defects import Offered, Proofs

from mlperf_mobile.contracts import Generation, Score, TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile.plugin import HOOK_API, Ref, TaskInfo
from mlperf_mobile.testing.task import TaskConformance
from mlperf_mobile.testing.task_settings import Target


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
    settings="kit_settings:tasks.yaml#good",
    options=Ref("defects:Options"),
    hook_api=HOOK_API,
)
TARGETS = [Target("double", "numbers", "exact", 0.98765, 2 / 3)]
SPEC = TensorSpec("x", (1, 2), np.dtype(np.float32))


class TestCorrect(Offered, TaskConformance):
    plugin_module = "kit_settings.plugin"
    offer = OFFER
    measured = TARGETS

    @pytest.fixture
    def targets(self):
        return self.measured

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


PROOFS = Proofs(TestCorrect, "task")


def broken(name, /, task=None, codec=None, metric=None, **changes):
    """A test class for one defect: what differs from the correct task, its codec and its metric."""
    parts = dict(task or {})
    if codec:
        parts["codec"] = type("Codec", (Codec,), codec)
    if metric:
        parts["scorer"] = type("Metric", (Metric,), metric)
    return PROOFS.broken(name, type(f"{name}Task", (Task,), parts) if parts else None, **changes)


def misdescribed(name, targets=TARGETS):
    """A test class for one defect of the settings: that part of ``kit_settings/tasks.yaml``."""
    case = PROOFS.broken(name.title().replace("_", ""), settings=f"kit_settings:tasks.yaml#{name}")
    case.measured = targets
    return case


def noisy(self, sample):
    return (np.array([[sample, np.random.default_rng().random()]], np.float32),)


def generation(self, mode):
    return Generation(max_new_tokens=4, stop_ids=(2,))


def halves(self, outputs):
    return outputs[0].astype("<i2").tobytes()


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
    **PROOFS.of_any_offer("test_order_does_not_matter"),
    "test_settings_can_be_read": misdescribed("no_dataset"),
    "test_settings_hold_known_keys_only": misdescribed("typo"),
    "test_models_set_known_options": misdescribed("unknown_option"),
    "test_packaged_models_are_named": misdescribed("unnamed_model"),
    "test_packaged_files_have_their_checksums": misdescribed("other_checksum"),
    "test_targets_are_those_measured": misdescribed("other_reference"),
    "test_targets_are_in_the_metric_of_the_task": misdescribed("other_metric"),
    "test_suites_name_known_models_and_data": misdescribed("unknown_to_the_suite"),
    "test_the_quickstart_needs_no_download": misdescribed("model_to_download"),
    "test_encoded_samples_match_the_specs": broken(
        "Strided", codec={"encode": lambda self, sample: (np.zeros((1, 4), np.float32)[:, ::2],)}
    ),
    "test_answers_end": broken("Shortening", {"generation": generation}, codec={"decode": halves}),
    "test_encoding_is_repeatable": broken("Noisy", codec={"encode": noisy}),
    "test_recipes_differ_between_encodings": broken("Vague", codec={"recipe": "numbers"}),
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
MORE = [
    ("test_models_set_known_options", broken("Without", settings="kit_settings:tasks.yaml#good", options=None)),
    ("test_packaged_files_have_their_checksums", misdescribed("no_checksum")),
    ("test_packaged_files_have_their_checksums", misdescribed("other_size")),
    ("test_targets_are_those_measured", misdescribed("other_ratio")),
    ("test_targets_are_those_measured", misdescribed("good", targets=())),
    ("test_the_quickstart_needs_no_download", misdescribed("data_to_download")),
    ("test_the_quickstart_needs_no_download", misdescribed("model_for_other_data")),
]
"""Further defects that a test of the kit catches."""

PASSES = [("test_targets_are_those_measured", misdescribed("two_digits"))]
"""What a test of the kit does not mind."""
PROOFS.publish(*DEFECTS.values(), *(case for _, case in [*MORE, *PASSES]))
