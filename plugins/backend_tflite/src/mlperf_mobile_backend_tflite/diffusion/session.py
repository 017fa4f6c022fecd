"""A pipeline as one session: ids in, an image out; three interpreters, and the time that each takes."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean, median
from time import perf_counter_ns
from typing import Any

import numpy as np

from mlperf_mobile.contracts import Placement, ReportingSession, Session, SteppingSession, Tensors, TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile.sessions import CheckedSession
from mlperf_mobile_backend_tflite.diffusion.ddim import Floats, guided, kept_shares, schedule
from mlperf_mobile_backend_tflite.diffusion.description import Pipeline

PARTS = ("text_encoder", "denoiser", "decoder")
_HINT = "use parts that were made for each other"


class DiffusionSession(CheckedSession):
    """Text to image: the text and the empty text are encoded, the noise is denoised step by step, and decoded.

    Args:
        name: The model's name.
        pipeline: The pipeline.
        parts: The sessions of its parts, by the names in :data:`PARTS`; this session closes them.

    Raises:
        ModelError: ``pipeline-parts``: the parts do not fit together.
    """

    def __init__(self, name: str, pipeline: Pipeline, parts: Mapping[str, Session]) -> None:
        self._pipeline, self._parts = pipeline, dict(parts)
        self._ids, self._context = _text_encoder(name, pipeline, parts["text_encoder"])
        self._feeds = _denoiser(name, pipeline, parts["denoiser"], self._context)
        image = _decoder(name, pipeline, parts["decoder"])
        super().__init__(name, (self._ids,), (image,))
        about = pipeline.about
        self._schedule = schedule(pipeline.steps, kept_shares(*about.betas, about.training_steps))
        self._embeddings = [row[None] for row in pipeline.embeddings]
        self._guidance = np.float32(about.guidance)
        self._empty = np.full(self._ids.shape, about.unconditional[-1], np.int32)
        known = about.unconditional[: self._empty.size]
        self._empty[0, : len(known)] = known
        self._positions = np.arange(self._empty.size, dtype=np.int32).reshape(self._ids.shape)
        self.steps = 0
        """See :class:`mlperf_mobile.contracts.SteppingSession`."""
        self._times = {part: array("q") for part in PARTS}

    def infer(self, samples: Sequence[Tensors]) -> Sequence[Tensors]:
        """See :meth:`mlperf_mobile.sessions.CheckedSession.infer`."""
        return [self._image(ids) for (ids,) in samples]

    def _image(self, ids: Any) -> Tensors:
        started = perf_counter_ns()
        conditional, unconditional = self._encoded(ids), self._encoded(self._empty)
        encoded = perf_counter_ns()
        latent = self._denoised(conditional, unconditional)
        denoised = perf_counter_ns()
        image = _copied(self._parts["decoder"], (latent,))
        for part, ns in zip(PARTS, (encoded - started, denoised - encoded, perf_counter_ns() - denoised), strict=True):
            self._times[part].append(ns)
        return (image,)

    def _encoded(self, ids: Any) -> Floats:
        place = self._pipeline.about.positions
        feeds = (ids,) if place is None else (self._positions, ids) if place == 0 else (ids, self._positions)
        context: Floats = _copied(self._parts["text_encoder"], feeds)
        return context

    def _denoised(self, conditional: Floats, unconditional: Floats) -> Floats:
        denoiser, latent = self._parts["denoiser"], self._pipeline.noise
        for step, time in zip(self._schedule, self._embeddings, strict=True):
            without, using = (
                _copied(denoiser, self._feeds(latent, context, time)) for context in (unconditional, conditional)
            )
            latent = step.apply(latent, guided(without, using, self._guidance))
            self.steps += 1
        return latent

    def placement(self) -> Placement:
        """The operations of all parts together; a denoiser's operation counts once, although it runs in every step."""
        found = [part.placement() for part in self._parts.values()]
        return Placement(
            operations=_summed(each.operations for each in found),
            kernels=_summed(each.kernels for each in found),
            names={
                where: _summed(each.names.get(where, {}) for each in found)
                for where in dict.fromkeys(where for each in found for where in each.names)
            },
        )

    def report(self) -> Mapping[str, Any]:
        """Milliseconds of each part for one image, with the warm-up's; the calls; and where all images begin."""
        about, steps = self._pipeline.about, len(self._pipeline.steps)
        times = {
            part: {"median_ms": round(median(ns) / 1e6, 6), "mean_ms": round(fmean(ns) / 1e6, 6), "calls": calls}
            for (part, ns), calls in zip(self._times.items(), (2, 2 * steps, 1), strict=True)
            if ns
        }
        return {
            "images": len(self._times["decoder"]), "parts": times, "steps": steps, "guidance": about.guidance,
            "noise_sha256": self._pipeline.noise_sha256,
        }  # fmt: skip

    def close(self) -> None:
        """Close the parts."""
        for part in self._parts.values():
            part.__exit__(None, None, None)


def _copied(session: Session, feeds: Tensors) -> Any:
    """The only output of a run; no view of the runtime's memory is left, which the next run refuses."""
    return np.array(session.run(feeds)[0])


def _text_encoder(name: str, pipeline: Pipeline, part: Session) -> tuple[TensorSpec, TensorSpec]:
    """The specs of the ids, and of the context."""
    place, inputs = pipeline.about.positions, part.inputs
    count = 1 if place is None else 2
    right = len(inputs) == count and all(
        spec.dtype == np.int32 and len(spec.shape) == 2 and spec.shape == inputs[0].shape for spec in inputs
    )
    if not right or inputs[0].shape[0] != 1:
        raise _misfit(name, "text_encoder", f"takes {_text(inputs)}, not {count} of int32[1,n]")
    ids = inputs[0 if place is None else 1 - place]
    return ids, _only_float(name, "text_encoder", part)


def _denoiser(
    name: str, pipeline: Pipeline, part: Session, context: TensorSpec
) -> Callable[[Floats, Floats, Floats], Tensors]:
    """What puts latent, context and time embedding in the order of the denoiser's inputs, known by their shapes."""
    needed = [pipeline.noise.shape, context.shape, (1, pipeline.embeddings.shape[1])]
    shapes = [spec.shape for spec in part.inputs]
    floats = all(spec.dtype == np.float32 for spec in part.inputs)
    if not floats or sorted(shapes) != sorted(needed) or len(set(needed)) != len(needed):
        expected = ", ".join(f"float32[{','.join(map(str, shape))}]" for shape in needed)
        raise _misfit(name, "denoiser", f"takes {_text(part.inputs)}; latent, context and time are {expected}")
    if (out := _only_float(name, "denoiser", part)).shape != pipeline.noise.shape:
        raise _misfit(name, "denoiser", f"gives {out}, but the noise is {list(pipeline.noise.shape)}")
    first, second, third = (needed.index(shape) for shape in shapes)

    def ordered(*given: Floats) -> Tensors:
        return given[first], given[second], given[third]

    return ordered


def _decoder(name: str, pipeline: Pipeline, part: Session) -> TensorSpec:
    """The spec of the image."""
    inputs, shape = part.inputs, pipeline.noise.shape
    if len(inputs) != 1 or inputs[0].shape != shape or inputs[0].dtype != np.float32:
        raise _misfit(name, "decoder", f"takes {_text(inputs)}, but the latent is float32{list(shape)}")
    return _only_float(name, "decoder", part)


def _only_float(name: str, part: str, session: Session) -> TensorSpec:
    if len(session.outputs) != 1 or session.outputs[0].dtype != np.float32:
        raise _misfit(name, part, f"gives {_text(session.outputs)}, not one tensor of float32")
    return session.outputs[0]


def _misfit(name: str, part: str, why: str) -> ModelError:
    return ModelError("pipeline-parts", f"{name}: its {part} {why}", _HINT)


def _text(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(map(str, specs)) or "nothing"


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            found[name] = found.get(name, 0) + count
    return found


def _conforms(session: DiffusionSession) -> tuple[SteppingSession, ReportingSession]:
    """Lets the type checker compare the class with the contracts."""
    return session, session
