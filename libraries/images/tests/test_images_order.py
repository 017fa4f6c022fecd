"""Numbers in file names against places, and what files say of themselves before they are decoded."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as Pillow

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.header import Header, read_header, turned_images
from mlperf_mobile_images.order import misnumbered, mispaired


def numbered(*numbers: int) -> list[str]:
    return [f"ILSVRC2012_val_{number:08}.JPEG" for number in numbers]


@pytest.mark.parametrize(
    "names",
    [
        numbered(1, 2, 3),
        numbered(0, 1, 2),
        ["1.png", "2.jpg", "3.png"],
        ["a.png", "b2.png"],
        ["cat1.png", "dog7.png"],
        ["7a.png", "9b.png"],
        ["x.png"],
        ["９.png"],  # a digit, and none of ASCII's
    ],
)
def test_names_that_agree_or_tell_nothing(names: list[str]) -> None:
    assert misnumbered(names) is None


@pytest.mark.parametrize(
    ("names", "place", "number"),
    [
        (numbered(7, 12, 30), 0, 7),
        (numbered(1, 2, 4), 2, 4),
        (numbered(11, 12, 13), 0, 11),
        (["img1.png", "img10.png", "img2.png"], 1, 10),  # the order of bytes is not that of numbers
        (["0.png", "2.png"], 1, 2),
        ([f"{10**17}.png"], 0, 10**17),
    ],
)
def test_names_that_disagree(names: list[str], place: int, number: int) -> None:
    assert misnumbered(names) == (place, number)


@pytest.mark.parametrize(
    ("ones", "others", "place"),
    [
        (numbered(1, 2), ["a1.png", "a2.png"], None),
        (["i7.png", "i9.png"], ["a8.png", "a10.png"], None),  # one counts from 0, the other from 1
        (["i1.png", "i2.png", "i3.png"], ["a1.png", "a2.png", "a4.png"], 2),
        (["i1.png", "i2.png"], ["a5.png", "a6.png"], 0),
        (["x.png"], ["a5.png"], None),
    ],
)
def test_pairs_in_order(ones: list[str], others: list[str], place: int | None) -> None:
    assert mispaired(ones, others) == place


def photograph(path: Path, orientation: int | None = None) -> Path:
    exif = Pillow.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Pillow.new("RGB", (12, 8)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", [None, 0, 1, *range(2, 9), 9, 65535])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_headers(tmp_path: Path, suffix: str, orientation: int | None) -> None:
    """Sizes are of the stored pixels; 2 to 8 are the orientations that turn or mirror (EXIF 2.3, 4.6.4, tag 274)."""
    path = photograph(tmp_path / f"a{suffix}", orientation)
    assert read_header(path) == Header(8, 12, turned=orientation in range(2, 9))


@pytest.mark.parametrize(
    "block", [b"II*\0\xff\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff", b"MM\0*\0\0\0\x08", b"II*\0", b"no", b""]
)
@pytest.mark.filterwarnings("ignore:.*EXIF")  # Pillow's, about what it reads there itself
def test_broken_exif_is_no_matter(tmp_path: Path, block: bytes) -> None:
    Pillow.new("RGB", (12, 8)).save(tmp_path / "a.jpg", exif=b"Exif\0\0" + block)
    assert read_header(tmp_path / "a.jpg") == Header(8, 12)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no")
    with pytest.raises(DataError, match=r"a\.jpg"):
        read_header(tmp_path / "a.jpg")
    assert turned_images([tmp_path / "a.jpg", tmp_path / "absent.png", tmp_path / "a.rgb8"]) == ""


def test_turned_images_are_recognised(tmp_path: Path) -> None:
    files = [photograph(tmp_path / f"{number}.jpg", number) for number in (1, 3, 6)]
    assert turned_images(files[:1]) == ""
    assert f"{files[1]} has an EXIF orientation" in turned_images(files[:2])
    assert f"{files[1]} and 1 more have" in turned_images(files)
