"""Scenes composed of the test images of Fashion-MNIST, with a label for each pixel; packaged."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile_images.packaged import packaged_folder
from mlperf_mobile_task_semantic_segmentation.ade20k import ADE20K
from mlperf_mobile_task_semantic_segmentation.options import ADE20KOptions

SHA256 = "8589cea251bef3c5a7a1ac7c5fd3598690ac65d1fa01a6918c8a3ddeee7990fb"
"""Digest of the packaged folder, see :func:`mlperf_mobile_images.packaged.folder_digest`."""
SIDE = 128


class FashionMasks(ADE20K):
    """250 scenes of 128x128 pixels with one to five garments of ten classes, in ADE20K's format.

    Args:
        path: A folder like the packaged one, which is the default and is checked by sha256.
        options: None.
    """

    classes = 10

    def __init__(self, path: Path | None, options: None) -> None:
        folder = path or packaged_folder("mlperf_mobile_task_semantic_segmentation", "quickstart/scenes", SHA256)
        super().__init__(folder, ADE20KOptions(size=SIDE))
