"""The task, bound to models that fit and that do not; preprocessing, and what post-processed models give."""

from __future__ import annotations

import math
import struct
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mlperf_mobile.contracts import Recipe, TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_images.image import Image
from mlperf_mobile_task_object_detection.options import TaskOptions
from mlperf_mobile_task_object_detection.task import ObjectDetection

F = np.float32
IMAGE = TensorSpec("image", (1, 32, 32, 3), np.dtype(F))
SHAPES = {"boxes": (1, 10, 4), "classes": (1, 10), "scores": (1, 10), "count": (1,)}


def spec(shape, dtype="float32", name="t", scale=0.0, zero=0):
    return TensorSpec(name, tuple(shape), np.dtype(dtype), scale, zero)


def bind(outputs, inputs=(IMAGE,), **options):
    return ObjectDetection(TaskOptions.model_validate(options)).bind(list(inputs), outputs)


def detections(response):
    """The response by the reference app's format: seven little-endian floats each."""
    return [struct.unpack_from("<7f", response, place) for place in range(0, len(response), 28)]


def tensors(count, order=tuple(SHAPES)):
    """Ten detections of distinct numbers, of which ``count`` are real."""
    values = {
        "boxes": np.arange(40, dtype=F).reshape(1, 10, 4) / 40,
        "classes": np.arange(10, dtype=F)[None],
        "scores": 1 - np.arange(10, dtype=F)[None] / 10,
        "count": np.array([count], F),
    }
    return tuple(values[part] for part in order)


OFFICIAL = [spec(shape, name=f"t{n}") for n, shape in enumerate(SHAPES.values())]
EXPECTED = [(-1.0, *(F((4 * n + k) / 40) for k in range(4)), F(1) - F(n) / F(10), n + 1.0) for n in range(10)]


class TestInputs:
    @pytest.mark.parametrize(
        "inputs",
        [
            [],
            [IMAGE, IMAGE],
            [spec((1, 4))],
            [spec((1, 3, 32, 32))],
            [spec((1, 32, 32, 3), "int32")],
            [spec((2, 8, 8, 3))],
        ],
    )
    def test_models_that_take_no_image(self, inputs):
        with pytest.raises(ModelError) as caught:
            bind(OFFICIAL, inputs)
        assert caught.value.code == "model-input"

    @given(
        st.integers(2, 60), st.integers(2, 60), st.sampled_from([7, 16, 33]), st.sampled_from([9, 32]), st.integers(0)
    )
    @settings(max_examples=25)
    @pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
    def test_preprocessing_pixel_by_pixel(self, dtype, in_height, in_width, height, width, seed):
        """Resize without regard to proportions by TensorFlow Lite's legacy kernel, then normalise; all in float32."""
        pixels = np.random.default_rng(seed).integers(0, 256, (in_height, in_width, 3), dtype=np.uint8)
        whole = np.zeros((height, width, 3), F)
        for y in range(height):
            fy = F(y) * (F(in_height) / F(height))
            y0, y1 = math.floor(fy), min(math.ceil(fy), in_height - 1)
            dy = F(fy - F(y0))
            for x in range(width):
                fx = F(x) * (F(in_width) / F(width))
                x0, x1 = math.floor(fx), min(math.ceil(fx), in_width - 1)
                dx = F(fx - F(x0))
                a, b, c, d = (pixels[p].astype(F) for p in ((y0, x0), (y1, x0), (y0, x1), (y1, x1)))
                total = a * F(F(1) - dy) * F(F(1) - dx) + b * dy * F(F(1) - dx)
                whole[y, x] = total + c * F(F(1) - dy) * dx + d * dy * dx
        expected = {
            "float32": (whole - F(127.5)) * F(1 / 127.5),
            "uint8": np.trunc(whole).astype(np.uint8),
            "int8": np.trunc(whole - F(128)).astype(np.int8),
        }[dtype]
        codec = bind(OFFICIAL, [spec((1, height, width, 3), dtype)])
        (tensor,) = codec.encode(Image(pixels, "x"))
        np.testing.assert_array_equal(tensor[0], expected)

    def test_raw_images_are_not_resized(self):
        raw = Image(np.arange(48, dtype=np.uint8), "x.rgb8", prepared=True)
        (tensor,) = bind(OFFICIAL, [spec((1, 4, 4, 3), "uint8")]).encode(raw)
        np.testing.assert_array_equal(tensor[0], np.arange(48).reshape(4, 4, 3))

    def test_samples_that_are_no_images(self):
        with pytest.raises(DataError, match="ndarray"):
            bind(OFFICIAL).encode(np.zeros((8, 8, 3), np.uint8))

    def test_encoded_samples_are_distinguished_by_the_models_input(self):
        recipes = set()
        for inputs in ([IMAGE], [spec((1, 32, 32, 3), "int8")], [spec((1, 32, 40, 3))]):
            codec = bind(OFFICIAL, inputs)
            assert isinstance(codec, Recipe)
            recipes.add(codec.recipe)
        assert len(recipes) == 3


class TestPostProcessed:
    @pytest.mark.parametrize("count", [0, 1, 3, 10])
    def test_bytes_are_the_apps(self, count):
        """Sample, ymin, xmin, ymax, xmax, score, class and offset; only the sample is unknown to a codec."""
        response = bind(OFFICIAL).decode(tensors(count))
        assert detections(response) == EXPECTED[:count]

    @pytest.mark.parametrize(("offset", "classes"), [(0, [0, 1, 2]), (1, [1, 2, 3]), (5, [5, 6, 7])])
    def test_label_offset(self, offset, classes):
        found = detections(bind(OFFICIAL, label_offset=offset).decode(tensors(3)))
        assert [each[6] for each in found] == classes

    @pytest.mark.parametrize(("count", "kept"), [(11, 10), (1e9, 10), (np.inf, 10), (-3, 0), (np.nan, 0), (2.9, 2)])
    def test_counts_that_cannot_be(self, count, kept):
        """The reference app would read past the end of the tensor."""
        assert len(bind(OFFICIAL).decode(tensors(count))) == 28 * kept

    @pytest.mark.parametrize("order", [*permutations(SHAPES)])
    def test_any_order_that_the_user_gives(self, order):
        outputs = [spec(SHAPES[part], name=f"t{n}") for n, part in enumerate(order)]
        assert detections(bind(outputs, output_order=order).decode(tensors(4, order))) == EXPECTED[:4]

    @pytest.mark.parametrize("order", [*permutations(SHAPES)])
    def test_any_order_that_the_names_tell(self, order):
        names = {
            "boxes": "detection_boxes",
            "classes": "detection_classes",
            "scores": "detection_scores",
            "count": "num",
        }
        outputs = [spec(SHAPES[part], name=names[part]) for part in order]
        assert detections(bind(outputs).decode(tensors(4, order))) == EXPECTED[:4]

    @pytest.mark.parametrize("order", [*permutations(SHAPES)])
    def test_any_order_that_types_tell(self, order):
        """Classes of a whole type cannot be scores."""
        outputs = [spec(SHAPES[part], "int64" if part == "classes" else "float32") for part in order]
        values = [v.astype(o.dtype) for v, o in zip(tensors(4, order), outputs, strict=True)]
        assert detections(bind(outputs).decode(tuple(values))) == EXPECTED[:4]

    @pytest.mark.parametrize(
        ("name", "order"),
        [
            ("TFLite_Detection_PostProcess", ["boxes", "classes", "scores", "count"]),
            ("StatefulPartitionedCall", ["count", "scores", "classes", "boxes"]),
        ],
    )
    def test_the_object_detection_apis_numbered_names(self, name, order):
        """As its models come: TensorFlow 2's in the order scores, boxes, count, classes."""
        for listed in permutations(range(4)):
            outputs = [spec(SHAPES[order[n]], name=f"{name}:{n}" if n else name) for n in listed]
            codec = bind(outputs)
            assert detections(codec.decode(tensors(4, [order[n] for n in listed]))) == EXPECTED[:4]

    def test_orders_that_cannot_be_determined_must_be_given(self):
        outputs = [spec(SHAPES[part]) for part in ("scores", "boxes", "count", "classes")]
        with pytest.raises(ModelError, match="cannot be identified") as caught:
            bind(outputs)
        assert "output_order" in caught.value.hint

    def test_one_detection_is_no_count(self):
        outputs = [spec((1, 1, 4)), spec((1, 1)), spec((1, 1)), spec((1,))]
        values = np.zeros((1, 1, 4), F), np.full((1, 1), 6, F), np.full((1, 1), 0.5, F), np.ones(1, F)
        assert detections(bind(outputs).decode(values)) == [(-1, 0, 0, 0, 0, 0.5, 7)]

    @pytest.mark.parametrize("dtype", ["uint8", "int8"])
    def test_quantised_outputs(self, dtype):
        """scale * (stored - zero point), of each output by its own."""
        told = {"boxes": (0.01, 3), "classes": (0.5, 0), "scores": (0.25, -2), "count": (2.0, 1)}
        outputs = [spec(SHAPES[part], dtype, part, *told[part]) for part in SHAPES]
        stored = [np.zeros(o.shape, dtype) for o in outputs]
        stored[0][0, 0], stored[1][0, 0], stored[2][0, 0], stored[3][0] = [3, 13, 53, 103], 8, 1, 2
        ((_, *numbers),) = detections(bind(outputs).decode(tuple(stored)))[:1]
        assert numbers == pytest.approx([0, 0.1, 0.5, 1.0, 0.75, 5])
        assert len(bind(outputs).decode(tuple(stored))) == 28 * 2

    def test_half_floats(self):
        outputs = [spec(o.shape, "float16", o.name) for o in OFFICIAL]
        found = detections(bind(outputs).decode(tuple(t.astype(np.float16) for t in tensors(3))))
        np.testing.assert_allclose(found, EXPECTED[:3], rtol=1e-3)

    def test_what_the_model_found_is_passed_on_as_it_is(self):
        values = tensors(1)
        values[0][0, 0], values[2][0, 0] = [np.nan, -1, np.inf, 7], -3
        (found,) = detections(bind(OFFICIAL).decode(values))
        assert math.isnan(found[1])
        assert found[2:6] == (-1, np.inf, 7, -3)


class TestMisfits:
    @pytest.mark.parametrize(
        "outputs",
        [
            [],
            [spec((1, 10))],
            [spec((1, 10, 4))] * 3,
            [spec((1, 10, 4)), spec((1, 10)), spec((1, 10))],
            [*OFFICIAL, spec((1,))],
            [spec((1, 10, 5)), *OFFICIAL[1:]],
            [spec((2, 10, 4)), *OFFICIAL[1:]],
            [OFFICIAL[0], spec((1, 9)), *OFFICIAL[2:]],
            [*OFFICIAL[:3], spec((2,))],
            [*OFFICIAL[:3], spec((1, 10))],
            [spec((1, 10, 4), "int32"), *OFFICIAL[1:]],
            [*OFFICIAL[:2], spec((1, 10), "bool"), OFFICIAL[3]],
            [spec((1, 0, 4)), spec((1, 0)), spec((1, 0)), spec((1,))],
            [spec((1, 72, 4)), spec((1, 71, 91))],
            [spec((1, 72, 5)), spec((1, 72, 91))],
            [spec((72, 4)), spec((72, 91))],
            [spec((1, 72, 4)), spec((1, 72))],
            [spec((1, 72, 4)), spec((1, 72, 91), "int64")],
            [spec(()), spec(())],
        ],
    )
    def test_models_that_do_not_fit_are_named(self, outputs):
        with pytest.raises(ModelError) as caught:
            bind(outputs, anchor_strides=[8, 16])
        assert caught.value.code == "model-output"
        assert all(str(each) in caught.value.summary for each in outputs)

    def test_quantised_outputs_without_scale(self):
        with pytest.raises(ModelError, match=r"scores int8\[1,10\] has no scale"):
            bind([*OFFICIAL[:2], spec((1, 10), "int8", "scores"), OFFICIAL[3]])

    def test_anchors_that_do_not_fit(self):
        """The default options make 1917 anchors for 300x300 and 2034 for 320x320."""
        outputs = [spec((1, 2034, 4)), spec((1, 2034, 91))]
        assert bind(outputs, [spec((1, 320, 320, 3))])
        with pytest.raises(ModelError, match=r"2034 anchors.*1917 for images of 300x300") as caught:
            bind(outputs, [spec((1, 300, 300, 3))])
        assert caught.value.code == "model-anchors"

    def test_no_class_besides_the_background(self):
        outputs = [spec((1, 72, 4)), spec((1, 72, 1))]
        with pytest.raises(ModelError, match="background"):
            bind(outputs, anchor_strides=[8, 16])
        assert bind(outputs, anchor_strides=[8, 16], background=False)

    @pytest.mark.parametrize("order", [["boxes", "scores"], ["scores", "boxes", "classes", "count"]])
    def test_orders_that_do_not_fit(self, order):
        with pytest.raises(ModelError, match="cannot be"):
            bind(OFFICIAL, output_order=order)

    @pytest.mark.parametrize(
        "options",
        [
            {"output_order": ["boxes"]},
            {"output_order": ["boxes", "boxes"]},
            {"anchor_min_scale": 0.5, "anchor_max_scale": 0.2},
            {"anchor_strides": []},
            {"anchor_strides": [0]},
            {"box_scales": [10, 10, 5]},
            {"box_scales": [10, 10, 5, 0]},
            {"iou_threshold": 0},
            {"score_threshold": 1.5},
            {"score_activation": "tanh"},
            {"max_detections": 0},
        ],
    )
    def test_options_that_mean_nothing(self, options):
        with pytest.raises(ValidationError):
            TaskOptions.model_validate(options)
