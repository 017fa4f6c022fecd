"""A part of a model on the CPU, with LiteRT."""

from __future__ import annotations

from collections.abc import Callable

from mlperf_mobile.contracts import Tensors
from mlperf_mobile.errors import BackendError


class CPUPart:
    """Runs one model.

    Args:
        model: The bytes of a .tflite file.
        threads: Of the interpreter.

    Raises:
        BackendError: ``no-runtime`` or ``cpu-failed``.
    """

    run: Callable[[Tensors], Tensors]
    """Returns views of the interpreter's memory; they are dropped before the next run."""

    def __init__(self, model: bytes, threads: int) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            hint = "pip install 'mlperf-mobile-neural-networks[litert]', or leave out partial"
            raise BackendError("no-runtime", f"the CPU's part needs LiteRT: {error}", hint) from error
        try:
            interpreter = Interpreter(model_content=model, num_threads=threads)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise _failure(error) from error
        feeds = [int(detail["index"]) for detail in interpreter.get_input_details()]
        fetches = [interpreter.tensor(int(detail["index"])) for detail in interpreter.get_output_details()]
        set_tensor, invoke = interpreter.set_tensor, interpreter.invoke

        def run(inputs: Tensors) -> Tensors:
            try:
                for feed, tensor in zip(feeds, inputs, strict=True):
                    set_tensor(feed, tensor)
                invoke()
                return tuple([fetch() for fetch in fetches])
            except (RuntimeError, ValueError) as error:
                raise _failure(error) from error

        self.run = run

    def close(self) -> None:
        """Let the interpreter go."""
        del self.run


def _failure(error: Exception) -> BackendError:
    text = " ".join(str(error).split()).rstrip(".")
    return BackendError("cpu-failed", f"LiteRT failed on the CPU's part: {text}", "leave out partial")
