"""Converts a GGUF file of a small Llama-like model, such as SmolLM2-135M, to a TFLite file with its tokenizer.json.

The network is the quickstart's, with the file's sizes and weights, so it has the reference app's signatures. Quantised
weights become float32, or int8 with ``--int8``. What the network cannot express is refused: other architectures,
experts, a separate (untied) output matrix, scaled or partial rotary embeddings, and tokenizers other than SmolLM's
(GPT-2's, with single digits).

Needs ``gguf`` and ``tokenizers`` beside the packages in ``requirements.txt``. Layout of the file:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import argparse
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from convert import convert
from network import Network, Size
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

MATRICES = {"value": "attn_v", "mixed": "attn_output", "gate": "ffn_gate", "inner": "ffn_up", "outer": "ffn_down"}
TURNED = {"query": "attn_q", "key": "attn_k"}
"""Matrices whose rows llama.cpp reorders, because it rotates adjacent pairs."""
NORMS = {"before_attention": "attn_norm", "before_inner": "ffn_norm"}


def halves_first(rows: Any, heads: int) -> Any:
    """Rows [heads * head, inputs] in the order of the network, which rotates number i with number i + head / 2."""
    return rows.reshape(heads, -1, 2, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape)


class Facts:
    """The keys of a file."""

    def __init__(self, reader: Any) -> None:
        self._fields = reader.fields

    def __getitem__(self, name: str) -> Any:
        found = self.get(name)
        if found is None:
            raise SystemExit(f"the file has no key {name}")
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a key."""
        return self._fields[name].contents() if name in self._fields else default


def size_of(facts: Facts, context: int) -> Size:
    """The network's dimensions by the file's facts."""
    if facts["general.architecture"] != "llama":
        raise SystemExit(f"models of the architecture {facts['general.architecture']} are not supported, only llama")
    heads, width = facts["llama.attention.head_count"], facts["llama.embedding_length"]
    if facts.get("llama.expert_count", 0):
        raise SystemExit("mixtures of experts are not supported")
    if facts.get("llama.rope.dimension_count", width // heads) != width // heads:
        raise SystemExit("partial rotary embeddings are not supported")
    if facts.get("llama.rope.scaling.type", "none") != "none" or facts.get("llama.rope.scale_linear", 1.0) != 1.0:
        raise SystemExit("scaled rotary embeddings are not supported")
    if context > facts["llama.context_length"]:
        raise SystemExit(f"--context {context} exceeds the model's context of {facts['llama.context_length']} tokens")
    return Size(
        vocabulary=len(facts["tokenizer.ggml.tokens"]),
        context=context,
        layers=facts["llama.block_count"],
        width=width,
        heads=heads,
        groups=facts.get("llama.attention.head_count_kv", heads),
        head=width // heads,
        inner=facts["llama.feed_forward_length"],
        base=facts.get("llama.rope.freq_base", Size.base),
        epsilon=facts["llama.attention.layer_norm_rms_epsilon"],
    )


def fill(network: Network, weights: dict[str, Any]) -> None:
    """Give a network the file's weights, each of which is used once."""

    def take(name: str) -> Any:
        tensor = weights.pop(f"{name}.weight", None)
        if tensor is None:
            raise SystemExit(f"the file has no tensor {name}.weight")
        return gguf.dequantize(tensor.data, tensor.tensor_type)

    network.embedding.assign(take("token_embd"))
    network.last_norm.assign(take("output_norm"))
    for number, layer in enumerate(network.layers):
        for part, name in (MATRICES | TURNED).items():
            rows = take(f"blk.{number}.{name}")
            if part in TURNED:
                rows = halves_first(rows, network.size.heads if part == "query" else network.size.groups)
            layer[part].assign(rows.T)
        for part, name in NORMS.items():
            layer[part].assign(take(f"blk.{number}.{name}"))
    if weights:
        raise SystemExit(f"the network has no place for {', '.join(sorted(weights))}")


def tokenizer_of(facts: Facts) -> Tokenizer:
    """The file's byte-level BPE; its control tokens are special."""
    kind = facts["tokenizer.ggml.model"], facts.get("tokenizer.ggml.pre", "default")
    if kind != ("gpt2", "smollm"):
        raise SystemExit(f"tokenizers of the kind {'/'.join(kind)} are not supported, only gpt2/smollm")
    tokens = facts["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ")) for pair in facts["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    kinds = zip(tokens, facts["tokenizer.ggml.token_type"], strict=True)
    control = gguf.TokenType.CONTROL
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token, kind in kinds if kind == control])
    return tokenizer


def main() -> None:
    """Write ``model.tflite`` and ``tokenizer.json`` into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--context", type=int, default=512, help="positions of the caches (default: 512)")
    parser.add_argument(
        "--prefill", type=int, nargs="+", default=[64], help="lengths of prefill signatures (default: 64)"
    )
    parser.add_argument("--int8", action="store_true", help="quantise the weights, one scale for each output channel")
    arguments = parser.parse_args()
    if not all(0 < length <= arguments.context for length in arguments.prefill):
        parser.error(f"--prefill needs lengths from 1 to --context, {arguments.context}")
    reader = gguf.GGUFReader(arguments.gguf)
    facts = Facts(reader)
    tokenizer, network = tokenizer_of(facts), Network(size_of(facts, arguments.context), np.random.default_rng(0))
    fill(network, {tensor.name: tensor for tensor in reader.tensors})
    model = convert(network, quantised=arguments.int8, per_channel=True, prefill=arguments.prefill)
    arguments.output.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(arguments.output / "tokenizer.json"))
    (arguments.output / "model.tflite").write_bytes(model)


if __name__ == "__main__":
    main()
