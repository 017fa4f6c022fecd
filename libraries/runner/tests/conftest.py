"""Runs the program on runner-plans that tests write."""

import json
import platform
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import mlperf_mobile_runner

SEEDS = {"qsl_rng_seed": 11, "sample_index_rng_seed": 12, "schedule_rng_seed": 13}
DEADLINE_S = 300


def _tensor(dtype, *shape, name="x"):
    return {
        "name": name,
        "dtype": dtype,
        "shape": list(shape),
        "bytes": int(np.prod(shape)) * np.dtype(dtype).itemsize,
    }


@pytest.fixture(scope="session")
def program():
    try:
        return mlperf_mobile_runner.binary(platform.machine())
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def arm_program():
    try:
        return mlperf_mobile_runner.binary("aarch64")
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def litert():
    package = pytest.importorskip("ai_edge_litert")
    return str(Path(next(iter(package.__path__)), "libLiteRt.so"))


@dataclass
class Outcome:
    folder: Path
    returncode: int
    events: list

    @property
    def failure(self):
        (found,) = [event for event in self.events if event["event"] == "failed"]
        return found

    @property
    def ended(self):
        return self.events[-1]["event"] == "ended"

    def part(self, name):
        (found,) = [event["value"] for event in self.events if event.get("part") == name]
        return found

    def latencies(self):
        return np.fromfile(self.folder / "latencies.bin", "<i8")

    def summary(self):
        return (self.folder / "performance" / "mlperf_log_summary.txt").read_text()

    def outputs(self, number=0):
        return (self.folder / "outputs" / f"{number}.bin").read_bytes()

    def accuracy_log(self):
        log = json.loads((self.folder / "accuracy" / "mlperf_log_accuracy.json").read_text())
        return {item["qsl_idx"]: bytes.fromhex(item["data"]) for item in log}


@dataclass
class Case:
    """A folder with samples, and the plan to run there."""

    folder: Path
    command: list
    samples: list
    """One tuple of arrays for each."""
    plan: dict = field(default_factory=dict)

    def write(self):
        data = b"".join(array.tobytes() for sample in self.samples for array in sample)
        (self.folder / "samples.bin").write_bytes(data)

    def start(self, **popen):
        (self.folder / "plan.json").write_text(json.dumps(self.plan))
        with (self.folder / "worker.log").open("wb") as log:
            return subprocess.Popen(
                [*self.command, "--plan", self.folder / "plan.json", "--directory", self.folder],
                stdout=log,
                stderr=log,
                **{"stdin": subprocess.DEVNULL} | popen,
            )

    def outcome(self, process):
        code = process.wait(DEADLINE_S)
        return Outcome(self.folder, code, self.events())

    def events(self):
        path = self.folder / "events.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def run(self):
        return self.outcome(self.start())

    def until(self, condition):
        """Poll until an event meets the condition."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            if any(condition(event) for event in self.events()):
                return
            time.sleep(0.02)
        raise AssertionError((self.events(), (self.folder / "worker.log").read_text()))


@pytest.fixture
def case(tmp_path_factory, program):
    """Makes a case: ``case(engine="dummy", inputs=[...], outputs=[...], samples=[...])``."""

    def make(*, engine="dummy", inputs=None, outputs=None, samples=None, command=None, **fields):
        inputs = inputs or [_tensor("uint8", 1, 16)]
        outputs = outputs or [_tensor("float32", 1, 4)]
        if samples is None:
            random = np.random.default_rng(1)
            samples = [
                tuple(random.integers(0, 250, each["shape"]).astype(each["dtype"]) for each in inputs)
                for _ in range(20)
            ]
        total = len(samples)
        plan = {
            "plan": 1, "engine": engine, "library": "", "model": "", "options": {}, "sessions": 1, "batch": 1,
            "inputs": inputs, "outputs": outputs, "warmup_s": 0.01,
            "performance": {
                "settings": {
                    "scenario": "SingleStream", "min_query_count": 100, "min_duration_ms": 10, "max_duration_ms": 0,
                    **SEEDS,
                },
                "expected_latency_ns": 0, "expected_floor_ns": 20000, "total": total, "count": total,
                "samples": [{"file": "samples.bin", "indices": list(range(total))}],
                "warmup": list(range(min(8, total))), "logs": "performance",
            },
            "accuracy": {
                "settings": dict(SEEDS), "total": total, "outputs": "outputs", "logs": "accuracy",
                "chunks": [{"file": "samples.bin", "first": 0, "count": total}],
            },
        }  # fmt: skip
        found = Case(tmp_path_factory.mktemp("run"), command or [program], samples, plan | fields)
        found.write()
        return found

    return make


@pytest.fixture
def tensor():
    """A tensor of a plan: ``tensor("uint8", 1, 16)``."""
    return _tensor


@pytest.fixture
def records():
    """The records in the bytes of a file: ``records(outputs, data)``."""

    def split(outputs, data):
        stride = sum(each["bytes"] for each in outputs)
        assert len(data) % stride == 0
        return [data[start : start + stride] for start in range(0, len(data), stride)]

    return split


@pytest.fixture
def models():
    """The models that the tests of the TensorFlow Lite backend use."""
    return Path(__file__).resolve().parents[3] / "plugins" / "backend_tflite" / "tests" / "models"


@pytest.fixture
def quickstart():
    """The models of the quickstart of image classification."""
    task = Path(__file__).resolve().parents[3] / "tasks" / "image_classification" / "src"
    return task / "mlperf_mobile_task_image_classification" / "quickstart"
