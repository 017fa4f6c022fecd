"""Runs LiteRT's ahead-of-time compiler for Qualcomm in a separate process, which it may crash."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn import profile, stand_in
from mlperf_mobile_backend_snpe.qnn.runtime import Runtime
from mlperf_mobile_backend_snpe.socs import Soc
from mlperf_mobile_native_libraries import programs

FIX = "pip install 'mlperf-mobile-backend-snpe[litert]', on x86-64 Linux"
MAX_LOG = 16_000_000
_PROGRAM, _PLUGIN = "tools/apply_plugin_main", "vendors/qualcomm/compiler"
_ERROR = re.compile(r"^(?:ERROR: \[[^\]]*\]|.*\[ ?ERROR ?\])\s*(.*\S)", re.MULTILINE)
_NOTHING = re.compile(r"Partitioned subgraph<0>, selected 0 ops")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Compiler:
    """The installed LiteRT compiler."""

    program: Path
    plugins: Path
    version: str

    def __str__(self) -> str:
        return f"LiteRT {self.version}"


class NothingTaken(Exception):
    """The HTP can run none of the model's operations."""


def find() -> Compiler:
    """The compiler of ``ai-edge-litert``.

    Raises:
        BackendError: ``no-compiler``.
    """
    spec = find_spec("ai_edge_litert")
    folder = Path(next(iter(spec.submodule_search_locations or ())), "") if spec else None
    if sys.platform != "linux" or platform.machine() != "x86_64":
        summary = "LiteRT's compiler for Qualcomm runs on x86-64 Linux, and not here"
        raise BackendError("no-compiler", summary, "compile the model there, and run the compiled one here")
    if folder is None or not (folder / _PROGRAM).is_file() or not (folder / _PLUGIN).is_dir():
        raise BackendError("no-compiler", "LiteRT's compiler for Qualcomm is not installed", FIX)
    try:
        number = version("ai-edge-litert")
    except PackageNotFoundError:
        number = "unknown"
    return Compiler(folder / _PROGRAM, folder / _PLUGIN, number)


def compile_model(
    compiler: Compiler, runtime: Runtime, options: SnpeOptions, soc: Soc, model: Path, output: Path
) -> dict[str, str]:
    """Compile ``model`` for a SoC into ``output``, a .tflite file with the context binary in it.

    Returns:
        The stand-ins that were used: ``{"libQnnLpai.so": "an empty stand-in …"}``, or nothing.

    Raises:
        NothingTaken: The HTP can run none of the model's operations.
        BackendError: ``compiler-failed`` or ``compiler-crashed``, with the compiler's own text.
    """
    with libraries(runtime) as (folder, stand_ins):
        environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
        environment["LD_LIBRARY_PATH"] = str(folder)
        place = profile.folder(options) or folder  # "optrace" writes its schematic into the current folder
        arguments = [
            str(compiler.program), "--cmd=apply", f"--model={model}", f"--o={output}", "--err=--",
            "--soc_manufacturer=Qualcomm", f"--soc_model={soc.name}", f"--libs={compiler.plugins}", *flags(options),
        ]  # fmt: skip
        try:
            ended = programs.run(arguments, directory=place, environment=environment, most=MAX_LOG)
        except OSError as error:
            raise BackendError("no-compiler", f"{compiler.program} does not start: {error.strerror}", FIX) from error
    text = _COLOUR.sub("", ended.output)
    if ended.code < 0:
        summary = f"{compiler}'s compiler {ended.outcome} on {model}: {_reason(text)}"
        raise BackendError("compiler-crashed", summary, "try another version of ai-edge-litert, or an .onnx model")
    if ended.code and _NOTHING.search(text):
        raise NothingTaken
    if ended.code or not output.is_file():
        summary = f"{compiler}'s compiler cannot compile {model} for {soc.name}: {_reason(text)}"
        raise BackendError("compiler-failed", summary, "try another SoC, or an .onnx model")
    return stand_ins


def flags(options: SnpeOptions) -> Iterator[str]:
    """The command-line flags for the options (litert/tools/flags/vendors/qualcomm_flags.cc of LiteRT 2.3.0)."""
    litert = options.litert
    flags = {
        "log_level": "error",
        "graph_priority": options.qnn_context_priority,
        "vtcm_size": options.vtcm_mb or 0,
        "profiling": options.profiling_level,
        "optimization_level": litert.optimization_level,
        "num_hvx_thread": litert.num_hvx_thread,
        "use_conv_hmx": str(litert.use_conv_hmx).lower(),
        "use_fold_relu": str(litert.use_fold_relu).lower(),
        "graph_io_tensor_mem_type": litert.graph_io_tensor_mem_type,
    }
    return (f"--qualcomm_{name}={value}" for name, value in flags.items())


@contextmanager
def libraries(runtime: Runtime) -> Iterator[tuple[Path, dict[str, str]]]:
    """A private folder with links to QNN's libraries, and a stand-in for the missing one."""
    with tempfile.TemporaryDirectory(prefix="mlperf-mobile-qnn-") as name:
        folder = Path(name)
        # onnxruntime-qnn keeps the C++ runtime of its libraries in a folder of the wheel, as auditwheel names it.
        for source in (runtime.folder, runtime.folder.with_name(f"{runtime.folder.name}.libs")):
            for library in sorted(source.glob("lib*.so*")) if source.is_dir() else ():
                (folder / library.name).symlink_to(library.resolve())
        if (folder / stand_in.NAME).exists():
            yield folder, {}
        else:
            stand_in.write(folder)
            yield folder, {stand_in.NAME: stand_in.REMARK}


def _reason(log: str) -> str:
    """The last errors that the compiler logged."""
    found = [line for line in dict.fromkeys(_ERROR.findall(log)) if not line.startswith("ERROR: [")]
    lines = found or [line for line in log.splitlines() if line.strip()]
    return " / ".join(" ".join(line.split()) for line in lines[-4:])[:600] or "it says nothing"
