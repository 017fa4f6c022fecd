"""Text-to-image pipelines: DDIM's numbers, what is read of a pipeline, and parts that do not fit."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.contracts import CompileRequest, NativePlace, NativeRequest, Placement, TensorSpec
from mlperf_mobile.errors import BackendError, MobileError, ModelError
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.diffusion import description
from mlperf_mobile_backend_tflite.diffusion.ddim import kept_shares, schedule
from mlperf_mobile_backend_tflite.diffusion.session import DiffusionSession
from mlperf_mobile_backend_tflite.formats import declared_tensors
from mlperf_mobile_backend_tflite.options import TFLiteOptions

MODELS = Path(__file__).with_name("models")
STEPS = tuple(range(951, 0, -50))
ABOUT = {
    "kind": "diffusion", "text_encoder": "text.tflite", "denoiser": "denoiser.tflite", "decoder": "decoder.tflite",
    "noise": "noise.npy", "time_embeddings": "time.bin", "unconditional": [7, 9],
}  # fmt: skip
F32, I32 = np.dtype(np.float32), np.dtype(np.int32)


def table(steps, rows):
    return (
        np.array([len(steps)], "<u4").tobytes()
        + np.array(steps, "<i4").tobytes()
        + np.asarray(rows, "<f4").tobytes()
    )  # fmt: skip


def npy(value):
    file = io.BytesIO()
    np.save(file, value)
    return file.getvalue()


NOISE = np.random.default_rng(0).standard_normal((1, 2, 2, 3), np.float32)
ROWS = np.random.default_rng(1).standard_normal((20, 5), np.float32)


@pytest.fixture
def pipeline(tmp_path):
    """Writes a pipeline, and returns its description's path and its files; parts are files of another model."""

    def write(about=None, **files):
        written = {
            "p.tflite-pipeline": json.dumps({**ABOUT, **(about or {})}).encode(), "noise.npy": npy(NOISE),
            "time.bin": table(STEPS[::-1], ROWS[::-1]), **dict.fromkeys(
                ("text.tflite", "denoiser.tflite", "decoder.tflite"), (MODELS / "no_batch.tflite").read_bytes()
            ),
        }  # fmt: skip
        for name, data in {**written, **{name.replace("__", "."): data for name, data in files.items()}}.items():
            (tmp_path / name).write_bytes(data)
        found = {path.name: path for path in tmp_path.iterdir()}
        return found["p.tflite-pipeline"], found

    return write


class Part:
    """A part that computes a function."""

    def __init__(self, inputs, outputs, function):
        self.inputs, self.outputs, self._function, self.seen, self.open = inputs, outputs, function, [], True

    def run(self, tensors):
        assert [(t.shape, t.dtype) for t in tensors] == [(spec.shape, spec.dtype) for spec in self.inputs]
        self.seen.append(tuple(t.copy() for t in tensors))
        return (self._function(*tensors),)

    def placement(self):
        return Placement({"cpu": 3}, {"xnnpack": 2, "builtin": 1}, {"cpu": {"ADD": 3}})

    def __exit__(self, *exc):
        self.open = False


def encode(ids):
    return np.sin(ids.astype(np.float32))[:, :3] * np.float32(0.5)


def denoise(time, latent, context):
    """Something that depends on everything."""
    mixed = 0.3 * latent + context.mean() - 0.1 * time.sum() + 0.05 * np.roll(latent, 1, axis=3)
    return np.tanh(mixed).astype(np.float32)


def decode(latent):
    return np.tanh(latent[:, :, :, ::-1])


def parts(**other):
    made = {
        "text_encoder": Part((TensorSpec("ids", (1, 4), I32),), (TensorSpec("c", (1, 3), F32),), encode),
        "denoiser": Part(
            (TensorSpec("t", (1, 5), F32), TensorSpec("z", (1, 2, 2, 3), F32), TensorSpec("c", (1, 3), F32)),
            (TensorSpec("e", (1, 2, 2, 3), F32),), denoise,
        ),
        "decoder": Part((TensorSpec("z", (1, 2, 2, 3), F32),), (TensorSpec("x", (1, 2, 2, 3), F32),), decode),
    }  # fmt: skip
    return made | other


def read(pipeline, **more):
    return description.read(*pipeline(**more))


def by_hand(ids, guidance=7.5):
    """The picture by the formulas of the reference app, in float64, with nothing of the code under test."""
    betas = np.array([(0.00085**0.5 + (0.012**0.5 - 0.00085**0.5) * n / 999) ** 2 for n in range(1000)])
    alphas = [np.prod(1 - betas[: n + 1]) for n in range(1000)]
    context, empty = encode(ids), encode(np.array([[7, 9, 9, 9]], np.int32))
    latent = NOISE.astype(np.float64)
    for number, step in enumerate(STEPS):
        time = ROWS[number][None]
        a, after = alphas[step], alphas[STEPS[number + 1]] if number + 1 < len(STEPS) else 1.0
        u, c = (denoise(time, latent.astype(np.float32), each).astype(np.float64) for each in (empty, context))
        noise = u + guidance * (c - u)
        clean = (latent - np.sqrt(1 - a) * noise) / np.sqrt(a)
        latent = np.sqrt(after) * clean + np.sqrt(1 - after) * noise
    return decode(latent)


class TestSession:
    def test_gives_the_picture_of_the_formulas(self, pipeline):
        ids = np.array([[1, 2, 3, 9]], np.int32)
        with DiffusionSession("p", read(pipeline), parts()) as session:
            assert [str(spec) for spec in session.inputs + session.outputs] == ["int32[1,4]", "float32[1,2,2,3]"]
            (image,) = session.run((ids,))
            np.testing.assert_allclose(image, by_hand(ids), rtol=0, atol=1e-5)
            np.testing.assert_array_equal(session.run((ids,))[0], image)

    def test_calls_its_parts_as_the_reference_app_does(self, pipeline):
        made, found = parts(), read(pipeline)
        with DiffusionSession("p", found, made) as session:
            session.run((np.array([[1, 2, 3, 9]], np.int32),))
            assert session.steps == 20
            report = session.report()
            assert session.placement() == Placement({"cpu": 9}, {"xnnpack": 6, "builtin": 3}, {"cpu": {"ADD": 9}})
        assert [len(part.seen) for part in made.values()] == [2, 40, 1]
        assert made["text_encoder"].seen[1][0].tolist() == [[7, 9, 9, 9]]
        contexts = [call[2] for call in made["denoiser"].seen]
        np.testing.assert_array_equal(contexts[0], encode(np.array([[7, 9, 9, 9]])))  # without the text first
        np.testing.assert_array_equal(contexts[1], encode(np.array([[1, 2, 3, 9]])))
        np.testing.assert_array_equal([call[0][0] for call in made["denoiser"].seen[::2]], ROWS)
        assert not any(part.open for part in made.values())
        assert (report["images"], report["steps"], report["guidance"]) == (1, 20, 7.5)
        assert [part["calls"] for part in report["parts"].values()] == [2, 40, 1]
        assert len(report["noise_sha256"]) == 64

    def test_gives_positions_to_an_encoder_that_takes_them(self, pipeline):
        ids = (TensorSpec("positions", (1, 4), I32), TensorSpec("ids", (1, 4), I32))
        encoder = Part(ids, (TensorSpec("c", (1, 3), F32),), lambda positions, ids: encode(ids + 0 * positions))
        with DiffusionSession("p", read(pipeline, about={"positions": 0}), parts(text_encoder=encoder)) as session:
            session.run((np.array([[1, 2, 3, 9]], np.int32),))
        assert encoder.seen[0][0].tolist() == [[0, 1, 2, 3]]
        assert encoder.seen[0][1].tolist() == [[1, 2, 3, 9]]

    @pytest.mark.parametrize(
        ("part", "inputs", "outputs", "words"),
        [
            ("text_encoder", [("ids", (1, 4), F32)], [("c", (1, 3), F32)], "takes float32[1,4], not 1 of int32[1,n]"),
            ("text_encoder", [("ids", (1, 4), I32)], [("c", (1, 3), I32)], "gives int32[1,3]"),
            ("denoiser", [("z", (1, 2, 2, 3), F32)], [("e", (1, 2, 2, 3), F32)], "latent, context and time are"),
            ("decoder", [("z", (1, 4, 4, 3), F32)], [("x", (1, 2, 2, 3), F32)], "the latent is float32[1, 2, 2, 3]"),
        ],
    )
    def test_refuses_parts_that_do_not_fit(self, pipeline, part, inputs, outputs, words):
        specs = [tuple(TensorSpec(*spec) for spec in each) for each in (inputs, outputs)]
        with pytest.raises(ModelError) as caught:
            DiffusionSession("p", read(pipeline), parts(**{part: Part(*specs, None)}))
        assert caught.value.code == "pipeline-parts"
        assert words in caught.value.summary


def test_the_schedule_is_that_of_diffusers():
    """With the library that Stable Diffusion's own code uses, where it is installed."""
    diffusers, torch = pytest.importorskip("diffusers"), pytest.importorskip("torch")
    scheduler = diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=True,
        steps_offset=1, num_train_timesteps=1000,
    )  # fmt: skip
    scheduler.set_timesteps(20)
    assert scheduler.timesteps.tolist() == list(STEPS)
    latent, noise = (np.random.default_rng(n).standard_normal((1, 4, 8, 8), np.float32) for n in (2, 3))
    for number, step in enumerate(schedule(STEPS, kept_shares(0.00085, 0.012, 1000))):
        if number + 1 < len(STEPS):  # its last step ends at step -49, which it takes for 1
            theirs = scheduler.step(torch.from_numpy(noise), STEPS[number], torch.from_numpy(latent)).prev_sample
            np.testing.assert_allclose(step.apply(latent, noise), theirs.numpy(), rtol=1e-5, atol=1e-5)


class TestFiles:
    def test_are_read(self, pipeline):
        found = read(pipeline)
        assert found.steps == STEPS
        np.testing.assert_array_equal(found.embeddings, ROWS)
        np.testing.assert_array_equal(found.noise, NOISE)

    @pytest.mark.parametrize(
        ("what", "words"),
        [
            ({"about": {"denoiser": "../x"}}, "'../x', which is not a file of the model"),
            ({"about": {"guidance": float("nan")}}, "guidance"),
            ({"about": {"kind": "other"}}, "kind"),
            ({"about": {"more": 1}}, "more"),
            ({"about": {"betas": [0.5, 0.1]}}, "betas"),
            ({"about": {"unconditional": []}}, "unconditional"),
            ({"p__tflite-pipeline": b"\xff{"}, "p.tflite-pipeline"),
            ({"noise__npy": b"no"}, "not a .npy file"),
            ({"noise__npy": npy(NOISE.astype(np.float64))}, "float64[1,2,2,3], not float32"),
            ({"noise__npy": npy(NOISE[0])}, "float32[2,2,3], not"),
            ({"noise__npy": npy(NOISE * np.float32("nan"))}, "not finite"),
            ({"noise__npy": npy(np.array([None], object))}, "not a .npy file"),
            ({"time__bin": b""}, "0 bytes"),
            ({"time__bin": b"\xff\xff\xff\xff" + bytes(100)}, "do not hold 4294967295 steps"),
            ({"time__bin": table([1, 1], np.ones((2, 5)))}, "different numbers from 0 to 999"),
            ({"time__bin": table([1, 1000], np.ones((2, 5)))}, "different numbers from 0 to 999"),
            ({"time__bin": table([1, 2], np.full((2, 5), np.inf))}, "not finite"),
        ],
    )
    def test_that_are_damaged(self, pipeline, what, words):
        with pytest.raises(ModelError) as caught:
            read(pipeline, **what)
        assert caught.value.code == "pipeline-damaged"
        assert words in caught.value.summary

    @given(st.binary(max_size=300))
    def test_of_any_bytes_never_crash(self, tmp_path_factory, data):
        folder = tmp_path_factory.getbasetemp()
        paths = {name: folder / name for name in ("about", "noise", "time")}
        about = {**ABOUT, "noise": "noise", "time_embeddings": "time", "text_encoder": "about", "denoiser": "about"}
        paths["about"].write_text(json.dumps(about | {"decoder": "about"}))
        for name in ("noise", "time"):
            paths["noise"].write_bytes(npy(NOISE))
            paths["time"].write_bytes(table(STEPS, ROWS))
            paths[name].write_bytes(data)
            try:
                description.read(paths["about"], paths)
            except ModelError as error:
                assert error.code == "pipeline-damaged"


class TestBackend:
    @pytest.fixture
    def backend(self):
        return TFLiteBackend(TFLiteOptions())

    def refused(self, backend, request):
        with pytest.raises(MobileError) as caught:
            backend.load(backend.compile(request))
        return caught.value

    def test_refuses_what_does_not_fit(self, backend, pipeline):
        model, files = pipeline()
        request = CompileRequest(model, "cpu", files=files, format="tflite-pipeline")
        assert self.refused(backend, request).code == "pipeline-parts"
        (files["decoder.tflite"]).write_bytes(b"no model")
        assert self.refused(backend, request).code == "model-not-tflite"
        assert self.refused(backend, CompileRequest(model, "cpu", 2, files=files)).code == "model-batch"
        del files["noise.npy"]
        assert self.refused(backend, CompileRequest(model, "cpu", files=files)).code == "pipeline-damaged"

    def test_says_what_it_cannot_do_with_one(self, backend, pipeline):
        model, files = pipeline()
        assert declared_tensors(model) is None
        with pytest.raises(BackendError, match="trace one of its parts"):
            backend.trace(backend.compile(CompileRequest(model, "cpu", files=files)), ())
        place = NativePlace(system="linux", machine="x86_64", same=True)
        with pytest.raises(BackendError, match="a pipeline of several"):
            backend.native(NativeRequest(model=model, accelerator="cpu", place=place, files=files))
