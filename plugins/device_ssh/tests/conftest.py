"""An ssh server on this machine's loopback, with its own port, host key, configuration and user key."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from mlperf_mobile.testing.command import Command
from mlperf_mobile_devices.testing import set_up


@pytest.fixture(scope="session")
def sshd(tmp_path_factory, needed):
    """A running server; skips if none is installed, or if it would refuse the user, whose shell lets nobody in."""
    needed("ssh")
    shell = Path(pwd.getpwuid(os.getuid()).pw_shell).name
    if shell in ("nologin", "false"):
        pytest.skip(f"the login shell of this user is {shell}")
    server = Server(tmp_path_factory.mktemp("sshd"), needed("sshd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def reached(sshd, tmp_path, monkeypatch):
    """The server, with a client on PATH that knows its key; what it holds is in a home folder of this test."""
    monkeypatch.setenv("PATH", f"{sshd.client(tmp_path)}:{os.environ['PATH']}")
    return sshd


class Server:
    """sshd in a folder; it also works without being root."""

    def __init__(self, folder: Path, program: str):
        self.folder, self.user, self._program = folder, getpass.getuser(), program
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        for name in ("host", "user", "other"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        (folder / "authorized").write_text((folder / "user.pub").read_text())
        key = (folder / "host.pub").read_text().split()
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {key[0]} {key[1]}\n")
        self.process = None

    def start(self):
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        options = {
            "Port": self.port, "ListenAddress": "127.0.0.1", "HostKey": self.folder / "host",
            "AuthorizedKeysFile": self.folder / "authorized", "PidFile": "none", "StrictModes": "no", "UsePAM": "no",
            "PasswordAuthentication": "no", "KbdInteractiveAuthentication": "no", "PermitUserEnvironment": "no",
            "MaxStartups": "100", "MaxSessions": "100", "AcceptEnv": "NONE", "SetEnv": f"HOME={self.folder / 'home'}",
            "PermitRootLogin": "yes",
        }  # fmt: skip
        (self.folder / "home").mkdir(exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [self._program, "-D", "-e", "-f", config], stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return
            except OSError:
                assert time.monotonic() < end and self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.05)

    def stop(self):
        """End the server and all its sessions."""
        if self.process:
            for child in self.sessions():
                os.kill(child, 9)
            self.process.kill()
            self.process.wait()
            self.process = None

    def sessions(self):
        """The processes of the server's connections."""
        return [
            child.pid for child in psutil.Process(self.process.pid).children(recursive=True) if "sshd" in child.name()
        ]

    def client(self, folder, key="user", known="known"):
        """A folder with a client ``ssh`` that has a configuration of its own, for PATH."""
        bin_folder = folder / f"bin-{key}-{known}"
        bin_folder.mkdir()
        config = bin_folder / "config"
        config.write_text(
            f"UserKnownHostsFile {self.folder / known}\nGlobalKnownHostsFile none\nIdentitiesOnly yes\n"
            f"IdentityFile {self.folder / key}\nIdentityAgent none\n"
        )
        program = bin_folder / "ssh"
        program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
        program.chmod(0o755)
        return bin_folder

    @property
    def target(self):
        return f"{self.user}@127.0.0.1:{self.port}"

    @property
    def root(self):
        return self.folder / "home" / ".cache" / "mlperf-mobile-device"


@pytest.fixture
def board(sshd, processes, few_facts, tmp_path):
    """The command, and the server as a board whose environment is this one."""
    set_up(sshd.root)
    path = f"{sshd.client(tmp_path)}:{os.environ['PATH']}"
    sshd.command = Command(tmp_path, {"PATH": path, "MLPERF_MOBILE_DATA_PATH": str(few_facts)})
    return sshd
