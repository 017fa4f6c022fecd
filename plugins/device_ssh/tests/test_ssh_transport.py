"""The transport against a real ssh server: commands, files, detached processes, and what can go wrong."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mlperf_mobile.config.placing import transport_of
from mlperf_mobile.contracts.transport import DeviceError, DeviceLost
from mlperf_mobile.errors import UsageError
from mlperf_mobile.registry import Registry
from mlperf_mobile_device_ssh.diagnosis import explained
from mlperf_mobile_device_ssh.target import Target, parse
from mlperf_mobile_device_ssh.transport import Ssh
from mlperf_mobile_devices.listing import look


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("board", Target("board")),
        ("pi@board.local", Target("board.local", "pi")),
        ("board:2222", Target("board", "", 2222)),
        ("pi@10.0.0.7:22", Target("10.0.0.7", "pi", 22)),
        ("fe80::1", Target("fe80::1")),
        ("pi@[fe80::1]:2200", Target("fe80::1", "pi", 2200)),
        ("[::1]", Target("::1")),
    ],
)
def test_targets(text, target):
    assert parse(text) == target
    assert target.arguments[-2:] == ["--", target.host]


@pytest.mark.parametrize(
    "text",
    ["-oProxyCommand=x", "-board", "@board", "a b@c", "-u@board", "board:", "board:0", "board:65536", "board:ssh", "ü",
     "a:b:c", "[board]:22", "[::1", "bo ard", "board;reboot", "$(reboot)", "b`x`", "a@-b", "board:22:33", "board/x",
     "board:\u0663"],
)  # fmt: skip
def test_what_is_no_target(text):
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.code == "bad-device"
    assert "write ssh:HOST" in caught.value.hint


@pytest.mark.parametrize(
    ("words", "error", "code", "hint"),
    [
        (b"@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\nHost key verification failed.",
         "host key has changed", "device-unusable", "ssh-keygen -R board"),
        (b"No ED25519 host key is known for board and you have requested strict checking.\r\n"
         b"Host key verification failed.", "not known", "device-unusable", "ssh pi@board"),
        (b"pi@board: Permission denied (publickey).", "refuses the login", "device-unusable", "ssh-copy-id pi@board"),
        (b"ssh: Could not resolve hostname board: Name or service not known", "not known", "device-unusable", "check"),
        (b"ssh: connect to host board port 22: Connection refused", "refuses the conn", "device-lost", "start its"),
        (b"ssh: connect to host board port 22: Connection timed out", "does not answer", "device-lost", "check"),
        (b"Timeout, server board not responding.", "does not answer", "device-lost", "check"),
        (b"ssh: connect to host board port 22: No route to host", "no network", "device-lost", "check"),
        (b"something \x1b[31mnew", "something", "device-lost", "ssh pi@board"),
        (b"", "it was lost", "device-lost", "ssh pi@board"),
    ],
)  # fmt: skip
def test_what_the_clients_words_mean(words, error, code, hint):
    found = explained("ssh:pi@board", "pi@board", "board", words, "it was lost")
    assert (found.code, isinstance(found, DeviceLost)) == (code, code == "device-lost")
    assert error in found.summary
    assert hint in found.hint
    assert found.line().isprintable()


@pytest.mark.slow
def test_commands_and_their_exit_codes(reached):
    with Ssh(reached.target) as device:
        done = device.run(
            ["sh", "-c", 'cat; echo "$1" >&2; exit 7', "sh", "a 'b' \"c\" $d `e` \\ ! *"], stdin=b"\0in\n"
        )
        assert (done.returncode, done.stdout, done.stderr) == (7, b"\0in\n", b"a 'b' \"c\" $d `e` \\ ! *\n")
        assert device.run(["sh", "-c", "exit 255"]).returncode == 255
        assert device.run(["no-such-program"]).returncode == 127
        facts = device.facts()
        assert facts.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert (facts.abi, facts.address) == (os.uname().machine, f"ssh:{reached.target}")
        assert facts.free_bytes > 0
        assert device.root == str(reached.root)


@pytest.mark.slow
def test_files_and_a_process_that_outlives_the_connection(reached, tmp_path):
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(5 << 20))
    folder = reached.root / "test-run"
    with Ssh(reached.target) as device:
        device.run(["mkdir", "-p", str(folder)])
        device.push(source, f"{folder}/file")
        device.pull(f"{folder}/file", back)
        assert back.read_bytes() == source.read_bytes()
        device.start(str(folder), ["sh", "-c", "until [ -e go ]; do sleep 0.02; done; echo done; exit 3"], {})
    (folder / "go").touch()
    end = time.monotonic() + 120
    with Ssh(reached.target) as device:
        while not device.read(f"{folder}/rc", 0):
            assert time.monotonic() < end
            time.sleep(0.1)
        assert device.read(f"{folder}/rc", 0) == b"3\n"
        assert device.read(f"{folder}/worker.log", 0) == b"done\n"
        device.remove(str(folder))
    assert not folder.exists()


@pytest.mark.slow
def test_a_lost_connection_can_be_opened_again(reached):
    device = Ssh(reached.target)
    with device:
        device.run(["true"])
        for session in reached.sessions():
            os.kill(session, 9)
        with pytest.raises(DeviceLost):
            device.run(["true"])
    with device:
        assert device.run(["true"]).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "known", "words"),
    [
        ("other", "known", "refuses the login"),
        ("user", "none", "not known"),
        ("user", "changed", "host key has changed"),
    ],
)
def test_a_server_that_refuses(sshd, tmp_path, monkeypatch, key, known, words):
    other = (sshd.folder / "other.pub").read_text().split()
    (sshd.folder / "changed").write_text(f"[127.0.0.1]:{sshd.port} {other[0]} {other[1]}\n")
    monkeypatch.setenv("PATH", f"{sshd.client(tmp_path, key, known)}:{os.environ['PATH']}")
    with pytest.raises(DeviceError) as caught, Ssh(sshd.target):
        pass
    assert words in caught.value.summary
    assert caught.value.code == "device-unusable"


def test_no_ssh(monkeypatch):
    """Known before anything is planned, like any other need."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(DeviceError) as caught:
        transport_of(Registry(), "ssh:board", "--device")
    assert caught.value.line() == (
        "error[device-unusable]: --device: ssh devices need the OpenSSH client; "
        "install it (Debian, Ubuntu: apt-get install openssh-client)"
    )


def test_the_listing_shows_the_address_before_the_reason_alone(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    (seen,), _ = look(Registry(), ["ssh:board"])
    assert (seen.facts.address, seen.facts.reason) == ("ssh:board", "needs the OpenSSH client")


@pytest.mark.slow
def test_no_server(reached):
    with pytest.raises(DeviceLost) as caught, Ssh("127.0.0.1:1"):
        pass
    assert "refuses the connection" in caught.value.summary
