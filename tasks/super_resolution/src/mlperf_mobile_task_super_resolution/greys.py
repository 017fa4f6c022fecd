"""Stores grey values, 0 to 255, in a model's input, and reads them from its output.

Floating-point tensors hold real values; the task's options define black and white, officially 0 and 255. Quantised
tensors follow their scale and zero point if these fit that range. Without a scale, or with one of another range (the
whole tensor spans less than a sixteenth of it), the official rule holds: uint8 is the grey value, int8 the grey value
minus 128. With scale 1 and zero point 0 or -128, as in official models, both are the same. int16 and uint16 have no
official rule, and need scales that fit. Source of the official rule:
MLPerf Mobile's app, flutter/cpp/datasets/snu_sr.cc.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec, check_quantisation
from mlperf_mobile.errors import ModelError
from mlperf_mobile_task_super_resolution.options import Range
from mlperf_mobile_task_super_resolution.response import new_response

OUTPUT_TYPES = ("float32", "float16", "uint8", "int8", "int16", "uint16")
ENDS: dict[Range, tuple[float, float]] = {"0..255": (0.0, 255.0), "0..1": (0.0, 1.0), "-1..1": (-1.0, 1.0)}
"""Black and white of each range."""
BLOCK = 1 << 16
"""Values processed at a time if a temporary array is needed: what fits into a core's cache."""
SLACK = 1 / 1024
"""Grey values added before truncation, in ranges other than the official one: k / 255 must give k, although float32 may
hold a little less."""

Greys = npt.NDArray[np.uint8]
Store = Callable[[npt.NDArray[np.generic]], npt.NDArray[np.generic]]
Read = Callable[[npt.NDArray[np.generic]], bytes]


def storing(spec: TensorSpec, ends: Range) -> Store:
    """A function of grey values, uint8 or float32 between 0 and 255, [..., 3], to values of the tensor's type.

    Integer types hold whole grey values: fractions are truncated.

    Raises:
        ModelError: The tensor's scales are invalid, or do not fit grey values and the type has no official rule.
    """
    black, white = ENDS[ends]
    if np.issubdtype(spec.dtype, np.floating):
        unit, offset = np.float32((white - black) / 255), np.float32(black)
        if ends == "0..255":
            return lambda greys: greys.astype(spec.dtype)
        return lambda greys: (greys.astype(np.float32) * unit + offset).astype(spec.dtype, copy=False)
    _check_fits(spec, ends, "model-input")
    tables = [_stored(each, ends) for each in _channels(spec, "model-input")]
    if len(tables) == 1:
        return lambda greys: tables[0][greys.astype(np.uint8)]
    table, channels = np.stack(tables, axis=1), np.arange(len(tables))
    return lambda greys: table[greys.astype(np.uint8), channels]


def reading(spec: TensorSpec, ends: Range) -> Read:
    """A function of a tensor to its grey values as bytes, in one pass over the tensor.

    Floating-point values are clipped to 0 and 255 and truncated; NaN becomes black.

    Raises:
        ModelError: The tensor's scales are invalid, or do not fit grey values and the type has no official rule.
    """
    if np.issubdtype(spec.dtype, np.floating):
        return _read_official_floats if ends == "0..255" else _read_floats(*ENDS[ends])
    _check_fits(spec, ends, "model-output")
    tables = [_greys(each, ends) for each in _channels(spec, "model-output")]
    if len(tables) > 1 or spec.dtype.itemsize > 1:
        return _read_by_channel(tables)
    stored = np.arange(256, dtype=np.uint8)
    if (tables[0] == stored).all():
        return lambda values: values.tobytes()
    if (tables[0] == stored ^ 128).all():
        return _read_signed
    return _read_by(tables[0].tobytes())


def _channels(spec: TensorSpec, code: str) -> list[TensorSpec]:
    """The spec of each channel if scales are per channel; otherwise the spec alone.

    Raises:
        ModelError: ``code``: the scales are along another axis.
    """
    if not spec.scales:
        return [spec]
    check_quantisation(spec)
    if spec.axis != len(spec.shape) - 1:
        reason = f"tensor {spec.name} {spec} has scales along axis {spec.axis}, not along the colours"
        raise ModelError(code, reason, "convert the model with one scale for the tensor")
    each = zip(spec.scales, spec.zero_points, strict=True)
    return [TensorSpec(spec.name, spec.shape, spec.dtype, scale, zero_point) for scale, zero_point in each]


def _check_fits(spec: TensorSpec, ends: Range, code: str) -> None:
    if spec.dtype.itemsize > 1 and not all(_fits(each, ends) for each in _channels(spec, code)):
        scale = f"the scale {spec.scale:g}, which gives" if spec.quantised else "no scale, and therefore"
        reason = f"tensor {spec.name} {spec} has {scale} no grey values"
        raise ModelError(code, reason, "convert the model with float32, uint8 or int8 images")


def _read_official_floats(values: npt.NDArray[np.generic]) -> bytes:
    response, greys = new_response(values.size)
    with np.errstate(invalid="ignore"):
        np.clip(values.reshape(-1), 0, 255, out=greys, dtype=np.float32, casting="unsafe")
    return response


def _read_floats(black: float, white: float) -> Read:
    unit = np.float32(255 / (white - black))
    offset = np.float32(SLACK * (white - black) / 255 - black)

    def read(values: npt.NDArray[np.generic]) -> bytes:
        response, greys = new_response(values.size)
        flat, part = values.reshape(-1), np.empty(min(BLOCK, values.size), np.float32)
        with np.errstate(invalid="ignore"):
            for start in range(0, flat.size, BLOCK):
                block = flat[start : start + BLOCK]
                real = np.add(block, offset, out=part[: block.size], dtype=np.float32)
                np.multiply(real, unit, out=real)
                np.clip(real, 0, 255, out=greys[start : start + BLOCK], dtype=np.float32, casting="unsafe")
        return response

    return read


def _read_signed(values: npt.NDArray[np.generic]) -> bytes:
    response, greys = new_response(values.size)
    np.bitwise_xor(values.reshape(-1).view(np.uint8), 128, out=greys)
    return response


def _read_by(table: bytes) -> Read:
    def read(values: npt.NDArray[np.generic]) -> bytes:
        response, greys = new_response(values.size)
        flat = values.reshape(-1)
        for start in range(0, flat.size, BLOCK):
            block = flat[start : start + BLOCK].tobytes().translate(table)
            greys[start : start + BLOCK] = np.frombuffer(block, np.uint8)
        return response

    return read


def _read_by_channel(tables: list[Greys]) -> Read:
    """Looks grey values up in one table for all channels, or in one for each."""
    index = np.dtype(np.uint8) if len(tables[0]) == 256 else np.dtype(np.uint16)

    def read(values: npt.NDArray[np.generic]) -> bytes:
        response, greys = new_response(values.size)
        stored, found = (each.reshape(-1, len(tables)) for each in (values.view(index), greys))
        for channel, table in enumerate(tables):
            table.take(stored[:, channel], out=found[:, channel], mode="clip")
        return response

    return read


def _stored(spec: TensorSpec, ends: Range) -> npt.NDArray[np.generic]:
    """The stored value of each grey value, [256] of the tensor's type."""
    if not _fits(spec, ends):
        return _official(spec)
    black, white = ENDS[ends]
    real = black + np.arange(256) * (white - black) / 255
    limits = np.iinfo(spec.dtype.name)
    stored = np.clip(np.rint(real / spec.scale) + spec.zero_point, limits.min, limits.max)
    return np.asarray(stored, spec.dtype)


def _greys(spec: TensorSpec, ends: Range) -> Greys:
    """The nearest grey value of each stored value, [256] or [65536] by its bits."""
    every = np.arange(1 << 8 * spec.dtype.itemsize).astype(f"u{spec.dtype.itemsize}")
    if not _fits(spec, ends):
        return _official(spec).view(np.uint8)
    black, white = ENDS[ends]
    real = spec.scale * (every.view(spec.dtype).astype(np.float64) - spec.zero_point)
    return np.clip(np.rint((real - black) * 255 / (white - black)), 0, 255).astype(np.uint8)


def _fits(spec: TensorSpec, ends: Range) -> bool:
    black, white = ENDS[ends]
    limits = np.iinfo(spec.dtype.name)
    return 1 / 16 <= spec.scale * (int(limits.max) - int(limits.min)) / (white - black) < math.inf


def _official(spec: TensorSpec) -> npt.NDArray[np.generic]:
    every = np.arange(256, dtype=np.uint8)
    return (every ^ 128).view(np.int8) if spec.dtype == np.int8 else every
