"""The hooks of this distribution."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlperf_mobile.plugin import DatasetInfo, Ref, Remark, TaskInfo, hookimpl

_PACKAGE = "mlperf_mobile_task_any_model"


@hookimpl
def mlperf_mobile_tasks() -> Iterable[TaskInfo]:
    """Offer the task."""
    yield TaskInfo(
        name="any_model",
        summary="any model, on generated inputs or on those in a file; speed only",
        task=Ref(f"{_PACKAGE}.task:AnyModel"),
        settings=f"{_PACKAGE}:task.yaml",
        for_any_model=True,
        has_metric=False,
        hook_api=(2, 2),
    )


@hookimpl
def mlperf_mobile_datasets() -> Iterable[DatasetInfo]:
    """Offer inputs: generated, or from a file."""
    yield DatasetInfo(
        name="tensors",
        summary="inputs of any model: generated from a seed, or read from an .npz file (--inputs FILE)",
        dataset=Ref(f"{_PACKAGE}.dataset:Inputs"),
        tasks=("any_model",),
        needs_path=False,
        options=Ref(f"{_PACKAGE}.options:InputsOptions"),
        hook_api=(2, 2),
    )


@hookimpl
def mlperf_mobile_remarks(result: Any) -> Iterable[Remark]:
    """Say where the inputs of a result come from."""
    if result.task != "any_model":
        return
    if file := result.files.get("dataset"):
        text = f"from {file.path}"
    else:
        text = f"generated from the model's tensors, seed {result.options.get('dataset.seed', 0)}"
    yield Remark("samples", f"{text}; no accuracy, and never a submission")
