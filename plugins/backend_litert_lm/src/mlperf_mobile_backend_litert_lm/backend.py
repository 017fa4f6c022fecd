"""The backend ``litert_lm``: language models as .litertlm files on LiteRT-LM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlperf_mobile.contracts import Artifact, Backend, CompileRequest, Probe, TextSession
from mlperf_mobile.errors import BackendError, ModelError, described
from mlperf_mobile_backend_litert_lm import runtime
from mlperf_mobile_backend_litert_lm.options import LiteRtLmOptions
from mlperf_mobile_backend_litert_lm.session import LiteRtLmSession

MAGIC = b"LITERTLM"
"""The first bytes of a .litertlm file."""
NO_CACHE = ":nocache"
"""The folder that stands for none; otherwise the engine writes its packed weights beside the model."""


class LiteRtLmBackend:
    """Generates on the CPU, text in and text out.

    Args:
        options: See :class:`LiteRtLmOptions`.
    """

    def __init__(self, options: LiteRtLmOptions) -> None:
        self._options = options

    @property
    def shards(self) -> int:
        """The option ``shards``."""
        return self._options.shards

    def probe(self) -> Probe:
        """Import the package; never raises."""
        try:
            runtime.load()
        except BackendError as error:
            return Probe(usable=False, reason=error.summary, fix=error.hint)
        except Exception as error:  # noqa: BLE001  a probe never raises
            return Probe(usable=False, reason=described(error), fix=f"reinstall it: {runtime.FIX}")
        found = runtime.version()
        return Probe(usable=True, accelerators=("cpu",), versions={"litert-lm": found}, runtime=f"litert-lm {found}")

    def compile(self, request: CompileRequest) -> Artifact:
        """The model itself: the engine prepares it when it loads it.

        Raises:
            ModelError: The file is missing, or no .litertlm file.
            BackendError: ``text-only``: the task is not one for language models.
        """
        if not request.tokens:
            summary = "backend litert_lm generates text from text, and the task has tensors"
            raise BackendError("text-only", summary, "choose a task for language models, or another --backend")
        _check_file(request.model)
        return Artifact(request.model, request.accelerator, request.batch, tokens=True)

    def load(self, artifact: Artifact) -> LiteRtLmSession:
        """Load the model into an engine of its own.

        Raises:
            ModelError: The file is missing or damaged, or has no language model.
            BackendError: The package is missing, or the accelerator is another one than the CPU.
        """
        if artifact.accelerator != "cpu":
            summary = f"backend litert_lm has no accelerator {artifact.accelerator!r}"
            raise BackendError("no-accelerator", summary, "use accelerator cpu")
        _check_file(artifact.path)
        module = runtime.load()
        try:
            context = _context(module, artifact.path, self._options.context)
            engine = module.Engine(
                str(artifact.path),
                backend=module.Backend.CPU(thread_count=self._options.threads),
                max_num_tokens=context,
                cache_dir=NO_CACHE,
                enable_benchmark=True,  # its counts of tokens; the engine has them in no other way
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise _rejected(artifact.path, " ".join(str(error).split())) from error
        return LiteRtLmSession(module, engine, context, artifact.path.name)


def _context(module: Any, path: Path, requested: int) -> int:
    """The tokens that prompt and answer may have together.

    Raises:
        ModelError: The file has no language model, or another context than ``requested``.
    """
    with module.ModelInfo(str(path)) as info:
        if not info.is_llm_model:
            raise _rejected(path, "it has no language model")
        most = int(info.max_context_tokens)
        fits = requested <= most if info.is_dynamic_context else requested == most
    if requested and not fits:
        summary = f"{path.name} has a context of {most} tokens, not {requested}"
        raise ModelError("context-fixed", summary, "leave the option context out")
    return requested or most


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        raise ModelError("model-missing", f"cannot read {path}: {error.strerror}", "check --model") from error
    if start != MAGIC:
        raise _rejected(path, "it does not begin as a .litertlm file")


def _rejected(path: Path, why: str) -> ModelError:
    return ModelError("model-damaged", f"LiteRT-LM cannot load {path.name}: {why}", "worker.log has LiteRT-LM's reason")


if TYPE_CHECKING:  # lets the type checker compare the classes with the contracts
    _backend: type[Backend] = LiteRtLmBackend
    _session: type[TextSession] = LiteRtLmSession
