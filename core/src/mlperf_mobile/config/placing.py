"""Where a run takes place: the device, and the runner that carries it out there."""

from __future__ import annotations

from typing import NamedTuple

from mlperf_mobile import needs
from mlperf_mobile.config.document import Layer
from mlperf_mobile.contracts.transport import DeviceError
from mlperf_mobile.errors import UsageError, described
from mlperf_mobile.options import complete
from mlperf_mobile.picking import pick
from mlperf_mobile.plan import CHOSEN_LATER, PYTHON
from mlperf_mobile.plugin import TransportInfo
from mlperf_mobile.registry import Offer, Registry

LOCAL = "local"
"""This machine, as a device and among the places of a runner."""
_LONGEST = 255


class Placed(NamedTuple):
    """A device and a runner."""

    device: str | None
    """None for this machine."""
    runner: str
    offered_by: dict[str, str]
    """The distributions that offer transport and runner, as in a plan."""

    @property
    def is_here(self) -> bool:
        """Whether the core's worker does it, so that what a backend needs must be installed on this machine."""
        return self.device is None and self.runner == PYTHON


def place(registry: Registry, layer: Layer, *, chosen_later: bool = False) -> Placed:
    """The device and the runner that the settings name.

    Args:
        registry: The installed plugins.
        layer: The settings.
        chosen_later: An executor chooses the device; then the settings must not.

    Raises:
        UsageError: The address cannot be read, a name is unknown, or the runner does not run there.
        DeviceError: Something that the transport needs is not installed.
        BackendError: ``plugin-broken``: the transport lacks a method.
    """
    address, runner = (str(layer[key].value or "") if key in layer else "" for key in ("device", "runner"))
    if chosen_later:
        if address:
            summary = f"{layer['device'].source}: the device of this run is chosen elsewhere, and cannot be set"
            raise UsageError("bad-device", summary, "leave it out; mlperf-mobile run --help shows how to describe it")
        return Placed(CHOSEN_LATER, runner or CHOSEN_LATER, {})
    if address in ("", LOCAL):
        return _runner(registry, layer, None, LOCAL, runner or PYTHON, {})
    offer = transport_of(registry, address, layer["device"].source)
    by = {"transport": str(offer.source)}
    return _runner(registry, layer, address, offer.info.name, runner or offer.info.runner, by)


def transport_of(registry: Registry, address: str, source: str) -> Offer[TransportInfo]:
    """The transport of an address; nothing is contacted.

    Args:
        registry: The installed plugins.
        address: ``KIND:TARGET``.
        source: Where it was given.

    Raises:
        UsageError: The address cannot be read, or its kind is not installed.
        DeviceError: Something that the transport needs is not installed.
        BackendError: ``plugin-broken``: the transport lacks a method.
    """
    kind, colon, target = address.partition(":")
    if not (kind and colon and target and target.isprintable() and len(target) <= _LONGEST):
        known = ", ".join(f"{name}:…" for name in registry.transports) or "pip install 'mlperf-mobile[all]'"
        raise UsageError(
            "bad-device", f"{source}: {address[:_LONGEST]!r} is not the address of a device",
            f"write KIND:TARGET, as mlperf-mobile devices lists them; kinds: {known}",
        )  # fmt: skip
    offer = pick("transport", kind, registry.transports, registry, source)
    if lacking := needs.missing(offer.info.needs):
        raise DeviceError("device-unusable", f"{source}: {kind} devices need {lacking.what}", lacking.fix)
    try:
        made = offer.info.transport.load()(target)
    except (UsageError, KeyboardInterrupt):
        raise
    except BaseException as error:
        summary = f"transport {kind} cannot be loaded: {described(error)}"
        raise DeviceError("plugin-broken", summary, f"update or reinstall {offer.source.distribution}") from error
    complete("transport", kind, made)
    return offer


def _runner(
    registry: Registry, layer: Layer, device: str | None, kind: str, name: str, offered_by: dict[str, str]
) -> Placed:
    if device is None and name == PYTHON:
        return Placed(None, PYTHON, {})
    source = layer["runner"].source if "runner" in layer else ""
    offer = pick("runner", name, registry.runners, registry, source, also=[PYTHON])
    if not {kind, "*" if device else kind} & set(offer.info.places):
        where = device or "this machine"
        others = [each for each, other in registry.runners.items() if {kind, "*"} & set(other.info.places)]
        hint = f"choose another --runner: {', '.join(others if device else [PYTHON, *others])}"
        raise UsageError("runner-place", f"{source}: runner {name} does not run on {where}", hint)
    return Placed(device, name, offered_by | {"runner": str(offer.source)})
