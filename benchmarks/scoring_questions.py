"""Opens and scores a data set of SQuAD's size: 10,570 synthetic questions, random scores that favour an answer."""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from mlperf_mobile_task_question_answering.metric import F1
from mlperf_mobile_task_question_answering.options import SquadOptions
from mlperf_mobile_task_question_answering.squad import Squad

T = TypeVar("T")

QUESTIONS, PASSAGES, WORDS = 10_570, 2_067, 140
"""Numbers of SQuAD v1.1's development set; average words per passage, of which some are split into two tokens."""


def main() -> None:
    """Print the seconds of each step, and the score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), args.questions, np.random.default_rng(0))
        dataset, opening = timed(lambda: Squad(Path(folder), SquadOptions()))
    metric, checking = timed(lambda: F1(dataset))
    responses, _ = timed(lambda: make_responses(dataset))
    _, finding = timed(lambda: update(metric, responses))
    score, scoring = timed(metric.score)
    print(f"{args.questions} questions, {len(dataset)} windows; F1 {score.value:.4f}, {dict(score.details)}")
    print(f"open and tokenise {opening:.2f} s, check truths {checking:.2f} s")
    print(f"find answers {finding:.2f} s ({1e6 * finding / len(dataset):.0f} us each), score them {scoring:.2f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"scoring {checking + finding + scoring:.2f} s in total; peak {peak} MiB, the responses included")


def update(metric: F1, responses: list[bytes]) -> None:
    """Score all responses, in order."""
    for index, response in enumerate(responses):
        metric.update(index, response)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """The result of ``work``, and its seconds."""
    start = time.perf_counter()
    done = work()
    return done, time.perf_counter() - start


def write(folder: Path, questions: int, rng: np.random.Generator) -> None:
    """A data set like SQuAD's: passages of about 140 words, five questions each, three references each."""
    syllables = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "lmnrst"]
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *".,()?'-%",
        "the",
        "of",
        *syllables,
        *(f"##{s}" for s in syllables),
    ]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    several = [*syllables, *(f"{one}{other}" for one, other in zip(syllables, reversed(syllables), strict=True))]
    lexicon = np.array([*several, *("the", "of") * 40, *(f"({s.title()})," for s in several[:60])])
    paragraphs = []
    for number in range(PASSAGES):
        words = rng.choice(lexicon, max(20, int(rng.gamma(6.0, WORDS / 6))))
        qas = []
        for place in range(number * questions // PASSAGES, (number + 1) * questions // PASSAGES):
            begin = int(rng.integers(0, len(words) - 5))
            texts = [" ".join(words[begin : begin + size]) for size in rng.integers(1, 5, 3)]
            answers = [{"text": text, "answer_start": 0} for text in texts]
            qas.append({"id": f"{place:024}", "question": " ".join(rng.choice(lexicon, 11)) + "?", "answers": answers})
        paragraphs.append({"context": " ".join(words), "qas": qas})
    (folder / "dev-v1.1.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))


def make_responses(dataset: Squad) -> list[bytes]:
    """Random scores, higher in the passage, as from a trained model."""
    rng = np.random.default_rng(1)
    responses = []
    for index in range(len(dataset)):
        truth = dataset.truth(index)
        scores = rng.normal(-8, 2, (2, truth.length)).astype(np.float32)
        scores[:, truth.first : truth.first + len(truth.max_context())] += 5
        responses.append(scores.tobytes())
    return responses


if __name__ == "__main__":
    main()
