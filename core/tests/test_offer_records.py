"""The records that plugins offer behave as frozen dataclasses."""

from __future__ import annotations

import dataclasses

import pytest

from mlperf_mobile import plugin


def a_command(**changes):
    fields = {"name": "n", "summary": "s", "command": plugin.Ref("m:f"), "group": "g", "hook_api": (2, 0)} | changes
    return plugin.CommandInfo(**fields)


def test_records_are_equal_by_type_and_fields():
    one, same = a_command(), a_command()
    assert one == same
    assert hash(one) == hash(same)
    assert one != a_command(group="other")
    suites = plugin.SuitesInfo(settings="p:f.yaml", hook_api=(2, 0))
    assert one != suites
    assert len({one, same, suites, a_command(name="other")}) == 3


def test_records_show_their_fields():
    shown = "CommandInfo(name='n', summary='s', command=Ref(path='m:f'), group='g', hook_api=(2, 0))"
    assert repr(a_command()) == shown


def test_records_do_not_change_and_take_only_keywords():
    with pytest.raises(dataclasses.FrozenInstanceError):
        a_command().name = "other"
    with pytest.raises(TypeError):
        plugin.SuitesInfo("p:f.yaml", (2, 0))
    assert dataclasses.replace(a_command(), name="other") == a_command(name="other")
