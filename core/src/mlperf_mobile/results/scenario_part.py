"""What only one scenario measured, loaded by the scenario's plugin; a failing plugin hides no result."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mlperf_mobile.contracts.part import Listing, ScenarioPart
from mlperf_mobile.plugin import ScenarioInfo
from mlperf_mobile.results.observed import attempted
from mlperf_mobile.results.views import LoadedPart

if TYPE_CHECKING:
    from mlperf_mobile.registry import Offer, Registry
    from mlperf_mobile.results.model import Result


class LoadedScenarioPart(LoadedPart[ScenarioPart]):
    """``performance.part`` of a result, loaded by its scenario."""

    __slots__ = ()

    @property
    def listings(self) -> list[Listing]:
        """Its tables."""
        return self.view("listings", lambda part: part.listings())


def load(registry: Registry, result: Result) -> LoadedScenarioPart | None:
    """The part; None if the result has none, or no installed scenario can read it."""
    data = result.performance.part if result.performance else {}
    offer = registry.scenarios.get(result.scenario)
    if not data or offer is None or offer.info.part is None:
        return None
    part = attempted(partial(_part, offer, data), None)
    return LoadedScenarioPart(result.scenario, part) if part is not None else None


def _part(offer: Offer[ScenarioInfo], data: Any) -> ScenarioPart:
    assert offer.info.part is not None
    return offer.info.part.load().model_validate(data)


def columns(offer: Offer[ScenarioInfo]) -> dict[str, str]:
    """The columns of a scenario's part with their descriptions; empty without one, or if it fails."""
    reference = offer.info.part
    if reference is None:
        return {}
    return attempted(lambda: {str(name): str(about) for name, about in reference.load().columns.items()}, {})
