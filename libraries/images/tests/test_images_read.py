"""Image files: what they give, and what damaged ones get."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from mlperf_mobile.errors import DataError
from mlperf_mobile_images import image as image_module
from mlperf_mobile_images.image import read_image


def save(path, mode="RGB", size=(6, 4), color=None, **options):
    Pillow.new(mode, size, color if color is not None else 0).save(path, **options)
    return path


class TestImages:
    @pytest.mark.parametrize(
        ("mode", "name", "color", "expected"),
        [
            ("RGB", "a.png", (10, 20, 30), (10, 20, 30)),
            ("L", "a.png", 77, (77, 77, 77)),
            ("L", "a.jpg", 77, (77, 77, 77)),
            ("RGBA", "a.png", (10, 20, 30, 5), (10, 20, 30)),
            ("LA", "a.png", (50, 3), (50, 50, 50)),
            ("1", "a.png", 1, (255, 255, 255)),
            ("I;16", "a.png", 0x1234, (0x12, 0x12, 0x12)),
            ("CMYK", "a.jpg", (0, 0, 0, 0), (255, 255, 255)),
            ("CMYK", "a.jpg", (0, 0, 0, 255), (0, 0, 0)),
        ],
    )
    def test_every_mode_becomes_three_channels(self, tmp_path, mode, name, color, expected):
        got = read_image(save(tmp_path / name, mode, color=color)).pixels
        assert got.shape == (4, 6, 3)
        assert got.dtype == np.uint8
        np.testing.assert_allclose(got[0, 0], expected, atol=2)

    def test_a_palette_is_looked_up(self, tmp_path):
        picture = Pillow.new("P", (2, 2), 1)
        picture.putpalette([0, 0, 0, 200, 100, 50])
        picture.save(tmp_path / "p.png")
        np.testing.assert_array_equal(read_image(tmp_path / "p.png").pixels[0, 0], (200, 100, 50))

    @pytest.mark.parametrize(("adobe", "expected"), [(True, (136, 102, 68)), (False, (17, 34, 51))])
    def test_inks_are_mixed_as_by_the_reference_app(self, tmp_path, adobe, expected):
        """The file holds 204, 153, 102, 170: 170*204/255, … with Adobe's marker, (255-170)*(255-204)/255, … without."""
        path = save(tmp_path / "a.jpg", "CMYK", color=(51, 102, 153, 85), quality=100)
        data = path.read_bytes()
        start = data.index(b"\xff\xee\x00\x0eAdobe")
        if not adobe:
            path.write_bytes(data[:start] + data[start + 16 :])
        np.testing.assert_array_equal(read_image(path).pixels[0, 0], expected)

    def test_orientation_in_the_file_is_ignored(self, tmp_path):
        exif = Pillow.Exif()
        exif[0x0112] = 6  # rotate by 90 degrees
        save(tmp_path / "r.jpg", exif=exif)
        assert read_image(tmp_path / "r.jpg").pixels.shape == (4, 6, 3)

    def test_raw_files_stay_flat(self, tmp_path):
        (tmp_path / "x.rgb8").write_bytes(bytes(range(12)))
        got = read_image(tmp_path / "x.rgb8")
        np.testing.assert_array_equal(got.pixels, range(12))
        assert got.prepared

    @pytest.mark.parametrize("name", ["x.jpg", "x.png"])
    @pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"])
    def test_rubbish_names_the_file(self, tmp_path, name, data):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError) as caught:
            read_image(tmp_path / name)
        assert str(tmp_path / name) in caught.value.summary

    @pytest.mark.parametrize("name", ["x.jpg", "x.png"])
    def test_half_an_image_is_damaged(self, tmp_path, name):
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        whole = io.BytesIO()
        Pillow.fromarray(noise).save(whole, "JPEG" if name == "x.jpg" else "PNG")
        (tmp_path / name).write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
        with pytest.raises(DataError, match="cannot decode"):
            read_image(tmp_path / name)

    def test_another_format_under_a_known_name_is_refused(self, tmp_path):
        save(tmp_path / "x.bmp")
        (tmp_path / "x.bmp").rename(tmp_path / "x.png")
        with pytest.raises(DataError, match="neither a JPEG nor a PNG"):
            read_image(tmp_path / "x.png")

    def test_huge_images_are_not_decoded(self, tmp_path, monkeypatch):
        monkeypatch.setattr(image_module, "MAX_PIXELS", 23)
        with pytest.raises(DataError) as caught:
            read_image(save(tmp_path / "x.png"))
        assert caught.value.code == "image-too-large"

    def test_a_decompression_bomb_is_reported(self, tmp_path):
        """A PNG whose header claims 60,000 x 60,000 pixels, in some hundred bytes."""
        save(tmp_path / "x.png")
        data = bytearray((tmp_path / "x.png").read_bytes())
        data[16:24] = struct.pack(">II", 60_000, 60_000)
        data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
        (tmp_path / "x.png").write_bytes(data)
        with pytest.raises(DataError):
            read_image(tmp_path / "x.png")
