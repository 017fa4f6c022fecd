"""The hook of this distribution: a data set for every image task."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import DatasetInfo, Ref, hookimpl


@hookimpl
def mlperf_mobile_datasets() -> Iterable[DatasetInfo]:
    """Offer plain folders of images."""
    yield DatasetInfo(
        name="image_folder",
        summary="a plain folder of images without labels, for performance runs",
        dataset=Ref("mlperf_mobile_images.folder:ImageFolder"),
        tasks=("image_classification", "object_detection", "semantic_segmentation", "super_resolution"),
        hook_api=(2, 0),
    )
