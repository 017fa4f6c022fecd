"""Checks what a plugin's methods return, so that an error names the method and what was expected of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from numbers import Integral
from typing import Any, TypeVar, cast

import numpy as np

from mlperf_mobile.contracts import Artifact, Codec, Device, Metric, Placement, Probe, Session, TensorSpec
from mlperf_mobile.options import broken, shown

T = TypeVar("T")

_METHODS = ("run", "placement", "__enter__", "__exit__")


def returned(kind: str, name: str, method: str, value: object, expected: type[T]) -> T:
    """The value, if it is of the expected type.

    Raises:
        BackendError: ``plugin-broken``: ``probe() returned None, a Probe was expected``.
    """
    if not isinstance(value, expected):
        expects = _with_article(expected.__name__)
        raise broken(kind, name, f"{method}() returned {shown(value)}, {expects} was expected")
    return value


def probe(backend: str, value: object) -> Probe:
    """What ``Backend.probe`` returned; an unusable backend gives a reason.

    Raises:
        BackendError: ``plugin-broken``.
    """
    found = returned("backend", backend, "probe", value, Probe)
    texts = tuple((field, isinstance(getattr(found, field), str), "a text") for field in ("runtime", "reason", "fix"))
    for field, fits, what in (
        ("usable", isinstance(found.usable, bool), "True or False"),
        ("accelerators", _all_of(found.accelerators, str), "a tuple of names, such as ('cpu',)"),
        ("versions", _texts(found.versions), "a mapping of texts, such as {'litert': '2.3.0'}"),
        ("functional_only", _texts(found.functional_only), "a mapping of accelerators to reasons"),
        ("devices", _all_of(found.devices, Device), "a tuple of Device records"),
        *texts,
    ):
        if not fits:
            raise broken("backend", backend, f"Probe.{field} is {getattr(found, field)!r:.100}, not {what}")
    for device in found.devices:
        _check_device(backend, device)
    if not found.usable and not found.reason:
        raise broken("backend", backend, "probe() returned usable=False without a reason, Probe(reason=..., fix=...)")
    return found


def _check_device(backend: str, device: Device) -> None:
    for field in ("accelerator", "name", "version"):
        if not isinstance(value := getattr(device, field), str):
            raise broken("backend", backend, f"Device.{field} is {value!r:.100}, not a text")
    facts = device.facts
    if not isinstance(facts, Mapping) or not all(
        isinstance(key, str) and isinstance(value, (str, int, float)) for key, value in facts.items()
    ):
        reason = f"Device.facts is {facts!r:.100}, not a mapping of names to texts, numbers or True and False"
        raise broken("backend", backend, reason)


def shards(backend: str, value: object) -> int:
    """A backend's ``shards``.

    Raises:
        BackendError: ``plugin-broken``: it is not a number of at least 1.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < 1:
        raise broken("backend", backend, f"shards is {value!r:.60}, a whole number of at least 1 was expected")
    return int(value)


def artifact(backend: str, value: object) -> Artifact:
    """What ``Backend.compile`` returned: it exists.

    Raises:
        BackendError: ``plugin-broken``.
    """
    found = returned("backend", backend, "compile", value, Artifact)
    try:
        exists = found.path.exists()
    except AttributeError:
        raise broken("backend", backend, f"Artifact.path is {shown(found.path)}, a Path was expected") from None
    if not exists:
        raise broken("backend", backend, f"compile() returned the artifact {found.path}, which does not exist")
    return found


def session(backend: str, value: Any, method: str = "load") -> Session:
    """What ``Backend.load``, or a session's ``__enter__``, returned.

    Raises:
        BackendError: ``plugin-broken``.
    """
    return cast("Session", _with_methods("backend", backend, method, value, "a Session", _METHODS))


def specs(backend: str, opened: Session) -> None:
    """Check that a session describes its tensors.

    Raises:
        BackendError: ``plugin-broken``.
    """
    for name in ("inputs", "outputs"):
        value = getattr(opened, name, None)
        if not _all_of(value, TensorSpec):
            raise broken("backend", backend, f"Session.{name} is {value!r:.100}, a tuple of TensorSpec was expected")
        for spec in value or ():
            if not isinstance(spec.dtype, np.dtype):
                reason = f"TensorSpec.dtype of {spec.name} is {spec.dtype!r:.60}, np.dtype(np.float32) was expected"
                raise broken("backend", backend, reason)


def placement(backend: str, value: object, offered: Collection[str]) -> Placement:
    """What ``Session.placement`` returned: operations on offered accelerators, or on the CPU.

    Raises:
        BackendError: ``plugin-broken``.
    """
    found = returned("backend", backend, "placement", value, Placement)
    operations = found.operations
    if not isinstance(operations, Mapping) or not all(isinstance(count, Integral) for count in operations.values()):
        reason = (
            f"Placement.operations is {operations!r:.100}, counts by accelerator were expected, such as {{'npu': 64}}"
        )
        raise broken("backend", backend, reason)
    if strange := sorted(set(operations) - {*offered, "cpu"}):
        reason = f"placement() names {', '.join(map(repr, strange))}, and it offers {', '.join(offered)}"
        raise broken("backend", backend, f"{reason}; add it to BackendInfo.accelerators")
    return found


def codec(task: str, value: object) -> Codec:
    """What ``Task.bind`` returned.

    Raises:
        BackendError: ``plugin-broken``.
    """
    return cast("Codec", _with_methods("task", task, "bind", value, "a Codec", ("encode", "decode")))


def metric(task: str, value: object) -> Metric:
    """What ``Task.metric`` returned.

    Raises:
        BackendError: ``plugin-broken``.
    """
    return cast("Metric", _with_methods("task", task, "metric", value, "a Metric", ("update", "score")))


def _with_methods(kind: str, name: str, method: str, value: object, expected: str, methods: Sequence[str]) -> object:
    missing = [each for each in methods if not callable(getattr(value, each, None))]
    if value is None or missing == list(methods):
        raise broken(kind, name, f"{method}() returned {shown(value)}, {expected} was expected")
    if missing:
        lacks = " and ".join(missing)
        raise broken(kind, name, f"{method}() returned {shown(value)} without {lacks}, {expected} was expected")
    return value


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'AEIOUaeiou' else 'a'} {noun}"


def _texts(value: object) -> bool:
    """Whether it is a mapping of texts to texts."""
    return isinstance(value, Mapping) and all(isinstance(each, str) for pair in value.items() for each in pair)


def _all_of(value: object, kind: type) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(each, kind) for each in value)
