"""The backend and its session: token ids in, token ids out."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np

from mlperf_mobile.backend_checks import closed, prompt_misfit
from mlperf_mobile.contracts import (
    Artifact,
    CompileRequest,
    Generation,
    Placement,
    Probe,
    Tensors,
    TensorSpec,
    TokenIds,
)
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_example_llama_cpp.options import Options

MAGIC = b"GGUF"
"""The first bytes of a model file."""


def runtime() -> Any:
    """llama-cpp-python; it is imported when it is needed, so that the backend can be listed without it."""
    return importlib.import_module("llama_cpp")


class LlamaCppBackend:
    """Runs GGUF language models on llama.cpp's CPU kernels."""

    shards = 1
    """One session at a time; each would load the model again."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def probe(self) -> Probe:
        """Whether llama-cpp-python can be imported: its library may be built for another machine."""
        try:
            version = str(runtime().__version__)
        except Exception as error:  # noqa: BLE001  a probe never raises
            fix = "pip install 'mlperf-mobile-example-llama-cpp[llama-cpp]'"
            return Probe(usable=False, reason=f"llama_cpp cannot be imported: {error}", fix=fix)
        name = f"llama-cpp-python {version}"
        return Probe(usable=True, accelerators=("cpu",), versions={"llama-cpp-python": version}, runtime=name)

    def compile(self, request: CompileRequest) -> Artifact:
        """The model itself, if it is one: llama.cpp compiles nothing ahead of time."""
        if not request.tokens:
            summary = "example-llama-cpp runs language models only"
            raise BackendError("no-tensors", summary, "choose a task for language models")
        check(request.model)
        return Artifact(request.model, request.accelerator, tokens=True)

    def load(self, artifact: Artifact) -> LlamaCppSession:
        """Load the model into a context of its own."""
        if artifact.accelerator != "cpu":
            raise BackendError("no-accelerator", f"there is no accelerator {artifact.accelerator!r}", "choose cpu")
        check(artifact.path)
        options = self._options
        try:
            model = runtime().Llama(
                model_path=str(artifact.path),
                n_ctx=options.context,
                n_batch=options.batch,
                n_threads=options.threads,
                n_threads_batch=options.threads,
                n_gpu_layers=0,
                verbose=False,
            )
            return LlamaCppSession(model, artifact.path.name, options.context)
        except (KeyError, ValueError, RuntimeError) as error:
            raise ModelError("model-damaged", f"{artifact.path} cannot be loaded: {error}", "check --model") from error


class LlamaCppSession:
    """A loaded model, used by one thread at a time; a ``TokenSession`` that counts its tokens."""

    def __init__(self, model: Any, name: str, context: int) -> None:
        self._model, self._name = model, name
        trained = int(model.metadata[f"{model.metadata['general.architecture']}.context_length"])
        self.context = min(
            context or trained, int(model.n_ctx())
        )  # rounded up by llama.cpp, unlike the package's buffers
        self.inputs = self.outputs = (TensorSpec("tokens", (1, self.context), np.dtype(np.int32)),)
        self.generated = 0
        """Tokens generated so far: a long answer is no hang."""

    def generate(self, prompt: TokenIds, how: Generation, first_token: Callable[[], None]) -> TokenIds:
        """Answer one prompt, greedily."""
        model = self._model
        if model is None:
            raise closed(self._name)
        if wrong := prompt_misfit(prompt, self.context, self._name):
            raise wrong
        room = min(how.max_new_tokens, self.context - prompt.size)
        ids: list[int] = []
        model.reset()  # otherwise it keeps what the last prompt and this one have in common, and does not compute it
        try:
            for token in model.generate(prompt.tolist(), temp=0.0):
                if not ids:
                    first_token()
                ids.append(token)
                self.generated += 1
                if token in how.stop_ids or len(ids) == room:
                    break
        except (RuntimeError, ValueError) as error:
            raise BackendError("inference-failed", f"{self._name}: {error}", "see worker.log") from error
        return np.array(ids, np.int32)

    def run(self, inputs: Tensors) -> NoReturn:
        """Raise: the session only generates."""
        if self._model is None:
            raise closed(self._name)
        raise BackendError("input-mismatch", f"{self._name} only generates", "call generate")

    def placement(self) -> Placement:
        """The model as one operation: no layer is offloaded, and llama-cpp-python reports no more."""
        return Placement({"cpu": 1})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._model is not None:
            self._model.close()
        self._model = None


def check(path: Path) -> None:
    """Refuse what is no GGUF file.

    Raises:
        ModelError: ``model-missing`` or ``model-damaged``.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        raise ModelError("model-missing", f"cannot read {path}: {error.strerror}", "check --model") from error
    if start != MAGIC:
        raise ModelError("model-damaged", f"{path} is no GGUF file", "check --model")
