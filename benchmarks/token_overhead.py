"""Compares language models in single-stream with a bare loop on the same compiled model, in alternating rounds.

Both generate the same answers to one prompt, greedily. The bare loop clears the caches, runs the same signatures on the
same buffers, and takes the likeliest token; ours is the scenario with LoadGen, the system under test and the session.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from array import array
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from mlperf_mobile.contracts import Artifact, Generation, Load, TokenIds
from mlperf_mobile.results.tokens import answers, time_per_token
from mlperf_mobile.scenarios.single_stream import SingleStream
from mlperf_mobile.worker.token_system import TokenSystem
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.caches import SharedCaches
from mlperf_mobile_backend_tflite.generating import TFLiteTokenSession
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_backend_tflite.signatures import DECODE

Times = tuple[list[int], list[int]]
"""Nanoseconds to the first token, and per token after it, one of each for every query."""


def main() -> None:
    """Print percentiles of both times of both, the ratio of the first and the difference of the second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path, help=".tflite language models")
    parser.add_argument("--prompt", type=int, default=97, help="tokens of the prompt")
    parser.add_argument("--new", type=int, default=32, help="tokens of each answer")
    parser.add_argument("--queries", type=int, default=10, help="queries of each round")
    parser.add_argument("--rounds", type=int, default=30, help="rounds of each")
    parser.add_argument("--vocabulary", type=int, default=48, help="the prompt's ids are below this")
    args = parser.parse_args()
    print(f"{'model':36} {'bare TTFT us':>12} {'ours':>10} {'ratio':>8} {'bare TPOT us':>12} {'ours':>10} {'+us':>8}")
    for model in args.models:
        compare(model, args)


def compare(model: Path, args: argparse.Namespace) -> None:
    """One model: percentiles of all queries, without the first one of each round, in which a test of LoadGen begins.

    On a machine that does other work, only the low percentiles say anything.
    """
    session = TFLiteBackend(TFLiteOptions()).load(Artifact(model, "cpu", tokens=True))
    assert isinstance(session, TFLiteTokenSession)
    prompt = np.random.default_rng(1).integers(3, args.vocabulary, args.prompt).astype(np.int32)
    loop = BareLoop(session, prompt, args.new)
    right = session.generate(prompt, Generation(args.new), lambda: None).tolist()
    both: tuple[Times, Times] = ([], []), ([], [])
    for _ in range(args.rounds):
        bare, answered = loop.timed(args.queries)
        if answered != right:
            raise SystemExit("the bare loop has another answer")
        for found, times in zip(both, (bare, framework(session, prompt, args.new, args.queries)), strict=True):
            for kept, added in zip(found, times, strict=True):
                kept.extend(added[1:])
    for percent in (50, 10, 2):
        (theirs, mine), (theirs_token, mine_token) = (
            [float(np.percentile(each[kind], percent)) / 1e3 for each in both] for kind in (0, 1)
        )
        print(
            f"{f'{model.name}, p{percent}':36} {theirs:>12.1f} {mine:>10.1f} {mine / theirs:>8.4f} "
            f"{theirs_token:>12.2f} {mine_token:>10.2f} {mine_token - theirs_token:>8.2f}",
            flush=True,
        )


class BareLoop:
    """Generation with nothing but LiteRT's calls, on the session's own compiled model and buffers."""

    def __init__(self, session: TFLiteTokenSession, prompt: TokenIds, new: int) -> None:
        caches: Any = session._caches
        assert isinstance(caches, SharedCaches)
        self._caches, self._prompt, self._new = caches, prompt, new
        self._plan = self._prefills(session)

    def _prefills(self, session: TFLiteTokenSession) -> list[tuple[str, TokenIds, TokenIds]]:
        """The calls that the session makes for this prompt."""
        calls: list[tuple[str, TokenIds, TokenIds]] = []

        class Recorder:
            signatures = session._caches.signatures if session._caches else None

            def prefill(self, name: str, tokens: TokenIds, positions: TokenIds) -> None:
                calls.append((name, tokens, positions))

        recorder: Any = Recorder()
        self._filled = session._prefill(recorder, self._prompt, 0, self._prompt.size - 1)
        return calls

    def timed(self, queries: int) -> tuple[Times, Sequence[int]]:
        """The times of some queries, and the answer."""
        caches: Any = self._caches
        model, feeds, size = caches._model, caches._feeds, caches._size
        token_buffer, position_buffer, _ = feeds[DECODE]
        decode, ways = caches._calls[DECODE]
        logits = caches._logits
        token_array, position_array = np.zeros((1, 1), np.int32), np.zeros(1, np.int32)
        first: list[int] = []
        per_token: list[int] = []
        for _ in range(queries):
            start = perf_counter_ns()
            caches.clear()
            front = caches._front
            for name, tokens, positions in self._plan:
                feeds[name][0].write(tokens.reshape(1, -1))
                feeds[name][1].write(positions)
                index, both = caches._calls[name]
                model.run_by_index(index, *both[front])
                front ^= 1
            at, ids = self._filled, list[int]()
            pending = self._prompt[at:].tolist()
            while len(ids) < self._new:
                token_array[0, 0], position_array[0] = pending.pop(0) if pending else ids[-1], at
                token_buffer.write(token_array)
                position_buffer.write(position_array)
                model.run_by_index(decode, *ways[front])
                front ^= 1
                at += 1
                if pending:
                    continue
                ids.append(int(logits.read(size, np.float32).argmax()))
                if len(ids) == 1:
                    reached = perf_counter_ns()
            end = perf_counter_ns()
            first.append(reached - start)
            per_token.append((end - reached) // (self._new - 1))
        return (first, per_token), ids


class OnePrompt:
    """A data set and codec of one prompt."""

    def __init__(self, prompt: TokenIds) -> None:
        self._prompt = prompt

    def __len__(self) -> int:
        return 1

    def sample(self, index: int) -> TokenIds:
        return self._prompt

    def truth(self, index: int) -> object:
        raise NotImplementedError("the prompt has no truth")

    def encode(self, sample: Any) -> tuple[TokenIds]:
        return (sample,)

    def decode(self, outputs: Any) -> bytes:
        return bytes(outputs[0].astype("<i4").tobytes())


class Silent:
    """A watch that reports nothing."""

    def phase(self, *arguments: Any) -> Any:
        return contextlib.nullcontext()


def framework(session: TFLiteTokenSession, prompt: TokenIds, new: int, queries: int) -> Times:
    """The same by the scenario, with the times of LoadGen."""
    data, silent = OnePrompt(prompt), Silent()
    watch: Any = silent
    system = TokenSystem([session], Generation(new), data, data, watch)
    load = Load(
        min_query_count=queries, min_duration_s=0, max_duration_s=0, performance_sample_count=1,
        expected_latency_ns=1_000_000_000,
    )  # fmt: skip
    latencies = array("q")
    with tempfile.TemporaryDirectory() as folder:
        measured = SingleStream(None).run(system, load, latencies, Path(folder))
    assert measured.latency_source == "load generator"
    found = list(answers(system.tokens, latencies))[:queries]
    return [each.first_ns for each in found], [time_per_token(each) for each in found]


if __name__ == "__main__":
    main()
