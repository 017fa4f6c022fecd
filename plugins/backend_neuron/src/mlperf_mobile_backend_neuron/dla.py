"""What the tensors of a .dla file are, which the file itself does not tell."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_neuron import compiled as store
from mlperf_mobile_backend_neuron.compiled import Compiled, Described
from mlperf_mobile_backend_neuron.litert_network import spec
from mlperf_mobile_backend_neuron.options import NeuronOptions, tensor
from mlperf_mobile_tflite_model.reader import read


def describe_file(path: Path, network: bytes, options: NeuronOptions, accelerator: str) -> Compiled:
    """A .dla file with the tensors that the options describe.

    Raises:
        ModelError: ``network-tensors``: nothing describes them; or as :func:`read`.
    """
    inputs, outputs = _tensors(path, options)
    return Compiled(
        kind="dla",
        model=path.name,
        accelerator=accelerator,
        sha256=store.digest(network),
        inputs=tuple(Described.of(spec, index) for index, spec in enumerate(inputs)),
        outputs=tuple(Described.of(spec, index) for index, spec in enumerate(outputs)),
        operations={accelerator: {store.WHOLE: 1}},
    )


def _tensors(path: Path, options: NeuronOptions) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs: those written out, or those of the .tflite file that the options name or that lies beside."""
    if options.inputs and options.outputs:
        inputs, outputs = (
            tuple(tensor(text, number) for number, text in enumerate(texts))
            for texts in (options.inputs, options.outputs)
        )
        return inputs, outputs
    source = Path(options.tensors_from) if options.tensors_from else path.with_suffix(".tflite")
    if not options.tensors_from and not source.is_file():
        summary = f"nothing tells the inputs and outputs of {path}, and a .dla file does not"
        hint = f"describe them in the options inputs and outputs, or put {source.name} beside it, or set tensors_from"
        raise ModelError("network-tensors", summary, hint)
    model = read(source)
    return (
        tuple(spec(model.tensors[index]) for index in model.inputs),
        tuple(spec(model.tensors[index]) for index in model.outputs),
    )
