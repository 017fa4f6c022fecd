"""Runs a model with the program snpe-net-run: one process a run, whose start is inside the time."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, Self

import numpy as np

from mlperf_mobile.backend_checks import closed, misfit
from mlperf_mobile.contracts import Placement, Tensors, TensorSpec
from mlperf_mobile.errors import BackendError, ModelError, UsageError
from mlperf_mobile_backend_snpe.native import tool
from mlperf_mobile_backend_snpe.native.options import NativeOptions, Runtime
from mlperf_mobile_backend_snpe.native.placement import placement

PROGRAM = "snpe-net-run"
NOTE = "each run starts snpe-net-run anew, and that is inside its time"
_FLOAT32 = np.dtype(np.float32)
_LIBRARY_ONLY = ("profiling_level", "output_layers", "input_type", "output_type", "init_cache", "log_level")


def version() -> str:
    """What the program says of its version: ``"2.39.0.250926"``.

    Raises:
        BackendError: It is missing, fails, or reports no version.
    """
    said = tool.run(PROGRAM, ["--version"], directory=Path(tempfile.gettempdir()), timeout_s=30)
    if found := re.search(r"v?(\d+\.\d+[\w.+-]{0,60})", said):
        return found[1]
    raise BackendError("tool-failed", f"{PROGRAM} --version reports no version", "use the SDK's own program")


def check(options: NativeOptions) -> None:
    """The options ask for nothing that only the library does.

    Raises:
        UsageError: ``bad-options``; names the option.
    """
    for name in _LIBRARY_ONLY:
        if getattr(options, name) != NativeOptions.model_fields[name].default:
            hint = "omit the option, or install libSNPE.so and use executor: c-api"
            raise UsageError("bad-options", f"{PROGRAM} does not support the option {name}", hint)


class NetRunSession:
    """Writes float32 inputs, runs the program, and reads float32 outputs.

    The program converts between float32 and the model's types. It reports neither names nor shapes, so the options
    give them.

    Args:
        model: A checked .dlc file.
        runtimes: As ``--runtime_order``.
        options: With the names and shapes of inputs and outputs.

    Raises:
        ModelError: ``model-shape``: the options do not describe the model's inputs and outputs.
    """

    def __init__(self, model: Path, runtimes: tuple[Runtime, ...], options: NativeOptions) -> None:
        if not options.net_run_inputs or not options.net_run_outputs:
            summary = f"{PROGRAM} reports no shapes, and the options give none for {model.name}"
            raise ModelError("model-shape", summary, "set net_run_inputs and net_run_outputs to {name: shape}")
        self._model, self._runtimes, self._options = model.resolve(), runtimes, options
        self.inputs, self.outputs = _specs(options.net_run_inputs), _specs(options.net_run_outputs)
        self._directory: Path | None = Path(tempfile.mkdtemp(prefix="snpe-net-run-"))
        names = [f"{spec.name}:=input{index}.raw" for index, spec in enumerate(self.inputs)]
        (self._directory / "inputs.txt").write_text(" ".join(names) + "\n", encoding="utf-8")

    def run(self, inputs: Tensors) -> Tensors:
        """One start of the program.

        Raises:
            BackendError: ``input-mismatch``, ``output-missing``, ``output-size``, or what :func:`tool.run` raises.
        """
        directory = self._directory
        if directory is None:
            self._closed()
        try:
            if [(tensor.shape, tensor.dtype) for tensor in inputs] != [
                (spec.shape, spec.dtype) for spec in self.inputs
            ]:
                raise ValueError
        except (AttributeError, TypeError, ValueError) as error:
            if wrong := misfit(inputs, self.inputs, self._model.name):
                raise wrong from error
            raise
        shutil.rmtree(directory / "output", ignore_errors=True)
        for index, tensor in enumerate(inputs):
            (directory / f"input{index}.raw").write_bytes(tensor.tobytes())
        tool.run(PROGRAM, self._arguments(), directory=directory, timeout_s=self._options.net_run_timeout_s)
        return tuple(
            self._output(directory / "output" / "Result_0" / f"{spec.name}.raw", spec) for spec in self.outputs
        )

    def _arguments(self) -> list[str]:
        """As ``snpe-net-run --help`` of SNPE 2.14 lists them."""
        options = self._options
        found = {
            "container": str(self._model),
            "input_list": "inputs.txt",
            "output_dir": "output",
            "runtime_order": ",".join(self._runtimes),
            "perf_profile": options.performance_profile,
            "profiling_level": "off",
            "priority_hint": options.execution_priority,
            "set_output_tensors": ",".join(options.output_tensors),
            "platform_options": options.platform_options or "",
        }
        flags = ["--enable_cpu_fxp"] if options.cpu_fixed_point else []
        return [f"--{name}={value}" for name, value in found.items() if value] + flags

    def _output(self, path: Path, spec: TensorSpec) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        expected = int(np.prod(spec.shape, dtype=np.int64)) * _FLOAT32.itemsize
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                raise FileNotFoundError(path)
            size = status.st_size
            data = path.read_bytes() if size == expected else b""
        except OSError as error:
            there = sorted(entry.name for entry in path.parent.glob("*"))[:20] if path.parent.is_dir() else []
            summary = f"{PROGRAM} wrote no output {spec.name}; it wrote {', '.join(there) or 'nothing'}"
            raise BackendError("output-missing", summary, "check the names in net_run_outputs") from error
        if len(data) != expected:
            summary = f"{PROGRAM} wrote {size} bytes for output {spec.name}, not the {expected} of {spec}"
            raise BackendError("output-size", summary, "check the shapes in net_run_outputs")
        return np.frombuffer(data, _FLOAT32).reshape(spec.shape)

    def placement(self) -> Placement:
        """See :func:`mlperf_mobile_backend_snpe.native.placement.placement`."""
        return placement(self._runtimes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def _closed(self) -> NoReturn:
        raise closed(self._model.name)


def _specs(tensors: Mapping[str, tuple[int, ...]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name, tuple(shape), _FLOAT32) for name, shape in tensors.items())
