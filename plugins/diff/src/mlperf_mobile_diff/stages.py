"""Where two recordings of the same samples first differ: input, output or answer of the model, response, or score."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from typing import Any

from mlperf_mobile.contracts import Dataset, Task
from mlperf_mobile.errors import MobileError
from mlperf_mobile_diff.differences import Apart, Summary, comparable, comparing, summarised
from mlperf_mobile_diff.recording import Recording

INPUT, OUTPUT, ANSWER, RESPONSE, SCORE = "input", "output", "answer", "response", "score"
STAGES = {
    INPUT: "the encoded sample that goes into the model",
    OUTPUT: "the tensors that come out of the model",
    ANSWER: "the tokens that a language model generates",
    RESPONSE: "the answer that the task makes of them, as in the accuracy log",
    SCORE: "the metric of that sample alone",
}
"""The stages of a sample, in order; a language model has an answer instead of input and output tensors."""
SCORED = 200
"""How many samples are scored alone; a metric may take long for each."""


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """One input or output on both sides."""

    stage: str
    names: tuple[str, str]
    specs: tuple[str, str]
    problem: str = ""
    """Why the values cannot be compared."""
    summary: Summary | None = None
    by_sample: tuple[Apart, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerDifference:
    """Two different answers of a language model to one sample."""

    index: int
    first: int
    """The first token that differs, counted from 0."""
    tokens: tuple[int | None, int | None]
    """Its id on both sides; None where the answer has ended before."""
    lengths: tuple[int, int]
    """How many tokens both answers have."""


@dataclass(frozen=True, slots=True)
class TracedDifference:
    """A tensor inside the model, of the first sample, by its name in both models."""

    name: str
    apart: Apart


@dataclass(frozen=True, slots=True)
class Differences:
    """Everything that was found."""

    indices: tuple[int, ...]
    tensors: tuple[TensorDifference, ...]
    differ: dict[str, tuple[int, ...]]
    """By stage: the samples that differ there; inputs and outputs by more than the tolerance."""
    scores: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)
    """Of samples whose responses differ; None where the metric cannot score one sample."""
    metric: str = ""
    totals: tuple[float | None, float | None] = (None, None)
    """The metric over all samples of the comparison."""
    traced: tuple[TracedDifference, ...] = ()
    answers: tuple[AnswerDifference, ...] = ()

    @property
    def first(self) -> str:
        """The first stage at which any sample differs; empty if none does."""
        return next((stage for stage in STAGES if self.differ.get(stage)), "")

    def first_traced(self, tolerance: float) -> TracedDifference | None:
        """The first tensor inside the model that differs by more than the tolerance."""
        return next((each for each in self.traced if is_apart(each.apart, tolerance)), None)


def is_apart(apart: Apart, tolerance: float) -> bool:
    """Whether a difference exceeds the tolerance, a share of the largest absolute value."""
    return apart.relative > tolerance or apart.not_finite > 0


def compare(a: Recording, b: Recording, task: Task, dataset: Dataset, tolerance: float) -> Differences:
    """Compare two recordings of the same samples.

    Args:
        a: One side; signal-to-noise ratios are relative to it.
        b: The other side.
        task: The task, whose metric scores the responses.
        dataset: The data set of the samples.
        tolerance: The largest difference that counts as none, as a share of a tensor's largest absolute value.
    """
    tensors = (*_tensors(INPUT, a, b), *_tensors(OUTPUT, a, b))
    answers = tuple(_answers(a, b))
    differ: dict[str, tuple[int, ...]] = (
        {ANSWER: tuple(each.index for each in answers)}
        if a.facts.answers
        else {stage: _beyond(tensors, stage, a, tolerance) for stage in (INPUT, OUTPUT)}
    )
    positions = [at for at in range(len(a.facts.indices)) if a.response(at) != b.response(at)]
    differ[RESPONSE] = tuple(a.facts.indices[at] for at in positions)
    scores = {a.facts.indices[at]: _scores(task, dataset, a, b, [at])[1] for at in positions[:SCORED]}
    differ[SCORE] = tuple(index for index, (first, second) in scores.items() if first != second)
    metric, totals = _scores(task, dataset, a, b, range(len(a.facts.indices)))
    return Differences(a.facts.indices, tensors, differ, scores, metric, totals, tuple(_traced(a, b)), answers)


def _tensors(stage: str, a: Recording, b: Recording) -> Iterator[TensorDifference]:
    """Compare by position, because converters rename inputs and outputs."""
    here, there = (a.inputs, b.inputs) if stage == INPUT else (a.outputs, b.outputs)
    for number in range(max(len(here), len(there))):
        if number >= min(len(here), len(there)):
            only = (here if number < len(here) else there)[number]
            side = 0 if number < len(here) else 1
            names, specs = ["", ""], ["", ""]
            names[side], specs[side] = only.name, str(only)
            yield TensorDifference(stage, (names[0], names[1]), (specs[0], specs[1]), "on one side only")
            continue
        first, second = here[number], there[number]
        about = (stage, (first.name, second.name), (str(first), str(second)))
        if problem := comparable(first, second):
            yield TensorDifference(*about, problem)
            continue
        measure = comparing(first, second)
        found = tuple(
            measure(a.tensor(stage, number, at), b.tensor(stage, number, at)) for at in range(len(a.facts.indices))
        )
        yield TensorDifference(*about, summary=summarised(found), by_sample=found)


def _answers(a: Recording, b: Recording) -> Iterator[AnswerDifference]:
    for at, index in enumerate(a.facts.indices if a.facts.answers else ()):
        ours, theirs = a.answer(at), b.answer(at)
        pairs = enumerate(zip_longest(ours, theirs))
        if found := next(((first, pair) for first, pair in pairs if pair[0] != pair[1]), None):
            yield AnswerDifference(index, *found, (len(ours), len(theirs)))


def _beyond(tensors: Sequence[TensorDifference], stage: str, a: Recording, tolerance: float) -> tuple[int, ...]:
    own = [each for each in tensors if each.stage == stage]
    if any(each.problem for each in own):
        return a.facts.indices if stage == OUTPUT else ()  # inputs of other shapes are the models' own choice
    return tuple(
        index
        for at, index in enumerate(a.facts.indices)
        if any(is_apart(each.by_sample[at], tolerance) for each in own)
    )


def _scores(
    task: Task, dataset: Dataset, a: Recording, b: Recording, positions: Sequence[int]
) -> tuple[str, tuple[float | None, float | None]]:
    name, values = "", list[float | None]()
    for side in (a, b):
        value: float | None = None
        try:
            metric = task.metric(dataset)
            for at in positions:
                metric.update(side.facts.indices[at], side.response(at))
            score = metric.score()
            name, value = score.metric, float(score.value) if math.isfinite(score.value) else None
        except (MobileError, ArithmeticError, LookupError, TypeError, ValueError):
            pass  # many metrics are not defined for a few samples
        values.append(value)
    return name, (values[0], values[1])


def _traced(a: Recording, b: Recording) -> Iterator[TracedDifference]:
    """Compare the tensors that have the same name and shape on both sides, in the first side's order."""
    there = {spec.name: number for number, spec in enumerate(b.traced)}
    for number, spec in enumerate(a.traced):
        other = there.get(spec.name)
        if other is not None and not comparable(spec, b.traced[other]):
            measure = comparing(spec, b.traced[other])
            yield TracedDifference(spec.name, measure(a.traced_tensor(number), b.traced_tensor(other)))


def as_data(differences: Differences, tolerance: float) -> dict[str, Any]:
    """Everything as JSON data; what is not finite is None."""
    first = differences.first_traced(tolerance)
    return {
        "samples": list(differences.indices),
        "tolerance": tolerance,
        "first": differences.first or None,
        "differ": {stage: list(found) for stage, found in differences.differ.items()},
        "tensors": [
            {
                "stage": each.stage, "names": each.names, "specs": each.specs, "problem": each.problem,
                "summary": _numbers(each.summary), "by_sample": [_numbers(apart) for apart in each.by_sample],
            }
            for each in differences.tensors
        ],
        "answers": [asdict(each) for each in differences.answers],
        "metric": differences.metric,
        "totals": differences.totals,
        "scores": {str(index): values for index, values in differences.scores.items()},
        "first_traced": first.name if first else None,
        "traced": [{"name": each.name} | (_numbers(each.apart) or {}) for each in differences.traced],
    }  # fmt: skip


def _numbers(record: Apart | Summary | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {name: value if math.isfinite(value) else None for name, value in asdict(record).items()}
