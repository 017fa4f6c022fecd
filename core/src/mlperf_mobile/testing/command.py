"""Runs the command ``mlperf-mobile`` as a user does, in a separate folder, for end-to-end tests of plugins.

::

    @pytest.fixture
    def command(tmp_path):
        return Command(tmp_path)

    def test_a_run_is_valid(command):
        result, done = command.run("image_classification", "--backend", "acme", "--rules", "rapid")
        assert result["valid"], done.stderr
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Command", "Done"]

PROGRAM = Path(sys.executable).with_name("mlperf-mobile")
"""The command of the environment that runs the tests."""

Done = subprocess.CompletedProcess[str]
"""A finished command: its ``returncode``, and ``stdout`` and ``stderr`` as text."""


class Command:
    """``mlperf-mobile`` in a folder; calling it runs the command and returns the finished process.

    It does not inherit ``MLPERF_MOBILE_*`` and ``PYTHON*`` variables, and its cache and temporary files are in the
    folder.

    Args:
        folder: The working directory; results are in its ``mlperf-mobile-results``.
        env: Environment variables of every call.
    """

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.folder, self.results = folder, folder / "mlperf-mobile-results"
        self._env = dict(env or {})

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment variables of one call; ``env`` overrides the others."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLPERF_MOBILE_", "PYTHON"))}
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)  # devices are locked there
        own = {"XDG_CACHE_HOME": str(self.folder / "cache"), "TMPDIR": str(temporary), "COLUMNS": "200", "TERM": "dumb"}
        return kept | own | self._env | dict(env or {})

    def __call__(self, *arguments: object, env: Mapping[str, str] | None = None, timeout: float = 240) -> Done:
        """Run the command and wait for it.

        Raises:
            subprocess.TimeoutExpired: It took more than ``timeout`` seconds, and was killed.
        """
        return subprocess.run(
            [PROGRAM, *map(str, arguments)], cwd=self.folder, env=self.environment(env),
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def json(self, *arguments: object, **more: Any) -> tuple[Any, Done]:
        """The output of the command with ``--json``, and the process; ``more`` is as for a call."""
        done = self(*arguments, "--json", **more)
        assert done.stdout, done.stderr
        return json.loads(done.stdout), done

    def run(self, task: str, *arguments: object, **more: Any) -> tuple[dict[str, Any], Done]:
        """Run one benchmark: its result, and the process.

        Args:
            task: The task's name.
            arguments: Further arguments of ``mlperf-mobile run``.
            more: As for a call.
        """
        document, done = self.json("run", task, "--quiet", *arguments, **more)
        assert "results" in document, document
        (result,) = document["results"]
        return result, done

    def start(self, *arguments: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start the command without waiting for it; the caller ends the process."""
        return subprocess.Popen(
            [PROGRAM, *map(str, arguments)], cwd=self.folder, env=self.environment(env),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
