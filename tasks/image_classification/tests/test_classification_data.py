"""Images, label files, IDX files and data sets: what they give, and what damaged ones get."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_image_classification.fashion_mnist import IMAGES, LABELS, FashionMnist
from mlperf_mobile_task_image_classification.idx import parse_idx, read_idx
from mlperf_mobile_task_image_classification.imagenet import ImageNet
from mlperf_mobile_task_image_classification.labels import read_labels
from mlperf_mobile_task_image_classification.options import ImageNetOptions


def save(path, mode="RGB", size=(6, 4), color=None, **options):
    Pillow.new(mode, size, color if color is not None else 0).save(path, **options)
    return path


class TestLabels:
    NAMES = ("a.jpg", "b.png", "c.jpeg")

    def read(self, tmp_path, text, classes=10):
        (tmp_path / "labels.txt").write_text(text)
        return read_labels(tmp_path / "labels.txt", self.NAMES, classes)

    def test_by_order(self, tmp_path):
        assert self.read(tmp_path, "5\n0\n\n9\n") == [5, 0, 9]

    def test_a_longer_list_serves_the_first_images(self, tmp_path):
        assert self.read(tmp_path, "1\n2\n3\n4\n5\n") == [1, 2, 3]

    def test_by_name_with_and_without_suffix(self, tmp_path):
        assert self.read(tmp_path, "# map\nc.jpeg 3\na 1\nb.png 2\nz.png 7\n") == [1, 2, 3]

    def test_names_may_have_spaces(self, tmp_path):
        (tmp_path / "labels.txt").write_bytes("\N{BOM}my cat.jpg\t 3\r\n\r\nmy  dog 4\r\n".encode())
        assert read_labels(tmp_path / "labels.txt", ("my  dog.png", "my cat.jpg"), 10) == [4, 3]

    def test_a_byte_order_mark_is_no_part_of_the_first_label(self, tmp_path):
        assert self.read(tmp_path, "\N{BOM}5\n0\n9\n") == [5, 0, 9]

    def test_a_name_without_suffix_must_mean_one_image(self, tmp_path):
        (tmp_path / "labels.txt").write_text("a 1\n")
        with pytest.raises(DataError, match=r"labels.txt:1: a could be a.jpg or a.png"):
            read_labels(tmp_path / "labels.txt", ("a.jpg", "a.png"), 10)

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("1\n2\n", "2 labels for 3 images"),
            ("1\nx\n3\n", "labels.txt:2:"),
            ("1\n-2\n3\n", "labels.txt:2:"),
            ("1\n2\n10\n", "labels.txt:3: label 10 is out of range"),
            ("1\n2 3\n4\n", "labels.txt:2:"),
            ("a 1\nb 2\nc\n", "labels.txt:3:"),
            ("a 1\na 2\nc 1\n", "labels.txt:2: a already has a label"),
            ("a 1\na.jpg 2\nb 1\nc 1\n", "labels.txt:2: a.jpg already has a label"),
            ("a -1\nb 1\nc 1\n", "labels.txt:1:"),
            ("a 1\nb 2\n", "no label for c.jpeg"),
            ("", "has no labels"),
            ("1\n٣\n3\n", "labels.txt:2:"),
            ("1\n99999999999999999999\n3\n", "labels.txt:2:"),
        ],
    )
    def test_what_is_wrong_is_reported_with_its_place(self, tmp_path, text, place):
        with pytest.raises(DataError) as caught:
            self.read(tmp_path, text)
        assert place in caught.value.summary

    def test_not_text(self, tmp_path):
        (tmp_path / "labels.txt").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(DataError, match="UTF-8"):
            read_labels(tmp_path / "labels.txt", self.NAMES, 10)

    def test_missing(self, tmp_path):
        with pytest.raises(DataError, match="cannot read"):
            read_labels(tmp_path / "none.txt", self.NAMES, 10)

    def test_a_file_without_end_is_not_read(self, tmp_path, monkeypatch):
        monkeypatch.setattr("mlperf_mobile_task_image_classification.labels.MAX_BYTES", 3)
        with pytest.raises(DataError, match="larger than 3 bytes"):
            self.read(tmp_path, "1\n2\n3\n")

    @given(
        labels=st.lists(st.integers(0, 9), min_size=3, max_size=3), order=st.permutations(range(3)), cut=st.booleans()
    )
    def test_both_formats_say_the_same(self, tmp_path_factory, labels, order, cut):
        folder = tmp_path_factory.mktemp("labels")
        (folder / "list.txt").write_text("".join(f"{label}\n" for label in labels))
        words = [name.partition(".")[0] if cut else name for name in self.NAMES]
        (folder / "map.txt").write_text("".join(f"{words[n]} {labels[n]}\n" for n in order))
        assert read_labels(folder / "list.txt", self.NAMES, 10) == labels
        assert read_labels(folder / "map.txt", self.NAMES, 10) == labels

    @given(text=st.text(max_size=60))
    def test_any_text_is_labels_or_an_error(self, tmp_path_factory, text):
        path = tmp_path_factory.mktemp("labels") / "labels.txt"
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            labels = read_labels(path, self.NAMES, 10)
        except DataError:
            return
        assert len(labels) == 3
        assert all(0 <= label < 10 for label in labels)


class TestIdx:
    @given(st.binary(max_size=64), st.integers(1, 4))
    def test_any_bytes_are_an_array_or_an_error(self, data, dimensions):
        try:
            array = parse_idx(data, dimensions, "x")
        except DataError:
            return
        assert array.ndim == dimensions
        assert array.size == len(data) - 4 - 4 * dimensions

    @given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.randoms(use_true_random=False))
    def test_round_trip(self, shape, random):
        values = random.randbytes(int(np.prod(shape)))
        data = bytes((0, 0, 8, len(shape))) + b"".join(struct.pack(">I", n) for n in shape) + values
        array = parse_idx(data, len(shape), "x")
        assert array.shape == tuple(shape)
        assert array.tobytes() == values

    @pytest.mark.parametrize(
        "data",
        [
            gzip.compress(b"", mtime=0)[:-4],
            gzip.compress(b"\0\0\x08\x03" + struct.pack(">III", 2**31, 2**31, 2**31), mtime=0),
            gzip.compress(b"\0\0\x0d\x03" + bytes(12), mtime=0),
            b"not gzip",
            b"",
        ],
    )
    def test_damaged_files(self, tmp_path, data):
        (tmp_path / "x.gz").write_bytes(data)
        with pytest.raises(DataError) as caught:
            read_idx(tmp_path / "x.gz", 3)
        assert "x.gz" in caught.value.summary

    def test_a_file_that_unpacks_without_end_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr("mlperf_mobile_task_image_classification.idx.MAX_BYTES", 1000)
        (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(5000), mtime=0))
        with pytest.raises(DataError, match="more than 1000 bytes"):
            read_idx(tmp_path / "x.gz", 3)


class TestImageNet:
    def test_images_are_in_the_order_of_their_names(self, tmp_path):
        for number, name in enumerate(("b.jpg", "A.PNG", "a10.png", "a9.jpeg")):
            save(tmp_path / name, color=(number * 40,) * 3, format="PNG")
        (tmp_path / "notes.md").write_text("no image")
        (tmp_path / "labels.txt").write_text("0\n1\n2\n3\n")
        data = ImageNet(tmp_path, ImageNetOptions())
        assert [int(data.sample(n).pixels[0, 0, 0]) for n in range(len(data))] == [40, 80, 120, 0]
        assert [data.truth(n) for n in range(4)] == [0, 1, 2, 3]

    def test_without_labels_there_is_no_truth(self, tmp_path):
        save(tmp_path / "a.png")
        data = ImageNet(tmp_path, ImageNetOptions())
        assert data.sample(0).pixels.shape == (4, 6, 3)
        with pytest.raises(DataError) as caught:
            data.truth(0)
        assert caught.value.code == "no-labels"

    def test_nothing_is_read_before_it_is_requested(self, tmp_path):
        (tmp_path / "broken.jpg").write_bytes(b"")
        data = ImageNet(tmp_path, ImageNetOptions())
        with pytest.raises(DataError):
            data.sample(0)

    def test_a_link_that_leads_nowhere_moves_no_label(self, tmp_path):
        save(tmp_path / "a.png")
        (tmp_path / "b.png").symlink_to("gone.png")
        save(tmp_path / "c.png")
        (tmp_path / "d.png").mkdir()
        (tmp_path / "labels.txt").write_text("0\n1\n2\n")
        data = ImageNet(tmp_path, ImageNetOptions())
        assert [data.truth(n) for n in range(len(data))] == [0, 1, 2]
        with pytest.raises(DataError, match=r"b\.png does not exist"):
            data.sample(1)

    def test_a_folder_that_cannot_be_listed(self, tmp_path, monkeypatch):
        def refuse(path):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("os.scandir", refuse)
        with pytest.raises(DataError, match="Permission denied"):
            ImageNet(tmp_path, ImageNetOptions())

    def test_the_label_file_is_found_from_anywhere(self, tmp_path, monkeypatch):
        """The plan names it in full: a relative path is one of the folder where the options were given."""
        monkeypatch.chdir(tmp_path)
        assert ImageNetOptions(labels=Path("val.txt")).labels == tmp_path / "val.txt"
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert ImageNetOptions(labels=Path("~/val.txt")).labels == tmp_path / "home" / "val.txt"

    @pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.write_text("a file")])
    def test_no_images(self, tmp_path, make):
        make(tmp_path / "d")
        with pytest.raises(DataError) as caught:
            ImageNet(tmp_path / "d", ImageNetOptions())
        assert str(tmp_path / "d") in caught.value.summary


class TestFashionMnist:
    def test_the_packaged_files(self):
        """Counts and first labels as published: 1,000 of each class; ankle boot, pullover, trouser, trouser, shirt."""
        data = FashionMnist(None, None)
        truths = [data.truth(n) for n in range(len(data))]
        assert len(data) == 10_000
        assert np.bincount(truths).tolist() == [1000] * 10
        assert truths[:5] == [9, 2, 1, 1, 6]
        sample = data.sample(0)
        assert sample.pixels.shape == (28, 28, 1)
        assert sample.prepared

    def test_a_changed_packaged_file_is_noticed(self, monkeypatch):
        monkeypatch.setitem(
            __import__("mlperf_mobile_task_image_classification.fashion_mnist", fromlist=["x"]).SHA256, IMAGES, "0" * 64
        )
        with pytest.raises(DataError, match="sha256"):
            FashionMnist(None, None)

    @pytest.mark.parametrize("absent", [IMAGES, LABELS])
    def test_a_missing_packaged_file_is_reported(self, tmp_path, monkeypatch, absent):
        empty = {
            IMAGES: b"\0\0\x08\x03" + struct.pack(">III", 0, 28, 28),
            LABELS: b"\0\0\x08\x01" + struct.pack(">I", 0),
        }
        (tmp_path / "quickstart").mkdir()
        for name in {IMAGES, LABELS} - {absent}:
            (tmp_path / "quickstart" / name).write_bytes(gzip.compress(empty[name], mtime=0))
        monkeypatch.setattr("mlperf_mobile_task_image_classification.fashion_mnist.files", lambda package: tmp_path)
        with pytest.raises(DataError) as caught:
            FashionMnist(None, None)
        assert absent in caught.value.summary

    def test_files_without_records_are_an_empty_set(self, tmp_path):
        """The core says so, for any data set."""
        (tmp_path / IMAGES).write_bytes(gzip.compress(b"\0\0\x08\x03" + struct.pack(">III", 0, 28, 28), mtime=0))
        (tmp_path / LABELS).write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 0), mtime=0))
        assert len(FashionMnist(tmp_path, None)) == 0

    def test_images_and_labels_that_do_not_fit(self, tmp_path):
        (tmp_path / IMAGES).write_bytes(
            gzip.compress(b"\0\0\x08\x03" + struct.pack(">III", 2, 28, 28) + bytes(1568), mtime=0)
        )
        (tmp_path / LABELS).write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 3) + bytes(3), mtime=0))
        with pytest.raises(DataError, match="do not fit the images"):
            FashionMnist(tmp_path, None)

    def test_labels_out_of_range(self, tmp_path):
        (tmp_path / IMAGES).write_bytes(
            gzip.compress(b"\0\0\x08\x03" + struct.pack(">III", 1, 28, 28) + bytes(784), mtime=0)
        )
        (tmp_path / LABELS).write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 1) + b"\x0a", mtime=0))
        with pytest.raises(DataError):
            FashionMnist(tmp_path, None)
