"""Checks what a plugin's methods return as a run does: a wrong type fails the test with the words of ``plugin-broken``.

It is a failure of pytest, not the error of a run, because a test may expect an error of the method itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

from mlperf_mobile.backend_checks import wrong_outputs
from mlperf_mobile.contracts import Artifact, Backend, BatchSession, CompileRequest, Probe, Session, Tensors
from mlperf_mobile.errors import BackendError
from mlperf_mobile.options import complete, shown
from mlperf_mobile.worker import returned

T = TypeVar("T")


def checked(check: Callable[..., T], *given: Any) -> T:
    """What a check of :mod:`mlperf_mobile.worker.returned` returns; fails the test where it raises."""
    try:
        return check(*given)
    except BackendError as error:
        pytest.fail(error.summary, pytrace=False)


class CheckedBackend:
    """A backend whose probe, artifacts and sessions are checked.

    Args:
        name: The backend's name.
        backend: The backend.
    """

    def __init__(self, name: str, backend: Backend) -> None:
        self._name, self._backend = name, checked(complete, "backend", name, backend)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._backend, attribute)

    def probe(self) -> Probe:
        """Probe the backend."""
        return checked(returned.probe, self._name, self._backend.probe())

    def compile(self, request: CompileRequest) -> Artifact:
        """Compile a model; whether there is one may show as late as when it is loaded."""
        value = self._backend.compile(request)
        artifact: Artifact = checked(returned.returned, "backend", self._name, "compile", value, Artifact)
        return artifact

    def load(self, artifact: Artifact) -> Session:
        """Load a model."""
        return checked(returned.session, self._name, self._backend.load(artifact))


def run(session: Session, inputs: Tensors) -> Tensors:
    """The outputs of one run, if they are a tuple."""
    outputs = session.run(inputs)
    if not isinstance(outputs, (tuple, list)):
        pytest.fail(wrong_outputs(outputs, session.outputs), pytrace=False)
    return outputs


def run_batch(session: BatchSession, samples: Sequence[Tensors]) -> Sequence[Tensors]:
    """The outputs of one run of a batch, if they are a list."""
    found = session.run_batch(samples)
    if not isinstance(found, (tuple, list)):
        pytest.fail(
            f"run_batch() returned {shown(found)}, a list with each sample's outputs was expected", pytrace=False
        )
    return found
