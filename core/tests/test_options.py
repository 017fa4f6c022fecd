"""A plugin gets its options as its own model, built once; what does not fit is told by name."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mlperf_mobile.errors import BackendError, UsageError
from mlperf_mobile.options import validated
from mlperf_mobile.plan import DatasetRef
from mlperf_mobile.plugin import BackendInfo, DatasetInfo, Ref
from mlperf_mobile.registry import Offer, Source
from mlperf_mobile.scoring import open_dataset

SOURCE = Source("acme", "acme-dist", "1.0")


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    level: int = Field(0, le=3)


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    threads: int = 1
    inner: Inner = Inner()

    @model_validator(mode="after")
    def _fits(self) -> Options:
        if self.threads == 13:
            raise ValueError("13 threads are too many")
        return self


class Numbers:
    """A data set that keeps what it is given."""

    given: object = None

    def __init__(self, path, options):
        Numbers.given = options

    def __len__(self):
        return 1


def offer(options):
    ref = Ref(f"{__name__}:{options.__name__}") if options else None
    info = BackendInfo(
        name="acme", summary="", vendor="", backend=Ref("x:y"), model_formats=("m",), options=ref, hook_api=(2, 0)
    )
    return Offer(info, SOURCE)


def test_options_that_fit():
    assert validated("backend", offer(Options), {"threads": 2}) == Options(threads=2)


@pytest.mark.parametrize(
    ("given", "summary"),
    [
        ({"thread": 1}, "backend acme: thread: Extra inputs are not permitted"),
        ({"inner": {"level": 4}}, "backend acme: inner.level: Input should be less than or equal to 3"),
        ({"threads": 13}, "backend acme: 13 threads are too many"),
    ],
)
def test_options_that_do_not(given, summary):
    with pytest.raises(UsageError) as caught:
        validated("backend", offer(Options), given)
    assert (caught.value.code, caught.value.summary) == ("bad-options", summary)
    assert caught.value.hint


def test_a_plugin_without_options_gets_none():
    assert validated("backend", offer(None), {"stale": 1}) is None


def test_a_model_that_cannot_be_imported_is_its_distributions():
    broken = Offer(
        BackendInfo(
            name="acme", summary="", vendor="", backend=Ref("x:y"), model_formats=("m",),
            options=Ref("no_such_module:Options"), hook_api=(2, 0),
        ),
        SOURCE,
    )  # fmt: skip
    with pytest.raises(BackendError, match="backend acme cannot be loaded") as caught:
        validated("backend", broken, {})
    assert (caught.value.code, caught.value.hint) == ("plugin-broken", "update or reinstall acme-dist")


def test_a_data_set_gets_the_model_and_not_the_plans_text():
    info = DatasetInfo(
        name="numbers", summary="", dataset=Ref(f"{__name__}:Numbers"), tasks=("t",), needs_path=False,
        options=Ref(f"{__name__}:Options"), hook_api=(2, 0),
    )  # fmt: skip

    class Registry:
        datasets = {"numbers": Offer(info, SOURCE)}  # noqa: RUF012

    open_dataset(Registry(), DatasetRef(name="numbers", offer="numbers", options={"threads": 3}))
    assert Numbers.given == Options(threads=3)
