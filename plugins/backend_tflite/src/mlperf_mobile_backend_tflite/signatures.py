"""The signatures of a language model, as the reference app has them: ``prefill_N`` for several N, and ``decode``.

Inputs are ``tokens`` int32[1, N], ``input_pos`` int32[N], and for each layer ``kv_cache_k_i`` and ``kv_cache_v_i``
float32[1, context, groups, head]; outputs are the same caches, and the ``logits`` of ``decode``, float32[1, 1,
vocabulary] (mobile_app_open, mobile_back_tflite/cpp/backend_tflite/llm_pipeline.cc).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlperf_mobile.errors import ModelError

DECODE, PREFILL, CACHE = "decode", "prefill", "kv_cache_"
TOKENS, POSITIONS, LOGITS = "tokens", "input_pos", "logits"

Tensor = tuple[str, tuple[int, ...]]
"""The name of a dtype, and a shape."""
Ends = tuple[Mapping[str, Tensor], Mapping[str, Tensor]]
"""The inputs and the outputs of a signature, by name."""

_HINT = "convert it with the signatures prefill_N and decode of the reference app"


@dataclass(frozen=True, slots=True)
class Signatures:
    """The signatures of one model, checked."""

    context: int
    """The positions of the caches."""
    vocabulary: int
    caches: Mapping[str, tuple[int, ...]]
    """The shape of each cache, by name."""
    prefills: tuple[tuple[int, str], ...]
    """The number of tokens and the name of each signature for prompts, the largest first."""


def checked(found: Mapping[str, Ends], model: str) -> Signatures:
    """Check the signatures of a model.

    Args:
        found: Inputs and outputs of each signature.
        model: The model's name.

    Raises:
        ModelError: ``no-signature``: there is no ``decode``, or one has other tensors; ``cache-layout``: the caches
            have another layout.
    """
    if DECODE not in found:
        names = ", ".join(found) or "none"
        raise ModelError("no-signature", f"{model} has no signature {DECODE}; it has: {names}", _HINT)
    inputs, outputs = found[DECODE]
    caches = {name: tensor for name, tensor in inputs.items() if name.startswith(CACHE)}
    context = _context(caches, model)
    if outputs.get(LOGITS, ("", ()))[0] != "float32" or not outputs[LOGITS][1]:
        raise ModelError("no-signature", f"{model}: signature {DECODE} has no float32 output {LOGITS}", _HINT)
    prefills = []
    for name, ends in found.items():
        if name != DECODE and not name.startswith(PREFILL):
            continue
        _check_ends(name, ends, caches, model)
        size = ends[0][TOKENS][1][1]
        if name != DECODE:
            prefills.append((size, name))
        if size > context or (name == DECODE and size != 1):
            fits = "1" if name == DECODE else f"at most {context}, its context"
            raise ModelError("no-signature", f"{model}: signature {name} takes {size} tokens, not {fits}", _HINT)
    return Signatures(
        context,
        outputs[LOGITS][1][-1],
        {name: shape for name, (_, shape) in caches.items()},
        tuple(sorted(prefills, reverse=True)),
    )


def _context(caches: Mapping[str, Tensor], model: str) -> int:
    """The context, which all caches share."""
    if not caches:
        raise ModelError("no-signature", f"{model}: signature {DECODE} has no inputs {CACHE}k_i and {CACHE}v_i", _HINT)
    for name, (dtype, shape) in caches.items():
        if dtype != "float32" or len(shape) != 4 or shape[0] != 1 or min(shape) < 1:
            raise _layout(name, dtype, shape, model, "")
        if shape[1] < shape[2]:
            raise _layout(name, dtype, shape, model, ", which looks like [1,groups,context,head], LiteRT-LM's layout")
    contexts = {shape[1] for _, shape in caches.values()}
    if len(contexts) > 1:
        sizes = ", ".join(map(str, sorted(contexts)))
        raise ModelError("cache-layout", f"the caches of {model} have different contexts: {sizes}", _HINT)
    return contexts.pop()


def _layout(name: str, dtype: str, shape: tuple[int, ...], model: str, guess: str) -> ModelError:
    found = f"{dtype}[{','.join(map(str, shape))}]"
    summary = f"{name} of {model} is {found}{guess}; float32[1,context,groups,head] is required, the reference app's"
    return ModelError("cache-layout", summary, "convert the model again, or run it with a backend for its layout")


def _check_ends(name: str, ends: Ends, caches: Mapping[str, Tensor], model: str) -> None:
    """Check that a signature has the tokens, the positions and the caches, and nothing else."""
    inputs, outputs = ends
    size = inputs.get(TOKENS, ("", ()))[1][-1:]
    expected = {TOKENS: ("int32", (1, *size)), POSITIONS: ("int32", size), **caches}
    if dict(inputs) != expected:
        wrong = sorted(set(inputs.items()) ^ set(expected.items()))
        detail = ", ".join(dict.fromkeys(f"{key} {dtype}{list(shape)}" for key, (dtype, shape) in wrong))
        summary = f"{model}: signature {name} does not take {TOKENS}, {POSITIONS} and the caches alone: {detail}"
        raise ModelError("no-signature", summary, _HINT)
    returned = {key: tensor for key, tensor in outputs.items() if key.startswith(CACHE)}
    if returned != dict(caches):
        raise ModelError("no-signature", f"{model}: signature {name} does not return the caches that it takes", _HINT)
