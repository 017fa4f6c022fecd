"""The devices that can be seen or are named, what they are, and what can run on each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mlperf_mobile import needs
from mlperf_mobile.contracts.transport import DeviceError, DeviceFacts, Transport
from mlperf_mobile.errors import MobileError, UsageError, described
from mlperf_mobile.plan import PYTHON
from mlperf_mobile.plugin import TransportInfo
from mlperf_mobile.registry import Offer, Registry
from mlperf_mobile_devices import hello
from mlperf_mobile_devices.inventory import PREFIX
from mlperf_mobile_devices.link import Control, Link

DISCOVER_S = 20.0
ASK_S = 60.0
_EVERYWHERE = "*"


@dataclass(frozen=True, slots=True)
class CanRun:
    """Whether a runner can be used on a device, and if not, why and what to do."""

    runner: str
    usable: bool
    reason: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A device with what can run there."""

    facts: DeviceFacts
    runners: tuple[CanRun, ...] = ()

    def record(self) -> dict[str, Any]:
        """As JSON data."""
        found = asdict(self.facts) | {"more": dict(self.facts.more)}
        return found | {"runners": [asdict(each) for each in self.runners]}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the devices of a transport cannot be seen."""

    transport: str
    reason: str
    fix: str


def look(registry: Registry, addresses: Sequence[str]) -> tuple[list[Seen], list[Trouble]]:
    """The devices that transports discover, or those that are named, all asked at the same time.

    Raises:
        UsageError: An address cannot be read.
    """
    troubles: list[Trouble] = []
    if addresses:
        found = [DeviceFacts(address=address) for address in dict.fromkeys(addresses)]
        for each in found:
            _offer(registry, each.address)
    else:
        found, troubles = _discovered(registry)
    work = {each.address: (lambda each=each: _seen(registry, each, ask=bool(addresses))) for each in found}
    answers = in_parallel(work, ASK_S)
    return [_answer(each, answers[each.address]) for each in found], troubles


def _answer(facts: DeviceFacts, answer: object) -> Seen:
    if isinstance(answer, Seen):
        return answer
    if isinstance(answer, MobileError):
        reason = answer.summary.removeprefix(f"{facts.address}: ")  # which is shown before it
        return Seen(replace(facts, usable=False, reason=reason, fix=answer.hint))
    why = described(answer) if isinstance(answer, BaseException) else f"it did not answer within {ASK_S:g} s"
    return Seen(replace(facts, usable=False, reason=why, fix="check its connection"))


def _discovered(registry: Registry) -> tuple[list[DeviceFacts], list[Trouble]]:
    troubles, work = [], {}
    for name, offer in registry.transports.items():
        if lacking := needs.missing(offer.info.needs):
            troubles.append(Trouble(name, f"needs {lacking.what}", lacking.fix))
        else:
            work[name] = lambda offer=offer: list(offer.info.transport.load().discover())
    found: list[DeviceFacts] = []
    for name, answer in in_parallel(work, DISCOVER_S).items():
        if isinstance(answer, list):
            found += answer
        elif isinstance(answer, MobileError):
            troubles.append(Trouble(name, answer.summary, answer.hint))
        else:
            why = described(answer) if isinstance(answer, BaseException) else f"no answer within {DISCOVER_S:g} s"
            troubles.append(Trouble(name, why, "check its connection"))
    return found, troubles


def _seen(registry: Registry, facts: DeviceFacts, *, ask: bool) -> Seen:
    """A device with what can run there; it is asked for its facts if only its address is known."""
    if not facts.usable:
        return Seen(facts)
    offer, transport = _offer(registry, facts.address), transport_of(registry, facts.address)
    link = Link(transport, facts.address, 0, Control(None))
    try:
        if ask:
            facts = link.do(lambda transport: transport.facts())
        runners = [
            _can_run(name, link)
            for name, runner in registry.runners.items()
            if {offer.info.name, _EVERYWHERE} & set(runner.info.places)
        ]
    finally:
        link.close()
    return Seen(facts, tuple(runners))


def _can_run(name: str, link: Link[Any]) -> CanRun:
    """Whether a runner works there; of others than Python, it is only known that it may."""
    if name != PYTHON:
        return CanRun(name, usable=True)
    try:
        there = hello.ask(link)
    except DeviceError as error:
        return CanRun(name, usable=False, reason=error.summary, fix=error.hint)
    fix = f"mlperf-mobile devices setup {link.address}"
    if there is None:
        return CanRun(name, usable=False, reason="it is not set up", fix=fix)
    if wrong := hello.differing(hello.closure([PREFIX]), hello.here(), there):
        return CanRun(name, usable=False, reason=f"its environment differs: {', '.join(wrong[:5])}", fix=fix)
    return CanRun(name, usable=True)


def _offer(registry: Registry, address: str) -> Offer[TransportInfo]:
    kind, colon, target = address.partition(":")
    offer = registry.transports.get(kind)
    if not (colon and target.isprintable() and 0 < len(target) <= 255) or offer is None:
        known = ", ".join(f"{name}:…" for name in registry.transports) or "none is installed"
        raise UsageError("bad-device", f"{address[:255]!r} is not the address of a device", f"kinds: {known}")
    return offer


def transport_of(registry: Registry, address: str) -> Transport:
    """The transport to a device, not yet connected.

    Raises:
        UsageError: The address cannot be read.
        DeviceError: Something that the transport needs is not installed.
    """
    offer = _offer(registry, address)
    if lacking := needs.missing(offer.info.needs):
        raise DeviceError("device-unusable", f"{address}: needs {lacking.what}", lacking.fix)
    return offer.info.transport.load()(address.partition(":")[2])


def in_parallel(work: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, Any]:
    """What each function returned or raised, by name; None for those that did not return in time."""
    found: dict[str, Any] = dict.fromkeys(work)

    def one(name: str) -> None:
        try:
            found[name] = work[name]()
        except BaseException as error:  # noqa: BLE001  a transport may raise anything
            found[name] = error

    threads = [threading.Thread(target=one, args=(name,), daemon=True) for name in work]
    end = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(found)


def rows(devices: Iterable[Seen]) -> list[list[str]]:
    """The devices as rows of a table."""
    found = []
    for seen in devices:
        facts = seen.facts
        name = " ".join(filter(None, (facts.manufacturer, facts.model))) or "-"
        heat = f"{facts.temperature_c:.0f} °C" if facts.temperature_c is not None else "-"
        battery = f"{facts.battery_percent:.0f} %" if facts.battery_percent is not None else "-"
        battery += " charging" if facts.charging and facts.battery_percent is not None else ""
        can = ", ".join(each.runner for each in seen.runners if each.usable) or "nothing"
        found.append([facts.address, name, facts.soc or "-", facts.os or "-", facts.abi or "-", heat, battery, can])
    return found


HEAD = ("ADDRESS", "DEVICE", "SOC", "SYSTEM", "MACHINE", "HEAT", "BATTERY", "CAN RUN")
