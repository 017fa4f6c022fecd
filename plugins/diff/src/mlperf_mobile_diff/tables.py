"""Shows a comparison as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlperf_mobile.printing import clean
from mlperf_mobile.terminal.columns import table
from mlperf_mobile_diff.stages import STAGES, Differences, TensorDifference, is_apart

WORST = 5
"""How many samples and tensors are listed."""


def show(labels: Sequence[str], found: Differences, tolerance: float, problems: Sequence[str], samples: int) -> None:
    """Print the comparison.

    Args:
        labels: The two sides.
        found: Their differences.
        tolerance: The tolerance that was used.
        problems: Why tensors inside the model are missing, one line a side.
        samples: How many samples the data set has.
    """
    for name, label in zip("ab", labels, strict=True):
        print(f"{name}  {clean(label)}")
    print(f"   {len(found.indices)} of {samples} samples, tolerance {tolerance:g}\n")
    print(_stages(found), end="\n\n")
    for text in (_tensors(found.tensors), _worst(found), _answers(found), _traced(found, tolerance, problems)):
        if text:
            print(text, end="\n\n")
    print(_verdict(found))


def _stages(found: Differences) -> str:
    rows = [
        (stage, f"{len(found.differ[stage])} of {len(found.indices)}", meaning)
        for stage, meaning in STAGES.items()
        if stage in found.differ
    ]
    return table(("stage", "differ", "what it is"), rows)


def _tensors(tensors: Sequence[TensorDifference]) -> str:
    if not tensors:
        return ""
    rows = []
    for each in tensors:
        name = each.names[0] if each.names[0] == each.names[1] else " | ".join(filter(None, each.names))
        spec = each.specs[0] if each.specs[0] == each.specs[1] else " | ".join(filter(None, each.specs))
        if each.summary is None:
            rows.append((each.stage, clean(name), spec, each.problem, "", "", "", "", ""))
            continue
        s = each.summary
        rows.append((
            each.stage, clean(name), spec, number(s.largest), number(s.relative), f"{s.cosine:.6f}", decibels(s.snr_db),
            f"{100 * s.unequal:.3g} %",
            f"{s.identical}" + (f", {s.not_finite} values not finite" if s.not_finite else ""),
        ))  # fmt: skip
    head = ("tensor", "name", "type and shape", "largest", "relative", "cosine", "SNR", "unequal", "identical")
    return table(head, rows)


def _worst(found: Differences) -> str:
    """The samples with the largest relative difference of any output."""
    outputs = [each for each in found.tensors if each.stage == "output" and each.by_sample]
    if not outputs:
        return ""
    worst = sorted(
        ((max(each.by_sample[at].relative for each in outputs), index) for at, index in enumerate(found.indices)),
        key=lambda pair: (-pair[0], pair[1]),
    )
    rows = []
    for relative, index in worst[:WORST]:
        if not relative:
            break
        a, b = found.scores.get(index, (None, None))
        answer = "differs" if index in found.differ["response"] else "same"
        rows.append((str(index), number(relative), answer, _value(a), _value(b)))
    return table(("worst sample", "relative", "response", "score a", "score b"), rows) if rows else ""


def _answers(found: Differences) -> str:
    """The answers of a language model that part first."""
    rows = []
    for each in sorted(found.answers, key=lambda each: (each.first, each.index))[:WORST]:
        ids = ["end" if token is None else str(token) for token in each.tokens]
        scores = map(_value, found.scores.get(each.index, (None, None)))
        rows.append((str(each.index), str(each.first), *ids, *map(str, each.lengths), *scores))
    head = ("sample", "first other token", "id a", "id b", "tokens a", "tokens b", "score a", "score b")
    return table(head, rows) if rows else ""


def _traced(found: Differences, tolerance: float, problems: Sequence[str]) -> str:
    lines = [clean(text) for text in problems]
    if found.traced:
        first = found.first_traced(tolerance)
        rows = [
            (clean(each.name), number(each.apart.relative), f"{each.apart.cosine:.6f}", decibels(each.apart.snr_db))
            for each in found.traced
            if is_apart(each.apart, tolerance)
        ]
        lines.append(
            f"inside the model: {len(found.traced)} tensors compared, {len(rows)} differ"
            + (f"; the first is {clean(first.name)}" if first else "")
        )
        if rows:
            lines.append(table(("tensor", "relative", "cosine", "SNR"), rows[:WORST]))
    return "\n".join(lines)


def _verdict(found: Differences) -> str:
    a, b = found.totals
    scored = f"{found.metric}: {_value(a)} and {_value(b)}" if a is not None and b is not None else ""
    if not found.first:
        return f"no sample differs. {scored}".rstrip()
    return f"first differing stage: {found.first}. {scored}".rstrip()


def number(value: float) -> str:
    """Three significant digits."""
    return f"{value:.3g}"


def decibels(value: float) -> str:
    """A ratio in decibels; a dash if it is infinite."""
    return f"{value:.1f} dB" if math.isfinite(value) else "-"


def _value(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
