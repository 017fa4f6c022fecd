"""What CI installs for tests of devices: what cannot be installed is named, and never ends CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci/install_for_devices"
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
    root = Path(__file__).parents[1]
    (tmp_path / "conftest.py").write_text((root / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text("def test_it(needed):\n    needed('no-such-program')\n")
    env = os.environ | {"MLPERF_MOBILE_REQUIRE_DEVICES": required, "PYTHONPATH": str(root / "tests/shared")}
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
