"""Classes of the conformance kit for the offers of an installed plugin, without a line of its author's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from mlperf_mobile.installed import entry_points
from mlperf_mobile.options import complete
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile.testing.checked import checked
from mlperf_mobile.testing.command_kit import CommandConformance
from mlperf_mobile.testing.dataset import DatasetConformance
from mlperf_mobile.testing.kit import Conformance, lacks
from mlperf_mobile.testing.observer import ObserverConformance
from mlperf_mobile.testing.scenario import ScenarioConformance
from mlperf_mobile.testing.task import TaskConformance
from mlperf_mobile_authoring.offered import offers
from mlperf_mobile_authoring.task_material import Material

if TYPE_CHECKING:
    from mlperf_mobile.contracts import Dataset, Tensors, TensorSpec

GROUP = "mlperf_mobile_conformance"
"""The entry points of modules with classes of the author's, which have fixtures that only an author knows."""


class _Offered:
    offer: ClassVar[Any]
    label: ClassVar[str]

    @pytest.fixture
    def info(self) -> Any:
        """The offer under test."""
        return self.offer


class _BackendCase(_Offered, BackendConformance):
    pass


class _ScenarioCase(_Offered, ScenarioConformance):
    pass


class _CommandCase(_Offered, CommandConformance):
    pass


class _ObserverCase(_Offered, ObserverConformance):
    pass


class _OfferCase(_Offered, Conformance):
    """Any other offer."""


class _DatasetCase(_Offered, DatasetConformance):
    @pytest.fixture
    def dataset(self, info: Any, options: Any) -> Dataset:
        """The packaged data."""
        if info.needs_path:
            lacks("dataset", f"the data of {info.name} do not come with it; its author defines the fixture 'dataset'")
        found: Dataset = checked(complete, "dataset", info.name, info.dataset.load()(None, options))
        return found


class _TaskCase(_Offered, TaskConformance):
    material: ClassVar[Material]

    @pytest.fixture
    def options(self) -> Any:
        """Those of the task's quickstart: the default model may need options of its own."""
        return self.material.options()

    @pytest.fixture
    def targets(self) -> Sequence[Any]:
        """Only the author knows where they were measured."""
        from mlperf_mobile.config.catalogue import Catalogue

        models = Catalogue.of(self.offer.settings, self.offer.name).models
        if any(entry.quality for entry in models.values()):
            lacks("targets", "its author defines the fixture 'targets', from where they were measured")
        return ()

    @pytest.fixture
    def dataset(self) -> Dataset:
        """The packaged data of the task's quickstart, or its default data set."""
        return self.material.dataset()

    @pytest.fixture
    def inputs(self) -> Sequence[TensorSpec]:
        """The inputs of the task's default model."""
        return self.material.inputs()

    @pytest.fixture
    def outputs(self) -> Sequence[TensorSpec]:
        """The outputs of the task's default model."""
        return self.material.outputs()

    @pytest.fixture
    def perfect(self) -> list[Tensors]:
        """The outputs of the task's default model, which is taken to be better than chance."""
        return self.material.answers()


_CASES: Mapping[str, type[Any]] = {
    "backend": _BackendCase, "task": _TaskCase, "dataset": _DatasetCase, "scenario": _ScenarioCase,
    "command": _CommandCase, "observer": _ObserverCase,
}  # fmt: skip


def classes(plugin: str, distribution: str, folder: Path, backend: str = "") -> dict[str, type]:
    """The classes of tests for every offer of a plugin, by names that pytest collects.

    Args:
        plugin: The plugin's name.
        distribution: Its distribution.
        folder: A folder for compiled models.
        backend: The backend that runs the models of tasks; if empty, the one that a run would use.
    """
    registry, found = installed_plugins(), dict[str, type]()
    module = next(registry.module(source) for source, _ in registry.plugins if source[:2] == (plugin, distribution))
    own = _authors(plugin, distribution)
    for kind, offer in offers(registry, plugin, distribution):
        label = f"{kind} {offer.info.name}"
        parts = {"offer": offer.info, "plugin_module": module, "label": label}
        case = _CASES.get(kind, _OfferCase)
        if kind == "task":
            parts["material"] = Material(registry, offer.info.name, folder, backend)
        bases = (own[label], case) if label in own else (case,)
        name = f"Test{len(found):02}{kind.title().replace(' ', '')}"
        found[name] = type(name, bases, parts)
    return found


def _authors(plugin: str, distribution: str) -> dict[str, type]:
    """The author's classes with fixtures, by the label of their offer: ``conforms = "task pose"``."""
    found = {}
    for entry in entry_points(GROUP):
        if (entry.name, entry.dist.name) == (plugin, distribution):
            module = import_module(entry.value)
            for each in vars(module).values():
                label = getattr(each, "conforms", None)
                if isinstance(each, type) and isinstance(label, str):
                    found[label] = each
    return found
