"""What a plugin's author sees of a fault during a run: warnings in the result, tracebacks, a kit without pytest."""

from __future__ import annotations

import subprocess
import sys

import pytest

ENVIRONMENT = """
    from mlperf_mobile.plugin import EnvFact, hookimpl

    @hookimpl
    def mlperf_mobile_environment(backend):
        FAULT
"""
BACKEND = """
    from mlperf_mobile.plugin import BackendInfo, Ref, hookimpl

    @hookimpl
    def mlperf_mobile_backends():
        yield BackendInfo(name="faulty", summary="a test", vendor="nobody", backend=Ref("faulty_parts:Faulty"),
                          model_formats=("toy",), hook_api=(2, 0))
"""
PARTS = """
    from toy_parts import BackendOptions, ToyBackend, ToySession

    class Faulty(ToyBackend):
        def load(self, artifact):
            return FaultySession(2, artifact.accelerator, BackendOptions())

    class FaultySession(ToySession):
        def run(self, inputs):
            return self.answer(inputs)

        def answer(self, inputs):
            raise OSError("the driver is gone")
"""


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raise OSError('no driver')", "OSError: no driver"),
        ("return [('driver', 1)]", "TypeError: expected EnvFact, got ('driver', 1)"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
    ],
)
def test_a_failed_environment_hook_is_a_warning_in_the_result(command, fault, reason):
    """The run goes on, with the facts of the others."""
    command.write_plugin("facts", ENVIRONMENT.replace("FAULT", fault))
    result, done = command.run("--mode", "performance", "--quiet")
    assert done.returncode == 0
    (warning,) = [text for text in result["warnings"] if "facts 1.0" in text]
    assert warning.startswith("problem[hook-failed] facts 1.0: ")
    assert reason in warning
    assert result["environment"]["toy.weather"] == "sunny"


def test_debug_shows_the_plugins_own_line_of_a_failed_run(command):
    command.write_plugin("faulty", BACKEND, files={"faulty_parts/__init__.py": PARTS})
    arguments = ("run", "product", "--backend", "faulty", "--quiet")
    plain, debug = command(*arguments), command(*arguments, "--debug")
    assert (plain.returncode, debug.returncode) == (5, 5)
    place = f'File "{command.site / "faulty_parts/__init__.py"}", line 13, in answer'
    assert place in debug.stderr
    assert 'raise OSError("the driver is gone")' in debug.stderr
    assert "Traceback" not in plain.stderr
    assert "the driver is gone" in plain.stderr
    assert "backend faulty" in plain.stderr


@pytest.mark.parametrize("shards", ["0", "'2'"])
def test_shards_are_a_number_of_sessions(command, shards):
    made = f"def __init__(self, options): self.shards, self._options = {shards}, BackendOptions()"
    code = PARTS.replace("def load(", f"{made}\n\n        def load(")
    command.write_plugin("faulty", BACKEND, files={"faulty_parts/__init__.py": code})
    done = command("run", "product", "--backend", "faulty", "--scenario", "offline", "--quiet")
    assert done.returncode == 5
    assert f"error[plugin-broken]: backend faulty: shards is {shards}, a whole number of at least 1" in done.stderr


NO_PYTEST = """
import sys

class NoPytest:
    def find_spec(self, name, path=None, target=None):
        if name == "pytest":
            raise ModuleNotFoundError("No module named 'pytest'", name=name)

sys.meta_path.insert(0, NoPytest())
"""


def without_pytest(code, folder):
    return subprocess.run(
        [sys.executable, "-c", NO_PYTEST + code], capture_output=True, text=True, check=False, cwd=folder
    )


@pytest.mark.usefixtures("processes")
def test_what_needs_no_pytest_works_without_it(tmp_path):
    """Models, commands and observed runs are also for scripts; the kit's tests need it."""
    code = """
from mlperf_mobile.testing import command, models, observing
assert models.packaged("double", "tflite").is_file()
try:
    import mlperf_mobile.testing.backend
except ModuleNotFoundError as error:
    print(error.name)
"""
    done = without_pytest(code, tmp_path)
    assert (done.returncode, done.stdout) == (0, "pytest\n"), done.stderr


@pytest.mark.usefixtures("processes")
def test_verify_plugin_names_what_it_needs(tmp_path):
    code = """
from mlperf_mobile import installed
found = installed.distribution
installed.distribution = lambda name: None if name == "pytest" else found(name)
from mlperf_mobile.cli.main import main
sys.exit(main(["verify-plugin", "tflite", "--json"]))
"""
    done = without_pytest(code, tmp_path)
    assert done.returncode == 2, done.stderr
    assert "no-pytest" in done.stderr + done.stdout
    assert "mlperf-mobile[testing]" in done.stderr + done.stdout
