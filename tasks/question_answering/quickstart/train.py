"""Train, convert and measure the quickstart's question answering model: a small transformer on made-up passages."""

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import generate
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from quickstart_training import about, converted, make_models, repeatable, sha256, training_parser, write_record

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_task_question_answering.made_up_facts import ANNOTATIONS, WINDOWS, MadeUpFacts
from mlperf_mobile_task_question_answering.options import TaskOptions
from mlperf_mobile_task_question_answering.task import QuestionAnswering
from mlperf_mobile_task_question_answering.vocabulary import Vocabulary

Arrays = tuple[npt.NDArray[np.int32], ...]
"""ids, mask, segments [n, L]; first and last token of the answer [n], 0 if it is outside the window."""

LENGTH = WINDOWS.max_seq_length
EMBEDDING, WIDTH, HEADS, INNER, LAYERS = 64, 128, 4, 256, 3
HEAD = WIDTH // HEADS
GAINS = (0.25, 0.5, 1.0, 0.5, 0.25)
"""Initial weights of a token's embedding and of its neighbours'."""
SHARE = 0.3
"""Initial gain of each part of a layer; it is learned, and keeps the sum stable without normalisation (as in
Bachlechner et al., "ReZero is All You Need", arXiv:2003.04887)."""
HIDDEN = 8.0
"""Subtracted from the attention to padding; small, so that attention keeps a fine scale in int8."""
TEST_SEED, TEST_PASSAGES, QUESTIONS = 11, 100, 2
TRAINING_QUESTIONS = 3
"""Most questions about one training passage."""
CALIBRATION = 300
"""Number of training windows that calibrate the int8 model."""
PACKAGES = ("tensorflow-cpu", "numpy", "tokenizers")


# ------------------------------------------------------------------------------------------------------------- data


def training_windows(vocabulary: Vocabulary, count: int, seed: int) -> Arrays:
    """``count`` windows of the training set; from a passage that is too long, a random part."""
    random = np.random.default_rng(seed)
    passages, selected = [], []
    for text, questions in generate.training_passages(seed):
        chosen = random.permutation(len(questions))[:TRAINING_QUESTIONS]
        selected += [(len(passages), questions[number]) for number in chosen]
        passages.append(text)
        if len(selected) >= count:
            break
    selected = selected[:count]
    pieces = vocabulary.passages([text.split(" ") for text in passages])
    queries = vocabulary.texts([question.text for _, question in selected])
    answers = vocabulary.texts([question.answer for _, question in selected])
    ids, mask, segments = np.zeros((3, count, LENGTH), np.int32)
    starts, ends = np.zeros((2, count), np.int32)
    for row, ((passage, question), query, answer) in enumerate(zip(selected, queries, answers, strict=True)):
        word = passages[passage].count(" ", 0, question.start)
        place = int(np.searchsorted(pieces[passage].words, word))
        first, room = len(query) + 2, LENGTH - len(query) - 3
        cut = int(random.integers(0, max(0, len(pieces[passage].ids) - room) + 1))
        shown = pieces[passage].ids[cut : cut + room]
        last = first + len(shown)
        ids[row, : last + 1] = [vocabulary.cls, *query, vocabulary.sep, *shown, vocabulary.sep]
        mask[row, : last + 1], segments[row, first : last + 1] = 1, 1
        if cut <= place and place + len(answer) <= cut + len(shown):
            starts[row], ends[row] = first + place - cut, first + place - cut + len(answer) - 1
    return ids, mask, segments, starts, ends


def batches(data: Arrays, size: int, random: np.random.Generator) -> list[Arrays]:
    """Batches of windows of similar length, cut to the longest, in random order."""
    lengths = data[1].sum(axis=1)
    found = []
    for begin in range(0, len(lengths), 16 * size):
        group = np.arange(begin, min(begin + 16 * size, len(lengths)))
        group = group[lengths[group].argsort(kind="stable")]
        cut = [group[start : start + size] for start in range(0, len(group), size)]
        found += [cut[number] for number in random.permutation(len(cut)) if len(cut[number]) == size]
    whole = []
    for rows in found:
        longest = min(LENGTH, -(-int(lengths[rows].max()) // 16) * 16)
        whole.append(tuple(part[rows, :longest] if part.ndim == 2 else part[rows] for part in data))
    return whole


# ---------------------------------------------------------------------------------------------------------- network


class Network(tf.Module):  # type: ignore[misc]
    """MobileBERT's pattern, small: concatenated embeddings of neighbouring tokens, layers without normalisation.

    Queries and keys start as the same orthogonal projections, so that equal tokens attend to each other from the first
    step (as in Trockman and Kolter, "Mimetic Initialization of Self-Attention Layers", arXiv:2305.09828).
    """

    def __init__(self, tokens: int, random: np.random.Generator) -> None:
        super().__init__()

        def variable(values: Any) -> Any:
            return tf.Variable(tf.constant(np.asarray(values), tf.float32))

        def dense(inputs: int, outputs: int, gain: float = 1.0) -> Any:
            return random.standard_normal((inputs, outputs)) * gain / np.sqrt(inputs)

        angles = np.arange(LENGTH)[:, None] / 1000 ** (np.arange(WIDTH // 2) / (WIDTH // 2))
        waves = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(LENGTH, WIDTH)
        self.tokens = variable(random.standard_normal((tokens, EMBEDDING)) * 0.5)
        self.places = variable(waves * 0.3)
        self.segments = variable(random.standard_normal((2, WIDTH)) * 0.1)
        self.around = variable(np.concatenate([dense(EMBEDDING, WIDTH, gain) for gain in GAINS]))
        self.around_bias = variable(np.zeros(WIDTH))
        self.layers = []
        for _ in range(LAYERS):
            same = [np.linalg.qr(random.standard_normal((WIDTH, WIDTH)))[0][:, :HEAD] for _ in range(HEADS)]
            alike = np.concatenate(same, axis=1) * np.sqrt(WIDTH / HEAD) * 0.7
            self.layers.append(
                {
                    "query": variable(alike + dense(WIDTH, WIDTH, 0.2)),
                    "key": variable(alike + dense(WIDTH, WIDTH, 0.2)),
                    "value": variable(dense(WIDTH, WIDTH)),
                    "mixed": variable(dense(WIDTH, WIDTH)),
                    "inner": variable(dense(WIDTH, INNER, 1.4)),
                    "outer": variable(dense(INNER, WIDTH)),
                }
                | {f"{name}_bias": variable(np.zeros(WIDTH)) for name in ("query", "key", "value", "mixed", "outer")}
                | {"inner_bias": variable(np.zeros(INNER))}
                | {f"{name}_gain": variable(SHARE) for name in ("mixed", "outer")}
            )
        self.scores = variable(dense(WIDTH, 2, 0.5))
        self.scores_bias = variable(np.zeros(2))

    def __call__(self, ids: Any, mask: Any, segments: Any) -> Any:
        """Token ids, mask and segments, int32 [n, l], to scores of the answer's start and end, [n, l, 2]."""
        count, length = ids.shape
        words = tf.gather(self.tokens, ids)
        reach = len(GAINS) // 2
        padded = tf.pad(words, ((0, 0), (reach, reach), (0, 0)))
        neighbours = [padded[:, place : place + length] for place in range(len(GAINS))]
        state = tf.matmul(tf.concat(neighbours, 2), self.around) + self.around_bias
        state += self.places[:length] + tf.gather(self.segments, segments)
        hidden = ((tf.cast(mask, tf.float32) - 1.0) * HIDDEN)[:, None, None, :]
        for layer in self.layers:

            def dense(inputs: Any, name: str, layer: Any = layer) -> Any:
                gain = layer.get(f"{name}_gain", 1.0)
                return tf.matmul(inputs, layer[name] * gain) + layer[f"{name}_bias"] * gain

            def heads(inputs: Any, name: str) -> Any:
                return tf.transpose(tf.reshape(dense(inputs, name), (count, length, HEADS, HEAD)), (0, 2, 1, 3))

            agreement = tf.matmul(heads(state, "query"), heads(state, "key"), transpose_b=True) * HEAD**-0.5
            seen = tf.matmul(tf.nn.softmax(agreement + hidden), heads(state, "value"))
            state += dense(tf.reshape(tf.transpose(seen, (0, 2, 1, 3)), (count, length, WIDTH)), "mixed")
            state += dense(tf.nn.relu(dense(state, "inner")), "outer")
        return tf.matmul(state, self.scores) + self.scores_bias


def train(data: Arrays, tokens: int, arguments: argparse.Namespace) -> Network:
    """Train a new network and return its state after the last batch: no checkpoint is selected."""
    random = np.random.default_rng(arguments.seed)
    network = Network(tokens, random)
    variables = network.trainable_variables
    means, squares = ([tf.Variable(tf.zeros_like(v)) for v in variables] for _ in range(2))

    @tf.function  # type: ignore[untyped-decorator]
    def step(number: Any, rate: Any, ids: Any, mask: Any, segments: Any, starts: Any, ends: Any) -> Any:
        """One step of Adam, with the gradient's norm clipped to one."""
        # An answer is in the passage; the first token means no answer.
        outside = 1 - tf.concat([tf.ones_like(mask[:, :1]), segments[:, 1:]], 1)
        with tf.GradientTape() as tape:
            scores = network(ids, mask, segments) - 1e4 * tf.cast(outside, tf.float32)[:, :, None]
            losses = [
                tf.nn.sparse_softmax_cross_entropy_with_logits(targets, scores[:, :, place])
                for place, targets in enumerate((starts, ends))
            ]
            loss = tf.reduce_mean(losses[0] + losses[1])
        gradients, _ = tf.clip_by_global_norm([tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)], 1.0)
        for variable, gradient, mean, square in zip(variables, gradients, means, squares, strict=True):
            mean.assign(0.9 * mean + 0.1 * gradient)
            square.assign(0.99 * square + 0.01 * gradient * gradient)
            change = mean / (1 - 0.9**number) / (tf.sqrt(square / (1 - 0.99**number)) + 1e-7)
            variable.assign_sub(rate * change)
        return loss

    several = batches(data, arguments.batch, random)
    losses, begun = [], time.monotonic()
    for number, batch in enumerate(several, 1):
        rate = arguments.rate * min(1.0, number / 100) * 0.5 * (1 + np.cos(np.pi * number / len(several)))
        losses.append(float(step(tf.constant(number, tf.float32), tf.constant(rate, tf.float32), *batch)))
        if number % 100 == 0:
            recent = np.mean(losses[-100:])
            print(f"step {number}/{len(several)} loss {recent:.4f} ({time.monotonic() - begun:.0f} s)", flush=True)
    return network


# ------------------------------------------------------------------------------------------------- files and figures


def convert(network: Network, calibration: Arrays | None) -> bytes:
    """Convert to a TFLite file of batch 1: int32 [1, L] ids, mask, segments to [1, L] end and start scores.

    Args:
        network: A trained network.
        calibration: Training windows for a full integer model, int8 scores; None for a float32 model.
    """

    def scores(input_ids: Any, input_mask: Any, segment_ids: Any) -> dict[str, Any]:
        start, end = tf.unstack(network(input_ids, input_mask, segment_ids), axis=2)
        return {"end_logits": end, "start_logits": start}

    names = ("input_ids", "input_mask", "segment_ids")
    signature = [tf.TensorSpec((1, LENGTH), tf.int32, name=name) for name in names]
    windows = None if calibration is None else zip(*calibration[:3], strict=True)
    samples = windows and [{name: row[None] for name, row in zip(names, rows, strict=True)} for rows in windows]
    return converted(scores, signature, network, samples, integers="o", dense_per_channel=False)


def measure(model: bytes, dataset: MadeUpFacts) -> dict[str, float]:
    """F1 and exact match of a TFLite file over the test set, by the task's own codec and metric."""
    interpreter = tf.lite.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    task = QuestionAnswering(TaskOptions())
    codec = task.bind([_spec(detail) for detail in inputs], [_spec(detail) for detail in outputs])
    metric = task.metric(dataset)
    for index in range(len(dataset)):
        for detail, tensor in zip(inputs, codec.encode(dataset.sample(index)), strict=True):
            interpreter.set_tensor(detail["index"], tensor)
        interpreter.invoke()
        metric.update(index, codec.decode(tuple(interpreter.get_tensor(detail["index"]) for detail in outputs)))
    score = metric.score()
    return {"f1": score.value, "samples": score.samples} | dict(score.details)


def _spec(detail: dict[str, Any]) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    return TensorSpec(detail["name"], tuple(detail["shape"].tolist()), np.dtype(detail["dtype"]), scale, zero_point)


def parse_arguments() -> argparse.Namespace:
    """Read the command line; the defaults make the published models."""
    parser = training_parser(__doc__)
    parser.add_argument("--windows", type=int, default=150_000, help="training windows, each used once")
    parser.add_argument("--batch", type=int, default=64, help="windows per training step")
    parser.add_argument("--rate", type=float, default=0.002, help="highest learning rate")
    return parser.parse_args()


def main() -> None:
    """Write the data, train, write both models and measure them; the test set is only used to measure."""
    arguments = parse_arguments()
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": True})
    repeatable(arguments)
    folder = arguments.output
    made = generate.squad(TEST_SEED, TEST_PASSAGES, QUESTIONS, generate.held_out)
    (folder / ANNOTATIONS).write_text(generate.dump(made), encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(generate.vocabulary()) + "\n", encoding="utf-8")
    vocabulary = Vocabulary(folder / "vocab.txt")
    data = training_windows(vocabulary, arguments.windows, arguments.seed)
    network = train(data, len(vocabulary.tokens), arguments)
    dataset = MadeUpFacts(folder, None)
    calibration = tuple(part[:CALIBRATION] for part in data)

    def report(file: Path) -> dict[str, Any]:
        return about(file) | measure(file.read_bytes(), dataset)

    summary = make_models(folder, "facts_transformer", partial(convert, network), calibration, report)
    summary["data"] = {name: sha256(folder / name) for name in (ANNOTATIONS, "vocab.txt")}
    write_record(folder, summary, PACKAGES)


if __name__ == "__main__":
    main()
