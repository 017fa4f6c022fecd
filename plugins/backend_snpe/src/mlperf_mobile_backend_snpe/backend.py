"""The backend ``snpe``: QNN runs .tflite and .onnx models, SNPE runs .dlc models.

SNPE's part is :mod:`mlperf_mobile_backend_snpe.native`; its options are the group ``native``, and its compiled models
end in ``.dlc``, like its sources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlperf_mobile.contracts import Artifact, Backend, CompileRequest, Probe, Session
from mlperf_mobile_backend_snpe.native.backend import NativeExecutor
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn.executor import QnnExecutor

NATIVE = "dlc"
_ORDER = ("htp", "gpu", "htp-simulator", "cpu")


class SnpeBackend:
    """Runs models on Qualcomm's accelerators, or on the simulator of one.

    Args:
        options: See :class:`SnpeOptions`.
    """

    def __init__(self, options: SnpeOptions) -> None:
        self._options = options
        self._qnn = QnnExecutor(self._options)
        self._native = NativeExecutor(self._options.native)

    @property
    def shards(self) -> int:
        """The option ``shards``; 1 by default, because there is one HTP."""
        return self._options.shards

    def probe(self) -> Probe:
        """Probe both stacks; usable if either is. Never raises."""
        qnn, native = self._qnn.probe(), self._native.probe()
        found = [each for each in (qnn, native) if each.usable]
        if not found:
            return Probe(
                usable=False,
                versions={**native.versions, **qnn.versions},
                reason=f"QNN: {qnn.reason}; SNPE: {native.reason}",
                fix=f"{qnn.fix}; or {native.fix}" if native.fix else qnn.fix,
            )
        names = {name for each in found for name in each.accelerators}
        functional = {name: why for each in found for name, why in each.functional_only.items()}
        return Probe(
            usable=True,
            accelerators=tuple(name for name in _ORDER if name in names),
            versions={name: number for each in found for name, number in each.versions.items()},
            runtime="; ".join(each.runtime for each in found),
            devices=tuple(device for each in found for device in each.devices),
            functional_only=functional,
        )

    def compile(self, request: CompileRequest) -> Artifact:
        """Compile ahead of time, with the stack for the model's format.

        Raises:
            ModelError: The model is missing, damaged, of another format, or has operations that cannot be compiled.
            BackendError: The compiler failed.
        """
        form = request.format or request.model.suffix.lstrip(".").lower()
        return self._native.compile(request) if form == NATIVE else self._qnn.compile(request)

    def load(self, artifact: Artifact) -> Session:
        """Load a compiled model.

        Raises:
            ModelError: The file is damaged.
            BackendError: It is not for this device, or the accelerator is not available.
        """
        is_native = artifact.path.suffix.lower() == f".{NATIVE}"
        return self._native.load(artifact) if is_native else self._qnn.load(artifact)


if TYPE_CHECKING:  # lets the type checker compare the class with the contract
    _backend: type[Backend] = SnpeBackend
