"""Scenes composed of the test images of Fashion-MNIST, which come with this package."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile_images.packaged import packaged_folder
from mlperf_mobile_task_object_detection.coco import Coco
from mlperf_mobile_task_object_detection.options import CocoOptions

SHA256 = "fd73fc0dafd3c96af3bc290804b46174a5d0292c581182a037663ffe3960a702"
"""Digest of the packaged folder, see :func:`mlperf_mobile_images.packaged.folder_digest`."""


class FashionScenes(Coco):
    """250 scenes of 128x128 pixels with one to five garments of ten classes, in COCO's format.

    Args:
        path: A folder like the packaged one, which is the default and is checked by sha256.
        options: None.
    """

    def __init__(self, path: Path | None, options: None) -> None:
        folder = path or packaged_folder("mlperf_mobile_task_object_detection", "quickstart/scenes", SHA256)
        super().__init__(folder, CocoOptions())
