"""What a round requires of a submission, from the settings of its task and suite alone."""

from __future__ import annotations

from mlperf_mobile.config import layers
from mlperf_mobile.config.benchmark_request import BenchmarkRequest
from mlperf_mobile.config.document import read_resource
from mlperf_mobile.config.settings import Settings
from mlperf_mobile.plan import Official
from mlperf_mobile.registry import Registry
from mlperf_mobile.terms import Counts, EarlyStopping, Seeds, TokenRules


def official(registry: Registry, request: BenchmarkRequest, scenario: str) -> Official | None:
    """The round's requirements, by the settings of the task and the suite; None if the suite sets no seeds.

    Args:
        registry: The installed plugins.
        request: The benchmark; what a tuning or the user sets does not matter.
        scenario: The scenario of the run, for a suite that names none.

    Raises:
        UsageError: A value of the suite is wrong.
    """
    layer = layers.merge([request.catalogue.defaults, *request.of_suite])
    if not any(key.startswith("seeds.") for each in request.of_suite for key in each):
        return None
    values = {key: setting.value for key, setting in layer.items()}
    named = str(values.get("scenario", scenario))
    if named not in registry.scenarios or not {"model", "dataset"} <= values.keys():
        return None
    defaults = read_resource(registry.scenarios[named].info.settings, f"scenario {named}")
    counts = layers.under(layers.merge([defaults, layer]), f"runs.{named}.normal.")
    demanded = layers.under(layer, "token_rules.")
    return Official(
        round=str(request.benchmark.suite),
        scenario=named,
        **layers.check(Counts, counts, "").model_dump(),
        percentile=values.get("percentile", Settings.model_fields["percentile"].default),
        early_stopping=values.get("early_stopping", EarlyStopping.REQUIRED),
        seeds=layers.check(Seeds, layers.under(layer, "seeds."), ""),
        model=str(values["model"]),
        dataset=str(values["dataset"]),
        performance_dataset=values.get("performance_dataset"),
        token_rules=layers.check(TokenRules, demanded, "")
        if (demanded := layers.under(layer, "token_rules."))
        else None,
    )
