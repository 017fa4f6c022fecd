"""Write the trained networks as .tflite files, in float32 or with weights in few bits, without a converter."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from model_graph import I8, I32, Graph, pack
from networks import BLOCKS, CHANNELS, CONTEXT, JOINT, LATENT, TIME, WIDTH, time_embedding
from shapes import END, LENGTH, SIDE, START

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]

RELU, NONE = schema.ActivationFunctionType.RELU, schema.ActivationFunctionType.NONE
SMALL = 1024
"""Weights of fewer elements stay float32: they save nothing."""
STEPS, NOISE_SEED = 20, 633994880
"""As in the reference app (tasks.pbtxt: stable_diffusion_num_steps and _seed); the generator is NumPy's."""
GUIDANCE = 7.5


class Network(Graph):
    """A graph of layers, each of which takes and returns the number of a tensor.

    Args:
        bits: Of a weight: 32 for float32; 8 or fewer for integers, with a scale for each output of a convolution and
            one for a dense layer, which the runtime's dynamic kernels multiply with activations that they quantise in
            each run.
        per_tensor: One scale for all outputs, as a careless converter would choose it.
    """

    def __init__(self, bits: int, *, per_tensor: bool = False) -> None:
        super().__init__()
        self._bits, self._per_tensor = bits, per_tensor

    def made(self, name: str, inputs: Sequence[int], shape: Sequence[int], options: Any = None) -> int:
        """The output of an operation."""
        output = self.tensor(f"{name.lower()}_{len(self.tensors)}", shape)
        self.op(name, inputs, [output], options)
        return output

    def constant(self, name: str, value: Array) -> int:
        """A constant of float32 or int32."""
        kind = I32 if value.dtype == np.int32 else schema.TensorType.FLOAT32
        return self.tensor(name, value.shape, kind, value=np.ascontiguousarray(value))

    def weight(self, name: str, value: Array) -> int:
        """A layer's weights, outputs first."""
        if self._bits == 32 or value.size < SMALL:
            return self.constant(name, value.astype(np.float32))
        most = 2 ** (self._bits - 1) - 1
        whole = self._per_tensor or value.ndim == 2  # older runtimes know one scale for a dense layer
        axes = None if whole else tuple(range(1, value.ndim))
        scale = np.maximum(np.abs(value).max(axis=axes, keepdims=True), 1e-9) / most
        stored = np.clip(np.round(value / scale), -most, most).astype(np.int8)
        scales = scale.reshape(-1).astype(np.float32)
        if value.ndim > 2:
            scales = np.broadcast_to(scales, (value.shape[0],))
        number = self.tensor(name, value.shape, I8, value=np.ascontiguousarray(stored))
        found = schema.QuantizationParametersT()
        found.scale, found.zeroPoint, found.quantizedDimension = scales, np.zeros(len(scales), np.int64), 0
        self.tensors[number].quantization = found
        return number

    def conv(self, x: int, side: int, weights: Weights, name: str, *, stride: int = 1, relu: bool = False) -> int:
        """A 3 x 3 convolution of [1, side, side, c]; with a stride of 2 it pads as PyTorch does, not as TensorFlow."""
        kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        if stride == 2:
            pads = self.constant(f"{name}.pads", np.array([[0, 0], [1, 0], [1, 0], [0, 0]], np.int32))
            shape = [1, side + 1, side + 1, kernel.shape[1]]
            x = self.made("PAD", [x, pads], shape, schema.PadOptionsT())
        options = schema.Conv2DOptionsT()
        options.padding = schema.Padding.VALID if stride == 2 else schema.Padding.SAME
        options.strideH = options.strideW = stride
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = RELU if relu else NONE
        inputs = [x, self.weight(f"{name}.weight", kernel.transpose(0, 2, 3, 1)), self.constant(f"{name}.bias", bias)]
        return self.made("CONV_2D", inputs, [1, side // stride, side // stride, kernel.shape[0]], options)

    def dense(self, x: int, weights: Weights, name: str, *, relu: bool = False, plus: float = 0.0) -> int:
        """A dense layer of [1, n]; ``plus`` is added to its bias."""
        matrix = weights[f"{name}.weight"]
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = RELU if relu else NONE
        bias = (weights[f"{name}.bias"] + plus).astype(np.float32)
        inputs = [x, self.weight(f"{name}.weight", matrix), self.constant(f"{name}.bias", bias)]
        return self.made("FULLY_CONNECTED", inputs, [1, matrix.shape[0]], options)

    def embedded(self, ids: int, table: Array) -> int:
        """The rows of a table for the ids [1, LENGTH]."""
        options = schema.GatherOptionsT()
        options.axis = 0
        shape = [1, LENGTH, table.shape[1]]
        return self.made("GATHER", [self.constant("words", table), ids], shape, options)

    def joined(self, name: str, x: int, y: int, shape: Sequence[int]) -> int:
        """Sum or product of two tensors of which one may be smaller: ``ADD``, ``MUL``."""
        return self.made(name, [x, y], shape, getattr(schema, f"{name.title()}OptionsT")())

    def bent(self, x: int, shape: Sequence[int]) -> int:
        """Hard swish."""
        return self.made("HARD_SWISH", [x], shape, schema.HardSwishOptionsT())

    def reshaped(self, x: int, shape: Sequence[int]) -> int:
        options = schema.ReshapeOptionsT()
        options.newShape = list(shape)
        return self.made("RESHAPE", [x, self.constant("shape", np.array(shape, np.int32))], shape, options)

    def doubled(self, x: int, side: int, channels: int) -> int:
        """Each pixel four times."""
        size = self.constant("size", np.array([2 * side, 2 * side], np.int32))
        shape, options = [1, 2 * side, 2 * side, channels], schema.ResizeNearestNeighborOptionsT()
        return self.made("RESIZE_NEAREST_NEIGHBOR", [x, size], shape, options)

    def file(self, inputs: Sequence[int], output: int, name: str) -> bytes:
        """The .tflite file; ``name`` is the output's."""
        self.tensors[output].name = name
        return pack(self.model(inputs, [output]))


def text_encoder(weights: Weights, bits: int, **more: Any) -> bytes:
    """Ids, int32 [1, LENGTH], to a context [1, CONTEXT]."""
    net = Network(bits, **more)
    ids = net.tensor("input_ids", [1, LENGTH], I32)
    width = weights["words.weight"].shape[1]
    places = net.constant("places", weights["places"][None])
    h = net.joined("ADD", net.embedded(ids, weights["words.weight"]), places, [1, LENGTH, width])
    h = net.dense(net.reshaped(h, [1, LENGTH * width]), weights, "first")
    return net.file([ids], net.dense(net.bent(h, [1, CONTEXT]), weights, "second"), "context")


def denoiser(weights: Weights, bits: int, **more: Any) -> bytes:
    """Latent [1, 8, 8, 4], context and time embedding to the noise in the latent."""
    net = Network(bits, **more)
    latent = net.tensor("latent", [1, LATENT, LATENT, CHANNELS])
    context, time = net.tensor("context", [1, CONTEXT]), net.tensor("time_embedding", [1, TIME])
    condition = net.joined("ADD", net.dense(time, weights, "time"), net.dense(context, weights, "text"), [1, CONTEXT])
    condition = net.bent(condition, [1, CONTEXT])

    def block(x: int, side: int, name: str) -> int:
        name, shape = f"blocks.{name}", [1, side, side, WIDTH]
        h = net.conv(net.bent(x, shape), side, weights, f"{name}.first")
        h = net.joined("MUL", h, net.dense(condition, weights, f"{name}.scale", plus=1.0), shape)
        h = net.joined("ADD", h, net.dense(condition, weights, f"{name}.shift"), shape)
        return net.joined("ADD", x, net.conv(net.bent(h, shape), side, weights, f"{name}.second"), shape)

    low, shape = LATENT // 2, [1, LATENT, LATENT, WIDTH]
    h = net.conv(latent, LATENT, weights, "into")
    for name in BLOCKS[:2]:
        h = block(h, LATENT, name)
    deep = net.conv(h, LATENT, weights, "down", stride=2)
    for name in BLOCKS[2:4]:
        deep = block(deep, low, name)
    h = net.joined("ADD", h, net.conv(net.doubled(deep, low, WIDTH), LATENT, weights, "up"), shape)
    h = block(h, LATENT, BLOCKS[4])
    return net.file([latent, context, time], net.conv(net.bent(h, shape), LATENT, weights, "out"), "noise")


def decoder(weights: Weights, scale: float, bits: int, **more: Any) -> bytes:
    """Latent to a picture, float32 [1, SIDE, SIDE, 3] in [-1, 1]; ``scale`` is that of the latents in training."""
    net = Network(bits, **more)
    scaled = dict(weights) | {"first.weight": weights["first.weight"] / scale}
    latent = net.tensor("latent", [1, LATENT, LATENT, CHANNELS])
    h = net.conv(latent, LATENT, scaled, "first", relu=True)
    h = net.conv(h, LATENT, scaled, "second", relu=True)
    h = net.conv(net.doubled(h, LATENT, 48), 2 * LATENT, scaled, "third", relu=True)
    order = np.arange(12).reshape(3, 4).T.reshape(-1)  # PyTorch's blocks have the colour first, TensorFlow's last
    last = {f"last.{kind}": scaled[f"last.{kind}"][order] for kind in ("weight", "bias")}
    h = net.conv(h, 2 * LATENT, last, "last")
    options = schema.DepthToSpaceOptionsT()
    options.blockSize = 2
    h = net.made("DEPTH_TO_SPACE", [h], [1, SIDE, SIDE, 3], options)
    return net.file([latent], net.made("TANH", [h], [1, SIDE, SIDE, 3]), "image")


def scorer(weights: Weights) -> bytes:
    """Mask, ids and pixels to ``logits_per_text``, 100 times the cosine: the inputs and the output of CLIP's model."""
    net = Network(32)
    mask, ids = net.tensor("attention_mask", [1, LENGTH], I32), net.tensor("input_ids", [1, LENGTH], I32)
    pixels = net.tensor("pixel_values", [1, SIDE, SIDE, 3])
    side, h = SIDE, pixels
    for name in ("first", "second", "third"):
        h = net.conv(h, side, weights, name, stride=2, relu=True)
        side //= 2
    matrix = weights["picture.weight"].reshape(JOINT, -1, side, side).transpose(0, 2, 3, 1).reshape(JOINT, -1)
    picture = {"picture.weight": matrix, "picture.bias": weights["picture.bias"]}
    seen = net.dense(net.reshaped(h, [1, matrix.shape[1]]), picture, "picture")
    cast = schema.CastOptionsT()
    cast.inDataType, cast.outDataType = schema.TensorType.INT32, schema.TensorType.FLOAT32
    shown = net.reshaped(net.made("CAST", [mask], [1, LENGTH], cast), [1, LENGTH, 1])
    width = weights["words.weight"].shape[1]
    words = net.joined("MUL", net.embedded(ids, weights["words.weight"]), shown, [1, LENGTH, width])
    hidden = net.dense(net.reshaped(words, [1, LENGTH * width]), weights, "hidden", relu=True)
    read = net.dense(hidden, weights, "text")
    both = [net.made("L2_NORMALIZATION", [each], [1, JOINT], schema.L2NormOptionsT()) for each in (seen, read)]
    sums = schema.ReducerOptionsT()
    sums.keepDims = True
    product = net.joined("MUL", *both, [1, JOINT])
    cosine = net.made("SUM", [product, net.constant("axis", np.array([1], np.int32))], [1, 1], sums)
    hundred = net.constant("hundred", np.full((1, 1), 100, np.float32))
    return net.file([mask, ids, pixels], net.joined("MUL", cosine, hundred, [1, 1]), "logits_per_text")


def write_pipeline(
    folder: Path, name: str, weights: Mapping[str, Weights], scale: float, bits: int, **more: Any
) -> None:
    """Write the three parts, and the description that names them and the tables."""
    made = {
        "text_encoder": text_encoder(weights["text_encoder"], bits, **more),
        "denoiser": denoiser(weights["denoiser"], bits, **more),
        "decoder": decoder(weights["decoder"], scale, bits, **more),
    }
    parts = {part: f"{part}_{name}.tflite" for part in made}
    for part, data in made.items():
        (folder / parts[part]).write_bytes(data)
    about = {"kind": "diffusion"} | parts | {
        "noise": "noise.npy", "time_embeddings": "time_embeddings.bin", "unconditional": [START, END],
        "guidance": GUIDANCE,
    }  # fmt: skip
    (folder / f"shapes_{name}.tflite-pipeline").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def write_tables(folder: Path) -> None:
    """Write the noise that all images begin with, and the steps with their embeddings."""
    noise = np.random.default_rng(NOISE_SEED).standard_normal((1, LATENT, LATENT, CHANNELS), np.float32)
    np.save(folder / "noise.npy", noise)
    import torch

    steps = torch.arange(1, 1000, 1000 // STEPS)
    rows = time_embedding(steps).numpy()
    head = np.array([len(steps)], "<u4").tobytes() + steps.numpy().astype("<i4").tobytes()
    (folder / "time_embeddings.bin").write_bytes(head + rows.astype("<f4").tobytes())
