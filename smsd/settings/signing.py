"""Says which secrets sign the callbacks of each API key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from smsd.settings.types import ApiKey, CallbackSecret


def signing_secrets(
    api_keys: Sequence[ApiKey], callback_secrets: Sequence[CallbackSecret]
) -> Mapping[str, Sequence[bytes]]:
    """By the name of each API key, the octets that sign its callbacks: its own secrets first, then the shared ones.

    A key without any signs with one that is derived from it, so that no callback goes unsigned.
    """
    return {
        each.name: (
            *_named(callback_secrets, each.name),
            *_named(callback_secrets, None),
        )
        or (_derived(each),)
        for each in api_keys
    }


def _named(secrets: Sequence[CallbackSecret], name: str | None) -> list[bytes]:
    return [each.octets for each in secrets if each.name == name]


def _derived(api_key: ApiKey) -> bytes:
    # A hash of the key and not the key, so that who may check a signature may not yet call the API.
    return hashlib.sha256(api_key.key.reveal().encode()).digest()
