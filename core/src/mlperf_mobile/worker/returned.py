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
    for field, fits, what in (
        ("accelerators", _names(found.accelerators), "a tuple of names, such as ('cpu',)"),
        ("versions", isinstance(found.versions, Mapping), "a mapping, such as {'litert': '2.3.0'}"),
        ("functional_only", isinstance(found.functional_only, Mapping), "a mapping of accelerators to reasons"),
        ("devices", _all_of(found.devices, Device), "a tuple of Device records"),
    ):
        if not fits:
            raise broken("backend", backend, f"Probe.{field} is {getattr(found, field)!r:.100}, not {what}")
    if not found.usable and not found.reason:
        raise broken("backend", backend, "probe() returned usable=False without a reason, Probe(reason=..., fix=...)")
    return found


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


def _names(value: object) -> bool:
    return _all_of(value, str)


def _all_of(value: object, kind: type) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(each, kind) for each in value)
