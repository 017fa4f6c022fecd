"""Reads ONNX models, and writes those that hold a context binary; ONNX Runtime only loads files that were read here.

Operators and attributes of context models: ``EPContext`` of ONNX Runtime's contrib operators, version 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile.backend_checks import Shapes, sized
from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_snpe.qnn import identity
from mlperf_mobile_backend_snpe.qnn.manifest import Tensor
from mlperf_mobile_backend_snpe.qnn.runtime import FIX

MAX_BYTES = 2**31 - 1
"""Bytes; the limit of protocol buffers."""
SOURCE = "QNNExecutionProvider"
_CONTEXT, _DOMAIN = "EPContext", "com.microsoft"
_HINT = "export or convert it again"


def read(path: Path) -> Any:
    """The ``ModelProto`` of a file, without external data.

    Raises:
        ModelError: ``model-missing``, ``model-damaged`` or ``model-too-large``.
        BackendError: ``no-runtime``: the package ``onnx`` is missing.
    """
    onnx = _onnx()
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ModelError("model-too-large", f"{path} has {size} bytes", "store its weights in a separate file")
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # a ValueError means that the name contains NUL
        reason = getattr(error, "strerror", None) or error
        raise ModelError("model-missing", f"cannot read {path}: {reason}", "check the path of the model") from error
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:
        raise ModelError("model-damaged", f"{path} is not an ONNX model, or it is damaged", _HINT) from error
    if not model.graph.node or not model.graph.output:
        raise ModelError("model-damaged", f"{path} has no operations or no outputs: it is damaged", _HINT)
    return model


def _onnx() -> Any:
    try:
        onnx = import_module("onnx")
        import_module("onnx.numpy_helper")
    except ImportError as error:
        raise BackendError("no-runtime", f"the package onnx does not load: {error}", FIX) from error
    return onnx


def names(model: Any) -> dict[str, int]:
    """The number of the model's operations by name, without constants."""
    return dict(Counter(node.op_type for node in model.graph.node if node.op_type != "Constant"))


def free_dimensions(model: Any, path: Path, batch: int, requested: Shapes) -> dict[str, int]:
    """The sizes of the dimensions that the file leaves open, by name.

    The first dimension of an input counts samples; the others have the size that was requested for this input, or
    for another one with a dimension of the same name.

    Raises:
        OpenShapes: ``open-shape``: a dimension has no size.
        ModelError: ``input-shapes``: the requested shapes do not fit; ``model-shape``: an open dimension has no name;
            ``model-batch``: an input has no open first dimension, and ``batch`` is more than 1.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    sizes: dict[str, int] = {}
    for value in inputs:
        dimensions = value.type.tensor_type.shape.dim
        for axis, (dimension, size) in enumerate(zip(dimensions, requested.get(value.name, ()), strict=False)):
            if not _is_fixed(dimension) and dimension.dim_param and sizes.setdefault(dimension.dim_param, size) != size:
                summary = (
                    f"dimension {axis} of input {value.name} of {path.name} has the size of {dimension.dim_param!r}"
                )
                reason = f"{summary}, and input_shapes requests both {sizes[dimension.dim_param]} and {size}"
                raise ModelError("input-shapes", reason, "set the same size for dimensions of the same name")
    sized([_spec(value, sizes) for value in inputs], requested, path.name)
    found = dict(sizes)
    for value in inputs:
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
            if _is_fixed(dimension):
                if batch > 1 and not axis:
                    raise no_batch(path, batch, f"input {value.name} takes {dimension.dim_value}")
                continue
            if not dimension.dim_param:
                summary = f"dimension {axis} of input {value.name} of {path} is open and has no name"
                raise ModelError("model-shape", summary, "export the model with fixed shapes, or name the dimension")
            if not axis:
                found[dimension.dim_param] = (
                    batch if sizes.get(dimension.dim_param, 1) == 1 else sizes[dimension.dim_param]
                )
    return found


def _is_fixed(dimension: Any) -> bool:
    return bool(dimension.HasField("dim_value") and dimension.dim_value > 0)


def _spec(value: Any, sizes: Mapping[str, int]) -> TensorSpec:
    """An input; ``sizes`` are those of the named dimensions."""
    kind = value.type.tensor_type
    shape, left = [], []
    for axis, dimension in enumerate(kind.shape.dim):
        is_open = not _is_fixed(dimension) and dimension.dim_param not in sizes
        shape.append(dimension.dim_value if _is_fixed(dimension) else sizes.get(dimension.dim_param, 1))
        left += [axis] if is_open else []
    dtype = np.dtype(_onnx().helper.tensor_dtype_to_np_dtype(kind.elem_type))
    return TensorSpec(value.name, tuple(shape), dtype, open_axes=tuple(left))


def no_batch(path: Path, batch: int, reason: str) -> ModelError:
    """The error that the model does not support this batch."""
    summary = f"{path} cannot take a batch of {batch}: {reason}"
    return ModelError("model-batch", summary, "use batch 1, or export the model with an open first dimension")


def quantization(model: Any) -> dict[str, tuple[float, int]]:
    """Scale and zero point of quantised inputs and outputs, per tensor, from the nodes next to them."""
    onnx = _onnx()
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and (values := [each.t for each in node.attribute if each.name == "value"]):
            constants[node.output[0]] = values[0]
    ends = {value.name for value in (*model.graph.input, *model.graph.output)}
    found: dict[str, tuple[float, int]] = {}
    for node in model.graph.node:
        if node.op_type not in {"QuantizeLinear", "DequantizeLinear"} or len(node.input) < 2:
            continue
        name = node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]
        parts = [constants[each] for each in node.input[1:3] if each in constants]
        if name not in ends or len(parts) != len(node.input) - 1 or any(p.external_data for p in parts):
            continue
        values = [np.asarray(onnx.numpy_helper.to_array(part)).reshape(-1) for part in parts]
        if all(value.size == 1 for value in values):
            found[name] = (float(values[0][0]), int(values[1][0]) if len(values) > 1 else 0)
    return found


def contexts(model: Any, path: Path) -> list[identity.Identity]:
    """The identities of the context binaries that a context model holds or names; empty for other models.

    Raises:
        ModelError: ``context-damaged``: it is another provider's, or names a file outside of its folder.
    """
    found = []
    for node in model.graph.node:
        if node.op_type != _CONTEXT:
            continue
        attributes = {each.name: each for each in node.attribute}
        source = attributes["source"].s.decode("utf-8", "replace") if "source" in attributes else ""
        if source.lower() not in {"qnn", SOURCE.lower()}:
            raise ModelError(
                "context-damaged", f"{path} was compiled by {source or 'an unknown compiler'!r}, not by QNN", _HINT
            )
        if "main_context" in attributes and not attributes["main_context"].i:
            continue  # shares the binary of another node
        cache = attributes["ep_cache_context"].s if "ep_cache_context" in attributes else b""
        if "embed_mode" not in attributes or attributes["embed_mode"].i:
            found.append(identity.read(cache))
        else:
            found.append(identity.read_file(beside(path, cache.decode("utf-8", "replace"))))
    return found


def beside(path: Path, name: str) -> Path:
    """The file that a context model names, which must be in the same folder."""
    if not name or "\0" in name or Path(name).name != name or name == "..":
        raise ModelError("context-damaged", f"{path} names the file {name[:100]!r}, outside of its folder", _HINT)
    return path.parent / name


def write_context(path: Path, binary: Path, inputs: Sequence[Tensor], outputs: Sequence[Tensor], build: str) -> None:
    """Write a model with one ``EPContext`` node that names a binary in the same folder."""
    onnx = _onnx()
    helper = onnx.helper

    def values(tensors: Sequence[Tensor]) -> list[Any]:
        return [
            helper.make_tensor_value_info(
                tensor.compiled, helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype)), list(tensor.shape)
            )
            for tensor in tensors
        ]

    node = helper.make_node(
        _CONTEXT,
        [tensor.compiled for tensor in inputs],
        [tensor.compiled for tensor in outputs],
        name="model",
        domain=_DOMAIN,
        embed_mode=0,
        ep_cache_context=binary.name,
        ep_sdk_version=f"v{build}",
        main_context=1,
        partition_name="model",
        source=SOURCE,
    )
    graph = helper.make_graph([node], "model", values(inputs), values(outputs))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_DOMAIN, 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())
