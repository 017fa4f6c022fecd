"""Task and data pass the conformance kit of mlperf-mobile; sound is read and analysed right; runs reach the target."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlperf_mobile.contracts import Dataset, Tensors, TensorSpec
from mlperf_mobile.errors import DataError
from mlperf_mobile.plugin import DatasetInfo, TaskInfo
from mlperf_mobile.testing.command import Command
from mlperf_mobile.testing.dataset import DatasetConformance
from mlperf_mobile.testing.task import TaskConformance
from mlperf_mobile.testing.task_settings import Target
from mlperf_mobile_example_keyword_spotting import plugin
from mlperf_mobile_example_keyword_spotting.options import KEYWORDS, Options
from mlperf_mobile_example_keyword_spotting.recordings import Recordings
from mlperf_mobile_example_keyword_spotting.sound import BANDS, FRAMES, LENGTH, RATE, read_wav, spectrogram

PLUGIN = "mlperf_mobile_example_keyword_spotting.plugin"
FLOAT = np.dtype(np.float32)


class TestTask(TaskConformance):
    plugin_module = PLUGIN

    @pytest.fixture
    def info(self) -> TaskInfo:
        return next(iter(plugin.mlperf_mobile_tasks()))

    @pytest.fixture
    def inputs(self) -> Sequence[TensorSpec]:
        return [TensorSpec("spectrogram", (1, FRAMES, BANDS), FLOAT)]

    @pytest.fixture
    def outputs(self) -> Sequence[TensorSpec]:
        return [TensorSpec("scores", (1, len(KEYWORDS)), FLOAT)]

    @pytest.fixture
    def dataset(self) -> Dataset:
        return Recordings(None, Options())

    @pytest.fixture
    def perfect(self, dataset: Dataset) -> list[Tensors]:
        return [(np.eye(len(KEYWORDS), dtype=np.float32)[[dataset.truth(n)]],) for n in range(len(dataset))]

    @pytest.fixture
    def targets(self) -> Sequence[Target]:
        return [Target("example_keywords_float32", "example_keywords", "top-1", 1.0, 0.95)]


class TestRecordings(DatasetConformance):
    plugin_module = PLUGIN

    @pytest.fixture
    def info(self) -> DatasetInfo:
        return next(iter(plugin.mlperf_mobile_datasets()))

    @pytest.fixture
    def dataset(self) -> Dataset:
        return Recordings(None, Options())

    @staticmethod
    def same(one: Any, other: Any) -> bool:
        return np.array_equal(one, other)


def write(path: Path, *, channels: int = 1, rate: int = RATE, width: int = 2, frames: bytes = b"\0\0") -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setframerate(rate)
        file.setsampwidth(width)
        file.writeframes(frames)
    return path


@pytest.mark.parametrize(
    ("width", "frames", "values"),
    [(1, b"\x00\x80\xc0", [-1, 0, 0.5]), (2, b"\x00\x80\x00\x00\x00\x40", [-1, 0, 0.5])],
)
def test_samples_are_from_minus_one_to_one(width: int, frames: bytes, values: list[float], tmp_path: Path) -> None:
    assert read_wav(write(tmp_path / "x.wav", width=width, frames=frames)).tolist() == values


@pytest.mark.parametrize(
    "wrong",
    [{"channels": 2, "frames": bytes(4)}, {"rate": 16000}, {"width": 4, "frames": bytes(4)}, {"frames": b""},
     {"frames": bytes(2 * 60 * RATE + 2)}],
)  # fmt: skip
def test_other_sound_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.wav has"):
        read_wav(write(tmp_path / "x.wav", **wrong))


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + bytes(16)])
def test_what_is_no_wav_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(data)
    with pytest.raises(DataError, match=r"x\.wav"):
        read_wav(tmp_path / "x.wav")


@pytest.mark.parametrize("frequency", [300, 1000, 3000])
def test_a_tone_is_in_its_band(frequency: float) -> None:
    """The loudest of bands that are evenly spaced on the mel scale between 80 Hz and 3800 Hz."""
    tone = np.sin(2 * np.pi * frequency * np.arange(LENGTH) / RATE).astype(np.float32)
    low, at, high = (2595 * np.log10(1 + f / 700) for f in (80, frequency, 3800))
    expected = (at - low) / (high - low) * (BANDS + 1) - 1
    assert abs(spectrogram(tone).mean(axis=0).argmax() - expected) <= 1


@pytest.mark.parametrize("backend", ["tflite", "example-onnxruntime"])
def test_a_run_reaches_the_target(backend: str, tmp_path: Path) -> None:
    if backend != "tflite" and not find_spec("mlperf_mobile_example_onnxruntime"):
        pytest.skip("the other example is not installed")
    quick = ("--mode", "both", "--rules", "rapid", "--set", "min_duration_s=0.1")
    result, done = Command(tmp_path).run("example_keyword_spotting", "--backend", backend, *quick)
    assert result["valid"], done.stderr
    assert result["accuracy"]["samples"] == 40
    assert result["accuracy"]["passed"]
