"""Names of new projects: what is accepted, in which forms, and what is refused by name."""

from __future__ import annotations

import pytest

from mlperf_mobile.errors import UsageError
from mlperf_mobile_authoring.naming import project_name


@pytest.mark.parametrize(
    ("given", "distribution", "module", "words"),
    [
        ("acme", "acme", "acme", "Acme"),
        ("acme-npu", "acme-npu", "acme_npu", "AcmeNpu"),
        ("Acme_NPU.v2", "acme-npu-v2", "acme_npu_v2", "AcmeNpuV2"),
        ("a", "a", "a", "A"),
        ("x" * 60, "x" * 60, "x" * 60, "X" + "x" * 59),
    ],
)
def test_a_name_has_three_forms(given, distribution, module, words):
    name = project_name(given)
    assert (name.distribution, name.module, name.words) == (distribution, module, words)
    assert name.module.isidentifier()


@pytest.mark.parametrize(
    "given",
    ["", " ", "3d", "-a", "a-", "a--b", "a b", "a/b", "../a", ".", "a\n", "acmé", "x" * 61, "a\x1b[31m", "_a", "a._b"],
)
def test_what_cannot_name_a_distribution_and_a_module_is_refused(given):
    with pytest.raises(UsageError, match="cannot name a distribution and a module") as caught:
        project_name(given)
    assert caught.value.code == "project-name"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("class", "reserved word"),
        ("None", "reserved word"),
        ("match", "reserved word"),
        ("json", "standard library"),
        ("Concurrent", "standard library"),
        ("con", "Windows"),
        ("lpt1", "Windows"),
        ("tests", "a folder of this name"),
        ("mlperf-mobile", "mlperf-mobile 0.1.0 is installed"),
        ("MLPerf_Mobile.authoring", "mlperf-mobile-authoring 0.1.0 is installed"),
        ("numpy", "numpy .* is installed"),
        ("yaml", "a module yaml is installed"),
    ],
)
def test_taken_names_are_refused_with_their_owner(given, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        project_name(given)
    assert caught.value.code == "project-name"
    assert caught.value.hint
