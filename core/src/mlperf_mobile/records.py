"""References to objects, the base of what plugins offer, and what they tell; all need only the standard library."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar, cast, dataclass_transform

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Ref(Generic[T_co]):
    """A promise of an object, ``"package.module:attribute"``, imported by :meth:`load` and not before."""

    path: str
    """``"package.module:attribute"``."""

    def load(self) -> T_co:
        """Import and return the object.

        Raises:
            ValueError: The path has another form.
            ImportError: The module cannot be imported.
            AttributeError: The module has no such attribute.
        """
        from mlperf_mobile.refs import imported

        return cast("T_co", imported(self.path))


class Record:
    """Compares and shows records; functions generated for each class would make a listing 6 % slower."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(tuple(_values(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in _values(self).items())})"


def _values(record: Any) -> dict[str, object]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: type[T]) -> type[T]:
    """Make a class of fields a frozen record whose fields are given by name."""
    return dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)(cls)


@dataclass(frozen=True, slots=True)
class Remark:
    """One line that a plugin adds to a displayed result: ``Remark("stands", "3rd of 11 published results")``.

    An ``alarm`` is displayed prominently.
    """

    label: str
    """At most a few words, at the beginning of the line."""
    text: str
    """The rest of the line."""
    alarm: bool = False
    """Whether it must not be overlooked."""


@dataclass(frozen=True, slots=True)
class EnvFact:
    """One fact about the machine, written into every result: ``EnvFact("snpe.version", "2.21")``."""

    key: str
    """Unique, with the plugin in it: ``"snpe.version"``."""
    value: str | int | float | bool
    """A number must be finite."""
