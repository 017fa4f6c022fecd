"""A library's settings for each benchmark, and the configuration for an instance.

The messages are those of flutter/cpp/proto/backend_setting.proto; the order of the pairs is that of ``CppToCSettings``
in flutter/cpp/utils.cc (mobile_app_open, commit 051a47a).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mlperf_mobile.errors import BackendError, UsageError, did_you_mean
from mlperf_mobile_backend_capi.abi import MAX_PAIRS
from mlperf_mobile_backend_capi.accelerators import kinds
from mlperf_mobile_backend_capi.textformat import Malformed, Message, Word, parse

Pairs = tuple[tuple[str, str], ...]

_INTEGER = re.compile(r"(-?)(?:0[xX]([0-9a-fA-F]{1,8})|0([0-7]{1,11})|(0|[1-9][0-9]{0,9}))")

_VALUE = {"value": str, "name": str}
_CUSTOM = {"id": str, "value": str}
_MODEL_FILE = {"model_path": str, "model_checksum": str}
_DELEGATE: dict[str, object] = {
    "priority": int,
    "delegate_name": str,
    "accelerator_name": str,
    "accelerator_desc": str,
    "model_file": _MODEL_FILE,
    "batch_size": int,
    "custom_setting": _CUSTOM,
}
_BENCHMARK: dict[str, object] = {
    "benchmark_id": str,
    "custom_setting": _CUSTOM,
    "framework": str,
    "single_stream_expected_latency_ns": int,
    "delegate_choice": _DELEGATE,
    "delegate_selected": str,
}
_COMMON: dict[str, object] = {"id": str, "name": str, "value": _VALUE, "acceptable_value": _VALUE}
_SETTINGS: dict[str, object] = {"common_setting": _COMMON, "benchmark_setting": _BENCHMARK}


@dataclass(frozen=True, slots=True)
class Delegate:
    """One ``delegate_choice`` of a benchmark."""

    name: str
    accelerator: str
    """The library's name for it: ``"snpe_dsp"``."""
    description: str = ""
    batch: int = 1
    priority: int = 0
    custom: Pairs = ()
    models: tuple[str, ...] = ()
    """URLs of the model in the app."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One ``benchmark_setting``."""

    id: str
    framework: str = ""
    delegates: tuple[Delegate, ...] = ()
    selected: str = ""
    custom: Pairs = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a library."""

    common: Pairs = ()
    benchmarks: tuple[Benchmark, ...] = ()

    def benchmark(self, name: str) -> Benchmark:
        """The benchmark with this id.

        Raises:
            BackendError: ``capi-benchmark``: it does not exist; suggests the closest name.
        """
        for benchmark in self.benchmarks:
            if benchmark.id == name:
                return benchmark
        summary = f"the library's settings have no benchmark {name!r}"
        raise BackendError("capi-benchmark", summary, did_you_mean(name, [one.id for one in self.benchmarks]))


@dataclass(frozen=True, slots=True)
class Choice:
    """The configuration of an instance: ``mlperf_backend_configuration_t`` in Python."""

    delegate: str
    accelerator: str
    description: str
    batch: int
    pairs: Pairs
    framework: str = ""
    settings_batch: int = 1
    """The batch size that the settings recommend."""


def read(text: str, source: str) -> Settings:
    """Read settings; ``source`` is for messages.

    Raises:
        BackendError: ``capi-settings``: the text is malformed, or a field is unknown, missing or of another type.
    """
    try:
        message = parse(text)
        _check(message, _SETTINGS)
        common = [(_text(one, "id"), _text(_message(one, "value"), "value")) for one in _all(message, "common_setting")]
        return Settings(tuple(common), tuple([_benchmark(one) for one in _all(message, "benchmark_setting")]))
    except Malformed as error:
        hint = "report it to the library's vendor, or set the option settings to a corrected file"
        raise BackendError("capi-settings", f"the settings of {source} cannot be read: {error}", hint) from error


def choose_delegate(benchmark: Benchmark, accelerator: str, name: str | None) -> Delegate:
    """The delegate ``name``, or the one for ``accelerator``: the selected one first, then by priority.

    Raises:
        BackendError: ``capi-delegate``: none has this name; ``no-accelerator``: none is for the accelerator.
    """
    if name is not None:
        for delegate in benchmark.delegates:
            if delegate.name == name:
                if accelerator not in (kinds(delegate.accelerator) or (accelerator,)):
                    summary = f"delegate {name} of {benchmark.id} runs on {delegate.accelerator}, not on {accelerator}"
                    raise BackendError("no-accelerator", summary, "change --accelerator, or the option delegate")
                return delegate
        summary = f"benchmark {benchmark.id} has no delegate {name!r}"
        raise BackendError("capi-delegate", summary, did_you_mean(name, [one.name for one in benchmark.delegates]))
    ordered = sorted(benchmark.delegates, key=lambda one: (one.name != benchmark.selected, -one.priority))
    for delegate in ordered:
        if accelerator in kinds(delegate.accelerator):
            return delegate
    names = ", ".join(f"{one.name} on {one.accelerator}" for one in benchmark.delegates) or "none"
    raise BackendError(
        "no-accelerator",
        f"benchmark {benchmark.id} has no delegate for {accelerator}",
        f"its delegates are {names}; select one with --accelerator or the option delegate",
    )


def merge(pairs: Iterable[tuple[str, str]], own: Mapping[str, str]) -> Pairs:
    """``pairs`` with the user's settings ``own``.

    The app appends its own settings. Some libraries use the first pair of a name and some the last, so a user's value
    replaces every pair with its name, and only new names are appended.

    Raises:
        UsageError: ``capi-settings``: there are more than the interface allows, or one contains a NUL.
    """
    merged = [(key, own.get(key, value)) for key, value in pairs]
    known = {key for key, _ in merged}
    merged += [(key, value) for key, value in own.items() if key not in known]
    if len(merged) > MAX_PAIRS:
        summary = f"there are {len(merged)} settings, but the interface allows {MAX_PAIRS}"
        raise UsageError("capi-settings", summary, "shorten custom_settings")
    for key, value in merged:
        if "\0" in key + value:
            raise UsageError("capi-settings", f"the setting {key!r} contains a NUL character", "remove it")
    return tuple(merged)


def configure(
    settings: Settings,
    *,
    accelerator: str,
    batch: int,
    benchmark: str | None = None,
    delegate: str | None = None,
    accelerator_name: str | None = None,
    own: Mapping[str, str] | None = None,
) -> Choice:
    """The configuration for an instance; without a benchmark, from the common and the user's settings only.

    Raises:
        BackendError: The settings lack the benchmark or the delegate, or it is not for the accelerator.
        UsageError: There are too many settings.
    """
    if benchmark is None:
        name = accelerator_name or accelerator
        return Choice(delegate or "", name, name, batch, merge(settings.common, own or {}))
    chosen = settings.benchmark(benchmark)
    found = choose_delegate(chosen, accelerator, delegate)
    choice = Choice(
        found.name,
        found.accelerator,
        found.description,
        batch,
        merge([*found.custom, *settings.common, *chosen.custom], own or {}),
        chosen.framework,
        found.batch,
    )
    return replace(choice, accelerator=accelerator_name) if accelerator_name else choice


def _benchmark(message: Message) -> Benchmark:
    return Benchmark(
        id=_text(message, "benchmark_id"),
        framework=_text(message, "framework"),
        delegates=tuple([_delegate(one) for one in _all(message, "delegate_choice")]),
        selected=_text(message, "delegate_selected", ""),
        custom=_custom(message),
    )


def _delegate(message: Message) -> Delegate:
    return Delegate(
        name=_text(message, "delegate_name"),
        accelerator=_text(message, "accelerator_name"),
        description=_text(message, "accelerator_desc"),
        batch=_number(message, "batch_size", 1),
        priority=_number(message, "priority", 0),
        custom=_custom(message),
        models=tuple([_text(one, "model_path") for one in _all(message, "model_file")]),
    )


def _custom(message: Message) -> Pairs:
    return tuple([(_text(one, "id"), _text(one, "value")) for one in _all(message, "custom_setting")])


def _check(message: Message, schema: Mapping[str, object]) -> None:
    """Check that every field is known and has the type in the schema."""
    for name, value in message.fields:
        if name not in schema:
            raise Malformed(f"line {message.line}: field {name} is unknown; {did_you_mean(name, schema)}")
        kind = schema[name]
        if isinstance(kind, Mapping):
            if not isinstance(value, Message):
                raise Malformed(f"line {message.line}: {name} is a message")
            _check(value, kind)
        elif not isinstance(value, str if kind is str else Word):
            raise Malformed(f"line {message.line}: {name} is a {'string' if kind is str else 'whole number'}")


def _all(message: Message, name: str) -> list[Message]:
    return [value for field, value in message.fields if field == name and isinstance(value, Message)]


def _message(message: Message, name: str) -> Message:
    found = _all(message, name)
    if not found:
        raise Malformed(f"line {message.line}: {name} is missing")
    return found[-1]


def _text(message: Message, name: str, default: str | None = None) -> str:
    found = [value for field, value in message.fields if field == name and isinstance(value, str)]
    if not found and default is None:
        raise Malformed(f"line {message.line}: {name} is missing")
    return found[-1] if found else default or ""


def _number(message: Message, name: str, default: int) -> int:
    found = [value for field, value in message.fields if field == name and isinstance(value, Word)]
    if not found:
        return default
    written = _INTEGER.fullmatch(found[-1].text)
    if not written:
        raise Malformed(f"line {message.line}: {name} is a whole number, not {found[-1].text!r}")
    sign, hexadecimal, octal, decimal = written.groups()
    number = int(sign + (hexadecimal or octal or decimal), 16 if hexadecimal else 8 if octal else 10)
    if not -(2**31) <= number < 2**31:
        raise Malformed(f"line {message.line}: {name} is out of range")
    return number
