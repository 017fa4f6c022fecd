"""Tests shared by the conformance classes: of an offer, and of the plugin module."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from typing import Any, ClassVar, NoReturn

import pytest
from pydantic import BaseModel, ValidationError

from mlperf_mobile.errors import BackendError
from mlperf_mobile.hook_specs import PROJECT
from mlperf_mobile.options import check_defaults
from mlperf_mobile.plugin import HOOK_API, HookSpecs, Ref
from mlperf_mobile.problems import Source
from mlperf_mobile.registry import Offer
from mlperf_mobile.testing.capabilities import CAPABILITIES, required

HEAVY = (
    "numpy",
    "pydantic",
    "yaml",
    "rich",
    "PIL",
    "tensorflow",
    "tflite_runtime",
    "ai_edge_litert",
    "onnx",
    "onnxruntime",
    "ctypes",
)
"""Modules that a plugin module must not import, because listing plugins would become slow."""


REQUIRED = required(os.environ.get("MLPERF_MOBILE_REQUIRE", ""))


def lacks(capability: str, reason: str) -> NoReturn:
    """Skip a test that needs a capability; fail it if ``MLPERF_MOBILE_REQUIRE`` names the capability."""
    assert capability in CAPABILITIES
    if capability in REQUIRED:
        pytest.fail(f"{capability} is required: {reason}", pytrace=False)
    pytest.skip(f"{capability}: {reason}")


class Conformance:
    """Base of the kit's classes; a subclass names its plugin module and returns its offer."""

    plugin_module: ClassVar[str]
    """The module that the entry point names."""

    @pytest.fixture
    def info(self) -> Any:
        """The offer under test."""
        raise NotImplementedError

    @pytest.fixture
    def options(self, info: Any) -> Any:
        """The plugin's options with their defaults, for its constructor."""
        offered = getattr(info, "options", None)
        if not offered:
            return None
        kind = type(info).__name__.removesuffix("Info").lower()
        try:
            check_defaults(kind, Offer(info, Source("under test", "under test", "")))
        except BackendError as error:
            pytest.fail(error.summary, pytrace=False)
        return offered.load()()

    def test_plugin_module_is_light(self) -> None:
        """Importing the plugin module, and listing what it offers, imports none of ``HEAVY``."""
        hooks = [name for name, hook in vars(HookSpecs).items() if name.startswith(PROJECT) and _has_no_arguments(hook)]
        code = (
            f"import sys, {self.plugin_module} as plugin\n"
            f"for name in {hooks}: list(getattr(plugin, name, tuple)())\n"
            f"print(*sorted(set(sys.modules) & set({HEAVY!r})))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == []

    def test_hook_api_is_a_literal(self) -> None:
        """The plugin states the hook API it was written for; the core's constant would always match."""
        source = inspect.getsource(import_module(self.plugin_module))
        assert "HOOK_API" not in source

    def test_offer_uses_a_supported_hook_api(self, info: Any) -> None:
        """The core supports the hook API of the offer."""
        major, minor = info.hook_api
        assert major == HOOK_API[0]
        assert minor <= HOOK_API[1]

    def test_offer_has_name_and_summary(self, info: Any) -> None:
        """Name and summary fit into a listing."""
        assert info.name
        assert " " not in info.name
        if not hasattr(info, "summary"):
            return
        assert 0 < len(info.summary) <= 120
        assert "\n" not in info.summary

    def test_references_lead_to_objects(self, info: Any) -> None:
        """Each ``Ref`` of the offer can be imported, also without the vendor's SDK."""
        for field in fields(info):
            value = getattr(info, field.name)
            if isinstance(value, Ref):
                assert callable(value.load()), f"{field.name} of the offer is no class or function"

    def test_unknown_options_are_refused(self, info: Any) -> None:
        """The options model refuses unknown keys, so that a typo is reported."""
        if getattr(info, "options", None) is None:
            lacks("options", "the offer has no options")
        model = info.options.load()
        assert issubclass(model, BaseModel)
        with pytest.raises(ValidationError):
            model.model_validate({"no_such_option_xyz": 1})

    def test_overridden_tests_are_marked_xfail(self) -> None:
        """A test of the kit that is overridden must be marked ``xfail`` with a reason."""
        for kit in type(self).__mro__:
            if not kit.__module__.startswith("mlperf_mobile.testing."):
                continue
            for name in [name for name in vars(kit) if name.startswith("test_")]:
                mine = getattr(type(self), name)
                if mine is getattr(kit, name):
                    continue
                marks = getattr(mine, "pytestmark", [])
                has_reason = any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks)
                assert has_reason, f"{name} is overridden without a reason"


def _has_no_arguments(hook: Any) -> bool:
    """Whether a hook has no arguments, as those that offer something."""
    return list(inspect.signature(hook).parameters) == ["self"]
