"""Lowers the operators of a .tflite model to operations of the Neural Networks API."""

from __future__ import annotations

from mlperf_mobile_neural_networks.lower.lowering import Unsupported, lower, unsupported

__all__ = ["Unsupported", "lower", "unsupported"]
