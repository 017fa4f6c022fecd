"""What the stand-in plugin offers: y = factor * x, with every way of going wrong that a run must survive."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlperf_mobile.contracts import Artifact, CompileRequest, Device, Placement, Probe, Score, TensorSpec
from mlperf_mobile.errors import BackendError, DataError, ModelError

SPEC = TensorSpec("x", (1, 4), np.dtype(np.float32))


class BackendOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    shards: int = 2
    sleep_s: float = 0.0
    misbehave: Literal["", "kill", "segfault", "raise", "hang", "chatter", "exit"] = ""
    after: int = 20
    spoils: Literal["", "nan", "shape", "previous"] = ""
    """What becomes of its outputs once it was called ``after`` times."""
    wrong_every: int = 0
    fallback: bool = False
    strength: int = 1
    compiles: bool = False
    compile_s: float = 0.0
    compile_breaks: Literal["", "raise", "kill", "exit", "hold"] = ""
    npu_sleep_s: float = 0.0
    simulates: bool = False
    disturbs: Path | None = None
    """A file that it tampers with."""
    disturbs_when: Literal["compile", "load", "run"] = "load"
    disturbs_how: Literal["swap", "replace", "write"] = "swap"
    caches: bool = False
    """It recognises the last sample, and answers that one at once."""


class TaskOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    width: int = 4
    strength: int = 1
    words: Path | None = None
    """A file of the model that nobody reads."""


class DatasetOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    count: int = 100
    bad_sample: int = -1
    notes: Path | None = None
    """A file that nobody reads."""


class Vectors:
    def __init__(self, path: Path | None, options: DatasetOptions | None) -> None:
        self._options = options or DatasetOptions()

    def __len__(self) -> int:
        return self._options.count

    def sample(self, index: int) -> np.ndarray[Any, Any]:
        if index == self._options.bad_sample:
            raise DataError("vector-damaged", f"vector {index} is damaged", "make it anew")
        return np.arange(index, index + 4, dtype=np.float32)[None]

    def truth(self, index: int) -> bytes:
        return (2 * np.arange(index, index + 4, dtype=np.float32)).tobytes()


class Exact:
    def __init__(self, dataset: Vectors) -> None:
        self._dataset, self._right, self._count = dataset, 0, 0

    def update(self, index: int, response: bytes) -> None:
        self._right += response == self._dataset.truth(index)
        self._count += 1

    def score(self) -> Score:
        return Score("exact", self._right / self._count, self._count)


class Codec:
    def encode(self, sample: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], ...]:
        return (sample,)

    def decode(self, outputs: tuple[np.ndarray[Any, Any], ...]) -> bytes:
        return outputs[0].tobytes()


class Product:
    def __init__(self, options: TaskOptions | None) -> None:
        self._width = (options or TaskOptions()).width

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        if inputs[0].shape != (1, self._width):
            raise ModelError("model-input", f"input {inputs[0]} should be [1,{self._width}]", "choose another model")
        return Codec()

    def metric(self, dataset: Vectors) -> Exact:
        return Exact(dataset)


class ToySession:
    inputs = (SPEC,)
    outputs = (SPEC,)
    calls = 0
    lock = threading.Lock()

    def __init__(
        self, factor: float, accelerator: str, options: BackendOptions, files: Mapping[str, Path] | None = None
    ) -> None:
        self._factor, self._accelerator, self._options = factor, accelerator, options
        self._files = files or {}
        self._last = b""
        self._previous = np.zeros((1, 4), np.float32)

    def run(self, inputs: tuple[np.ndarray[Any, Any], ...]) -> tuple[np.ndarray[Any, Any], ...]:
        with self.lock:
            ToySession.calls += 1
            calls = ToySession.calls
        if calls == self._options.after:
            disturb(self._options, "run")
        if self._options.misbehave and calls > self._options.after:
            self._misbehave()
        known = self._options.caches and inputs[0].tobytes() == self._last
        self._last = inputs[0].tobytes()
        if self._options.sleep_s and not known:
            time.sleep(self._options.sleep_s * float(os.environ.get("TOY_SLOWNESS", "1")))
        if self._options.npu_sleep_s and self._accelerator == "npu":
            time.sleep(self._options.npu_sleep_s)
        factor = self._factor + ("TOY_LIES" in os.environ)
        if self._options.wrong_every and int(inputs[0][0, 0]) % self._options.wrong_every == 0:
            factor += 1
        return self._spoilt(inputs[0] * np.float32(factor), calls)

    def _spoilt(self, output: np.ndarray[Any, Any], calls: int) -> tuple[np.ndarray[Any, Any], ...]:
        previous, self._previous = self._previous, output
        if calls > self._options.after:
            match self._options.spoils:
                case "nan":
                    output = output + np.float32("nan")
                case "shape":
                    output = output.reshape(4)
                case "previous":
                    output = previous
        return (output,)

    def run_batch(self, samples: Sequence[Any]) -> Sequence[Any]:
        return [self.run(sample) for sample in samples]

    def report(self) -> Mapping[str, Any]:
        files = {name: path.read_text() for name, path in self._files.items()}
        return {"calls": ToySession.calls} | ({"files": files} if files else {})

    def _misbehave(self) -> None:
        print("the stand-in's last words", file=sys.stderr, flush=True)
        match self._options.misbehave:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "exit":
                os._exit(3)
            case "raise":
                raise RuntimeError("the toy broke")
            case "hang":
                time.sleep(3600)
            case "chatter":
                print("noise on stdout", flush=True)

    def placement(self) -> Placement:
        if self._options.fallback:
            return Placement({self._accelerator: 1, "cpu": 1}, names={"cpu": {"SOFTMAX": 1}})
        return Placement({self._accelerator: 1}, names={self._accelerator: {"MUL": 1}})

    def __enter__(self) -> ToySession:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


def disturb(options: BackendOptions, when: str) -> None:
    """Put another file in the place of one, and move it back; or leave it there; or write the same bytes into it."""
    path = options.disturbs
    if path is None or options.disturbs_when != when:
        return
    if options.disturbs_how == "write":
        before = path.stat()
        path.write_bytes(path.read_bytes())
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return
    aside, other = path.with_name("aside"), path.with_name("other")
    other.write_bytes(path.read_bytes())
    path.rename(aside)
    other.rename(path)
    if options.disturbs_how == "swap":
        aside.replace(path)


class ToyBackend:
    def __init__(self, options: BackendOptions | None) -> None:
        self._options = options or BackendOptions()  # an offer of a test may have none
        self.shards = self._options.shards

    def probe(self) -> Probe:
        there = ("cpu",) if "TOY_LACKS_NPU" in os.environ else ("cpu", "npu")
        return Probe(
            usable=True, accelerators=there, versions={"toy": os.environ.get("TOY_VERSION", "1.0")},
            runtime="toy 1.0", devices=(Device("npu", "toy-npu", "7", {"cores": 2}),),
            functional_only={"npu": "a stand-in computes it"} if self._options.simulates else {},
        )  # fmt: skip

    def compile(self, request: CompileRequest) -> Artifact:
        disturb(self._options, "compile")
        if not self._options.compiles:
            return Artifact(request.model, request.accelerator, request.batch)
        request.report("thinking")
        match self._options.compile_breaks:
            case "raise":
                raise BackendError("toy-compiler", "the toy compiler gave up", "buy another")
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(4)
            case "hold":  # the interpreter's lock, as a C extension may
                ctypes.PyDLL(None).sleep(3600)
        time.sleep(self._options.compile_s)
        path = request.directory / "deep" / "model.bin"
        path.parent.mkdir()
        path.write_bytes(request.model.read_bytes())
        return Artifact(path, request.accelerator, request.batch, {"steps": 1, "format": request.format})

    def load(self, artifact: Artifact) -> ToySession:
        disturb(self._options, "load")
        try:
            factor = json.loads(artifact.path.read_text())["factor"]
        except (ValueError, KeyError) as error:
            raise ModelError("model-damaged", f"{artifact.path} is not a toy model", "write it anew") from error
        return ToySession(factor, artifact.accelerator, self._options, artifact.files)
