"""The stand-ins under the address and undefined behaviour sanitizers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlperf_mobile.errors import BackendError
from mlperf_mobile_neural_networks_stand_in import build, build_timed_loop

SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1", "-Wno-error")
FLAGS = ("-Werror", *SANITIZE)
"""As conftest.py puts them together, so that both tests use what the first one built."""


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("how", ["nnapi-burst", "nnapi-single", "neuron"])
def test_a_program_in_c(built: Path, how: str) -> None:
    """Reads and writes in bounds, and nothing left allocated at the end."""
    try:
        library = build(built, "neuron_adapter" if how == "neuron" else "neuralnetworks", flags=FLAGS)
        program = build_timed_loop(built, flags=SANITIZE)
    except BackendError as error:
        pytest.skip(f"there are no sanitizers: {error.summary}")
    done = subprocess.run([program, library, how, "50"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_kernels_and_hostile_networks(built: Path, tmp_path: Path) -> None:
    """The tests of kernels, checks and compiled networks again, with sanitized libraries."""
    found = [
        subprocess.run(["cc", f"-print-file-name={name}"], capture_output=True, text=True, check=False).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    if not all(Path(each).is_absolute() for each in found):
        pytest.skip("there are no sanitizers")
    variables = {
        "LD_PRELOAD": " ".join(found),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python keeps much until its end
        "NN_STAND_IN_TEST_FLAGS": " ".join(SANITIZE),
        "BUILT": str(built),
    }
    tests = [
        str(Path(__file__).with_name(f"test_neural_networks_stand_in_{name}.py"))
        for name in ("elementwise", "convolution", "shape", "checks", "neuron")
    ]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        f"--basetemp={tmp_path / 'inner'}",
        *tests,
    ]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert " passed" in done.stdout
