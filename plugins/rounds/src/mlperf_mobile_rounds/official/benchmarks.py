"""The names that rounds and submitters give to benchmarks, and what each benchmark loads into memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

ALIASES: Mapping[str, str] = {
    "ictpuuint8": "image_classification",
    "ictpufloat32": "image_classification",
    "mobilenetedgetpu": "image_classification",
    "mobilenetedge": "image_classification",
    "imageclassification": "image_classification",
    "ictpuuint8offline": "image_classification_offline",
    "ictpufloat32offline": "image_classification_offline",
    "imageclassificationoffline": "image_classification_offline",
    "mobilenetv4": "image_classification_v2",
    "imageclassificationv2": "image_classification_v2",
    "imageclassificationofflinev2": "image_classification_offline_v2",
    "oduint8": "object_detection",
    "odfloat32": "object_detection",
    "mobiledet": "object_detection",
    "mobiledetssd": "object_detection",
    "ssdmobiledet": "object_detection",
    "ssdmobilenetv2": "object_detection",
    "objectdetection": "object_detection",
    "isuint8": "image_segmentation",
    "isint8": "image_segmentation",
    "isfloat32": "image_segmentation",
    "deeplabv3": "image_segmentation",
    "mobilenetv2deeplabv3": "image_segmentation",
    "imagesegmentation": "image_segmentation",
    "isuint8mosaic": "image_segmentation_v2",
    "isfloat32mosaic": "image_segmentation_v2",
    "smuint8": "image_segmentation_v2",
    "mosaic": "image_segmentation_v2",
    "imagesegmentationv2": "image_segmentation_v2",
    "luint8": "natural_language_processing",
    "lufloat32": "natural_language_processing",
    "lugpufloat32": "natural_language_processing",
    "mobilebert": "natural_language_processing",
    "naturallanguageprocessing": "natural_language_processing",
    "languageunderstanding": "natural_language_processing",
    "edsr": "super_resolution",
    "superresolution": "super_resolution",
    "stablediffusion": "stable_diffusion",
}
"""By name without capitals and marks: ids of the app's tasks, and folders of the rounds v0.7 to v5.0."""

OFFLINE: Mapping[str, str] = {
    "image_classification": "image_classification_offline",
    "image_classification_v2": "image_classification_offline_v2",
}
"""The offline variants that are benchmarks of their own."""

SCENARIOS: Mapping[str, str] = {"singlestream": "SingleStream", "offline": "Offline", "multistream": "MultiStream"}


@dataclass(frozen=True, slots=True)
class Memory:
    """How many samples of a benchmark are in memory at a time."""

    rules: int
    """By the rules (mobile_open, rules/mobile_inference_rules.adoc)."""
    app: int
    """As the app computes it: 500 MB divided by the bytes of an input."""


_V1, _V4 = Memory(1024, 3321), Memory(1024, 1130)
MEMORY: Mapping[str, Memory] = {
    "image_classification": _V1,
    "image_classification_offline": _V1,
    "image_classification_v2": _V4,
    "image_classification_offline_v2": _V4,
    "object_detection": Memory(256, 1627),
    "image_segmentation": Memory(256, 635),
    "image_segmentation_v2": Memory(256, 635),
    "natural_language_processing": Memory(10833, 108506),
    "super_resolution": Memory(25, 321),
}


@dataclass(frozen=True, slots=True)
class Samples:
    """How many samples the app has of a benchmark."""

    accuracy: tuple[int, ...]
    """Of the whole data set; question answering has a small set besides."""
    performance: int
    seen: int = 0
    """A smaller number that some published results have, without an explanation."""


_IMAGENET, _ADE20K = Samples((50000,), 300), Samples((2000,), 300)
SAMPLES: Mapping[str, Samples] = {
    "image_classification": _IMAGENET,
    "image_classification_offline": _IMAGENET,
    "image_classification_v2": _IMAGENET,
    "image_classification_offline_v2": _IMAGENET,
    "object_detection": Samples((5000,), 300),
    "image_segmentation": _ADE20K,
    "image_segmentation_v2": _ADE20K,
    "natural_language_processing": Samples((100, 10833), 100),
    "super_resolution": Samples((25,), 25, 20),
    "stable_diffusion": Samples((150,), 5000),
}
"""As in mobile_app_open's tasks.pbtxt, and in the logs of all rounds."""

DATASETS: Mapping[str, str] = {
    "Imagenet": "image_classification",
    "Coco": "object_detection",
    "ADE20K": "image_segmentation",
    "SQuAD 1.1": "natural_language_processing",
    "SNU_SR": "super_resolution",
    "CocoGen": "stable_diffusion",
}
"""The task of each of the app's sample libraries, by the name that LoadGen logs."""

TYPES: Mapping[str, str] = {
    "IMAGENET": "image_classification",
    "COCO": "object_detection",
    "ADE20K": "image_segmentation",
    "SQUAD": "natural_language_processing",
    "SNUSR": "super_resolution",
    "COCOGEN": "stable_diffusion",
}
"""The task of each type of data set in a result file."""

RECORD_BYTES: Mapping[str, int] = {
    "image_classification": 4,
    "natural_language_processing": 3072,
    "image_segmentation": 0,
    "super_resolution": 0,
}
"""Bytes of an answer that the app logs (mobile_app_open, flutter/cpp/datasets): a class; two times 384 logits."""
DETECTION_BYTES = 28
"""Of one detection: seven floats."""

EARLY_STOPPING_IGNORED = frozenset({"stable_diffusion"})
"""Benchmarks that the app calls valid without it."""


def squeezed(name: str) -> str:
    """A name without capitals and marks: ``DeeplabV3+`` and ``deeplab_v3`` are ``deeplabv3``."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def canonical(name: str, scenario: str | None = None) -> str | None:
    """The benchmark that a folder or an id means; None if it is unknown."""
    short = squeezed(name)
    found = ALIASES.get(short) or (name if short.startswith("llm") else None)
    return OFFLINE.get(found, found) if found and scenario == "Offline" else found


def task_of(benchmark: str) -> str | None:
    """The task of a benchmark, whatever its version and scenario; None of an unknown one."""
    short = benchmark.replace("_offline", "").removesuffix("_v2")
    return short if short in DATASETS.values() else None
