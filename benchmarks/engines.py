"""Compares ``tflite`` with LiteRT-LM on the same weights: decode rate and time to the first token, answer by answer.

Both generate the answers to the same prompts, greedily, with one thread, in turn, so that other work on the machine
meets both. A round is one answer of each. ``plugins/backend_litert_lm/tools/pack_quickstart.py`` makes the .litertlm
file of the packaged .tflite model.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from mlperf_mobile.contracts import Artifact, Generation, Mode
from mlperf_mobile_backend_litert_lm.backend import LiteRtLmBackend
from mlperf_mobile_backend_litert_lm.options import LiteRtLmOptions
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.generating import TFLiteTokenSession
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_task_language_model.choices import MadeUpQuestions
from mlperf_mobile_task_language_model.multiple_choice import MultipleChoice
from mlperf_mobile_task_language_model.options import MultipleChoiceOptions

Timed = tuple[int, float, str]
"""Nanoseconds to the first token, nanoseconds per token after it, and the answer's text."""


def main() -> None:
    """Print both times of both engines at several percentiles, and the ratio of the decode rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tflite", type=Path, help="the .tflite language model")
    parser.add_argument("litertlm", type=Path, help="the same weights as .litertlm")
    parser.add_argument("tokenizer", type=Path, help="their SentencePiece model")
    parser.add_argument("--new", type=int, default=64, help="tokens of each answer")
    parser.add_argument("--rounds", type=int, default=300, help="answers of each engine")
    parser.add_argument("--prompts", type=int, default=20, help="different prompts")
    args = parser.parse_args()
    task = MultipleChoice(MultipleChoiceOptions(tokenizer=args.tokenizer, stop="none"))
    data = MadeUpQuestions(None, None)
    litert = TFLiteBackend(TFLiteOptions(threads=1)).load(Artifact(args.tflite, "cpu", tokens=True))
    assert isinstance(litert, TFLiteTokenSession)
    codec = task.bind(litert.inputs, litert.outputs)
    how = Generation(args.new, task.generation(Mode.PERFORMANCE).stop_ids)
    prompts = [data.sample(index) for index in range(args.prompts)]
    ids = [codec.encode(each)[0] for each in prompts]
    texts = [task.prompt_text(each) for each in prompts]
    with litert, LiteRtLmBackend(LiteRtLmOptions(threads=1)).load(Artifact(args.litertlm, "cpu", tokens=True)) as lm:

        def ours(number: int) -> Timed:
            def generate(first: Callable[[], None]) -> tuple[str, int]:
                found = litert.generate(ids[number], how, first)
                return task._language.tokenizer.decode(found.tolist()), len(found)

            return timed(generate)

        def theirs(number: int) -> Timed:
            def generate(first: Callable[[], None]) -> tuple[str, int]:
                called = [first]
                answer = lm.generate_text(texts[number], how, lambda text: called.pop()() if called else None)
                return answer.text, answer.tokens or 0

            return timed(generate)

        for engine in (ours, theirs):
            engine(0)
        both: tuple[list[Timed], list[Timed]] = ([], [])
        for turn in range(args.rounds):
            order = (0, 1) if turn % 2 else (1, 0)
            for which in order:
                both[which].append((ours, theirs)[which](turn % args.prompts))
    same = sum(one[2].strip() == other[2].strip() for one, other in zip(*both, strict=True))
    print(f"{args.rounds} answers of {args.new} tokens each; {same} have the same text; load {os.getloadavg()[0]:.1f}")
    print(f"{'':8} {'TTFT ms tflite':>15} {'LiteRT-LM':>10} {'tokens/s tflite':>16} {'LiteRT-LM':>10} {'ratio':>7}")
    for percent in (2, 10, 25, 50):
        (first, rate), (their_first, their_rate) = (
            (np.percentile([each[0] for each in one], percent) / 1e6, 1e9 / np.percentile([e[1] for e in one], percent))
            for one in both
        )
        label = f"p{percent}"
        ratio = rate / their_rate
        print(f"{label:8} {first:>15.2f} {their_first:>10.2f} {rate:>16.1f} {their_rate:>10.1f} {ratio:>7.3f}")
    pairs = [other[1] / one[1] for one, other in zip(*both, strict=True)]
    print(f"median of the pairs' ratios of tokens/s, tflite over LiteRT-LM: {np.median(pairs):.3f}")


def timed(generate: Callable[[Callable[[], None]], tuple[str, int]]) -> Timed:
    """The times of one answer."""
    reached: list[int] = []
    began = perf_counter_ns()
    text, tokens = generate(lambda: reached.append(perf_counter_ns()))
    ended = perf_counter_ns()
    return reached[0] - began, (ended - reached[0]) / (tokens - 1), text


if __name__ == "__main__":
    main()
