"""Imports what a reference names, ``"package.module:name"``, with errors that show the right form."""

from __future__ import annotations

from importlib import import_module

from mlperf_mobile.errors import did_you_mean


def imported(path: str) -> object:
    """The object at a path.

    Raises:
        ValueError: The path has another form.
        ImportError: The module cannot be imported.
        AttributeError: The module has no such attribute; the message names similar ones.
    """
    name, _, attribute = path.partition(":")
    if not all(map(str.isidentifier, [*name.split("."), attribute])):
        raise ValueError(f"Ref({path!r}) is not of the form Ref('package.module:name')")
    module = import_module(name)
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        known = [each for each in vars(module) if not each.startswith("_")]
        raise AttributeError(f"Ref({path!r}): {name} has no {attribute!r}; {did_you_mean(attribute, known)}") from error
