"""Untimed checks of a session's outputs: they match its specs, are reproducible, and depend on the sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mlperf_mobile.backend_checks import outputs_apart, wrong_outputs
from mlperf_mobile.contracts import AnsweredCall, Codec, InfiniteOutputs, Tensors, TensorSpec, VaryingSession
from mlperf_mobile.errors import BackendError
from mlperf_mobile.worker.system import System, response_of

OTHER_SLOT = 1e-2
"""Relative tolerance between places in a batch, which may use different kernels, in half precision."""
MOST_VARIATION = 0.1
LEAST_SAMPLES = 4
"""With fewer samples, the same outputs for all of them are no sign of a defect."""
SHOWN = 16
"""Bytes of a response shown in an error."""

_HINT = "this is a defect of the backend; report it to its vendor. The conformance kit reproduces it"


def declared_variation(session: object, backend: str) -> float:
    """The variation that a session of a backend declares; 0 without one.

    Raises:
        BackendError: It is not a number from 0 to 0.1.
    """
    declared: object = session.variation if isinstance(session, VaryingSession) else 0.0
    if not isinstance(declared, (int, float)) or not 0.0 <= declared <= MOST_VARIATION:
        summary = f"backend {backend} declares a variation of {declared!r}; it must be 0 to {MOST_VARIATION}"
        raise BackendError("plugin-broken", summary, "report it to the backend's vendor")
    return float(declared)


class Checks:
    """Checks of the sessions of one system; nothing here is timed.

    Args:
        system: The system under test; its sessions are idle, and the samples to check are loaded.
        backend: The backend's name.
        accelerators: The accelerator of each session.
    """

    def __init__(self, system: System, backend: str, accelerators: Sequence[str]) -> None:
        self._system, self._backend, self._accelerators = system, backend, accelerators
        self.variation = max(self._variation(session) for session in range(system.sessions))
        self.compared = 0
        """Responses of the timed run that were reproduced."""
        self.warnings: list[str] = []
        """Sessions whose outputs do not depend on the sample."""

    def first(self, session: int, samples: Sequence[int]) -> None:
        """Check that the outputs of a session's first call match its specs, and that the task makes bytes of them."""
        for outputs in self._call(session, self._batch(samples), "at the first call"):
            self._system.decode(outputs)

    def repeat(self, session: int, samples: Sequence[int], when: str) -> dict[int, Tensors]:
        """Check that a sample's outputs do not depend on earlier inferences or on its place in the batch.

        In the order of calls, each sample follows another one and itself, in an odd and in an even call.

        Returns:
            The outputs of the samples that were used.
        """
        if self._system.batch == 1:
            calls = [[samples[0]], [samples[-1]], [samples[-1]], [samples[0]]]
        else:
            batch = self._batch(samples)
            calls = [batch, batch[::-1], batch[:1], batch]
        found = self._agree(session, calls, when)
        return {
            index: outputs
            for indices, given in zip(calls, found, strict=True)
            for index, outputs in zip(indices, given, strict=True)
        }

    def vary(self, session: int, samples: Sequence[int], known: Mapping[int, Tensors]) -> None:
        """Warn of a session whose outputs are the same for all samples, as if it computed nothing.

        It is no error: a small quantised model may give the same outputs for samples that resemble each other.

        Args:
            session: The session's number.
            samples: Loaded samples; further ones are used only while the outputs are the same.
            known: The outputs of some of them.
        """
        if len(samples) < LEAST_SAMPLES or not self._system.distinct(samples):
            return
        one = next(iter(known.values()))
        for index in [*known, *(index for index in samples if index not in known)]:
            other = known[index] if index in known else self._call(session, [index], "at the end of the warm-up")[0]
            if not all(np.array_equal(here, there) for here, there in zip(one, other, strict=True)):
                return
        self.warnings.append(
            f"backend {self._backend}: the outputs are the same for {len(samples)} different samples "
            f"({self._where(session)}); measure the accuracy to see whether it computes the model"
        )

    def again(self, answered: Sequence[AnsweredCall]) -> None:
        """Repeat calls of the timed run, the last one first; the responses must be the same."""
        for session in sorted({each.session for each in answered}):
            mine = [each for each in answered if each.session == session]
            given = [(each.indices, each.responses) for each in (*reversed(mine), *mine)]
            outputs = self._agree(session, [indices for indices, _ in given], "after the timed run")
            for (indices, responses), found in zip(given, outputs, strict=True):
                for index, timed, tensors in zip(indices, responses, found, strict=True):
                    self._same(session, index, timed, self._system.decode(tensors))
            self.compared += sum(len(each.indices) for each in mine)

    def _same(self, session: int, index: int, timed: bytes, now: bytes) -> None:
        """Require equal bits; for a backend that declares a variation, only equal lengths."""
        if now == timed or (self._variation(session) and len(now) == len(timed)):
            return
        self._system.check_sample(index)
        what = f"the response to sample {index} is {_shown(now)}, but was {_shown(timed)} in the timed run"
        raise self._error("outputs-changed", session, what, "after it")

    def _agree(self, session: int, calls: Sequence[Sequence[int]], when: str) -> list[list[Tensors]]:
        """The outputs of each call; those of the same sample must agree."""
        specs, variation = self._system.specs, self._variation(session)
        seen: dict[int, dict[int, Tensors]] = {}
        found = []
        for indices in calls:
            found.append(self._call(session, indices, when))
            for slot, (index, outputs) in enumerate(zip(indices, found[-1], strict=True)):
                for place, before in seen.setdefault(index, {}).items():
                    limit = variation if place == slot else max(variation, OTHER_SLOT)
                    if apart := outputs_apart(before, outputs, specs, limit):
                        what = f"the outputs for sample {index} differ between calls: {apart}"
                        raise self._error("outputs-changed", session, what, when)
                seen[index].setdefault(slot, outputs)
        return found

    def _call(self, session: int, indices: Sequence[int], when: str) -> list[Tensors]:
        """Copies of the outputs of one call, checked."""
        infinite, found, size = takes_infinity(self._system.codec), list[Tensors](), self._system.batch
        for piece in (indices[start : start + size] for start in range(0, len(indices), size)):
            answers = self._system.infer(piece, session)
            if not isinstance(answers, (tuple, list)) or len(answers) != len(piece):
                counted = len(answers) if isinstance(answers, (tuple, list)) else type(answers).__name__
                returned = "None" if answers is None else counted
                what = f"run_batch() returned {returned} for a batch of {len(piece)} samples, not one output per sample"
                raise self._error("wrong-outputs", session, what, when)
            for outputs in answers:
                if wrong := wrong_outputs(outputs, self._system.specs, infinite=infinite):
                    for index in piece:
                        self._system.check_sample(index)
                    raise self._error("wrong-outputs", session, wrong, when)
                found.append(tuple(np.array(tensor) for tensor in outputs))
            answers = outputs = None  # they may be views, which must be gone before the next call
        return found

    def _batch(self, samples: Sequence[int]) -> list[int]:
        batch = self._system.batch
        return (list(samples) * math.ceil(batch / len(samples)))[:batch]

    def _variation(self, session: int) -> float:
        return declared_variation(self._system.session(session), self._backend)

    def _error(self, code: str, session: int, what: str, when: str) -> BackendError:
        return BackendError(code, f"backend {self._backend}: {what} ({self._where(session)}, {when})", _HINT)

    def _where(self, session: int) -> str:
        return f"session {session + 1} of {self._system.sessions} on {self._accelerators[session]}"


def checking(codec: Codec, specs: Sequence[TensorSpec], backend: str) -> Callable[[Tensors], bytes]:
    """The codec's ``decode`` preceded by a check of the outputs, for untimed runs."""
    infinite, decode = takes_infinity(codec), codec.decode

    def checked(outputs: Tensors) -> bytes:
        if wrong := wrong_outputs(outputs, specs, infinite=infinite):
            raise BackendError("wrong-outputs", f"backend {backend}: {wrong} (in the accuracy run)", _HINT)
        return response_of(decode(outputs))

    return checked


def takes_infinity(codec: object) -> bool:
    """Whether the task allows infinite outputs."""
    return isinstance(codec, InfiniteOutputs) and bool(codec.takes_infinity)


def _shown(response: bytes) -> str:
    more = "..." if len(response) > SHOWN else ""
    return f"{len(response)} bytes {response[:SHOWN].hex()}{more}"
