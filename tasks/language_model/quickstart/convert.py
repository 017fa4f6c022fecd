"""Converts the network to a TFLite file with the reference app's signatures: ``prefill_N`` for each N, and ``decode``.

Inputs: ``tokens`` int32 [1, N], ``input_pos`` int32 [N], and for each layer i ``kv_cache_k_i`` and ``kv_cache_v_i``,
float32 [1, context, groups, head]. Outputs: the caches by the same names, and ``logits`` [1, 1, vocabulary] of decode.
Source: mobile_back_tflite/cpp/backend_tflite/llm_pipeline.cc.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from network import Network

PREFILL = (32, 160)
"""Lengths of the signatures."""
PAD = 0
"""Id of the padding token: a slot with it leaves the caches as they are."""


class _Signatures(tf.Module):  # type: ignore[misc]
    """The functions of one network."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def function(self, length: int, logits: bool) -> Any:
        """The concrete function of a signature for ``length`` tokens."""
        size = self.network.size
        names = [f"kv_cache_{part}_{layer}" for layer in range(size.layers) for part in "kv"]
        shape = self.network.cache_shape

        def signature(tokens: Any, input_pos: Any, **caches: Any) -> dict[str, Any]:
            # Some pipelines number the unused slots on, others give all of them position 0.
            continued = tf.equal(input_pos, input_pos[0] + tf.constant(np.arange(length, dtype=np.int32)))
            used = tf.cast(continued & tf.not_equal(tokens[0], PAD), tf.float32)
            pairs = [(caches[key], caches[value]) for key, value in zip(names[::2], names[1::2], strict=True)]
            state, found = self.network.step(tokens[0], input_pos, used, pairs)
            outputs = dict(zip(names, [part for pair in found for part in pair], strict=True))
            if logits:
                outputs["logits"] = self.network.scores(state)[None]
            return outputs

        return tf.function(signature).get_concrete_function(
            tokens=tf.TensorSpec((1, length), tf.int32, name="tokens"),
            input_pos=tf.TensorSpec((length,), tf.int32, name="input_pos"),
            **{name: tf.TensorSpec(shape, tf.float32, name=name) for name in names},
        )


def convert(network: Network, *, quantised: bool, per_channel: bool = False, prefill: Sequence[int] = PREFILL) -> bytes:
    """The TFLite file.

    Args:
        network: A trained network.
        quantised: Whether dense layers and embeddings have int8 weights, and dense layers quantise their inputs while
            they run; norms, attention and caches stay float32.
        per_channel: Whether dense layers have a scale for each output channel rather than for each layer; older
            runtimes need one for each layer.
        prefill: Lengths N of the signatures.
    """
    module = _Signatures(network)
    signatures = {f"prefill_{length}": module.function(length, logits=False) for length in prefill}
    signatures["decode"] = module.function(1, logits=True)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(signatures))
        if quantised:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter._experimental_disable_per_channel_quantization_for_dense_layers = not per_channel
        return bytes(converter.convert())


def round_weights(network: Network, bits: int) -> None:
    """Round all matrices to signed integers of a few bits, with a single scale each: a careless quantisation."""
    most = 2 ** (bits - 1) - 1
    for variable in network.trainable_variables:
        if len(variable.shape) == 2:
            scale = tf.reduce_max(tf.abs(variable)) / most
            variable.assign(tf.round(variable / scale) * scale)


class Generator:
    """Greedy generation with a converted file, one thread: what the training script measures with."""

    def __init__(self, model: bytes | Path) -> None:
        content = model if isinstance(model, bytes) else model.read_bytes()
        self._interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)
        names = list(self._interpreter.get_signature_list())
        self._decode = self._interpreter.get_signature_runner("decode")
        lengths = sorted(int(name.removeprefix("prefill_")) for name in names if name.startswith("prefill_"))
        self._prefill = {length: self._interpreter.get_signature_runner(f"prefill_{length}") for length in lengths}
        details = self._decode.get_input_details()
        self._empty = {n: np.zeros(d["shape"], d["dtype"]) for n, d in details.items() if n.startswith("kv_cache")}
        self.context = next(iter(self._empty.values())).shape[1]

    def generate(self, prompt: Sequence[int], limit: int, stop: frozenset[int]) -> list[int]:
        """Up to ``limit`` tokens after a prompt, the stop token included if it was met."""
        ahead = np.asarray(prompt[:-1], np.int32)
        length = next((size for size in self._prefill if size >= len(ahead)), max(self._prefill))
        part = ahead[:length]
        tokens = np.full((1, length), PAD, np.int32)
        tokens[0, : len(part)] = part
        caches = self._prefill[length](tokens=tokens, input_pos=np.arange(length, dtype=np.int32), **self._empty)
        logits = np.zeros(0, np.float32)
        for place in range(len(part), len(prompt)):
            logits, caches = self._step(prompt[place], place, caches)
        found: list[int] = []
        for place in range(len(prompt), self.context + 1):
            found.append(int(logits.argmax()))
            if found[-1] in stop or len(found) == limit or place == self.context:
                break
            logits, caches = self._step(found[-1], place, caches)
        return found

    def _step(self, token: int, place: int, caches: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        outputs = self._decode(tokens=np.array([[token]], np.int32), input_pos=np.array([place], np.int32), **caches)
        return outputs.pop("logits")[0, -1], outputs
