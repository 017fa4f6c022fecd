"""What the proofs of all kinds of plugins share: how a plugin is broken, and the defects that any offer may have."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from pydantic import BaseModel, ConfigDict

from mlperf_mobile.plugin import HOOK_API, Ref

UNKNOWN_OPTIONS = "test_unknown_options_are_refused"
"""The test that is skipped for offers of a kind that has no options."""


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = ""


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


class Offered:
    """Base of a module's ``TestCorrect``, beside the class of the kit; it names the correct plugin's ``offer``."""

    plugin_module = "json"

    @pytest.fixture
    def info(self):
        return self.offer


class Proofs:
    """Makes test classes out of a module's ``TestCorrect``, one for each defect.

    Args:
        correct: ``TestCorrect``.
        kind: The field of its offer that names the plugin's class: ``"backend"``.
    """

    def __init__(self, correct, kind):
        self.correct, self.kind = correct, kind
        self.module = sys.modules[correct.__module__]

    def broken(self, name, /, plugin=None, *, module=None, **changes):
        """A test class of a broken plugin: ``plugin`` is its class, ``changes`` are other fields of its offer."""
        if plugin:
            setattr(self.module, plugin.__name__, plugin)
            changes[self.kind] = Ref(f"{self.module.__name__}:{plugin.__name__}")
        parts = {"plugin_module": module or self.correct.plugin_module, "offer": replace(self.correct.offer, **changes)}
        return type(f"Test{name}", (self.correct,), parts)

    def of_any_offer(self, overridden):
        """A defect for each of the kit's tests that all kinds have; ``overridden`` is a test of this kind."""
        lax = {"options": Ref("defects:Anything")} if hasattr(self.correct.offer, "options") else None
        return {
            "test_plugin_module_is_light": self.broken("Heavy", module="numpy"),
            "test_hook_api_is_a_literal": self.broken("Constant", module="mlperf_mobile.plugin"),
            "test_offer_uses_a_supported_hook_api": self.broken("Newer", hook_api=(HOOK_API[0] + 1, 0)),
            "test_offer_has_name_and_summary": self.broken("Silent", summary=""),
            "test_references_lead_to_objects": self.broken("Lost", **{self.kind: Ref("defects:NoSuchClass")}),
            **({UNKNOWN_OPTIONS: self.broken("Lax", **lax)} if lax else {}),
            "test_overridden_tests_are_marked_xfail": type(
                "TestOverride", (self.correct,), {overridden: lambda self: None}
            ),
        }

    def more_of_any_offer(self):
        """Further defects of these."""
        return [
            ("test_plugin_module_is_light", self.broken("HeavyHook", module="kit_settings.heavy_hook")),
            ("test_offer_uses_a_supported_hook_api", self.broken("Older", hook_api=(HOOK_API[0] - 1, 9))),
            ("test_offer_uses_a_supported_hook_api", self.broken("NewerMinor", hook_api=(HOOK_API[0], 99))),
            ("test_offer_has_name_and_summary", self.broken("Wordy", name="two words")),
            ("test_offer_has_name_and_summary", self.broken("Long", summary="x" * 121)),
            ("test_offer_has_name_and_summary", self.broken("Lines", summary="two\nlines")),
            ("test_references_lead_to_objects", self.broken("NoClass", **{self.kind: Ref("defects:__doc__")})),
            ("test_references_lead_to_objects", self.broken("Dots", **{self.kind: Ref("defects.Options")})),
        ]

    def publish(self, *cases):
        """Put test classes into the module, where pytest finds them."""
        for case in cases:
            setattr(self.module, case.__name__, case)
