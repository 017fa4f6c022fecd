"""The task and its data sets pass the conformance kit."""

from __future__ import annotations

import json
from dataclasses import astuple
from importlib.resources import files

import numpy as np
import pytest
from tfrecord_files import write_tfrecord

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile.testing.dataset import DatasetConformance
from mlperf_mobile.testing.task import TaskConformance
from mlperf_mobile.testing.task_settings import Target
from mlperf_mobile_task_text_to_image import plugin
from mlperf_mobile_task_text_to_image.captions import Captions
from mlperf_mobile_task_text_to_image.coco_gen import CocoGen
from mlperf_mobile_task_text_to_image.options import CaptionOptions
from mlperf_mobile_task_text_to_image.task import TextToImage

DATASETS = {info.name: info for info in plugin.mlperf_mobile_datasets()}
PACKAGE = "mlperf_mobile_task_text_to_image"
PLUGIN = f"{PACKAGE}.plugin"
QUICKSTART = files(PACKAGE) / "quickstart"
RATIO = 0.98
IDS, IMAGE = TensorSpec("ids", (1, 8), np.dtype(np.int32)), TensorSpec("image", (1, 32, 32, 3), np.dtype(np.float32))
COLOURS = {
    "red": (0.9, 0.1, 0.1), "green": (0.1, 0.65, 0.2), "blue": (0.1, 0.25, 0.95), "yellow": (0.98, 0.88, 0.1),
    "white": (0.97, 0.97, 0.97), "black": (0.05, 0.05, 0.05), "purple": (0.55, 0.1, 0.7), "orange": (1, 0.5, 0.05),
}  # fmt: skip


def drawn(text):
    """A picture of a caption in [-1, 1], float32 [1, 32, 32, 3], drawn without the code of the training scripts."""
    _, colour, shape, _, ground = text.split()
    y, x = (np.mgrid[:32, :32] - 15.5) / 8
    far = np.hypot(x, y)
    inside = {
        "circle": far < 1, "square": (abs(x) < 0.85) & (abs(y) < 0.85),
        "triangle": (y < 0.8) & (abs(x) < 0.6 * (y + 1)),
        "cross": ((abs(x) < 0.3) | (abs(y) < 0.3)) & (abs(x) < 1) & (abs(y) < 1), "ring": (far < 1) & (far > 0.55),
        "stripe": abs(x + y) < 0.45,
    }[shape][..., None]  # fmt: skip
    return (np.where(inside, COLOURS[colour], COLOURS[ground]) * 2 - 1).astype(np.float32)[None]


def some_captions(path, count=4):
    lines = (QUICKSTART / "captions.jsonl").read_text().splitlines()[:count]
    path.write_text("\n".join(lines) + "\n\n")
    return path


@pytest.fixture
def scored():
    """Options with the packaged scorer."""
    return CaptionOptions(clip_model=str(QUICKSTART / "shapes_clip.tflite"))


class TestTask(TaskConformance):
    plugin_module = PLUGIN

    @pytest.fixture
    def info(self):
        return next(iter(plugin.mlperf_mobile_tasks()))

    @pytest.fixture
    def targets(self):
        """A share of what the float32 pipeline reached after training."""
        reference = json.loads((QUICKSTART / "quickstart.json").read_text())["float32"]["clip"]
        return [Target(f"shapes_{n}", "shape_captions", "CLIP", reference, RATIO) for n in ("int8", "float32")]

    @pytest.fixture
    def inputs(self):
        return [IDS]

    @pytest.fixture
    def outputs(self):
        return [IMAGE]

    @pytest.fixture
    def dataset(self, tmp_path, scored):
        return Captions(some_captions(tmp_path / "captions.jsonl"), scored)

    @pytest.fixture
    def perfect(self, dataset):
        return [(drawn(dataset.sample(n).text),) for n in range(len(dataset))]

    def test_pictures_are_truncated_to_bytes(self):
        """(x + 1) / 2 · 255 by hand: 0 is 127.5; beyond black and white there is nothing."""
        codec = TextToImage().bind([IDS], [TensorSpec("image", (1, 1, 2, 3), np.dtype(np.float32))])
        values = np.array([-1, 0, 1, -1.5, 2, 0.5], np.float32).reshape(1, 1, 2, 3)
        assert [*codec.decode((values,))] == [0, 127, 255, 0, 255, 191]

    def test_captions_of_another_length_are_refused(self, dataset):
        codec = TextToImage().bind([TensorSpec("ids", (1, 77), np.dtype(np.int32))], [IMAGE])
        with pytest.raises(DataError, match=r"captions.jsonl:1 has 8 tokens, the model takes 77"):
            codec.encode(dataset.sample(0))

    def test_pictures_are_kept(self, dataset, perfect, tmp_path):
        metric, codec = TextToImage().metric(dataset), TextToImage().bind([IDS], [IMAGE])
        metric.update(2, codec.decode(perfect[2]))
        metric.illustrate(tmp_path)
        (path,) = tmp_path.glob("*.png")
        assert path.name == f"0002-{dataset.sample(2).text.replace(' ', '-')}.png"


class CaptionConformance(DatasetConformance):
    plugin_module = PLUGIN

    @staticmethod
    def same(one, other):
        return all(np.array_equal(a, b) for a, b in zip(astuple(one), astuple(other), strict=True))


class TestCaptions(CaptionConformance):
    @pytest.fixture
    def info(self):
        return DATASETS["captions"]

    @pytest.fixture
    def dataset(self, tmp_path):
        return Captions(some_captions(tmp_path / "captions.jsonl"), CaptionOptions())


def record(number, **more):
    ids = [49406, 320 + number, *[49407] * 75]
    mask = [1, 1, 1] + [0] * 74
    return {
        "caption_id": [number], "caption": [f"a photograph, {number}"], "input_ids": ids, "attention_mask": mask,
        "file_name": ["a.jpg"],
    } | more  # fmt: skip


class TestCocoGen(CaptionConformance):
    @pytest.fixture
    def info(self):
        return DATASETS["coco_gen"]

    @pytest.fixture
    def dataset(self, tmp_path):
        path = tmp_path / "coco.tfrecord"
        write_tfrecord(path, [record(n) for n in range(3)])
        return CocoGen(path, CaptionOptions())

    def test_the_records_of_the_reference_app(self, dataset):
        caption = dataset.sample(1)
        assert caption.text == "a photograph, 1"
        assert caption.ids.tolist() == [49406, 321, *[49407] * 75]
        assert caption.mask.sum() == 3

    @pytest.mark.parametrize("more", [{"attention_mask": [1] * 76}, {"input_ids": []}, {"attention_mask": [2] * 77}])
    def test_damaged_records(self, tmp_path, more):
        path = tmp_path / "bad.tfrecord"
        write_tfrecord(path, [record(0, **more)])
        with pytest.raises(DataError, match="record 0"):
            CocoGen(path, CaptionOptions()).sample(0)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"caption": "a"}', "input_ids"),
        ('{"caption": "a", "input_ids": []}', "input_ids"),
        ('{"caption": "a", "input_ids": [-1]}', "input_ids.0"),
        ('{"caption": "a", "input_ids": [1], "attention_mask": [1, 1]}', "1 ids, but a mask of 2"),
        ('{"caption": 1, "input_ids": [1]}', "caption"),
        ("[" * 100_000, "captions.jsonl:1"),
        ("no", "captions.jsonl:1"),
        ("\ufffe", "captions.jsonl:1"),
    ],
)
def test_lines_that_are_no_captions(tmp_path, line, words):
    path = tmp_path / "captions.jsonl"
    path.write_text(line)
    with pytest.raises(DataError, match=words) as caught:
        Captions(path, CaptionOptions())
    assert caught.value.code == "data-damaged"


class TestClipModels:
    def test_there_must_be_one(self, tmp_path):
        dataset = Captions(some_captions(tmp_path / "captions.jsonl"), CaptionOptions())
        with pytest.raises(DataError, match="no CLIP model") as caught:
            TextToImage().metric(dataset)
        assert caught.value.code == "clip-model"

    @pytest.mark.parametrize("name", ["decoder_int8.tflite", "text_encoder_float32.tflite"])
    def test_of_another_kind(self, tmp_path, name):
        options = CaptionOptions(clip_model=str(QUICKSTART / name))
        with pytest.raises(DataError) as caught:
            TextToImage().metric(Captions(some_captions(tmp_path / "captions.jsonl"), options))
        assert caught.value.code == "clip-model"

    def test_that_are_no_models(self, tmp_path):
        options = CaptionOptions(clip_model=str(QUICKSTART / "captions.jsonl"))
        with pytest.raises(ModelError):
            TextToImage().metric(Captions(some_captions(tmp_path / "captions.jsonl"), options))
