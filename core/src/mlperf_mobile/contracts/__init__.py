"""The contracts of backends, tasks, data sets, metrics, scenarios, observers and transports.

What needs NumPy is imported when it is used, because planning a run does not need it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from mlperf_mobile.contracts.backend import (
    Artifact,
    Backend,
    BatchSession,
    CompileRequest,
    Device,
    MeteredSession,
    Placement,
    Probe,
    Purpose,
    ReportingSession,
    Session,
    SteppingSession,
    TracingBackend,
    VaryingSession,
)
from mlperf_mobile.contracts.generation import (
    CountingSession,
    DeepSession,
    Generation,
    PromptedSystem,
    StreamingSystem,
    TextAnswer,
    TextSession,
    TimedAnswer,
    TokenSession,
)
from mlperf_mobile.contracts.native import NativeBackend, NativeEngine, NativePlace, NativeRequest, NativeValue
from mlperf_mobile.contracts.observer import Baseline, Graph, ObservedPart, ObservedRun, Observer
from mlperf_mobile.contracts.part import Curves, Listing, ResultPart, ScenarioPart
from mlperf_mobile.contracts.rates import ArrivalRate, SearchStep
from mlperf_mobile.contracts.scenario import (
    COUNTED,
    INFERENCE,
    INFERENCE_AND_DECODING,
    LIVE,
    AnsweredCall,
    CheckingScenario,
    GroupingScenario,
    Load,
    LoadGenValue,
    LoggedRun,
    LoggedScenario,
    Measurement,
    PerformanceScore,
    PlannedScenario,
    Rule,
    Scenario,
    SearchingScenario,
    Seeds,
    Share,
    SystemUnderTest,
)
from mlperf_mobile.contracts.task import (
    Codec,
    Dataset,
    DatasetWithWarnings,
    FingerprintedDataset,
    GeneratingTask,
    IllustratingMetric,
    InfiniteOutputs,
    Metric,
    Recipe,
    Score,
    SizingTask,
    Task,
    TextTask,
)
from mlperf_mobile.contracts.transport import (
    DeviceError,
    DeviceFacts,
    DeviceLost,
    HoldingTransport,
    Output,
    Transport,
)
from mlperf_mobile.terms import Mode

if TYPE_CHECKING:
    from mlperf_mobile.contracts.quantisation import check_quantisation, real_values, stored_values
    from mlperf_mobile.contracts.tensors import Tensors, TensorSpec, TokenIds

__all__ = [
    "COUNTED",
    "INFERENCE",
    "INFERENCE_AND_DECODING",
    "LIVE",
    "AnsweredCall",
    "ArrivalRate",
    "Artifact",
    "Backend",
    "Baseline",
    "BatchSession",
    "CheckingScenario",
    "Codec",
    "CompileRequest",
    "CountingSession",
    "Curves",
    "Dataset",
    "DatasetWithWarnings",
    "DeepSession",
    "Device",
    "DeviceError",
    "DeviceFacts",
    "DeviceLost",
    "FingerprintedDataset",
    "GeneratingTask",
    "Generation",
    "Graph",
    "GroupingScenario",
    "HoldingTransport",
    "IllustratingMetric",
    "InfiniteOutputs",
    "Listing",
    "Load",
    "LoadGenValue",
    "LoggedRun",
    "LoggedScenario",
    "Measurement",
    "MeteredSession",
    "Metric",
    "Mode",
    "NativeBackend",
    "NativeEngine",
    "NativePlace",
    "NativeRequest",
    "NativeValue",
    "ObservedPart",
    "ObservedRun",
    "Observer",
    "Output",
    "PerformanceScore",
    "Placement",
    "PlannedScenario",
    "Probe",
    "PromptedSystem",
    "Purpose",
    "Recipe",
    "ReportingSession",
    "ResultPart",
    "Rule",
    "Scenario",
    "ScenarioPart",
    "Score",
    "SearchStep",
    "SearchingScenario",
    "Seeds",
    "Session",
    "Share",
    "SizingTask",
    "SteppingSession",
    "StreamingSystem",
    "SystemUnderTest",
    "Task",
    "TensorSpec",
    "Tensors",
    "TextAnswer",
    "TextSession",
    "TextTask",
    "TimedAnswer",
    "TokenIds",
    "TokenSession",
    "TracingBackend",
    "Transport",
    "VaryingSession",
    "check_quantisation",
    "real_values",
    "stored_values",
]

_WITH_NUMPY = {
    "Tensors": "tensors", "TensorSpec": "tensors", "TokenIds": "tensors",
    "check_quantisation": "quantisation", "real_values": "quantisation", "stored_values": "quantisation",
}  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _WITH_NUMPY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WITH_NUMPY[name]}"), name)
