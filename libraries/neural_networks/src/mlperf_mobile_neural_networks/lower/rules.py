"""The registry of lowering rules: one function for each kind of operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from mlperf_mobile_neural_networks.lower.op import Op

Rule: TypeAlias = Callable[[Op], None]

RULES: dict[str, Rule] = {}
"""By the operator's name in the .tflite file; a rule raises ``Refused`` where the API cannot say the same."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for the operators ``names``."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register
