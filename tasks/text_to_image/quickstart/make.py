"""Write the quickstart's files from the trained weights, measure them with the product's code, and record both."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import platform
import tempfile
from pathlib import Path
from typing import Any

import export
import numpy as np
import torch
from networks import token_mask
from shapes import CAPTIONS, SHAPES, pictures, silhouettes, token_ids

from mlperf_mobile.contracts import CompileRequest, Metric
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.formats import PIPELINE
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_task_text_to_image.captions import Captions
from mlperf_mobile_task_text_to_image.options import CaptionOptions
from mlperf_mobile_task_text_to_image.task import TextToImage

SCORER, DATA = "shapes_clip.tflite", "captions.jsonl"
CARELESS = {"4 bits, one scale per tensor": (4, True), "4 bits": (4, False), "3 bits": (3, False)}
"""Quantisations that are measured, but not published."""
PACKAGES = ("torch", "numpy", "ai-edge-litert", "flatbuffers")


def about(file: Path) -> dict[str, Any]:
    """A file's part of the record: its name, digest and size."""
    data = file.read_bytes()
    return {"file": file.name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def write_captions(path: Path) -> None:
    """Write the captions that were kept from the pipeline in training."""
    lines = []
    for caption in filter(lambda each: each.is_test, CAPTIONS):
        ids = token_ids(str(caption))
        mask = token_mask(torch.tensor([ids]))[0].int().tolist()
        lines.append(json.dumps({"caption": str(caption), "input_ids": ids, "attention_mask": mask}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def generated_score(folder: Path, name: str, dataset: Captions) -> float:
    """The score of a pipeline in a folder, on one thread."""
    model = folder / f"shapes_{name}.tflite-pipeline"
    files = {path.name: path for path in folder.iterdir()}
    backend, task = TFLiteBackend(TFLiteOptions(threads=1, shards=1)), TextToImage()
    with backend.load(backend.compile(CompileRequest(model, "cpu", files=files))) as session:
        codec, metric = task.bind(session.inputs, session.outputs), task.metric(dataset)
        for index in range(len(dataset)):
            metric.update(index, codec.decode(session.run(codec.encode(dataset.sample(index)))))
    return metric.score().value


def real_scores(dataset: Captions, seed: int) -> dict[str, float]:
    """The scores of drawn pictures with their captions, with other captions, and of noise."""
    random = torch.Generator().manual_seed(seed)
    numbers = torch.tensor([number for number, each in enumerate(CAPTIONS) if each.is_test])
    kinds = torch.tensor([SHAPES.index(CAPTIONS[number].shape) for number in numbers.tolist()])
    drawn = pictures(numbers, silhouettes(kinds, random)).permute(0, 2, 3, 1)
    drawn = ((drawn + 1) * 127.5).clamp(0, 255).byte()
    noise = torch.randint(0, 256, drawn.shape, generator=random, dtype=torch.uint8)
    order = torch.randperm(len(drawn), generator=random)

    def scored(images: torch.Tensor) -> float:
        metric: Metric = TextToImage().metric(dataset)
        for index, image in enumerate(images.numpy()):
            metric.update(index, np.ascontiguousarray(image).tobytes())
        return metric.score().value

    return {"drawn": scored(drawn), "drawn for other captions": scored(drawn[order]), "noise": scored(noise)}


def main() -> None:
    """Write and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="the file that train.py wrote")
    parser.add_argument("--output", type=Path, required=True, help="folder for the files")
    arguments = parser.parse_args()
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    state: dict[str, Any] = torch.load(arguments.weights, weights_only=True)
    names = ("text_encoder", "denoiser", "decoder", "scorer")
    weights = {name: {key: value.numpy() for key, value in state[name].items()} for name in names}
    scale = float(state["scale"])
    export.write_tables(output)
    (output / SCORER).write_bytes(export.scorer(weights["scorer"]))
    write_captions(output / DATA)
    dataset = Captions(output / DATA, CaptionOptions(clip_model=output / SCORER))
    record: dict[str, Any] = {"samples": len(dataset), **real_scores(dataset, 11)}
    for name, bits in (("float32", 32), ("int8", 8)):
        export.write_pipeline(output, name, weights, scale, bits)
        record[name] = {"clip": generated_score(output, name, dataset)} | about(output / f"shapes_{name}.{PIPELINE}")
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for what, (bits, per_tensor) in CARELESS.items():
            export.write_tables(folder)
            export.write_pipeline(folder, "other", weights, scale, bits, per_tensor=per_tensor)
            record[what] = generated_score(folder, "other", dataset)
    for what, value in record.items():
        print(what, value)
    record["files"] = [about(path) for path in sorted(output.iterdir()) if path.name != "quickstart.json"]
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    record["made_with"] = {"python": platform.python_version(), "seed": state["seed"], **versions}
    (output / "quickstart.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
