"""A session that checks its samples and its end itself, so that a backend adds only the inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from mlperf_mobile.backend_checks import batch_misfit, closed, misfit
from mlperf_mobile.contracts import Placement, Tensors, TensorSpec

__all__ = ["CheckedSession"]


class CheckedSession:
    """Base of a backend's sessions; a subclass defines :meth:`infer` and :meth:`placement`, and may define ``close``.

    Each call checks the shapes and types of its samples, which takes a few microseconds within the timed region.

    Args:
        model: The model's name, for errors.
        inputs: Specs of one sample.
        outputs: Specs of one sample.
        batch: Samples per call at most.
    """

    def __init__(self, model: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], batch: int = 1) -> None:
        self.inputs, self.outputs, self.batch = tuple(inputs), tuple(outputs), batch
        self._model, self._closed = model, False

    def infer(self, samples: Sequence[Tensors]) -> Sequence[Tensors]:
        """The outputs of one to ``batch`` samples, which match ``inputs``; in the timed region."""
        raise NotImplementedError

    def placement(self) -> Placement:
        """Where each operation runs, read from the loaded model."""
        raise NotImplementedError

    def close(self) -> None:
        """Free what the session holds; called once."""

    def run(self, inputs: Tensors) -> Tensors:
        """Infer one sample.

        Raises:
            BackendError: ``input-mismatch`` or ``session-closed``.
        """
        if self._closed:
            raise closed(self._model)
        if wrong := misfit(inputs, self.inputs, self._model):
            raise wrong
        return self.infer((inputs,))[0]

    def run_batch(self, samples: Sequence[Tensors]) -> Sequence[Tensors]:
        """Infer one to ``batch`` samples.

        Raises:
            BackendError: ``input-mismatch``, ``batch-size`` or ``session-closed``.
        """
        if self._closed:
            raise closed(self._model)
        if not 1 <= len(samples) <= self.batch:
            raise batch_misfit(len(samples), self.batch, self._model)
        for sample in samples:
            if wrong := misfit(sample, self.inputs, self._model):
                raise wrong
        return self.infer(samples)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._closed:
            self._closed = True
            self.close()
