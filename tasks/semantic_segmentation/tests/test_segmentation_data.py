"""ADE20K and its annotations: what they give, and what damaged ones get."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.image import MAX_PIXELS
from mlperf_mobile_task_semantic_segmentation.ade20k import ADE20K
from mlperf_mobile_task_semantic_segmentation.annotations import annotation_files, read_labels
from mlperf_mobile_task_semantic_segmentation.fashion_masks import FashionMasks
from mlperf_mobile_task_semantic_segmentation.options import ADE20KOptions
from mlperf_mobile_task_semantic_segmentation.preparation import fit_image, fit_labels


def labels_of(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 151, (height, width), dtype=np.uint8)


def save_pair(folder, name, size=(16, 16), labels=None, suffix=".jpg", sub=""):
    """An image and its annotation; sizes are (height, width)."""
    for part in ("images", "annotations"):
        (folder / part / sub).mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    Pillow.fromarray(pixels).save(folder / "images" / sub / f"{name}{suffix}")
    labels = labels_of(*size) if labels is None else labels
    Pillow.fromarray(labels).save(folder / "annotations" / sub / f"{name}.png")
    return pixels, labels


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, kind, rows=None):
    """A PNG file, made by hand from the specification."""
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return data + chunk(b"IDAT", zlib.compress(rows or b"")) + chunk(b"IEND", b"")


class TestLabels:
    @pytest.mark.parametrize("optimize", [True, False])
    def test_grey_values(self, tmp_path, optimize):
        labels = labels_of(5, 7)
        Pillow.fromarray(labels).save(tmp_path / "a.png", optimize=optimize)
        np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), labels)

    def test_palette_indices_not_their_colours(self, tmp_path):
        labels = labels_of(5, 7)
        image = Pillow.fromarray(labels).convert("P")
        image.putdata(labels.reshape(-1).tolist())
        image.putpalette([value for n in range(256) for value in (255 - n, n // 2, 7)])
        image.save(tmp_path / "a.png", bits=8)
        np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), labels)

    def test_a_file_made_by_hand(self, tmp_path):
        (tmp_path / "a.png").write_bytes(png(3, 2, 8, 0, b"\x00\x00\x1f\xff\x00\x01\x02\x03"))
        assert read_labels(tmp_path / "a.png").tolist() == [[0, 31, 255], [1, 2, 3]]

    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16", "1"])
    def test_pngs_whose_values_are_no_labels(self, tmp_path, mode):
        Pillow.new(mode, (8, 8)).save(tmp_path / "a.png")
        with pytest.raises(DataError, match=r"a\.png") as caught:
            read_labels(tmp_path / "a.png")
        assert caught.value.code == "annotation-kind"

    @pytest.mark.parametrize(("depth", "kind"), [(1, 0), (2, 0), (4, 0), (16, 0), (1, 3), (4, 3), (8, 2), (8, 9)])
    def test_depths_that_decoders_would_scale(self, tmp_path, depth, kind):
        """Grey of 4 bits becomes 0, 17, 34 … in most decoders: no labels any more."""
        (tmp_path / "a.png").write_bytes(png(2, 1, depth, kind, bytes(20)))
        with pytest.raises(DataError) as caught:
            read_labels(tmp_path / "a.png")
        assert caught.value.code == "annotation-kind"

    def test_huge_ones_are_refused_before_they_are_decoded(self, tmp_path):
        (tmp_path / "a.png").write_bytes(png(100_000, MAX_PIXELS // 100_000 + 1, 8, 0))
        with pytest.raises(DataError) as caught:
            read_labels(tmp_path / "a.png")
        assert caught.value.code == "annotation-too-large"

    def test_a_missing_one(self, tmp_path):
        with pytest.raises(DataError, match="absent") as caught:
            read_labels(tmp_path / "absent.png")
        assert caught.value.code == "annotation-missing"

    def test_other_formats_under_the_name(self, tmp_path):
        Pillow.new("L", (8, 8)).save(tmp_path / "a.png", "JPEG")
        with pytest.raises(DataError) as caught:
            read_labels(tmp_path / "a.png")
        assert caught.value.code == "annotation-damaged"

    @given(st.data())
    def test_cut_and_changed_files_are_reported(self, tmp_path_factory, data):
        whole = io.BytesIO()
        Pillow.fromarray(labels_of(9, 9)).save(whole, "PNG")
        content = bytearray(whole.getvalue())
        if data.draw(st.booleans()):
            del content[data.draw(st.integers(0, len(content) - 20)) :]
        else:
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        path = tmp_path_factory.mktemp("cut") / "a.png"
        path.write_bytes(content)
        try:
            assert read_labels(path).dtype == np.uint8
        except DataError as error:
            assert str(path) in error.summary

    def test_raw_squares(self, tmp_path):
        labels = labels_of(16, 16)
        labels.tofile(tmp_path / "a.raw")
        np.testing.assert_array_equal(read_labels(tmp_path / "a.raw"), labels)

    @pytest.mark.parametrize("size", [0, 2, 255, 257])
    def test_raw_files_that_are_no_squares(self, tmp_path, size):
        (tmp_path / "a.raw").write_bytes(bytes(size))
        with pytest.raises(DataError) as caught:
            read_labels(tmp_path / "a.raw")
        assert caught.value.code == "annotation-size"


class TestPairs:
    @staticmethod
    def folder(path, *names):
        path.mkdir()
        for name in names:
            (path / name).write_bytes(b"")
        return path

    def test_by_name(self, tmp_path):
        folder = self.folder(tmp_path / "a", "x.png", "y.png", "z.png", "notes.txt")
        files = annotation_files(folder, [Path("z.jpg"), Path("x.jpeg")])
        assert [file.name for file in files] == ["z.png", "x.png"]

    def test_by_order_where_no_name_is_shared(self, tmp_path):
        """As the reference app pairs them."""
        folder = self.folder(tmp_path / "a", "10.png", "9.png")
        assert [file.name for file in annotation_files(folder, [Path("b.jpg"), Path("c.jpg")])] == ["10.png", "9.png"]

    @pytest.mark.parametrize("names", [("x.png",), ("x.png", "q.png"), ("q.png",), ("q.png", "r.png", "s.png")])
    def test_an_image_without_an_annotation(self, tmp_path, names):
        folder = self.folder(tmp_path / "a", *names)
        with pytest.raises(DataError, match=r"expected [xy]\.png") as caught:
            annotation_files(folder, [Path("x.jpg"), Path("y.jpg")])
        assert caught.value.code == "annotation-missing"

    def test_two_images_of_one_name(self, tmp_path):
        folder = self.folder(tmp_path / "a", "x.png", "y.png")
        with pytest.raises(DataError, match="two images called x"):
            annotation_files(folder, [Path("x.jpeg"), Path("x.jpg")])

    def test_raw_files_where_there_is_no_png(self, tmp_path):
        folder = self.folder(tmp_path / "a", "x.raw")
        assert annotation_files(folder, [Path("x.jpg")]) == [folder / "x.raw"]
        (folder / "x.png").write_bytes(b"")
        assert annotation_files(folder, [Path("x.jpg")]) == [folder / "x.png"]

    def test_a_folder_without_annotations(self, tmp_path):
        with pytest.raises(DataError, match="a"):
            annotation_files(self.folder(tmp_path / "a", "x.jpg"), [Path("x.jpg")])
        with pytest.raises(DataError, match="absent"):
            annotation_files(tmp_path / "absent", [Path("x.jpg")])


class TestADE20K:
    def test_prepared_images_and_annotations_are_taken_as_they_are(self, tmp_path):
        for name in ("b", "a"):
            pixels, labels = save_pair(tmp_path, name, suffix=".png")
        data = ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 16}))
        assert len(data) == 2
        np.testing.assert_array_equal(data.sample(0).pixels, pixels)
        np.testing.assert_array_equal(data.truth(0), labels)
        assert data.sample(0).source.endswith("a.png")
        assert data.classes == 31

    def test_published_images_are_prepared(self, tmp_path):
        """The layout of ADEChallengeData2016; images pass through JPEG of quality 100 as in the app's script."""
        pixels, labels = save_pair(tmp_path, "ADE_val_00000001", (24, 40), suffix=".png", sub="validation")
        save_pair(tmp_path, "ADE_train_00000001", (24, 40), sub="training")
        data = ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 32}))
        assert len(data) == 1
        file = io.BytesIO()
        Pillow.fromarray(fit_image(pixels, (32, 32))).save(file, "JPEG", quality=100)
        np.testing.assert_array_equal(data.sample(0).pixels, np.asarray(Pillow.open(file)))
        np.testing.assert_array_equal(data.truth(0), fit_labels(labels, (32, 32)))
        assert (data.truth(0)[20:] == 255).all()  # 24 * 32 / 40 = 19.2 rows, rounded up

    def test_prepared_for_512_by_default(self, tmp_path):
        save_pair(tmp_path, "a", (30, 40))
        data = ADE20K(tmp_path, ADE20KOptions())
        assert data.sample(0).pixels.shape == (512, 512, 3)
        assert data.truth(0).shape == (512, 512)

    def test_labels_keep_their_numbers(self, tmp_path):
        """ADE20K has 150 classes; those after the 31st stay, and the metric passes over them."""
        labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
        save_pair(tmp_path, "a", labels=labels)
        np.testing.assert_array_equal(ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 16})).truth(0), labels)

    def test_folders_given_by_options(self, tmp_path):
        save_pair(tmp_path, "a")
        (tmp_path / "images").rename(tmp_path / "pictures")
        (tmp_path / "annotations").rename(tmp_path / "masks")
        options = {"images": tmp_path / "pictures", "annotations": tmp_path / "masks", "size": 16}
        for path in (None, tmp_path):
            assert ADE20K(path, ADE20KOptions.model_validate(options)).truth(0).shape == (16, 16)

    def test_options_name_folders_in_full(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert ADE20KOptions(images=Path("x")).images == tmp_path / "x"
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert ADE20KOptions(annotations=Path("~/y")).annotations == tmp_path / "home" / "y"

    def test_images_alone_serve_performance_runs(self, tmp_path):
        Pillow.new("RGB", (20, 20)).save(tmp_path / "a.png")
        data = ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 16}))
        assert data.sample(0).pixels.shape == (16, 16, 3)
        with pytest.raises(DataError) as caught:
            data.truth(0)
        assert caught.value.code == "no-labels"

    def test_an_annotation_of_another_size(self, tmp_path):
        save_pair(tmp_path, "a", (16, 16), labels_of(16, 17))
        with pytest.raises(DataError, match=r"a\.png is 17x16, its image a\.jpg is 16x16") as caught:
            ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 16})).truth(0)
        assert caught.value.code == "annotation-size"

    def test_raw_images(self, tmp_path):
        save_pair(tmp_path, "a")
        (tmp_path / "images" / "a.jpg").unlink()
        (tmp_path / "images" / "a.rgb8").write_bytes(bytes(range(256)) * 3)
        data = ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 16}))
        assert data.sample(0).pixels.shape == (16, 16, 3)
        assert data.sample(0).pixels[0, 1].tolist() == [3, 4, 5]
        assert data.truth(0).shape == (16, 16)
        for read in (
            ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 17})).sample,
            ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 17})).truth,
        ):
            with pytest.raises(DataError, match="768 bytes") as caught:
                read(0)
            assert caught.value.code == "image-size"

    def test_a_damaged_image_is_reported_with_sample_and_truth(self, tmp_path):
        save_pair(tmp_path, "a")
        (tmp_path / "images" / "a.jpg").write_bytes(b"no image")
        for read in (
            ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 16})).sample,
            ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 16})).truth,
        ):
            with pytest.raises(DataError, match=r"a\.jpg") as caught:
                read(0)
            assert caught.value.code == "image-damaged"

    def test_an_image_that_went_away(self, tmp_path):
        save_pair(tmp_path, "a")
        data = ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 16}))
        (tmp_path / "images" / "a.jpg").unlink()
        for read in (data.sample, data.truth, data.fingerprint):
            with pytest.raises(DataError, match=r"a\.jpg"):
                read(0)

    def test_fingerprints_follow_content_and_size(self, tmp_path):
        save_pair(tmp_path, "a", (16, 16))
        save_pair(tmp_path, "b", (16, 16))
        save_pair(tmp_path, "c", (16, 18))
        data = ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 16}))
        assert data.fingerprint(0) == data.fingerprint(1) != data.fingerprint(2)
        assert data.fingerprint(0) != ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 32})).fingerprint(0)


class TestFashionMasks:
    def test_the_packaged_scenes(self):
        data = FashionMasks(None, None)
        assert (len(data), data.classes) == (250, 10)
        seen = np.zeros(256, int)
        for index in range(len(data)):
            truth = data.truth(index)
            assert truth.shape == data.sample(index).pixels.shape[:2] == (128, 128)
            seen += np.bincount(truth.reshape(-1), minlength=256)
        assert (seen[:11] > 10_000).all()
        assert not seen[11:].any()

    def test_a_changed_packaged_file_is_noticed(self, monkeypatch):
        monkeypatch.setattr("mlperf_mobile_task_semantic_segmentation.fashion_masks.SHA256", "0" * 64)
        with pytest.raises(DataError, match="sha256"):
            FashionMasks(None, None)

    def test_a_folder_of_ones_own(self, tmp_path):
        save_pair(tmp_path, "a", (128, 128))
        assert len(FashionMasks(tmp_path, None)) == 1
