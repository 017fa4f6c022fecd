"""Signatures of results with existing SSH keys, made and verified by ``ssh-keygen -Y``.

The signature covers ``result.json``, which holds digests of the other files. Source of the format: OpenSSH,
PROTOCOL.sshsig; of the file of signers: ssh-keygen(1), ALLOWED SIGNERS.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from mlperf_mobile.errors import ExitCode, MobileError, OutputError, UsageError
from mlperf_mobile.regular_files import read_regular
from mlperf_mobile.results import store

NAMESPACE = "mlperf-mobile-result"
"""The namespace of signatures; a signature by the same key for another purpose does not count."""
MOST_BYTES = 64 << 10
_MOST_NAMES = 16
_SECONDS = 30


def sign(folder: Path, key: Path) -> Path:
    """Sign the result in a folder; ``ssh-keygen`` asks for a passphrase itself.

    Args:
        folder: Of the result.
        key: The private key, or the public one of a key that an agent holds.

    Returns:
        The signature's file.

    Raises:
        UsageError: The key is not a file, or ``ssh-keygen`` is missing.
        OutputError: The result is already signed, or the signature cannot be written.
    """
    path = folder / store.SIGNATURE
    if os.path.lexists(path):
        raise OutputError("output-exists", f"{path} is already there", "remove it to sign the result again")
    if not key.is_file():
        raise UsageError(
            "no-key", f"{key} is not a file", "give an SSH key with --key, such as ~/.ssh/id_ed25519 or its .pub file"
        )
    data = _result(folder)
    done = _run(["sign", "-f", str(key.absolute()), "-n", NAMESPACE], data, seconds=None)
    if done.returncode or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise UsageError("not-signed", f"ssh-keygen cannot sign with {key}: {_said(done)}", "choose another --key")
    with store.output_errors(path), path.open("xb") as file:
        file.write(done.stdout)
    return path


def is_signed(folder: Path) -> bool:
    """Whether the result has a signature, valid or not."""
    return os.path.lexists(folder / store.SIGNATURE)


def unbroken(folder: Path) -> str:
    """Why the signature of a result is broken, regardless of the signer; empty if it is intact.

    Raises:
        UsageError: ``ssh-keygen`` is missing.
    """
    if why := _unreadable(folder):
        return why
    done = _run(["check-novalidate", "-n", NAMESPACE, "-s", str(_path(folder))], _result(folder))
    return _said(done) if done.returncode else ""


def signer(folder: Path, signers: Path) -> tuple[str, str]:
    """The allowed signer of a result, or an empty string and the reason.

    Args:
        folder: Of the result.
        signers: Who may sign, by name and key, in the format of ``ssh-keygen``'s ``allowed_signers``.

    Raises:
        UsageError: The file does not exist, or ``ssh-keygen`` is missing.
    """
    if not signers.is_file():
        raise UsageError("no-signers", f"{signers} is not a file", "give a file of allowed signers with --signers")
    if why := _unreadable(folder):
        return "", why
    file = ["-f", str(signers.absolute()), "-s", str(_path(folder))]
    found = _run(["find-principals", *file], b"")
    if found.returncode:
        return "", unbroken(folder) or f"not by the key of an allowed signer: {_said(found)}"
    why = "no allowed signer is named"
    for line in found.stdout.decode(errors="replace").splitlines()[:_MOST_NAMES]:
        name = line.split(",")[0].strip()
        done = _run(["verify", *file, "-I", name, "-n", NAMESPACE], _result(folder))
        if not done.returncode:
            return name, ""
        why = _said(done)
    return "", why


def _path(folder: Path) -> Path:
    return (folder / store.SIGNATURE).absolute()


def _result(folder: Path) -> bytes:
    try:
        return read_regular(folder / store.RESULT, store.MOST_BYTES)
    except OSError as error:
        summary = f"cannot read {folder / store.RESULT}: {error.strerror}"
        raise OutputError("no-result", summary, "give a result folder") from error


def _unreadable(folder: Path) -> str:
    try:
        read_regular(_path(folder), MOST_BYTES)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return ""


def _run(arguments: list[str], data: bytes, seconds: float | None = _SECONDS) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        hint = "install OpenSSH's client, 8.2 or later"
        raise UsageError("ssh-keygen-missing", "ssh-keygen, which signatures need, is not on PATH", hint)
    try:
        return subprocess.run(  # noqa: S603  no shell; names are absolute paths or follow their option
            [program, "-Y", *arguments], input=data, capture_output=True, check=False, timeout=seconds,
            env=os.environ | {"LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        summary = f"ssh-keygen does not respond: {error}"
        raise MobileError("ssh-keygen-failed", summary, "check the installation of OpenSSH", ExitCode.OUTPUT) from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    """The output of ssh-keygen, in one line."""
    text = (done.stderr + b"\n" + done.stdout).decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and line[:7] != "Signing"]
    return "; ".join(lines)[:300] or f"it ended with {done.returncode}"
