"""Inputs and outputs: their description in the model, and their user buffers."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_snpe.native import abi
from mlperf_mobile_backend_snpe.native.library import Library
from mlperf_mobile_backend_snpe.native.options import MOST_ELEMENTS, BufferType
from mlperf_mobile_native_libraries.functions import text

MOST_DIMENSIONS = 16


@dataclass(frozen=True, slots=True)
class Element:
    """An element type of user buffers."""

    dtype: np.dtype[np.generic]
    encoding: str
    """The kind of user buffer encoding: ``"IntN"``."""
    bits: int | None = None
    """Arguments to create the encoding with, if its kind needs any."""

    @property
    def quantised(self) -> bool:
        """Whether it has a step and an offset."""
        return self.encoding == "TfN"


_KINDS = {
    "float32": ("Float", None),
    "float16": ("FloatN", 16),
    "unsigned8": ("Unsigned8Bit", None),
    "tf8": ("TfN", 8),
    "tf16": ("TfN", 16),
    "bool8": ("Bool", 8),
}
_DTYPES = {"unsigned8": "uint8", "tf8": "uint8", "tf16": "uint16", "bool8": "bool"}


def _element(name: str) -> Element:
    dtype = np.dtype(_DTYPES.get(name, name))
    kind, bits = _KINDS.get(name, ("UintN" if dtype.kind == "u" else "IntN", 8 * dtype.itemsize))
    return Element(dtype, kind, bits)


ELEMENTS: Mapping[int, Element] = {number: _element(name) for name, number in abi.ELEMENTS.items()}
"""By Snpe_UserBufferEncoding_ElementType_t."""

REQUESTABLE: Mapping[BufferType, Element] = {
    "float_32": _element("float32"),
    "float_16": _element("float16"),
    "uint_8": _element("tf8"),
    "uint_16": _element("tf16"),
    "int_32": _element("int32"),
}
"""By the options input_type and output_type."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of the session."""

    key: bytes
    """Its name in SNPE."""
    shape: tuple[int, ...]
    element: Element
    step: float = 0.0
    zero: int = 0
    """The stored value of 0.0."""

    @property
    def spec(self) -> TensorSpec:
        """``real = step * (stored - zero)``.

        SNPE's encodings speak of the step that is exactly 0 (IUserBuffer.h: ``stepExactly0``), which is a stored value,
        never negative, as a zero point is. The offset that ``snpe-dlc-info`` prints is its negative.
        """
        return TensorSpec(text(self.key), self.shape, self.element.dtype, self.step, self.zero)


def read(library: Library, network: int, key: bytes, requested: BufferType, model: str) -> Tensor:
    """Read an input or output of the built network.

    Raises:
        SnpeError: SNPE knows no such tensor.
        ModelError: ``model-tensor``, ``model-shape``: a tensor that cannot be held in a fixed buffer of numbers.
        BackendError: ``buffer-type``: the requested type needs a quantised tensor.
    """
    name = text(key)
    with library.owned("IBufferAttributes_Delete", "SNPE_GetInputOutputBufferAttributes", network, key) as attributes:
        with library.owned("TensorShape_Delete", "IBufferAttributes_GetDims", attributes) as dims:
            rank = library.get("TensorShape_Rank", dims)
            shape = tuple(library.get("TensorShape_At", dims, index) for index in range(min(rank, MOST_DIMENSIONS)))
        if rank > MOST_DIMENSIONS or 0 in shape or math.prod(shape) > MOST_ELEMENTS:
            summary = f"tensor {name} of {model} has {rank} dimensions {list(shape)}, not a valid fixed shape"
            raise ModelError("model-shape", summary, "convert the model with fixed input shapes")
        number = library.get("IBufferAttributes_GetEncodingType", attributes)
        if number not in ELEMENTS:
            summary = f"tensor {name} of {model} holds elements of the unknown type {number}"
            raise ModelError("model-tensor", summary, "convert the model with numeric inputs and outputs")
        own = ELEMENTS[number]
        element = own if requested == "native" else REQUESTABLE[requested]
        if not element.quantised:
            return Tensor(key, shape, element)
        if own != element:
            summary = f"tensor {name} of {model} is {own.dtype.name}, without a quantisation in {element.bits} bits"
            raise BackendError("buffer-type", summary, "use native or float_32 in input_type and output_type")
        encoding = library.create("IBufferAttributes_GetEncoding_Ref", attributes)  # belongs to the attributes
        step = float(library.get("UserBufferEncodingTfN_GetQuantizedStepSize", encoding))
        zero = int(library.get("UserBufferEncodingTfN_GetStepExactly0", encoding))
        if not (math.isfinite(step) and step > 0 and zero < 1 << (element.bits or 0)):
            summary = f"tensor {name} of {model} is quantised with step {step} and offset {zero}"
            raise ModelError("model-tensor", summary, "quantise the model again")
        return Tensor(key, shape, element, step, zero)


class Buffers:
    """The arrays of all inputs, or of all outputs, and the map through which SNPE accesses them without a copy.

    Raises:
        SnpeError: SNPE does not take a buffer.
    """

    def __init__(self, library: Library, tensors: tuple[Tensor, ...]) -> None:
        self.arrays = tuple(np.zeros(tensor.shape, tensor.element.dtype) for tensor in tensors)
        with ExitStack() as stack:
            pairs = list(zip(tensors, self.arrays, strict=True))
            buffers = [stack.enter_context(_user_buffer(library, tensor, array)) for tensor, array in pairs]
            self.map = stack.enter_context(library.owned("UserBufferMap_Delete", "UserBufferMap_Create"))
            for tensor, buffer in zip(tensors, buffers, strict=True):
                library.check("UserBufferMap_Add", self.map, tensor.key, buffer)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Delete the map and the buffers; the arrays remain valid."""
        self._stack.close()


@contextmanager
def _user_buffer(library: Library, tensor: Tensor, array: npt.NDArray[Any]) -> Iterator[int]:
    """A user buffer over the array's memory; its strides and its encoding are copied by SNPE."""
    strides = (ctypes.c_size_t * array.ndim)(*array.strides)
    element = tensor.element
    arguments = (
        (tensor.zero, tensor.step, element.bits) if element.quantised else (element.bits,) if element.bits else ()
    )
    kind = f"UserBufferEncoding{element.encoding}"
    with (
        library.owned("TensorShape_Delete", "TensorShape_CreateDimsSize", strides, array.ndim) as shape,
        library.owned(f"{kind}_Delete", f"{kind}_Create", *arguments) as encoding,
    ):
        buffer = library.create("Util_CreateUserBuffer", array.ctypes.data, array.nbytes, shape, encoding)
    try:
        yield buffer
    finally:
        library.get("IUserBuffer_Delete", buffer)
