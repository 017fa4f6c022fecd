"""What a plugin may lack without failing the conformance kit, and what its author requires."""

from __future__ import annotations

from mlperf_mobile.errors import did_you_mean

CAPABILITIES = frozenset({
    "usable", "model", "batch", "quantized", "purpose", "open-shapes", "several-outputs", "compiled", "report",
    "variation", "options", "dataset", "fingerprints", "recipe", "quickstart", "targets", "answered-calls",
    "tokens", "depth", "text", "labels", "readings",
})  # fmt: skip
"""What a plugin may lack, so that tests are skipped; ``MLPERF_MOBILE_REQUIRE`` names those that it must not lack."""


def required(text: str) -> frozenset[str]:
    """The capabilities in a text such as ``batch,quantized``.

    Raises:
        ValueError: One of them is unknown.
    """
    names = frozenset(filter(None, map(str.strip, text.split(","))))
    if unknown := sorted(names - CAPABILITIES):
        raise ValueError(f"MLPERF_MOBILE_REQUIRE names {unknown[0]!r}; {did_you_mean(unknown[0], CAPABILITIES)}")
    return names
