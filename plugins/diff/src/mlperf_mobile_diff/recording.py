"""The tensors, answers and responses of a few samples on one backend, as files in a folder.

``recording.json`` describes them; every tensor's samples lie one after another in a file of its own, as C-ordered
little-endian arrays. The recorder that wrote them ran a vendor's code, so sizes are checked before they are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import BackendError, OutputError

Array = npt.NDArray[Any]
FILE, REQUEST, ANSWERS = "recording.json", "request.json", "answers.bin"
MOST_BYTES = 8 << 30
"""Of all tensors of one side."""
MOST_TRACED = 20_000
_SHORT = Annotated[str, Field(max_length=1000)]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RecordRequest(_Data):
    """What the recorder is asked for; it lies in its folder."""

    indices: tuple[int, ...]
    """The samples, by their index in the data set; empty for ``count`` of them, evenly spread."""
    count: int
    trace: bool
    """Whether to record the tensors inside the model for the first sample."""


class TensorFacts(_Data):
    """A tensor spec as JSON data."""

    name: _SHORT
    shape: tuple[Annotated[int, Field(ge=0)], ...] = Field(max_length=16)
    dtype: str = Field(max_length=40)
    scale: float = 0.0
    zero_point: int = 0
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0

    @classmethod
    def of(cls, spec: TensorSpec) -> Self:
        return cls(
            name=spec.name[:1000], shape=spec.shape, dtype=spec.dtype.str, scale=spec.scale, zero_point=spec.zero_point,
            scales=spec.scales, zero_points=spec.zero_points, axis=spec.axis,
        )  # fmt: skip

    @property
    def spec(self) -> TensorSpec:
        dtype = np.dtype(self.dtype)
        if dtype.kind not in "biufc":
            raise ValueError(f"{dtype} is no type of numbers")
        return TensorSpec(dtype=dtype, **self.model_dump(exclude={"dtype"}))

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.float64)) * np.dtype(self.dtype).itemsize


class RecordingFacts(_Data):
    """The content of ``recording.json``."""

    indices: tuple[int, ...]
    samples: int
    """In the data set."""
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    responses: tuple[int, ...]
    """The length of each response, in the order of ``indices``."""
    answers: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """How many tokens a language model generated for each; empty for other models."""
    traced: tuple[TensorFacts, ...] = Field(default=(), max_length=MOST_TRACED)
    trace_problem: str = Field(default="", max_length=2000)
    """Why there are no tensors from inside the model."""
    report: dict[str, Any] = Field(default_factory=dict)
    """What the backend's session reports about its runs, such as a profile."""


class Writer:
    """Writes a recording, sample by sample.

    Args:
        folder: An existing folder.
        inputs: The session's inputs.
        outputs: Its outputs.
        count: How many samples will be added.

    Raises:
        OutputError: ``diff-too-large``: the tensors would take more than :data:`MOST_BYTES`.
    """

    def __init__(self, folder: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], count: int) -> None:
        self._folder = folder
        self._specs = {"input": tuple(map(TensorFacts.of, inputs)), "output": tuple(map(TensorFacts.of, outputs))}
        total = count * sum(facts.nbytes for specs in self._specs.values() for facts in specs)
        if total > MOST_BYTES:
            summary = (
                f"{count} samples need {total / 1e9:.1f} GB for their tensors, more than {MOST_BYTES / 1e9:.1f} GB"
            )
            raise OutputError("diff-too-large", summary, "lower --samples")
        self._indices: list[int] = []
        self._responses: list[int] = []
        self._answers: list[int] = []
        self._traced: list[TensorFacts] = []

    def add(
        self,
        index: int,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        response: bytes,
        answer: Array | None = None,
    ) -> None:
        """Add one sample; of a language model with the ids of its answer, int32[n]."""
        for kind, tensors in (("input", inputs), ("output", outputs)):
            for number, tensor in enumerate(tensors):
                with (self._folder / f"{kind}-{number}.bin").open("ab") as file:
                    file.write(np.ascontiguousarray(tensor).tobytes())
        with (self._folder / "responses.bin").open("ab") as file:
            file.write(response)
        if answer is not None:
            with (self._folder / ANSWERS).open("ab") as file:
                file.write(answer.astype("<i4", copy=False).tobytes())
            self._answers.append(answer.size)
        self._indices.append(index)
        self._responses.append(len(response))

    def trace(self, spec: TensorSpec, tensor: Array) -> None:
        """Add a tensor from inside the model."""
        if len(self._traced) >= MOST_TRACED:
            raise BackendError("diff-too-large", f"the model has more than {MOST_TRACED} tensors", "omit --trace")
        (self._folder / f"traced-{len(self._traced)}.bin").write_bytes(np.ascontiguousarray(tensor).tobytes())
        self._traced.append(TensorFacts.of(spec))

    def close(self, samples: int, report: dict[str, Any], trace_problem: str) -> None:
        """Write ``recording.json``."""
        facts = RecordingFacts(
            indices=tuple(self._indices), samples=samples, inputs=self._specs["input"], outputs=self._specs["output"],
            responses=tuple(self._responses), answers=tuple(self._answers), traced=tuple(self._traced),
            trace_problem=trace_problem[:2000], report=report,
        )  # fmt: skip
        (self._folder / FILE).write_text(facts.model_dump_json())


class Recording:
    """A recording in a folder.

    Raises:
        BackendError: ``recording-damaged``: the files do not match their description.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self.facts = RecordingFacts.model_validate_json((folder / FILE).read_bytes())
            self.inputs = tuple(facts.spec for facts in self.facts.inputs)
            self.outputs = tuple(facts.spec for facts in self.facts.outputs)
            self.traced = tuple(facts.spec for facts in self.facts.traced)
            count = len(self.facts.indices)
            for kind, specs in (("input", self.facts.inputs), ("output", self.facts.outputs)):
                for number, facts in enumerate(specs):
                    self._check(f"{kind}-{number}.bin", facts.nbytes * count)
            for number, facts in enumerate(self.facts.traced):
                self._check(f"traced-{number}.bin", facts.nbytes)
            *self._starts, end = accumulate(self.facts.responses, initial=0)
            self._check("responses.bin", end)
            self._answer_starts = tuple(accumulate(self.facts.answers, initial=0))
            if self.facts.answers:
                if len(self.facts.answers) != count:
                    raise ValueError(f"{len(self.facts.answers)} answers for {count} samples")
                self._check(ANSWERS, 4 * self._answer_starts[-1])
        except (OSError, ValidationError, TypeError, ValueError) as error:
            summary = f"the recording in {folder} is damaged: {str(error).splitlines()[0][:200]}"
            raise BackendError("recording-damaged", summary, "the backend wrote into its run's folder") from error

    def _check(self, name: str, size: int) -> None:
        if (found := (self._folder / name).stat().st_size) != size:
            raise ValueError(f"{name} has {found} bytes, not {size}")

    def tensor(self, kind: str, number: int, position: int) -> Array:
        """One sample's tensor: ``kind`` is ``"input"`` or ``"output"``, ``position`` counts in ``facts.indices``."""
        facts = (self.facts.inputs if kind == "input" else self.facts.outputs)[number]
        with (self._folder / f"{kind}-{number}.bin").open("rb") as file:
            file.seek(position * facts.nbytes)
            return _read(file, facts)

    def traced_tensor(self, number: int) -> Array:
        """A tensor from inside the model, of the first sample."""
        with (self._folder / f"traced-{number}.bin").open("rb") as file:
            return _read(file, self.facts.traced[number])

    def answer(self, position: int) -> list[int]:
        """The ids that a language model generated for one sample."""
        with (self._folder / ANSWERS).open("rb") as file:
            file.seek(4 * self._answer_starts[position])
            return list(np.frombuffer(file.read(4 * self.facts.answers[position]), "<i4").tolist())

    def response(self, position: int) -> bytes:
        with (self._folder / "responses.bin").open("rb") as file:
            file.seek(self._starts[position])
            return file.read(self.facts.responses[position])


def _read(file: BinaryIO, facts: TensorFacts) -> Array:
    return np.frombuffer(file.read(facts.nbytes), np.dtype(facts.dtype)).reshape(facts.shape)


def spread(count: int, samples: int) -> tuple[int, ...]:
    """``count`` different sample indices, evenly spread over a data set."""
    count = min(count, samples)
    return tuple(number * samples // count for number in range(count))
