"""Describes the tensors of a .dla file, which the file itself does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_neuron.compiled import Manifest, TensorRecord, opaque
from mlperf_mobile_backend_neuron.litert_network import spec
from mlperf_mobile_backend_neuron.options import NeuronOptions, tensor
from mlperf_mobile_tflite_model.reader import TFLiteModel, read


def describe_file(path: Path, network: bytes, options: NeuronOptions, accelerator: str) -> Manifest:
    """A .dla file with the tensors that the options describe.

    Raises:
        ModelError: ``network-tensors``: they are not described; or as :func:`read`.
    """
    inputs, outputs = _tensors(path, options)
    return opaque("dla", path, accelerator, network, in_order(inputs), in_order(outputs))


def in_order(specs: Sequence[TensorSpec]) -> tuple[TensorRecord, ...]:
    """Tensors that have the same order in the network as in the list."""
    return tuple(TensorRecord.of(spec, index) for index, spec in enumerate(specs))


def ends(model: TFLiteModel) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of a .tflite file."""
    inputs, outputs = (
        tuple(spec(model.tensors[index]) for index in indices) for indices in (model.inputs, model.outputs)
    )
    return inputs, outputs


def _tensors(path: Path, options: NeuronOptions) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs: those in the options, or those of the .tflite file in the options or beside the file."""
    if options.inputs and options.outputs:
        inputs, outputs = (
            tuple(tensor(text, number) for number, text in enumerate(texts))
            for texts in (options.inputs, options.outputs)
        )
        return inputs, outputs
    source = Path(options.tensors_from) if options.tensors_from else path.with_suffix(".tflite")
    if not options.tensors_from and not source.is_file():
        summary = f"the inputs and outputs of {path} are unknown: a .dla file does not describe them"
        hint = f"set the options inputs and outputs, put {source.name} beside it, or set tensors_from"
        raise ModelError("network-tensors", summary, hint)
    return ends(read(source))
