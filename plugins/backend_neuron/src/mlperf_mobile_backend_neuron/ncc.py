"""Compiles .tflite files to .dla files with ncc-tflite, the compiler program of the Neuron SDK."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_neuron.options import NeuronOptions
from mlperf_mobile_backend_neuron.soc import MDLA, Soc
from mlperf_mobile_native_libraries import programs

PROGRAM = "ncc-tflite"


def architecture(options: NeuronOptions, soc: Soc | None) -> str:
    """The value of ``--arch``: the option, or the MDLA of the selected or detected SoC.

    Raises:
        BackendError: ``no-architecture``: it is unknown.
    """
    if options.arch:
        return options.arch
    name = options.soc.lower() if options.soc else soc.name if soc else ""
    if name in MDLA:
        return f"mdla{MDLA[name]}"
    summary = f"the MDLA version of {name or 'this machine, which is not a MediaTek device,'} is unknown"
    raise BackendError("no-architecture", summary, "set the option arch: ncc-tflite --arch=? lists the values")


def compile_file(model: Path, folder: Path, options: NeuronOptions, soc: Soc | None) -> Path:
    """Compile ``model``; returns the .dla file in ``folder``.

    Raises:
        ModelError: ``compiler-refused``: the program fails or writes nothing; quotes its last output.
        BackendError: ``compiler-missing``, ``no-architecture``, or ``compiler-slow``: it took longer than allowed.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        hint = "add the Neuron SDK's host/bin to PATH and its host/lib to LD_LIBRARY_PATH, or use compiler=adapter"
        raise BackendError("compiler-missing", f"{PROGRAM} is not on PATH", hint)
    output = folder / f"{model.stem}.dla"
    command = [program, f"--arch={architecture(options, soc)}"]
    command += ["--relax-fp32"] if options.allow_fp16 else []
    command += [*options.ncc_options, "-d", str(output.resolve()), str(model.resolve())]
    try:
        done = programs.run(command, directory=folder, seconds=options.compile_seconds)
    except subprocess.TimeoutExpired as error:
        summary = f"{PROGRAM} did not compile {model} within {options.compile_seconds} s"
        raise BackendError("compiler-slow", summary, "increase compile_seconds, or use a smaller model") from error
    except OSError as error:
        summary = f"{program} cannot be started: {error.strerror}"
        raise BackendError("compiler-missing", summary, "install the Neuron SDK for this machine") from error
    if done.code or not output.is_file() or not output.stat().st_size:
        how = done.outcome if done.code else "wrote no .dla file"
        summary = f"{PROGRAM} {how} on {model}: {done.last_lines() or 'no output'}"
        raise ModelError("compiler-refused", summary, "change ncc_options or the model as its output suggests")
    return output
