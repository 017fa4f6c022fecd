"""Train, convert and measure the quickstart's language model: MMLU's questions and IFEval's requests, made up."""

import argparse
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import instructions
import numpy as np
import numpy.typing as npt
import sentencepiece
import tensorflow as tf
import world
from convert import PAD, convert, round_weights
from measure import measure
from network import Network, Size
from quickstart_training import about, cosine, descend, repeatable, sha256, training_parser, write_record

QUESTIONS, REQUESTS, TOKENIZER = "questions.jsonl", "requests.jsonl", "tokenizer.model"
PIECES = 640
"""Of the tokenizer, bytes and special pieces included."""
SPECIAL = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
"""Llama 3's names, so that the reference app's prompts and stop tokens mean the same here."""
TEST_SEED, TEST_QUESTIONS, SHOTS, TEST_REQUESTS = 11, 100, 2, 60
TOKENIZER_SEED, TOKENIZER_TEXTS = 5, 3000
ROW = 176
"""Tokens of a training row."""


@dataclass(frozen=True)
class Phase:
    """A part of the training, with rows and an optimizer of its own."""

    steps: int
    rate: float
    """The highest learning rate."""
    questions: float
    """Share of rows with questions; the others have requests."""
    given: float
    """Weight in the loss of what a prompt says."""
    letter: float
    """Weight of a question's letter."""
    answer: float
    """Weight of each token of a request's answer."""


PHASES = (
    Phase(steps=2000, rate=0.003, questions=0.6, given=0.05, letter=1.0, answer=0.5),
    Phase(steps=1200, rate=0.002, questions=0.8, given=0.02, letter=5.0, answer=0.3),
)
"""The first one teaches the language, the second one mostly the facts."""
CARELESS = (6, 5, 4)
"""Bits of weights to which the model is rounded, to see whether the targets notice."""
PACKAGES = ("tensorflow-cpu", "numpy", "sentencepiece", "snowballstemmer")

Row = tuple[list[int], list[float]]


def chat(prompt: str) -> str:
    """The reference app's prompt for IFEval (flutter/cpp/datasets/ifeval.cc)."""
    begin, end = "<|start_header_id|>", "<|end_header_id|>"
    return f"<|begin_of_text|>{begin}user{end}\n{prompt}\n<|eot_id|>{begin}assistant{end}\n"


def train_tokenizer(folder: Path) -> sentencepiece.SentencePieceProcessor:
    """A SentencePiece BPE model with bytes for what it does not know, trained on questions and requests."""
    rng = random.Random(TOKENIZER_SEED)  # noqa: S311  training data, not secrets
    lines: list[str] = []
    for _ in range(TOKENIZER_TEXTS):
        kind = rng.choice(sorted(world.KINDS))
        asked, draft = world.training_question(rng, kind), instructions.training_request(rng)
        texts = (world.preface(kind), f"{asked.text} {asked.letter}", draft.prompt, draft.answer, "user", "assistant")
        lines += [line for text in texts for line in text.split("\n")]
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=made,
        vocab_size=PIECES,
        model_type="bpe",
        character_coverage=1.0,
        byte_fallback=True,
        pad_id=PAD,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        user_defined_symbols=["\n", *SPECIAL],
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        num_threads=1,
        minloglevel=2,
    )
    (folder / TOKENIZER).write_bytes(made.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=made.getvalue())


class Rows:
    """Random training rows of one phase."""

    def __init__(self, tokenizer: sentencepiece.SentencePieceProcessor, phase: Phase, seed: int) -> None:
        self._phase = phase
        self._rng = random.Random(seed)  # noqa: S311  training data, not secrets
        self.encode = lru_cache(1 << 17)(tokenizer.encode)
        self._end = tokenizer.piece_to_id("<|eot_id|>")

    def batches(self, count: int, size: int) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]]:
        """``count`` batches of tokens int32 [size, ROW + 1] and the weights of each as a target, float32."""
        for _ in range(count):
            tokens = np.zeros((size, ROW + 1), np.int32)
            weights = np.zeros((size, ROW + 1), np.float32)
            for place in range(size):
                asks = self._rng.random() < self._phase.questions
                row, its_weights = self._questions() if asks else self._requests()
                tokens[place], weights[place] = row[: ROW + 1], its_weights[: ROW + 1]
            yield tokens, weights

    def _questions(self) -> Row:
        """A preface, and questions of its kind with their answers."""
        kind = self._rng.choice(sorted(world.KINDS))
        row = list(self.encode(f"{world.preface(kind)}\n\n"))
        given, letter = self._phase.given, self._phase.letter
        weights = [given] * len(row)
        while len(row) <= ROW:
            asked = world.training_question(self._rng, kind)
            for part, weight in ((asked.text, given), (f" {asked.letter}", letter), ("\n\n", given)):
                ids = self.encode(part)
                row += ids
                weights += [weight] * len(ids)
        return row, weights

    def _requests(self) -> Row:
        """Requests with their answers, each a conversation of its own."""
        row: list[int] = []
        weights: list[float] = []
        while len(row) <= ROW:
            draft = instructions.training_request(self._rng)
            ids, answer = self.encode(chat(draft.prompt)), [*self.encode(draft.answer), self._end]
            row += [*ids, *answer]
            weights += [self._phase.given] * len(ids) + [self._phase.answer] * len(answer)
        return row, weights


def train(network: Network, rows: Rows, phase: Phase, batch: int) -> None:
    """Train a network for one phase; no checkpoint is selected."""
    rate = cosine(phase.rate, 0.0, phase.steps, 100)
    optimizer = tf.keras.optimizers.AdamW(rate, weight_decay=0.01, beta_1=0.9, beta_2=0.98, global_clipnorm=1.0)

    def loss(tokens: Any, weights: Any) -> Any:
        targets, counted = tokens[:, 1:], weights[:, 1:]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, network(tokens[:, :-1]))
        return tf.reduce_sum(losses * counted) / tf.reduce_sum(counted)

    descend(network, optimizer, loss, _tensors(rows.batches(phase.steps, batch)), phase.steps)


def _tensors(batches: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        yield tuple(tf.constant(part) for part in batch)


def write_lines(file: Path, records: list[dict[str, Any]]) -> None:
    """Write JSON lines."""
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    """Read the command line; the defaults make the published files."""
    parser = training_parser(__doc__, threads=2)
    parser.add_argument("--batch", type=int, default=32, help="rows per step")
    return parser.parse_args()


def main() -> None:
    """Write data and tokenizer, train, write both models, and measure them; the test sets only measure."""
    arguments = parse_arguments()
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": True})
    repeatable(arguments)
    folder = arguments.output
    write_lines(folder / QUESTIONS, world.prompts(TEST_SEED, TEST_QUESTIONS, SHOTS))
    write_lines(folder / REQUESTS, instructions.requests(TEST_SEED, TEST_REQUESTS))
    tokenizer = train_tokenizer(folder)
    network = Network(Size(tokenizer.vocab_size()), np.random.default_rng(arguments.seed))
    for number, phase in enumerate(PHASES):
        train(network, Rows(tokenizer, phase, arguments.seed + number), phase, arguments.batch)
        tf.train.Checkpoint(network=network).write(str(folder / f"phase_{number + 1}"))
    record: dict[str, Any] = {}
    for numerics in ("float32", "int8"):
        file = folder / f"made_up_world_{numerics}.tflite"
        file.write_bytes(convert(network, quantised=numerics == "int8"))
        record[numerics] = about(file) | measure(file.read_bytes(), folder)
        print(record[numerics], flush=True)
    for bits in CARELESS:  # from many to few: each rounds what is left
        round_weights(network, bits)
        record[f"careless_{bits}_bits"] = measure(convert(network, quantised=False), folder)
    record["data"] = {name: sha256(folder / name) for name in (QUESTIONS, REQUESTS, TOKENIZER)}
    write_record(folder, record, PACKAGES)


if __name__ == "__main__":
    main()
