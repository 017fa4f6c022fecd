"""Applies the tuning that an installed distribution has for a benchmark and its backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlperf_mobile.config import layers
from mlperf_mobile.config.benchmark_request import BenchmarkRequest, without_selection
from mlperf_mobile.config.choice import accelerators, backend_of
from mlperf_mobile.config.document import Layer, Setting
from mlperf_mobile.config.homes import Home, Homed
from mlperf_mobile.config.selection import Request
from mlperf_mobile.config.settings import Settings
from mlperf_mobile.config.soc import soc_of
from mlperf_mobile.config.suites import Benchmark, tunings
from mlperf_mobile.config.tunings import Run, Tuned, Tuning, of_benchmark
from mlperf_mobile.errors import MobileError, ModelError, UsageError
from mlperf_mobile.registry import Registry


def requested(registry: Registry, request: Request, benchmark: Benchmark) -> BenchmarkRequest:
    """A requested benchmark, with the tuning for its backend if there is one and the user does not refuse it.

    Raises:
        UsageError: A name is unknown, or settings cannot be read.
        DeviceError: The tuning depends on the device's SoC, and the device cannot be reached.
    """
    plain = BenchmarkRequest(registry, request, benchmark)
    setting = plain.peek.get("tuned")
    if benchmark.suite is None or (setting and setting.value is False):
        return plain
    known = of_benchmark(tunings(registry), benchmark.suite, benchmark.name)
    if not known or not (tuning := _of_backend(plain, known)):
        return plain
    return BenchmarkRequest(registry, request, benchmark, _tuned(registry, plain, tuning))


def check_fallback(request: BenchmarkRequest, layer: Layer) -> None:
    """Refuse that the user accepts operations on the CPU where the tuning's vendor forbids them.

    Args:
        request: The benchmark.
        layer: Its settings, merged.

    Raises:
        UsageError: ``fallback-forbidden``.
    """
    setting = layer.get("strict_placement")
    if request.tuned and not request.tuned.tuning.allows_fallback and setting and setting.value is False:
        tuning = request.tuned.tuning
        summary = f"{setting.source}: tuning {tuning.name} of {tuning.source} forbids operations on the CPU"
        raise UsageError("fallback-forbidden", summary, "leave strict_placement out, or the tuning: --set tuned=false")


def _of_backend(plain: BenchmarkRequest, known: Mapping[str, Tuning]) -> Tuning | None:
    """The tuning for the backend that the user names, that runs the model as it is, or that alone runs it tuned."""
    registry = plain.registry
    if "backend" in plain.peek:
        return known.get(str(plain.peek["backend"].value))
    if plain.entry is None:
        return None
    try:
        return known.get(backend_of(plain, [form.format for form in plain.entry.forms], "").info.name)
    except ModelError:  # no backend runs the formats that the model has without a tuning
        able = [tuning for name, tuning in known.items() if name in registry.backends]
        return able[0] if len(able) == 1 else None
    except MobileError:  # several can, or something is missing: reported when the backend is chosen
        return None


def _tuned(registry: Registry, plain: BenchmarkRequest, tuning: Tuning) -> Tuned:
    """The layers of the cases that hold, each checked with the settings of those before it."""
    home = Home(tuning.package)
    backend: Layer = {} if "backend" in plain.peek else {"backend": Setting(tuning.backend, f"tuning {tuning.name}")}
    found = [Homed(backend, home)] if backend else []
    asks = any(case.socs for case in tuning.cases)
    soc = soc_of(registry, plain.placed, plain.peek) if asks else ""
    for case in tuning.cases:
        if case.holds(_run(plain, tuning, found, soc)):
            found.append(Homed(case.layer, home, extends=True))
    notes: tuple[str, ...] = ()
    if asks and not soc:
        names = ", ".join(case.name for case in tuning.cases if case.socs)
        notes = (f"the SoC is not known, so tuning {tuning.name} does not use {names}; give it with --set soc=NAME",)
    return Tuned(tuning, tuple(found), soc, notes)


def _run(plain: BenchmarkRequest, tuning: Tuning, found: Sequence[Homed], soc: str) -> Run:
    """What the conditions see: the settings of the suite, of the cases found so far, and of the user."""
    own = plain.above[len(plain.of_suite) :]
    tuned = [without_selection(each.layer) for each in found]
    peek = layers.merge([plain.catalogue.defaults, *plain.of_suite, *tuned, *own])
    offer = plain.registry.backends.get(tuning.backend)
    names: Sequence[str] = ()
    if offer:
        setting = peek.get("accelerator", Setting(None, "defaults"))
        text = None if setting.value is None else str(setting.value)
        names = tuple(accelerators(text, offer.info, setting.source))
    batch = peek["batch"].value if "batch" in peek else Settings.model_fields["batch"].default
    scenario = peek["scenario"].value if "scenario" in peek else Settings.model_fields["scenario"].default
    return Run(soc, frozenset(names), str(scenario), batch if isinstance(batch, int) else 0)
