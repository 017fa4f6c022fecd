"""Compiles a .dlc model for HTP ahead of time, with snpe-dlc-graph-prepare."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_snpe.native import dlc, tool
from mlperf_mobile_backend_snpe.native.options import NativeOptions

PROGRAM = "snpe-dlc-graph-prepare"


def prepare(model: Path, directory: Path, options: NativeOptions) -> Path:
    """The model with a compiled graph for each of ``htp_socs``, in ``directory``.

    Arguments are those of the tools page of QAIRT 2.39 and of mobile_back_qti/DLC/Makefile of mobile_app_open v6.0.

    Raises:
        BackendError: The program is missing, fails, or takes too long; ``compile-failed`` where it leaves no model.
    """
    target = directory.resolve() / "prepared.dlc"
    found = {
        "input_dlc": str(model.resolve()),
        "output_dlc": str(target),
        "htp_socs": ",".join(options.htp_socs),
        "set_output_tensors": ",".join(options.output_tensors),
        "set_output_layers": ",".join(options.output_layers),
        "optimization_level": str(options.htp_optimization_level or ""),
        "num_hvx_threads": str(options.htp_hvx_threads or ""),
        "htp_dlbc": "" if options.htp_dlbc is None else str(options.htp_dlbc).lower(),
    }
    arguments = [f"--{name}={value}" for name, value in found.items() if value]
    tool.run(PROGRAM, arguments, directory=directory, timeout_s=options.prepare_timeout_s)
    try:
        dlc.check(target, content=True)
    except ModelError as error:
        summary = f"{PROGRAM} wrote no usable model: {error.summary}"
        raise BackendError("compile-failed", summary, "run it by hand and see its output") from error
    return target
