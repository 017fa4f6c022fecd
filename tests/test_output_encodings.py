"""Terminals and files whose encoding lacks characters: they get question marks, never an error."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = """
import sys
from mlperf_mobile.printing import cleaned_output
from mlperf_mobile.terminal.console import CleanConsole, text
from mlperf_mobile.streams import standard

with standard(), cleaned_output():
    print("task \\u00b7 model")
    for stderr in (False, True):
        CleanConsole(stderr=stderr).print(text("task \\u00b7 model"))
"""


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", b"?"), ("latin-1", b"\xb7"), ("utf-8", b"\xc2\xb7")])
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
@pytest.mark.usefixtures("processes")
def test_what_is_printed_or_drawn(encoding, shown, errors):
    done = subprocess.run(
        [sys.executable, "-c", CODE], env={**os.environ, "PYTHONIOENCODING": f"{encoding}:{errors}"},
        capture_output=True, timeout=100, check=False,
    )  # fmt: skip
    line = b"task " + shown + b" model\n"
    assert (done.returncode, done.stdout) == (0, 2 * line)
    assert done.stderr == (rb"task \xb7 model" + b"\n" if encoding == "ascii" else line)
