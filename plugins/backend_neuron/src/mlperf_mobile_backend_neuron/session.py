"""A loaded network; everything that can be prepared is kept out of the timed path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NoReturn, Self

import numpy as np
import numpy.typing as npt

from mlperf_mobile.backend_checks import closed, misfit
from mlperf_mobile.contracts import Placement, Tensors, TensorSpec
from mlperf_mobile_backend_neuron.compiled import Manifest

Array = npt.NDArray[Any]


class NeuronSession:
    """Copies a sample into the network's inputs, computes, and returns its outputs.

    Args:
        compiled: What is known about the network.
        slots: Its inputs: arrays with the model's shapes and types, in the model's order.
        results: Its outputs, likewise; overwritten by each run.
        compute: Runs the network; raises if it fails.
        held: Resources to close with the session.
    """

    run: Callable[[Tensors], Tensors]
    """See :meth:`mlperf_mobile.contracts.Session.run`; a closure, because that costs less than a method."""

    def __init__(
        self,
        compiled: Manifest,
        slots: Sequence[Array],
        results: Sequence[Array],
        compute: Callable[[], None],
        held: ExitStack,
    ) -> None:
        self._name, self._placement, self._held = compiled.model, compiled.placement, held
        self.inputs, self.outputs = (
            tuple(tensor.spec for tensor in side) for side in (compiled.inputs, compiled.outputs)
        )
        self.run = self._runner(list(slots), tuple(results), compute)

    def placement(self) -> Placement:
        """Where each operation runs, as the compiler reported."""
        return self._placement

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.run = self._closed
        self._held.close()

    def _runner(
        self, slots: list[Array], results: tuple[Array, ...], compute: Callable[[], None]
    ) -> Callable[[Tensors], Tensors]:
        """Shape and type are compared because an assignment would convert and broadcast other arrays."""
        feeds = [(slot, spec.shape, spec.dtype) for slot, spec in zip(slots, self.inputs, strict=True)]
        specs, name = self.inputs, self._name

        def run(inputs: Tensors) -> Tensors:
            try:
                for (slot, shape, dtype), tensor in zip(feeds, inputs, strict=True):
                    if tensor.shape != shape or tensor.dtype != dtype:
                        raise ValueError
                    slot[...] = tensor
            except (AttributeError, TypeError, ValueError) as error:
                if wrong := misfit(inputs, specs, name):
                    raise wrong from error
                raise
            compute()
            return results

        return run

    def _closed(self, _: Tensors) -> NoReturn:
        raise closed(self._name)


def size(spec: TensorSpec) -> int:
    """Bytes of a tensor."""
    return spec.dtype.itemsize * int(np.prod(spec.shape, dtype=np.int64))
