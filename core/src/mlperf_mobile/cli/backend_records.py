"""What listings and the doctor say of backends: as their plugins declare, as a probe finds, as a device reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlperf_mobile import needs
from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.registry import Offer, Registry

Record = dict[str, Any]


def backend_records(registry: Registry, *, probe: bool) -> list[Record]:
    """Every backend, and whether it is usable: by the needs it declares, or with ``probe`` by loading it."""
    records = [_backend_record(offer) for offer in registry.backends.values()]
    if probe:
        from mlperf_mobile.launch.probe import probe_all

        found = probe_all([record["name"] for record in records])
        for record in records:
            probed = found[record["name"]]
            record |= {key: probed[key] for key in ("usable", "reason", "fix", "runtime", "versions")}
            record["accelerators_found"] = probed["accelerators"]
            record |= {key: probed[key] for key in ("devices", "functional_only")}
    return records


def _backend_record(offer: Offer[BackendInfo]) -> Record:
    info = offer.info
    missing = needs.missing(info.needs)
    return offer_record(offer) | {
        "vendor": info.vendor,
        "usable": missing is None,
        "reason": f"needs {missing.what}" if missing else "",
        "fix": missing.fix if missing else "",
        "accelerators": list(info.accelerators),
        "model_formats": list(info.model_formats),
        "capabilities": sorted(info.capabilities),
    }


def offer_record(offer: Offer[Any]) -> Record:
    """What every listing says of an offer."""
    return {
        "name": offer.info.name,
        "summary": offer.info.summary,
        "distribution": offer.source.distribution,
        "version": offer.source.version,
    }


def device_report(registry: Registry, address: str, *words: str) -> Record:
    """What the command on a device reports about its backends, with ``device``, what it is.

    Raises:
        UsageError: The address cannot be read.
        DeviceError: The device cannot be used, or its environment is missing or of another version.
    """
    from dataclasses import asdict

    from mlperf_mobile.config.placing import transport_of
    from mlperf_mobile.contracts.transport import DeviceError
    from mlperf_mobile.launch.on_device import ask

    offer = transport_of(registry, address, "--device")
    found, facts = ask(offer.info.transport.load()(address.partition(":")[2]), address, *words)
    backends = found.get("backends")
    here = {name for offer in registry.backends.values() for name in offer_record(offer)}
    if not isinstance(backends, list) or not all(isinstance(each, dict) and here <= each.keys() for each in backends):
        summary = f"{address}: its environment has another version, and its answer cannot be read"
        raise DeviceError("device-setup", summary, f"mlperf-mobile devices setup {address}")
    return {**found, "device": asdict(facts) | {"more": dict(facts.more)}}


def device_lines(record: Record) -> Iterable[str]:
    """The devices and the functional-only accelerators that a probe found."""
    for device in record.get("devices", ()):
        facts = ", ".join(f"{key} {value}" for key, value in device["facts"].items())
        version = f" {device['version']}" if device["version"] else ""
        yield f"{record['name']}/{device['accelerator']}: {device['name']}{version}{f' ({facts})' if facts else ''}"
    for accelerator, reason in record.get("functional_only", {}).items():
        yield f"{record['name']}/{accelerator}: functional only, its speed is meaningless: {reason}"
