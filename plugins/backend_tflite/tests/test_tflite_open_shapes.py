"""Models that leave sizes open are sized as asked for, or refused by name; never measured at size 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.backend_checks import OpenShapes
from mlperf_mobile.contracts import Artifact, CompileRequest, TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.options import TFLiteOptions

PIXELS = np.random.default_rng(1).uniform(-1, 1, (1, 8, 8, 3)).astype(np.float32)


def sized(models: Path, name: str, batch: int = 1, accelerator: str = "cpu", options=None, **shapes):
    backend = TFLiteBackend(TFLiteOptions.model_validate(options or {}))
    return backend.load(
        backend.compile(CompileRequest(models / f"{name}.tflite", accelerator, batch, input_shapes=shapes))
    )


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("open_row", "x float32[1,?]"),
        ("open_image", "image float32[1,?,?,3]"),
        ("open_two", "p float32[1,?], q int32[1,?]"),
    ],
)
@pytest.mark.parametrize("batch", [1, 3])
def test_open_inputs_are_refused_by_name(models: Path, model: str, told: str, batch: int) -> None:
    with pytest.raises(OpenShapes) as error:
        sized(models, model, batch)
    assert error.value.code == "open-shape"
    assert error.value.exit_code == 3
    assert told in error.value.summary
    assert "--set input_shapes" in error.value.hint


def test_it_gives_what_the_fixed_model_gives_bit_for_bit(models: Path) -> None:
    """The same graph, converted with the sizes, is the independent source."""
    with sized(models, "open_image", image=(1, 8, 8, 3)) as one, sized(models, "fixed_image") as other:
        assert one.inputs == other.inputs == (TensorSpec("image", (1, 8, 8, 3), np.dtype(np.float32)),)
        assert one.outputs == other.outputs
        assert one.run((PIXELS,))[0].tobytes() == other.run((PIXELS,))[0].tobytes()


def test_output_shapes_are_read_after_sizing(models: Path) -> None:
    with sized(models, "open_row", x=(1, 5)) as session:
        assert session.outputs[0].shape == (1, 5)
        np.testing.assert_array_equal(session.run((np.arange(5, dtype=np.float32)[None],))[0], [[0, 2, 4, 6, 8]])


def test_several_inputs(models: Path) -> None:
    with sized(models, "open_two", p=(1, 3), q=(1, 2)) as session:
        total, count = session.run((np.ones((1, 3), np.float32), np.full((1, 2), 3, np.int32)))
        assert (total.tolist(), count.tolist()) == ([[2, 2, 2]], [[9, 9]])
    with pytest.raises(OpenShapes) as error:
        sized(models, "open_two", p=(1, 3))
    assert "q int32[1,?]" in error.value.summary
    assert "p float32" not in error.value.summary


def test_batches_of_sized_inputs(models: Path) -> None:
    samples = [(PIXELS * factor,) for factor in (1, 2, -1)]
    with sized(models, "open_image", 3, image=(1, 8, 8, 3)) as many, sized(models, "fixed_image") as one:
        assert many.inputs == one.inputs
        answers = [outputs[0].copy() for outputs in many.run_batch(samples)]
        for sample, answer in zip(samples, answers, strict=True):
            np.testing.assert_allclose(answer, one.run(sample)[0], rtol=1e-5, atol=1e-6)
    with sized(models, "open_row", 2, x=(1, 3)) as session:
        assert session.outputs[0].shape == (1, 3)
        (y,) = session.run_batch([(np.ones((1, 3), np.float32),)])[0]
        assert y.tolist() == [[2, 2, 2]]


def test_an_open_first_dimension_counts_samples(models: Path) -> None:
    row = np.array([[1, 2, 3, 4]], np.float32)
    with sized(models, "open_batch") as session:
        assert session.inputs == (TensorSpec("x", (1, 4), np.dtype(np.float32)),)
        assert session.run((row,))[0].tolist() == [[2, 4, 6, 8]]
    with sized(models, "open_batch", 3) as session:
        assert [outputs[0].tolist() for outputs in session.run_batch([(row,), (2 * row,)])] == [
            [[2, 4, 6, 8]], [[4, 8, 12, 16]],
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "shapes", "says"),
    [
        (
            "fixed_image",
            {"image": (1, 9, 8, 3)},
            r"image of fixed_image.tflite is float32\[1,8,8,3\], which \[1,9,8,3\]",
        ),
        ("open_image", {"image": (1, 8, 8, 1)}, r"which \[1,8,8,1\] does not fit"),
        ("open_image", {"image": (8, 8, 3)}, r"which \[8,8,3\] does not fit"),
        ("open_image", {"image": (2, 8, 8, 3)}, r"which \[2,8,8,3\] does not fit"),
        ("open_image", {"image": (1, 0, 8, 3)}, r"which \[1,0,8,3\] does not fit"),
        ("open_image", {"image": (1, -1, 8, 3)}, r"which \[1,-1,8,3\] does not fit"),
        ("open_image", {"imgae": (1, 8, 8, 3)}, "has no input 'imgae'"),
        ("add", {"x": (1, 5)}, r"which \[1,5\] does not fit"),
    ],
)
@pytest.mark.parametrize("batch", [1, 2])
def test_shapes_that_do_not_fit(models: Path, model: str, shapes: dict[str, tuple[int, ...]], says: str, batch: int):
    with pytest.raises(ModelError, match=says) as error:
        sized(models, model, batch, **shapes)
    assert error.value.code == "input-shapes"


def test_shapes_that_are_the_models_own(models: Path) -> None:
    with sized(models, "fixed_image", image=(1, 8, 8, 3)) as session:
        assert session.inputs[0].shape == (1, 8, 8, 3)


@pytest.mark.parametrize("dynamic", ["0", "1"])
def test_with_a_delegate(models: Path, delegate: str, dynamic: str) -> None:
    """The delegate's part is still told from XNNPACK's after an input was resized."""
    options = {"delegate": delegate, "delegate_options": {"dynamic": dynamic}}
    row = np.arange(4, dtype=np.float32)[None]
    with sized(models, "open_row", 1, "delegate", options, x=(1, 4)) as session:
        assert session.run((row,))[0].tolist() == [[0, 2, 4, 6]]
        assert session.placement().operations == {"delegate": 1}


def test_an_artifact_without_shapes_is_refused_too(models: Path) -> None:
    with pytest.raises(OpenShapes):
        TFLiteBackend(TFLiteOptions()).load(Artifact(models / "open_row.tflite", "cpu", 1))
