"""Runs models of official size, each with its task, by the installed command, in performance mode."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

MODELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "efficientnet_lite0_uint8.tflite": ("image_classification", ()),
    "ssd_mobilenetv2_oidv4_fp16.tflite": ("object_detection", ()),
    "deeplabv3_float.tflite": ("semantic_segmentation", ("classes=20",)),
    "esrgan_slim_x2_uint8.tflite": ("super_resolution", ()),
    "mobilebert_qa_random_dynint8.tflite": ("question_answering", ("vocabulary_size=30522",)),
}
"""File, task and options; the last one has random weights."""


def pictures(folder: Path, count: int) -> None:
    """JPEG files of 640x480 with the detail of photographs."""
    rng = np.random.default_rng(0)
    for number in range(count):
        small = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(small).resize((640, 480), Image.Resampling.BICUBIC).save(
            folder / f"{number:03}.jpg", quality=90
        )


def questions(folder: Path, count: int) -> None:
    """Questions in SQuAD's format, and a vocabulary of 30,522 entries."""
    words = [f"word{number}" for number in range(30_517)]
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]) + "\n")
    rng = np.random.default_rng(0)
    paragraphs = []
    for number in range(count):
        text = " ".join(words[n] for n in rng.integers(0, len(words), 250))
        answers = [{"text": text.split()[7], "answer_start": text.index(text.split()[7])}]
        question = {"id": str(number), "question": " ".join(text.split()[5:9]), "answers": answers}
        paragraphs.append({"context": text, "qas": [question]})
    (folder / "dev-v1.1.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))


def main() -> None:
    """Print one line per model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, help="the folder of the models")
    parser.add_argument("--rules", default="quick")
    args = parser.parse_args()
    command = Path(sys.executable).with_name("mlperf-mobile")
    print(f"{'model':38} {'task':22} {'p50 ms':>8} {'p90 ms':>8} {'samples/s':>10}  verdict")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("images", "texts"):
            (folder / part).mkdir()
        pictures(folder / "images", 64)
        questions(folder / "texts", 64)
        for file, (task, options) in MODELS.items():
            text = task == "question_answering"
            data = ("squad", folder / "texts") if text else ("image_folder", folder / "images")
            done = subprocess.run(
                [
                    command, "run", task, "--backend", "tflite", "--model", args.models / file, "--dataset", data[0],
                    "--data-path", data[1], "--mode", "performance", "--rules", args.rules, "--json", "--quiet",
                    "--output", folder / "results", *(f"--set={option}" for option in options),
                ],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            (result,) = json.loads(done.stdout).get("results") or [None]
            if not result or not result["performance"]:
                print(f"{file:38} {task:22} {done.stderr.strip().splitlines()[-1]}")
                continue
            p50, p90 = (result["performance"]["latency_ns"][name] / 1e6 for name in ("p50", "p90"))
            rate = result["performance"]["throughput"]
            verdict = "VALID" if result["valid"] else "INVALID"
            print(f"{file:38} {task:22} {p50:>8.2f} {p90:>8.2f} {rate:>10.1f}  {verdict}", flush=True)


if __name__ == "__main__":
    main()
