"""ADB's public keys: which hosts a stand-in accepts. A host proves itself by an RSA signature of a random token."""

from __future__ import annotations

import base64
import hmac
import struct
from dataclasses import dataclass
from pathlib import Path

_BYTES = 256
_WORDS = _BYTES // 4
_SHA1 = bytes.fromhex("3021300906052b0e03021a05000414")
"""What RSA signatures in PKCS #1 v1.5 have before a SHA-1 digest; ADB's token takes the digest's place."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An RSA key of 2048 bits."""

    modulus: int
    exponent: int

    @classmethod
    def read(cls, path: Path) -> PublicKey:
        """The key in a file such as ``~/.android/adbkey.pub``.

        Raises: ValueError: It is not such a file.
        Raises: OSError: It cannot be read.
        """
        data = base64.b64decode(path.read_text("ascii").split(" ")[0], validate=True)
        if len(data) != 8 + 2 * _BYTES + 4 or int.from_bytes(data[:4], "little") != _WORDS:
            raise ValueError(f"{path} is not a public key of adb")
        (exponent,) = struct.unpack_from("<I", data, 8 + 2 * _BYTES)
        return cls(int.from_bytes(data[8 : 8 + _BYTES], "little"), exponent)

    def signed(self, token: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's signature of ``token``."""
        if len(signature) != _BYTES:
            return False
        content = _SHA1 + token
        expected = b"\x00\x01" + b"\xff" * (_BYTES - 3 - len(content)) + b"\x00" + content
        found = pow(int.from_bytes(signature, "big"), self.exponent, self.modulus)
        return hmac.compare_digest(found.to_bytes(_BYTES, "big"), expected)
