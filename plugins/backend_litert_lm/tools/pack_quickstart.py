"""Makes a .litertlm file of the packaged quickstart model, so that LiteRT-LM can run the same weights.

The weights are read from ``made_up_world_float32.tflite``. LiteRT-LM wants its caches as [1, groups, context, head], so
the network is converted again in that layout, and packed with its tokenizer:

    PYTHONPATH=tasks/language_model/quickstart python plugins/backend_litert_lm/tools/pack_quickstart.py OUT.litertlm

Needs TensorFlow 2.21, sentencepiece, and litert-lm-builder 0.18.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import litert_lm_builder
import numpy as np
import sentencepiece
import tensorflow as tf
from convert import convert
from litert_lm_builder.runtime.proto import llm_metadata_pb2, llm_model_type_pb2
from network import HIDDEN, Network, Size

QUICKSTART = Path(__file__).parents[3] / "tasks/language_model/src/mlperf_mobile_task_language_model/quickstart"
STOPS = ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>")
"""The stop tokens of the task by default, as far as the tokenizer has them."""
PARTS = ("query", "key", "value", "mixed", "gate", "inner", "outer")
"""A layer's matrices in the order of their operations."""


class HeadFirst(Network):
    """The network with caches of [1, groups, context, head]."""

    @property
    def cache_shape(self) -> tuple[int, ...]:
        """The shape of each cache."""
        return 1, self.size.groups, self.size.context, self.size.head

    def step(self, tokens: Any, places: Any, used: Any, caches: list[tuple[Any, Any]]) -> tuple[Any, list[Any]]:
        """As of the base class, apart from the layout."""
        size, length = self.size, tokens.shape[0]
        state = tf.gather(self.embedding, tokens)
        slots = tf.one_hot(places, size.context) * used[:, None]
        kept = 1.0 - tf.reduce_sum(slots, axis=0)[None, :, None]
        spread = tf.tile(tf.transpose(slots)[None], (size.groups, 1, 1))
        every = tf.constant(np.arange(size.context, dtype=np.int32)[None])
        hidden = tf.where(every > places[:, None], HIDDEN, 0.0)[None, None]
        found = []
        per_group = size.heads // size.groups
        for layer, old_pair in zip(self.layers, caches, strict=True):
            queries, new_keys, new_values = self._projected(layer, state, places)
            keys, values = (
                old[0] * kept + tf.matmul(spread, tf.transpose(new, (1, 0, 2)))
                for old, new in zip(old_pair, (new_keys, new_values), strict=True)
            )
            found.append((keys[None], values[None]))
            queries = tf.reshape(queries, (length, size.groups, per_group, size.head))
            queries = tf.reshape(tf.transpose(queries, (1, 2, 0, 3)), (size.groups, per_group * length, size.head))
            agreement = tf.matmul(queries, keys, transpose_b=True) * size.head**-0.5
            agreement = tf.reshape(agreement, (size.groups, per_group, length, size.context)) + hidden
            weights = tf.reshape(tf.nn.softmax(agreement), (size.groups, per_group * length, size.context))
            seen = tf.reshape(tf.matmul(weights, values), (size.groups, per_group, length, size.head))
            state += tf.matmul(tf.reshape(tf.transpose(seen, (2, 0, 1, 3)), (length, -1)), layer["mixed"])
            state += self._inner(layer, state)
        return state, found


def trained() -> HeadFirst:
    """The network with the packaged weights; the gains of the norms are in the matrices behind them there."""
    interpreter = tf.lite.Interpreter(str(QUICKSTART / "made_up_world_float32.tflite"))
    matrices = []
    for operation in interpreter._get_ops_details():
        if operation["op_name"] == "FULLY_CONNECTED":
            try:
                matrices.append(np.array(interpreter.get_tensor(operation["inputs"][1])))
            except ValueError:
                continue  # a product of two computed tensors
        elif operation["op_name"] == "GATHER":
            embedding = np.array(interpreter.get_tensor(operation["inputs"][0]))
    network = HeadFirst(Size(vocabulary=len(embedding)), np.random.default_rng(0))
    *inner, last = matrices
    assert len(inner) == len(PARTS) * network.size.layers
    network.embedding.assign(embedding)
    network.last_norm.assign((last * embedding).sum(0) / (embedding**2).sum(0))
    assert np.allclose(last, embedding * network.last_norm.numpy(), atol=1e-6)
    for layer, part in enumerate(np.split(np.arange(len(inner)), network.size.layers)):
        for name, at in zip(PARTS, part, strict=True):
            network.layers[layer][name].assign(inner[at].T)
    return network


def pack(model: bytes, context: int, output: Path) -> None:
    """Write a .litertlm file without a template and without a start token: prompts reach the model as they are."""
    metadata = llm_metadata_pb2.LlmMetadata(max_num_tokens=context)
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(QUICKSTART / "tokenizer.model"))
    for stop in map(tokenizer.piece_to_id, STOPS):
        if stop != tokenizer.unk_id():
            metadata.stop_tokens.add().token_ids.ids.append(stop)
    generic = llm_model_type_pb2.GenericModel()
    metadata.llm_model_type.CopyFrom(llm_model_type_pb2.LlmModelType(generic_model=generic))
    with tempfile.TemporaryDirectory() as folder:
        weights, facts = Path(folder, "model.tflite"), Path(folder, "metadata.pb")
        weights.write_bytes(model)
        facts.write_bytes(metadata.SerializeToString())
        builder = litert_lm_builder.LitertLmFileBuilder()
        author = litert_lm_builder.Metadata(key="Authors", value="made-up world", dtype=litert_lm_builder.DType.STRING)
        builder.add_system_metadata(author)
        builder.add_llm_metadata(str(facts))
        builder.add_sentencepiece_tokenizer(str(QUICKSTART / "tokenizer.model"))
        builder.add_tflite_model(str(weights), litert_lm_builder.TfLiteModelType.PREFILL_DECODE)
        with output.open("wb") as file:
            builder.build(file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="the .litertlm file to write")
    parser.add_argument("--int8", action="store_true", help="quantise the weights, as in made_up_world_int8.tflite")
    arguments = parser.parse_args()
    made = trained()
    pack(convert(made, quantised=arguments.int8), made.size.context, arguments.output)
