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
    """What ``--arch`` is: the option, or the MDLA of the SoC that is asked for or that this is.

    Raises:
        BackendError: ``no-architecture``: nothing tells.
    """
    if options.arch:
        return options.arch
    name = options.soc.lower() if options.soc else soc.name if soc else ""
    if name in MDLA:
        return f"mdla{MDLA[name]}"
    summary = f"no public source tells the MDLA of {name or 'this machine, which is no MediaTek device'}"
    raise BackendError("no-architecture", summary, "name it in the option arch: ncc-tflite --arch=? lists them")


def compile_file(model: Path, folder: Path, options: NeuronOptions, soc: Soc | None) -> Path:
    """The .dla file, in ``folder``.

    Raises:
        ModelError: ``compiler-refused``: the program ends with an error, or writes nothing; with its last words.
        BackendError: ``compiler-missing``, ``no-architecture``, or ``compiler-slow``: it took longer than allowed.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        hint = "put the Neuron SDK's host/bin on PATH and its host/lib on LD_LIBRARY_PATH, or use compiler=adapter"
        raise BackendError("compiler-missing", f"there is no program {PROGRAM} on PATH", hint)
    output = folder / f"{model.stem}.dla"
    command = [program, f"--arch={architecture(options, soc)}"]
    command += ["--relax-fp32"] if options.allow_fp16 else []
    command += [*options.ncc_options, "-d", str(output.resolve()), str(model.resolve())]
    try:
        done = programs.run(command, directory=folder, seconds=options.compile_seconds)
    except subprocess.TimeoutExpired as error:
        summary = f"{PROGRAM} did not compile {model} within {options.compile_seconds} s"
        raise BackendError("compiler-slow", summary, "allow more in compile_seconds, or use a smaller model") from error
    except OSError as error:
        summary = f"{program} cannot be started: {error.strerror}"
        raise BackendError("compiler-missing", summary, "install the Neuron SDK for this machine") from error
    if done.code or not output.is_file() or not output.stat().st_size:
        how = done.how if done.code else "wrote no .dla file"
        summary = f"{PROGRAM} {how} on {model}: {done.last_words() or 'it said nothing'}"
        raise ModelError("compiler-refused", summary, "see what it says, and change ncc_options or the model")
    return output
