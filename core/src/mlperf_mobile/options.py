"""A plugin's own options: the pydantic model that its offer names, built once and given to the plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from mlperf_mobile.errors import BackendError, UsageError, described
from mlperf_mobile.registry import Offer
from mlperf_mobile.terms import misfit


def options_model(kind: str, offer: Offer[Any]) -> type[BaseModel] | None:
    """The pydantic model of a plugin's options; importing it runs the plugin's code for the first time.

    Raises:
        BackendError: ``plugin-broken``: it cannot be imported.
    """
    if offer.info.options is None:
        return None
    try:
        return cast("type[BaseModel]", offer.info.options.load())
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        summary = f"{kind} {offer.info.name} cannot be loaded: {described(error)}"
        raise BackendError("plugin-broken", summary, f"update or reinstall {offer.source.distribution}") from error


def validated(kind: str, offer: Offer[Any], given: Mapping[str, Any]) -> BaseModel | None:
    """The options in a plan as the model for the plugin's constructor; None for a plugin without options.

    Raises:
        UsageError: ``bad-options``; names the option.
        BackendError: ``plugin-broken``: the model cannot be imported.
    """
    model = options_model(kind, offer)
    try:
        return model.model_validate(dict(given)) if model else None
    except ValidationError as error:
        summary = f"{kind} {offer.info.name}: {misfit(error)}"
        raise UsageError("bad-options", summary, f"check {kind}_options") from error
