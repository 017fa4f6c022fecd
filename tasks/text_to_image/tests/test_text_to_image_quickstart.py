"""The packaged pipeline: its pictures by the formulas alone, and its scores as they were measured after training."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import CompileRequest
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_task_text_to_image.captions import Captions
from mlperf_mobile_task_text_to_image.options import CaptionOptions
from mlperf_mobile_task_text_to_image.task import TextToImage

FOLDER = Path(str(files("mlperf_mobile_task_text_to_image") / "quickstart"))
MEASURED = json.loads((FOLDER / "quickstart.json").read_text())
RATIO = 0.98
CLIP = FOLDER / "shapes_clip.tflite"

try:
    from ai_edge_litert import interpreter as runtime
except ImportError:
    runtime = pytest.importorskip("tflite_runtime.interpreter")


class Bare:
    """A model on a bare interpreter, its inputs by name."""

    def __init__(self, name):
        self._interpreter = runtime.Interpreter(str(FOLDER / name), num_threads=1)
        self._interpreter.allocate_tensors()
        self._inputs = {each["name"]: each["index"] for each in self._interpreter.get_input_details()}
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, **inputs):
        assert inputs.keys() == self._inputs.keys()
        for name, value in inputs.items():
            self._interpreter.set_tensor(self._inputs[name], value)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)


@pytest.fixture
def dataset():
    return Captions(FOLDER / "captions.jsonl", CaptionOptions(clip_model=CLIP))


@pytest.fixture
def open_session():
    def opened(name):
        backend = TFLiteBackend(TFLiteOptions())
        request = CompileRequest(
            FOLDER / f"shapes_{name}.tflite-pipeline", "cpu", files={path.name: path for path in FOLDER.iterdir()}
        )
        return backend.load(backend.compile(request))

    return opened


def by_hand(ids):
    """The float32 pipeline's picture by the reference app's formulas: float64, and nothing of the code under test."""
    encoder, denoiser, decoder = (
        Bare(f"{part}_float32.tflite") for part in ("text_encoder", "denoiser", "decoder")
    )  # fmt: skip
    table = (FOLDER / "time_embeddings.bin").read_bytes()
    steps = np.frombuffer(table, "<i4", 20, 4)
    rows = np.frombuffer(table, "<f4", offset=4 + 80).reshape(20, 64)
    alphas, product = [], 1.0
    for n in range(1000):
        product *= 1 - (math.sqrt(0.00085) + (math.sqrt(0.012) - math.sqrt(0.00085)) * n / 999) ** 2
        alphas.append(product)
    conditional = encoder(input_ids=ids)
    unconditional = encoder(input_ids=np.array([[0] + [1] * 7], np.int32))
    latent = np.load(FOLDER / "noise.npy").astype(np.float64)
    for number in reversed(range(20)):
        feeds = {"latent": latent.astype(np.float32), "time_embedding": rows[number : number + 1]}
        u, c = (denoiser(context=each, **feeds).astype(np.float64) for each in (unconditional, conditional))
        a, after = alphas[steps[number]], alphas[steps[number - 1]] if number else 1.0
        noise = u + 7.5 * (c - u)
        clean = (latent - math.sqrt(1 - a) * noise) / math.sqrt(a)
        latent = math.sqrt(after) * clean + math.sqrt(1 - after) * noise
    return decoder(latent=latent.astype(np.float32))


def test_the_steps_are_those_of_the_reference_app():
    table = (FOLDER / "time_embeddings.bin").read_bytes()
    assert np.frombuffer(table, "<i4", 20, 4).tolist() == list(range(1, 1000, 50))


def test_the_picture_is_that_of_the_formulas(open_session, dataset):
    ids = dataset.sample(3).ids[None]
    with open_session("float32") as session:
        np.testing.assert_allclose(session.run((ids,))[0], by_hand(ids), rtol=0, atol=1e-5)


def test_the_score_is_that_of_the_formula(dataset):
    """logits_per_text of p / 128 - 1, divided by 100, on a bare interpreter."""
    metric, clip = TextToImage().metric(dataset), Bare("shapes_clip.tflite")
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    wanted = []
    for index in (0, 5):
        caption = dataset.sample(index)
        metric.update(index, picture.tobytes())
        pixels = (picture / np.float32(128) - 1).astype(np.float32)[None]
        inputs = {"attention_mask": caption.mask[None], "input_ids": caption.ids[None], "pixel_values": pixels}
        wanted.append(float(clip(**inputs)[0, 0]))
    score = metric.score()
    assert (score.metric, score.samples) == ("CLIP", 2)
    assert score.value == pytest.approx(np.mean(wanted) / 100, abs=1e-6)
    assert score.details == pytest.approx({"lowest": min(wanted) / 100, "highest": max(wanted) / 100}, abs=1e-6)


def test_the_scorer_tells_right_pictures_from_wrong_ones():
    """And the target tells a careful quantisation from careless ones; measured after training."""
    reference = MEASURED["float32"]["clip"]
    target = RATIO * reference
    assert MEASURED["drawn"] > reference > 0.8
    assert abs(MEASURED["drawn for other captions"]) < 0.3
    assert abs(MEASURED["noise"]) < 0.3
    assert MEASURED["int8"]["clip"] > target > MEASURED["4 bits, one scale per tensor"]
    assert target > MEASURED["3 bits"]


@pytest.mark.parametrize("name", ["float32", "int8"])
def test_the_pipelines_score_what_was_measured(open_session, dataset, name):
    """Fewer captions would give another mean; a processor's rounding moves it a little."""
    task = TextToImage()
    with open_session(name) as session:
        codec, metric = task.bind(session.inputs, session.outputs), task.metric(dataset)
        for index in range(len(dataset)):
            metric.update(index, codec.decode(session.run(codec.encode(dataset.sample(index)))))
    assert metric.score().value == pytest.approx(MEASURED[name]["clip"], abs=0.005)
