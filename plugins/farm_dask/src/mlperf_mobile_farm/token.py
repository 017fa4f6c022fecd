"""The token of a farm: one file with a certificate, its key, and the authority that signed it.

Whoever has it may use the farm and serve it; all connections are encrypted and checked with it in both directions.
"""

from __future__ import annotations

import datetime
import os
import re
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed.security import Security

from mlperf_mobile.errors import ExitCode, MobileError, OutputError

VARIABLE = "MLPERF_FARM_TOKEN"
_YEARS = 5
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n?", re.DOTALL)
_MOST = 1 << 16


def default() -> Path:
    """Where the token of this user is: ``~/.config/mlperf-mobile/farm.pem``."""
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "mlperf-mobile" / "farm.pem"


def find(given: Path | None) -> Path | None:
    """The token file: the given one, that of the environment, or the user's; None if there is none."""
    named = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    return named or (default() if default().exists() else None)


def make(path: Path) -> None:
    """Make a token, readable only by this user.

    Raises:
        OutputError: ``output-unwritable``: the file exists, or cannot be written.
    """
    now = datetime.datetime.now(datetime.UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("mlperf-mobile farm authority", authority_key, None, authority_key, now, is_authority=True)
    certificate = _certificate("mlperf-mobile farm", key, authority, authority_key, now, is_authority=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for part in (certificate, authority):
                file.write(part.public_bytes(serialization.Encoding.PEM))
            file.write(private)
    except OSError as error:
        summary = f"cannot write the token {path}: {error.strerror}"
        raise OutputError("output-unwritable", summary, "name another file, or use that token") from error


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    signed_by: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
    *,
    is_authority: bool,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    path_length = 0 if is_authority else None
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(authority_id, critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=is_authority, crl_sign=is_authority, content_commitment=False,
                key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(signed_by, hashes.SHA256())
    )  # fmt: skip


def read(path: Path) -> Security:
    """The credentials in a token file.

    Raises:
        MobileError: ``farm-token``: it cannot be read, others can read it, or it is not a token.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise _bad(f"other users can read the token {path}", f"chmod 600 {path}")
        with path.open("rb") as file:
            text = file.read(_MOST).decode("ascii")
    except OSError as error:
        raise _bad(f"cannot read the token {path}: {error.strerror}", "check --token and MLPERF_FARM_TOKEN") from error
    except UnicodeDecodeError as error:
        raise _bad(f"{path} is not a token of a farm", "copy it again from the host that made it") from error
    parts = [(found[1], found[0]) for found in _PEM.finditer(text)]
    if [kind for kind, _ in parts] != ["CERTIFICATE", "CERTIFICATE", "PRIVATE KEY"]:
        raise _bad(f"{path} is not a token of a farm", "copy it again from the host that made it")
    own, authority, key = (part for _, part in parts)
    sides = {f"tls_{side}_{what}": part for side in ("scheduler", "worker", "client") for what, part in
             (("cert", own), ("key", key))}  # fmt: skip
    return Security(tls_ca_file=authority, require_encryption=True, **sides)


def _bad(summary: str, hint: str) -> MobileError:
    return MobileError("farm-token", summary, hint, ExitCode.DEVICE)
