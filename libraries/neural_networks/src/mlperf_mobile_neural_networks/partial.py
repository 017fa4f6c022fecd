"""A session of a model in parts, some on the device and some on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, Self

from mlperf_mobile.backend_checks import closed, misfit
from mlperf_mobile.contracts import Placement, Tensors, TensorSpec


class Part(Protocol):
    """What runs one part."""

    run: Callable[[Tensors], Tensors]


@dataclass(frozen=True, slots=True)
class Step:
    """One part, with the tensors of the model that enter and leave it."""

    part: Part
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class PartialSession:
    """Obeys :class:`mlperf_mobile.contracts.ReportingSession`.

    Args:
        steps: In the order of running.
        inputs: The model's input tensors, and what they are.
        outputs: The model's output tensors, and what they are.
        placement: Where its operations run.
        held: What to close with the session, the parts too.
        name: The model's, for messages.
    """

    run: Callable[[Tensors], Tensors]
    """See :meth:`mlperf_mobile.contracts.Session.run`."""

    def __init__(
        self,
        steps: Sequence[Step],
        inputs: Sequence[tuple[int, TensorSpec]],
        outputs: Sequence[tuple[int, TensorSpec]],
        placement: Placement,
        held: ExitStack,
        name: str,
    ) -> None:
        self.inputs, self.outputs = tuple(spec for _, spec in inputs), tuple(spec for _, spec in outputs)
        self._steps, self._placement, self._held, self._name = steps, placement, held, name
        self.run = self._runner([index for index, _ in inputs], [index for index, _ in outputs])

    def placement(self) -> Placement:
        """Where each operator of the model runs, from the driver's own answer."""
        return self._placement

    def report(self) -> Mapping[str, Any]:
        """What each part on the device reports, in the order of running."""
        return {"parts": [step.part.report() for step in self._steps if hasattr(step.part, "report")]}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.run = self._closed
        self._held.close()

    def _runner(self, entering: Sequence[int], leaving: Sequence[int]) -> Callable[[Tensors], Tensors]:
        steps = [(step.part.run, step.inputs, step.outputs) for step in self._steps]
        specs, name = self.inputs, self._name
        expected = [(spec.shape, spec.dtype) for spec in specs]

        def run(inputs: Tensors) -> Tensors:
            try:
                if [(tensor.shape, tensor.dtype) for tensor in inputs] != expected:
                    raise ValueError
            except (AttributeError, TypeError, ValueError) as error:
                if wrong := misfit(inputs, specs, name):
                    raise wrong from error
                raise
            tensors = dict(zip(entering, inputs, strict=True))
            for part, inside, outside in steps:
                tensors.update(zip(outside, part(tuple([tensors[index] for index in inside])), strict=True))
            return tuple([tensors[index] for index in leaving])

        return run

    def _closed(self, _: Tensors) -> NoReturn:
        raise closed(self._name)
