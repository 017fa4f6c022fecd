"""Real models build completely, and what the stand-in computes is as near to TensorFlow Lite as its own kernels are.

No two kernel libraries agree to the bit. XNNPACK, LiteRT's optimised kernels and its reference kernels sum in
different orders and round at different places, and differ among themselves on the same inputs. The stand-in must lie no
further from the nearest of them than they lie from each other. That spread is measured here, and bounded, too: by the
first number of each pair below; the second one bounds the stand-in's distance. For quantised outputs both are in steps
of the output's scale; for floats they are relative to the standard deviation of the output.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

litert = pytest.importorskip("ai_edge_litert.interpreter")

KERNELS = (
    litert.OpResolverType.AUTO,  # XNNPACK
    litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    litert.OpResolverType.BUILTIN_REF,
)

MODELS = sorted((Path(__file__).parents[3] / "tasks").glob("*/src/*/quickstart/*.tflite"))
CLASSES_OF_PIXELS = [path for path in MODELS if path.stem == "fashion_segmenter_int8"]
GENERATIVE = ("language_model", "text_to_image")  # caches and pipelines, which need the tflite backend
QUICKSTART = [path for path in MODELS if path not in CLASSES_OF_PIXELS and not set(GENERATIVE).intersection(path.parts)]

FLOAT, STEPS = (4e-5, 2e-5), (5, 3)
"""Most models: float32 sums in another order; int8 layers rounded at other places."""

OTHERS = {
    "deeplabv3_float": FLOAT,
    "ssd_mobilenetv2_oidv4_fp16": FLOAT,
    "efficientnet_lite0_uint8": (4, 1),
    "esrgan_slim_x2_uint8": (4, 4),
    # TensorFlow Lite quantises the activations of operators with 8-bit weights while it runs, XNNPACK in another way
    # than its own kernels. NNAPI has no such operations: the network computes with floats, and is nearer to the truth.
    "mobilebert_qa_random_dynint8": (0.1, 0.05),
}


def outputs(model: Path, kernels, sample):
    """Of one run, or None where these kernels do not have all operations."""
    try:
        interpreter = litert.Interpreter(model_path=str(model), experimental_op_resolver_type=kernels, num_threads=1)
    except (RuntimeError, ValueError):
        return None
    interpreter.allocate_tensors()
    for detail, tensor in zip(interpreter.get_input_details(), sample, strict=True):
        interpreter.set_tensor(detail["index"], tensor)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def random_tensor(rng, spec):
    if spec.dtype.kind == "f":
        return rng.uniform(-1, 1, spec.shape).astype(spec.dtype)
    if spec.dtype.itemsize > 1:  # indices of words, and masks
        return rng.integers(0, 2, spec.shape).astype(spec.dtype)
    info = np.iinfo(spec.dtype)
    return rng.integers(info.min, info.max + 1, spec.shape).astype(spec.dtype)


def distance(one, other):
    """The largest difference: in steps, or for floats in standard deviations."""
    difference = np.abs(one.astype(np.float64) - other.astype(np.float64)).max()
    return difference / other.std() if other.dtype.kind == "f" else difference


def check(session, model, limits):
    """Two random samples: spread of TensorFlow Lite's kernels, and distance of the stand-in from the nearest."""
    rng = np.random.default_rng(0)
    spread = furthest = 0.0
    for _ in range(2):
        sample = tuple(random_tensor(rng, spec) for spec in session.inputs)
        known = [told for kernels in KERNELS if (told := outputs(model, kernels, sample))]
        assert len(known) >= 2
        ours = [y.copy() for y in session.run(sample)]
        for index, y in enumerate(ours):
            theirs = [each[index] for each in known]
            assert (y.shape, y.dtype) == (theirs[0].shape, theirs[0].dtype)
            spread = max(spread, *(distance(other, theirs[0]) for other in theirs[1:]))
            furthest = max(furthest, min(distance(y, other) for other in theirs))
    print(f"{model.name}: spread {spread:.3g}, stand-in {furthest:.3g}")
    assert spread <= limits[0]
    assert furthest <= min(limits[1], spread)


@pytest.mark.slow
@pytest.mark.parametrize("model", QUICKSTART, ids=lambda path: path.stem)
def test_quickstart_models(backend, load, model):
    with load(backend(), model) as session:
        assert set(session.placement().operations) == {"npu"}
        check(session, model, STEPS if session.outputs[0].dtype.itemsize == 1 else FLOAT)


@pytest.mark.slow
@pytest.mark.parametrize("model", CLASSES_OF_PIXELS, ids=lambda path: path.stem)
def test_classes_of_pixels(backend, load, model):
    """An argmax flips where two classes are equal but for rounding: XNNPACK and LiteRT's kernels differ, too."""
    rng = np.random.default_rng(0)
    with load(backend(), model) as session:
        sample = tuple(random_tensor(rng, spec) for spec in session.inputs)
        ours = session.run(sample)[0]
        theirs = [told[0] for kernels in KERNELS if (told := outputs(model, kernels, sample))]
        spread, distance = np.mean(theirs[0] != theirs[1]), min(np.mean(ours != other) for other in theirs)
        print(f"{model.name}: spread {spread:.3g}, stand-in {distance:.3g}")
        assert spread < 0.03
        assert distance <= spread


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize(("name", "limits"), OTHERS.items(), ids=OTHERS)
def test_real_models(backend, load, shared, name, limits):
    model = shared / f"{name}.tflite"
    with load(backend(), model) as session:
        assert set(session.placement().operations) == {"npu"}
        check(session, model, limits)
