"""The quickstart's data from scikit-image's photographs: test pairs, and training patches."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import skimage
from PIL import Image

Pixels = npt.NDArray[np.uint8]
"""An RGB image [height, width, 3]."""

SCALE = 2
SIDE = 256
"""Height and width of the high-resolution test images."""
FOLDER = Path(skimage.__file__).parent / "data"

TEST = {
    "astronaut.png": 4,
    "brick.png": 4,
    "camera.png": 4,
    "chelsea.png": 1,
    "gravel.png": 4,
    "hubble_deep_field.jpg": 6,
    "rocket.jpg": 2,
}
"""Files, and the number of squares cropped from each."""

TRAINING = {
    "coffee.png": ((1.0, 0.75, 0.5), 6.0),
    "grass.png": ((1.0, 0.75, 0.5), 3.0),
    "retina.jpg": ((0.5, 0.25), 2.0),
    "text.png": ((1.0, 0.75, 0.5), 1.0),
    "cell.png": ((0.5,), 0.5),
    "clock_motion.png": ((1.0, 0.5), 0.5),
    "horse.png": ((1.0, 0.5), 0.5),
}
"""Other files: the relative sizes that each is scaled to, and the relative frequency with which it is drawn."""


def read(name: str) -> Image.Image:
    """One photograph, with white for transparent parts, as RGB, or as L if greyscale."""
    image = Image.open(FOLDER / name)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image


def smaller(image: Image.Image, scale: float) -> Image.Image:
    """An image scaled down by Pillow's antialiased bicubic filter to even numbers of pixels."""
    size = (int(image.width * scale / SCALE) * SCALE, int(image.height * scale / SCALE) * SCALE)
    return image.crop((0, 0, *size)) if scale == 1 else image.resize(size, Image.Resampling.BICUBIC)


def halved(image: Image.Image) -> Image.Image:
    """The low-resolution image of a high-resolution one, by the same filter."""
    return image.resize((image.width // SCALE, image.height // SCALE), Image.Resampling.BICUBIC)


def squares(name: str, count: int) -> Iterator[Image.Image]:
    """The first squares of a grid centred in a photograph, row by row."""
    image = read(name)
    columns, rows = image.width // SIDE, image.height // SIDE
    left, top = (image.width - SIDE * columns) // 2, (image.height - SIDE * rows) // 2
    for number in range(count):
        row, column = divmod(number, columns)
        x, y = left + SIDE * column, top + SIDE * row
        yield image.crop((x, y, x + SIDE, y + SIDE))


def write_pairs(folder: Path) -> None:
    """Write the test pairs as PNG files, greyscale where the photograph is: ``lr/NAME_N.png`` and ``hr/NAME_N.png``."""
    for part in ("lr", "hr"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, count in TEST.items():
        for number, square in enumerate(squares(name, count)):
            file = f"{Path(name).stem}_{number}.png"
            square.save(folder / "hr" / file, optimize=True)
            halved(square).save(folder / "lr" / file, optimize=True)


def read_pairs(folder: Path) -> tuple[list[str], Pixels, Pixels]:
    """The names of the written pairs in byte order, their low-resolution and their high-resolution images."""
    names = sorted(path.name for path in (folder / "lr").iterdir())
    low, high = (
        np.stack([np.asarray(Image.open(folder / part / name).convert("RGB")) for name in names])
        for part in ("lr", "hr")
    )
    return names, low, high


class Patches:
    """Random training patches: rotated, mirrored, inverted, and with permuted colours.

    Args:
        random: The source of randomness.
        side: Height and width of the low-resolution patches.
    """

    def __init__(self, random: np.random.Generator, side: int) -> None:
        self._random, self._side = random, side
        self._photos: list[tuple[Pixels, Pixels]] = []
        weights: list[float] = []
        for name, (scales, weight) in TRAINING.items():
            for scale in scales:
                high = smaller(read(name).convert("RGB"), scale)
                self._photos.append((np.asarray(halved(high)), np.asarray(high)))
                weights.append(weight / len(scales))
        self._shares = np.array(weights) / sum(weights)

    def batch(self, count: int) -> tuple[Pixels, Pixels]:
        """``count`` patches in low and high resolution, [count, side, side, 3] and [count, 2 side, 2 side, 3]."""
        drawn = [self._patch() for _ in range(count)]
        return np.stack([low for low, _ in drawn]), np.stack([high for _, high in drawn])

    def calibration(self, count: int, side: int) -> Iterator[Pixels]:
        """``count`` low-resolution patches of another side, not augmented; the first is black and white."""
        ends = np.zeros((side, side, 3), np.uint8)
        ends[: side // 2] = 255
        yield ends
        fitting = [low for low, _ in self._photos if min(low.shape[:2]) >= side]
        for number in range(count - 1):
            low = fitting[number % len(fitting)]
            y, x = (int(self._random.integers(size - side + 1)) for size in low.shape[:2])
            yield low[y : y + side, x : x + side]

    def _patch(self) -> tuple[Pixels, Pixels]:
        random, side = self._random, self._side
        low, high = self._photos[random.choice(len(self._photos), p=self._shares)]
        y, x = (int(random.integers(size - side + 1)) for size in low.shape[:2])
        patches = [
            low[y : y + side, x : x + side],
            high[SCALE * y : SCALE * (y + side), SCALE * x : SCALE * (x + side)],
        ]
        turns, colours = int(random.integers(4)), random.permutation(3)
        patches = [np.rot90(patch, turns)[:, :, colours] for patch in patches]
        if random.integers(2):
            patches = [patch[:, ::-1] for patch in patches]
        if random.integers(2):
            patches = [255 - patch for patch in patches]
        return patches[0], patches[1]


def png_bytes(folder: Path) -> int:
    """The total size of the pairs' files in bytes."""
    return sum(path.stat().st_size for part in ("lr", "hr") for path in (folder / part).iterdir())


def bicubic(low: Pixels) -> Pixels:
    """Images enlarged by Pillow's bicubic filter, as a baseline."""
    size = (low.shape[2] * SCALE, low.shape[1] * SCALE)
    return np.stack([np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)) for image in low])
