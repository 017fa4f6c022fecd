"""Builds a language model of random weights with the signatures of the reference app, operation by operation.

Signatures ``prefill_4``, ``prefill_8`` and ``decode``: ``tokens`` int32[1,N], ``input_pos`` int32[N], and for each
layer ``kv_cache_k_i`` and ``kv_cache_v_i`` float32[1, context, groups, head]; they return the caches, ``decode`` also
``logits`` (mobile_app_open, mobile_back_tflite/cpp/backend_tflite/llm_pipeline.cc). Attention has one head, without
positions in it but the mask; a new row of a cache replaces the old one of its position.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from model_graph import I32, Graph

CONTEXT, VOCABULARY, WIDTH, HEAD, LAYERS = 32, 48, 16, 8, 2
PREFILLS = (4, 8)
Weights = dict[str, npt.NDArray[np.float32]]


def weights() -> Weights:
    """Random numbers, the same ones every time."""
    rng = np.random.default_rng(11)
    shapes = {"embedding": (VOCABULARY, WIDTH), "head": (VOCABULARY, WIDTH)}
    for layer in range(LAYERS):
        shapes |= {f"{name}_{layer}": (HEAD, WIDTH) for name in ("q", "k", "v")} | {f"o_{layer}": (WIDTH, HEAD)}
    return {name: rng.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}


def language_model(*, heads_first: bool = False, nan: bool = False, slices: bool = False) -> Any:
    """The model.

    Args:
        heads_first: Caches of [1, groups, context, head].
        nan: A vocabulary with NaN in it.
        slices: Rows of the caches are replaced as a slice that begins at the first position, as by DYNAMIC_UPDATE_SLICE
            in converted models; else each at its position, by a product.
    """
    numbers = weights()
    if nan:
        numbers["head"] = np.full_like(numbers["head"], np.nan)
    buffers, codes, graphs, signatures = [schema.BufferT()], [], [], []
    shared: dict[str, int] = {}
    for name, size in (*((f"prefill_{size}", size) for size in PREFILLS), ("decode", 1)):
        part = _Part(buffers, codes, shared, numbers, heads_first=heads_first, slices=slices)
        part.build(size, logits=name == "decode")
        graphs.append(part.subgraph())
        signatures.append(part.signature(name, len(graphs) - 1))
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, codes, graphs, buffers
    model.signatureDefs = signatures
    return model


class _Part(Graph):
    """The subgraph of one signature; the weights are shared."""

    def __init__(
        self, buffers: list[Any], codes: list[Any], shared: dict[str, int], numbers: Weights, *,
        heads_first: bool, slices: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.buffers, self.codes, self._shared, self._numbers = buffers, codes, shared, numbers
        self._heads_first, self._slices = heads_first, slices
        self.ends: tuple[dict[str, int], dict[str, int]] = ({}, {})

    def constant(self, name: str, value: Any, kind: int | None = None) -> int:
        """A constant, whose buffer is shared between subgraphs."""
        kinds = {} if kind is None else {"kind": kind}
        if name not in self._shared:
            place = self.tensor(name, value.shape, value=value, **kinds)
            self._shared[name] = self.tensors[place].buffer
            return place
        place = self.tensor(name, value.shape, **kinds)
        self.tensors[place].buffer = self._shared[name]
        return place

    def new(self, name: str, shape: list[int]) -> int:
        return self.tensor(name, shape)

    def unary(self, op: str, x: int, shape: list[int], options: Any = None) -> int:
        y = self.new(f"{op.lower()}_{len(self.tensors)}", shape)
        self.op(op, [x], [y], options)
        return y

    def binary(self, op: str, a: int, b: int, shape: list[int], options: Any) -> int:
        y = self.new(f"{op.lower()}_{len(self.tensors)}", shape)
        self.op(op, [a, b], [y], options)
        return y

    def reshape(self, x: int, shape: list[int]) -> int:
        options = schema.ReshapeOptionsT()
        options.newShape = shape
        wanted = self.constant(f"shape_{shape}", np.array(shape, np.int32), I32)
        return self.binary("RESHAPE", x, wanted, shape, options)

    def dense(self, x: int, name: str, shape: list[int]) -> int:
        y = self.new(f"dense_{len(self.tensors)}", shape)
        self.op("FULLY_CONNECTED", [x, self.constant(name, self._numbers[name]), -1], [y],
                schema.FullyConnectedOptionsT())  # fmt: skip
        return y

    def matmul(self, a: int, b: int, shape: list[int], *, adjoint_a: bool = False, adjoint_b: bool = False) -> int:
        options = schema.BatchMatMulOptionsT()
        options.adjX, options.adjY = adjoint_a, adjoint_b
        return self.binary("BATCH_MATMUL", a, b, shape, options)

    def build(self, size: int, *, logits: bool) -> None:
        """Add everything for ``size`` tokens."""
        cache_shape = [1, 1, CONTEXT, HEAD] if self._heads_first else [1, CONTEXT, 1, HEAD]
        inputs, outputs = self.ends
        inputs["tokens"] = self.tensor("tokens", [1, size], I32)
        inputs["input_pos"] = self.tensor("input_pos", [size], I32)
        gather, onehot, cast = schema.GatherOptionsT(), schema.OneHotOptionsT(), schema.CastOptionsT()
        flat = self.tensor("flat", [size], I32)
        self.op("RESHAPE", [inputs["tokens"], self.constant("count" + str(size), np.array([size], np.int32), I32)],
                [flat], schema.ReshapeOptionsT())  # fmt: skip
        table = self.constant("embedding", self._numbers["embedding"])
        x = self.binary("GATHER", table, flat, [size, WIDTH], gather)
        depth = self.constant("depth", np.array(CONTEXT, np.int32), I32)
        one, zero = (self.constant(str(value), np.array(value, np.float32)) for value in (1.0, 0.0))
        onehot.axis = -1
        chosen = self.new("chosen", [size, CONTEXT])
        self.op("ONE_HOT", [inputs["input_pos"], depth, one, zero], [chosen], onehot)
        cast.inDataType, cast.outDataType = schema.TensorType.INT32, schema.TensorType.FLOAT32
        position = self.reshape(self.unary("CAST", inputs["input_pos"], [size], cast), [size, 1])
        slots = self.constant("slots", np.arange(CONTEXT, dtype=np.float32)[None])
        later = self.binary("SUB", slots, position, [size, CONTEXT], schema.SubOptionsT())
        later = self.binary("MINIMUM", self.unary("RELU", later, [size, CONTEXT]), one, [size, CONTEXT],
                            schema.MaximumMinimumOptionsT())  # fmt: skip
        least = self.constant("least", np.array(-1e9, np.float32))
        mask = self.binary("MUL", later, least, [size, CONTEXT], schema.MulOptionsT())
        axis = self.constant("axis", np.array([0], np.int32), I32)
        written = self.reshape(self.binary("SUM", chosen, axis, [CONTEXT], schema.ReducerOptionsT()), [CONTEXT, 1])
        keep = self.binary("SUB", one, written, [CONTEXT, 1], schema.SubOptionsT())
        begin = self._begin(inputs["input_pos"]) if self._slices else -1
        for layer in range(LAYERS):
            rows = []
            for name in "kv":
                old = self.tensor(f"kv_cache_{name}_{layer}", cache_shape)
                inputs[f"kv_cache_{name}_{layer}"] = old
                new = self.dense(x, f"{name}_{layer}", [size, HEAD])
                if self._slices:
                    updated = self.new(f"{name}_{layer}_updated", cache_shape)
                    self.op("DYNAMIC_UPDATE_SLICE", [old, self.reshape(new, [1, size, 1, HEAD]), begin], [updated])
                    outputs[f"kv_cache_{name}_{layer}"] = updated
                    rows.append(self.reshape(updated, [CONTEXT, HEAD]))
                    continue
                kept = self.binary("MUL", self.reshape(old, [CONTEXT, HEAD]), keep, [CONTEXT, HEAD],
                                   schema.MulOptionsT())  # fmt: skip
                fresh = self.matmul(chosen, new, [CONTEXT, HEAD], adjoint_a=True)
                rows.append(self.binary("ADD", kept, fresh, [CONTEXT, HEAD], schema.AddOptionsT()))
                outputs[f"kv_cache_{name}_{layer}"] = self.reshape(rows[-1], cache_shape)
            query = self.dense(x, f"q_{layer}", [size, HEAD])
            scores = self.matmul(query, rows[0], [size, CONTEXT], adjoint_b=True)
            scores = self.binary("ADD", scores, mask, [size, CONTEXT], schema.AddOptionsT())
            softmax = schema.SoftmaxOptionsT()
            softmax.beta = 1.0
            seen = self.matmul(self.unary("SOFTMAX", scores, [size, CONTEXT], softmax), rows[1], [size, HEAD])
            x = self.binary("ADD", x, self.dense(seen, f"o_{layer}", [size, WIDTH]), [size, WIDTH],
                            schema.AddOptionsT())  # fmt: skip
        if logits:
            outputs["logits"] = self.reshape(self.dense(x, "head", [size, VOCABULARY]), [1, size, VOCABULARY])

    def _begin(self, positions: int) -> int:
        """The place of a slice in a cache: ``[0, positions[0], 0, 0]``."""
        first, begin = self.tensor("first", [1], I32), self.tensor("begin", [4], I32)
        zero = self.constant("zero_index", np.array([0], np.int32), I32)
        one = self.constant("one_index", np.array([1], np.int32), I32)
        self.op("SLICE", [positions, zero, one], [first], schema.SliceOptionsT())
        options = schema.ConcatenationOptionsT()
        options.axis = 0
        self.op("CONCATENATION", [zero, first, zero, zero], [begin], options)
        return begin

    def subgraph(self) -> Any:
        """The subgraph in the schema's classes."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = (list(end.values()) for end in self.ends)
        return graph

    def signature(self, name: str, number: int) -> Any:
        """The signature in the schema's classes; in the order of names, as converters write it."""
        made = schema.SignatureDefT()
        made.signatureKey, made.subgraphIndex = name, number
        made.inputs, made.outputs = ([_entry(key, end[key]) for key in sorted(end)] for end in self.ends)
        return made


def _entry(name: str, place: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, place
    return entry


def answer(prompt: list[int], limit: int, stop_ids: tuple[int, ...] = ()) -> list[int]:
    """The greedy answer by attention over the whole text, computed by numpy without caches."""
    numbers, known = {name: value.astype(np.float64) for name, value in weights().items()}, list(prompt)
    while len(known) - len(prompt) < limit and len(known) < CONTEXT:
        x = numbers["embedding"][known]
        mask = np.triu(np.full((len(known), len(known)), -1e9), 1)
        for layer in range(LAYERS):
            q, k, v = (x @ numbers[f"{name}_{layer}"].T for name in "qkv")
            scores = q @ k.T + mask
            share = np.exp(scores - scores.max(1, keepdims=True))
            x = x + (share / share.sum(1, keepdims=True)) @ v @ numbers[f"o_{layer}"].T
        known.append(int(np.argmax(x[-1] @ numbers["head"].T)))
        if known[-1] in stop_ids:
            break
    return known[len(prompt) :]
