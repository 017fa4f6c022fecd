"""The contracts: what a backend, a task, a data set, a metric and a scenario must do."""

from mlperf_mobile.contracts.backend import (
    Artifact,
    Backend,
    BatchSession,
    CompileRequest,
    Device,
    MeteredSession,
    Placement,
    Probe,
    ReportingSession,
    Session,
    TokenSession,
)
from mlperf_mobile.contracts.quantisation import check_quantisation, real_values, stored_values
from mlperf_mobile.contracts.scenario import (
    Load,
    Measurement,
    PerformanceScore,
    Rule,
    Scenario,
    Seeds,
    Share,
    SystemUnderTest,
)
from mlperf_mobile.contracts.task import Codec, Dataset, Fingerprinted, Metric, Recipe, Score, Task
from mlperf_mobile.contracts.tensors import Options, Tensors, TensorSpec

__all__ = [
    "Artifact",
    "Backend",
    "BatchSession",
    "Codec",
    "CompileRequest",
    "Dataset",
    "Device",
    "Fingerprinted",
    "Load",
    "Measurement",
    "MeteredSession",
    "Metric",
    "Options",
    "PerformanceScore",
    "Placement",
    "Probe",
    "Recipe",
    "ReportingSession",
    "Rule",
    "Scenario",
    "Score",
    "Seeds",
    "Session",
    "Share",
    "SystemUnderTest",
    "Task",
    "TensorSpec",
    "Tensors",
    "TokenSession",
    "check_quantisation",
    "real_values",
    "stored_values",
]
