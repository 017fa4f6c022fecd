"""Writes the data and the model of the task template: signals of three wave forms, and a perceptron trained on others.

Usage: ``python tools/make_task.py`` with ``ai-edge-litert`` and ``flatbuffers`` installed. A second run gives the same
bytes on the same NumPy.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).resolve().parents[1]
PACKAGE = HERE / "src/mlperf_mobile_authoring/templates/task/{{package}}"
sys.path.append(str(HERE.parent / "backend_tflite/tools"))

FORMS, VALUES, HIDDEN, NOISE = ("sine", "triangle", "square"), 32, 24, 0.4
Array = npt.NDArray[Any]


def signals(count: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Signals [count, 32] and the numbers of their forms: 1 to 3 periods, any phase, with noise."""
    forms = np.arange(count) % len(FORMS)
    periods, phase = random.uniform(1, 3, (count, 1)), random.uniform(0, 1, (count, 1))
    turns = (periods * np.arange(VALUES) / VALUES + phase) % 1
    shapes = np.stack([np.sin(2 * np.pi * turns), 1 - 4 * np.abs(turns - 0.5), np.where(turns < 0.5, 1.0, -1.0)])
    return shapes[forms, np.arange(count)] + random.normal(0, NOISE, (count, VALUES)), forms


def trained(x: Array, forms: Array, random: np.random.Generator) -> list[Array]:
    """Weights and biases of two layers, by Adam on the cross entropy (Kingma and Ba 2015)."""
    weights = [
        random.normal(0, np.sqrt(2 / VALUES), (VALUES, HIDDEN)), np.zeros(HIDDEN),
        random.normal(0, np.sqrt(2 / HIDDEN), (HIDDEN, len(FORMS))), np.zeros(len(FORMS)),
    ]  # fmt: skip
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for step in range(1, 4001):
        chosen = random.integers(0, len(x), 128)
        hidden = np.maximum(x[chosen] @ weights[0] + weights[1], 0)
        scores = hidden @ weights[2] + weights[3]
        shares = np.exp(scores - scores.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        error = (shares - np.eye(len(FORMS))[forms[chosen]]) / len(chosen)
        back = (error @ weights[2].T) * (hidden > 0)
        for n, slope in enumerate((x[chosen].T @ back, back.sum(0), hidden.T @ error, error.sum(0))):
            first[n] = 0.9 * first[n] + 0.1 * slope
            second[n] = 0.999 * second[n] + 0.001 * slope**2
            size = first[n] / (1 - 0.9**step) / (np.sqrt(second[n] / (1 - 0.999**step)) + 1e-8)
            weights[n] = weights[n] - 0.003 * (1 - step / 4001) * size
    return [w.astype(np.float32) for w in weights]


def tflite(weights: list[Array]) -> bytes:
    """The perceptron as a .tflite file."""
    from ai_edge_litert import schema_py_generated as schema
    from model_graph import Graph, pack

    graph = Graph()
    x, hidden, y = (
        graph.tensor("x", [1, VALUES]),
        graph.tensor("hidden", [1, HIDDEN]),
        graph.tensor("y", [1, len(FORMS)]),
    )
    for number, (before, after) in enumerate(((x, hidden), (hidden, y))):
        weight, bias = weights[2 * number].T.copy(), weights[2 * number + 1]
        options = schema.FullyConnectedOptionsT()
        if after == hidden:
            options.fusedActivationFunction = schema.ActivationFunctionType.RELU
        constants = (
            graph.tensor(f"weight_{number}", weight.shape, value=weight),
            graph.tensor(f"bias_{number}", bias.shape, value=bias),
        )
        graph.op("FULLY_CONNECTED", [before, *constants], [after], options)
    return pack(graph.model([x], [y]))


def main() -> None:
    """Train, measure, and write the files."""
    import hashlib

    random = np.random.default_rng(20)
    weights = trained(*signals(6000, random), random)
    x, forms = signals(60, random)
    x = np.round(x, 3).astype(np.float32)
    scores = np.maximum(x @ weights[0] + weights[1], 0) @ weights[2] + weights[3]
    lines = [",".join([FORMS[form], *(f"{v:.3f}" for v in values)]) for form, values in zip(forms, x, strict=True)]
    (PACKAGE / "signals.csv").write_text("\n".join(lines) + "\n")
    (PACKAGE / "model.tflite").write_bytes(tflite(weights))
    np.savez(PACKAGE / "model.npz", weight_0=weights[0], bias_0=weights[1], weight_1=weights[2], bias_1=weights[3])
    facts = {
        "accuracy": f"{np.mean(scores.argmax(1) == forms):.4f}",
        **{f"sha256_{s}": hashlib.sha256((PACKAGE / f"model.{s}").read_bytes()).hexdigest() for s in ("tflite", "npz")},
    }
    (PACKAGE.parent / "values.json").write_text(json.dumps(facts, indent=2) + "\n")
    sys.stdout.write(f"{facts}\n")


if __name__ == "__main__":
    main()
