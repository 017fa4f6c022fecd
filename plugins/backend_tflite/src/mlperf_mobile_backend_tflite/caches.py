"""Runs the signatures of a language model, and hands the caches from one call to the next.

LiteRT's compiled models share tensor buffers between calls, so no cache is copied; the interpreter, which
tflite-runtime and external delegates need, copies every cache into and out of each call.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TokenIds
from mlperf_mobile_backend_tflite.signatures import (
    CACHE,
    DECODE,
    LOGITS,
    POSITIONS,
    TOKENS,
    Ends,
    Signatures,
    Tensor,
    checked,
)

Logits = npt.NDArray[np.float32]


class Caches(Protocol):
    """A language model with its caches."""

    signatures: Signatures

    def clear(self) -> None:
        """Fill the caches with zeros."""
        ...

    def prefill(self, name: str, tokens: TokenIds, positions: TokenIds) -> None:
        """Run a signature ``prefill_N`` on int32[N] tokens at int32[N] positions."""
        ...

    def decode(self, token: int, position: int) -> Logits:
        """Run ``decode`` on one token; float32[vocabulary], valid until the next call."""
        ...


class SharedCaches:
    """A model compiled by LiteRT for the CPU, whose calls share the buffers of its caches.

    A model that only replaces slices of its caches updates one set of buffers in place, as in the reference app. Any
    other may still read a cache after it has written the new one: its calls read one set of buffers and write the
    other, and the sets change places.

    Args:
        model: The path of the model.
        name: The model's name, for errors.
        threads: Threads of a call.
        xnnpack: Whether LiteRT may use XNNPACK.
        in_place: Whether it only replaces slices of its caches.
    """

    def __init__(self, model: str, name: str, threads: int, *, xnnpack: bool, in_place: bool) -> None:
        """Raises: ModelError: See :func:`mlperf_mobile_backend_tflite.signatures.checked`."""
        litert = import_module("ai_edge_litert.compiled_model")
        kernels = litert.CpuKernelMode.DELEGATE if xnnpack else litert.CpuKernelMode.BUILTIN
        cpu = litert.CpuOptions(num_threads=threads, kernel_mode=kernels)
        options = litert.Options(hardware_accelerators=litert.HardwareAccelerator.CPU, cpu_options=cpu)
        self._model: Any = litert.CompiledModel.from_file(model, options=options)
        named = self._model.get_signature_list()
        described = {key: self._ends(key) for key in named}
        self.signatures = found = checked(described, name)
        sets = [
            {key: self._model.create_input_buffer_by_name(DECODE, key) for key in found.caches}
            for _ in range(1 if in_place else 2)
        ]
        sets = sets * 2 if in_place else sets
        self._sets, self._front = sets, 0
        zeros = {shape: np.zeros(shape, np.float32) for shape in found.caches.values()}
        self._zeros = {key: zeros[shape] for key, shape in found.caches.items()}
        self._feeds: dict[str, tuple[Any, Any, tuple[int, ...]]] = {}
        self._calls: dict[str, tuple[int, tuple[tuple[list[Any], list[Any]], ...]]] = {}
        for key in (DECODE, *(name for _, name in found.prefills)):
            tokens, positions = (self._model.create_input_buffer_by_name(key, end) for end in (TOKENS, POSITIONS))
            others = {
                end: self._model.create_output_buffer_by_name(key, end)
                for end in named[key]["outputs"]
                if not end.startswith(CACHE)
            }
            ways = tuple(
                (
                    [{TOKENS: tokens, POSITIONS: positions, **here}[end] for end in named[key]["inputs"]],
                    [{**others, **there}[end] for end in named[key]["outputs"]],
                )
                for here, there in (sets, sets[::-1])
            )
            self._feeds[key] = tokens, positions, described[key][0][TOKENS][1]
            self._calls[key] = self._model.get_signature_index(key), ways
            if key == DECODE:
                self._logits = others[LOGITS]
        size = np.prod(described[DECODE][1][LOGITS][1])
        self._size, self._vocabulary = int(size), found.vocabulary
        self._token, self._position = np.zeros((1, 1), np.int32), np.zeros(1, np.int32)

    def _ends(self, key: str) -> Ends:
        ends = self._model.get_input_tensor_details(key), self._model.get_output_tensor_details(key)
        return _described(ends[0]), _described(ends[1])

    def clear(self) -> None:
        """See :class:`Caches`; the other set is written before it is read."""
        for key, buffer in self._sets[self._front].items():
            buffer.write(self._zeros[key])

    def prefill(self, name: str, tokens: TokenIds, positions: TokenIds) -> None:
        """See :class:`Caches`."""
        token_buffer, position_buffer, shape = self._feeds[name]
        token_buffer.write(tokens.reshape(shape))
        position_buffer.write(positions)
        index, ways = self._calls[name]
        self._model.run_by_index(index, *ways[self._front])
        self._front ^= 1

    def decode(self, token: int, position: int) -> Logits:
        """See :class:`Caches`."""
        self._token[0, 0], self._position[0] = token, position
        token_buffer, position_buffer, _ = self._feeds[DECODE]
        token_buffer.write(self._token)
        position_buffer.write(self._position)
        index, ways = self._calls[DECODE]
        self._model.run_by_index(index, *ways[self._front])
        self._front ^= 1
        logits: Logits = self._logits.read(self._size, np.float32)
        return logits[-self._vocabulary :]


class CopiedCaches:
    """A model in an interpreter; each call copies the caches twice.

    Args:
        interpreter: With delegates applied.
        name: The model's name, for errors.
    """

    def __init__(self, interpreter: Any, name: str) -> None:
        """Raises: ModelError: See :func:`mlperf_mobile_backend_tflite.signatures.checked`."""
        runners = {key: interpreter.get_signature_runner(key) for key in interpreter.get_signature_list()}
        self.signatures = checked({key: _runner_ends(runner) for key, runner in runners.items()}, name)
        self._runners, self._vocabulary = runners, self.signatures.vocabulary
        self.clear()

    def clear(self) -> None:
        """See :class:`Caches`."""
        self._caches = {key: np.zeros(shape, np.float32) for key, shape in self.signatures.caches.items()}

    def prefill(self, name: str, tokens: TokenIds, positions: TokenIds) -> None:
        """See :class:`Caches`."""
        found = self._runners[name](tokens=tokens[None], input_pos=positions, **self._caches)
        self._caches = {key: found[key] for key in self._caches}

    def decode(self, token: int, position: int) -> Logits:
        """See :class:`Caches`."""
        tokens, positions = np.array([[token]], np.int32), np.array([position], np.int32)
        found = self._runners[DECODE](tokens=tokens, input_pos=positions, **self._caches)
        self._caches = {key: found[key] for key in self._caches}
        logits: Logits = found[LOGITS].reshape(-1)
        return logits[-self._vocabulary :]


def _described(details: Mapping[str, Mapping[str, Any]]) -> dict[str, Tensor]:
    return {
        name: (np.dtype(detail["dtype"]).name, tuple(map(int, detail["shape"]))) for name, detail in details.items()
    }


def _runner_ends(runner: Any) -> Ends:
    return _described(runner.get_input_details()), _described(runner.get_output_details())
