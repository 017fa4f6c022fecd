"""Finds accelerators in a vendor's free text: ``snpe_dsp`` is an NPU, ``cpu&gpu`` are two processors."""

from __future__ import annotations

import re

ACCELERATORS = ("npu", "gpu", "cpu")

_WORDS = {
    "npu": ("npu", "dsp", "npudsp", "htp", "hexagon", "ane", "neural", "neuron", "mdla", "apu", "tpu", "edgetpu"),
    "gpu": ("gpu", "metal", "opencl", "vulkan"),
    "cpu": ("cpu", "xnnpack"),
}
"""The words in the settings and libraries of mobile_app_open (commit 051a47a), and the names of vendors' units."""


def kinds(text: str) -> tuple[str, ...]:
    """The accelerators that ``text`` mentions, in the order of :data:`ACCELERATORS`; empty if it mentions none."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    return tuple(kind for kind in ACCELERATORS if words & {*_WORDS[kind]})
