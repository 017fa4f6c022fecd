"""Compose the quickstart's scenes: garments of Fashion-MNIST, coloured and scaled, on textured backgrounds."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

SIDE = 128
"""Height and width of a scene, in pixels."""
GARMENT = 28
"""Height and width of an image of Fashion-MNIST."""
MOST = 5
"""Most garments in one scene."""
SCALES = (1.0, 2.0)
"""Smallest and largest enlargement of a garment."""
OPAQUE = 48
"""Grey value from which a garment is opaque."""
MOST_HIDDEN = 0.4
"""Largest fraction of the smaller of two boxes that they may share."""
ATTEMPTS = 8
"""Places tried for a garment before it is left out."""
QUALITY = 90
"""Quality of the JPEG files."""
CLASSES = (
    "t-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


@dataclass(frozen=True)
class Scene:
    """One composed image."""

    pixels: Bytes
    """[SIDE, SIDE, 3]."""
    boxes: npt.NDArray[np.int64]
    """[garments, 4] pixels: top, left, bottom, right; bottom and right are exclusive. Hidden parts are included."""
    labels: npt.NDArray[np.int64]
    """[garments], 0 to 9."""
    areas: npt.NDArray[np.int64]
    """[garments] pixels that the garment covers."""
    mask: Bytes
    """[SIDE, SIDE] label plus one of the visible garment; 0 for the background."""


def enlarging(size: int, new_size: int) -> Floats:
    """The matrix [new_size, size] that interpolates linearly between the centres of `size` pixels."""
    place = np.clip((np.arange(new_size) + 0.5) * size / new_size - 0.5, 0, size - 1)
    lower = np.minimum(place.astype(int), size - 2)
    matrix = np.zeros((new_size, size), np.float32)
    rows = np.arange(new_size)
    matrix[rows, lower] = 1 - (place - lower)
    matrix[rows, lower + 1] += place - lower
    return matrix


ENLARGING = {size: enlarging(GARMENT, size) for size in range(GARMENT, int(GARMENT * SCALES[1]) + 1)}
COARSE = {size: enlarging(size, SIDE) for size in (2, 3, 5, 9, 17, 33)}


def background(random: np.random.Generator) -> Floats:
    """Clouds of two colours in several sizes, stripes at times, and noise: [SIDE, SIDE, 3], 0 to 255."""
    clouds = np.zeros((SIDE, SIDE), np.float32)
    for size in random.choice(list(COARSE), 2, replace=False):
        spread = COARSE[int(size)]
        clouds += spread @ random.random((size, size), np.float32) @ spread.T
    if random.random() < 0.4:
        angle, period = random.uniform(0, np.pi), random.uniform(6, 40)
        along = np.arange(SIDE, dtype=np.float32) / np.float32(period)
        phase = along[:, None] * np.float32(np.sin(angle)) + along * np.float32(np.cos(angle))
        clouds += (phase % 1 < 0.5) * np.float32(random.uniform(0.1, 0.6))
    colours = random.uniform(20, 230, (2, 3)).astype(np.float32)
    pixels: Floats = colours[0] + (clouds * np.float32(0.5))[:, :, None] * (colours[1] - colours[0])
    pixels += random.random((SIDE, SIDE, 1), np.float32) * np.float32(random.uniform(0, 30))
    return pixels


def compose(images: Bytes, labels: Bytes, random: np.random.Generator) -> Scene:
    """Compose one scene of the garments `images` [n, 28, 28] with their `labels` [n]."""
    pixels = background(random)
    boxes: list[tuple[int, int, int, int]] = []
    chosen: list[int] = []
    areas: list[int] = []
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for _ in range(int(random.integers(1, MOST + 1))):
        index = int(random.integers(len(images)))
        grid = ENLARGING[int(random.integers(GARMENT, int(GARMENT * SCALES[1]) + 1))]
        grey = grid @ images[index].astype(np.float32) @ grid.T
        if random.random() < 0.5:
            grey = grey[:, ::-1]
        seen = grey > OPAQUE / 2
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        tint = random.uniform(0.3, 1.0, 3).astype(np.float32)
        if not rows.size:
            continue
        top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        grey = grey[top:bottom, left:right]
        height, width = grey.shape
        for _ in range(ATTEMPTS):
            y, x = int(random.integers(SIDE - height + 1)), int(random.integers(SIDE - width + 1))
            box = (y, x, y + height, x + width)
            if all(hidden(box, other) <= MOST_HIDDEN for other in boxes):
                break
        else:
            continue
        opacity = np.minimum(grey / np.float32(OPAQUE), np.float32(1))[:, :, None]
        place = pixels[y : y + height, x : x + width]
        place += opacity * ((grey * np.float32(0.75) + np.float32(64))[:, :, None] * tint - place)
        mask[y : y + height, x : x + width][seen[top:bottom, left:right]] = labels[index] + 1
        boxes.append(box)
        chosen.append(int(labels[index]))
        areas.append(int(seen.sum()))
    return Scene(
        np.clip(np.rint(pixels), 0, 255).astype(np.uint8),
        np.array(boxes, np.int64).reshape(-1, 4),
        np.array(chosen, np.int64),
        np.array(areas, np.int64),
        mask,
    )


def hidden(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    """The fraction of the smaller box that both boxes cover."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    if height <= 0 or width <= 0:
        return 0.0
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return height * width / smaller


def stream(images: Bytes, labels: Bytes, seed: int) -> Iterator[Scene]:
    """An endless stream of scenes."""
    random = np.random.default_rng(seed)
    while True:
        yield compose(images, labels, random)


def jpeg(pixels: Bytes) -> bytes:
    """The file of an image, without chroma subsampling."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY, subsampling=0, optimize=True)
    return file.getvalue()


def write_folder(folder: Path, scenes: list[Scene]) -> list[Bytes]:
    """Write the scenes as JPEG files with their instances JSON, and return the decoded pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    listed: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)],
    }
    read = []
    for number, scene in enumerate(scenes, 1):
        name = f"{number:04}.jpg"
        (folder / name).write_bytes(jpeg(scene.pixels))
        read.append(np.asarray(Image.open(folder / name)))
        listed["images"].append({"id": number, "file_name": name, "width": SIDE, "height": SIDE})
        for (top, left, bottom, right), label, area in zip(scene.boxes, scene.labels, scene.areas, strict=True):
            annotation = {
                "id": len(listed["annotations"]) + 1,
                "image_id": number,
                "category_id": int(label) + 1,
                "bbox": [int(left), int(top), int(right - left), int(bottom - top)],
                "area": int(area),
                "iscrowd": 0,
            }
            listed["annotations"].append(annotation)
    lines = [
        f' "{key}": [\n' + ",\n".join("  " + json.dumps(one) for one in many) + "\n ]" for key, many in listed.items()
    ]
    (folder / "instances.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return read
