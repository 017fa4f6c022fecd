"""Raw images, whose size comes from options, and images that cannot be decoded."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.image import decoding, read_image
from mlperf_mobile_images.raw import RawSize

SIZE = RawSize(2, 4, "set the size")


def test_a_raw_image_has_the_size_of_the_options(tmp_path):
    path = tmp_path / "a.RGB8"
    path.write_bytes(bytes(range(24)))
    assert SIZE.image_size(path) == (2, 4)
    pixels = SIZE.shaped(read_image(path)).pixels
    assert pixels.shape == (2, 4, 3)
    assert pixels[1, 3].tolist() == [21, 22, 23]


def test_other_images_keep_their_own_size(tmp_path):
    path = tmp_path / "a.png"
    Pillow.fromarray(np.zeros((5, 7, 3), np.uint8)).save(path)
    assert SIZE.image_size(path) == (5, 7)
    image = read_image(path)
    assert SIZE.shaped(image) is image


def test_a_raw_image_of_another_size(tmp_path):
    path = tmp_path / "a.rgb8"
    path.write_bytes(bytes(23))
    for read in (lambda: SIZE.image_size(path), lambda: SIZE.shaped(read_image(path))):
        with pytest.raises(DataError, match=r"23 bytes, not the 24 of a 4x2 image") as caught:
            read()
        assert (caught.value.code, caught.value.hint) == ("image-size", "set the size")


def test_a_missing_raw_image(tmp_path):
    with pytest.raises(DataError) as caught:
        SIZE.image_size(tmp_path / "none.rgb8")
    assert caught.value.code == "image-missing"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FileNotFoundError(2, "none"), "mask-missing"),
        (OSError("truncated"), "mask-damaged"),
        (SyntaxError("not a PNG file"), "mask-damaged"),
        (ValueError("wrong"), "mask-damaged"),
        (Pillow.DecompressionBombError("huge"), "mask-damaged"),
        (Pillow.DecompressionBombWarning("large"), "mask-damaged"),
    ],
)
def test_what_pillow_raises_is_reported_about_the_file(tmp_path, error, code):
    with pytest.raises(DataError, match=r"x\.png") as caught, decoding(tmp_path / "x.png", "mask"):
        raise error
    assert caught.value.code == code


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError), decoding("x.png"):
        _ = 1 / 0
