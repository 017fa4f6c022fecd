"""What a vendor's free text says of accelerators: ``snpe_dsp`` is an NPU, ``cpu&gpu`` two processors."""

from __future__ import annotations

import re

ACCELERATORS = ("npu", "gpu", "cpu")

_WORDS = {
    "npu": ("npu", "dsp", "npudsp", "htp", "hexagon", "ane", "neural", "neuron", "mdla", "apu", "tpu", "edgetpu"),
    "gpu": ("gpu", "metal", "opencl", "vulkan"),
    "cpu": ("cpu", "xnnpack"),
}
"""All that the settings and libraries of mobile_app_open (commit 051a47a) say, and the names of vendors' units."""


def kinds(text: str) -> tuple[str, ...]:
    """The accelerators that ``text`` speaks of, in the order of :data:`ACCELERATORS`; none if it says none."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    return tuple(kind for kind in ACCELERATORS if words & {*_WORDS[kind]})
