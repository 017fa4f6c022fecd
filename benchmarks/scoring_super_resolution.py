"""Measures images of 1920x1080: decoding, which is in the timed region, and scoring."""

from __future__ import annotations

import argparse

import harness
import numpy as np

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_images.image import Image
from mlperf_mobile_task_super_resolution.metric import PSNR, squared_error
from mlperf_mobile_task_super_resolution.options import TaskOptions
from mlperf_mobile_task_super_resolution.ssim import ssim
from mlperf_mobile_task_super_resolution.task import SuperResolution

HEIGHT, WIDTH = 1080, 1920
SHAPE = (1, HEIGHT, WIDTH, 3)
OUTPUTS = (("float32", 0.0, 0), ("float16", 0.0, 0), ("int8", 1.0, -128), ("uint8", 0.0, 0), ("uint8", 1.1, 7))
"""Type, scale and zero point."""


class OneTruth:
    """A data set of one high-resolution image."""

    def __init__(self, image: Image) -> None:
        self._image = image

    def __len__(self) -> int:
        return 1

    def sample(self, index: int) -> object:
        raise NotImplementedError("only scoring is measured")

    def truth(self, index: int) -> Image:
        return self._image


def main() -> None:
    """Print milliseconds: reading the output once, decoding it by type, and scoring the response."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, SHAPE[1:], dtype=np.uint8)
    real = truth[None] + rng.normal(0, 5, SHAPE).astype(np.float32)
    print(f"output {WIDTH}x{HEIGHT}, {real.nbytes / 1e6:.1f} MB as float32; response {truth.nbytes / 1e6:.1f} MB")
    print(f"{'numpy reads float32 once':32} {harness.milliseconds(real.max, args.rounds):8.2f} ms")
    print(f"{'numpy copies the response once':32} {harness.milliseconds(truth.tobytes, args.rounds):8.2f} ms")
    low = TensorSpec("low", (1, HEIGHT // 2, WIDTH // 2, 3), np.dtype(np.float32))
    for name, scale, zero_point in OUTPUTS:
        codec = SuperResolution(TaskOptions()).bind(
            [low], [TensorSpec("high", SHAPE, np.dtype(name), scale, zero_point)]
        )
        outputs = (np.clip(real, *((-128, 127) if name == "int8" else (0, 255))).astype(name),)
        spent = harness.milliseconds(lambda codec=codec, outputs=outputs: codec.decode(outputs), args.rounds)  # type: ignore[misc]
        print(f"{f'decode {name}, scale {scale}':32} {spent:8.2f} ms")
    image = np.clip(real[0], 0, 255).astype(np.uint8)
    rounds = max(3, args.rounds // 10)
    print(f"{'squared error':32} {harness.milliseconds(lambda: squared_error(image, truth), rounds):8.2f} ms")
    print(f"{'SSIM':32} {harness.milliseconds(lambda: ssim(image, truth), rounds):8.2f} ms")
    metric, response = PSNR(OneTruth(Image(truth, "truth"))), image.tobytes()
    print(f"{'score one response':32} {harness.milliseconds(lambda: metric.update(0, response), rounds):8.2f} ms")


if __name__ == "__main__":
    main()
