"""Signs callbacks as the Standard Webhooks specification 1.0.0 says."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

#: "base64 encoded, prefixed with `whsec_` for easy identification"
PREFIX: Final = "whsec_"
#: Octets: "At least 24 bytes (192 bits, 512 maximum)".
MIN_SECRET: Final = 24
MAX_SECRET: Final = 64


def parse_secret(text: str) -> bytes:
    """The octets of a secret written ``whsec_<base64>``. Raises ValueError, which never repeats the secret."""
    if not text.startswith(PREFIX):
        raise ValueError(f"A signing secret starts with {PREFIX}.")
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"A signing secret is base64 after {PREFIX}.") from None
    if not MIN_SECRET <= len(secret) <= MAX_SECRET:
        raise ValueError(f"A signing secret has {MIN_SECRET} to {MAX_SECRET} octets, this one has {len(secret)}.")
    return secret


def sign(secrets: Sequence[bytes], id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` of ``body``, posted as ``id`` at ``timestamp`` (UTC epoch seconds).

    "The signature header is a space delimited list of signatures": one for each of ``secrets``, so that a secret can
    be replaced while receivers still check with the old one.
    """
    # "The content to be signed is therefore: {msg_id}.{timestamp}.{payload}."
    content = f"{id}.{timestamp}.".encode() + body
    return " ".join(_signature(secret, content) for secret in secrets)


def _signature(secret: bytes, content: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
