"""The accelerators of SNPE's runtimes, and the placement of a model."""

from __future__ import annotations

from collections.abc import Mapping

from mlperf_mobile.contracts import Placement
from mlperf_mobile.errors import BackendError, UsageError
from mlperf_mobile_backend_snpe.native.options import NativeOptions, Runtime

ACCELERATORS: Mapping[Runtime, str] = {"dsp": "htp", "aip": "htp", "gpu": "gpu", "gpu_float16": "gpu", "cpu": "cpu"}
"""The accelerator of each runtime."""

DEFAULT: Mapping[str, Runtime] = {"htp": "dsp", "gpu": "gpu", "cpu": "cpu"}
"""The runtime of each accelerator, the preferred accelerator first."""


def runtimes(options: NativeOptions, accelerator: str) -> tuple[Runtime, ...]:
    """The order in which SNPE may use runtimes.

    Raises:
        BackendError: ``no-accelerator``: the accelerator is unknown.
        UsageError: ``runtime-order``: the option prefers the runtime of another accelerator.
    """
    if accelerator not in DEFAULT:
        raise BackendError("no-accelerator", f"SNPE has no accelerator {accelerator!r}", ", ".join(DEFAULT))
    order = options.runtime_order or (DEFAULT[accelerator],)
    if ACCELERATORS[order[0]] != accelerator:
        summary = f"the accelerator is {accelerator}, but runtime_order prefers {order[0]}"
        raise UsageError("runtime-order", summary, "begin runtime_order with the accelerator's runtime, or omit it")
    return order if not options.cpu_fallback or "cpu" in order else (*order, "cpu")


def placement(order: tuple[Runtime, ...]) -> Placement:
    """The placement: the whole network counts as one operation, because SNPE reports no operations.

    With one runtime in the order, SNPE refuses to build what that runtime cannot run
    (SNPE_ERRORCODE_MODEL_VALIDATION_LAYER_COULD_NOT_BE_ASSIGNED), so a network that was built runs there. With several,
    SNPE splits the network as it likes; then its place is ``unknown``, which strict placement does not accept.
    """
    where = ACCELERATORS[order[0]] if len(order) == 1 else "unknown"
    name = "the whole network" if len(order) == 1 else f"the network, split over {' and '.join(order)} as SNPE decides"
    return Placement({where: 1}, {f"snpe-{'+'.join(order)}": 1}, {where: {name: 1}})
