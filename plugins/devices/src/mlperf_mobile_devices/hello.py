"""Compares the Python environment on a device with the host's, before anything is pushed."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlperf_mobile.contracts import Transport
from mlperf_mobile.contracts.transport import ENVIRONMENT, DeviceError
from mlperf_mobile.installed import distributions, normalised
from mlperf_mobile.plan import CompilePlan, Plan
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile_devices.inventory import PREFIX, inventory
from mlperf_mobile_devices.link import Link

PYTHON = ENVIRONMENT
"""The interpreter of the managed environment, below the root."""
LOADGEN = "mlcommons-loadgen"
_NOT_THERE = 127
_MOST_NAMED = 5


class Environment(BaseModel):
    """What :mod:`mlperf_mobile_devices.inventory` prints; the lengths are bounded, because a device wrote it."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    python: str = Field(max_length=50)
    machine: str = Field(max_length=50)
    libc: str = Field(default="", max_length=50)
    versions: dict[str, str] = Field(max_length=10_000)
    sources: dict[str, str] = Field(default_factory=dict, max_length=10_000)


def here() -> Environment:
    """The host's environment."""
    return Environment.model_validate(inventory())


def ask(link: Link[Transport]) -> Environment | None:
    """The managed environment of a device; None if it was never set up.

    Raises:
        DeviceError: ``device-setup``: it is there, but does not work.
    """
    source = files("mlperf_mobile_devices").joinpath("inventory.py").read_bytes()
    script = '[ -x "$1" ] || exit 127; exec "$1" -P -'
    output = link.do(lambda t: t.run(["sh", "-c", script, "sh", f"{t.root}/{PYTHON}"], stdin=source, timeout_s=120))
    if output.returncode == _NOT_THERE:
        return None
    try:
        return Environment.model_validate_json(output.stdout)
    except ValidationError as error:
        raise _setup(link.address, "its environment does not work") from error


def check(link: Link[Transport], plan: CompilePlan) -> Environment:
    """The device's environment, if it can carry out a plan as this host would.

    Raises:
        DeviceError: ``device-setup``: it was not set up, or something has another version there.
    """
    there = ask(link)
    if there is None:
        raise _setup(link.address, "it is not set up")
    if wrong := differences(plan, here(), there):
        more = f" and {len(wrong) - _MOST_NAMED} more" if len(wrong) > _MOST_NAMED else ""
        raise _setup(link.address, f"its environment differs: {', '.join(wrong[:_MOST_NAMED])}{more}")
    return there


def differences(plan: CompilePlan, host: Environment, device: Environment) -> list[str]:
    """What a plan needs and the device lacks, or has in another version than the host."""
    return differing(needed(plan), host, device)


def differing(names: Iterable[str], host: Environment, device: Environment) -> list[str]:
    """Those of the host's distributions that the device lacks, or has in another version or with other sources."""
    found = []
    for name in sorted(names):
        here, there = host.versions.get(name), device.versions.get(name)
        if here is None:
            continue
        if there is None:
            found.append(f"no {name}")
        elif there != here:
            found.append(f"{name} {there[:40]} instead of {here}")
        elif host.sources.get(name) != device.sources.get(name):
            found.append(f"other sources of {name} {here}")
    return found


def needed(plan: CompilePlan) -> set[str]:
    """The distributions that a plan's worker uses: those that offer its plugins, and what they require.

    The runtimes that come with an extra are the device's own: the host need not have them.
    """
    own = {kind: offer for kind, offer in plan.offered_by.items() if kind not in ("transport", "runner")}
    names = {PREFIX, LOADGEN, *(offer.rpartition(" ")[0] for offer in own.values())}
    if isinstance(plan, Plan):
        observers = installed_plugins().observers
        names |= {observers[name].source.distribution for name in plan.observers if name in observers}
    return closure(names)


def closure(names: Iterable[str]) -> set[str]:
    """Distributions and what they require without extras, as far as it is installed here; normalised names."""
    installed = {each.key: each for each in distributions()}
    found: set[str] = set()
    pending = [normalised(name) for name in names]
    while pending:
        name = pending.pop()
        if name not in found and name in installed:
            found.add(name)
            pending += installed[name].requires
    return found


def _setup(address: str, why: str) -> DeviceError:
    return DeviceError("device-setup", f"{address} cannot run this: {why}", f"mlperf-mobile devices setup {address}")
