"""The resize against LiteRT's own reference kernel, in a model that is nothing but ``RESIZE_BILINEAR``."""

from __future__ import annotations

import numpy as np
import pytest

from mlperf_mobile_images.resize import resize_bilinear

flatbuffers = pytest.importorskip("flatbuffers")
schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
litert = pytest.importorskip("ai_edge_litert.interpreter")


def resize_model(source, size):
    """A .tflite file: float32 [1, *source, 3] resized to [1, *size, 3], corners not aligned, pixels not centred."""
    buffers = [schema.BufferT(), schema.BufferT()]
    buffers[1].data = np.frombuffer(np.array(size, np.int32).tobytes(), np.uint8)
    tensors = []
    for name, shape, kind, buffer in (
        ("image", [1, *source, 3], schema.TensorType.FLOAT32, 0),
        ("size", [2], schema.TensorType.INT32, 1),
        ("resized", [1, *size, 3], schema.TensorType.FLOAT32, 0),
    ):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, shape, kind, buffer
        tensors.append(tensor)
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESIZE_BILINEAR
    code.version = 1
    operator.inputs, operator.outputs = [0, 1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.ResizeBilinearOptions
    operator.builtinOptions = schema.ResizeBilinearOptionsT()
    operator.builtinOptions.alignCorners = operator.builtinOptions.halfPixelCenters = False
    graph, model = schema.SubGraphT(), schema.ModelT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = tensors, [operator], [0], [2]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], buffers
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("source", "size"),
    [
        ((375, 500), (256, 341)),
        ((100, 80), (320, 256)),
        ((224, 224), (224, 224)),
        ((1, 9), (5, 4)),
        ((90, 60), (33, 7)),
    ],
)
def test_resize_is_the_runtimes_reference_kernel(source, size):
    pixels = np.random.default_rng(0).integers(0, 256, (*source, 3), dtype=np.uint8)
    interpreter = litert.Interpreter(
        model_content=resize_model(source, size), experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels[None].astype(np.float32))
    interpreter.invoke()
    expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    # On x86-64 they are identical; other compilers may fuse a multiplication with an addition, and round once less.
    np.testing.assert_allclose(resize_bilinear(pixels, size), expected, rtol=0, atol=1e-4)
