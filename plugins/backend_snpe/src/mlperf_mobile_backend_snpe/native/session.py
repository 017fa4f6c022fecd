"""A model loaded by libSNPE.so: one SNPE call per run, on buffers bound once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Self

import numpy as np

from mlperf_mobile.backend_checks import batch_misfit, closed, misfit, of_one_sample
from mlperf_mobile.contracts import Placement, Tensors
from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_snpe.native.library import Library
from mlperf_mobile_backend_snpe.native.network import Network, explain
from mlperf_mobile_backend_snpe.native.options import Runtime
from mlperf_mobile_backend_snpe.native.placement import placement
from mlperf_mobile_backend_snpe.native.profile import Profile
from mlperf_mobile_backend_snpe.native.tensors import Buffers


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """The parts of a session."""

    library: Library
    network: Network
    name: str
    """The model's name, for messages."""
    runtimes: tuple[Runtime, ...]
    profile: Profile | None = None


class _Session:
    """The common part of both kinds of session."""

    run: Callable[[Tensors], Tensors]
    """See :meth:`mlperf_mobile.contracts.Session.run`; a closure, because that costs less than a method."""

    def __init__(self, loaded: LoadedModel) -> None:
        library, network = loaded.library, loaded.network
        self._loaded, self._name = loaded, loaded.name
        self.inputs = tuple(tensor.spec for tensor in network.inputs)
        self.outputs = tuple(tensor.spec for tensor in network.outputs)
        self._feeds = Buffers(library, network.inputs)
        try:
            self._fetches = Buffers(library, network.outputs)
        except BaseException:
            self._feeds.close()
            raise
        handles = (network.handle, self._feeds.map, self._fetches.map)
        self._handles = [ctypes.c_void_p(handle) for handle in handles]
        self._open = True

    def _execute(self) -> Callable[[], None]:
        """Run the network on the buffers."""
        loaded, library = self._loaded, self._loaded.library
        name = "SNPE_ExecuteUserBuffers"
        function = library.function(name)
        network, feeds, fetches = self._handles

        def execute() -> None:
            if code := function(network, feeds, fetches):
                explain(library.failure(name, code), loaded.name)

        return execute

    def placement(self) -> Placement:
        """See :func:`mlperf_mobile_backend_snpe.native.placement.placement`."""
        if not self._open:
            self._closed()
        return placement(self._loaded.runtimes)

    def report(self) -> Mapping[str, Any]:
        """The runtimes, and where SNPE wrote its profile."""
        profile = self._loaded.profile
        return {"runtimes": list(self._loaded.runtimes), **({"profile": profile.files()} if profile else {})}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._open:
            return
        self._open = False
        self.run = self._closed
        for handle in self._handles:  # so that a call after closing passes no deleted handle
            handle.value = None
        if self._loaded.profile:
            self._loaded.profile.close()
        self._fetches.close()
        self._feeds.close()
        self._loaded.library.get("SNPE_Delete", self._loaded.network.handle)

    def _closed(self, *_: object) -> NoReturn:
        raise closed(self._name)


class SnpeSession(_Session):
    """A model loaded for one sample per call."""

    def __init__(self, loaded: LoadedModel) -> None:
        super().__init__(loaded)
        self.run = self._runner()

    def _runner(self) -> Callable[[Tensors], Tensors]:
        """Inputs are copied into SNPE's buffers, outputs are these buffers."""
        execute, feeds, outputs, copy = self._execute(), self._feeds.arrays, self._fetches.arrays, np.copyto
        name, specs = self._name, self.inputs
        shapes = tuple(feed.shape for feed in feeds)

        def run(inputs: Tensors) -> Tensors:
            try:
                for feed, shape, tensor in zip(feeds, shapes, inputs, strict=True):
                    if tensor.shape != shape:
                        raise ValueError  # an assignment would broadcast it
                    copy(feed, tensor, "no")
            except (AttributeError, TypeError, ValueError) as error:
                if wrong := misfit(inputs, specs, name):
                    raise wrong from error
                raise
            execute()
            return outputs

        return run


class SnpeBatchSession(_Session):
    """A model loaded for up to ``batch`` samples per call; its tensors have one slot per sample.

    Raises:
        ModelError: ``model-batch``: an output has no slot for each sample.
    """

    run_batch: Callable[[Sequence[Tensors]], Sequence[Tensors]]
    """See :meth:`mlperf_mobile.contracts.BatchSession.run_batch`."""

    def __init__(self, loaded: LoadedModel, batch: int) -> None:
        for tensor in (*loaded.network.inputs, *loaded.network.outputs):
            if tensor.shape[:1] != (batch,):
                summary = f"tensor {tensor.spec.name} of {loaded.name} is {tensor.spec}, not of {batch} samples"
                raise ModelError("model-batch", summary, "use batch 1, or convert the model for this batch")
        super().__init__(loaded)
        self.inputs, self.outputs = of_one_sample(self.inputs), of_one_sample(self.outputs)
        self.run_batch = run_batch = self._batch_runner(batch)
        self.run = lambda inputs: run_batch((inputs,))[0]

    def _batch_runner(self, batch: int) -> Callable[[Sequence[Tensors]], Sequence[Tensors]]:
        """Every sample is copied once, into its slot; unused slots keep their contents."""
        execute, feeds, fetches = self._execute(), self._feeds.arrays, self._fetches.arrays
        name, specs = self._name, self.inputs
        expected = [(spec.shape, spec.dtype) for spec in specs]
        answers = [tuple(fetch[slot : slot + 1] for fetch in fetches) for slot in range(batch)]

        def run_batch(samples: Sequence[Tensors]) -> Sequence[Tensors]:
            count = len(samples)
            if not 0 < count <= batch:
                raise batch_misfit(count, batch, name)
            for slot, sample in enumerate(samples):
                try:
                    if [(tensor.shape, tensor.dtype) for tensor in sample] != expected:
                        raise ValueError  # an assignment would convert and broadcast
                    for feed, tensor in zip(feeds, sample, strict=True):
                        feed[slot] = tensor[0]
                except (AttributeError, TypeError, ValueError) as error:
                    if wrong := misfit(sample, specs, name):
                        raise wrong from error
                    raise
            execute()
            return answers[:count]

        return run_batch

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self.run_batch = self._closed
