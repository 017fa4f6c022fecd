"""Every test of the conformance kit is proven: a correct plugin passes it, and a broken one made for it fails it."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

PROOFS = Path(__file__).parent / "kit_proofs"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("kind", ["backend", "task", "dataset", "scenario", "command", "observer"])
def test_every_test_of_the_kit_catches_its_defect(kind, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(PROOFS))
    module = __import__(f"{kind}_defects")
    kit = {name for name in dir(module.TestCorrect) if name.startswith("test_")}
    without = set() if hasattr(module.OFFER, "options") else {"test_unknown_options_are_refused"}
    assert set(module.DEFECTS) == kit - without, "a test of the kit without a proof, or a proof of none"
    file = PROOFS / f"{kind}_defects.py"
    defects = [*module.DEFECTS.items(), *getattr(module, "MORE", ())]
    passes = getattr(module, "PASSES", ())
    chosen = [f"{file}::TestCorrect", *(f"{file}::{case.__name__}::{test}" for test, case in (*defects, *passes))]
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *chosen]
    environment = os.environ | {"PYTHONPATH": str(PROOFS)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        outcomes[case.get("classname").rpartition(".")[2], case.get("name")] = {child.tag for child in case}
    correct = {name: tags for (owner, name), tags in outcomes.items() if owner == "TestCorrect"}
    assert set(correct) == kit
    assert {name: tags for name, tags in correct.items() if tags - {"skipped"}} == {}
    for test, case in passes:
        assert outcomes[case.__name__, test] == set(), f"{case.__name__} does not pass {test}"
    for test, case in defects:
        assert outcomes[case.__name__, test] == {"failure"}, f"{case.__name__} is not caught by {test}"
