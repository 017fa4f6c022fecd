"""The kinds of plugins that ``mlperf-mobile new`` starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlperf_mobile.plugin import HOOK_API
from mlperf_mobile_authoring.naming import ProjectName


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of plugin."""

    noun: str
    """With its article: ``"a data set"``."""
    offers: str
    """The attribute of the registry that has the offers of this kind."""
    description: str
    """Of the new distribution, one line."""
    ours: tuple[str, ...] = ()
    """The distributions of mlperf-mobile that it requires besides the core."""
    requires: tuple[str, ...] = ()
    """What else it requires."""
    tests_require: tuple[str, ...] = ()
    """What its tests require besides the kit; distributions of mlperf-mobile."""
    underscores: bool = False
    """Whether names of offers are written as modules are, like ``image_classification``."""

    def offer(self, name: ProjectName) -> str:
        """The name of what a project offers."""
        return name.module if self.underscores else name.distribution


_QUICKSTART = ("mlperf-mobile-backend-tflite", "mlperf-mobile-task-image-classification")
"""A benchmark with its model and data, to run a plugin with."""

KINDS = {
    "backend": Kind(
        noun="a backend",
        offers="backends",
        description="A backend of mlperf-mobile that runs perceptrons with NumPy",
        requires=("numpy>=1.26",),
        tests_require=("mlperf-mobile-task-any-model",),
    ),
    "task": Kind(
        noun="a task",
        offers="tasks",
        description="A task of mlperf-mobile: which of three wave forms a signal has",
        requires=("numpy>=1.26",),
        tests_require=_QUICKSTART[:1],
        underscores=True,
    ),
    "dataset": Kind(
        noun="a data set",
        offers="datasets",
        description="A data set of mlperf-mobile: images in one folder per class",
        ours=("mlperf-mobile-images",),
        requires=("numpy>=1.26", "pydantic>=2.7"),
        tests_require=_QUICKSTART,
        underscores=True,
    ),
    "scenario": Kind(
        noun="a scenario",
        offers="scenarios",
        description="A scenario of mlperf-mobile: one query at a time, with a pause after each",
        requires=("pydantic>=2.7",),
        tests_require=_QUICKSTART,
    ),
    "command": Kind(
        noun="a command",
        offers="commands",
        description="A command of mlperf-mobile that lists the scores in a folder of results as CSV",
        tests_require=_QUICKSTART,
    ),
    "observer": Kind(
        noun="an observer",
        offers="observers",
        description="An observer of mlperf-mobile: how busy the machine is during the timed run",
        requires=("pydantic>=2.7",),
        tests_require=_QUICKSTART,
        underscores=True,
    ),
}


def values(kind: Kind, name: ProjectName, core: str) -> Mapping[str, object]:
    """What the templates refer to.

    Args:
        kind: The kind of plugin.
        name: The project's name.
        core: The version of the core, such as ``"0.1.0"``.
    """
    major, minor = map(int, core.split(".")[:2])
    series = f">={major}.{minor},<{f'0.{minor + 1}' if major == 0 else major + 1}"
    ours = [f"{each}{series}" for each in ("mlperf-mobile", *kind.ours)]
    tests = [f"{each}{series}" for each in ("mlperf-mobile[testing]", *kind.tests_require)]
    return {
        "distribution": name.distribution,
        "module": name.module,
        "words": name.words.removesuffix("Backend") or name.words,
        "offer": kind.offer(name),
        "description": kind.description,
        "requires": sorted([*ours, *kind.requires]),
        "tests_require": sorted([*tests, "mypy>=1.10"]),
        "hook_api": repr(HOOK_API),
        # Folders of a project are values, so that no tool takes the templates for this distribution's own files.
        "package": f"src/{name.module}",
        "tests": "tests",
    }
