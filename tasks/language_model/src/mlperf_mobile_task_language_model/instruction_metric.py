"""IFEval's accuracies: of instructions and of prompts, strict and loose, by the app's rules and the published ones.

Source: ``ComputeAccuracy`` in flutter/cpp/datasets/ifeval.cc.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from mlperf_mobile.contracts import Dataset, Score
from mlperf_mobile.errors import DataError
from mlperf_mobile_task_language_model.ifeval.instruction import AppRule, app_rule
from mlperf_mobile_task_language_model.ifeval.language import Detector, app_detector, published_detector
from mlperf_mobile_task_language_model.ifeval.published import PublishedRule, published_rule
from mlperf_mobile_task_language_model.options import InstructionOptions
from mlperf_mobile_task_language_model.prompting import Language
from mlperf_mobile_task_language_model.requests import Instructions


@dataclass(slots=True)
class _Tally:
    """Counts of what was followed."""

    prompts: int = 0
    instructions: int = 0
    followed: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("prompt_strict", "prompt_loose", "instruction_strict", "instruction_loose"), 0
        )
    )

    def add(self, rules: Sequence[AppRule] | Sequence[PublishedRule], text: str) -> None:
        """Count one prompt; one without instructions is followed."""
        self.prompts += 1
        self.instructions += len(rules)
        for strictness in ("strict", "loose"):
            results = [getattr(rule, strictness)(text) for rule in rules]
            self.followed[f"instruction_{strictness}"] += sum(results)
            self.followed[f"prompt_{strictness}"] += all(results)

    def shares(self) -> dict[str, float]:
        """The four accuracies; 0 without prompts or instructions."""
        totals = {"prompt": self.prompts, "instruction": self.instructions}
        return {name: count / max(1, totals[name.split("_")[0]]) for name, count in self.followed.items()}


class InstructionAccuracy:
    """The mean of four accuracies, as the reference app reports it.

    Raises:
        DataError: The data set has no instructions; raised here, before the first inference.
        UsageError: An instruction asks for a language, and no detector is installed.
    """

    def __init__(self, dataset: Dataset, language: Language, options: InstructionOptions) -> None:
        self._language = language

        @cache
        def detector() -> tuple[Detector, str]:
            return app_detector(options.language_detector)

        truths = [_truth(dataset.truth(index)) for index in range(len(dataset))]
        known = [[each for each in truth.instructions if each.known] for truth in truths]
        self._rules = [[app_rule(each, lambda: detector()[0]) for each in found] for found in known]
        published = published_detector()
        rules = [[published_rule(each, published) for each in found] for found in known]
        self._published = [
            judged if len(judged := [each for each in found if each is not None]) == len(found) else None
            for found in rules
        ]
        self._left_out = sum(len(truth.instructions) for truth in truths) - sum(map(len, known))
        self._cld2 = detector()[1] == "cld2" if any(e.kind == "response_language" for k in known for e in k) else None
        self._app, self._other = _Tally(), _Tally()

    def update(self, index: int, response: bytes) -> None:
        text = self._language.text(response, index)
        self._app.add(self._rules[index], text)
        if (published := self._published[index]) is not None:
            self._other.add(published, text)

    def score(self) -> Score:
        """Details, of which the value is the mean: the four accuracies by the reference app's rules.

        ``published_…``: the same by the published rules, over the ``published_prompts`` whose instructions can all be
        judged; ``left_out``: instructions of unknown kinds; ``cld2``: whether CLD2 detected languages, where that
        matters.
        """
        shares = self._app.shares()
        details: dict[str, float] = {**shares, "instructions": self._app.instructions, "left_out": self._left_out}
        if self._other.prompts:
            details |= {f"published_{name}": share for name, share in self._other.shares().items()}
        details["published_prompts"] = self._other.prompts
        if self._cld2 is not None:
            details["cld2"] = float(self._cld2)
        return Score("IFEval accuracy", sum(shares.values()) / len(shares), self._app.prompts, details)


def _truth(truth: object) -> Instructions:
    if not isinstance(truth, Instructions):
        reason = f"a sample has the truth {truth!r:.40}, not instructions"
        raise DataError("label", reason, "choose a data set that fits the task, with --dataset")
    return truth
