"""Makes ``tests/models/tiny.gguf``, a Llama of one layer with random weights: ``python tools/make_model.py``.

Needs the packages gguf and numpy.
"""

from pathlib import Path

import gguf
import numpy as np

WIDTH, INNER, HEADS, VOCABULARY, CONTEXT = 32, 64, 4, 48, 256
MODEL = Path(__file__).parents[1] / "tests/models/tiny.gguf"


def main() -> None:
    """Write the model."""
    random = np.random.default_rng(3)
    writer = gguf.GGUFWriter(str(MODEL), "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("llama")
    special = ["<unk>", "<s>", "</s>"]
    writer.add_token_list([*special, *(f"\u2581w{n}" for n in range(len(special), VOCABULARY))])
    writer.add_token_scores([-float(n) for n in range(VOCABULARY)])
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    writer.add_token_types([*kinds, *[gguf.TokenType.NORMAL] * (VOCABULARY - len(kinds))])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)

    def matrix(name: str, rows: int, columns: int) -> None:
        writer.add_tensor(name, (random.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32))

    def norm(name: str) -> None:
        writer.add_tensor(name, np.ones(WIDTH, np.float32))

    matrix("token_embd.weight", VOCABULARY, WIDTH)
    norm("blk.0.attn_norm.weight")
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        matrix(f"blk.0.{part}.weight", WIDTH, WIDTH)
    norm("blk.0.ffn_norm.weight")
    for part, shape in (("ffn_gate", (INNER, WIDTH)), ("ffn_up", (INNER, WIDTH)), ("ffn_down", (WIDTH, INNER))):
        matrix(f"blk.0.{part}.weight", *shape)
    norm("output_norm.weight")
    matrix("output.weight", VOCABULARY, WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
