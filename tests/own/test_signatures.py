"""Signatures are those of ``ssh-keygen``, which verifies ours by itself; every way to be wrong is told apart."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess

import pytest

from mlperf_mobile.errors import MobileError
from mlperf_mobile_rounds import signature
from mlperf_mobile_rounds.commands import check, sign

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="there is no ssh-keygen on PATH")

NAME = "lab@example.com"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two throw-away keys, ``lab`` and ``other``."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("lab", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
    return folder


@pytest.fixture
def signers(keys, tmp_path):
    """Writes a file of allowed signers with the lab's key, or another line."""

    def write(options="", key="lab", name=NAME):
        path = tmp_path / "signers"
        path.write_text(f"# labs\n{name} {options} {(keys / f'{key}.pub').read_text()}")
        return path

    return write


@pytest.fixture
def signed(made, copied, keys):
    """A folder with a result that the lab signed."""
    folder = copied(made["both"])
    signature.sign(folder, keys / "lab")
    return folder


@pytest.fixture
def told(registry, capsys, monkeypatch):
    """What a command prints as JSON, and its exit code."""

    def run(module, *arguments):
        monkeypatch.setattr("mlperf_mobile.registry.Registry", lambda: registry)
        parser = argparse.ArgumentParser()
        module.add(parser)
        code = module.handle(parser.parse_args([*map(str, arguments), "--json"]))
        return json.loads(capsys.readouterr().out), code

    return run


def rules(report):
    return {finding["rule"]: finding["text"] for finding in report["findings"] if finding["severity"] == "error"}


def keygen(action, *arguments, folder):
    """``ssh-keygen`` by itself, on the result of a folder."""
    return subprocess.run(
        ["ssh-keygen", "-Y", action, "-n", "mlperf-mobile-result", "-s", folder / "result.json.sig", *arguments],
        input=(folder / "result.json").read_bytes(), capture_output=True, check=False,
    ).returncode  # fmt: skip


def test_ssh_keygen_verifies_what_was_signed(signed, signers):
    assert keygen("verify", "-f", signers(), "-I", NAME, folder=signed) == 0
    assert keygen("verify", "-f", signers(key="other"), "-I", NAME, folder=signed) != 0


def test_what_ssh_keygen_signed_is_verified(made, copied, keys, signers):
    folder = copied(made["both"])
    command = [
        "ssh-keygen",
        "-q",
        "-Y",
        "sign",
        "-f",
        keys / "lab",
        "-n",
        "mlperf-mobile-result",
        folder / "result.json",
    ]
    subprocess.run(command, check=True, capture_output=True)
    assert signature.signer(folder, signers()) == (NAME, "")
    assert signature.unbroken(folder) == ""


def test_sign_and_check_as_commands(made, copied, keys, signers, told):
    folder = copied(made["both"])
    report, code = told(check, folder)
    assert (report["clean"], report["findings"], report["signatures"]) == (True, [], {"unsigned": ["."]})
    output, code = told(sign, folder, "--key", keys / "lab")
    assert (code, output["signed"]) == (0, [str(folder / "result.json.sig")])
    report, code = told(check, folder, "--signers", signers())
    assert (code, report["findings"], report["signatures"]) == (0, [], {f"by {NAME}": ["."]})
    report, code = told(check, folder)
    assert (code, report["findings"]) == (0, [])


WRONG = {
    "another signer": {"key": "other"},
    "another namespace": {"options": 'namespaces="file"'},
    "a key that expired": {"options": 'valid-before="20200101"'},
    "a key that is not valid yet": {"options": 'valid-after="20990101"'},
}


@pytest.mark.parametrize("name", WRONG)
def test_signers_that_may_not(name, signed, signers, told):
    file = signers(**WRONG[name])
    assert keygen("verify", "-f", file, "-I", NAME, folder=signed) != 0
    report, code = told(check, signed, "--signers", file)
    assert (code, set(rules(report))) == (1, {"signature"})
    assert rules(report)["signature"]
    report, code = told(check, signed)
    assert code == 0


def test_a_signature_for_something_else(made, copied, keys, signers, told):
    folder = copied(made["both"])
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", keys / "lab", "-n", "file", folder / "result.json"]
    subprocess.run(command, check=True, capture_output=True)
    for more in ((), ("--signers", signers())):
        report, code = told(check, folder, *more)
        assert (code, set(rules(report))) == (1, {"signature"})
        assert "namespace" in rules(report)["signature"]


def spoil(data):
    lines = data.splitlines(keepends=True)
    return b"".join([lines[0], lines[1].swapcase(), *lines[2:]])


@pytest.mark.parametrize("other", [lambda data: b"", lambda data: data[:60], spoil, lambda data: b"\0" * 100_000])
def test_broken_signatures(other, signed, signers, told):
    path = signed / "result.json.sig"
    path.write_bytes(other(path.read_bytes()))
    for more in ((), ("--signers", signers())):
        report, code = told(check, signed, *more)
        assert (code, set(rules(report))) == (1, {"signature"})


def test_a_result_that_was_changed_after_signing(signed, signers, told):
    """Consistently: the digests fit, and only the signature tells."""
    path = signed / "result.json"
    path.write_bytes(path.read_bytes() + b"\n")
    report, code = told(check, signed)
    assert (code, set(rules(report))) == (1, {"signature"})


def test_an_unsigned_result_where_signers_are_given(made, copied, signers, told):
    report, code = told(check, copied(made["both"]), "--signers", signers())
    assert (code, rules(report)) == (1, {"unsigned": "the result is not signed"})


def test_several_names_and_wildcards(signed, signers):
    assert signature.signer(signed, signers(name="*@example.com,boss@example.com"))[0] == "*@example.com"


def test_a_result_with_a_file_that_no_run_can_write_is_not_signed(made, copied, keys, told):
    folder = copied(made["both"])
    with (folder / "telemetry.jsonl").open("ab") as file:
        file.truncate(50 << 30)
    with pytest.raises(MobileError, match=r"telemetry\.jsonl") as caught:
        told(sign, folder, "--key", keys / "lab")
    assert caught.value.code == "result-edited"


def test_an_edited_result_is_not_signed(made, copied, keys, told):
    folder = copied(made["both"])
    data = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(data | {"backend": "other"}))
    with pytest.raises(MobileError, match="backend") as caught:
        told(sign, folder, "--key", keys / "lab")
    assert (caught.value.code, caught.value.exit_code) == ("result-edited", 1)
    assert not (folder / "result.json.sig").exists()


def test_an_honest_failure_may_be_signed(made, copied, keys, told):
    folder = copied(made["failed"])
    assert told(sign, folder, "--key", keys / "lab")[1] == 0


def test_refusals(signed, made, copied, keys, signers, tmp_path, monkeypatch):
    def code(action, *arguments):
        with pytest.raises(MobileError) as caught:
            action(*arguments)
        assert caught.value.hint
        return caught.value.code

    assert code(signature.sign, signed, keys / "lab") == "output-exists"
    (signed / "result.json.sig").unlink()
    assert code(signature.sign, signed, tmp_path / "nowhere") == "no-key"
    (tmp_path / "junk").write_text("junk")
    assert code(signature.sign, signed, tmp_path / "junk") == "not-signed"
    assert not (signed / "result.json.sig").exists()
    assert code(signature.signer, signed, tmp_path / "nowhere") == "no-signers"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code(signature.sign, signed, keys / "lab") == "ssh-keygen-missing"


def test_without_ssh_keygen_a_signature_is_not_checked(signed, signers, told, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    report, code = told(check, signed)
    assert (code, [each["rule"] for each in report["not_checked"]]) == (0, ["signature"])
    with pytest.raises(MobileError, match="ssh-keygen"):
        told(check, signed, "--signers", signers())


def test_names_that_look_like_options(made, copied, keys, signers, tmp_path, monkeypatch):
    folder = copied(made["accuracy"])
    monkeypatch.chdir(tmp_path)
    shutil.copy(keys / "lab", tmp_path / "-f")
    shutil.copy(signers(name="-lab"), tmp_path / "-n")
    assert signature.sign(folder, tmp_path.joinpath("-f").relative_to(tmp_path))
    assert signature.signer(folder, tmp_path.joinpath("-n").relative_to(tmp_path)) == ("-lab", "")


@pytest.mark.skipif(not shutil.which("ssh-agent") or not shutil.which("ssh-add"), reason="there is no ssh-agent")
def test_a_key_that_an_agent_has(made, copied, keys, signers, tmp_path, monkeypatch):
    folder = copied(made["accuracy"])
    socket = tmp_path / "agent"
    started = subprocess.run(["ssh-agent", "-s", "-a", socket], capture_output=True, text=True, check=True).stdout
    agent = int(started.partition("SSH_AGENT_PID=")[2].partition(";")[0])
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        subprocess.run(["ssh-add", "-q", keys / "lab"], check=True, env=os.environ)
        shutil.copy(keys / "lab.pub", tmp_path / "only.pub")
        signature.sign(folder, tmp_path / "only.pub")
    finally:
        os.kill(agent, signal.SIGTERM)
    assert signature.signer(folder, signers()) == (NAME, "")


def test_a_folder_without_a_result_is_named(told, keys, tmp_path):
    with pytest.raises(MobileError) as caught:
        told(sign, tmp_path, "--key", keys / "lab")
    assert caught.value.code == "no-result" and str(tmp_path) in caught.value.summary
    with pytest.raises(MobileError, match="absent"):
        told(sign, tmp_path / "absent", "--key", keys / "lab")
