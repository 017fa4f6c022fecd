"""What CI installs for tests of devices, which never ends CI; and what the hooks of a commit check."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / ".ci/install_for_devices"
BASICS = ("bash", "cat", "chmod", "env", "grep", "mktemp", "rm", "sort", "tail", "timeout")

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="this is no checkout")


@pytest.fixture
def machine(tmp_path, processes):
    """``machine(programs, user, apt)``: what the script prints on a machine with these programs."""

    def machine(programs=(), user=1000, apt=None, options=()):
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in BASICS:
            (folder / name).symlink_to(shutil.which(name))
        scripts = {"id": f"echo {user}", **dict.fromkeys(programs, "exit 0"), **({"apt-get": apt} if apt else {})}
        for name, text in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (folder / name).chmod(0o755)
        (tmp_path / "usr/sbin").mkdir(parents=True)
        env = {"PATH": str(folder), "DPKG_ROOT": str(tmp_path), "BIN": str(folder), "TMPDIR": str(tmp_path)}
        done = subprocess.run(
            [shutil.which("bash"), SCRIPT, *options], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert list((tmp_path / "usr/sbin").iterdir()) == []
        return set(done.stdout.split()) - {"sshd"}, done.stderr  # which is looked for in /usr/sbin too

    return machine


def test_a_user_who_is_not_root_hears_what_is_missing(machine):
    found, said = machine(["adb", "mksh"], apt="echo never >&2")
    assert found == {"adb", "mksh"}
    assert said.startswith("tests that need these are skipped: busybox ssh")
    assert said.count("\n") == 1


def test_an_emulator_and_its_compiler_on_request(machine):
    """Only the nightly tests run a program for another machine."""
    found, said = machine(["adb", "aarch64-linux-gnu-g++"], options=["--arm"])
    assert found == {"adb", "aarch64-linux-gnu-g++"}
    assert "busybox mksh qemu-aarch64 ssh" in said


def test_without_a_network_one_line_says_so(machine):
    found, said = machine(["ssh"], user=0, apt="echo 'E: Failed to fetch the list' >&2; exit 100")
    assert found == {"ssh"}
    first, second = said.splitlines()
    assert first.startswith("apt-get could not install adb busybox mksh")
    assert first.endswith("toybox: E: Failed to fetch the list")
    assert "adb busybox mksh" in second


def test_what_is_missing_is_installed_without_starting_services(machine):
    make = """case $* in *install*)
        [ -x "$DPKG_ROOT/usr/sbin/policy-rc.d" ] || exit 3
        for each in adb mksh toybox busybox sshd; do echo '#!/bin/sh' >"$BIN/$each"; chmod 755 "$BIN/$each"; done
    esac"""
    found, said = machine(["ssh"], user=0, apt=make)
    assert found == {"adb", "busybox", "mksh", "ssh", "toybox"}
    assert said == ""


@pytest.mark.parametrize("required", ["", "no-such-program"])
def test_a_missing_program_skips_a_test_or_fails_it_where_it_is_required(required, tmp_path, processes):
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text("def test_it(needed):\n    needed('no-such-program')\n")
    env = os.environ | {"MLPERF_MOBILE_REQUIRE_DEVICES": required, "PYTHONPATH": str(ROOT / "tests/shared")}
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--rootdir",
        tmp_path,
        tmp_path,
    ]
    done = subprocess.run(words, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ("1 failed" if required else "1 skipped") in done.stdout


class TestHooksOfACommit:
    """Hooks are given the names of the files that change, where `make lint` names none."""

    def test_word_lists_pass_the_spelling_by_their_names(self, processes):
        files = [file for folder in ("plugins", "tasks") for file in (ROOT / folder).glob("*/src/**/*.txt")]
        names = [str(file.relative_to(ROOT)) for file in files]
        assert any(name.endswith("vocab.txt") for name in names)
        done = subprocess.run(
            [sys.executable, "-m", "codespell_lib", *names], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "")

    def test_the_layers_of_every_package_that_has_some_are_checked(self):
        (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        (pattern,) = [hook["files"] for hook in repository["hooks"] if hook["id"] == "layers"]
        linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
        for package in linter["root_packages"]:
            (module,) = [file for room in ("core", "*s/*") for file in ROOT.glob(f"{room}/src/{package}/__init__.py")]
            assert re.search(pattern, module.relative_to(ROOT).as_posix()), package
