"""A plugin gets its options as its own model, built once; an error names what does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mlperf_mobile.config.document import Setting
from mlperf_mobile.config.plugin_options import plugin_options
from mlperf_mobile.errors import BackendError, UsageError
from mlperf_mobile.opening import open_dataset
from mlperf_mobile.options import check_defaults, validated
from mlperf_mobile.plan import DatasetRef
from mlperf_mobile.plugin import BackendInfo, DatasetInfo, Ref
from mlperf_mobile.problems import Source
from mlperf_mobile.registry import Offer
from mlperf_mobile.worker import probe

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

    def sample(self, index): ...
    def truth(self, index): ...

    def __len__(self):
        return 1


@dataclass
class NoModel:
    threads: int = 1


def no_class():
    """Options that are a function."""


NUMBER = 5


class RaisesInField(BaseModel):
    threads: int = 1
    level: int = 1

    @field_validator("level")
    @classmethod
    def _level(cls, value):
        raise RuntimeError("no driver")


class RaisesInModel(BaseModel):
    threads: int = 1

    @model_validator(mode="after")
    def _fits(self):
        raise RuntimeError


class NoJson(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    threads: int = 1
    handle: object = object()


class NoText(BaseModel):
    threads: int = 1
    key: bytes = b"\xff"


class Infinite(BaseModel):
    threads: int = 1
    limit: float = float("inf")


class Misfit(BaseModel):
    threads: int = 1
    level: int = "high"


class Compares:
    """Neither equal to another nor not, as arrays of numpy."""

    def __eq__(self, other):
        raise ValueError("the truth value is ambiguous")

    __hash__ = object.__hash__


class NotComparable(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    threads: int = 1
    table: Compares | str = Compares()


class Undefined(BaseModel):
    threads: NoSuchType = 1  # noqa: F821


class Required(BaseModel):
    need: str


def offer(options):
    ref = Ref(f"{__name__}:{getattr(options, '__name__', options)}") if options else None
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


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (NoModel, f"<class '{__name__}.NoModel'>"),
        (no_class, "a value of type function"),
        ("NUMBER", "a value of type int"),
    ],
)
def test_options_that_are_no_model_are_their_plugins(options, what):
    with pytest.raises(BackendError) as caught:
        plugin_options("backend", offer(options), {})
    summary = f"backend acme: options is {what}, a pydantic model was expected"
    assert (caught.value.code, caught.value.summary) == ("plugin-broken", summary)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (RaisesInField, "option level cannot be validated: RuntimeError: no driver"),
        (RaisesInModel, "options cannot be validated: RuntimeError"),
        (NoJson, "option handle cannot be written as JSON: PydanticSerializationError: "),
        (NoText, "option key cannot be written as JSON: UnicodeDecodeError: "),
        (Infinite, "option limit cannot be written as JSON: ValueError: "),
        (Misfit, "a default of its options does not fit them: level: Input should be a valid integer"),
        (NotComparable, "option table cannot be written as JSON: "),
        (Undefined, "options cannot be validated: PydanticUserError: "),
    ],
)
def test_a_model_that_fails_is_its_plugins(options, told):
    given = {"threads": 2, "level": 3} if options is RaisesInField else {"threads": 2}
    layer = {f"backend_options.{key}": Setting(value, "here") for key, value in given.items()}
    with pytest.raises(BackendError) as caught:
        plugin_options("backend", offer(options), layer)
    assert caught.value.summary.startswith(f"backend acme: {told}")
    assert (caught.value.code, caught.value.hint) == ("plugin-broken", "report it to the author of backend acme")


def test_a_validator_that_fails_in_the_worker_is_its_plugins():
    with pytest.raises(BackendError, match="backend acme: option level cannot be validated: RuntimeError: no driver"):
        validated("backend", offer(RaisesInField), {"level": 1})


def test_an_option_that_must_be_set_is_the_users():
    with pytest.raises(UsageError) as caught:
        validated("backend", offer(Required), {})
    assert (caught.value.code, caught.value.summary) == ("bad-options", "backend acme: option need must be set")
    assert caught.value.hint == "--set backend_options.need=VALUE"


class NeedsAndMisfits(BaseModel):
    need: str
    threads: int = Field("one")


@pytest.mark.parametrize(
    ("options", "told"),
    [(Misfit, "level"), (NeedsAndMisfits, "threads"), (NotComparable, "option table cannot be written as JSON")],
)
def test_a_default_that_does_not_fit_is_found_without_a_run(options, told):
    with pytest.raises(BackendError) as caught:
        check_defaults("observer", offer(options))
    assert (caught.value.code, caught.value.summary.partition(": ")[0]) == ("plugin-broken", "observer acme")
    assert told in caught.value.summary


@pytest.mark.parametrize("options", [None, Required, Options])
def test_defaults_that_fit(options):
    check_defaults("backend", offer(options))


def test_the_hint_for_an_observer_names_the_observer():
    """Each has options of its own."""
    with pytest.raises(UsageError) as caught:
        validated("observer", offer(Required), {})
    assert caught.value.hint == "--set observer_options.acme.need=VALUE"


def test_a_probe_tells_the_user_what_to_set(monkeypatch):
    """And not to report it to the vendor."""
    sent = []
    registry = SimpleNamespace(backends={"acme": offer(Required)})
    monkeypatch.setattr(probe, "installed_plugins", lambda: registry)
    monkeypatch.setattr(probe, "Channel", lambda fd: SimpleNamespace(send=sent.append))
    monkeypatch.setattr("sys.argv", ["probe", "--events-fd", "3", "acme"])
    probe.main()
    assert sent[0].value == {
        "usable": False, "reason": "backend acme: option need must be set", "fix": "--set backend_options.need=VALUE",
    }  # fmt: skip


def test_a_data_set_gets_the_model_and_not_the_plans_text():
    info = DatasetInfo(
        name="numbers", summary="", dataset=Ref(f"{__name__}:Numbers"), tasks=("t",), needs_path=False,
        options=Ref(f"{__name__}:Options"), hook_api=(2, 0),
    )  # fmt: skip

    class Registry:
        datasets = {"numbers": Offer(info, SOURCE)}  # noqa: RUF012

    open_dataset(Registry(), DatasetRef(name="numbers", offer="numbers", options={"threads": 3}))
    assert Numbers.given == Options(threads=3)
