"""Writes the small models of the tests, and the model that ``probe`` runs.

Usage: ``python tools/make_models.py`` with ``ai-edge-litert`` and ``flatbuffers`` installed. The schema classes come
with LiteRT; the models are written from scratch, and a second run gives the same bytes.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import language_model as language_models
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from model_graph import I8, I32, STRING, U8, Graph, pack

HERE = Path(__file__).resolve().parents[1]
MODELS = HERE / "tests" / "models"
PROBE = HERE / "src" / "mlperf_mobile_backend_tflite" / "probe_model.py"


def add() -> Any:
    """``y = x + x`` on float32[1,4]: the smallest model that computes something."""
    g = Graph()
    x, y = g.tensor("x", [1, 4]), g.tensor("y", [1, 4])
    g.op("ADD", [x, x], [y], schema.AddOptionsT())
    return g.model([x], [y])


def double_int8() -> Any:
    """``y = x + x`` on int8[1,4], from scale 0.5, zero point -3 to scale 1, zero point 7."""
    g = Graph()
    x = g.tensor("x", [1, 4], I8, quantized=(0.5, -3))
    y = g.tensor("y", [1, 4], I8, quantized=(1.0, 7))
    g.op("ADD", [x, x], [y], schema.AddOptionsT())
    return g.model([x], [y])


def mixed() -> Any:
    """``y = relu((x + x) * [1,2,3,4] + x) + x``: three additions between other operations."""
    g = Graph()
    x, a, b, c, d, y = (g.tensor(name, [1, 4]) for name in ("x", "a", "b", "c", "d", "y"))
    k = g.tensor("k", [4], value=np.array([1, 2, 3, 4], np.float32))
    g.op("ADD", [x, x], [a], schema.AddOptionsT())
    g.op("MUL", [a, k], [b], schema.MulOptionsT())
    g.op("ADD", [b, x], [c], schema.AddOptionsT())
    g.op("RELU", [c], [d])
    g.op("ADD", [d, x], [y], schema.AddOptionsT())
    return g.model([x], [y])


def two() -> Any:
    """Two inputs and two outputs of different types: ``total = p + p`` (float32), ``count = q * q`` (int32)."""
    g = Graph()
    p, q = g.tensor("p", [1, 3]), g.tensor("q", [1, 2], I32)
    total, count = g.tensor("total", [1, 3]), g.tensor("count", [1, 2], I32)
    g.op("ADD", [p, p], [total], schema.AddOptionsT())
    g.op("MUL", [q, q], [count], schema.MulOptionsT())
    return g.model([p, q], [total, count])


def quantized() -> Any:
    """uint8 in, int8 out: ``QUANTIZE`` from scale 0.5, zero point 10 to scale 0.5, zero point -118."""
    g = Graph()
    x = g.tensor("x", [1, 4], U8, quantized=(0.5, 10))
    y = g.tensor("y", [1, 4], I8, quantized=(0.5, -118))
    g.op("QUANTIZE", [x], [y], schema.QuantizeOptionsT())
    return g.model([x], [y])


def fixed_batch() -> Any:
    """``RESHAPE`` to a constant float32[4,1]: a batch of any other size than 1 does not fit."""
    g = Graph()
    x, y = g.tensor("x", [1, 4]), g.tensor("y", [4, 1])
    shape = g.tensor("shape", [2], I32, value=np.array([4, 1], np.int32))
    options = schema.ReshapeOptionsT()
    options.newShape = [4, 1]
    g.op("RESHAPE", [x, shape], [y], options)
    return g.model([x], [y])


def folded_batch() -> Any:
    """``RESHAPE`` to [1, -1]: can be resized, but the samples run together in one row."""
    g = Graph()
    x, y = g.tensor("x", [1, 4]), g.tensor("y", [1, 4])
    shape = g.tensor("shape", [2], I32, value=np.array([1, -1], np.int32))
    options = schema.ReshapeOptionsT()
    options.newShape = [1, -1]
    g.op("RESHAPE", [x, shape], [y], options)
    return g.model([x], [y])


def crossed_batch() -> Any:
    """``TRANSPOSE``: at a batch of 4 the output is float32[4,4], whose rows are not the samples."""
    g = Graph()
    x, y = g.tensor("x", [1, 4]), g.tensor("y", [4, 1])
    order = g.tensor("order", [2], I32, value=np.array([1, 0], np.int32))
    g.op("TRANSPOSE", [x, order], [y], schema.TransposeOptionsT())
    return g.model([x], [y])


def no_batch() -> Any:
    """``y = x + x`` on float32[4]: there is no leading dimension of 1 to resize."""
    g = Graph()
    x, y = g.tensor("x", [4]), g.tensor("y", [4])
    g.op("ADD", [x, x], [y], schema.AddOptionsT())
    return g.model([x], [y])


def dynamic() -> Any:
    """``RESHAPE`` of x to a shape that is computed (that of x): the output has no memory before the first run."""
    g = Graph()
    x, y = g.tensor("x", [1, 4]), g.tensor("y", [])
    shape, same = g.tensor("shape", [2], I32), g.tensor("same", [2], I32)
    zero = g.tensor("zero", [2], I32, value=np.zeros(2, np.int32))
    shape_options = schema.ShapeOptionsT()
    shape_options.outType = I32
    g.op("SHAPE", [x], [shape], shape_options)
    g.op("ADD", [shape, zero], [same], schema.AddOptionsT())
    g.op("RESHAPE", [x, same], [y])
    return g.model([x], [y])


def unshaped() -> Any:
    """``RESHAPE`` of x to the shape that a second input holds: a run on zeros fails."""
    g = Graph()
    x, s, y = g.tensor("x", [1, 4]), g.tensor("s", [1], I32), g.tensor("y", [])
    g.op("RESHAPE", [x, s], [y])
    return g.model([x, s], [y])


def unread() -> Any:
    """As ``mixed`` without its ending, and an addition whose sum nobody reads."""
    g = Graph()
    x, a, y, unread_sum = (g.tensor(name, [1, 4]) for name in ("x", "a", "y", "unread"))
    g.op("ADD", [x, x], [a], schema.AddOptionsT())
    g.op("ADD", [a, x], [unread_sum], schema.AddOptionsT())
    g.op("MUL", [a, x], [y], schema.MulOptionsT())
    return g.model([x], [y])


def constant() -> Any:
    """``y = (x + x) + k`` with a constant k of float32[1,4]: in a batch, the second addition must repeat k."""
    g = Graph()
    x, a, y = (g.tensor(name, [1, 4]) for name in ("x", "a", "y"))
    k = g.tensor("k", [1, 4], value=np.array([[1, 2, 3, 4]], np.float32))
    g.op("ADD", [x, x], [a], schema.AddOptionsT())
    g.op("ADD", [a, k], [y], schema.AddOptionsT())
    return g.model([x], [y])


def described() -> bytes:
    """As ``add``, with metadata and a signature, which runtimes read when they load a model, and all defaults."""
    model = add()
    note = schema.MetadataT()
    note.name, note.buffer = "note", 1
    model.buffers.append(schema.BufferT())
    model.buffers[1].data = np.frombuffer(b"hello", np.uint8)
    model.metadata = [note]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.inputs, signature.outputs = "serve", [schema.TensorMapT()], [schema.TensorMapT()]
    signature.inputs[0].name, signature.inputs[0].tensorIndex = "x", 0
    signature.outputs[0].name, signature.outputs[0].tensorIndex = "y", 1
    model.signatureDefs = [signature]
    return pack(model, defaults=True)


def gather() -> Any:
    """``y = table[i]`` with four rows: an index beyond them fails in the run itself."""
    g = Graph()
    i, y = g.tensor("i", [1], I32), g.tensor("y", [1, 2])
    table = g.tensor("table", [4, 2], value=np.arange(8, dtype=np.float32).reshape(4, 2))
    g.op("EMBEDDING_LOOKUP", [i, table], [y])
    return g.model([i], [y])


def text() -> Any:
    """A string tensor goes in and out."""
    g = Graph()
    x, y = g.tensor("x", [1], STRING), g.tensor("y", [1], STRING)
    g.op("RESHAPE", [x, g.tensor("shape", [1], I32, value=np.array([1], np.int32))], [y])
    return g.model([x], [y])


def custom() -> Any:
    """An operation that no runtime knows."""
    g = Graph()
    x, y = g.tensor("x", [1, 4]), g.tensor("y", [1, 4])
    g.op("NobodyKnowsThis", [x], [y])
    return g.model([x], [y])


def external() -> bytes:
    """``y = x + [1,2,3,4]`` with the constant behind the flatbuffer, as models above 2 GB keep theirs."""
    g = Graph()
    x, y = g.tensor("x", [1, 4]), g.tensor("y", [1, 4])
    k = g.tensor("k", [1, 4], value=np.zeros(0, np.float32))
    g.op("ADD", [x, k], [y], schema.AddOptionsT())
    model = g.model([x], [y])
    model.buffers[1].data = None
    model.buffers[1].offset, model.buffers[1].size = 2, 16
    model.buffers[1].offset = (len(pack(model)) + 63) // 64 * 64
    return pack(model).ljust(model.buffers[1].offset, b"\0") + np.array([1, 2, 3, 4], np.float32).tobytes()


def open_row() -> Any:
    """As ``add``, of any length: as converters write it, with 1 for what is open."""
    g = Graph()
    x, y = g.tensor("x", [1, 1], signature=[1, -1]), g.tensor("y", [1, 1], signature=[1, -1])
    g.op("ADD", [x, x], [y], schema.AddOptionsT())
    return g.model([x], [y])


def open_batch() -> Any:
    """As ``add``, for any number of samples."""
    g = Graph()
    x, y = g.tensor("x", [1, 4], signature=[-1, 4]), g.tensor("y", [1, 4], signature=[-1, 4])
    g.op("ADD", [x, x], [y], schema.AddOptionsT())
    return g.model([x], [y])


def open_two() -> Any:
    """As ``two``, with inputs of any length."""
    g = Graph()
    p, q = g.tensor("p", [1, 1], signature=[1, -1]), g.tensor("q", [1, 1], I32, signature=[1, -1])
    total, count = g.tensor("total", [1, 1], signature=[1, -1]), g.tensor("count", [1, 1], I32, signature=[1, -1])
    g.op("ADD", [p, p], [total], schema.AddOptionsT())
    g.op("MUL", [q, q], [count], schema.MulOptionsT())
    return g.model([p, q], [total, count])


def image(side: int, signature: Sequence[int] | None = None) -> Any:
    """A 3x3 convolution of a colour image, and the mean of each of its four channels."""
    g, rng = Graph(), np.random.default_rng(7)
    x = g.tensor("image", [1, side, side, 3], signature=signature)
    maps = g.tensor("maps", [1, side, side, 4], signature=[*signature[:3], 4] if signature else None)
    y = g.tensor("y", [1, 4])
    weights = g.tensor("weights", [4, 3, 3, 3], value=rng.uniform(-1, 1, (4, 3, 3, 3)).astype(np.float32))
    bias = g.tensor("bias", [4], value=np.zeros(4, np.float32))
    options, mean = schema.Conv2DOptionsT(), schema.ReducerOptionsT()
    options.strideH = options.strideW = 1
    g.op("CONV_2D", [x, weights, bias], [maps], options)
    g.op("MEAN", [maps, g.tensor("axes", [2], I32, value=np.array([1, 2], np.int32))], [y], mean)
    return g.model([x], [y])


def open_image() -> Any:
    """``image`` of any height and width."""
    return image(1, [1, -1, -1, 3])


def fixed_image() -> Any:
    """``image`` of 8x8 pixels."""
    return image(8)


def language_model() -> Any:
    """A language model of random weights with the signatures of the reference app."""
    return language_models.language_model()


def language_model_heads_first() -> Any:
    """The same with caches in LiteRT-LM's layout."""
    return language_models.language_model(heads_first=True)


def language_model_nan() -> Any:
    """The same with logits that are NaN."""
    return language_models.language_model(nan=True)


def language_model_slices() -> Any:
    """The same with caches that are updated as slices."""
    return language_models.language_model(slices=True)


ALL: tuple[Callable[[], Any], ...] = (
    add, double_int8, mixed, two, quantized, fixed_batch, folded_batch, crossed_batch, no_batch, dynamic,
    unshaped, unread, gather, constant, described, text, custom, external,
    open_row, open_batch, open_two, open_image, fixed_image,
)  # fmt: skip


LANGUAGE: tuple[Callable[[], Any], ...] = (
    language_model, language_model_heads_first, language_model_nan, language_model_slices,
)  # fmt: skip
"""In a folder of their own: they are larger than the others, and have several subgraphs."""


def probe_module(model: bytes) -> str:
    """The Python module that holds the model of ``probe``."""
    lines = textwrap.wrap(model.hex(), 100)
    return "\n".join([
        '"""The model that ``probe`` runs: ``y = x + x`` on float32[1,4]; written by ``tools/make_models.py``."""',
        "",
        "from __future__ import annotations",
        "",
        "ADD = bytes.fromhex(",
        '    """',
        *(f"    {line}" for line in lines),
        '    """',
        ")",
        "",
    ])  # fmt: skip


def all_models() -> dict[str, bytes]:
    """Every model by its name."""
    made = {make.__name__: make() for make in ALL} | {f"language/{make.__name__}": make() for make in LANGUAGE}
    return {name: model if isinstance(model, bytes) else pack(model) for name, model in made.items()}


def main() -> int:
    """Write them all."""
    (MODELS / "language").mkdir(parents=True, exist_ok=True)
    models = all_models()
    for name, data in models.items():
        (MODELS / f"{name}.tflite").write_bytes(data)
        sys.stdout.write(f"{len(data):6d} {name}.tflite\n")
    PROBE.write_text(probe_module(models["add"]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
