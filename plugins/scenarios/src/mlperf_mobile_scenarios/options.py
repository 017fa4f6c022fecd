"""The options of the scenarios; a wrong one is refused when a run is planned."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from mlperf_mobile.terms import Strict

HIGHEST_QPS = 1e6
Rate = Annotated[float, Field(gt=0, le=HIGHEST_QPS, allow_inf_nan=False)]
"""Queries per second."""
AnswerTimeout = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
MOST_COMBINATIONS = 1000
"""Of a token sweep."""
_LONGEST = 10**7


def _listed(value: Any) -> Any:
    """A single number as a list of one."""
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value


Length = Annotated[int, Field(ge=1, le=_LONGEST, strict=True)]
"""Tokens."""
Lengths = Annotated[list[Length], Field(min_length=1, max_length=MOST_COMBINATIONS), BeforeValidator(_listed)]
Depths = Annotated[
    list[Annotated[int, Field(ge=0, le=_LONGEST, strict=True)]],
    Field(min_length=1, max_length=MOST_COMBINATIONS), BeforeValidator(_listed),
]  # fmt: skip


class MultiStreamOptions(Strict):
    """Options of multi-stream; the default is that of LoadGen's ``mlperf.conf``."""

    samples_per_query: int = Field(default=8, ge=1, le=4096, description="samples of each query")
    answer_timeout_s: AnswerTimeout = Field(
        default=60.0, description="seconds after which a call that has not returned ends the run"
    )


class ServerOptions(Strict):
    """Options of server; the latency bound's default is that of LoadGen's ``mlperf.conf``."""

    target_qps: Rate | None = Field(
        default=None, description="mean rate of the queries, per second; by default the highest valid one is searched"
    )
    target_latency_ms: float = Field(
        default=10.0, gt=0, le=86_400_000, allow_inf_nan=False, description="latency bound in milliseconds"
    )
    max_batch: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="most queries in one call of a session; the batch of the run by default",
    )
    max_wait_us: float = Field(
        default=0.0, ge=0, le=1e6, allow_inf_nan=False,
        description="microseconds that the first query of a batch waits for more",
    )  # fmt: skip
    search_min_qps: Rate | None = Field(default=None, description="lowest rate of the search; estimated by default")
    search_max_qps: Rate | None = Field(default=None, description="highest rate of the search; open by default")
    search_precision: float = Field(
        default=0.02, ge=0.001, le=0.5, allow_inf_nan=False, description="relative width at which the search ends"
    )
    search_step_s: float | None = Field(
        default=None, gt=0, le=86400, allow_inf_nan=False,
        description="seconds of a trial; by default a twentieth of the minimum duration, and at least one",
    )  # fmt: skip
    search_steps: int = Field(default=16, ge=2, le=100, description="maximum number of trials")
    answer_timeout_s: AnswerTimeout = Field(
        default=60.0, description="seconds after which a call that has not returned ends the run"
    )

    @model_validator(mode="after")
    def _one_rate_or_a_range(self) -> Self:
        given = [
            name for name in ("search_min_qps", "search_max_qps", "search_step_s") if getattr(self, name) is not None
        ]
        if self.target_qps is not None and given:
            raise ValueError(f"target_qps is one rate, and {given[0]} is of a search; leave one of them out")
        low, high = self.search_min_qps, self.search_max_qps
        if low is not None and high is not None and low >= high:
            raise ValueError(f"the range of the search is empty: search_min_qps {low:g}, search_max_qps {high:g}")
        return self


class TokenSweepOptions(Strict):
    """Options of token-sweep."""

    prompt_tokens: Lengths | None = Field(
        default=None,
        description="lengths of prompts; by default 16, 32, 64 and so on to 1024 tokens, as far as they fit",
    )
    answer_tokens: Lengths = Field(default=[32], description="lengths of answers, in tokens")
    depths: Depths = Field(default=[0], description="numbers of tokens that are in the context before the prompt")
    repetitions: int | None = Field(
        default=None, ge=1, le=10_000,
        description="answers measured for each combination of lengths; by default the minimum query count of the rules",
    )  # fmt: skip
    prompts: Literal["samples", "random"] = Field(
        default="samples",
        description="what prompts are made of: pieces of the task's prompts, or random ids that occur in them",
    )

    @model_validator(mode="after")
    def _a_number_of_combinations_that_can_be_measured(self) -> Self:
        for name in ("prompt_tokens", "answer_tokens", "depths"):
            lengths = getattr(self, name) or []
            for each in lengths:
                if lengths.count(each) > 1:
                    raise ValueError(f"{name} has {each} twice")
        count = len(self.prompt_tokens or [0]) * len(self.answer_tokens) * len(self.depths)
        if count > MOST_COMBINATIONS:
            raise ValueError(f"{count} combinations of lengths are more than {MOST_COMBINATIONS}; shorten a list")
        return self
