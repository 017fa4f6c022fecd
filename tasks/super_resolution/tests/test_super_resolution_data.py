"""Pairs of images: which belong together, what they give, and what damaged or foreign folders get."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from pydantic import ValidationError

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_super_resolution import photo_pairs
from mlperf_mobile_task_super_resolution.metric import PSNR
from mlperf_mobile_task_super_resolution.names import pair
from mlperf_mobile_task_super_resolution.options import PairsOptions
from mlperf_mobile_task_super_resolution.pairs import Pairs
from mlperf_mobile_task_super_resolution.photo_pairs import PhotoPairs


def write(path, height=4, width=6, grey=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((height, width, 3), grey, np.uint8)
    if path.suffix == ".rgb8":
        path.write_bytes(pixels.tobytes())
    else:
        Pillow.fromarray(pixels).save(path)


def fill(folder, low=("a.png", "b.png"), high=("a.png", "b.png"), factor=2):
    """Pairs whose grey value is the place in the lists."""
    for grey, name in enumerate(low):
        write(folder / "lr" / name, grey=grey)
    for grey, name in enumerate(high):
        write(folder / "hr" / name, 4 * factor, 6 * factor, grey)
    return folder


def greys(pairs):
    """The grey values of each pair, smaller and larger image."""
    return [(int(pairs.sample(n).pixels[0, 0, 0]), int(pairs.truth(n).pixels[0, 0, 0])) for n in range(len(pairs))]


class TestNames:
    @pytest.mark.parametrize(
        ("low", "high"),
        [
            (("a.png", "b.png"), ("a.png", "b.png")),
            (("a.PNG", "b.png"), ("a.jpg", "b.jpeg")),
            (("0801x2.png", "0802x2.png"), ("0801.png", "0802.png")),
            (("a_LR.png", "b_LR.png"), ("a_HR.png", "b_HR.png")),
            (("lr-1.png", "lr-2.png"), ("hr-1.png", "hr-2.png")),
            (("dusk.png", "noon.png"), ("x.png", "y.png")),
            (("1.png", "1.jpg"), ("7.png", "8.png")),
        ],
    )
    def test_pairs_in_order(self, tmp_path, low, high):
        low, high = sorted(low), sorted(high)
        assert greys(Pairs(fill(tmp_path, low, high), PairsOptions())) == [(0, 0), (1, 1)]

    def test_names_count_where_the_order_would_mix_images_up(self, tmp_path):
        """In byte order ``10x2.png`` comes before ``1x2.png``, but ``1.png`` before ``10.png``."""
        low, high = ["10x2.png", "1x2.png"], ["1.png", "10.png"]
        assert low == sorted(low)
        assert high == sorted(high)
        assert greys(Pairs(fill(tmp_path, low, high), PairsOptions())) == [(0, 1), (1, 0)]

    @pytest.mark.parametrize(
        ("low", "high", "named"),
        [
            (("a.png", "b.png"), ("a.png",), "lr/b.png"),
            (("a.png",), ("a.png", "b.png"), "hr/b.png"),
            (("a.png", "b.png"), ("a.png", "c.png"), "lr/b.png"),
            (("1x2.png", "2x2.png"), ("1.png", "3.png"), "lr/2x2.png"),
            (("a.png", "b.png"), ("x.png",), "2 images"),
        ],
    )
    def test_an_image_alone_is_named(self, tmp_path, low, high, named):
        with pytest.raises(DataError, match=named) as caught:
            Pairs(fill(tmp_path, low, high), PairsOptions())
        assert caught.value.code == "pairs"

    @given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30, unique=True))
    def test_any_numbers_find_their_own(self, tmp_path_factory, numbers):
        root = tmp_path_factory.getbasetemp()
        low = sorted(root / "lr" / f"{number}x2.png" for number in numbers)
        high = sorted(root / "hr" / f"{number}.png" for number in numbers)
        for mine, theirs in zip(low, pair(low, high), strict=True):
            assert mine.stem == theirs.stem + "x2"


class TestFolders:
    def test_low_and_high(self, tmp_path):
        pairs = Pairs(fill(tmp_path), PairsOptions())
        assert len(pairs) == 2
        sample = pairs.sample(1)
        assert (sample.pixels.shape, sample.high, sample.prepared) == ((4, 6, 3), (8, 12), True)
        assert pairs.truth(1).pixels.shape == (8, 12, 3)

    def test_without_high_there_is_no_truth(self, tmp_path):
        for number in range(2):
            write(tmp_path / "lr" / f"{number}.png")
        for folder in (tmp_path, tmp_path / "lr"):
            pairs = Pairs(folder, PairsOptions())
            assert pairs.sample(1).high is None
            with pytest.raises(DataError, match="lr have no high-resolution images") as caught:
                PSNR(pairs)
            assert caught.value.code == "no-labels"

    def test_high_may_be_anywhere(self, tmp_path):
        fill(tmp_path)
        (tmp_path / "lr").rename(tmp_path / "small")
        (tmp_path / "hr").rename(tmp_path / "large")
        assert greys(Pairs(tmp_path / "small", PairsOptions.model_validate({"high": tmp_path / "large"}))) == [
            (0, 0),
            (1, 1),
        ]

    def test_high_that_is_named_goes_before_hr(self, tmp_path):
        fill(tmp_path)
        write(tmp_path / "other" / "a.png", 8, 12, 9)
        write(tmp_path / "other" / "b.png", 8, 12, 9)
        assert greys(Pairs(tmp_path, PairsOptions.model_validate({"high": tmp_path / "other"}))) == [(0, 9), (1, 9)]

    def test_relative_paths_are_made_absolute(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert PairsOptions(high="hr").high == tmp_path / "hr"

    @pytest.mark.parametrize("options", [{"low": "lr"}, {"width": 0}, {"height": 1 << 20}, {"high": 3}])
    def test_unknown_options_are_refused(self, options):
        with pytest.raises(ValidationError):
            PairsOptions.model_validate(options)

    @pytest.mark.parametrize("high", ["absent", "empty"])
    def test_a_high_folder_without_images(self, tmp_path, high):
        fill(tmp_path)
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match=high):
            Pairs(tmp_path, PairsOptions.model_validate({"high": tmp_path / high}))

    @pytest.mark.parametrize("path", [None, "absent"])
    def test_no_folder(self, tmp_path, path):
        with pytest.raises(DataError) as caught:
            Pairs(path and tmp_path / path, PairsOptions())
        assert caught.value.code == "data-missing"

    def test_every_format(self, tmp_path):
        names = ["a.jpg", "b.jpeg", "c.png", "d.rgb8"]
        pairs = Pairs(fill(tmp_path, names, names), PairsOptions.model_validate({"width": 6, "height": 4}))
        assert greys(pairs) == [(0, 0), (1, 1), (2, 2), (3, 3)]
        assert {pairs.truth(n).pixels.shape for n in range(4)} == {(8, 12, 3)}


class TestSizes:
    @pytest.mark.parametrize("factor", [2, 3, 4])
    @pytest.mark.parametrize("suffix", ["png", "rgb8"])
    def test_any_whole_factor(self, tmp_path, factor, suffix):
        fill(tmp_path, [f"a.{suffix}"], [f"a.{suffix}"], factor)
        pairs = Pairs(tmp_path, PairsOptions.model_validate({"width": 6, "height": 4}))
        assert pairs.sample(0).high == pairs.truth(0).pixels.shape[:2] == (4 * factor, 6 * factor)

    @pytest.mark.parametrize("size", [(4, 6), (8, 11), (8, 18), (12, 12), (6, 9), (2, 3)])
    def test_other_sizes_name_both_files(self, tmp_path, size):
        write(tmp_path / "lr" / "a.png")
        write(tmp_path / "hr" / "a.png", *size)
        with pytest.raises(DataError, match=rf"hr/a.png is {size[1]}x{size[0]}, .*lr/a.png is 6x4") as caught:
            Pairs(tmp_path, PairsOptions()).sample(0)
        assert caught.value.code == "pair-sizes"

    @pytest.mark.parametrize("size", [(4, 6), (8, 11), (2, 3)])
    def test_raw_files_of_other_sizes(self, tmp_path, size):
        write(tmp_path / "lr" / "a.png")
        write(tmp_path / "hr" / "a.rgb8", *size)
        with pytest.raises(DataError, match=rf"hr/a.rgb8 has {3 * size[0] * size[1]} bytes"):
            Pairs(tmp_path, PairsOptions()).sample(0)

    def test_raw_files_that_the_options_do_not_fit(self, tmp_path):
        """By default they are 960x540."""
        pairs = Pairs(fill(tmp_path, ["a.rgb8"], ["a.rgb8"]), PairsOptions())
        for read in (pairs.sample, pairs.truth):
            with pytest.raises(DataError, match=r"lr/a.rgb8 has 72 bytes, not the 1555200 of a 960x540 image"):
                read(0)

    def test_raw_rows_are_rows(self, tmp_path):
        pixels = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
        (tmp_path / "lr").mkdir()
        (tmp_path / "lr" / "a.rgb8").write_bytes(pixels.tobytes())
        np.testing.assert_array_equal(
            Pairs(tmp_path, PairsOptions.model_validate({"width": 6, "height": 4})).sample(0).pixels, pixels
        )


class TestDamage:
    @pytest.mark.parametrize("part", ["lr", "hr"])
    @pytest.mark.parametrize("data", [b"", b"no image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
    def test_files_that_are_no_images(self, tmp_path, part, data):
        pairs = Pairs(fill(tmp_path), PairsOptions())
        (tmp_path / part / "a.png").write_bytes(data)
        with pytest.raises(DataError, match=f"{part}/a.png"):
            pairs.sample(0)
        assert pairs.sample(1).pixels.shape == (4, 6, 3)

    def test_a_high_image_cut_short(self, tmp_path):
        pairs = Pairs(fill(tmp_path), PairsOptions())
        path = tmp_path / "hr" / "a.png"
        path.write_bytes(path.read_bytes()[:-40])
        with pytest.raises(DataError, match=r"hr/a\.png"):
            pairs.truth(0)

    @pytest.mark.parametrize("suffix", ["png", "rgb8"])
    @pytest.mark.parametrize("part", ["lr", "hr"])
    def test_files_that_disappear(self, tmp_path, part, suffix):
        pairs = Pairs(
            fill(tmp_path, [f"a.{suffix}"], [f"a.{suffix}"]), PairsOptions.model_validate({"width": 6, "height": 4})
        )
        (tmp_path / part / f"a.{suffix}").unlink()
        with pytest.raises(DataError, match=f"{part}/a.{suffix}"):
            pairs.sample(0)

    def test_a_huge_image_is_not_decoded(self, tmp_path):
        Pillow.new("1", (16384, 16384)).save(tmp_path / "a.png")
        fill(tmp_path, ["a.png"], ["a.png"])
        (tmp_path / "a.png").rename(tmp_path / "hr" / "a.png")
        with pytest.raises(DataError, match=r"hr/a\.png"):
            Pairs(tmp_path, PairsOptions()).sample(0)

    @given(st.binary(max_size=200))
    def test_any_bytes_are_an_image_or_an_error(self, tmp_path_factory, data):
        folder = fill(tmp_path_factory.mktemp("pairs"))
        (folder / "hr" / "a.png").write_bytes(data)
        pairs = Pairs(folder, PairsOptions())
        for read in (pairs.sample, pairs.truth):
            with pytest.raises(DataError):
                read(0)


class TestFingerprints:
    def test_they_tell_low_images_apart(self, tmp_path):
        pairs = Pairs(fill(tmp_path), PairsOptions())
        assert len({pairs.fingerprint(0), pairs.fingerprint(1)}) == 2
        assert 16 <= len(pairs.fingerprint(0)) <= 64
        before = pairs.fingerprint(0)
        write(tmp_path / "lr" / "a.png", grey=77)
        assert pairs.fingerprint(0) != before

    def test_options_count_for_raw_files_only(self, tmp_path):
        for suffix, count in (("png", 1), ("rgb8", 2)):
            folder = fill(tmp_path / suffix, [f"a.{suffix}"], [f"a.{suffix}"])
            sizes = ({"width": 6, "height": 4}, {"width": 4, "height": 6})
            assert len({Pairs(folder, PairsOptions.model_validate(size)).fingerprint(0) for size in sizes}) == count


class TestPhotoPairs:
    def test_what_is_packaged(self):
        pairs = PhotoPairs(None, None)
        assert len(pairs) == 25
        for index in range(25):
            sample = pairs.sample(index)
            assert (sample.pixels.shape, sample.high) == ((128, 128, 3), (256, 256))

    def test_low_images_are_high_ones_scaled_down(self):
        """By Pillow's bicubic filter; other versions of Pillow may round a value differently."""
        pairs = PhotoPairs(None, None)
        for index in range(25):
            high = Pillow.fromarray(pairs.truth(index).pixels)
            low = np.asarray(high.resize((128, 128), Pillow.Resampling.BICUBIC)).astype(int)
            assert np.abs(low - pairs.sample(index).pixels).max() <= 1

    def test_damage_is_reported(self, monkeypatch):
        monkeypatch.setattr(photo_pairs, "SHA256", "0" * 64)
        with pytest.raises(DataError) as caught:
            PhotoPairs(None, None)
        assert caught.value.code == "data-damaged"

    def test_a_folder_of_ones_own(self, tmp_path):
        assert greys(PhotoPairs(fill(tmp_path), None)) == [(0, 0), (1, 1)]
